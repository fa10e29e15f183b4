"""Factors for a box that has none, learned from its own scores."""

from __future__ import annotations

import warnings
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.base import _fit_context
from sklearn.utils import check_random_state, gen_batches
from sklearn.utils._param_validation import Interval, RealNotInt
from tqdm.auto import tqdm

from sktpecr._inputs._tables import check_interactions
from sktpecr._utils._atomic_fit import whole_fit
from sktpecr.recommenders._factor_recommender import FactorRecommender
from sktpecr.recommenders._fitted_recommender import FittedRecommender
from sktpecr.recommenders._protocol import as_it_is, clone_sharing, is_unfitted_estimator
from sktpecr.recommenders.distilled._boxes import (
    PairBox,
    RowBox,
    asks_pairs,
    fitted_on_rows,
    has_scores,
    score_by_features,
)
from sktpecr.recommenders.distilled._distillation import Factors, list_kept, variance_kept

# Measured with EASE on MovieLens-1M: where R^2 falls to this, half of the ten best items are lost.
_TOO_LITTLE = 0.6
# With less than this told of them, new users get the average user's list.
_TOO_LITTLE_OF_NEW = 0.1
_TOP = 10
# Of a budget for pairs this share goes into users whose scores of all items are asked, and of
# those users one in so many is only measured on.
_WHOLE, _HELD_OUT = 0.7, 8
_FEWEST = 4
# Scores that are learned from together, numbers held while users are embedded, users measured on.
_MOST_SCORES, _MOST_NUMBERS, _MOST_HELD_OUT = 25_000_000, 8_000_000, 1000


