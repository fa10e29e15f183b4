"""Dense networks as plain arrays: forward, backward, scaling. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

# Of LeakyReLU, as in the authors' networks.
SLOPE = 0.01

# One (weights, bias) a layer; weights of shape (n_in, n_out).
Layers = list[tuple[NDArray, NDArray]]


def leaky_relu(X: NDArray) -> NDArray:
    """Return LeakyReLU of the values, in their place."""
    return np.maximum(X, X.dtype.type(SLOPE) * X, out=X)


def forward(
    layers: Layers, X: NDArray, activate: Callable[[NDArray], NDArray] = leaky_relu
) -> tuple[NDArray, list[NDArray]]:
    """Run a network, in the precision of X; return its output and its activated hidden layers."""
    hidden: list[NDArray] = []
    for number, (weights, bias) in enumerate(layers, start=1):
        X = X @ weights.astype(X.dtype, copy=False)
        X += bias.astype(X.dtype, copy=False)
        if number < len(layers):
            X = activate(X)
            hidden.append(X)
    return X, hidden


def backward(layers: Layers, hidden: list[NDArray], gradient: NDArray) -> NDArray:
    """Return the gradient at the input of a LeakyReLU network, given that at the output."""
    for (weights, _), activated in zip(layers[:0:-1], hidden[::-1], strict=True):
        gradient = (gradient @ weights.T) * np.where(activated > 0, 1.0, SLOPE)
    return gradient @ layers[0][0].T


def tanh_jacobian(layers: Layers, hidden: list[NDArray]) -> NDArray:
    """Return the derivatives of all outputs of a tanh network by all inputs, (n, n_out, n_in)."""
    result = np.ascontiguousarray(layers[-1][0].T)[np.newaxis]
    for (weights, _), activated in zip(layers[-2::-1], hidden[::-1], strict=True):
        result = result * (1.0 - np.square(activated))[:, np.newaxis]
        shape = *result.shape[:2], len(weights)
        # One product in place of one for each row.
        result = (result.reshape(-1, result.shape[2]) @ weights.T).reshape(shape)
    return result


def tanh_hessian(layers: Layers, hidden: list[NDArray], weights: NDArray) -> NDArray:
    """Return the second derivatives of weighted outputs of a tanh network, (n, n_in, n_in)."""
    gradient, gradients = weights @ layers[-1][0].T, []
    for (matrix, _), activated in zip(layers[-2::-1], hidden[::-1], strict=True):
        gradients.append(gradient)
        gradient = (gradient * (1.0 - np.square(activated))) @ matrix.T
    # Each layer bends along what reaches it, as much as what follows it is moved by that.
    reaching, result = layers[0][0].T[np.newaxis], np.zeros(())
    for (matrix, _), activated, after in zip(layers[1:], hidden, gradients[::-1], strict=True):
        slope = 1.0 - np.square(activated)
        bend = (-2.0 * activated * slope * after)[:, :, np.newaxis]
        result = result + reaching.transpose(0, 2, 1) @ (bend * reaching)
        reaching = matrix.T @ (slope[:, :, np.newaxis] * reaching)
    return result


def with_scaled_input(layers: Layers, mean: NDArray, scale: NDArray) -> Layers:
    """Return the network of raw inputs, for one of inputs minus mean, divided by scale."""
    weights, bias = layers[0]
    weights = weights / scale[:, np.newaxis]
    return [(weights, bias - mean @ weights), *layers[1:]]


def with_scaled_output(layers: Layers, mean: NDArray, scale: float) -> Layers:
    """Return the network with its output times scale, plus mean."""
    weights, bias = layers[-1]
    return [*layers[:-1], (weights * scale, bias * scale + mean)]
