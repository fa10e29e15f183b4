"""Ratings by their time: who knows which films at first, and what feedback did for later ones."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from benchmarks.common.rows import Row, mean_row
from sktpecr._utils._ranking import ranks_of

STRENGTHS = (0.5, 1.0, 2.0)
# Windows of a user's ratings: the first, the middle, the last.
_ENDS = (0.70, 0.85)
# A film that too few first windows have is not known to the recommender.
_LEAST_RATINGS = 5
_DAY = 86400  # seconds
_WELL = 4.0
METRICS = ("log2 rank", "rose", "recall@100")
_LENGTH = 100


class Dates(NamedTuple):
    """Who rated which film in which window: ids, three sparse matrices, good later films."""

    users: NDArray
    items: NDArray
    first: sp.csr_matrix
    middle: sp.csr_matrix
    last: sp.csr_matrix
    well: sp.csr_matrix
    apart: NDArray


def windows(ratings: pd.DataFrame) -> pd.Series:
    """Return 0 for a rating among a user's first, 1 in the middle, 2 among the last.

    Ratings of the same second come in random order: that of the table is by film.
    """
    order = np.random.RandomState(0).permutation(len(ratings))
    ordered = ratings.iloc[order].sort_values(["user_id", "timestamp"], kind="stable")
    films = ordered.groupby("user_id")["item_id"]
    past = films.cumcount() / films.transform("size")
    return pd.Series(np.searchsorted(_ENDS, past, side="right"), ordered.index)[ratings.index]


def split(ratings: pd.DataFrame) -> Dates:
    """Return the windows of all users, of films that the first windows know well enough."""
    ratings = ratings.assign(window=windows(ratings))
    known = ratings.loc[ratings["window"] == 0, "item_id"].value_counts()
    kept = ratings[ratings["item_id"].isin(known.index[known >= _LEAST_RATINGS])]
    users, items = np.unique(ratings["user_id"]), np.unique(kept["item_id"])

    def matrix(some: pd.DataFrame) -> sp.csr_matrix:
        at = np.searchsorted(users, some["user_id"]), np.searchsorted(items, some["item_id"])
        ones = np.ones(len(some), dtype=np.float32)
        return sp.csr_matrix((ones, at), shape=(len(users), len(items)))

    of = [kept[kept["window"] == window] for window in range(3)]
    time = ratings.groupby(["user_id", "window"])["timestamp"].agg(["min", "max"]).unstack()
    apart = time["min"][2] - time["max"][0] >= _DAY
    well = kept[(kept["window"] > 0) & (kept["rating"] >= _WELL)]
    return Dates(users, items, *map(matrix, (*of, well)), apart.to_numpy())


def item_tags(pairs: pd.DataFrame, items: NDArray) -> pd.DataFrame:
    """Return which of the items have which tags, as the explainer takes it."""
    return pd.crosstab(pairs["item_id"], pairs["tag"]).clip(upper=1).reindex(items, fill_value=0)


def gain(before: NDArray, after: NDArray, candidates: NDArray, wanted: NDArray) -> list[float]:
    """Return what feedback did for films: doublings of rank, share that rose, recall."""
    old, new = (ranks_of(wanted, scores, candidates) for scores in (before, after))
    recall = [np.mean(ranks <= _LENGTH) for ranks in (old, new)]
    return [float(np.log2(old / new).mean()), float(np.mean(new < old)), recall[1] - recall[0]]


def gains(refiner: Any, kind: str, tags: Any, users: Any, judged: Any) -> NDArray:
    """Return gains of shape (n_users, n_tags, n_strengths, n_metrics)."""
    return np.array(
        [
            [
                [
                    gain(each.scores_before, each.scores, *films)
                    for each in refiner.sweep(**user, **{kind: tag}, strengths=STRENGTHS)
                ]
                for tag in some
            ]
            for user, some, films in zip(users, tags, judged, strict=True)
        ]
    )


def means(name: str, what: str, gained: NDArray) -> list[Row]:
    """Return a row for each metric, from gains of shape (n_users, n_metrics)."""
    return [
        mean_row(name, metric + what, each) for metric, each in zip(METRICS, gained.T, strict=True)
    ]
