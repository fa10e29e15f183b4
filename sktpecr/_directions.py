"""Directions in embedding space that feedback on tags asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import nnls

if TYPE_CHECKING:
    from sktpecr._tag_preference_extractor import TagPreferenceExtractor

# Chosen on MovieLens-1M and goodbooks; benchmarks/main_path.py measures what they do.
_HISTORY_PULL = 0.3
_TASTE_TEMPERATURE = 2.0
# A named tag's mean score moves its way by at least this share of the movement of the list ...
_KEPT_WORD = 0.2
# ... in full from this share of the strongest feedback on, and less below, down to no feedback.
_FULL_WORD = 0.1


class Directions:
    """Directions for likes and dislikes in a dot-product recommender.

    Parameters
    ----------
    item_embeddings : ndarray of shape (n_items, n_factors)
        Embeddings of the items.
    item_tags : csc_matrix of shape (n_items, n_tags)
        Tags of the items; only whether a tag is on an item counts.
    tag_matrix : ndarray of shape (n_tags, n_factors)
        M: from embeddings to tag preferences.

    Notes
    -----
    A direction moves the score of every item; its *movement* is the standard deviation of these
    changes over the items. Directions are put together scaled to equal movement, so that a tag
    of many items does not drown one of few.
    """

    def __init__(
        self, item_embeddings: NDArray, item_tags: sp.csc_matrix, tag_matrix: NDArray
    ) -> None:
        self._items = item_embeddings
        self._tags = item_tags
        self._tag_matrix = tag_matrix
        self._total = item_embeddings.sum(axis=0, dtype=np.float64)
        self._mean = self._total / len(item_embeddings)
        centred = item_embeddings - self._mean
        self._covariance = centred.T @ centred / len(item_embeddings)

    @classmethod
    def of(cls, extractor: TagPreferenceExtractor) -> Directions:
        """Build the directions of a fitted extractor over a dot-product recommender."""
        embeddings = np.asarray(extractor.recommender_.item_embeddings)
        return cls(embeddings, extractor._item_tags, np.asarray(extractor.tag_matrix_))

    def movement(self, direction: NDArray) -> float:
        """Return the standard deviation over items of the score changes along a direction."""
        return float(np.sqrt(max(direction @ self._covariance @ direction, 0.0)))

    def typical_movement(self, embeddings: NDArray) -> float:
        """Return the root mean square movement of users' own embeddings."""
        second_moment = embeddings.T @ embeddings / len(embeddings)
        return float(np.sqrt(np.sum(second_moment * self._covariance)))

    def combined(
        self,
        like: dict[int, float],
        dislike: dict[int, float],
        scores: NDArray,
        history: NDArray,
    ) -> NDArray:
        """Return one direction for several likes and dislikes.

        Parameters
        ----------
        like, dislike : dict of int to float
            Column of the tag to strength > 0.
        scores : ndarray of shape (n_items,)
            The user's own scores.
        history : ndarray of int
            Columns of the user's interactions.

        Returns
        -------
        ndarray of shape (n_factors,)
            Direction with movement near 1, along which every named tag keeps its word.
        """
        strongest = max([*like.values(), *dislike.values()])
        direction = np.zeros(len(self._mean))
        signs = {}
        for tag, strength in like.items():
            direction += strength / strongest * self.taste(tag, scores, history)
            signs[tag] = (1.0, strength / strongest)
        for tag, strength in dislike.items():
            direction += strength / strongest * self.away(tag, history)
            signs[tag] = (-1.0, strength / strongest)
        return self._keep_word(self._unit(direction), signs)

    def taste(self, tag: int, scores: NDArray, history: NDArray) -> NDArray:
        """Return the direction towards the tag's items that are to the user's taste."""
        inside = self._items_of(tag)
        spread = scores.std() or 1.0
        taste = np.exp((scores[inside] - scores[inside].max()) / spread / _TASTE_TEMPERATURE)
        target = taste @ self._items[inside] / taste.sum()
        direction = self._unit(target - self._mean_outside(inside, history))
        if len(history):
            direction += _HISTORY_PULL * self._unit(self._items[history].mean(axis=0) - self._mean)
        return self._unit(direction)

    def away(self, tag: int, history: NDArray) -> NDArray:
        """Return the direction towards the part of the history that the tag is not on."""
        inside = self._items_of(tag)
        kept = np.setdiff1d(history, inside)
        if len(kept):
            return self._unit(self._items[kept].mean(axis=0) - self._mean)
        return self._unit(self._mean - self._items[inside].mean(axis=0))

    def _keep_word(self, direction: NDArray, signs: dict[int, tuple[float, float]]) -> NDArray:
        """Correct a direction as little as possible so that every named tag moves its way.

        Least-distance programming (Lawson and Hanson, Solving Least Squares Problems, 1974,
        chapter 23): the smallest y with G y >= h is -r[:-1] / r[-1], where r is the residual of
        the non-negative least-squares problem [G^T; h^T] u ~ (0, ..., 0, 1).
        """
        G = np.array([sign * self._tag_matrix[tag] for tag, (sign, _) in signs.items()])
        # Ever looser towards share 0, so that feedback may fade out without a jump.
        shares = np.array([share for _, share in signs.values()])
        looseness = np.maximum(_FULL_WORD / np.maximum(shares, 1e-6), 1.0) - 1.0
        h = _KEPT_WORD - looseness - G @ direction
        if h.max() <= 0:
            return direction
        # nnls is sensitive to scale: rows of unit length, and distances in units of the largest.
        norms = np.linalg.norm(G, axis=1)
        if not norms.all():
            raise ValueError(_UNMOVED)
        h, G = h / norms, G / norms[:, np.newaxis]
        unit = h.max()
        system = np.vstack([G.T, h / unit])
        goal = np.zeros(len(system))
        goal[-1] = 1.0
        solution, _ = nnls(system, goal)
        residual = system @ solution - goal
        if abs(residual[-1]) < 1e-9:
            raise ValueError(_CONTRADICTION)
        return direction - unit * residual[:-1] / residual[-1]

    def _mean_outside(self, inside: NDArray, history: NDArray) -> NDArray:
        """Return the mean item that is neither on the tag nor in the history."""
        union = np.union1d(inside, history)
        n_outside = len(self._items) - len(union)
        if n_outside == 0:
            return self._mean
        return (self._total - self._items[union].sum(axis=0, dtype=np.float64)) / n_outside

    def _items_of(self, tag: int) -> NDArray:
        return self._tags.indices[self._tags.indptr[tag] : self._tags.indptr[tag + 1]]

    def _unit(self, direction: NDArray) -> NDArray:
        movement = self.movement(direction)
        return direction / movement if movement > 0 else np.zeros_like(direction)


_UNMOVED = (
    "feedback cannot be met: this recommender gives the items of a named tag the same score "
    "whoever the user is, so that nothing can move it; leave the tag out"
)
_CONTRADICTION = (
    "feedback cannot be met: in this recommender's view the liked and the disliked tags are on "
    "nearly the same items, so that none can rise while the other falls; keep one of them"
)
