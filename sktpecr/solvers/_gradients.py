"""Gradients through a recommender and a generator: closed form, autograd, finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sktpecr._utils._differences import differences
from sktpecr.generators._network_generator import LearnedGenerator
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


def generated_and_pullback(
    generator: Any, preferences: NDArray, embedding: NDArray
) -> tuple[NDArray, Callable[[NDArray], NDArray]]:
    """Return the generated embedding, and the function that carries gradients there to the tags."""
    # `preferences` (n_tags,); `embedding` (n_factors,).
    if isinstance(generator, LearnedGenerator):
        # What the layers held on the way there is what the way back needs.
        rows, back = generator._forward(preferences[np.newaxis], embedding[np.newaxis])
        return rows[0], lambda gradient: back(gradient[np.newaxis])[0]

    def generated(rows: NDArray) -> NDArray:
        return np.asarray(generator.generate(rows, np.tile(embedding, (len(rows), 1))))

    def pullback(gradient: NDArray) -> NDArray:
        if hasattr(generator, "gradient"):
            at = preferences[np.newaxis], embedding[np.newaxis]
            return generator.gradient(*at, gradient[np.newaxis])[0]
        return differences(lambda rows: generated(rows) @ gradient, preferences, found.dtype)

    found = generated(preferences[np.newaxis])[0]
    return found, pullback


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
