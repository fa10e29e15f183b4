"""Black boxes that answer with scores alone: of whole rows, or of pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils import gen_batches

# The first that a model has is its score: logits are nearer to a dot product than probabilities.
_METHODS = ("decision_function", "predict_proba", "predict")


def has_scores(model: Any) -> bool:
    """Tell whether a model has a method that a score can come from."""
    return any(hasattr(model, method) for method in _METHODS)


def scores_rows(model: Any) -> bool:
    """Tell whether a model is an estimator that has scores and nothing else to go by."""
    better = ("transform", "score_items", "user_factors", "user_embeddings")
    return (
        isinstance(model, BaseEstimator)
        and has_scores(model)
        and not any(hasattr(model, name) for name in better)
    )


def score_of(model: Any, X: Any) -> NDArray:
    """Return what a model scores X, where it has several columns one of each."""
    # `X` (n, n_features).
    method = next(method for method in _METHODS if hasattr(model, method))
    scores = getattr(model, method)(X)
    if isinstance(scores, list):  # one pair of probabilities per item
        return np.column_stack([np.asarray(of_item)[:, -1] for of_item in scores])
    return np.asarray(scores)


class RowBox:
    """A model that is asked a row of interactions and scores every item."""

    def __init__(self, model: Any, X: sp.csr_matrix, batch_size: int) -> None:
        self.model = model
        self.X = X
        self.batch_size = batch_size
        self.n_asked = 0
        self.on_answer: Callable[[int], Any] = _ignore

    def pairs(self, users: NDArray, items: NDArray) -> NDArray:
        """Score for user i the items of row i, shape (n, n_own); all items have to be asked."""
        return np.take_along_axis(self.scores(self.X[users]), items, axis=1)

    def scores(self, X: sp.csr_matrix) -> NDArray:
        """Score all items for rows of interactions, shape (n, n_items)."""
        n_items = X.shape[1]
        found = []
        for batch in gen_batches(X.shape[0], max(1, self.batch_size // n_items)):
            found.append(self._ask(X[batch]))
            self.n_asked += found[-1].size
            self.on_answer(found[-1].size)
        return np.vstack(found) if found else np.empty((0, n_items))

    def _ask(self, X: sp.csr_matrix) -> NDArray:
        try:
            scores = score_of(self.model, X)
        except (TypeError, ValueError):  # how those that take dense arrays only say so
            scores = score_of(self.model, X.toarray())
        what = f"{type(self.model).__name__} must score every item of a row of interactions"
        way_out = (
            "where it is asked pairs, give DistilledRecommender a function predict(users, items), "
            "or user_features and item_features"
        )
        return _checked(scores, X.shape, what, way_out)


class PairBox:
    """A function that is asked pairs of users and items."""

    def __init__(
        self, predict: Callable[[NDArray, NDArray], ArrayLike], n_items: int, batch_size: int
    ) -> None:
        self.predict = predict
        self.n_items = n_items
        self.batch_size = batch_size
        self.n_asked = 0
        self.on_answer: Callable[[int], Any] = _ignore

    def pairs(self, users: NDArray, items: NDArray) -> NDArray:
        """Score for user i the items of row i, shape (n, n_own)."""
        every_user, every_item = np.repeat(users, items.shape[1]), items.ravel()
        found = []
        for batch in gen_batches(len(every_user), self.batch_size):
            # Copies: the function is not ours, and may write.
            some = every_user[batch].copy(), every_item[batch].copy()
            found.append(
                _checked(
                    np.asarray(self.predict(*some)),
                    some[0].shape,
                    "predict must return one number per pair of the two arrays it is given",
                    "predict(users, items) gets row and column numbers of equal length",
                )
            )
            self.n_asked += len(some[0])
            self.on_answer(len(some[0]))
        return np.concatenate(found).reshape(items.shape) if found else np.empty(items.shape)


class FeaturePairs:
    """Pairs of users and items, as a model of (user, item) features is asked them."""

    def __init__(self, model: Any, user_features: NDArray, item_features: NDArray) -> None:
        self.model = model
        self.user_features = user_features
        self.item_features = item_features

    def __call__(self, users: NDArray, items: NDArray) -> NDArray:
        scores = score_of(
            self.model, np.hstack([self.user_features[users], self.item_features[items]])
        )
        # Of a classifier's classes the last is the one that is liked.
        return scores if scores.ndim == 1 else scores[:, -1]


def fitted_on_rows(model: Any, X: sp.csr_matrix) -> Any:
    """Return a clone of a model, fitted to give back the rows of X."""
    rows = X.toarray()  # as targets: few take sparse ones, and some only seem to
    try:
        return clone(model).fit(X, rows)
    except (TypeError, ValueError):
        return clone(model).fit(rows, rows)


def _ignore(n: int) -> None:
    """Take no notice of n answers."""


def _checked(scores: NDArray, shape: tuple[int, ...], what: str, way_out: str) -> NDArray:
    if scores.shape == (*shape, 1) or (scores.ndim == 1 and shape == (len(scores), 1)):
        scores = scores.reshape(shape)
    if scores.shape != shape or scores.dtype.kind not in "biuf":
        raise ValueError(
            f"{what}, shape {shape}, got shape {scores.shape}, dtype {scores.dtype}; {way_out}"
        )
    bad = ~np.isfinite(scores)
    if bad.any():
        raise ValueError(
            f"the box scored {int(bad.sum())} of {scores.size} pairs NaN or infinite; give them a "
            f"finite score, such as numpy.nan_to_num(scores) does"
        )
    return scores if scores.dtype in (np.float32, np.float64) else scores.astype(np.float64)
