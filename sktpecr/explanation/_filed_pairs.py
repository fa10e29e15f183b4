"""Pairs of user and item in Parquet files, read when it is their turn."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sktpecr._inputs._catalogue import Catalogue
from sktpecr._utils._lazily import lazily
from sktpecr.explanation._read_pairs import Columns, check_once, columns_of, read_pairs
from sktpecr.explanation._some_users import GivenPairs


class _RowGroup(NamedTuple):
    """Rows that a Parquet file stores together: so many are in memory at a time."""

    path: Path
    number: int
    start: int  # Rows before it, in all files


class _LastOpened:
    """The file that was read last, open: what its footer says is read once, not for each group."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._path: Path | None = None
        self._file: Any = None

    def read(self, group: _RowGroup, catalogue: Catalogue) -> Columns:
        """Return the columns of a row group; others that the file has are not read."""
        if self._path != group.path:
            self._path, self._file = group.path, _opened(group.path, self.name)
        there = set(self._file.schema_arrow.names)
        columns = [each for each in ("user", "item", "rank", "score") if each in there]
        table = self._file.read_row_group(group.number, columns=columns).to_pandas()
        return columns_of(table, catalogue, self.name)

    def __getstate__(self) -> dict[str, Any]:
        # An open file goes to no other process: it is opened there.
        return {"name": self.name, "_path": None, "_file": None}


# Files are read twice: once to learn whose they are and to refuse what is wrong before any work is
# done, and once part by part. In between a few bytes for each user are kept, and none for a pair.
@dataclass(frozen=True, eq=False)
class FiledPairs:
    """Pairs in the order of the files, each user's one after another."""

    catalogue: Catalogue
    groups: list[_RowGroup]
    users: NDArray  # Rows of the users in order, shape (n_users,)
    indptr: NDArray  # Where the pairs of each user begin, and end, shape (n_users + 1,)
    fingerprint: str  # Of all that was read
    name: str  # Of the parameter, for messages

    @classmethod
    def read(cls, path: str | os.PathLike[str], catalogue: Catalogue, name: str) -> FiledPairs:
        """Read whose pairs are in a file, or in the files of a folder, and check every row."""
        groups = list(_row_groups(Path(path).absolute(), name))
        opened = _LastOpened(name)
        users, starts, hashes = [], [], []
        is_done = np.zeros(len(catalogue.users), dtype=bool)
        last, items_of_last = -1, np.empty(0, dtype=np.intp)
        for group in groups:
            read = opened.read(group, catalogue)
            hashes.append(joblib.hash(read))
            changes = np.flatnonzero(np.diff(read.users, prepend=last))
            own = read.users[changes]
            again = own[is_done[own] | pd.Series(own).duplicated().to_numpy()]
            if len(again):
                raise ValueError(
                    f"{name} in files must have the rows of each user one after another, and user "
                    f"{catalogue.users[again[0]]!r} comes again in {group.path.name}; sort the "
                    f"rows by user"
                )
            is_done[own] = True
            users.append(own)
            starts.append(changes + group.start)
            # A user's pairs may begin in one row group and go on in the next.
            carried = np.full(len(items_of_last), last)
            pair_users = np.concatenate([carried, read.users])
            pair_items = np.concatenate([items_of_last, read.items])
            check_once(pair_users, pair_items, catalogue, name)
            last = int(pair_users[-1])
            items_of_last = pair_items[pair_users == last]
        bounds = [*starts, np.array([groups[-1].start + len(read.users)])]
        whose, indptr = np.concatenate(users), np.concatenate(bounds)
        return cls(catalogue, groups, whose, indptr, joblib.hash(hashes), name)

    def of(self, block: slice) -> GivenPairs:
        """Return the pairs of some of the users."""
        start, stop, _ = block.indices(len(self.users))
        bounds = self.indptr[start : stop + 1]
        before = [group.start for group in self.groups]
        first = int(np.searchsorted(before, bounds[0], side="right")) - 1
        last = int(np.searchsorted(before, bounds[-1], side="left"))
        read = [self._group(number) for number in range(first, last)]
        own = slice(bounds[0] - before[first], bounds[-1] - before[first])
        _, items, ranks, scores = (_joined(column, own) for column in zip(*read, strict=True))
        return GivenPairs(bounds - bounds[0], items, ranks, scores)

    def _group(self, number: int) -> Columns:
        if self._latest.get("number") != number:
            read = self._opened.read(self.groups[number], self.catalogue)
            self._latest.update(number=number, read=read)
        return self._latest["read"]

    @lazily
    def _opened(self) -> _LastOpened:
        return _LastOpened(self.name)

    @lazily
    def _latest(self) -> dict[str, Any]:
        """The row group that was read last: the next part mostly goes on in it."""
        return {}


def pairs_of(
    source: Any, catalogue: Catalogue, name: str = "pairs"
) -> tuple[NDArray, GivenPairs | FiledPairs, Any]:
    """Return whose pairs are in a table or in files, the pairs, and what tells them from others."""
    if isinstance(source, str | os.PathLike):
        filed = FiledPairs.read(source, catalogue, name)
        return filed.users, filed, filed.fingerprint
    users, pairs = read_pairs(source, catalogue, name)
    return users, pairs, pairs


def _joined(columns: Any, own: slice) -> Any:
    """Return some rows of a column that lies in several row groups, None where there is none."""
    return None if columns[0] is None else np.concatenate(columns)[own]


def _row_groups(path: Path, name: str) -> Iterator[_RowGroup]:
    """Yield what the files hold, in order of their names."""
    files = [path]
    if path.is_dir():  # what begins with an underscore or a dot is no data, in any such folder
        files = sorted(each for each in path.glob("**/*.parquet") if each.name[0] not in "_.")
    start = 0
    for file in files:
        metadata = _opened(file, name).metadata
        for number in range(metadata.num_row_groups):
            if n_rows := metadata.row_group(number).num_rows:
                yield _RowGroup(file, number, start)
                start += n_rows
    if not start:
        raise ValueError(f"{name} must have at least one row, got none in Parquet files of {path}")


def _opened(path: Path, name: str) -> Any:
    try:
        parquet = import_module("pyarrow.parquet")
    except ImportError as error:  # not there, or made for another NumPy
        raise ImportError(
            f"{name} in files are Parquet, which needs pyarrow: pip install 'sktpecr[parquet]' "
            f"({error})"
        ) from error
    try:
        return parquet.ParquetFile(path)
    except (ValueError, OSError) as error:  # pyarrow's own errors are of these kinds
        raise ValueError(f"{name} must be a table or Parquet files, got {path}: {error}") from error
