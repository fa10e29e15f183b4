"""What the account learns of items and tags: from a few rows, closed form or sampled users."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import nnls

# Numbers in a block of arrays that are computed on the way: 32 MB.
_NUMBERS_A_BLOCK = 2**22
# Variances below this share of what they are left of are rounding.
_ROUNDING = 1e-10
# Tags whose tastes correlate above this are one.
_ALIKE = 0.9
# Dealt tags whose strength is drawn, and items whose dealt tags are regressed on, each time.
_DEALT, _ITEMS_A_DEAL = 1000, 1000
# Kinds of items by their number of tags, for what chance tells of each.
_KINDS = 10


class Rows(NamedTuple):
    """Centred scores (n_rows, n_items), tag preferences (n_rows, n_tags) and mean scores (n_rows,).

    Sums of products over the rows are the population's covariances.
    """

    scores: NDArray
    tags: NDArray
    level: NDArray


class Levelled(NamedTuple):
    """Rows with the level taken off; what it adds to each item (beta) and to each tag (gamma)."""

    scores: NDArray
    tastes: NDArray
    beta: NDArray
    gamma: NDArray


class Weights(NamedTuple):
    """Weights (n_items, n_tags), and the share of each item's variance that its own tags tell."""

    weights: sp.csr_matrix
    explained: NDArray


def without_level(rows: Rows, level: str) -> Levelled:
    """Take the level off scores and tag preferences, as one of the choices of `level` says."""
    n_items, n_tags = rows.scores.shape[1], rows.tags.shape[1]
    variance = float(rows.level @ rows.level)
    if level == "none" or not variance > 0:
        return Levelled(rows.scores, rows.tags, np.zeros(n_items), np.zeros(n_tags))
    if level == "difference":
        beta, gamma = np.ones(n_items), np.ones(n_tags)
    else:
        beta, gamma = rows.level @ rows.scores / variance, rows.level @ rows.tags / variance
    return Levelled(
        _less(rows.scores, np.outer(rows.level, beta)),
        _less(rows.tags, np.outer(rows.level, gamma)),
        beta,
        gamma,
    )


def _less(columns: NDArray, parts: NDArray) -> NDArray:
    """Take parts off columns, and leave nothing where it would be rounding."""
    left = columns - parts.astype(columns.dtype)
    left[:, np.square(left).sum(axis=0) <= _ROUNDING * np.square(columns).sum(axis=0)] = 0.0
    return left


def history_agreement(
    preferences: NDArray, levels: NDArray, gamma: NDArray, shares: NDArray
) -> float:
    """Return how tastes of users correlate with the shares of tags in their histories.

    The mean over tags, of users' preferences (n, n_tags), mean scores (n,) and shares (n, n_tags).
    """
    tastes = preferences - np.outer(levels, gamma)
    tastes -= tastes.mean(axis=0)
    shares = shares - shares.mean(axis=0)
    sizes = np.sqrt(np.square(tastes).sum(axis=0) * np.square(shares).sum(axis=0))
    vary = sizes > 0
    if not vary.any():
        return 0.0
    return float(((tastes * shares).sum(axis=0)[vary] / sizes[vary]).mean())


