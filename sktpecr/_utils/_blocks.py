"""Rows of arrays that may be larger than memory, some at a time."""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

# 16 MB in single precision.
_NUMBERS_A_BLOCK = 2**22


def blocks(array: NDArray) -> Iterator[NDArray]:
    """Yield an array's rows, so many at a time that what is computed from them has room."""
    size = max(1, _NUMBERS_A_BLOCK // max(1, math.prod(array.shape[1:])))
    for start in range(0, len(array), size):
        yield array[start : start + size]
        let_go(array)


def taken(array: NDArray, mask: NDArray) -> NDArray:
    """Return the rows of an array where a mask is true, as ``array[mask]`` does."""
    found = np.empty((np.count_nonzero(mask), *array.shape[1:]), dtype=array.dtype)
    start = n_found = 0
    for block in blocks(array):
        some = block[mask[start : start + len(block)]]
        found[n_found : n_found + len(some)] = some
        start, n_found = start + len(block), n_found + len(some)
    return found


def let_go(array: NDArray) -> None:
    """Give back the memory of what was read of a file; nothing happens to other arrays."""
    base: Any = array
    while base is not None and not isinstance(base, mmap.mmap):
        base = getattr(base, "base", None)
    # Of a map that can be written to, what was written and not saved would be lost.
    if base is not None and hasattr(base, "madvise") and memoryview(base).readonly:
        base.madvise(mmap.MADV_DONTNEED)
