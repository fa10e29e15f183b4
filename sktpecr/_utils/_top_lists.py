"""The lists of many users where scores are dot products: no user's scores are ever all there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

# Users and items whose scores are there at a time, in the cache, and items of which only the best
# score is kept: what is listed is in one of the groups with the best of these.
_USERS, _ITEMS, _GROUP = 256, 4096, 16
_GROUPS = _ITEMS // _GROUP


def top_lists(
    users: NDArray,
    items: NDArray,
    biases: NDArray,
    n: int,
    listed: NDArray,
    seen: sp.csr_matrix | None = None,
) -> Iterator[tuple[NDArray, NDArray]]:
    """Yield the columns of each user's n best items, ties in column order, with scores."""
    # The score is the dot product plus the item's bias. What is not `listed`, or seen by the user,
    # is in no list.
    # `users` (n_users, n_factors); `items` (n_items, n_factors); `biases`, `listed` (n_items,).
    users = np.asarray(users, dtype=items.dtype)
    seen = sp.csr_matrix((len(users), len(items))) if seen is None else seen
    left_out, allowed = np.flatnonzero(~listed), listed.copy()
    for start in range(0, len(users), _USERS):
        some = users[start : start + _USERS]
        taken = seen[start : start + _USERS]
        best = _best_of_groups(some, items, biases, left_out, taken)
        good_enough = best >= _least(best, n)[:, np.newaxis]
        for place, user in enumerate(some):
            first = np.flatnonzero(good_enough[place])
            first += first // _GROUPS * (_ITEMS - _GROUPS)  # from numbers of groups to columns
            columns = (first[:, np.newaxis] + np.arange(0, _ITEMS, _GROUPS)).ravel()
            columns.sort()
            columns = columns[: columns.searchsorted(len(items))]
            own = taken.indices[taken.indptr[place] : taken.indptr[place + 1]]
            allowed[own] = False
            columns = columns[allowed[columns]]
            allowed[own] = listed[own]
            scores = np.einsum("ij,j->i", items[columns], user) + biases[columns]
            order = np.argsort(-scores, kind="stable")[:n]
            yield columns[order], scores[order]


def _least(best: NDArray, n: int) -> NDArray:
    """Return what groups of n listed items score at least, one number for each user."""
    # Of groups of groups first: that leaves few more groups, and far less to sort.
    coarse = best.reshape(len(best), _GROUP, -1).max(axis=1)
    for groups in (coarse, best):
        if n <= groups.shape[1]:
            return np.partition(groups, -n, axis=1)[:, -n]
    return np.full(len(best), -np.inf)


def _best_of_groups(
    users: NDArray, items: NDArray, biases: NDArray, left_out: NDArray, seen: sp.csr_matrix
) -> NDArray:
    """Return the best score of each group that may be listed, shape (n_users, n_groups)."""
    n_blocks, biased = -(-len(items) // _ITEMS), biases.any()
    best = np.empty((len(users), n_blocks * _GROUPS), dtype=items.dtype)
    scores = np.empty((len(users), _ITEMS), dtype=items.dtype)
    order = np.argsort(seen.indices, kind="stable")
    rows = np.repeat(np.arange(len(users)), np.diff(seen.indptr))[order]
    columns = seen.indices[order]
    for block in range(n_blocks):
        start = block * _ITEMS
        stop = min(start + _ITEMS, len(items))
        there = scores[:, : stop - start]
        np.matmul(users, items[start:stop].T, out=there)
        scores[:, stop - start :] = -np.inf
        if biased:
            there += biases[start:stop].astype(items.dtype)
        never = slice(*np.searchsorted(left_out, [start, stop]))
        there[:, left_out[never] - start] = -np.inf
        own = slice(*np.searchsorted(columns, [start, stop]))
        there[rows[own], columns[own] - start] = -np.inf
        of_groups = best[:, block * _GROUPS : (block + 1) * _GROUPS]
        scores.reshape(len(users), _GROUP, _GROUPS).max(axis=1, out=of_groups)
    return best
