"""What feedback did to a ranking, and whether reasons hold: every metric, defined once."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

__all__ = [
    "falling_map",
    "falling_rank",
    "falling_recall",
    "list_overlap",
    "sign_sense",
    "claims_true",
    "tags_on_item",
    "same_top_tag",
    "contribution_stability",
    "lowered_in_list",
]

# Of fewer tags an order says little.
_FEWEST_ORDERED = 3


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
    (first, second), k = map(ranking, _scores(before, after)), _length(k)
    relevant = _places(relevant, len(first), "relevant")
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
    (first, second), k = map(ranking, _scores(before, after)), _length(k)
    relevant = _places(relevant, len(first), "relevant")
    return recall(first, relevant, k) - recall(second, relevant, k)


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
    first, second = _scores(before, after)
    place = int(_places([item], len(first), "item")[0])
    return rank(first, place) - rank(second, place)


def list_overlap(before: ArrayLike, after: ArrayLike, k: int = 1000) -> float:
    """Return the share of the top k that stayed in it.

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
    k = _length(k)
    first, second = (ranking(scores)[:k] for scores in _scores(before, after))
    return len(np.intersect1d(first, second)) / len(first)


def sign_sense(contributions: ArrayLike, likings: ArrayLike) -> float:
    """Return the share of reasons that have the sign of the liking that they state.

    Parameters
    ----------
    contributions : array-like of shape (n_reasons,)
        What each tag named did to a score.
    likings : array-like of shape (n_reasons,)
        How the user stands to the tag, against the population.

    Returns
    -------
    float
        Between 0 and 1; NaN of no reasons. A reason without a sign has not that of anything.

    Examples
    --------
    >>> from sktpecr.metrics import sign_sense
    >>> sign_sense([0.2, -0.1], [1.0, 0.5])
    0.5
    """
    first, second = _alike(contributions, likings, "contributions", "likings")
    return _share(first * second > 0)


def claims_true(likings: ArrayLike, shares: ArrayLike, expected: ArrayLike) -> float:
    """Return the share of stated likings that the users' own histories confirm.

    Parameters
    ----------
    likings : array-like of shape (n_claims,)
        Positive where a user is said to like a tag more than most, negative where less.
    shares : array-like of shape (n_claims,)
        Share of the tag in the user's own history.
    expected : array-like of shape (n_claims,)
        The same share in the history of the average user.

    Returns
    -------
    float
        Share of claims with a lift, shares / expected, above 1 where more is claimed, and below 1
        where less is; NaN of no claims.

    Examples
    --------
    >>> from sktpecr.metrics import claims_true
    >>> claims_true([1.0, -0.5, 0.7], [0.4, 0.1, 0.1], [0.2, 0.2, 0.2])
    0.6666666666666666
    """
    liked, shares = _alike(likings, shares, "likings", "shares")
    shares, usual = _alike(shares, expected, "shares", "expected")
    return _share(liked * (shares - usual) > 0)


def tags_on_item(item_tags: sp.csr_matrix, items: ArrayLike, tags: ArrayLike) -> float:
    """Return the share of named tags that the item has.

    Parameters
    ----------
    item_tags : sparse matrix of shape (n_items, n_tags)
        Which tags are on which item.
    items, tags : array-like of int, shape (n_reasons,)
        Rows and columns of `item_tags`.

    Returns
    -------
    float
        Between 0 and 1; NaN of no reasons.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from sktpecr.metrics import tags_on_item
    >>> tags_on_item(sp.csr_matrix([[1, 0], [0, 1]]), items=[0, 1], tags=[0, 0])
    0.5
    """
    rows, columns = _alike(items, tags, "items", "tags")
    if not len(rows):
        return float("nan")
    matrix = _sparse(item_tags, "item_tags")
    rows = _places(rows, matrix.shape[0], "items")
    found = matrix[rows, _places(columns, matrix.shape[1], "tags")]
    return _share(np.asarray(found).ravel() > 0)


def same_top_tag(first: sp.csr_matrix, second: sp.csr_matrix) -> float:
    """Return how often two trainings of a model agree on the first tag for an item.

    Parameters
    ----------
    first, second : sparse matrix of shape (n_pairs, n_tags)
        Contributions of tags to the scores of the same pairs of user and item.

    Returns
    -------
    float
        Share of the pairs with a positive contribution in `first`; NaN where there is none.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from sktpecr.metrics import same_top_tag
    >>> first, second = sp.csr_matrix([[2.0, 1.0], [1.0, 2.0]]), sp.csr_matrix([[3.0, 1.0]] * 2)
    >>> same_top_tag(first, second)
    0.5
    """
    tops = []
    for each in _same_pairs(first, second):
        best = np.asarray(each.argmax(axis=1)).ravel()
        has = each.max(axis=1).toarray().ravel() > 0
        tops.append(np.where(has, best, -1))
    return _share((tops[0] == tops[1])[tops[0] >= 0])


