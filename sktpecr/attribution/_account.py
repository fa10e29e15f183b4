"""The attribution that people read: a score told by the item's own tags."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sktpecr._utils._array_api import as_array, beside
from sktpecr.attribution._account_fit import alias_groups, own_tags, own_weights
from sktpecr.attribution._account_pairs import own_contributions
from sktpecr.attribution._account_rows import (
    Levelled,
    Rows,
    closed_form_rows,
    history_agreement,
    loadings_of,
    sampled_rows,
    variances,
    without_level,
)
from sktpecr.attribution._attributed import Attributed
from sktpecr.attribution._chance import Strength, explained_by_chance, strength_by_chance
from sktpecr.attribution._composite import CompositeFunction

_LEVELS = ("regression", "difference", "none")
# Users whose tastes are held against their histories.
_READERS = 5000
# Own tags have to tell more than chance by so much of the variance of an item's score.
_MORE_THAN_CHANCE = 0.05


class AccountAttribution(BaseEstimator):
    r"""Divide a score among the item's own tags, by how much this user likes each of them.

    Parameters
    ----------
    level : {"auto", "regression", "difference", "none"}, default="auto"
        How the user's level, the mean score over all items, is taken off scores and tag
        preferences: by regression over users; one for one; not at all. "auto" takes the one whose
        tastes correlate most with what is in users' own histories, and "difference" where `fit` is
        given no interactions.
    ridge : float, default=0.3
        Penalty of the weights, in variances of the tastes. More keeps the weights of tags that are
        alike nearer to each other.
    n_samples : int, default=2000
        How many users are scored where the score is no dot product.
    n_permutations : int, default=3
        How often tags are dealt out at random over the items, to know what chance tells.
    random_state : int, RandomState instance or None, default=None
        Seeds what is sampled and dealt.

    Attributes
    ----------
    level_ : {"regression", "difference", "none"}
        The level that was taken off.
    level_agreement_ : dict of str to float
        The mean correlation of tastes with histories, by level; empty where it was not asked.
    weights_ : sparse matrix of shape (n_items, n_tags)
        What one more unit of a taste adds to the score, at least 0; stored for own tags alone.
    scale_ : ndarray of shape (n_tags,)
        Standard deviation of each taste in the population.
    strength_ : ndarray of shape (n_tags,)
        How much the taste for a tag varies, over what as many random items have on average.
    strength_by_chance_ : float
        The strength that one in a hundred of randomly dealt tags reaches.
    carried_ : sparse matrix of shape (n_items, n_tags)
        The tags that count as an item's own: those with at least a tenth of the weight of its
        heaviest tag, but for tags on more than three quarters of all items, which tell none apart.
    used_ : ndarray of bool, shape (n_tags,)
        Which tags say more than that. The others have no weights.
    aliases_ : ndarray of int, shape (n_tags,)
        For each tag the largest tag whose taste is nearly the same (correlation above .9).
    n_items_ : ndarray of int, shape (n_tags,)
        How many items each tag is an own tag of.
    spread_ : ndarray of shape (n_items,)
        Standard deviation over users of an item's score, less the level.
    explained_, explained_by_chance_ : ndarray of shape (n_items,)
        Share of the variance of an item's score over users, less the level, that its own tags
        tell; and what as many tags tell that are dealt at random.
    fidelity_ : ndarray of shape (n_items,)
        1 where the score is a dot product, and linear in all that is told; elsewhere the R^2 of
        level and own tags together over the sampled users.
    average_scores_ : ndarray of shape (n_items,)
        Score of the average user.
    average_item_ : ndarray of shape (n_factors,) or None
        Mean item embedding, whose product with a user's is the level, where the score is a dot
        product.
    loadings_ : ndarray of shape (n_items, n_loadings)
        Rows of length 1, whose products are the correlations over users of the scores of two
        items, less the level.

    Notes
    -----
    With :math:`L_u` the mean score of user u over all items and :math:`c_{ut}` the tag preference,

    .. math:: r_{ut} = (c_{ut} - \bar c_t) - \gamma_t (L_u - \bar L)

    is the taste, and the score is

    .. math::

        \mathrm{score}_{uv} = \mathrm{base}_v + \beta_v (L_u - \bar L)
        + \sum_{t \in T_v} a_{vt} r_{ut} + \mathrm{rest}_{uv}

    The weights :math:`a_{vt} \ge 0` minimise the variance over users of what is left of the score,
    plus `ridge` times :math:`\sum_t a_{vt}^2 Var(r_t)`, times one least-squares factor that gives
    back what the ridge took. So a contribution has the sign of the taste. Weights do not depend on
    the user. Where the score is a dot product they come from the covariance of the embeddings, and
    no scores are formed; elsewhere from the scores of `n_samples` users.

    Unlike the importances of :class:`ExactAttribution`, nothing is held while one tag moves: alike
    tags share the weight, and tags that are not on the item have none.

    Examples
    --------
    >>> import numpy as np
    >>> from sktpecr import TagPreferenceExtractor
    >>> from sktpecr.attribution._composite import CompositeFunction
    >>> from sktpecr.attribution import AccountAttribution
    >>> from sktpecr.recommenders import FactorRecommender
    >>> rng = np.random.RandomState(0)
    >>> users, item_tags = rng.normal(size=(100, 3)), np.repeat(np.eye(3), 10, axis=0)
    >>> recommender = FactorRecommender(users, item_tags + 0.2 * rng.normal(size=(30, 3)))
    >>> extractor = TagPreferenceExtractor(recommender, item_tags).fit(np.zeros((100, 30)))
    >>> preferences = extractor.tag_preferences(users)
    >>> account = AccountAttribution(random_state=0).fit(
    ...     CompositeFunction(recommender, None),
    ...     preferences,
    ...     users,
    ...     item_tags=item_tags,
    ...     tag_matrix=extractor.tag_matrix_,
    ... )
    >>> told = account.attribute(preferences[0], users[0], [0])
    >>> float(told.contributions[0, 0].round(2)), float(told.tastes[0].round(2))
    (0.39, 0.85)
    """

    _parameter_constraints: dict = {
        "level": [StrOptions({"auto", *_LEVELS})],
        "ridge": [Interval(Real, 0, None, closed="neither")],
        "n_samples": [Interval(Integral, 2, None, closed="left")],
        "n_permutations": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    }

    name = "account"
    unit = "score per standard deviation of the taste for the tag"

    def __init__(
        self,
        *,
        level: str = "auto",
        ridge: float = 0.3,
        n_samples: int = 2000,
        n_permutations: int = 3,
        random_state: Any = None,
    ) -> None:
        self.level = level
        self.ridge = ridge
        self.n_samples = n_samples
        self.n_permutations = n_permutations
        self.random_state = random_state

    def fit(
        self,
        composite: CompositeFunction,
        tag_preferences: ArrayLike,
        embeddings: ArrayLike,
        *,
        item_tags: Any,
        tag_matrix: ArrayLike | None = None,
        interactions: Any = None,
    ) -> AccountAttribution:
        """Learn what each tag weighs on each of its items.

        Parameters
        ----------
        composite : CompositeFunction
            Its recommender is explained; its generator is not used.
        tag_preferences : array-like of shape (n_users, n_tags)
            Tag preferences of the population.
        embeddings : array-like of shape (n_users, n_factors)
            Embeddings of the population.
        item_tags : array-like or sparse matrix of shape (n_items, n_tags)
            Which tags are on which item, weights of at least 0.
        tag_matrix : array-like of shape (n_tags, n_factors), optional
            The linear map from embeddings to tag preferences, where there is one.
        interactions : sparse matrix of shape (n_users, n_items), optional
            What these users took. Only `level` "auto" asks for it.

        Returns
        -------
        self : object
            The fitted attribution.

        Raises
        ------
        ValueError
            If a parameter is out of range, or shapes do not belong together.
        """
        self._validate_params()
        random_state = check_random_state(self.random_state)
        preferences = np.asarray(tag_preferences, dtype=np.float64)
        users = np.asarray(embeddings, dtype=np.float64)
        tags = sp.csr_matrix(item_tags, dtype=np.float64, copy=True)
        tags.sum_duplicates()
        tags.eliminate_zeros()
        _check_shapes(preferences, users, tags, interactions)
        self._composite = composite
        rows = self._rows(preferences, users, tag_matrix, random_state)
        level = self._choose_level(rows, preferences, users, tags, interactions)
        levelled = without_level(rows, level)
        self._learn(levelled, level, tags, random_state)
        self.fidelity_ = np.ones(tags.shape[0])
        if self.average_item_ is None:
            left, whole = (variances(scores) for scores in (levelled.scores, rows.scores))
            self.fidelity_ -= left * (1 - self.explained_) / np.where(whole > 0, whole, np.inf)
        return self

    def _rows(
        self,
        preferences: NDArray,
        users: NDArray,
        tag_matrix: ArrayLike | None,
        random_state: np.random.RandomState,
    ) -> Rows:
        """Return rows whose products are covariances, and keep what scores and levels need."""
        recommender = self._composite.recommender
        n_trained = getattr(recommender, "n_trained", None)
        self._average_preferences = preferences.mean(axis=0)
        self.average_item_: NDArray | None = None
        if tag_matrix is not None and hasattr(recommender, "item_embeddings"):
            matrix = np.asarray(tag_matrix, dtype=np.float64)
            rows, self.average_scores_ = closed_form_rows(recommender, users, matrix)
            items = np.asarray(recommender.item_embeddings, dtype=np.float64)[:n_trained]
            self.average_item_ = items.mean(axis=0)
            self._average_level = float(users.mean(axis=0) @ self.average_item_)
            return rows
        some = random_state.permutation(len(users))[: self.n_samples]
        rows, self.average_scores_ = sampled_rows(recommender, users, preferences, some)
        self._average_level = float(self.average_scores_[:n_trained].mean())
        return rows

    def _choose_level(
        self,
        rows: Rows,
        preferences: NDArray,
        users: NDArray,
        item_tags: sp.csr_matrix,
        interactions: Any,
    ) -> str:
        self.level_agreement_: dict[str, float] = {}
        if self.level != "auto":
            return self.level
        if interactions is None:
            return "difference"
        taken = sp.csr_matrix(interactions, dtype=np.float64)
        # Evenly spread over the rows, so that the choice depends on no seed.
        some = np.flatnonzero(np.diff(taken.indptr) > 0)
        some = some[:: -(-len(some) // _READERS)] if len(some) else some
        if not len(some):
            return "difference"
        taken, carried = taken[some], item_tags.copy()
        taken.data[:], carried.data[:] = 1.0, 1.0
        shares = (taken @ carried).toarray() / np.diff(taken.indptr)[:, np.newaxis]
        levels = self._levels(users[some])
        for level in _LEVELS:
            gamma = without_level(rows, level).gamma
            self.level_agreement_[level] = history_agreement(
                preferences[some], levels, gamma, shares
            )
        return max(_LEVELS, key=self.level_agreement_.__getitem__)

    def _learn(
        self,
        levelled: Levelled,
        level: str,
        item_tags: sp.csr_matrix,
        random_state: np.random.RandomState,
    ) -> None:
        scores, tastes = levelled.scores, levelled.tastes
        self.carried_ = own_tags(item_tags)
        self.n_items_ = np.bincount(self.carried_.indices, minlength=item_tags.shape[1])
        self.level_ = level
        self.beta_, self.gamma_ = levelled.beta, levelled.gamma
        self.scale_ = np.sqrt(np.square(tastes).sum(axis=0))
        strength = Strength(scores, item_tags)
        self.strength_ = strength.of(tastes)
        self.strength_by_chance_ = strength_by_chance(strength, random_state)
        self.used_ = self.strength_ > self.strength_by_chance_
        used = sp.csr_matrix(self.carried_ @ sp.diags(self.used_.astype(np.float64)))
        used.eliminate_zeros()
        self.weights_, self.explained_ = own_weights(scores, tastes, used, self.ridge)
        self.explained_by_chance_ = explained_by_chance(
            strength, self.carried_, self.ridge, self.n_permutations, random_state
        )
        self.spread_ = np.sqrt(variances(scores))
        self.aliases_ = alias_groups(tastes, self.n_items_)
        self.loadings_ = loadings_of(scores, random_state)

    def tastes(self, tag_preferences: Any, embeddings: Any) -> Any:
        """Return how much users like each tag beyond the population and their own level.

        Parameters
        ----------
        tag_preferences : array-like or torch tensor of shape (n, n_tags)
            The users' tag preferences.
        embeddings : array-like or torch tensor of shape (n, n_factors)
            The users' embeddings.

        Returns
        -------
        ndarray or tensor of shape (n, n_tags)
            Tastes, in units of the score. Of tensors, a tensor on their device, if the score is a
            dot product.
        """
        check_is_fitted(self)
        return self._tastes(as_array(tag_preferences), self._levels(as_array(embeddings)))

    def activity(self, embeddings: Any, items: Any) -> Any:
        """Return what the users' level adds to the scores of items.

        Parameters
        ----------
        embeddings : array-like or torch tensor of shape (n, n_factors)
            The users' embeddings.
        items : array-like of int
            Column numbers of items.

        Returns
        -------
        ndarray or tensor of shape (n, len(items))
            Activity, in units of the score.
        """
        check_is_fitted(self)
        levels = self._levels(as_array(embeddings))
        return levels[:, None] * beside(self.beta_, levels)[beside(items, levels)]

    def contributions(self, tastes: Any, users: Any, items: Any) -> Any:
        """Return what own tags contribute to the scores of pairs of user and item.

        Parameters
        ----------
        tastes : ndarray or torch tensor of shape (n, n_tags)
            As :meth:`tastes` returns them.
        users : array-like or torch tensor of int, shape (n_pairs,)
            Rows of `tastes`.
        items : array-like or torch tensor of int, shape (n_pairs,)
            Column numbers of items.

        Returns
        -------
        sparse matrix of shape (n_pairs, n_tags)
            Contributions in units of the score, stored for tags that weigh something: CSR of
            SciPy, and COO of torch on the device of `tastes` where these are a tensor.
        """
        check_is_fitted(self)
        return own_contributions(self.weights_, tastes, users, items)

    def attribute(
        self, tag_preferences: NDArray, embedding: NDArray, items: ArrayLike
    ) -> Attributed:
        """Tell the scores of items for one user.

        Parameters
        ----------
        tag_preferences : ndarray of shape (n_tags,)
            The user's tag preferences.
        embedding : ndarray of shape (n_factors,)
            The user's embedding.
        items : array-like of int
            Column numbers of items.

        Returns
        -------
        Attributed
            Base values have the activity in them; contributions are those of own tags, and
            importances the effects of one standard deviation more of the taste.
        """
        check_is_fitted(self)
        columns, user = np.asarray(items), embedding[np.newaxis]
        level = self._levels(user)
        tastes = self._tastes(tag_preferences[np.newaxis], level)
        activity = level[0] * self.beta_[columns]
        weights = self._own_weights(columns)
        values = self._composite.recommender.score_items(user, columns)[0].astype(np.float64)
        return Attributed(
            importances=weights * self.scale_,
            base_values=self.average_scores_[columns] + activity,
            values=values,
            fidelity=self.fidelity_[columns],
            contributions=weights * tastes,
            activity=activity,
            tastes=np.divide(
                tastes[0], self.scale_, out=np.zeros(len(self.scale_)), where=self.scale_ > 0
            ),
        )

    def says_more_than_chance(self, items: ArrayLike) -> NDArray:
        """Return whether the own tags of items tell more of their scores than dealt ones.

        Parameters
        ----------
        items : array-like of int
            Column numbers of items.

        Returns
        -------
        ndarray of bool, shape (len(items),)
            Whether they tell at least .05 more of the variance over users.
        """
        check_is_fitted(self)
        columns = np.asarray(items)
        return self.explained_[columns] >= self.explained_by_chance_[columns] + _MORE_THAN_CHANCE

    def directions(self, item: int, tag_matrix: NDArray) -> tuple[NDArray, NDArray]:
        """Return where each contribution to an item's score grows, where all is linear.

        Parameters
        ----------
        item : int
            Column number of the item.
        tag_matrix : ndarray of shape (n_tags, n_factors)
            The linear map from embeddings to tag preferences that `fit` was given.

        Returns
        -------
        tags : ndarray of int, shape (n_own,)
            The item's own tags that weigh something.
        directions : ndarray of shape (n_own, n_factors)
            Their products with an embedding, less the average user's, are the contributions.

        Raises
        ------
        ValueError
            If `fit` was given no tag matrix: the score is not linear in the embedding then.
        """
        check_is_fitted(self)
        if self.average_item_ is None:
            raise ValueError(
                "directions needs a score that is a dot product, and a fit with tag_matrix; got "
                "neither, so contributions do not grow the same way everywhere"
            )
        part = slice(*self.weights_.indptr[item : item + 2])
        tags = self.weights_.indices[part]
        growing = tag_matrix[tags] - np.outer(self.gamma_[tags], self.average_item_)
        return tags, self.weights_.data[part, np.newaxis] * growing

    def alike(self, item: int, others: ArrayLike) -> NDArray:
        """Return how the scores of items go with those of one item, over users.

        Parameters
        ----------
        item : int
            Column number of the item.
        others : array-like of int
            Column numbers of the others.

        Returns
        -------
        ndarray of shape (len(others),)
            Correlations of the scores, less the level.
        """
        check_is_fitted(self)
        return self.loadings_[np.asarray(others, dtype=np.intp)] @ self.loadings_[item]

    def _own_weights(self, columns: NDArray) -> NDArray:
        """Return rows of the weights, dense; quicker for a few than what scipy does."""
        indptr, rows = self.weights_.indptr, np.zeros((len(columns), self.weights_.shape[1]))
        for row, column in zip(rows, columns, strict=True):
            part = slice(indptr[column], indptr[column + 1])
            row[self.weights_.indices[part]] = self.weights_.data[part]
        return rows

    def _tastes(self, tag_preferences: Any, levels: Any) -> Any:
        centred = tag_preferences - beside(self._average_preferences, tag_preferences)
        return centred - levels[:, None] * beside(self.gamma_, centred)

    def _levels(self, embeddings: Any) -> Any:
        """Return users' mean scores over all items, less the population's, shape (n,)."""
        if self.average_item_ is not None:
            return embeddings @ beside(self.average_item_, embeddings) - self._average_level
        recommender = self._composite.recommender
        n_trained = getattr(recommender, "n_trained", None)
        size = max(1, 2**22 // len(self.average_scores_))
        blocks = (embeddings[start : start + size] for start in range(0, len(embeddings), size))
        scores = (recommender.score_items(block)[:, :n_trained] for block in blocks)
        means = [block.mean(axis=1, dtype=np.float64) for block in scores]
        return np.concatenate(means) - self._average_level


def _check_shapes(
    preferences: NDArray, users: NDArray, item_tags: sp.csr_matrix, interactions: Any
) -> None:
    if len(preferences) != len(users):
        raise ValueError(
            f"tag_preferences and embeddings must have a row for each user, got {len(preferences)} "
            f"and {len(users)} rows"
        )
    if item_tags.shape[1] != preferences.shape[1]:
        raise ValueError(
            f"item_tags must have a column for each of the {preferences.shape[1]} tag preferences, "
            f"got shape {item_tags.shape}"
        )
    if interactions is not None and interactions.shape != (len(users), item_tags.shape[0]):
        raise ValueError(
            f"interactions must have shape ({len(users)}, {item_tags.shape[0]}), a row for each "
            f"user of embeddings and a column for each item of item_tags, got "
            f"{interactions.shape}; pass the rows of the users that embeddings are of"
        )