def own_weights(
    scores: NDArray, tastes: NDArray, item_tags: sp.csr_matrix, ridge: float
) -> Weights:
    """Regress each item's scores on the tastes for its own tags, with weights of at least 0.

    Scores (n_rows, n_items), tastes (n_rows, n_tags); who carries what is in the structure of
    `item_tags`. The penalty is `ridge` times each taste's variance.
    """
    n_items, n_tags = item_tags.shape
    indptr, tags = item_tags.indptr, item_tags.indices
    std = np.sqrt(np.square(tastes).sum(axis=0))
    unit = tastes / np.where(std > 0, std, 1.0)
    correlations = unit.T @ unit
    products = _own_products(scores, unit, item_tags)
    solved, explained = np.zeros(len(tags)), np.zeros(n_items)
    variances = np.square(scores).sum(axis=0)
    n_own = np.diff(indptr)
    for k in np.unique(n_own[n_own > 0]):
        of_size = np.flatnonzero(n_own == k)
        size = max(1, _NUMBERS_A_BLOCK // (k * k))
        for start in range(0, len(of_size), size):
            items = of_size[start : start + size]
            places = indptr[items][:, np.newaxis] + np.arange(k)
            own = tags[places]
            grams = correlations[own[:, :, np.newaxis], own[:, np.newaxis, :]]
            wanted = products[places]
            found = _non_negative(grams + ridge * np.eye(k), wanted)
            told = (found * wanted).sum(axis=1)
            spent = np.einsum("ij,ijk,ik->i", found, grams, found)
            # One least-squares factor gives back what the ridge took.
            factor = np.divide(told, spent, out=np.zeros(len(items)), where=spent > 0)
            solved[places] = found * factor[:, np.newaxis]
            whole = variances[items]
            explained[items] = np.divide(
                told * factor, whole, out=np.zeros(len(items)), where=whole > 0
            )
    solved /= np.where(std > 0, std, 1.0)[tags]
    weights = sp.csr_matrix((solved, tags.copy(), indptr.copy()), shape=(n_items, n_tags))
    weights.eliminate_zeros()
    return Weights(weights, explained)


def _own_products(scores: NDArray, unit: NDArray, item_tags: sp.csr_matrix) -> NDArray:
    """Return the product of an item's scores with each of its tags' tastes, as item_tags.data."""
    by_item, by_tag = np.ascontiguousarray(scores.T), np.ascontiguousarray(unit.T)
    items = np.repeat(np.arange(item_tags.shape[0]), np.diff(item_tags.indptr))
    products = np.empty(len(items))
    size = max(1, _NUMBERS_A_BLOCK // max(1, len(scores)))
    for start in range(0, len(items), size):
        some = slice(start, start + size)
        products[some] = np.einsum(
            "ij,ij->i", by_item[items[some]], by_tag[item_tags.indices[some]]
        )
    return products


def _non_negative(grams: NDArray, wanted: NDArray) -> NDArray:
    """Minimise a G a - 2 a w over a >= 0 for many small G (n, k, k), positive definite, and w."""
    found = np.linalg.solve(grams, wanted[:, :, np.newaxis])[:, :, 0]
    bound = np.flatnonzero((found < 0).any(axis=1))
    if len(bound):
        roots = np.linalg.cholesky(grams[bound])
        targets = np.linalg.solve(roots, wanted[bound][:, :, np.newaxis])[:, :, 0]
        for place, root, target in zip(bound, roots, targets, strict=True):
            found[place] = nnls(root.T, target)[0]
    return found


class Strength:
    """How far the taste for a tag moves from that for the average item, against random items.

    Of scores without their level (n_rows, n_items) and item tags (n_items, n_tags): the squared
    distance of a tag from the average item, over what as many items at random have on average.
    """

    def __init__(self, scores: NDArray, item_tags: sp.csr_matrix) -> None:
        n_items = item_tags.shape[0]
        totals = np.asarray(item_tags.sum(axis=0)).ravel()
        self.shares = sp.csr_matrix(item_tags @ sp.diags(1.0 / totals))
        self.scores = scores
        self._by_tag, self._by_item = sp.csr_matrix(self.shares.T), np.ascontiguousarray(scores.T)
        self.average = scores.mean(axis=1)
        apart = np.square(scores).sum(axis=0).mean() - self.average @ self.average
        # Sampling without replacement: a tag on all items is no draw at all.
        spread = np.asarray(self.shares.multiply(self.shares).sum(axis=0)).ravel() - 1.0 / n_items
        self.expected = n_items / max(1, n_items - 1) * spread * apart
        self.expected[spread * n_items < _ROUNDING] = 0.0
        if not apart > _ROUNDING * np.square(scores).sum(axis=0).mean():
            self.expected[:] = 0.0

    def of(self, tastes: NDArray) -> NDArray:
        """Return the strength of each tag, given tastes (n_rows, n_tags); 0 where none can be."""
        distances = np.square(tastes - self.average[:, np.newaxis]).sum(axis=0)
        possible = self.expected > 0
        return np.divide(distances, self.expected, out=np.zeros(len(distances)), where=possible)

    def dealt(self, random_state: np.random.RandomState) -> tuple[NDArray, NDArray]:
        """Deal scores out to the items at random: whose each gets, and the tastes that result."""
        order = random_state.permutation(self.shares.shape[0])
        return order, np.asarray(self._by_tag @ self._by_item[order]).T


def strength_by_chance(strength: Strength, random_state: np.random.RandomState) -> float:
    """Return the strength that one dealt tag in a hundred reaches."""
    n_tags = strength.shares.shape[1]
    drawn = [
        strength.of(strength.dealt(random_state)[1]) for _ in range(-(-_DEALT // max(1, n_tags)))
    ]
    return float(np.quantile(np.concatenate(drawn), 0.99))


def explained_by_chance(
    strength: Strength, ridge: float, n_deals: int, random_state: np.random.RandomState
) -> NDArray:
    """Return what dealt tags tell of an item with as many tags as each has, shape (n_items,)."""
    n_items = strength.shares.shape[0]
    n_own, explained = [], []
    counts = np.diff(strength.shares.indptr)
    for _ in range(n_deals):
        order, tastes = strength.dealt(random_state)
        some = random_state.permutation(n_items)[:_ITEMS_A_DEAL]
        n_own.append(counts[some])
        scores, shares = strength.scores[:, order[some]], strength.shares[some]
        explained.append(own_weights(scores, tastes, shares, ridge).explained)
    sizes, told = np.concatenate(n_own), np.concatenate(explained)
    order = np.argsort(sizes, kind="stable")[np.sort(sizes) > 0]
    if not len(order):
        return np.zeros(n_items)
    kinds = np.array_split(order, min(_KINDS, len(order)))
    middles = np.array([sizes[kind].mean() for kind in kinds])
    means = np.array([told[kind].mean() for kind in kinds])
    known, first = np.unique(middles, return_inverse=True)
    means = np.bincount(first, weights=means) / np.bincount(first)
    return np.where(counts > 0, np.interp(counts, known, means), 0.0)


def alias_groups(tastes: NDArray, sizes: NDArray) -> NDArray:
    """Return for each tag the largest tag whose taste is nearly the same; itself where none is."""
    std = np.sqrt(np.square(tastes).sum(axis=0))
    unit = tastes / np.where(std > 0, std, np.inf)
    alike = unit.T @ unit > _ALIKE
    leader = np.full(len(std), -1)
    for tag in np.argsort(-sizes, kind="stable"):
        if leader[tag] < 0:
            leader[tag] = tag
            leader[alike[tag] & (leader < 0)] = tag
    return leader
