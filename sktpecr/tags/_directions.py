"""Directions in embedding space that feedback on tags asks for."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.optimize import nnls

# Chosen on users of MovieLens-1M and goodbooks who are not tested on.
TASTE_TEMPERATURE = 2.0
# How much the scatter of the items to raise weighs, for a like and for a dislike, after which they
# are all that is left; the rest of it is the scatter of the items to lower.
SHARE_RAISED = {True: 0.6, False: 1.0}
# Of the scatter's mean over factors, so that factors without scatter are no way out.
RIDGE = 0.1
_BLOCK_ITEMS = 2_048
# What is less than so many roundings of the numbers that it is a difference of is rounding.
ROUNDINGS = 32.0
# Towards what the user's history has in common, off the tag for a dislike.
HISTORY_PULL = {True: 0.15, False: 0.45}
# A named tag's mean score moves its way by at least this share of the movement of the list ...
KEPT_WORD = 0.2
# ... in full from this share of the strongest feedback on, and less below, down to no feedback.
FULL_WORD = 0.1


# A direction moves the score of every item; its *movement* is the standard deviation of these
# changes over the items. Directions are put together scaled to equal movement, so that a tag of
# many items does not drown one of few.
# A tag asks for the linear discriminant (R. A. Fisher, 1936) between items to raise and items to
# lower: the direction d that moves the two means apart the most for the scatter within them, W d =
# mu_+ - mu_-. Moving the means apart alone also stirs up the order within the list that the user
# has; the discriminant spends as little of the movement on that as it can. Items count by
# exp(z / 2), z the user's score in standard deviations, so that it is the items to the
# user's taste that are told apart; items in the history do not count, as they are not recommended
# again.
class Directions:
    r"""Directions for likes and dislikes, where scores are linear in the embedding or nearly so."""

    def __init__(
        self, item_gradients: NDArray, item_tags: sp.csc_matrix, tag_matrix: NDArray
    ) -> None:
        # Nothing here changes when all items are moved by the same vector, and numbers near 0
        # lose the least to rounding.
        self.items = item_gradients - item_gradients.mean(axis=0)
        self._tags = item_tags
        self.tag_matrix = tag_matrix
        covariance = self.items.T @ self.items / len(self.items)
        self.covariance = covariance.astype(np.float64)
        # What a direction of length 1 moves by no more than is rounding.
        eps, whole = float(np.finfo(self.items.dtype).eps), float(np.trace(self.covariance))
        self._eps, self._usual = eps, np.sqrt(whole)
        self._rounding = np.sqrt(8 * eps * whole)

    def movement(self, direction: NDArray) -> float:
        """Return the standard deviation over items of the score changes along a direction."""
        return float(np.sqrt(max(direction @ self.covariance @ direction, 0.0)))

    def typical_movement(self, embeddings: NDArray) -> float:
        """Return the root mean square movement of users' own embeddings."""
        second_moment = embeddings.T @ embeddings / len(embeddings)
        return float(np.sqrt(np.sum(second_moment * self.covariance)))

    def combined(
        self,
        wishes: dict[int, float],
        scores: NDArray,
        history: NDArray,
    ) -> NDArray:
        """Return one direction for several likes and dislikes."""
        # `scores` (n_items,); returns (n_factors,).
        strongest = max(map(abs, wishes.values()))
        direction, size = np.zeros(len(self.covariance)), 0.0
        scatter = np.zeros_like(self.covariance)
        for tag, wish in wishes.items():
            towards, within = self._discriminant(tag, wish > 0, scores, history)
            direction += abs(wish) / strongest * towards
            scatter += abs(wish) / strongest * within
            size += float(np.linalg.norm(towards))
        return self.keep_words(self._unit(direction, size), scatter, wishes)

    def contrast(self, tag: int, scores: NDArray, history: NDArray) -> NDArray:
        """Return the mean item of a tag less the mean of the others, by taste."""
        # `scores` (n_items,); returns (n_factors,).
        columns, of_tag, of_others = self._sides(tag, scores, history)
        return mean_of(self.items[columns], of_tag) - mean_of(self.items, of_others)

    def scatter(self, scores: NDArray, history: NDArray) -> NDArray:
        """Return what a movement costs the list: how it changes the scores of items, by taste."""
        # `scores` (n_items,); returns (n_factors, n_factors).
        everything = np.ones(len(self.items), dtype=bool)
        weights = weights_of(everything, _taste(scores), history)
        mean, second = moments(self.items, weights)
        return self.ridged(second, (1.0,), mean[np.newaxis])

    def words(self, wishes: dict[int, float]) -> NDArray:
        """Return by how much each named tag moves its way at least, of the list's movement."""
        # returns (n_wishes,).
        strengths = np.abs(list(wishes.values()))
        shares = np.maximum(strengths / strengths.max(), 1e-6)
        return KEPT_WORD - (np.maximum(FULL_WORD / shares, 1.0) - 1.0)

    def _discriminant(
        self, tag: int, liked: bool, scores: NDArray, history: NDArray
    ) -> tuple[NDArray, NDArray]:
        """Return the direction that one tag asks for, and the scatter that it is measured in."""
        apart, scatter = self._told_apart(tag, liked, scores, history)
        direction = self._unit(np.linalg.solve(scatter, apart))
        kept = history if liked else history[~self._inside(tag)[history]]
        if len(kept):
            pull = self._unit(self.items[kept].mean(axis=0), self._usual)
            direction += HISTORY_PULL[liked] * pull
        return self._unit(direction), scatter

    def _told_apart(
        self, tag: int, liked: bool, scores: NDArray, history: NDArray
    ) -> tuple[NDArray, NDArray]:
        """Return the mean item to raise less that to lower, and the scatter within the two."""
        columns, of_tag, of_others = self._sides(tag, scores, history)
        share = SHARE_RAISED[True] if liked else 1 - SHARE_RAISED[False]
        tag_mean = mean_of(self.items[columns], of_tag)
        # One pass over all items for both sides; what the others' mean is, is left.
        both = (1 - share) * of_others
        if share:
            both[columns] += share * of_tag
        mean, second = moments(self.items, both)
        others_mean = (mean - share * tag_mean) / (1 - share)
        apart = tag_mean - others_mean if liked else others_mean - tag_mean
        means = np.array([tag_mean, others_mean])
        return apart, self.ridged(second, (share, 1 - share), means)

    def _sides(
        self, tag: int, scores: NDArray, history: NDArray
    ) -> tuple[NDArray, NDArray, NDArray]:
        """Return a tag's items, what each counts, and what all items count as the others."""
        columns, taste = self.items_of(tag), _taste(scores)
        others = taste.copy()
        others[history] = 0.0
        of_tag = others[columns]
        others[columns] = 0.0
        sums = of_tag.sum(), others.sum()
        if min(sums) > 0:
            return columns, of_tag / sums[0], others / sums[1]
        inside = self._inside(tag)
        dense, others = (weights_of(some, taste, history) for some in (inside, ~inside))
        columns = np.flatnonzero(dense)
        return columns, dense[columns], others

    def _inside(self, tag: int) -> NDArray:
        """Return which items have a tag, shape (n_items,)."""
        inside = np.zeros(len(self.items), dtype=bool)
        inside[self.items_of(tag)] = True
        return inside

    def items_of(self, tag: int) -> NDArray:
        """Return the columns of a tag's items."""
        return self._tags.indices[self._tags.indptr[tag] : self._tags.indptr[tag + 1]]

    def ridged(self, scatter: NDArray, shares: tuple[float, ...], means: NDArray) -> NDArray:
        """Return second moments of items less those of the classes' means, with a ridge."""
        whole, n_factors = np.trace(scatter), len(scatter)
        for share, mean in zip(shares, means, strict=True):
            scatter -= share * np.outer(mean, mean)
        size = np.trace(scatter)
        # A difference that is rounding: of one item, or several that are alike, nothing scatters.
        if not size > ROUNDINGS * n_factors * self._eps * whole:
            return np.eye(n_factors) * (whole / n_factors or 1.0)
        scatter.ravel()[:: n_factors + 1] += RIDGE * size / n_factors
        return scatter

    def keep_words(self, direction: NDArray, scatter: NDArray, wishes: dict[int, float]) -> NDArray:
        """Correct a direction as little as possible so that every named tag moves its way."""
        # `direction` (n_factors,); `scatter` (n_factors, n_factors); returns (n_factors,).
        # Least-distance programming (Lawson and Hanson, Solving Least Squares Problems, 1974,
        # chapter 23): the smallest y with G y >= h is -r[:-1] / r[-1], where r is the residual of
        # the non-negative least-squares problem [G^T; h^T] u ~ (0, ..., 0, 1).
        rows = np.array([np.sign(wish) * self.tag_matrix[tag] for tag, wish in wishes.items()])
        h = self.words(wishes) - rows @ direction
        if h.max() <= 0:
            return direction
        # In coordinates y = L^T x a length is what the scatter L L^T says it is.
        lower = np.linalg.cholesky(scatter)
        G = solve_triangular(lower, rows.T, lower=True).T
        # nnls is sensitive to scale: rows of unit length, and distances in units of the largest.
        norms = np.linalg.norm(G, axis=1)
        if not norms.all():
            raise ValueError(UNMOVED)
        h, G = h / norms, G / norms[:, np.newaxis]
        unit = h.max()
        system = np.vstack([G.T, h / unit])
        goal = np.zeros(len(system))
        goal[-1] = 1.0
        solution, _ = nnls(system, goal)
        residual = system @ solution - goal
        # Of large numbers that should cancel, rounding is left, and no correction.
        rounding = ROUNDINGS * np.finfo(float).eps * np.abs(solution).sum()
        if abs(residual[-1]) < max(1e-9, rounding):
            raise ValueError(_CONTRADICTION)
        correction = -unit * residual[:-1] / residual[-1]
        return direction + solve_triangular(lower, correction, lower=True, trans="T")

    def _unit(self, direction: NDArray, size: float = 0.0) -> NDArray:
        """Return a direction scaled to movement 1, or none at all where it is only rounding."""
        # `size` is how long that was of which it is a sum, where terms may have cancelled.
        length, movement = np.linalg.norm(direction), self.movement(direction)
        if length <= ROUNDINGS * self._eps * size or movement <= self._rounding * length:
            return np.zeros_like(direction)
        return direction / movement


