"""A conditional autoencoder at tag preferences that are one user's plus moves shared by all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sktpecr.generators._layers import Layers, leaky_relu

# Rows whose hidden layers stay in the cache.
_ROWS = 512


# There is no activation between the latent mean and the decoder, so that their product is one
# layer; what tags do to the first layers of both halves is the same for every user's moves; and
# the last layer is one with the items.
class SharedMoves:
    """Score items at a user's tag preferences plus each of some moves."""

    def __init__(self, encoder: Layers, decoder: Layers, moves: NDArray) -> None:
        (first, first_bias), *middle, (head, head_bias) = encoder
        (after, after_bias), *late, last = decoder
        n_tags, dtype = moves.shape[1], moves.dtype

        def cast(values: NDArray) -> NDArray:
            return np.ascontiguousarray(values, dtype=dtype)

        of_user, of_tags = np.split(first, [len(first) - n_tags])
        of_latent, tags_again = np.split(after, [len(after) - n_tags])
        self._dtype = dtype
        self._first = np.vstack([of_user, of_tags, first_bias])
        self._joint = np.vstack([tags_again, head_bias @ of_latent + after_bias])
        self._at_encoder, self._at_decoder = cast(moves @ of_tags), cast(moves @ tags_again)
        joined = cast(head @ of_latent), None
        layers = [(cast(W), cast(b)) for W, b in middle], [(cast(W), cast(b)) for W, b in late]
        self._hidden = [*layers[0], joined, *layers[1]]
        self._last = last

    def scores(
        self, centre: NDArray, embedding: NDArray, items: NDArray, biases: NDArray
    ) -> NDArray:
        """Return dot products with items, plus biases, shape (n_moves, n_items)."""
        dtype = self._dtype
        first = (np.concatenate([embedding, centre, [1.0]]) @ self._first).astype(dtype)
        joint = (np.append(centre, 1.0) @ self._joint).astype(dtype)
        (weights, bias), items = self._last, np.asarray(items, dtype=np.float64)
        last = np.ascontiguousarray(weights @ items.T, dtype=dtype)
        scores = np.empty((len(self._at_encoder), len(items)), dtype=dtype)
        for start in range(0, len(scores), _ROWS):
            rows = slice(start, start + _ROWS)
            hidden = leaky_relu(self._at_encoder[rows] + first)
            for matrix, offset in self._hidden:
                hidden = hidden @ matrix
                if offset is None:
                    hidden += self._at_decoder[rows]
                    hidden += joint
                else:
                    hidden += offset
                leaky_relu(hidden)
            np.matmul(hidden, last, out=scores[rows])
        scores += (items @ bias + biases).astype(dtype)
        return scores
