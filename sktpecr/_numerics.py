"""What is a number, and what is only rounding."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# A spread below this many roundings of the values themselves is rounding, not a spread.
_ROUNDINGS = 16


def spread(values: NDArray, dtype: Any) -> NDArray:
    """Return the standard deviation of each column, 0 where it is only rounding.

    Parameters
    ----------
    values : ndarray of shape (n, n_columns)
        Values.
    dtype : dtype
        The precision they were computed in.

    Returns
    -------
    ndarray of shape (n_columns,)
        Standard deviations.
    """
    std = values.std(axis=0)
    rounding = _ROUNDINGS * np.finfo(dtype).eps * np.abs(values).max(axis=0)
    return np.where(std > rounding, std, 0.0)
