"""What feedback did to a ranking: the paper's falling metrics, defined once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["falling_map", "falling_rank", "falling_recall", "list_overlap"]


def falling_map(before: ArrayLike, after: ArrayLike, relevant: ArrayLike, k: int = 1000) -> float:
    """Return by how much the average precision of some items fell.

    Parameters
    ----------
    before, after : array-like of shape (n_items,)
        Scores of all items before and after the feedback. Ties rank in order of position.
    relevant : array-like of int
        Positions of the items, such as those of a tag. Must not be empty.
    k : int, default=1000
        How much of the list counts.

    Returns
    -------
    float
        AP@k before minus AP@k after; negative means that the items went up.

    Notes
    -----
    F-MAP of section 4.2 of the paper [1]_: AP@k is the sum of the precisions at the ranks of the
    relevant items in the top k, divided by min(k, number of relevant items).

    References
    ----------
    .. [1] Xu et al., "A Tag-Based Post-Hoc Framework for Explainable Conversational
       Recommendation", ICTIR 2022.

    Examples
    --------
    >>> from sktpecr.metrics import falling_map
    >>> falling_map([3.0, 2.0, 1.0], [1.0, 2.0, 3.0], relevant=[2])
    -0.6666666666666667
    """
    first, second = ranking(before), ranking(after)
    return average_precision(first, relevant, k) - average_precision(second, relevant, k)


def falling_recall(
    before: ArrayLike, after: ArrayLike, relevant: ArrayLike, k: int = 1000
) -> float:
    """Return by how much the recall of some items fell.

    Parameters
    ----------
    before, after : array-like of shape (n_items,)
        Scores of all items before and after the feedback.
    relevant : array-like of int
        Positions of the items. Must not be empty.
    k : int, default=1000
        How much of the list counts.

    Returns
    -------
    float
        Recall@k before minus recall@k after; negative means that the items went up. Recall@k is
        the number of relevant items in the top k, divided by min(k, their number).

    Examples
    --------
    >>> from sktpecr.metrics import falling_recall
    >>> falling_recall([3.0, 2.0, 1.0], [1.0, 2.0, 3.0], relevant=[2], k=1)
    -1.0
    """
    return recall(ranking(before), relevant, k) - recall(ranking(after), relevant, k)


def falling_rank(before: ArrayLike, after: ArrayLike, item: int) -> int:
    """Return by how many places an item rose.

    Parameters
    ----------
    before, after : array-like of shape (n_items,)
        Scores of all items before and after the feedback.
    item : int
        Position of the item.

    Returns
    -------
    int
        Rank before minus rank after; positive means that the item went up. A rank is the number
        of items with a higher score.

    Examples
    --------
    >>> from sktpecr.metrics import falling_rank
    >>> falling_rank([3.0, 2.0, 1.0], [1.0, 2.0, 3.0], item=2)
    2
    """
    return rank(before, item) - rank(after, item)


def list_overlap(before: ArrayLike, after: ArrayLike, k: int = 1000) -> float:
    """Return which share of the top k stayed in it.

    Parameters
    ----------
    before, after : array-like of shape (n_items,)
        Scores of all items before and after the feedback.
    k : int, default=1000
        Length of the list; all items if there are fewer.

    Returns
    -------
    float
        Between 0 and 1.

    Examples
    --------
    >>> from sktpecr.metrics import list_overlap
    >>> list_overlap([3.0, 2.0, 1.0], [1.0, 2.0, 3.0], k=2)
    0.5
    """
    first, second = ranking(before)[:k], ranking(after)[:k]
    return len(np.intersect1d(first, second)) / len(first)


def ranking(scores: ArrayLike) -> NDArray:
    """Return the positions of all items, best first, ties in order of position."""
    return np.argsort(-np.asarray(scores), kind="stable")


def rank(scores: ArrayLike, item: int) -> int:
    """Return the number of items with a higher score than one item's."""
    scores = np.asarray(scores)
    return int(np.count_nonzero(scores > scores[item]))


def average_precision(ranked: ArrayLike, relevant: ArrayLike, k: int) -> float:
    """Return AP@k of items in a ranking, see :func:`falling_map`."""
    ranks, possible = _hits(ranked, relevant, k)
    return float(np.sum(np.arange(1, len(ranks) + 1) / (ranks + 1)) / possible)


def recall(ranked: ArrayLike, relevant: ArrayLike, k: int) -> float:
    """Return recall@k of items in a ranking, see :func:`falling_recall`."""
    ranks, possible = _hits(ranked, relevant, k)
    return len(ranks) / possible


def _hits(ranked: ArrayLike, relevant: ArrayLike, k: int) -> tuple[NDArray, int]:
    """Return 0-based ranks, ascending, of the relevant items in the top k, and the best count."""
    ranked, relevant = np.asarray(ranked), np.asarray(relevant)
    wanted = np.zeros(len(ranked), dtype=bool)
    if relevant.size:
        wanted[relevant] = True
    n_relevant = int(np.count_nonzero(wanted))
    if not n_relevant:
        raise ValueError("relevant must name at least one item, got none")
    return np.flatnonzero(wanted[ranked[:k]]), min(k, n_relevant)
