"""The reasons for many pairs of user and item at once, by the rules of ``select_reasons``."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sktpecr.attribution import AccountAttribution
from sktpecr.explanation._reasons import LIKED, MOVES, SHARE


class PairReasons(NamedTuple):
    """Reasons in order of pairs, for before against, the largest first; shape (n_reasons,)."""

    pair: NDArray
    tag: NDArray
    liking: NDArray
    contribution: NDArray
    # Tags that mean the same as `tag`, itself first, one reason after another; and where those
    # of each reason begin, and end, shape (n_reasons + 1,).
    tags: NDArray
    indptr: NDArray


def reasons_of_pairs(
    account: AccountAttribution, tastes: NDArray, users: NDArray, items: NDArray, k: int
) -> PairReasons:
    """Return the reasons for each pair of a row of `tastes` and a column of an item."""
    told = account.contributions(tastes, users, items)
    pair = np.repeat(np.arange(len(items)), np.diff(told.indptr))
    speaks = account.says_more_than_chance(items)[pair] & (told.data != 0)
    pair, tag, contribution = pair[speaks], told.indices[speaks], told.data[speaks]
    scale = account.scale_

    # Tags that are one in taste and sign are one reason, named as most items do.
    has_alias = np.bincount(account.aliases_, minlength=len(scale))[account.aliases_] > 1
    entry = leader = first = np.arange(len(tag))
    total = contribution.astype(np.float64, copy=False)
    several = np.flatnonzero(has_alias[tag])
    if len(several):
        sign = contribution[several] > 0
        key = (pair[several] * len(scale) + account.aliases_[tag[several]]) * 2 + sign
        n_items = account.n_items_[tag[several]]
        order = np.lexsort([-np.abs(contribution[several]), -n_items, key])
        is_first = np.diff(key[order], prepend=-1) != 0
        entry, leader = entry.copy(), leader.copy()
        leader[several[order]] = several[order[is_first]][np.cumsum(is_first) - 1]
        entry[several] = several[order]
        total = np.bincount(leader[entry], contribution[entry], minlength=len(tag))
        first = np.flatnonzero(leader == first)

    # What is left out still counts for what is large.
    moved, whose = total[first], pair[first]
    size = np.abs(moved)
    starts = np.flatnonzero(np.diff(whose, prepend=-1))
    largest = np.maximum.reduceat(size, starts) if len(starts) else size
    largest = np.repeat(largest, np.diff(starts, append=len(first)))
    moves = np.where(moved < 0, MOVES[1], MOVES[0]) * account.spread_[items[whose]]
    large = first[size >= np.maximum(SHARE * largest, moves)]
    of_scale = scale[tag[large]]
    liking = np.zeros(len(tag))
    liking[large] = tastes[users[pair[large]], tag[large]]
    liking[large] /= np.where(of_scale > 0, of_scale, np.inf)
    named = large[np.abs(liking[large]) >= LIKED]
    # Where no tags are one, a contribution is the total.
    keys = (total, contribution) if len(several) else (total,)
    named = named[_order(pair[named], *(-np.abs(key[named]) for key in keys))]

    # At most one speaks against, and none does where k is 1.
    against = total[named] < 0
    places, n_against = _places_of(pair[named], against, len(items))
    room = np.where(against, 1 if k > 1 else 0, k - np.minimum(n_against, 1 if k > 1 else 0))
    named = named[places < room]
    # Nearly in order: of that a stable sort is quick.
    named = named[np.argsort(2 * pair[named] + (total[named] < 0), kind="stable")]

    members = _members(named, leader, entry)
    return PairReasons(
        pair[named], tag[named], liking[named], total[named], tag[members[0]], members[1]
    )


def _order(pair: NDArray, *keys: NDArray) -> NDArray:
    """Return the order by pair, which is theirs already, then by keys, the first key first."""
    order = np.arange(len(pair))
    counts = np.bincount(pair)
    starts = np.cumsum(counts) - counts
    # Pairs of as many are sorted as the rows of a matrix: quicker than one long sort.
    for count in np.flatnonzero(np.bincount(counts)[2:]) + 2:
        at = starts[counts == count, np.newaxis] + np.arange(count)
        by_keys = np.lexsort([key[at] for key in reversed(keys)])
        order[at] = np.take_along_axis(at, by_keys, axis=1)
    return order


def _places_of(pair: NDArray, against: NDArray, n_pairs: int) -> tuple[NDArray, NDArray]:
    """Return each one's place among those of its pair and side, and how many are against."""
    n_against = np.bincount(pair[against], minlength=n_pairs)
    n_speaking = np.bincount(pair[~against], minlength=n_pairs)
    places = np.empty(len(pair), dtype=np.intp)
    for side, counts in ((against, n_against), (~against, n_speaking)):
        before = np.cumsum(counts) - counts
        places[side] = np.arange(np.count_nonzero(side)) - before[pair[side]]
    return places, n_against[pair]


def _members(named: NDArray, leader: NDArray, entry: NDArray) -> tuple[NDArray, NDArray]:
    """Return the entries that each reason is made of, the leading one first, and their bounds."""
    reason_of = np.full(len(leader), -1)
    reason_of[named] = np.arange(len(named))
    reason = reason_of[leader[entry]]
    kept = np.flatnonzero(reason >= 0)
    kept = kept[np.argsort(reason[kept], kind="stable")]
    counts = np.bincount(reason[kept], minlength=len(named))
    return entry[kept], np.concatenate([[0], np.cumsum(counts)])
