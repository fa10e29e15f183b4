"""Generator and recommender chained."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


class CompositeFunction:
    """The score of items as a function of tag preferences.

    Parameters
    ----------
    recommender : object
        Scores items from embeddings.
    generator : object
        Generates embeddings from tag preferences and the user's own embedding.

    Notes
    -----
    Equation 3 of the paper, :math:`f_v(c) = F(G(c; e_u), e_v)`.
    """

    def __init__(self, recommender: Any, generator: Any) -> None:
        self.recommender = recommender
        self.generator = generator

    def __call__(
        self, tag_preferences: ArrayLike, embeddings: ArrayLike, items: ArrayLike | None = None
    ) -> NDArray:
        """Score items for users with these tag preferences.

        Parameters
        ----------
        tag_preferences : array-like of shape (n, n_tags)
            Tag preferences, edited or not.
        embeddings : array-like of shape (n, n_factors)
            The users' own embeddings.
        items : array-like of int, optional
            Column numbers of items. All by default.

        Returns
        -------
        ndarray of shape (n, n_items) or (n, len(items))
            Scores.
        """
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
        """Score items for one user at many tag preferences.

        Parameters
        ----------
        centre : ndarray of shape (n_tags,)
            Tag preferences to start from.
        offsets : ndarray of shape (n, n_tags)
            Moves from there, in units of scale.
        scale : ndarray of shape (n_tags,)
            One unit of each tag preference.
        embedding : ndarray of shape (n_factors,)
            The user's own embedding.
        items : ndarray of int
            Column numbers of items.

        Returns
        -------
        ndarray of shape (n, len(items))
            Scores.
        """
        if self.is_linear:  # f(c + s z) = f(c) + (s w)^T z: nothing to generate
            moves = (self.tag_weights(items) * scale).astype(offsets.dtype)
            return self(centre[np.newaxis], embedding[np.newaxis], items) + offsets @ moves.T
        rows = centre.astype(offsets.dtype) + offsets * scale.astype(offsets.dtype)
        return self(rows, np.broadcast_to(embedding, (len(rows), len(embedding))), items)

    @property
    def is_linear(self) -> bool:
        """Whether scores are linear in tag preferences, so that weights exist."""
        return hasattr(self.recommender, "item_embeddings") and hasattr(self.generator, "gain_")

    def tag_weights(self, items: ArrayLike) -> NDArray:
        """Return what one more unit of each tag preference adds to the scores of items.

        Parameters
        ----------
        items : array-like of int
            Column numbers of items.

        Returns
        -------
        ndarray of shape (len(items), n_tags)
            :math:`w_v = K^T e_v`, the gradient of the composite function.
        """
        return (
            np.asarray(self.recommender.item_embeddings)[np.asarray(items)] @ self.generator.gain_
        )
