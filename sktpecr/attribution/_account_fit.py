"""The weights of an item's own tags, and which tags are one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import nnls

# Numbers in a block of arrays that are computed on the way: 32 MB.
_NUMBERS_A_BLOCK = 2**22
# A tag with less than this share of the weight of an item's heaviest tag is a trace: somebody
# filed the item so, but it is not what most people would call it.
_TRACE = 0.1
# A tag on more items than this share of them tells none apart.
_ON_MOST = 0.75
# Tags whose tastes correlate above this are one.
_ALIKE = 0.9


class Weights(NamedTuple):
    """Weights (n_items, n_tags), and the share of each item's variance that its own tags tell."""

    weights: sp.csr_matrix
    explained: NDArray


def own_tags(item_tags: sp.csr_matrix) -> sp.csr_matrix:
    """Return item tags without traces and without those on most items; itself if there are none."""
    on_most = np.bincount(item_tags.indices, minlength=item_tags.shape[1]) > (
        _ON_MOST * item_tags.shape[0]
    )
    counts = np.diff(item_tags.indptr)
    heaviest = np.zeros(len(counts))
    heaviest[counts > 0] = np.maximum.reduceat(item_tags.data, item_tags.indptr[:-1][counts > 0])
    left_out = item_tags.data < _TRACE * np.repeat(heaviest, counts)
    left_out |= on_most[item_tags.indices]
    if not left_out.any():
        return item_tags
    own = item_tags.copy()
    own.data[left_out] = 0
    own.eliminate_zeros()
    return own


def own_weights(
    scores: NDArray, tastes: NDArray, item_tags: sp.csr_matrix, ridge: float
) -> Weights:
    """Regress each item's scores on the tastes for its own tags, with weights of at least 0."""
    # Scores (n_rows, n_items), tastes (n_rows, n_tags); who carries what is in the structure of
    # `item_tags`. The penalty is `ridge` times each taste's variance.
    n_items, n_tags = item_tags.shape
    indptr, tags = item_tags.indptr, item_tags.indices
    std = np.sqrt(np.square(tastes).sum(axis=0))
    unit = tastes / np.where(std > 0, std, 1.0)
    by_tag = np.ascontiguousarray(unit.T)
    # Of many tags all pairs would take gigabytes, and few of them are on an item together.
    correlations = by_tag @ unit if n_tags**2 <= _NUMBERS_A_BLOCK else None
    products = _own_products(scores, unit, item_tags)
    solved, explained = np.zeros(len(tags)), np.zeros(n_items)
    variances = np.square(scores).sum(axis=0)
    n_own = np.diff(indptr)
    for k in np.unique(n_own[n_own > 0]):
        of_size = np.flatnonzero(n_own == k)
        size = max(1, _NUMBERS_A_BLOCK // (k * max(k, len(tastes))))
        for start in range(0, len(of_size), size):
            items = of_size[start : start + size]
            places = indptr[items][:, np.newaxis] + np.arange(k)
            own = tags[places]
            if correlations is not None:
                grams = correlations[own[:, :, np.newaxis], own[:, np.newaxis, :]]
            else:
                grams = by_tag[own] @ by_tag[own].transpose(0, 2, 1)
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
    weights.sort_indices()
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


def alias_groups(tastes: NDArray, sizes: NDArray) -> NDArray:
    """Return for each tag the largest tag whose taste is nearly the same; itself where none is."""
    std = np.sqrt(np.square(tastes).sum(axis=0))
    unit = tastes / np.where(std > 0, std, np.inf)
    leader, order = np.full(len(std), -1), np.argsort(-sizes, kind="stable")
    at_a_time = max(1, _NUMBERS_A_BLOCK // max(1, len(std)))
    for start in range(0, len(order), at_a_time):
        some = order[start : start + at_a_time]
        some, free = some[leader[some] < 0], np.flatnonzero(leader < 0)
        for tag, alike in zip(some, unit[:, some].T @ unit[:, free] > _ALIKE, strict=True):
            if leader[tag] < 0:
                own = free[alike]
                leader[own[leader[own] < 0]] = leader[tag] = tag
    return leader
