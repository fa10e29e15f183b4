"""Black boxes that answer with scores alone: of whole rows, or of pairs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from inspect import Parameter, signature
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils import gen_batches

# The first that a model has is its score: logits are nearer to a dot product than probabilities.
_METHODS = ("decision_function", "predict_proba", "predict")
_BY_PLACE = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


def has_scores(model: Any) -> bool:
    """Tell whether a model has a method that a score can come from."""
    return any(hasattr(model, method) for method in _METHODS)


def asks_pairs(model: Any) -> bool:
    """Tell whether a model has a ``predict(users, items)``."""
    try:
        parameters = signature(model.predict).parameters.values()
    except (AttributeError, TypeError, ValueError):  # there is none, or none that can be read
        return False
    needed = [each for each in parameters if each.default is Parameter.empty]
    return sum(each.kind in _BY_PLACE for each in needed) > 1


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


def sparse_or_dense(ask: Callable[[Any], Any], X: sp.csr_matrix) -> Any:
    """Return what a function makes of X, as an array where it takes no sparse matrix."""
    try:
        return ask(X)
    except (TypeError, ValueError):  # how those that take dense arrays only say so
        return ask(X.toarray())


class Box:
    """A black box that is asked so much at a time, and whose answers are counted."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.n_asked = 0
        self.on_answer: Callable[[int], Any] = int  # which does nothing

    def _collect(self, n: int, at_a_time: int, ask: Callable[[slice], NDArray]) -> list[NDArray]:
        found = []
        for batch in gen_batches(n, max(1, at_a_time)):
            found.append(ask(batch))
            self.n_asked += found[-1].size
            self.on_answer(found[-1].size)
        return found


class RowBox(Box):
    """A model that is asked a row of interactions and scores every item."""

    def __init__(self, model: Any, X: sp.csr_matrix, batch_size: int) -> None:
        super().__init__(batch_size)
        self.model = model
        self.X = X

    def pairs(self, users: NDArray, items: NDArray) -> NDArray:
        """Score for user i the items of row i, shape (n, n_own); all items have to be asked."""
        return np.take_along_axis(self.scores(self.X[users]), items, axis=1)

    def scores(self, X: sp.csr_matrix) -> NDArray:
        """Score all items for rows of interactions, shape (n, n_items)."""
        at_a_time = self.batch_size // X.shape[1]
        found = self._collect(X.shape[0], at_a_time, lambda batch: self._ask(X[batch]))
        return np.vstack(found) if found else np.empty(X.shape)

    def _ask(self, X: sp.csr_matrix) -> NDArray:
        return _checked(
            sparse_or_dense(partial(score_of, self.model), X),
            X.shape,
            f"{type(self.model).__name__} must score every item of a row of interactions",
            "where it is asked pairs, give DistilledRecommender a function predict(users, items), "
            "or user_features and item_features",
        )


class PairBox(Box):
    """A function that is asked pairs of users and items."""

    def __init__(self, predict: Callable[..., ArrayLike], batch_size: int) -> None:
        super().__init__(batch_size)
        self.predict = predict

    def pairs(self, users: NDArray, items: NDArray) -> NDArray:
        """Score for user i the items of row i, shape (n, n_own)."""
        every_user, every_item = np.repeat(users, items.shape[1]), items.ravel()

        def ask(batch: slice) -> NDArray:
            # Copies: the function is not ours, and may write.
            some = every_user[batch].copy(), every_item[batch].copy()
            try:
                scores = self.predict(*some)
            except Exception as error:
                error.add_note(
                    f"predict(users, items) was given two arrays of {len(some[0])} row and column "
                    f"numbers each; ids and single pairs it has to look up itself"
                )
                raise
            return _checked(
                np.asarray(scores),
                some[0].shape,
                "predict must return one number per pair of the two arrays it is given",
                "predict(users, items) gets row and column numbers of equal length",
            )

        found = self._collect(items.size, self.batch_size, ask)
        return np.concatenate(found).reshape(items.shape) if found else np.empty(items.shape)


def score_by_features(
    model: Any, user_features: NDArray, item_features: NDArray, users: NDArray, items: NDArray
) -> NDArray:
    """Return what a model of (user, item) features scores pairs of users and items."""
    scores = score_of(model, np.hstack([user_features[users], item_features[items]]))
    # Of a classifier's classes the last is the one that is liked.
    return scores if scores.ndim == 1 else scores[:, -1]


def fitted_on_rows(model: Any, X: sp.csr_matrix) -> Any:
    """Return a clone of a model, fitted to give back the rows of X."""
    rows = X.toarray()  # as targets: few take sparse ones, and some only seem to
    return sparse_or_dense(lambda X: clone(model).fit(X, rows), X)


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
