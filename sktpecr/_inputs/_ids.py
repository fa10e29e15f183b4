"""Raw ids of users, items and tags, and the rows they stand for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import fields
from itertools import islice
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sktpecr._inputs._near_ids import near_ids, of_another_type


class Ids:
    """Find rows by raw id, and say what is near when there is none."""

    def __init__(self, kind: str, labels: Iterable[Any] | None, n: int, parameter: str) -> None:
        self.kind = kind
        if labels is not None and not isinstance(labels, str):  # of which each letter is an id
            labels = check_list(labels, parameter, f"ids, one per {kind}", in_order=True)
        self.labels = _as_object_or_native(labels) if labels is not None else None
        if self.labels is not None:
            self.labels.flags.writeable = False  # whoever sorts them would move rows
        self.n = n
        self._rows: dict[Any, int] | None = None
        if self.labels is None:
            return
        if len(self.labels) != n:
            raise ValueError(
                f"{parameter} must have one id per {kind}: expected {n}, got {len(self.labels)}"
            )
        keys = self.labels.tolist()
        try:
            self._rows = dict(zip(keys, range(n), strict=True))
        except TypeError:
            raise ValueError(f"{parameter} must hold hashable ids") from None
        missing = missing_rows(self.labels)
        if len(missing):
            raise ValueError(
                f"{parameter} has {len(missing)} missing ids (None or NaN), the first in row "
                f"{missing[0]}; give every {kind} an id"
            )
        if len(self._rows) < n:
            twice = [key for key, count in Counter(keys).items() if count > 1]
            raise ValueError(
                f"{parameter} must be unique, got {len(twice)} duplicate ids: {listing(twice)}"
            )

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, row: int) -> Any:
        return row if self.labels is None else plain(self.labels[row])

    def __contains__(self, label: Any) -> bool:
        return self.find(label) is not None

    def array(self) -> NDArray:
        """Return the labels of all rows."""
        return np.arange(self.n) if self.labels is None else self.labels

    def row(self, label: Any) -> int:
        """Return the row of one label, or raise a ValueError that says what is near."""
        row = self.find(label)
        if row is None and self._rows is None:
            raise ValueError(self._no_row_number(label))
        if row is None:
            try:
                hash(label)
            except TypeError:
                raise ValueError(
                    f"expected one {self.kind} id, got {type(label).__name__}: {label!r:.80}"
                ) from None
            raise ValueError(f"unknown {self.kind} {label!r:.80}; {self._near(label)}")
        return row

    def find(self, label: Any) -> int | None:
        """Return the row of one label, None if there is none; what is near is not looked for."""
        if isinstance(label, np.ndarray) and label.ndim == 0:
            label = label.item()
        if self._rows is None:
            is_number = isinstance(label, Integral) and not isinstance(label, bool | np.bool_)
            return int(label) if is_number and 0 <= int(label) < self.n else None
        try:
            return None if self._is_foreign_bool(label) else self._rows.get(label)
        except TypeError:
            return None

    def rows(self, labels: Iterable[Any]) -> NDArray:
        """Return the rows of several labels."""
        listed = labels if isinstance(labels, np.ndarray) and labels.ndim == 1 else list(labels)
        # True equals 1, and would be taken for that id.
        if len(listed) and all(map(self._is_foreign_bool, listed[:1])):
            raise ValueError(
                f"expected {self.kind} ids, got a mask of True and False; pass the ids where it is "
                f"True: {self.kind}_ids[mask]"
            )
        found = self._rows_at_once(listed)
        if found is None:  # one by one: to say which is wrong, and why
            return np.fromiter((self.row(label) for label in listed), dtype=np.intp)
        return found

    def _rows_at_once(self, labels: Any) -> NDArray | None:
        """Return the rows without a word of Python per label, None if that cannot be."""
        if self._rows is None:
            kinds = () if isinstance(labels, np.ndarray) else set(map(type, labels))
            if any(not issubclass(kind, Integral) or kind is bool for kind in kinds):
                return None
            numbers = np.asarray(labels)
            if numbers.dtype.kind not in "iu" or not len(numbers):
                return None
            inside = int(numbers.min()) >= 0 and int(numbers.max()) < self.n
            return numbers.astype(np.intp) if inside else None
        try:
            keys = labels.tolist() if isinstance(labels, np.ndarray) else labels
            return np.fromiter(map(self._rows.__getitem__, keys), dtype=np.intp, count=len(keys))
        except (KeyError, TypeError):
            return None

    def _is_foreign_bool(self, label: Any) -> bool:
        """Tell whether a label is True or False where ids are not."""
        if not isinstance(label, bool | np.bool_):
            return False
        row = None if self._rows is None else self._rows.get(label)
        return row is None or not isinstance(self[row], bool)

    def _no_row_number(self, label: Any) -> str:
        if not isinstance(label, Integral) or isinstance(label, bool | np.bool_):
            return (
                f"no {self.kind} ids were given, so a {self.kind} is a whole row number from 0 to "
                f"{self.n - 1}; got {label!r:.80}"
            )
        return f"{self.kind} {label!r:.80} is out of range: row numbers go from 0 to {self.n - 1}"

    def _near(self, label: Any) -> str:
        rows = self._rows or {}
        key = of_another_type(label, rows)
        if key is not None:
            return f"did you mean {key!r} ({type(key).__name__}, not {type(label).__name__})?"
        if self.kind == "user":  # whoever asks for one person is told of no other
            return f"known are {len(rows)} users"
        close = near_ids(label, rows)
        if close:
            return f"did you mean {listing(close, 'or')}?"
        return f"known are {len(rows)} ids: {listing(list(islice(rows, 6)))}"


def check_list(given: Any, parameter: str, of: str, in_order: bool = False) -> Any:
    """Return several things that were given, or say that they must be a list."""
    if isinstance(given, str | bytes) or not hasattr(given, "__iter__"):
        raise ValueError(f"{parameter} must be a list of {of}, got {given!r:.80}")
    if in_order and isinstance(given, set | frozenset):
        raise ValueError(
            f"{parameter} must be a list of {of}, got a {type(given).__name__}, which has no order"
        )
    return given


def listing(labels: list[Any], last: str = "and", at_most: int = 5) -> str:
    shown = [f"{label!r:.80}" for label in labels[:at_most]]
    if len(labels) > at_most:
        return ", ".join(shown) + ", ..."
    return f" {last} ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]


def plain(label: Any) -> Any:
    """Return a numpy scalar as the Python object it stands for, anything else as it is."""
    return label.item() if isinstance(label, np.generic) else label


def plain_fields(record: Any) -> dict[str, Any]:
    """Return the fields of a dataclass as plain Python values; arrays become lists."""
    values = {
        each.name: getattr(record, each.name)
        for each in fields(record)
        if not each.name.startswith("_")
    }
    return {
        name: [plain(one) for one in value] if isinstance(value, np.ndarray) else plain(value)
        for name, value in values.items()
    }


def missing_rows(labels: NDArray) -> NDArray:
    """Return where labels are None, NaN or the like."""
    if labels.dtype.kind in "iuUSb":
        return np.empty(0, dtype=np.intp)
    return np.flatnonzero(pd.isna(labels))


def _as_object_or_native(labels: Iterable[Any]) -> NDArray:
    """Make a 1-d array of labels; tuples stay tuples, mixed types stay as they are."""
    if isinstance(labels, np.ndarray) and labels.ndim == 1:
        return labels.copy()
    # Of a million labels none is to cost a line of Python.
    to_list = getattr(labels, "tolist", getattr(labels, "to_list", None))
    listed = to_list() if to_list is not None else list(labels)
    kinds = set(map(type, listed))
    # Text of which each takes the room of the longest is not to cost more than it has letters.
    even = kinds == {str} and len(listed) * max(map(len, listed)) <= 4 * sum(map(len, listed))
    if kinds == {int} or even:
        native = np.asarray(listed)
        if native.dtype.kind in "iuU":  # whole numbers beyond 64 bits would turn into floats
            return native
    array = np.empty(len(listed), dtype=object)
    array[:] = listed
    return array
