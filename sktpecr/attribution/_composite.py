"""Generator and recommender chained."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sktpecr._utils._array_api import as_array, beside


# Equation 3 of the paper, f_v(c) = F(G(c; e_u), e_v).
class CompositeFunction:
    """The score of items as a function of tag preferences."""

    def __init__(self, recommender: Any, generator: Any) -> None:
        self.recommender = recommender
        self.generator = generator
        self._moved: tuple[NDArray, NDArray, Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Large, and made again faster than it is read.
        return {**vars(self), "_moved": None}

    def __call__(
        self, tag_preferences: ArrayLike, embeddings: ArrayLike, items: ArrayLike | None = None
    ) -> NDArray:
        """Score items for users with these tag preferences."""
        # `tag_preferences` (n, n_tags); `embeddings` (n, n_factors); returns (n, n_items).
        return self.recommender.score_items(
            self.generator.generate(tag_preferences, embeddings), items
        )

    def around(
        self,
        centre: NDArray,
        offsets: NDArray,
        scale: NDArray,
        embedding: NDArray,
        items: NDArray,
    ) -> NDArray:
        """Score items for one user at many tag preferences."""
        # `centre` (n_tags,); `offsets` (n, n_tags); `scale` (n_tags,); `embedding` (n_factors,).
        if self.is_linear:  # f(c + s z) = f(c) + (s w)^T z: nothing to generate
            moves = (self.tag_weights(items) * scale).astype(offsets.dtype)
            return self(centre[np.newaxis], embedding[np.newaxis], items) + offsets @ moves.T
        rows = centre.astype(offsets.dtype) + offsets * scale.astype(offsets.dtype)
        return self(rows, np.broadcast_to(embedding, (len(rows), len(embedding))), items)

    def moved(
        self,
        centre: NDArray,
        offsets: NDArray,
        scale: NDArray,
        embedding: NDArray,
        items: NDArray,
    ) -> NDArray | None:
        """Score as :meth:`around` does, faster: in single precision, for offsets many share."""
        # None unless there is a network that can, and scores are dot products.
        shared = getattr(self.generator, "_shared_moves", None)
        if shared is None or not hasattr(self.recommender, "item_embeddings"):
            return None
        known = self._moved
        if known is None or known[0] is not offsets or not np.array_equal(known[1], scale):
            known = self._moved = offsets, scale, shared((offsets * scale).astype(np.float32))
        if known[2] is None:
            return None
        factors = np.asarray(self.recommender.item_embeddings)[items]
        biases = getattr(self.recommender, "item_biases", None)
        return known[2].scores(centre, embedding, factors, 0.0 if biases is None else biases[items])

    @property
    def is_linear(self) -> bool:
        """Whether scores are linear in tag preferences, so that weights exist."""
        return hasattr(self.recommender, "item_embeddings") and hasattr(self.generator, "gain_")

    def tag_weights(self, items: Any, tags: Any = slice(None)) -> Any:
        """Return what one more unit of (some) tag preferences adds to the scores of items."""
        # returns (len(items), n_tags).
        columns = as_array(items)
        embeddings = beside(self.recommender.item_embeddings, columns)[columns]
        return embeddings @ beside(self.generator.gain_, embeddings)[:, tags]
