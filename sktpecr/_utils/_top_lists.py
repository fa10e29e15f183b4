"""The lists of many users where scores are dot products: no user's scores are ever all there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

# Users and items whose scores are there at a time, in the cache, and items of which the best score
# stands for all: n groups have n items that score at least the least of their best.
_USERS, _ITEMS, _GROUP = 256, 4096, 16
# After the first items so few of a block are better than what was listed before, for each user.
_FEW = 16
# Scores of so many pairs are formed once more, row by row, at a time.
_PAIRS = 2**14


class TopLists(NamedTuple):
    """Lists one after another: how long each is (n_users,), and columns and scores (n_listed,)."""

    lengths: NDArray
    items: NDArray
    scores: NDArray


class _Block(NamedTuple):
    """Candidates of some users: rows of the users, columns of items, scores; (n_candidates,)."""

    rows: NDArray
    columns: NDArray
    scores: NDArray


def top_lists(
    users: NDArray,
    items: NDArray,
    biases: NDArray,
    n: int,
    listed: NDArray,
    seen: sp.csr_matrix | None = None,
) -> TopLists:
    """Return each user's n best items, ties in column order."""
    # The score is the dot product plus the item's bias. What is not `listed`, or seen by the user,
    # is in no list.
    # `users` (n_users, n_factors); `items` (n_items, n_factors); `biases`, `listed` (n_items,).
    users = np.asarray(users, dtype=items.dtype)
    seen = sp.csr_matrix((len(users), len(items))) if seen is None else seen
    left_out = np.flatnonzero(~listed)
    largest = np.sqrt(np.einsum("ij,ij->i", items, items).max(initial=0.0))
    found = []
    for start in range(0, len(users), _USERS):
        some, taken = users[start : start + _USERS], seen[start : start + _USERS]
        # Products of blocks and of rows are rounded differently, by no more than this.
        rounding = 2 * items.shape[1] * np.finfo(items.dtype).eps * largest
        slack = rounding * np.sqrt(np.einsum("ij,ij->i", some, some))
        rows, columns, _ = _candidates(some, items, biases, n, left_out, taken, slack)
        found.append(_sorted(some, items, biases, n, rows, columns))
    if not found:
        return TopLists(np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, items.dtype))
    return TopLists(*(np.concatenate(each) for each in zip(*found, strict=True)))


def _candidates(
    users: NDArray,
    items: NDArray,
    biases: NDArray,
    n: int,
    left_out: NDArray,
    seen: sp.csr_matrix,
    slack: NDArray,
) -> _Block:
    """Return what may be among each user's n best, user by user, in order of columns."""
    biased, floor = biases.any(), np.finfo(items.dtype).min
    best = np.empty((len(users), 0), dtype=items.dtype)
    least = np.full((len(users), 1), floor, dtype=items.dtype)
    scores = np.empty((len(users), _ITEMS), dtype=items.dtype)
    by_item = seen.tocsc()
    found = []
    for start in range(0, len(items), _ITEMS):
        stop = min(start + _ITEMS, len(items))
        there = scores[:, : stop - start]
        np.matmul(users, items[start:stop].T, out=there)
        scores[:, stop - start :] = -np.inf
        if biased:
            there += biases[start:stop].astype(items.dtype)
        never = slice(*np.searchsorted(left_out, [start, stop]))
        there[:, left_out[never] - start] = -np.inf
        bounds = by_item.indptr[start : stop + 1]
        own = np.repeat(np.arange(stop - start), np.diff(bounds))
        there[by_item.indices[bounds[0] : bounds[-1]], own] = -np.inf
        new, at = scores, None
        if best.shape[1] >= n:
            # Of few users many items are better than what was listed so far.
            at = np.flatnonzero(scores >= least)
        if at is not None and len(at) <= _FEW * len(users):
            new = _in_rows(at // _ITEMS, scores.ravel()[at], len(users))
        # Of a long list all scores count, not groups: there are too few of these.
        elif n <= _ITEMS // _GROUP:
            new, at = scores.reshape(len(users), _GROUP, -1).max(axis=1), None
        best = np.concatenate([best, new], axis=1)
        if n <= best.shape[1]:
            best = np.partition(best, -n, axis=1)[:, -n:]
            least = np.maximum(best[:, :1] - slack[:, np.newaxis], floor)
        if at is None:
            at = np.flatnonzero(scores >= least)
        found.append(_Block(at // _ITEMS, at % _ITEMS + start, scores.ravel()[at]))
    all_found = _Block(*(np.concatenate(each) for each in zip(*found, strict=True)))
    kept = np.flatnonzero(all_found.scores >= least[all_found.rows, 0])
    return _Block(*(each[kept] for each in all_found))


def _in_rows(rows: NDArray, scores: NDArray, n_rows: int) -> NDArray:
    """Return scores, which come in order of rows, as one array, the places that are left -inf."""
    counts = np.bincount(rows, minlength=n_rows)
    spread = np.full((n_rows, int(counts.max(initial=0))), -np.inf, dtype=scores.dtype)
    spread[np.arange(spread.shape[1]) < counts[:, np.newaxis]] = scores
    return spread


def _sorted(
    users: NDArray, items: NDArray, biases: NDArray, n: int, rows: NDArray, columns: NDArray
) -> TopLists:
    """Return the n best candidates of each user, scored one by one: the same in any block."""
    scores = products_of_pairs(users, items, rows, columns) + biases[columns]
    order = np.argsort(-scores, kind="stable")
    # Rows of a block are few: of such numbers a stable sort is a count.
    order = order[np.argsort(rows[order].astype(np.uint16), kind="stable")]
    counts = np.bincount(rows, minlength=len(users))
    places = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    order = order[places < n]
    return TopLists(np.minimum(counts, n), columns[order], scores[order])


def products_of_pairs(users: NDArray, items: NDArray, rows: NDArray, columns: NDArray) -> NDArray:
    """Return the dot product of each pair of a row of users and a row of items."""
    products = np.empty(len(rows), dtype=np.result_type(users, items))
    for start in range(0, len(rows), _PAIRS):
        some = slice(start, start + _PAIRS)
        left, right = users.take(rows[some], axis=0), items.take(columns[some], axis=0)
        np.einsum("ij,ij->i", left, right, out=products[some])
    return products
