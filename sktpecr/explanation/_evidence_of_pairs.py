"""The items taken that are evidence of many reasons at once, as ``reasons_of`` finds for one."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sktpecr.attribution import AccountAttribution
from sktpecr.explanation._reasons_of_pairs import PairReasons

#: So many items are shown of each reason.
N_EVIDENCE = 2
# Tags of items taken are read so many at a time: that much stays in a processor's cache.
_TAGS_A_CHUNK = 2**16


class _Entries(NamedTuple):
    """Places in the history, reason by reason; all of shape (n_entries,)."""

    reason: NDArray
    place: NDArray


def evidence_of_pairs(
    account: AccountAttribution,
    reasons: PairReasons,
    users: NDArray,
    items: NDArray,
    history: sp.csr_matrix,
    are_unseen: bool,
) -> NDArray:
    """Return columns of the nearest items taken that carry the tag, (n_reasons, 2), -1 for none."""
    # `users`, ascending, and `items` (n_pairs,) are rows of the history and columns of items;
    # where they are unseen, none of them is among its user's own.
    found = np.full((len(reasons.pair), N_EVIDENCE), -1)
    item_tags = account.carried_
    n_read = np.concatenate([[0], np.cumsum(np.diff(item_tags.indptr)[history.indices])])
    ends = n_read[history.indptr]
    of_reason = users[reasons.pair]
    start = 0
    while start < history.shape[0]:
        stop = int(np.searchsorted(ends, ends[start] + _TAGS_A_CHUNK, side="right")) - 1
        stop = max(start + 1, stop)
        first, last = np.searchsorted(of_reason, [start, stop])
        if last > first:
            taken = history.indices[history.indptr[start] : history.indptr[stop]].astype(np.intp)
            indptr = history.indptr[start : stop + 1] - history.indptr[start]
            found[first:last] = _evidence(
                account.loadings_,
                reasons.pair[first:last],
                reasons.tag[first:last],
                users - start,
                items,
                taken,
                indptr,
                item_tags,
                are_unseen,
            )
        start = stop
    return found


def _evidence(
    loadings: NDArray,
    pair: NDArray,
    tag: NDArray,
    users: NDArray,
    items: NDArray,
    taken: NDArray,
    indptr: NDArray,
    item_tags: sp.csr_matrix,
    are_unseen: bool,
) -> NDArray:
    """Return what `evidence_of_pairs` does, of users few enough to read all their items' tags."""
    # In order, so that those of a pair are together.
    is_first = np.diff(pair, prepend=-1) != 0
    pairs, of_pair = pair[is_first], np.cumsum(is_first) - 1
    users, items = users[pairs], items[pairs]
    carrying, slots = _carrying(tag, users[of_pair], taken, indptr, item_tags)
    entries = _expanded(carrying, np.arange(len(of_pair)), slots)
    if not are_unseen:
        entries = _without_itself(entries, items[of_pair], taken)
    nearness, starts, steps = _nearness(loadings, users, items, taken, indptr)
    starts = starts - indptr[users] * steps
    starts, steps = starts[of_pair], steps[of_pair]
    values = nearness[starts[entries.reason] + entries.place * steps[entries.reason]]
    return _nearest(values, entries, taken, len(of_pair))


def _carrying(
    tags: NDArray, users: NDArray, taken: NDArray, indptr: NDArray, item_tags: sp.csr_matrix
) -> tuple[sp.csr_matrix, NDArray]:
    """Return which items taken carry which tags that are asked for, and the row of each tag."""
    n_users, n_tags = len(indptr) - 1, item_tags.shape[1]
    asked = users * n_tags + tags
    slot_of = np.full(n_users * n_tags, -1, dtype=np.int32)
    slot_of[asked] = 0
    slot_of[slot_of == 0] = np.arange(np.count_nonzero(slot_of == 0))
    counts = np.diff(item_tags.indptr)[taken]
    entry = np.arange(counts.sum()) + np.repeat(
        item_tags.indptr[taken] - np.cumsum(counts) + counts, counts
    )
    first = np.repeat(np.arange(n_users), np.diff(indptr)) * n_tags
    slots = slot_of[np.repeat(first, counts) + item_tags.indices[entry]]
    kept = np.flatnonzero(slots >= 0)
    places = np.repeat(np.arange(len(taken)), counts)[kept]
    shape = (int(slot_of.max(initial=-1)) + 1, len(taken))
    carrying = sp.csr_matrix((np.ones(len(kept), dtype=bool), (slots[kept], places)), shape=shape)
    return carrying, slot_of[asked]


def _expanded(carrying: sp.csr_matrix, reasons: NDArray, rows: NDArray) -> _Entries:
    """Return the items taken that carry the tag of each reason."""
    starts = carrying.indptr[rows]
    counts = carrying.indptr[rows + 1] - starts
    before = np.cumsum(counts) - counts
    entry = np.arange(counts.sum()) + np.repeat(starts - before, counts)
    return _Entries(np.repeat(reasons, counts), carrying.indices[entry])


def _without_itself(entries: _Entries, items: NDArray, taken: NDArray) -> _Entries:
    """Leave out the item itself: it is no evidence of its own."""
    kept = taken[entries.place] != items[entries.reason]
    return entries if kept.all() else _Entries(entries.reason[kept], entries.place[kept])


def _nearness(
    loadings: NDArray, users: NDArray, items: NDArray, taken: NDArray, indptr: NDArray
) -> tuple[NDArray, NDArray, NDArray]:
    """Return how near each item taken is to each item: where a pair's begin, and their distance."""
    # One product for each user, a row for each item taken: twice as quick as the other way round.
    bounds = np.flatnonzero(np.diff(users, prepend=-1, append=-1))
    widths = np.diff(bounds)
    ends = np.cumsum(widths * np.diff(indptr)[users[bounds[:-1]]])
    nearness = np.empty(ends[-1] if len(ends) else 0, dtype=loadings.dtype)
    wanted = loadings.take(items, axis=0)
    start = 0
    for (first, last), end in zip(pairwise(bounds.tolist()), ends.tolist(), strict=True):
        own = taken[indptr[users[first]] : indptr[users[first] + 1]]
        flat = nearness[start:end].reshape(len(own), last - first)
        np.matmul(loadings.take(own, axis=0), wanted[first:last].T.copy(), out=flat)
        start = end
    of_user = np.repeat(np.arange(len(widths)), widths)
    starts = np.concatenate([[0], ends[:-1]])[of_user] + np.arange(len(users)) - bounds[of_user]
    return nearness, starts, widths[of_user]


def _nearest(values: NDArray, entries: _Entries, taken: NDArray, n_reasons: int) -> NDArray:
    """Return the items of the largest values of each reason, ties in order of the history."""
    found = np.full((n_reasons, N_EVIDENCE), -1)
    if not len(values):
        return found
    is_first = np.diff(entries.reason, prepend=-1) != 0
    segment, starts = np.cumsum(is_first) - 1, np.flatnonzero(is_first)
    of_segment = entries.reason[starts]
    for rank in range(N_EVIDENCE):
        largest = np.maximum.reduceat(values, starts)
        at = np.flatnonzero((values == largest[segment]) & (values > -np.inf))
        at = at[np.diff(segment[at], prepend=-1) != 0]
        found[of_segment[segment[at]], rank] = taken[entries.place[at]]
        values[at] = -np.inf
    return found