def contribution_stability(first: sp.csr_matrix, second: sp.csr_matrix) -> float:
    """Return how similarly two trainings of a model order the contributions to a score.

    Parameters
    ----------
    first, second : sparse matrix of shape (n_pairs, n_tags)
        Contributions of tags to the scores of the same pairs of user and item; tags that neither
        stores for a pair do not count.

    Returns
    -------
    float
        Mean Spearman correlation over the pairs with at least three tags that are not all equal;
        NaN where there are none.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> from sktpecr.metrics import contribution_stability
    >>> round(contribution_stability(sp.csr_matrix([[3.0, 2, 1]]), sp.csr_matrix([[9.0, 1, 0]])), 2)
    1.0
    """
    found = []
    one, other = _same_pairs(first, second)
    for row in range(one.shape[0]):
        parts = [each.indices[each.indptr[row] : each.indptr[row + 1]] for each in (one, other)]
        tags = np.union1d(*parts)
        if len(tags) < _FEWEST_ORDERED:
            continue
        ranks = [rankdata(each[row, tags].toarray().ravel()) for each in (one, other)]
        if np.ptp(ranks[0]) > 0 and np.ptp(ranks[1]) > 0:
            found.append(float(np.corrcoef(ranks[0], ranks[1])[0, 1]))
    return float(np.mean(found)) if found else float("nan")


def lowered_in_list(before: ArrayLike, after: ArrayLike, item: int, others: ArrayLike) -> bool:
    """Return whether an item fell against the others of a list.

    Parameters
    ----------
    before, after : array-like of shape (n_items,)
        Scores of all items before and after the feedback.
    item : int
        Position of the item.
    others : array-like of int
        Positions of the list's other items. Must not be empty.

    Returns
    -------
    bool
        Whether its score changed by less than theirs on average, less in the sense of downwards.

    Examples
    --------
    >>> from sktpecr.metrics import lowered_in_list
    >>> lowered_in_list([3.0, 2.0, 1.0], [2.0, 1.5, 1.0], item=0, others=[1, 2])
    True
    """
    first, second = _scores(before, after)
    places = _places(others, len(first), "others")
    if not places.size:
        raise ValueError("others must name at least one item of the list, got none")
    changes = second.astype(np.float64) - first.astype(np.float64)
    return bool(changes[_places([item], len(first), "item")[0]] < changes[places].mean())


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


def _share(holds: NDArray) -> float:
    return float(np.mean(holds)) if len(holds) else float("nan")


def _scores(before: ArrayLike, after: ArrayLike) -> tuple[NDArray, NDArray]:
    """Return two arrays of scores of the same items, or say that they are not."""
    first, second = _array(before), _array(after)
    if first.ndim != 1 or first.shape != second.shape or not first.size:
        raise ValueError(
            f"before and after must have one score for each item, got shapes {first.shape} and "
            f"{second.shape}"
        )
    for name, scores in (("before", first), ("after", second)):
        if scores.dtype.kind not in "biuf":
            raise ValueError(f"{name} must hold numbers, got dtype {scores.dtype}")
    return first, second


def _places(places: ArrayLike, n: int, name: str) -> NDArray:
    """Return positions below n, or a mask of n as positions, or say that they are neither."""
    found = _array(places)
    if found.dtype.kind == "b" and found.shape == (n,):
        return np.flatnonzero(found)
    if not found.size and found.ndim == 1:
        return np.empty(0, dtype=np.intp)
    if found.ndim != 1 or found.dtype.kind not in "iu" or found.min() < -n or found.max() >= n:
        raise ValueError(f"{name} must hold positions from 0 to {n - 1}, got {places!r:.80}")
    return found.astype(np.intp)


def _length(k: Any) -> int:
    if not isinstance(k, Integral) or isinstance(k, bool) or int(k) < 1:
        raise ValueError(f"k must be a whole number of at least 1, got {k!r:.80}")
    return int(k)


def _array(values: ArrayLike) -> NDArray:
    try:
        return np.asarray(values)
    except ValueError:  # rows of several lengths
        return np.empty((), dtype=object)


def _sparse(matrix: Any, name: str) -> sp.csr_matrix:
    if not sp.issparse(matrix) and _array(matrix).dtype.kind not in "biuf":
        raise ValueError(f"{name} must be a sparse matrix, got {type(matrix).__name__}")
    if not sp.issparse(matrix) and _array(matrix).ndim != 2:
        raise ValueError(f"{name} must have two dimensions, got shape {_array(matrix).shape}")
    return sp.csr_matrix(matrix)


def _alike(
    first: ArrayLike, second: ArrayLike, first_name: str, second_name: str
) -> tuple[NDArray, NDArray]:
    """Return two arrays of numbers, one for each reason, or say that they are not."""
    one, other = _array(first), _array(second)
    if (
        one.ndim != 1
        or one.shape != other.shape
        or {one.dtype.kind, other.dtype.kind} - set("biuf")
    ):
        raise ValueError(
            f"{first_name} and {second_name} must have one number for each reason, got shapes "
            f"{one.shape} and {other.shape}"
        )
    return one, other


def _same_pairs(first: sp.csr_matrix, second: sp.csr_matrix) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    first, second = _sparse(first, "first"), _sparse(second, "second")
    if first.shape != second.shape:
        raise ValueError(
            f"first and second must be of the same pairs and tags, got shapes {first.shape} and "
            f"{second.shape}"
        )
    return first, second


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
