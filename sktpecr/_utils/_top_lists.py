"""The lists of many users where scores are dot products: no user's scores are ever all there."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sktpecr._utils._array_api import as_array, beside, device_of, is_tensor, namespace_of, repeated

# Users and items whose scores are there at a time, in the cache, and items of which the best score
# stands for all: n groups have n items that score at least the least of their best.
_USERS, _ITEMS, _GROUP = 256, 4096, 16
# After the first items so few of a block are better than what was listed before, for each user.
_FEW = 16
# Scores of so many pairs are formed once more, row by row, at a time.
_PAIRS = 2**14
# The same of a GPU, which is quick with much at a time: half a gigabyte in single precision.
_USERS_THERE, _ITEMS_THERE, _PAIRS_THERE = 4096, 32_768, 2**20


class TopLists(NamedTuple):
    """Lists one after another: how long each is (n_users,), and columns and scores (n_listed,)."""

    lengths: Any
    items: Any
    scores: Any


class _Block(NamedTuple):
    """Candidates of some users: rows of the users, columns of items, scores; (n_candidates,)."""

    rows: Any
    columns: Any
    scores: Any


def top_lists(
    users: Any,
    items: Any,
    biases: Any,
    n: int,
    listed: NDArray,
    seen: sp.csr_matrix,
) -> TopLists:
    """Return each user's n best items, ties in column order."""
    # The score is the dot product plus the item's bias. What is not `listed`, or seen by the user,
    # is in no list.
    # `users` (n_users, n_factors), an array, or a tensor whose lists are tensors on its device;
    # `items` (n_items, n_factors); `biases`, `listed` (n_items,).
    users = as_array(users)
    if is_tensor(users):
        items, biases = beside(items, users), beside(biases, users)
    else:
        users = np.asarray(users, dtype=items.dtype)
    xp, size = namespace_of(users), _USERS_THERE if _is_on_a_gpu(users) else _USERS
    left_out = np.flatnonzero(~listed)
    largest = xp.sqrt(xp.max(xp.vecdot(items, items)))
    found = []
    for start in range(0, max(len(users), 1), size):
        some, taken = users[start : start + size], seen[start : start + size]
        # Products of blocks and of rows are rounded differently, by no more than this.
        rounding = 2 * items.shape[1] * xp.finfo(items.dtype).eps * largest
        slack = rounding * xp.sqrt(xp.vecdot(some, some))
        rows, columns, _ = _candidates(some, items, biases, n, left_out, taken, slack)
        found.append(_sorted(some, items, biases, n, rows, columns))
    return TopLists(*(xp.concat(each) for each in zip(*found, strict=True)))


