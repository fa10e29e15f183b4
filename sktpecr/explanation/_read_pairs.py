"""Pairs of user and item that somebody else listed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sktpecr._inputs._catalogue import Catalogue
from sktpecr._inputs._ids import Ids, plain
from sktpecr._inputs._tables import in_pandas
from sktpecr.explanation._some_users import GivenPairs


class Columns(NamedTuple):
    """What a table of pairs says; all of shape (n_pairs,), None where there is no such column."""

    users: NDArray  # Rows of the users
    items: NDArray  # Columns of the items
    ranks: NDArray | None
    scores: NDArray | None


def read_pairs(table: Any, catalogue: Catalogue, name: str) -> tuple[NDArray, GivenPairs]:
    """Return rows of the users, in order of appearance, and the items of each; `name` is said."""
    users, items, ranks, scores = columns_of(in_pandas(table), catalogue, name)
    if not len(users):
        raise ValueError(f"{name} must have at least one row, got none")
    check_once(users, items, catalogue, name)
    of_pair, rows = pd.factorize(users)
    order = np.argsort(of_pair, kind="stable")
    indptr = np.concatenate([[0], np.cumsum(np.bincount(of_pair, minlength=len(rows)))])
    ranks, scores = (None if each is None else each[order] for each in (ranks, scores))
    return np.asarray(rows), GivenPairs(indptr, items[order], ranks, scores)


def columns_of(table: Any, catalogue: Catalogue, name: str) -> Columns:
    """Return what a table says, checked."""
    missing = [each for each in ("user", "item") if each not in getattr(table, "columns", ())]
    if missing:
        raise ValueError(
            f"{name} must be a table with columns user and item, and score or rank if there are "
            f"such, or the path of Parquet files with these; it lacks {', '.join(missing)}"
        )
    users, items = _rows(table["user"], catalogue.users), _rows(table["item"], catalogue.items)
    ranks, scores = (_numbers(table, each, name) for each in ("rank", "score"))
    if ranks is not None:
        if (ranks != np.floor(ranks)).any() or (ranks < 1).any() or (ranks >= 2**31).any():
            raise ValueError(f"{name} must have whole numbers of at least 1 as ranks")
        ranks = ranks.astype(np.int32)
    return Columns(users, items, ranks, scores)


def check_once(users: NDArray, items: NDArray, catalogue: Catalogue, name: str) -> None:
    """Make sure that no pair comes twice."""
    twice = pd.Series(users * len(catalogue.items) + items).duplicated().to_numpy()
    if twice.any():
        first = int(np.argmax(twice))
        raise ValueError(
            f"{name} must have each pair once, got {int(twice.sum())} again, such as user "
            f"{catalogue.users[users[first]]!r} and item {catalogue.items[items[first]]!r}; "
            f"use drop_duplicates(['user', 'item'])"
        )


def _rows(column: pd.Series, ids: Ids) -> NDArray:
    """Return the row of each id, looked up once however often it comes."""
    codes, labels = pd.factorize(column, use_na_sentinel=False)
    return ids.rows(labels.tolist())[codes]


def _numbers(table: pd.DataFrame, column: str, name: str) -> NDArray | None:
    """Return a column of numbers, None if it is not there."""
    if column not in table.columns:
        return None
    numbers = pd.to_numeric(table[column], errors="coerce").to_numpy(np.float64, na_value=np.nan)
    if not np.isfinite(numbers).all():
        first = table[column].iloc[int(np.argmin(np.isfinite(numbers)))]
        raise ValueError(
            f"{name} must have a finite number as {column} in each row, got {plain(first)!r}"
        )
    return numbers
