"""Pairs of user and item that somebody else listed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sktpecr._inputs._catalogue import Catalogue
from sktpecr._inputs._ids import plain
from sktpecr._inputs._tables import in_pandas
from sktpecr.explanation._some_users import GivenPairs


def read_pairs(table: Any, catalogue: Catalogue) -> tuple[NDArray, GivenPairs]:
    """Return rows of the users, in order of appearance, and what each is to be explained."""
    table = in_pandas(table)
    missing = [name for name in ("user", "item") if name not in getattr(table, "columns", ())]
    if missing:
        raise ValueError(
            f"pairs must be a DataFrame with columns user and item, and score or rank if there are "
            f"such; it lacks {', '.join(missing)}"
        )
    if not len(table):
        raise ValueError("pairs must have at least one row, got none")
    users = catalogue.users.rows(table["user"].tolist())
    items = catalogue.items.rows(table["item"].tolist())
    of_pair, rows = pd.factorize(users)
    order = np.argsort(of_pair, kind="stable")
    key = of_pair * len(catalogue.items) + items
    twice = pd.Series(key).duplicated().to_numpy()
    if twice.any():
        first = int(np.argmax(twice))
        raise ValueError(
            f"pairs must have each pair once, got {int(twice.sum())} again, such as user "
            f"{catalogue.users[users[first]]!r} and item {catalogue.items[items[first]]!r}; "
            f"use drop_duplicates(['user', 'item'])"
        )
    indptr = np.concatenate([[0], np.cumsum(np.bincount(of_pair, minlength=len(rows)))])
    ranks, scores = (_numbers(table, name) for name in ("rank", "score"))
    if ranks is not None:
        if (ranks != np.floor(ranks)).any() or (ranks < 1).any() or (ranks >= 2**31).any():
            raise ValueError("pairs must have whole numbers of at least 1 as ranks")
        ranks = ranks[order].astype(np.int32)
    return np.asarray(rows), GivenPairs(
        indptr, items[order], ranks, None if scores is None else scores[order]
    )


def _numbers(table: pd.DataFrame, name: str) -> NDArray | None:
    """Return a column of numbers, None if it is not there."""
    if name not in table.columns:
        return None
    numbers = pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64, na_value=np.nan)
    if not np.isfinite(numbers).all():
        first = table[name].iloc[int(np.argmin(np.isfinite(numbers)))]
        raise ValueError(
            f"pairs must have a finite number as {name} in each row, got {plain(first)!r}"
        )
    return numbers
