"""Lists of items, ranked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Scores of which one pass finds the best, so that the pass which sorts has less to do.
_GROUP = 16
# A pass that takes these out costs less than to look at what is behind more of them.
_LEFT_OUT = 8
# So many ranks are counted one by one; sorting everything takes as long as that.
_FEW = 16


def top_items(scores: NDArray, candidates: NDArray, n: int) -> NDArray:
    """Return the columns of the n best candidates, best first, ties in column order."""
    # `scores` (n_items,).
    n_left_out = len(scores) - int(np.count_nonzero(candidates))
    n_groups, n_ahead = len(scores) // _GROUP, n + n_left_out
    if n + n_left_out * _LEFT_OUT > n_groups:
        # Those left out would be ahead of too much.
        scores, n_ahead = np.where(candidates, scores, -np.inf), n
    # Everything that scores at least the n-th best, so that ties at the end stay stable.
    if n_left_out + n >= len(scores):
        columns = np.flatnonzero(candidates)
    elif n_ahead <= n_groups:
        # One score of each of so many groups is at least this, and so n candidates' are.
        best = scores[: n_groups * _GROUP].reshape(_GROUP, n_groups).max(axis=0)
        columns = np.flatnonzero(scores >= np.partition(best, -n_ahead)[-n_ahead])
        columns = columns[candidates[columns]]
    else:
        columns = np.flatnonzero(scores >= np.partition(scores, -n)[-n])
    return columns[np.argsort(-scores[columns], kind="stable")][:n]


def top_items_but(scores: NDArray, left_out: Sequence[NDArray], n: int) -> NDArray:
    """Return what ``top_items`` does, of all columns but some; quicker where these are few."""
    open_scores, n_groups = scores.copy(), len(scores) // _GROUP
    for columns in left_out:
        open_scores[columns] = -np.inf
    if n <= n_groups:
        best = open_scores[: n_groups * _GROUP].reshape(_GROUP, n_groups).max(axis=0)
        threshold = np.partition(best, -n)[-n]
        if threshold > -np.inf:
            columns = np.flatnonzero(open_scores >= threshold)
            return columns[np.argsort(-scores[columns], kind="stable")][:n]
    candidates = np.ones(len(scores), dtype=bool)
    for columns in left_out:
        candidates[columns] = False
    return top_items(scores, candidates, n)


def ranks_of(columns: NDArray, scores: NDArray, candidates: NDArray) -> NDArray:
    """Return the ranks of items among the candidates, from 1; ties count in column order."""
    # `scores` (n_items,).
    if len(columns) <= _FEW:
        # Of all items one pass, which leaves few where those asked for rank high.
        rivals = np.flatnonzero(scores >= scores[columns].min()) if len(columns) else columns
        rivals = rivals[candidates[rivals]]
        rival_scores, own = scores[rivals], scores[columns][:, np.newaxis]
        ahead = rival_scores > own
        ahead |= (rival_scores == own) & (rivals < columns[:, np.newaxis])
        return ahead.sum(axis=1, dtype=np.intp) + 1
    rivals = np.flatnonzero(candidates)
    rival_scores, own = np.sort(scores[rivals]), scores[columns]
    up_to = np.searchsorted(rival_scores, own, side="right")
    tied = up_to - np.searchsorted(rival_scores, own)
    ranks = len(rivals) - up_to + 1
    # Only where others than the item itself tie.
    for place in np.flatnonzero(tied > candidates[columns]):
        before = rivals[: np.searchsorted(rivals, columns[place])]
        ranks[place] += np.count_nonzero(scores[before] == own[place])
    return ranks.astype(np.intp)
