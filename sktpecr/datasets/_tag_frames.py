"""Tables of items and tags, sparse where their cells are many."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
import scipy.sparse as sp

from sktpecr.datasets._long_tables import label_array

# 33 million cells: as whole numbers of 8 bits 33 MB, as float32 four times as much.
_DENSE_CELLS = 2**25


def to_frame(
    weights: sp.spmatrix, items: Iterable[Any], tags: Iterable[Any], *, sparse: bool | None = None
) -> pd.DataFrame:
    """Return weights as a table; its columns are sparse if asked, or by default if it is large."""
    # Not tupleized: an id or a tag that is a tuple is one label, not several levels.
    index = pd.Index(label_array(items), tupleize_cols=False)
    columns = pd.Index(label_array(tags), tupleize_cols=False)
    if sparse is None:
        sparse = len(index) * len(columns) > _DENSE_CELLS
    if sparse:
        sparse_frame: Any = pd.DataFrame.sparse  # which pandas-stubs do not know
        return sparse_frame.from_spmatrix(sp.csc_matrix(weights), index, columns)
    return pd.DataFrame(weights.toarray(), index, columns)


def is_sparse(frame: pd.DataFrame) -> bool:
    """Tell whether all columns are sparse."""
    return all(isinstance(dtype, pd.SparseDtype) for dtype in frame.dtypes)


def to_matrix(frame: Any) -> sp.csc_matrix:
    """Return the weights in a table, without a dense copy of a sparse one."""
    return sp.csc_matrix(frame.sparse.to_coo() if is_sparse(frame) else frame.to_numpy())
