"""Lists of items, ranked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Scores of which one pass finds the best, so that the pass which sorts has less to do.
_GROUP = 16


def top_items(scores: NDArray, candidates: NDArray, n: int) -> NDArray:
    """Return the columns of the n best candidates, best first, ties in column order."""
    # `scores` (n_items,).
    n_left_out = len(scores) - np.count_nonzero(candidates)
    n_groups, n_ahead = len(scores) // _GROUP, n + n_left_out
    # Everything that scores at least the n-th best, so that ties at the end stay stable.
    if n_ahead >= len(scores):
        columns = np.flatnonzero(candidates)
    elif n_ahead <= n_groups:
        # One score of each of so many groups is at least this, and so n candidates' are.
        best = scores[: n_groups * _GROUP].reshape(_GROUP, n_groups).max(axis=0)
        columns = np.flatnonzero(scores >= np.partition(best, -n_ahead)[-n_ahead])
        columns = columns[candidates[columns]]
    else:
        allowed = np.where(candidates, scores, -np.inf)
        columns = np.flatnonzero(allowed >= np.partition(allowed, -n)[-n])
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
    rivals = np.flatnonzero(candidates)
    rival_scores = np.sort(scores[rivals])
    ahead = len(rivals) - np.searchsorted(rival_scores, scores[columns], side="right")
    tied = ahead + [
        np.count_nonzero(scores[rivals[: np.searchsorted(rivals, column)]] == scores[column])
        for column in columns
    ]
    return np.asarray(tied, dtype=np.intp) + 1
