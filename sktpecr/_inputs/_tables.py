"""Tables and interactions as callers bring them, read in one way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data


def in_pandas(table: Any, ids: str | None = None) -> Any:
    """Return a table without an index, as polars has, as one of pandas; anything else as it is."""
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
    X = validate_data(
        estimator, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=reset
    )
    return canonical(sp.csr_matrix(X))


def canonical(X: sp.csr_matrix) -> sp.csr_matrix:
    """Return interactions with each pair once, and no stored zeros, which are none."""
    # The matrix may be the user's own: never work in place.
    if not X.has_canonical_format or (X.data == 0).any():
        X = X.copy()
        X.sum_duplicates()
        X.eliminate_zeros()
    return X
