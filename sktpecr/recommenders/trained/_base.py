"""What the recommenders that are trained here have in common."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from sktpecr._inputs._numbers import check_n
from sktpecr._inputs._tables import check_interactions
from sktpecr._utils._atomic_fit import whole_fit
from sktpecr._utils._ranking import top_items
from sktpecr.recommenders._factor_recommender import FactorRecommender
from sktpecr.recommenders._fold_in import LearnedFoldIn

if TYPE_CHECKING:
    from sktpecr._utils._torch_training import Training


# A subclass has the training parameters as constructor parameters, names its `feedback_loss`, and
# writes ``_train(X, training) -> history``, which keeps arrays or modules on the CPU, and
# ``_recommender(dtype)``, which makes the recommender of them.
class TrainedRecommender(BaseEstimator):
    """Base of recommenders that are trained on interactions and are explained as they are."""

    _parameter_constraints: dict = {
        "n_factors": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "regularization": [Interval(Real, 0, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "device": [str],
        "random_state": ["random_state"],
    }

    _schedule = "constant"

    @_fit_context(prefer_skip_nested_validation=True)
    @whole_fit
    def fit(self, X: Any, y: Any = None) -> TrainedRecommender:
        """Train on interactions."""
        # `X` (n_users, n_items).
        from sktpecr._utils._torch_training import Training

        self._check_item_ids(X)
        X = _check_not_negative(check_interactions(self, X))
        if not X.nnz:
            raise ValueError(
                f"X must have interactions, got {X.shape[0]} rows without any; rows are users, "
                f"columns are items, what is not zero is an interaction"
            )
        n_own = np.diff(X.indptr)
        if not ((n_own > 0) & (n_own < X.shape[1])).any():
            raise ValueError(
                f"nobody of X has some of the items and not others (n_samples = {X.shape[0]}, "
                f"n_features = {X.shape[1]}), so there is nothing to rank above anything; set what "
                f"is no interaction to 0, as with X * (X >= 4) for ratings"
            )
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        training = Training(
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            max_epochs=self.max_epochs,
            patience=self.patience,
            validation_fraction=self.validation_fraction,
            device=self.device,
            seed=int(seed),
            title=type(self).__name__,
            schedule=self._schedule,
        )
        self.history_ = self._train(X, training)
        self._interactions = sp.csr_matrix(
            (np.ones(X.nnz, dtype=np.int8), X.indices.copy(), X.indptr.copy()), shape=X.shape
        )
        self._fitted = self._recommender(np.float32)
        return self

    def predict(self, X: Any) -> NDArray:
        """Score all items for rows of interactions."""
        # `X` (n, n_items); returns (n, n_items).
        check_is_fitted(self)
        X = _check_not_negative(check_interactions(self, X, reset=False))
        # In float64, so that a row's scores do not depend on its company.
        recommender = self._recommender(np.float64)
        return recommender.score_items(recommender.fold_in(X))

    def recommend(self, user: int, n: int = 10, exclude_seen: bool = True) -> pd.DataFrame:
        """List the best items for a user."""
        embeddings = self.user_embeddings
        n = check_n(n)
        if not isinstance(user, Integral) or not 0 <= user < len(embeddings):
            raise ValueError(
                f"user must be a row number of the interactions of fit, from 0 to "
                f"{len(embeddings) - 1}, got {user!r}; rows that are new go to predict"
            )
        scores = self.score_items(embeddings[[user]])[0]
        candidates = np.ones(len(scores), dtype=bool)
        if exclude_seen:
            candidates[self._interactions[[user]].indices] = False
        items = top_items(scores, candidates, n)
        return pd.DataFrame(
            {"item": items, "score": scores[items], "rank": np.arange(1, len(items) + 1)}
        )

    @property
    def user_embeddings(self) -> NDArray:
        """Embeddings of the users of fit, shape (n_users, n_factors)."""
        return self._read().user_embeddings

    def score_items(self, embeddings: ArrayLike, items: ArrayLike | None = None) -> NDArray:
        """Score items for users given by their embeddings."""
        # `embeddings` (n, n_factors); returns (n, n_items).
        return self._read().score_items(embeddings, items)

    def fold_in(self, X: Any) -> NDArray:
        """Embed rows of interactions, trained on or not."""
        # `X` (n, n_items); returns (n, n_factors).
        return self._read().fold_in(X)

    def _read(self) -> Any:
        # As an AttributeError it makes hasattr say that an unfitted one is no recommender yet.
        check_is_fitted(self, msg="this %(name)s is not fitted; call its fit(interactions) first")
        return self._fitted

    def _check_item_ids(self, X: Any) -> None:
        pass

    def _train(self, X: sp.csr_matrix, training: Training) -> list[dict[str, float]]:
        raise NotImplementedError

    def _recommender(self, dtype: Any) -> Any:
        raise NotImplementedError

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_fitted")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
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
        self._items = columns[: X.shape[1]].copy()
        self._embed = LearnedFoldIn.learn(X, users, self._items)
        # Of a few interactions a user's own vector learns as much noise as taste. What training
        # made of users with such rows is steadier, makes better lists, and is the same for rows
        # that are new.
        self._users = self._embed.embed(X).astype(np.float32)
        return columns[X.shape[1] :].copy(), history

    def _recommender(self, dtype: Any) -> FactorRecommender:
        return FactorRecommender(
            self._users.astype(dtype, copy=False),
            self._items.astype(dtype, copy=False),
            fold_in=self._embed.embed,
        )


def _check_not_negative(X: sp.csr_matrix) -> sp.csr_matrix:
    negative = X.data < 0
    if negative.any():
        first = int(np.flatnonzero(negative)[0])
        row = int(np.searchsorted(X.indptr, first, side="right")) - 1
        raise ValueError(
            f"Negative values in data: X must hold weights of interactions >= 0, got "
            f"{int(negative.sum())} below, the first in row {row}, column {X.indices[first]}; set "
            f"what is no interaction to 0, as with X.clip(min=0)"
        )
    return X
