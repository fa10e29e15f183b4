"""A conditional autoencoder at one user: a function of tag preferences, and the way back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sktpecr.generators._layers import SLOPE, Layers, leaky_relu


# The user's embedding is a constant of the first layer; and as there is no activation between the
# latent mean and the decoder, their product is one layer.
class OneUser:
    """Generate a user's embedding at any tag preferences, and carry gradients there back."""

    def __init__(self, encoder: Layers, decoder: Layers, embedding: NDArray) -> None:
        (first, first_bias), *middle, (head, head_bias) = encoder
        (after, after_bias), *late = decoder
        of_user, of_tags = np.split(first, [len(embedding)])
        of_latent, self._tags_again = np.split(after, [len(head_bias)])
        joint = head @ of_latent, head_bias @ of_latent + after_bias
        self._layers = [(of_tags, embedding @ of_user + first_bias), *middle, joint, *late]
        self._joint = 1 + len(middle)

    def __call__(self, preferences: NDArray) -> tuple[NDArray, Callable[[NDArray], NDArray]]:
        """Return the embedding, and the function that carries gradients there to the tags."""
        # `preferences` (n_tags,).
        value, hidden, n_layers = preferences, [], len(self._layers)
        for number, (weights, bias) in enumerate(self._layers, start=1):
            value = value @ weights
            value += bias
            if number == self._joint + 1:
                value += preferences @ self._tags_again
            if number < n_layers:
                hidden.append(leaky_relu(value))

        def back(gradient: NDArray) -> NDArray:
            again = np.zeros(len(preferences))
            for number in range(n_layers - 1, 0, -1):
                if number == self._joint:
                    again = self._tags_again @ gradient
                gradient = self._layers[number][0] @ gradient
                gradient *= np.where(hidden[number - 1] > 0, 1.0, SLOPE)
            return self._layers[0][0] @ gradient + again

        return value, back
