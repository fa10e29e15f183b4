"""Gradients through a recommender and a generator: closed form, autograd, finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sktpecr._utils._differences import differences
from sktpecr.recommenders._protocol import is_dot_product, optional


def scores_and_pullback(
    recommender: Any, embedding: NDArray, items: NDArray
) -> tuple[NDArray, Callable[[NDArray], NDArray]]:
    """Return scores of items, and the function from weights on them to a gradient."""
    # `embedding` (n_factors,); returns (n,).
    if is_dot_product(recommender):
        factors = np.asarray(recommender.item_embeddings)[items].astype(np.float64)
        scores = np.asarray(recommender.score_items(embedding[np.newaxis], items))[0]
        return scores.astype(np.float64), lambda weights: weights @ factors
    if optional(recommender, "score_items_torch"):
        return _with_autograd(recommender, embedding, items)

    def scored(rows: NDArray) -> NDArray:
        return np.asarray(recommender.score_items(rows, items))

    scores = scored(embedding[np.newaxis])[0]
    return (
        scores.astype(np.float64),
        lambda weights: differences(lambda rows: scored(rows) @ weights, embedding, scores.dtype),
    )


def generator_gradient(
    generator: Any, preferences: NDArray, embedding: NDArray, output_gradient: NDArray
) -> NDArray:
    """Return the gradient at the tag preferences of a function of the generated embedding."""
    # `preferences` (n_tags,); `embedding` (n_factors,); `output_gradient` (n_factors,).
    if hasattr(generator, "gradient"):
        return generator.gradient(
            preferences[np.newaxis], embedding[np.newaxis], output_gradient[np.newaxis]
        )[0]

    def generated(rows: NDArray) -> NDArray:
        return np.asarray(generator.generate(rows, np.tile(embedding, (len(rows), 1))))

    dtype = generated(preferences[np.newaxis]).dtype
    return differences(lambda rows: generated(rows) @ output_gradient, preferences, dtype)


def _with_autograd(
    recommender: Any, embedding: NDArray, items: NDArray
) -> tuple[NDArray, Callable[[NDArray], NDArray]]:
    import torch

    # Serving code may sit in inference mode or without gradients.
    with torch.inference_mode(False), torch.enable_grad():
        row = torch.tensor(embedding[np.newaxis], requires_grad=True)
        scores = recommender.score_items_torch(row, items)[0]

    def pullback(weights: NDArray) -> NDArray:
        with torch.inference_mode(False), torch.enable_grad():
            # On a device without float64 the weights go along in what the scores have.
            weighted = (scores * torch.as_tensor(weights).to(scores)).sum()
            (gradient,) = torch.autograd.grad(weighted, row)
        return gradient[0].double().numpy()

    return scores.detach().double().cpu().numpy(), pullback