def moments(items: NDArray, weights: NDArray) -> tuple[NDArray, NDArray]:
    """Return the weighted sums of the items, and of their outer products."""
    n_items, n_factors = items.shape
    roots = np.sqrt(weights, dtype=items.dtype)
    first = np.zeros(n_factors, dtype=items.dtype)
    second, product = np.zeros((2, n_factors, n_factors), dtype=items.dtype)
    room = np.empty((min(_BLOCK_ITEMS, n_items), n_factors), dtype=items.dtype)
    # Of so many items at a time the weighted ones stay in the cache.
    for start in range(0, n_items, _BLOCK_ITEMS):
        some, own = items[start : start + _BLOCK_ITEMS], roots[start : start + _BLOCK_ITEMS]
        weighted = np.multiply(some, own[:, np.newaxis], out=room[: len(some)])
        first += own @ weighted
        # NumPy sees that the result is symmetric, and does half the work.
        second += np.matmul(weighted.T, weighted, out=product)
    return first.astype(np.float64), second.astype(np.float64)


def mean_of(items: NDArray, weights: NDArray) -> NDArray:
    """Return the weighted mean of the items."""
    # In the items' own precision: a product of two would first copy all of them.
    return (weights.astype(items.dtype) @ items).astype(np.float64)


def _taste(scores: NDArray) -> NDArray:
    """Return what items count, 1 for the best."""
    return np.exp((scores - scores.max()) / ((scores.std() or 1.0) * TASTE_TEMPERATURE))


def weights_of(some: NDArray, taste: NDArray, history: NDArray) -> NDArray:
    """Return what each of some items counts, 1 together: items to come by taste, if there are."""
    for counted in (taste, np.ones_like(taste)):
        weights = np.where(some, counted, 0.0)
        weights[history] = 0.0
        if weights.sum() > 0:
            break
    else:
        # All of them are in the history, or there are none.
        weights = some.astype(np.float64) if some.any() else np.ones(len(some))
    return weights / weights.sum()


UNMOVED = (
    "feedback cannot be met: this recommender gives the items of a named tag the same score "
    "whoever the user is, so that nothing can move it; leave the tag out"
)
_CONTRADICTION = (
    "feedback cannot be met: in this recommender's view the liked and the disliked tags are on "
    "nearly the same items, so that none can rise while the other falls; keep one of them"
)
