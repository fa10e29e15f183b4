"""The same products of NumPy arrays and of torch tensors, by the array API standard."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

# scikit-learn's own copy: the array API needs no installation.
from sklearn.externals.array_api_compat import array_namespace as namespace_of
from sklearn.externals.array_api_compat import device as device_of
from sklearn.externals.array_api_compat import is_torch_array as is_tensor

# Fitted arrays where tensors were met, until the array itself goes.
_COPIES: dict[tuple[int, Any, Any], Any] = {}


def as_array(values: Any) -> Any:
    """Return a tensor as it is, and whatever else as a NumPy array."""
    return values if is_tensor(values) else np.asarray(values)


def beside(array: Any, other: Any) -> Any:
    """Return an array where the other is: on its device, floats in its precision."""
    if not is_tensor(other):
        return np.asarray(array)
    if is_tensor(array):
        same = array.is_floating_point() and other.is_floating_point()
        return array.to(device_of(other), other.dtype if same else array.dtype)
    array = np.asarray(array)
    xp, place = namespace_of(other), device_of(other)
    dtype = xp.int64
    if array.dtype.kind == "f":
        dtype = other.dtype if other.is_floating_point() else getattr(xp, array.dtype.name)
    key = id(array), dtype, place
    if key not in _COPIES:
        # A copy, as torch warns of memory that is read-only.
        _COPIES[key] = xp.asarray(array.copy(), dtype=dtype, device=place)
        weakref.finalize(array, _COPIES.pop, key, None)
    return _COPIES[key]


def repeated(values: Any, counts: Any) -> Any:
    """Return each value as often as its count says."""
    xp = namespace_of(values)
    # torch's name; the standard's came to scikit-learn's copy after version 1.7.
    return (xp.repeat_interleave if is_tensor(values) else xp.repeat)(values, counts)
