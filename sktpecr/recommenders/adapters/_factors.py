"""Recommenders made of two matrices of factors, as `implicit` keeps them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import NotFittedError

from sktpecr._utils._blocks import blocks
from sktpecr.recommenders._factor_recommender import FactorRecommender, check_factors, kept
from sktpecr.recommenders._fold_in import ConfidenceFoldIn, RidgeFoldIn


def from_arrays(
    user_factors: ArrayLike, item_factors: ArrayLike, item_biases: ArrayLike | None = None
) -> FactorRecommender:
    """Read two matrices, and perhaps item biases."""
    plain = FactorRecommender(user_factors, item_factors, item_biases)
    users, items, biases = _split_constants(plain.user_embeddings, plain.item_embeddings)
    return FactorRecommender(users, items, plain.item_biases + biases)


def from_factor_model(model: Any) -> FactorRecommender:
    """Read a model of implicit, or whatever keeps its factors in the same two places."""
    name = type(model).__name__
    if model.user_factors is None or model.item_factors is None:
        raise NotFittedError(f"this {name} is not fitted; call its fit(interactions) first")
    if hasattr(model, "to_cpu") and hasattr(model.user_factors, "to_numpy"):
        # What is kept, pickled or saved must load on a machine without a GPU.
        model = model.to_cpu()
    all_users = check_factors(model.user_factors, f"{name}.user_factors", ndim=2)
    all_items = check_factors(model.item_factors, f"{name}.item_factors", ndim=2)
    users, items, biases = _split_constants(all_users, all_items)
    # These models train in place, and what was explained must not change under an explainer that
    # was fitted on it.
    users, items = kept(users), kept(items)
    fold_in: Any
    if hasattr(model, "YtY") and hasattr(model, "recalculate_user"):
        fold_in = ConfidenceFoldIn(items, float(model.regularization), float(model.alpha))
    else:
        fold_in = ranked_fold_in(users, items)  # trained on ranks or on logits
    return FactorRecommender(users, items, biases, fold_in=fold_in)


def ranked_fold_in(users: NDArray, items: NDArray) -> RidgeFoldIn:
    """Return how to embed rows for a model that was trained on ranks."""
    # Measured on MovieLens-1M with implicit's BPR: with a heavy penalty and the known users'
    # length, 6 of 10 items agree with the model's own list, with a light penalty and no length
    # less than 1.
    rms = float(np.sqrt(np.mean(np.sum(np.square(users, dtype=np.float64), axis=1))))
    return RidgeFoldIn(items, alpha=10.0, length=rms)


def with_user_biases(
    users: ArrayLike, items: ArrayLike, biases: ArrayLike | None
) -> tuple[NDArray, NDArray]:
    """Copy factors, and add what users add to all items as one more, whose item side is 1."""
    users, items = np.asarray(users), np.asarray(items)
    if biases is None or not np.any(biases):
        return kept(users), kept(items)
    ones = np.ones(len(items), dtype=items.dtype)
    users = np.column_stack([users, np.asarray(biases)])
    return kept(users), kept(np.column_stack([items, ones]))


def _split_constants(users: NDArray, items: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Move user columns that are 1 for everyone into item biases."""
    constant = np.full(users.shape[1], len(users) > 0)
    for block in blocks(users):
        constant &= (block == 1).all(axis=0)
    if constant.all():  # nothing would be left to explain by
        constant[:] = False
    biases = items[:, constant].sum(axis=1)
    if not constant.any():
        return users, items, biases
    return users[:, ~constant], items[:, ~constant], biases
