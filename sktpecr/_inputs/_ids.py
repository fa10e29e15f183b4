"""Raw ids of users, items and tags, and the rows they stand for."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable
from dataclasses import fields
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

# Looking for near matches is for a person who mistyped, and must not take minutes.
_MAX_SUGGESTION_POOL = 20_000


class Ids:
    """Find rows by raw id, and say what is near when there is none."""

    def __init__(self, kind: str, labels: Iterable[Any] | None, n: int, parameter: str) -> None:
        self.kind = kind
        if labels is not None and not hasattr(labels, "__iter__"):
            raise ValueError(f"{parameter} must be a list of ids, one per {kind}, got {labels!r}")
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
        try:
            return self._rows is not None and label in self._rows
        except TypeError:
            return False

    def array(self) -> NDArray:
        """Return the labels of all rows."""
        return np.arange(self.n) if self.labels is None else self.labels

    def row(self, label: Any) -> int:
        """Return the row of one label, or raise a ValueError that says what is near."""
        if isinstance(label, np.ndarray) and label.ndim == 0:
            label = label.item()
        if self._rows is None:
            return self._row_number(label)
        try:
            row = None if self._is_foreign_bool(label) else self._rows.get(label)
        except TypeError:
            raise ValueError(
                f"expected one {self.kind} id, got {type(label).__name__}: {label!r:.80}"
            ) from None
        if row is None:
            raise ValueError(f"unknown {self.kind} {label!r}; {self._near(label)}")
        return row

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
        return not any(isinstance(key, bool) and key == label for key in self._rows or ())

    def _row_number(self, label: Any) -> int:
        if not isinstance(label, Integral) or isinstance(label, bool | np.bool_):
            raise ValueError(
                f"no {self.kind} ids were given, so a {self.kind} is a whole row number from 0 to "
                f"{self.n - 1}; got {label!r}"
            )
        if not 0 <= int(label) < self.n:
            raise ValueError(
                f"{self.kind} {label!r} is out of range: row numbers go from 0 to {self.n - 1}"
            )
        return int(label)

    def _near(self, label: Any) -> str:
        keys = list(self._rows or ())
        text = str(label)
        as_other_type = [key for key in keys if str(key) == text]
        if as_other_type:
            key = as_other_type[0]
            return f"did you mean {key!r} ({type(key).__name__}, not {type(label).__name__})?"
        if self.kind == "user":  # whoever asks for one person is told of no other
            return f"known are {len(keys)} users"
        pool = {str(key).casefold(): key for key in keys[:_MAX_SUGGESTION_POOL]}
        close = difflib.get_close_matches(text.casefold(), pool, n=3, cutoff=0.6)
        if close:
            return f"did you mean {listing([pool[match] for match in close], 'or')}?"
        return f"known are {len(keys)} ids: {listing(keys)}"


def listing(labels: list[Any], last: str = "and", at_most: int = 5) -> str:
    shown = [repr(label) for label in labels[:at_most]]
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
    if len(kinds) == 1 and kinds <= {int, str}:
        native = np.asarray(listed)
        if native.dtype.kind in "iuU":  # whole numbers beyond 64 bits would turn into floats
            return native
    array = np.empty(len(listed), dtype=object)
    array[:] = listed
    return array