def _candidates(
    users: Any,
    items: Any,
    biases: Any,
    n: int,
    left_out: NDArray,
    seen: sp.csr_matrix,
    slack: Any,
) -> _Block:
    """Return what may be among each user's n best, user by user, in order of columns."""
    xp, place, dtype = namespace_of(users), device_of(users), items.dtype
    biased, floor = bool(xp.any(biases != 0)), xp.finfo(dtype).min
    best = xp.empty((len(users), 0), dtype=dtype, device=place)
    least = xp.full((len(users), 1), floor, dtype=dtype, device=place)
    widest = _ITEMS_THERE if _is_on_a_gpu(users) else _ITEMS
    width = min(widest, -(-len(items) // _GROUP) * _GROUP)
    scores = xp.empty((len(users), width), dtype=dtype, device=place)
    by_item = seen.tocsc()
    found = []
    for start in range(0, len(items), width):
        stop = min(start + width, len(items))
        there = scores[:, : stop - start]
        if is_tensor(users):
            there[...] = users @ items[start:stop].T
        else:
            np.matmul(users, items[start:stop].T, out=there)
        scores[:, stop - start :] = -xp.inf
        if biased:
            there += xp.astype(biases[start:stop], dtype)
        never = slice(*np.searchsorted(left_out, [start, stop]))
        there[:, beside(left_out[never] - start, there)] = -xp.inf
        bounds = by_item.indptr[start : stop + 1]
        own = np.repeat(np.arange(stop - start), np.diff(bounds))
        whose = by_item.indices[bounds[0] : bounds[-1]]
        there[beside(whose, there), beside(own, there)] = -xp.inf
        all_scores, new, at = xp.reshape(scores, (-1,)), scores, None
        if best.shape[1] >= n and not is_tensor(users):
            # But for lists that get ever better, few items beat what was listed so far.
            at = np.flatnonzero(scores >= least)
        if at is not None and len(at) <= _FEW * len(users):
            new = _in_rows(at // width, all_scores[at], len(users))
        # Of a long list all scores count, not groups: there are too few of these.
        elif n <= width // _GROUP:
            new = xp.max(xp.reshape(scores, (len(users), _GROUP, width // _GROUP)), axis=1)
            at = None
        best = xp.concat([best, new], axis=1)
        if n <= best.shape[1]:
            best = _largest(best, n)
            least = xp.clip(best[:, :1] - slack[:, None], floor)
        if at is None:
            at = xp.nonzero(xp.reshape(scores >= least, (-1,)))[0]
        found.append(_Block(at // width, at % width + start, all_scores[at]))
    all_found = _Block(*(xp.concat(each) for each in zip(*found, strict=True)))
    kept = xp.nonzero(all_found.scores >= least[all_found.rows, 0])[0]
    return _Block(*(each[kept] for each in all_found))


def _in_rows(rows: NDArray, scores: NDArray, n_rows: int) -> NDArray:
    """Return scores, which come in order of rows, as one array, the places that are left -inf."""
    counts = np.bincount(rows, minlength=n_rows)
    spread = np.full((n_rows, int(counts.max(initial=0))), -np.inf, dtype=scores.dtype)
    spread[np.arange(spread.shape[1]) < counts[:, np.newaxis]] = scores
    return spread


def _is_on_a_gpu(array: Any) -> bool:
    return is_tensor(array) and array.device.type != "cpu"


def _largest(values: Any, n: int) -> Any:
    """Return the n largest values of each row, the least of them first."""
    if is_tensor(values):  # the standard knows neither
        return values.topk(n, dim=1).values.flip(1)
    return np.partition(values, -n, axis=1)[:, -n:]


def _sorted(users: Any, items: Any, biases: Any, n: int, rows: Any, columns: Any) -> TopLists:
    """Return the n best candidates of each user, scored one by one: the same in any block."""
    xp = namespace_of(users)
    scores = products_of_pairs(users, items, rows, columns) + biases[columns]
    order = xp.argsort(-scores, stable=True)
    # Rows of a block are few: of such numbers a stable sort is a count.
    order = order[xp.argsort(xp.astype(rows[order], xp.int16), stable=True)]
    counts = xp.bincount(rows, minlength=len(users))
    starts = repeated(xp.cumulative_sum(counts) - counts, counts)
    order = order[xp.arange(len(order), device=device_of(users)) - starts < n]
    return TopLists(xp.clip(counts, None, n), columns[order], scores[order])


def products_of_pairs(users: Any, items: Any, rows: Any, columns: Any) -> Any:
    """Return the dot product of each pair of a row of users and a row of items."""
    xp = namespace_of(users)
    dtype = xp.result_type(users, items)
    products = xp.empty(len(rows), dtype=dtype, device=device_of(users))
    size = _PAIRS_THERE if _is_on_a_gpu(users) else _PAIRS
    for start in range(0, len(rows), size):
        some = slice(start, start + size)
        left, right = xp.take(users, rows[some], axis=0), xp.take(items, columns[some], axis=0)
        if is_tensor(users):
            products[some] = xp.vecdot(left, right)
        else:
            np.einsum("ij,ij->i", left, right, out=products[some])
    return products