class DistilledRecommender(FittedRecommender):
    r"""Learn factors that reproduce the scores of a black box, and measure how well they do.

    Neighbours, trees, sequence models, a remote service: whatever gives a score can be asked for
    some, and the dot product that comes nearest to them is then explained. Every explanation
    carries its :attr:`fidelity`.

    Parameters
    ----------
    model : object
        One of: a function ``predict(users, items)`` that gets two arrays of row and column
        numbers of equal length and returns a score for each pair, or an object that has such a
        ``predict``; an estimator that was fitted on a row of features per pair, with
        `user_features` and `item_features`; an estimator that scores all items of a row of
        interactions, as Ridge, KNeighborsRegressor and MLPRegressor do that were fitted on
        ``(X, X)``. The last is cloned and fitted so where it
        is not fitted; otherwise a model is used as it is, and shared by clones. Of an estimator
        ``decision_function`` is the score, else the last column of ``predict_proba``, else
        ``predict``.
    n_factors : int, default=128
        Length of the embeddings at most; at most half the number of users that are asked whole,
        too, where not all are.
    budget : float or int, default=0.1
        Pairs that the box may be asked in ``fit``: a share of all of them, or how many.
    user_features : array-like of shape (n_users, n_user_features), optional
        Features of the users, which come first in what `model` is asked.
    item_features : array-like of shape (n_items, n_item_features), optional
        Features of the items.
    batch_size : int, default=100_000
        Pairs asked for at a time; rows of interactions are asked one at a time at least.
    random_state : int, RandomState instance or None, default=None
        Draws the users that are asked whole.

    Attributes
    ----------
    r2_ : float
        Share of the variance of a user's scores over items that is reproduced.
    top_k_agreement_ : float
        Share of the box's ten best items, the user's own left out, that are among the ten best
        here.
    n_asked_ : int
        Pairs that the box was asked.
    n_held_out_ : int
        Users that `r2_` and `top_k_agreement_` were measured on and nothing was learned from; 0
        where there were too few to spare any, and they were measured on everybody asked.
    new_users_r2_ : float
        Share of what sets users' scores of an item apart that their interactions tell, of users
        left out: what new users of a function of pairs are embedded by.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of shape (n_items,)
        Names of the items, if X was a DataFrame with string columns.

    See Also
    --------
    FactorRecommender : Where the score is a dot product already.
    TorchRecommender : Where torch computes the score; nothing is lost then.

    Notes
    -----
    Some users, drawn at random, are asked whole. The singular value decomposition of their
    scores, with the mean of each item as its bias, gives the item embeddings, and a ridge
    regression on their interactions, if there are any, what to expect of the embedding of
    somebody else. The others are asked a few items each: first those that tell most of an
    embedding (pivoted QR decomposition), then those that seem best for the user. Their embedding
    is the posterior mean under Gaussian noise with the variance that the factors leave of each
    item. Seven tenths of the budget go into whole users. A budget that pays for all pairs asks
    them all, and embeddings are projections. Of an estimator that scores rows nothing but whole
    rows can be asked, and who is not asked is embedded by the regression.

    With :math:`d_{uv} = \hat r_{uv} - r_{uv}`, over users not learned from,

    .. math:: R^2 = 1 - \sum_{uv} (d_{uv} - \bar d_u)^2 / \sum_{uv} (r_{uv} - \bar r_u)^2,

    so that the level of all scores of a user, which ranks nothing, does not count. Pairs that
    the user's embedding was learned from are left out, unless all were asked.

    Examples
    --------
    >>> import numpy as np
    >>> from sktpecr.recommenders import DistilledRecommender
    >>> ages, years = np.arange(40), np.arange(30)
    >>> def predict(users, items):
    ...     return np.cos((ages[users] - years[items]) / 9)
    >>> box = DistilledRecommender(predict, budget=0.5, random_state=0)
    >>> box.fit(np.zeros((40, 30)))
    DistilledRecommender(budget=0.5,
                         model=<function predict at ...>,
                         random_state=0)
    >>> box.user_embeddings.shape, round(box.fidelity, 3)
    ((40, 2), 1.0)
    """

    _parameter_constraints: dict = {
        "model": "no_validation",
        "n_factors": [Interval(Integral, 1, None, closed="left")],
        "budget": [
            Interval(RealNotInt, 0, 1, closed="right"),
            Interval(Integral, 1, None, closed="left"),
        ],
        "user_features": ["array-like", None],
        "item_features": ["array-like", None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        model: Any,
        *,
        n_factors: int = 128,
        budget: float = 0.1,
        user_features: ArrayLike | None = None,
        item_features: ArrayLike | None = None,
        batch_size: int = 100_000,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.model = model
        self.n_factors = n_factors
        self.budget = budget
        self.user_features = user_features
        self.item_features = item_features
        self.batch_size = batch_size
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    @whole_fit
    def fit(self, X: Any, y: Any = None) -> DistilledRecommender:
        """Ask the box and learn factors.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_users, n_items)
            Interactions of the users. A function of pairs needs nothing but their shape, such as
            ``scipy.sparse.csr_matrix((n_users, n_items))``; it is distilled better, and new
            users can be embedded, where it has interactions.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted recommender.

        Raises
        ------
        TypeError
            If `model` can be asked neither way.
        ValueError
            If the budget does not pay for a few users, or the box returns something other than
            one finite number per pair.

        Warns
        -----
        UserWarning
            If less than 0.6 of the variance is reproduced.
        """
        X = check_interactions(self, X)
        box = self._box(X)
        n_whole, n_own = self._plan(X.shape, isinstance(box, RowBox))
        n_users, n_items = X.shape
        random_state = check_random_state(self.random_state)
        order = random_state.permutation(n_users)
        n_held_out = min(n_whole // _HELD_OUT, _MOST_HELD_OUT)
        n_learned = min(n_whole - n_held_out, max(_FEWEST, _MOST_SCORES // n_items))
        held_out, learned, others = np.split(order, [n_held_out, n_held_out + n_learned])
        n_factors = self.n_factors if n_own == n_items else min(self.n_factors, n_learned // 2)
        every = np.arange(n_items)[np.newaxis]

        n_pairs = (n_held_out + n_learned) * n_items + len(others) * n_own
        with tqdm(total=n_pairs, desc="distillation", delay=3, disable=None) as bar:
            box.on_answer = bar.update
            scores = box.pairs(learned, every.repeat(n_learned, axis=0))
            factors = Factors.learn(scores.astype(np.float64), X[learned], n_factors, random_state)
            width = factors.items.shape[1]
            embeddings = np.empty((n_users, width))
            embeddings[learned] = factors.project(scores)
            most = max(1, _MOST_NUMBERS // max(width**2, width * n_own, n_items))
            for batch in gen_batches(len(others), most):
                some = others[batch]
                embeddings[some] = factors.embed(X[some], partial(box.pairs, some), n_own)[0]
            tried, counted = learned, np.ones(scores.shape, dtype=bool)
            if n_held_out:
                tried, scores = held_out, box.pairs(held_out, every.repeat(n_held_out, axis=0))
                # All their scores are known; they are embedded by as few as the others are.
                known = partial(np.take_along_axis, scores, axis=1)
                embeddings[tried], asked = factors.embed(X[tried], known, n_own)
                counted = np.ones(scores.shape, dtype=bool)
                if n_own < n_items:
                    np.put_along_axis(counted, asked, False, axis=1)
        approximate = factors.scores(embeddings[tried])
        self.r2_ = variance_kept(scores, approximate, counted)
        unseen = X[tried].toarray() == 0
        self.top_k_agreement_ = list_kept(scores, approximate, unseen, _TOP)
        self.n_asked_, self.n_held_out_ = box.n_asked, n_held_out
        self._factors, self.new_users_r2_ = factors, factors.prior.told
        self._rows = RowBox(box.model, X[:0], box.batch_size) if isinstance(box, RowBox) else None
        dtype = np.float32 if scores.dtype == np.float32 else np.float64
        self._fitted = FactorRecommender(
            embeddings.astype(dtype), factors.items.astype(dtype), factors.biases.astype(dtype)
        )
        if self.r2_ < _TOO_LITTLE:
            warnings.warn(
                f"the factors reproduce {max(0.0, self.r2_):.0%} of the variance of the box's "
                f"scores and {self.top_k_agreement_:.0%} of its lists, with {width} factors and "
                f"{self.n_asked_} pairs asked: explanations describe the box poorly; raise "
                f"n_factors ({self.n_factors}) or budget ({self.budget})",
                stacklevel=2,
            )
        return self

    @property
    def fidelity(self) -> float:
        """What explanations carry: `r2_`, 0 where it is below."""
        self._read()
        return min(1.0, max(0.0, self.r2_))

    @property
    def item_embeddings(self) -> NDArray:
        """Embeddings of the items, shape (n_items, n_factors)."""
        return self._read().item_embeddings

    @property
    def item_biases(self) -> NDArray:
        """Mean score of each item, shape (n_items,)."""
        return self._read().item_biases

    def own_score(self, user: int, item: int, X: sp.csr_matrix) -> float:
        """Ask the box itself about one pair.

        Parameters
        ----------
        user, item : int
            Row number and column number.
        X : sparse matrix of shape (n_users, n_items)
            The interactions that ``fit`` was given.

        Returns
        -------
        float
            The box's score, from one call; the factors' is near it as far as :attr:`fidelity` says.
        """
        return float(self._box(X).pairs(np.array([user]), np.array([[item]]))[0, 0])

    def fold_in(self, X: Any) -> NDArray:
        """Embed rows of interactions.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, n_items)
            Interactions, of users of fit or others.

        Returns
        -------
        ndarray of shape (n, n_factors)
            Projections of the box's own scores where it scores rows, else what the interactions
            of the users that were asked whole let expect.

        Raises
        ------
        ValueError
            If the box knows no rows, and ``fit`` was given no interactions.

        Warns
        -----
        UserWarning
            If `new_users_r2_` is below .1 where it counts.
        """
        users = self._read().user_embeddings
        X = check_interactions(self, X, reset=False)
        if self._rows is not None:
            found = self._factors.project(self._rows.scores(X))
        elif self._factors.prior.regression is not None:
            found, told = self._factors.prior.embed(X, self._factors.items), self.new_users_r2_
            if told < _TOO_LITTLE_OF_NEW:
                warnings.warn(
                    f"new users get nearly the list of the average user: interactions tell "
                    f"{max(0.0, told):.0%} of what sets this box's scores apart; explain users of "
                    f"fit, or give a model that scores rows of interactions",
                    stacklevel=2,
                )
        else:
            raise ValueError(
                f"X has {X.shape[0]} rows to embed, but the box scores pairs of its own users, and "
                f"fit was given nobody's interactions to learn embeddings from; fit on them"
            )
        return found.astype(users.dtype)

    def _plan(self, shape: tuple[int, int], of_rows: bool) -> tuple[int, int]:
        """Return how many users are asked all items, and how many items the others are asked."""
        n_users, n_items = shape
        n_pairs = n_users * n_items
        budget = self.budget if isinstance(self.budget, Integral) else self.budget * n_pairs
        if budget >= n_pairs:
            return n_users, n_items
        share = 1.0 if of_rows else _WHOLE
        n_whole = int(share * budget) // n_items
        if n_whole < _FEWEST:
            needed = int(np.ceil(_FEWEST * n_items / share))
            raise ValueError(
                f"budget must pay for all {n_items} items of {_FEWEST} users, which takes "
                f"{needed} pairs, got {self.budget!r}, which is {int(budget)}; pass more, or 1.0, "
                f"which is all {n_pairs}"
            )
        return n_whole, 0 if of_rows else int(budget - n_whole * n_items) // (n_users - n_whole)

    def _box(self, X: sp.csr_matrix) -> RowBox | PairBox:
        model, given = as_it_is(self.model), (self.user_features, self.item_features)
        if any(features is not None for features in given):
            for name, features, n in zip(
                ("user_features", "item_features"), given, X.shape, strict=True
            ):
                shape = () if features is None else np.asarray(features).shape
                if len(shape) != 2 or shape[0] != n:
                    raise ValueError(
                        f"{name} must have shape ({n}, n_features), a row per "
                        f"{name.split('_')[0]} of X, got {shape or features!r}; "
                        f"user_features and item_features are given together"
                    )
            if not has_scores(model):
                raise TypeError(
                    f"model must have predict, predict_proba or decision_function to be asked "
                    f"features, got {type(model).__name__}; a function gets numbers, not features"
                )
            model = partial(score_by_features, model, *map(np.asarray, given))
        elif asks_pairs(model):
            model = model.predict
        elif has_scores(model):
            if is_unfitted_estimator(model):
                model = fitted_on_rows(model, X)
            return RowBox(model, X, self.batch_size)
        if not callable(model):
            raise TypeError(
                f"model must be a function predict(users, items), or have predict, predict_proba "
                f"or decision_function, got {type(model).__name__}"
            )
        return PairBox(model, self.batch_size)

    def __sklearn_clone__(self) -> DistilledRecommender:
        # scikit-learn would unfit the model, or copy it.
        return clone_sharing(self, "model", "user_features", "item_features")
