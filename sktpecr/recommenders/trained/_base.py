"""What the recommenders that are trained here have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from sktpecr._inputs._catalogue import check_item_ids
from sktpecr._inputs._ids import Ids
from sktpecr._inputs._numbers import check_n
from sktpecr._inputs._tables import check_interactions, in_pandas, is_frame
from sktpecr._utils._atomic_fit import whole_fit
from sktpecr._utils._ranking import top_items
from sktpecr.recommenders._factor_recommender import FactorRecommender, kept
from sktpecr.recommenders._fitted_recommender import FittedRecommender
from sktpecr.recommenders._fold_in import LearnedFoldIn
from sktpecr.recommenders._protocol import optional

if TYPE_CHECKING:
    from sktpecr._utils._torch_training import Training

_COUNT = [Interval(Integral, 1, None, closed="left")]

if TYPE_CHECKING:
    from sktpecr._utils._torch_training import Training


# A subclass has the training parameters as constructor parameters, names its `feedback_loss`, and
# writes ``_train(X, training) -> history``, which keeps arrays or modules on the CPU, and
# ``_recommender(dtype)``, which makes the recommender of them.
class TrainedRecommender(FittedRecommender):
    """Base of recommenders that are trained on interactions and are explained as they are."""

    _parameter_constraints: dict = {
        **dict.fromkeys(("n_factors", "batch_size", "max_epochs", "patience"), _COUNT),
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "regularization": [Interval(Real, 0, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "device": [str],
        "random_state": ["random_state"],
    }

    _train: Callable[[sp.csr_matrix, Training], list[dict[str, float]]]
    _recommender: Callable[[Any], Any]
    _schedule = "constant"

    @_fit_context(prefer_skip_nested_validation=True)
    @whole_fit
    def fit(self, X: Any, y: Any = None) -> TrainedRecommender:
        """Train on interactions.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_users, n_items)
            Interactions. All that are not zero count the same, whatever their weight.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted recommender.

        Raises
        ------
        ValueError
            If X has nothing to learn from, the device is not there, or training diverges in its
            first epoch.

        Warns
        -----
        ConvergenceWarning
            If training diverges later; what was learned before is kept.
        """
        from sktpecr._utils._torch_training import Training

        check_item_ids(in_pandas(optional(self, "item_tags"), ids="item"), in_pandas(X, ids="user"))
        X = _check_not_negative(check_interactions(self, X))
        if not np.any(np.diff(X.indptr) % X.shape[1]):
            raise ValueError(
                f"X must have interactions to rank above what is none, and nobody of it has some "
                f"of the items and not others (n_samples = {X.shape[0]}, n_features = "
                f"{X.shape[1]}, {X.nnz} interactions); rows are users, columns are items, and what "
                f"is no interaction is 0, as with X * (X >= 4) for ratings"
            )
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        names = {each.name for each in fields(Training)}.intersection(self.get_params(deep=False))
        params = {name: getattr(self, name) for name in names}
        training = Training(
            **params, seed=int(seed), title=type(self).__name__, schedule=self._schedule
        )
        self.history_ = self._train(X, training)
        self._interactions = sp.csr_matrix(
            (np.ones(X.nnz, dtype=np.int8), X.indices.copy(), X.indptr.copy()), shape=X.shape
        )
        self._fitted = self._recommender(np.float32)
        return self

    def predict(self, X: Any) -> NDArray:
        """Score all items for rows of interactions.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, n_items)
            Interactions; rows are folded in, whether or not they were trained on.

        Returns
        -------
        ndarray of shape (n, n_items)
            Scores, higher is better.
        """
        check_is_fitted(self)
        X = _check_not_negative(check_interactions(self, X, reset=False))
        # In float64, so that a row's scores do not depend on its company.
        recommender = self._recommender(np.float64)
        return recommender.score_items(recommender.fold_in(X))

    def recommend(self, user: int, n: int = 10, exclude_seen: bool = True) -> pd.DataFrame:
        """List the best items for a user.

        Parameters
        ----------
        user : int
            Row number in the interactions of fit.
        n : int, default=10
            Length of the list; it is shorter where there are fewer items.
        exclude_seen : bool, default=True
            Whether the user's own items are left out.

        Returns
        -------
        DataFrame
            Columns item (column number), score, rank.
        """
        embeddings = self.user_embeddings
        row = Ids("user", None, len(embeddings), "user").row(user)
        scores = self.score_items(embeddings[[row]])[0]
        candidates = np.ones(len(scores), dtype=bool)
        if exclude_seen:
            candidates[self._interactions[[row]].indices] = False
        items = top_items(scores, candidates, check_n(n))
        return pd.DataFrame(
            {"item": items, "score": scores[items], "rank": np.arange(1, len(items) + 1)}
        )

    def fold_in(self, X: Any) -> NDArray:
        """Embed rows of interactions, trained on or not.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n, n_items)
            Interactions. All that are not zero count the same.

        Returns
        -------
        ndarray of shape (n, n_factors)
            User embeddings; the mean of the known users for an empty row.
        """
        recommender = self._read()
        if is_frame(X):
            X = check_interactions(self, X, reset=False)
        return recommender.fold_in(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        return tags


class TrainedFactors(TrainedRecommender):
    """Base of those whose score is a dot product, trained by BPR."""

    feedback_loss = "bpr"
    _schedule = "one-cycle"

    @property
    def item_embeddings(self) -> NDArray:
        """Embeddings of the items, shape (n_items, n_factors)."""
        return self._read().item_embeddings

    def _train_factors(
        self, X: sp.csr_matrix, training: Training, **of_tags: Any
    ) -> tuple[NDArray, list[dict[str, float]]]:
        """Keep users and items; return the embeddings of the tags, and the history."""
        # `of_tags` are the parameters of ``train_ranking`` that concern tags.
        from sktpecr.recommenders.trained._modules import Factors
        from sktpecr.recommenders.trained._rank_training import train_ranking

        module, history = train_ranking(
            Factors,
            {"n_factors": self.n_factors},
            X,
            training,
            loss=self.feedback_loss,
            regularization=self.regularization,
            **of_tags,
        )
        users, columns = (table.weight.detach().numpy() for table in (module.users, module.columns))
        self._items = kept(columns[: X.shape[1]])
        self._fold_in = LearnedFoldIn.learn(X, users, self._items)
        # Of a few interactions a user's own vector learns as much noise as taste. What training
        # made of users with such rows is steadier, makes better lists, and is the same for rows
        # that are new.
        self._users = kept(self._fold_in(X).astype(np.float32))
        return columns[X.shape[1] :].copy(), history

    def _train(self, X: sp.csr_matrix, training: Training) -> list[dict[str, float]]:
        return self._train_factors(X, training)[1]

    def _recommender(self, dtype: Any) -> FactorRecommender:
        return FactorRecommender(
            self._users.astype(dtype, copy=False),
            self._items.astype(dtype, copy=False),
            fold_in=self._fold_in,
        )


def _check_not_negative(X: sp.csr_matrix) -> sp.csr_matrix:
    negative = X.data < 0
    if negative.any():
        rows, columns = X.nonzero()
        raise ValueError(
            f"Negative values in data: X must hold weights of interactions >= 0, got "
            f"{negative.sum()} below, the first in row {rows[negative][0]}, column "
            f"{columns[negative][0]}; set what is no interaction to 0, as with X.clip(min=0)"
        )
    return X
