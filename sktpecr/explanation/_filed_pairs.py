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
from sktpecr.explanation._read_pairs import Columns, check_once, columns_of
from sktpecr.explanation._some_users import GivenPairs


class _RowGroup(NamedTuple):
    """Rows that a Parquet file stores together: so many are in memory at a time."""

    path: Path
    number: int
    start: int  # Rows before it, in all files


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

    @classmethod
    def read(cls, path: str | os.PathLike[str], catalogue: Catalogue) -> FiledPairs:
        """Read whose pairs are in a file, or in the files of a folder, and check every row."""
        groups = list(_row_groups(Path(path).absolute()))
        users, starts, hashes = [], [], []
        is_done = np.zeros(len(catalogue.users), dtype=bool)
        last, items_of_last = -1, np.empty(0, dtype=np.intp)
        for group in groups:
            read = _read(group, catalogue)
            hashes.append(joblib.hash(read))
            changes = np.flatnonzero(np.diff(read.users, prepend=last))
            own = read.users[changes]
            again = own[is_done[own] | pd.Series(own).duplicated().to_numpy()]
            if len(again):
                raise ValueError(
                    f"pairs in files must have the rows of each user one after another, and user "
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
            check_once(pair_users, pair_items, catalogue)
            last = int(pair_users[-1])
            items_of_last = pair_items[pair_users == last]
        bounds = [*starts, np.array([groups[-1].start + len(read.users)])]
        return cls(
            catalogue, groups, np.concatenate(users), np.concatenate(bounds), joblib.hash(hashes)
        )

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
            self._latest.update(number=number, read=_read(self.groups[number], self.catalogue))
        return self._latest["read"]

    @lazily
    def _latest(self) -> dict[str, Any]:
        """The row group that was read last: the next part mostly goes on in it."""
        return {}


def _joined(columns: Any, own: slice) -> Any:
    """Return some rows of a column that lies in several row groups, None where there is none."""
    return None if columns[0] is None else np.concatenate(columns)[own]


def _row_groups(path: Path) -> Iterator[_RowGroup]:
    """Yield what the files hold, in order of their names."""
    files = [path]
    if path.is_dir():  # what begins with an underscore or a dot is no data, in any such folder
        files = sorted(each for each in path.glob("**/*.parquet") if each.name[0] not in "_.")
    start = 0
    for file in files:
        metadata = _opened(file).metadata
        for number in range(metadata.num_row_groups):
            if n_rows := metadata.row_group(number).num_rows:
                yield _RowGroup(file, number, start)
                start += n_rows
    if not start:
        raise ValueError(f"pairs must have at least one row, got none in Parquet files of {path}")


def _opened(path: Path) -> Any:
    try:
        parquet = import_module("pyarrow.parquet")
    except ImportError as error:  # not there, or made for another NumPy
        raise ImportError(
            f"pairs in files are Parquet and need pyarrow: pip install 'sktpecr[parquet]' ({error})"
        ) from error
    try:
        return parquet.ParquetFile(path)
    except (ValueError, OSError) as error:  # pyarrow's own errors are of these kinds
        raise ValueError(f"pairs must be a table or Parquet files, got {path}: {error}") from error


def _read(group: _RowGroup, catalogue: Catalogue) -> Columns:
    """Return the columns of a row group; others that the file has are not read."""
    file = _opened(group.path)
    names = [name for name in ("user", "item", "rank", "score") if name in file.schema_arrow.names]
    return columns_of(file.read_row_group(group.number, columns=names).to_pandas(), catalogue)
