"""What tags say beyond as many items dealt out at random."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sktpecr.attribution._account_fit import own_weights

# A tag on all items, or items that do not differ, up to this share.
_ROUNDING = 1e-10
# Dealt tags whose strength is drawn, and items whose dealt tags are regressed on, each time.
_DEALT, _ITEMS_A_DEAL = 1000, 1000
# Kinds of items by their number of tags, for what chance tells of each.
_KINDS = 10


# Of scores without their level (n_rows, n_items) and item tags (n_items, n_tags): the squared
# distance of a tag from the average item, over what as many items at random have on average.
class Strength:
    """How far the taste for a tag moves from that for the average item, against random items."""

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
    strength: Strength,
    own_tags: sp.csr_matrix,
    ridge: float,
    n_deals: int,
    random_state: np.random.RandomState,
) -> NDArray:
    """Return what dealt tags tell of an item with as many tags as each has, shape (n_items,)."""
    n_items = own_tags.shape[0]
    n_own, explained = [], []
    counts = np.diff(own_tags.indptr)
    for _ in range(n_deals):
        order, tastes = strength.dealt(random_state)
        some = random_state.permutation(n_items)[:_ITEMS_A_DEAL]
        n_own.append(counts[some])
        scores = strength.scores[:, order[some]]
        explained.append(own_weights(scores, tastes, own_tags[some], ridge).explained)
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
