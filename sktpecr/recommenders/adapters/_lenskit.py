"""Recommenders made of what LensKit trains by alternating least squares."""

from __future__ import annotations

import contextlib
import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError

from sktpecr.recommenders._adapter_error import AdapterError
from sktpecr.recommenders._factor_recommender import FactorRecommender
from sktpecr.recommenders.adapters._factors import with_user_biases


def from_lenskit_pipeline(pipeline: Any) -> FactorRecommender:
    """Read the scorer of a pipeline of LensKit."""
    component = None
    with contextlib.suppress(KeyError):
        component = getattr(pipeline.node("scorer"), "component", None)
    if not hasattr(component, "new_user_embedding"):
        raise AdapterError(
            f"{type(pipeline).__name__} of LensKit has no node 'scorer' with user_embeddings and "
            f"item_embeddings, as ImplicitMFScorer and BiasedMFScorer have; got "
            f"{type(component).__name__} there"
        )
    return from_lenskit(component)


def from_lenskit(model: Any) -> FactorRecommender:
    """Read ImplicitMFScorer or BiasedMFScorer: p_u q_v, and biases where there are any."""
    items = getattr(model, "item_embeddings", None)
    if items is None:
        raise NotFittedError(
            f"this {type(model).__name__} is not fitted; call its train(data), or that of its "
            f"pipeline, first"
        )
    users = model.user_embeddings
    if users is None:  # it was told to keep none: everybody is folded in
        users = np.empty((0, items.shape[1]), dtype=items.dtype)
    bias = getattr(model, "bias", None)
    user_biases, item_biases = None, np.zeros(len(items), dtype=items.dtype)
    if bias is not None:
        item_biases += bias.global_bias
        if bias.item_biases is not None:
            item_biases += bias.item_biases
        if bias.user_biases is not None:
            user_biases = bias.user_biases[: len(users)]
    users, items = with_user_biases(users, items, user_biases)
    return FactorRecommender(
        users,
        items,
        item_biases,
        fold_in=_LensKitFoldIn(model, items.shape[1]),
        user_ids=model.users.ids() if len(users) else None,
        item_ids=model.items.ids(),
    )


class _LensKitFoldIn:
    """Embed rows as LensKit does for a user with a history, without keeping its users."""

    def __init__(self, model: Any, n_factors: int) -> None:
        self.model = copy.copy(model)
        self.model.user_embeddings = None
        self.n_factors = n_factors

    def __call__(self, X: sp.csr_matrix) -> NDArray:
        embeddings = np.zeros((X.shape[0], self.n_factors), dtype=np.float32)
        for row in np.flatnonzero(np.diff(X.indptr)):
            part = slice(X.indptr[row], X.indptr[row + 1])
            rated = _Rated(X.indices[part], X.data[part].astype(np.float32))
            factors, bias = self.model.new_user_embedding(None, rated)
            embeddings[row, : len(factors)] = factors
            if len(factors) < self.n_factors:
                embeddings[row, -1] = bias
        return embeddings


@dataclass
class _Rated:
    """What LensKit asks of a list of items: their numbers and their ratings."""

    columns: NDArray
    ratings: NDArray

    def __len__(self) -> int:
        return len(self.columns)

    def numbers(self, vocabulary: Any = None, missing: str = "error") -> NDArray:
        """Return the items by number, in the order of the vocabulary that X has, too."""
        return self.columns

    def field(self, name: str) -> NDArray | None:
        """Return the ratings, which is all there is."""
        return self.ratings if name == "rating" else None
