"""Tables of other libraries, read as pandas has them."""

from __future__ import annotations

from typing import Any


def in_pandas(table: Any, ids: str | None = None) -> Any:
    """Return a table without an index, as polars has, as one of pandas; anything else as it is.

    Parameters
    ----------
    table : object
        Known by what it has, so that polars need not be there: ``get_columns()``, each with a
        name and ``to_numpy()``.
    ids : str, optional
        The column that becomes the index, if there is one of that name.

    Returns
    -------
    DataFrame or object
        A new table, or what was given.
    """
    if not hasattr(table, "get_columns") or hasattr(table, "index"):
        return table
    import pandas as pd

    frame = pd.DataFrame({column.name: column.to_numpy() for column in table.get_columns()})
    return frame.set_index(ids) if ids in frame.columns else frame
