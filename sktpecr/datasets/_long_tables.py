"""Columns of long tables, checked, and their raw ids turned into row numbers."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from contextlib import suppress
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from sktpecr._inputs._readable import check_readable
from sktpecr.datasets._near import nearest

# The row numbers of one column and the id that each number stands for.
Coded = tuple[NDArray, list[Any]]


def check_frame(frame: Any, table: str, one_row_per: str) -> None:
    """Raise unless the parameter `table` is a DataFrame with rows."""
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(
            f"{table} must be a DataFrame of pandas or polars with one row per {one_row_per}, got "
            f"{type(frame).__name__}; build one with pandas.DataFrame(...) or, from another "
            f"library's frame, with its to_pandas(), from a lazy one with its collect()"
        )
    if not len(frame):
        raise ValueError(
            f"{table} is empty; expected a DataFrame with one row per {one_row_per}, got no rows "
            f"(was everything filtered out?)"
        )


def take_column(frame: pd.DataFrame, name: Hashable, table: str, parameter: str) -> pd.Series:
    """Return one column of `frame`, or say which name it may have."""
    if not isinstance(name, Hashable):
        raise ValueError(f"{parameter} must be the name of a column, got {name!r:.80}")
    if name not in frame.columns:
        # "userId" is what people mean by "user" more often than the count of letters tells.
        longer = [each for each in frame.columns if str(name).casefold() in str(each).casefold()]
        close = nearest(name, frame.columns, 0.75)
        meant = longer[0] if close is None and longer else close
        listed = ", ".join(map(repr, frame.columns[:10]))
        way_out = (
            f"name the right one with {parameter}=..."
            if meant is None
            else f"did you mean {parameter}={meant!r}?"
        )
        raise ValueError(
            f"{table} has no column {name!r} (parameter {parameter}), only {listed}"
            f"{', ...' if len(frame.columns) > 10 else ''}; {way_out}"
        )
    column = frame[name]
    if column.ndim != 1:
        raise ValueError(
            f"{table} has {column.shape[1]} columns named {name!r} (parameter {parameter}), "
            f"expected one; rename the others"
        )
    return column


def encode(frame: pd.DataFrame, name: Hashable, table: str, parameter: str) -> Coded:
    """Give every id of a column a number, in the order of first appearance."""
    column = take_column(frame, name, table, parameter)
    try:
        # Arrays, because a Series of tuples would come back as a MultiIndex; and pandas's own one
        # of times, because NumPy's would come back as whole numbers.
        in_numpy = isinstance(column.dtype, np.dtype) and column.dtype.kind not in "mM"
        codes, uniques = pd.factorize(column.to_numpy() if in_numpy else column.array)
    except TypeError as error:
        raise ValueError(
            f"{table}[{name!r}] (parameter {parameter}) must hold hashable ids, such as numbers, "
            f"strings or tuples: {error}; give each its own row with .explode({name!r}), or turn "
            f"lists that are one id into tuples with .map(tuple)"
        ) from error
    missing = codes == -1
    if missing.any():
        raise ValueError(
            f"{table}[{name!r}] (parameter {parameter}) must not have missing ids, got "
            f"{int(missing.sum())} (None or NaN), the first in row {int(missing.argmax())}; drop "
            f"those rows with {table}.dropna(subset=[{name!r}])"
        )
    labels = uniques.tolist()
    if any(issubclass(kind, np.generic) for kind in set(map(type, labels))):
        labels = [_plain(label) for label in labels]
    return codes, labels


def take_numbers(frame: pd.DataFrame, name: Hashable, table: str, parameter: str) -> NDArray:
    """Return a column as finite float32."""
    column = take_column(frame, name, table, parameter)
    where = f"{table}[{name!r}] (parameter {parameter})"
    if not pd.api.types.is_numeric_dtype(column.dtype):
        raise ValueError(
            f"{where} must hold numbers, got dtype {column.dtype}; convert it with "
            f"pandas.to_numeric"
        )
    with np.errstate(over="ignore"):  # becomes infinite, which is refused below
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan).astype(np.float32)
    wrong = ~np.isfinite(numbers)
    if wrong.any():
        raise ValueError(
            f"{where} must be finite in float32, got {int(wrong.sum())} NaN or infinite, the first "
            f"in row {int(wrong.argmax())}; drop those rows or fill in what they should be"
        )
    return numbers


def take_weights(frame: pd.DataFrame, name: Hashable, table: str) -> NDArray:
    """Return the column of weights as finite float32 of at least 0."""
    weights = take_numbers(frame, name, table, "weight")
    negative = weights < 0
    if negative.any():
        raise ValueError(
            f"{table}[{name!r}] (parameter weight) must be at least 0, got {int(negative.sum())} "
            f"negative weights, the first in row {int(negative.argmax())}; clip them with "
            f".clip(lower=0)"
        )
    return weights


def merge(kind: str, *columns: Coded) -> tuple[list[Any], list[NDArray]]:
    """Return all ids, sorted where they compare, and the positions in them of every column."""
    labels = list(dict.fromkeys(chain.from_iterable(uniques for _, uniques in columns)))
    with suppress(TypeError):
        labels = sorted(labels)
    if set(map(type, labels)) == {int, float} and all(n % 1 == 0 for n in labels):
        labels = [int(label) for label in labels]  # a gap elsewhere made pandas turn ids to floats
    check_readable(kind, labels)
    # A dict, not an index: ids of different columns are equal when Python says that they are.
    position = dict(zip(labels, range(len(labels)), strict=True))
    codes = [
        np.fromiter(map(position.__getitem__, uniques), np.intp, len(uniques))[numbers]
        for numbers, uniques in columns
    ]
    return labels, codes


def matrix_of(
    rows: NDArray, columns: NDArray, values: NDArray, shape: tuple[int, int], add: bool
) -> tuple[sp.csr_matrix, int]:
    """Return the values of the pairs, added up or the last of each, and how many came again."""
    last = ~pd.Series(rows * shape[1] + columns).duplicated(keep="last").to_numpy()
    kept = slice(None) if add else last
    matrix = sp.csr_matrix((values[kept], (rows[kept], columns[kept])), shape=shape)
    matrix.eliminate_zeros()
    return matrix, int((~last).sum())


def label_array(labels: Iterable[Any]) -> NDArray:
    """Make a 1-d array of ids: of numbers if all are, else of the very objects."""
    labels = list(labels)
    kinds = set(map(type, labels))
    if len(kinds) == 1 and kinds <= {int, float}:
        return np.asarray(labels)
    # Strings too: an array of fixed width is as wide as the longest. And not an assignment to
    # array[:], which would look inside tuples.
    return np.fromiter(labels, dtype=object, count=len(labels))


def check_names(item_names: Any) -> dict[Any, str]:
    """Return the names that were given, "" where one is missing."""
    if item_names is None:
        return {}
    if not isinstance(item_names, Mapping | pd.Series):
        raise TypeError(
            f"item_names must map item ids to names, as a dict or a Series, got "
            f"{type(item_names).__name__}; make one with dict(zip(ids, names))"
        )
    names: dict[Any, str] = {
        _plain(key): "" if pd.isna(name) else str(name) for key, name in item_names.items()
    }
    if any(key is None or key is pd.NA or key != key for key in names):
        raise ValueError(
            "item_names must not have missing ids (None or NaN), got one; drop it from its keys"
        )
    return names


def check_common(known: Coded, given: Coded, table: str, others: str) -> None:
    """Raise if no id of `given` is among the known ones, the mark of ids of two kinds."""
    if set(known[1]).isdisjoint(given[1]):
        one, other = given[1][0], known[1][0]
        way_out = (
            "check that both speak of the same items"
            if type(one) is type(other)
            else f"bring both to one type, for example with .map({type(other).__name__})"
        )
        raise ValueError(
            f"{table} has no item id in common with {others}: expected ids such as {other!r} "
            f"({type(other).__name__}), got {one!r} ({type(one).__name__}); {way_out}"
        )


def _plain(label: Any) -> Any:
    """Turn a number or string of NumPy into Python's: both are equal, but only one is wanted."""
    return label.item() if isinstance(label, np.number | np.bool_ | np.str_) else label
