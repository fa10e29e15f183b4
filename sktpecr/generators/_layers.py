"""Dense networks as plain arrays: forward, backward, scaling. Needs no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Of LeakyReLU, as in the authors' networks.
SLOPE = 0.01

# One (weights, bias) a layer; weights of shape (n_in, n_out).
Layers = list[tuple[NDArray, NDArray]]


def forward(layers: Layers, X: NDArray) -> tuple[NDArray, list[NDArray]]:
    """Run a network; return its output and its activated hidden layers."""
    hidden: list[NDArray] = []
    for weights, bias in layers[:-1]:
        X = X @ weights + bias
        X = np.maximum(X, SLOPE * X)
        hidden.append(X)
    weights, bias = layers[-1]
    return X @ weights + bias, hidden


def backward(layers: Layers, hidden: list[NDArray], gradient: NDArray) -> NDArray:
    """Return the gradient at the input, given the gradient at the output."""
    for (weights, _), activated in zip(layers[:0:-1], hidden[::-1], strict=True):
        gradient = (gradient @ weights.T) * np.where(activated > 0, 1.0, SLOPE)
    return gradient @ layers[0][0].T


def with_scaled_input(layers: Layers, mean: NDArray, scale: NDArray) -> Layers:
    """Return the network of raw inputs, for one of inputs minus mean, divided by scale."""
    weights, bias = layers[0]
    weights = weights / scale[:, np.newaxis]
    return [(weights, bias - mean @ weights), *layers[1:]]


def with_scaled_output(layers: Layers, mean: NDArray, scale: float) -> Layers:
    """Return the network with its output times scale, plus mean."""
    weights, bias = layers[-1]
    return [*layers[:-1], (weights * scale, bias * scale + mean)]
