"""Gradients through a recommender and a generator: closed form, autograd, finite differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def scores_and_pullback(
    recommender: Any, embedding: NDArray, items: NDArray
) -> tuple[NDArray, Callable[[NDArray], NDArray]]:
    """Return scores of items, and the function from weights on them to a gradient.

    Parameters
    ----------
    recommender : object
        A dot product (``item_embeddings``), differentiable (``score_items_torch``), or neither.
    embedding : ndarray of shape (n_factors,)
        A user's embedding.
    items : ndarray of int, shape (n,)
        Columns, repeated or not.

    Returns
    -------
    scores : ndarray of shape (n,)
        Their scores.
    pullback : callable
        Weights of shape (n,) to the gradient of the weighted sum of scores at the embedding.
    """
    if hasattr(recommender, "item_embeddings"):
        factors = np.asarray(recommender.item_embeddings)[items].astype(np.float64)
        scores = np.asarray(recommender.score_items(embedding[np.newaxis], items))[0]
        return scores.astype(np.float64), lambda weights: weights @ factors
    if hasattr(recommender, "score_items_torch"):
        return _with_autograd(recommender, embedding, items)

    def scored(rows: NDArray) -> NDArray:
        return np.asarray(recommender.score_items(rows, items))

    scores = scored(embedding[np.newaxis])[0]
    return (
        scores.astype(np.float64),
        lambda weights: _differences(lambda rows: scored(rows) @ weights, embedding, scores.dtype),
    )


def item_gradients(recommender: Any, embedding: NDArray) -> NDArray:
    """Return what one more of each factor adds to the score of each item, at an embedding.

    Parameters
    ----------
    recommender : object
        A dot product (``item_embeddings``), one that knows (``item_gradients``), or neither.
    embedding : ndarray of shape (n_factors,)
        A user's embedding.

    Returns
    -------
    ndarray of shape (n_items, n_factors)
        Gradients.
    """
    if hasattr(recommender, "item_embeddings"):
        return np.asarray(recommender.item_embeddings)
    if hasattr(recommender, "item_gradients"):
        return np.asarray(recommender.item_gradients(embedding))
    dtype = np.asarray(recommender.score_items(embedding[np.newaxis])).dtype
    return _differences(lambda rows: np.asarray(recommender.score_items(rows)), embedding, dtype).T


def tag_gradients(extractor: Any, embedding: NDArray, items: NDArray) -> NDArray:
    """Return what one more of each factor adds to each tag preference, at an embedding.

    Parameters
    ----------
    extractor : TagPreferenceExtractor
        Fitted.
    embedding : ndarray of shape (n_factors,)
        A user's embedding.
    items : ndarray of shape (n_items, n_factors)
        Gradients of the items' scores there.

    Returns
    -------
    ndarray of shape (n_tags, n_factors)
        Gradients.
    """
    if extractor.tag_matrix_ is not None:
        return np.asarray(extractor.tag_matrix_)
    if extractor._aggregates_linearly:
        return extractor._aggregate(items.T.astype(np.float64)).T
    dtype = extractor.tag_preferences(embedding[np.newaxis]).dtype
    return _differences(extractor.tag_preferences, embedding, dtype).T


def generator_gradient(
    generator: Any, preferences: NDArray, embedding: NDArray, output_gradient: NDArray
) -> NDArray:
    """Return the gradient at the tag preferences of a function of the generated embedding.

    Parameters
    ----------
    generator : object
        With a method ``gradient``, or not.
    preferences : ndarray of shape (n_tags,)
        Tag preferences asked for.
    embedding : ndarray of shape (n_factors,)
        The user's own embedding.
    output_gradient : ndarray of shape (n_factors,)
        Gradient of the function at the generated embedding.

    Returns
    -------
    ndarray of shape (n_tags,)
        Gradient.
    """
    if hasattr(generator, "gradient"):
        return generator.gradient(
            preferences[np.newaxis], embedding[np.newaxis], output_gradient[np.newaxis]
        )[0]

    def generated(rows: NDArray) -> NDArray:
        return np.asarray(generator.generate(rows, np.tile(embedding, (len(rows), 1))))

    dtype = generated(preferences[np.newaxis]).dtype
    return _differences(lambda rows: generated(rows) @ output_gradient, preferences, dtype)


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


def _differences(function: Callable[[NDArray], NDArray], at: NDArray, dtype: Any) -> NDArray:
    """Return the gradient of a function of rows by central differences, all in one call.

    Parameters
    ----------
    function : callable
        From rows (n, n_inputs) to values (n,) or (n, n_outputs).
    at : ndarray of shape (n_inputs,)
        Where the gradient is asked for.
    dtype : dtype
        The precision in which the values are computed: the step must drown its rounding.

    Returns
    -------
    ndarray of shape (n_inputs,) or (n_inputs, n_outputs)
        Gradient.
    """
    # Of a size with all inputs: one that is near 0 by chance says nothing of their scale.
    scale = np.sqrt(np.mean(np.square(at))) or 1.0
    precision = np.finfo(np.result_type(dtype, np.float32)).eps
    steps = np.cbrt(precision) * np.maximum(scale, np.abs(at))
    values = function(np.vstack([at + np.diag(steps), at - np.diag(steps)])).astype(np.float64)
    ahead, behind = np.split(values, 2)
    return ((ahead - behind).T / (2 * steps)).T
