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
        scores, biases = factors @ embedding, optional(recommender, "item_biases")
        scores = scores if biases is None else scores + np.asarray(biases)[items]
        return scores, lambda weights: weights @ factors
    if optional(recommender, "score_items_torch"):
        return _with_autograd(recommender, embedding, items)

    def scored(rows: NDArray) -> NDArray:
        return np.asarray(recommender.score_items(rows, items))

    scores = scored(embedding[np.newaxis])[0]
    return (
        scores.astype(np.float64),
        lambda weights: differences(lambda rows: scored(rows) @ weights, embedding, scores.dtype),
    )


def margins_and_pullback(
    recommender: Any, embedding: NDArray, pairs: NDArray
) -> tuple[NDArray, Callable[[NDArray], NDArray]]:
    """Return how far the first of each pair of items is ahead of the second, and the pullback."""
    # `embedding` (n_factors,), `pairs` (n, 2); returns (n,).
    if not is_dot_product(recommender):
        scores, pullback = scores_and_pullback(recommender, embedding, pairs.T.ravel())
        better, worse = scores.reshape(2, -1)
        return better - worse, lambda weights: pullback(np.concatenate([weights, -weights]))
    factors, biases = np.asarray(recommender.item_embeddings), optional(recommender, "item_biases")
    better, worse = pairs.T
    apart = factors[better].astype(np.float64)
    apart -= factors[worse]
    margins = apart @ embedding
    if biases is not None:
        margins += np.asarray(biases)[better].astype(np.float64) - np.asarray(biases)[worse]
    return margins, lambda weights: weights @ apart


def generation_at(
    generator: Any, embedding: NDArray
) -> Callable[[NDArray], tuple[NDArray, Callable[[NDArray], NDArray]]]:
    """Return the function from a user's tag preferences to the embedding and its pullback."""
    # `embedding` (n_factors,), `preferences` (n_tags,); a pullback carries gradients at what is
    # generated to the tags.
    if isinstance(generator, LearnedGenerator):
        return generator._at(embedding)

    def generated(rows: NDArray) -> NDArray:
        return np.asarray(generator.generate(rows, np.tile(embedding, (len(rows), 1))))

    def at(preferences: NDArray) -> tuple[NDArray, Callable[[NDArray], NDArray]]:
        def pullback(gradient: NDArray) -> NDArray:
            if hasattr(generator, "gradient"):
                rows = preferences[np.newaxis], embedding[np.newaxis]
                return generator.gradient(*rows, gradient[np.newaxis])[0]
            return differences(lambda rows: generated(rows) @ gradient, preferences, found.dtype)

        found = generated(preferences[np.newaxis])[0]
        return found, pullback

    return at


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
