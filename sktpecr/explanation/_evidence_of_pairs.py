"""The items taken that are evidence of many reasons at once, as ``reasons_of`` finds for one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sktpecr._utils._sparse_rows import columns_of_rows
from sktpecr.attribution import AccountAttribution
from sktpecr.explanation._reasons_of_pairs import PairReasons

#: So many items are shown of each reason.
N_EVIDENCE = 2
# Pairs of one user that are compared with what the user took in one product, at most.
_PAIRS_A_USER = 64
# Nearnesses that are there at a time: they stay in a processor's cache.
_NUMBERS_A_CHUNK = 2**18


class _Groups(NamedTuple):
    """Few pairs of one user each, those who took most first; where reasons are in order of them."""

    users: NDArray  # Rows of the history, shape (n_groups,)
    starts: NDArray  # The first pair of each, shape (n_groups,)
    width: int  # How many pairs the largest has
    bounds: NDArray  # Where the reasons of each begin, and end, shape (n_groups + 1,)
    reasons: NDArray  # Numbers of the reasons, shape (n_reasons,)
    places: NDArray  # The place of each one's pair, where all groups are as wide, (n_reasons,)


def evidence_of_pairs(
    account: AccountAttribution,
    reasons: PairReasons,
    users: NDArray,
    items: NDArray,
    history: sp.csr_matrix,
    are_unseen: bool,
) -> NDArray:
    """Return columns of the nearest items taken that carry the tag, (2, n_reasons), -1 for none."""
    # `users`, ascending, and `items` (n_pairs,) are rows of the history and columns of items;
    # where they are unseen, none of them is among its user's own.
    found = np.full((N_EVIDENCE, len(reasons.pair)), -1)
    loadings, item_tags = np.asarray(account.loadings_), account.carried_
    is_first = np.diff(reasons.pair, prepend=-1) != 0
    pairs, of_pair = reasons.pair[is_first], np.cumsum(is_first) - 1
    users, items = users[pairs], items[pairs]
    n_taken = np.diff(history.indptr)
    groups = _grouped(users, of_pair, n_taken)
    widest = max(groups.width, loadings.shape[1])
    start = 0
    while start < len(groups.users):
        longest = int(n_taken[groups.users[start]])
        stop = start + max(1, _NUMBERS_A_CHUNK // (widest * longest))
        chunk = slice(*groups.bounds[[start, min(stop, len(groups.users))]])
        some, of_chunk = groups.reasons[chunk], groups.places[chunk] - start * groups.width
        owners = groups.users[start:stop]
        taken, is_taken = _padded(history, owners, longest)
        # Beyond its last pair a group goes on with others': nobody asks for these.
        asked = groups.starts[start:stop, np.newaxis] + np.arange(groups.width)
        asked = items.take(asked, mode="clip")
        near = _nearness(loadings, asked, taken).take(of_chunk, axis=0, mode="clip")
        of_group = of_chunk // groups.width
        near += _no_evidence(reasons.tag[some], of_group, taken, is_taken, item_tags, near.dtype)
        own_items = None if are_unseen else items[of_pair[some]]
        found[:, some] = _nearest(near, taken, of_group, own_items)
        start = stop
    return found


def _grouped(users: NDArray, of_pair: NDArray, n_taken: NDArray) -> _Groups:
    """Return the pairs of users who took anything, a few of one user together."""
    changes = np.flatnonzero(np.diff(users, prepend=-1))
    n_pairs = np.diff(changes, append=len(users))
    place = np.arange(len(users)) - np.repeat(changes, n_pairs)
    starts = np.flatnonzero(place % _PAIRS_A_USER == 0)
    bounds = np.searchsorted(of_pair, np.append(starts, len(users)))
    order = np.argsort(-n_taken[users[starts]], kind="stable")
    order = order[: np.count_nonzero(n_taken[users[starts]])]
    counts = np.diff(bounds)[order]
    ends = np.cumsum(counts)
    reasons = np.arange(counts.sum()) + np.repeat(bounds[order] - ends + counts, counts)
    width = int(min(n_pairs.max(initial=1), _PAIRS_A_USER))
    places = of_pair[reasons] + np.repeat(np.arange(len(order)) * width - starts[order], counts)
    return _Groups(
        users[starts[order]],
        starts[order],
        width,
        np.concatenate([[0], ends]),
        reasons,
        places,
    )


def _padded(history: sp.csr_matrix, users: NDArray, longest: int) -> tuple[NDArray, NDArray]:
    """Return what each user took, a row each, and where rows are no padding."""
    place, first = np.arange(longest), history.indptr[users, np.newaxis]
    is_taken = place < history.indptr[users + 1, np.newaxis] - first
    return history.indices.take(first + place, mode="clip"), is_taken


def _nearness(loadings: NDArray, items: NDArray, taken: NDArray) -> NDArray:
    """Return how near each of a group's items is to all items taken, a row for each item."""
    # A row for each item taken, of a copy that lies in order: quicker than the other way round.
    wanted = loadings.take(items, axis=0).transpose(0, 2, 1).copy()
    near = np.matmul(loadings.take(taken, axis=0), wanted).transpose(0, 2, 1)
    return near.reshape(-1, taken.shape[1])


def _no_evidence(
    tags: NDArray,
    of_group: NDArray,
    taken: NDArray,
    is_taken: NDArray,
    item_tags: sp.csr_matrix,
    dtype: np.dtype,
) -> NDArray:
    """Return -inf for each reason and item taken that does not carry the tag, else 0."""
    n_tags, longest = item_tags.shape[1], taken.shape[1]
    asked = of_group * n_tags + tags
    slot_of = np.full(len(taken) * n_tags, -1, dtype=np.int32)
    slot_of[asked] = 0
    once = np.flatnonzero(slot_of == 0)
    slot_of[once] = np.arange(len(once))
    # A row for each tag that is asked for, and the last one for all the others.
    lacking = np.full((len(once) + 1, longest), -np.inf, dtype=dtype)
    group, place = np.nonzero(is_taken)
    counts, tags_of_taken = columns_of_rows(item_tags, taken[is_taken])
    slots = slot_of[np.repeat(group * n_tags, counts) + tags_of_taken]
    lacking.ravel()[slots * longest + np.repeat(place, counts)] = 0
    return lacking.take(slot_of[asked], axis=0, mode="clip")


def _nearest(
    near: NDArray, taken: NDArray, of_group: NDArray, own_items: NDArray | None
) -> NDArray:
    """Return the items of the largest of each row, ties in order of the history; `near` changes."""
    # `own_items`, of each row, are no evidence of their own; none of them was taken where None.
    found = np.empty((N_EVIDENCE, len(near)), dtype=np.intp)
    of_row, first = of_group * near.shape[1], np.arange(len(near)) * near.shape[1]
    every = near.ravel()
    for columns in found:
        at = near.argmax(axis=1)
        items = taken.take(of_row + at)
        if own_items is not None:
            itself = np.flatnonzero(items == own_items)
            every[first[itself] + at[itself]] = -np.inf
            at[itself] = near[itself].argmax(axis=1)
            items[itself] = taken.take(of_row[itself] + at[itself])
        at += first
        columns[:] = np.where(every.take(at) > -np.inf, items, -1)
        every[at] = -np.inf
    return found
