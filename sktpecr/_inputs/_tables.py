"""Tables and interactions as callers bring them, read in one way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from sktpecr._inputs._ids import plain


def in_pandas(table: Any, ids: str | None = None) -> Any:
    """Return a table of polars or pyarrow as one of pandas; anything else as it is."""
    if hasattr(table, "column_names") and hasattr(table, "to_pandas"):  # pyarrow
        frame = table.to_pandas()
        return frame.set_index(ids) if ids in frame.columns else frame
    if not hasattr(table, "get_columns") or hasattr(table, "index"):
        return table
    frame = pd.DataFrame({column.name: column.to_numpy() for column in table.get_columns()})
    return frame.set_index(ids) if ids in frame.columns else frame


def is_frame(data: Any) -> bool:
    """Tell whether data is a table with labelled rows and columns, as pandas has."""
    return hasattr(data, "columns") and hasattr(data, "index")


def frame_values(frame: Any) -> NDArray:
    """Return the values of a table, missing ones as NaN where all are numbers."""
    if not any(getattr(dtype, "kind", "O") == "c" for dtype in frame.dtypes):
        try:
            return frame.to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError):  # not numbers: the caller says so
            pass
    return frame.to_numpy()


def check_interactions(estimator: BaseEstimator, X: Any, reset: bool = True) -> sp.csr_matrix:
    """Check rows of interactions as scikit-learn does, and return them sparse."""
    X = in_pandas(X, ids="user")
    if is_frame(X) and (n_missing := int(X.isna().to_numpy().sum())):
        raise ValueError(
            f"X has {n_missing} missing values (NaN), as a pivot table has where nobody did "
            f"anything; these are zeros: X.fillna(0)"
        )
    _check_no_dates(X)
    _check_column_order(estimator, X, reset)
    X = validate_data(
        estimator, widened(X), accept_sparse="csr", dtype=[np.float64, np.float32], reset=reset
    )
    return canonical(sp.csr_matrix(X))


def widened(X: Any) -> Any:
    """Return a sparse matrix of small whole numbers as floats, of which sums do not overflow."""
    if sp.issparse(X) and X.dtype.kind in "iu" and X.format in ("coo", "csr", "csc"):
        return X.astype(np.float64)
    return X


def difference(some: list[Any], known: list[Any], unknown: str, others: str) -> tuple[str, bool]:
    """Say how ids differ from those that are known, and whether all of them are unknown."""
    kept = set(known)
    strangers = [label for label in some if plain(label) not in kept]
    if strangers:
        what = f"{len(strangers)} {unknown}, such as {strangers[0]!r}"
    elif len(known) != len(some):
        what = f"it has {len(known)} items, {others} has {len(some)}"
    else:
        what = "they are the same ids in another order"
    return what, len(strangers) == len(some)


def check_columns_of(frame: Any, labels: list[Any], what: str) -> None:
    """Make sure that a table has the columns of fit, in their order, whatever their labels are."""
    columns = list(frame.columns)
    if columns == labels:
        return
    said, strangers = difference(columns, labels, f"columns of {what} were not in it", what)
    way_out = "give both the same kind of ids" if strangers else f"use {what}.reindex(columns=...)"
    raise ValueError(f"the columns of {what} contradict those of fit: {said}; {way_out}")


def _check_column_order(estimator: Any, X: Any, reset: bool) -> None:
    if reset:
        estimator._columns = list(X.columns) if is_frame(X) else None
        return
    labels = getattr(estimator, "_columns", None)
    # Of text scikit-learn says so itself.
    if is_frame(X) and labels is not None and not all(isinstance(each, str) for each in labels):
        check_columns_of(X, labels, "X")


def _check_no_dates(X: Any) -> None:
    """Refuse dates and durations, which NumPy takes for large numbers."""
    types = X.dtypes.items() if is_frame(X) else [(None, getattr(X, "dtype", None))]
    for name, dtype in types:
        if getattr(dtype, "kind", "") in "mM" and dtype is not None:
            where = "" if name is None else f" in column {name!r}"
            raise ValueError(
                f"X must hold numbers, got {dtype}{where}: rows are users, columns are items, and "
                f"a date is neither; make interactions of a long table with "
                f"sktpecr.datasets.TaggedInteractions.from_frames"
            )


def canonical(X: sp.csr_matrix) -> sp.csr_matrix:
    """Return interactions with each pair once, and no stored zeros, which are none."""
    # The matrix may be the user's own: never work in place.
    if not X.has_canonical_format or (X.data == 0).any():
        X = X.copy()
        X.sum_duplicates()
        X.eliminate_zeros()
    return X
