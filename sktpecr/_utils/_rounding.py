"""What is a number, and what is only rounding."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# A spread below this many roundings of the values themselves is rounding, not a spread.
ROUNDINGS = 16
_NUMBERS_A_BLOCK = 2**22


def spread(values: NDArray, dtype: Any) -> NDArray:
    """Return the standard deviation of each column, 0 where it is only rounding."""
    # `values` (n, n_columns); returns (n_columns,).
    # Some columns at a time: all at once would need their memory three times more.
    step = max(1, _NUMBERS_A_BLOCK // len(values))
    if values.ndim > 1 and values.shape[1] > step:
        parts = range(0, values.shape[1], step)
        return np.concatenate([spread(values[:, part : part + step], dtype) for part in parts])
    # From the first row on: the mean of many equal numbers is not quite that number.
    std = (values - values[0]).std(axis=0)
    rounding = ROUNDINGS * np.finfo(dtype).eps * np.abs(values).max(axis=0)
    return np.where(std > rounding, std, 0.0)


def deviation(values: NDArray) -> float:
    """Return the standard deviation of one row of numbers, in half the time of std."""
    apart = values.astype(np.float64)
    apart -= apart.mean()
    return float(np.sqrt(apart @ apart / len(apart)))


def square_root(covariance: NDArray) -> NDArray:
    """Return R with R R^T = covariance, which may be singular."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0.0))


def check_generation(
    tag_preferences: ArrayLike, embeddings: ArrayLike, n_tags: int, n_factors: int
) -> tuple[NDArray, NDArray]:
    """Return what a generator is given as rows of numbers, or say what does not fit."""
    # `tag_preferences` (n, n_tags); `embeddings` (n, n_factors).
    wanted = np.asarray(tag_preferences)
    dtype = np.float32 if wanted.dtype == np.float32 else np.float64
    wanted, own = wanted.astype(dtype, copy=False), np.asarray(embeddings, dtype=dtype)
    if wanted.ndim != 2 or wanted.shape[1] != n_tags:
        raise ValueError(
            f"tag_preferences must have {n_tags} columns, one per tag of fit; got shape "
            f"{wanted.shape}"
        )
    if own.shape == (1, n_factors):
        own = np.broadcast_to(own, (len(wanted), n_factors))
    if own.shape != (len(wanted), n_factors):
        raise ValueError(
            f"embeddings must have one row per row of tag_preferences, or one row for all, and "
            f"{n_factors} columns, shape ({len(wanted)}, {n_factors}); got {own.shape}"
        )
    if not (np.isfinite(wanted).all() and np.isfinite(own).all()):
        raise ValueError("tag_preferences and embeddings must be finite, got NaN or infinity")
    return wanted, own


def check_hidden_dims(hidden_dims: Sequence[int]) -> None:
    """Make sure that widths of hidden layers are widths."""
    if not all(isinstance(n_hidden, Integral) and n_hidden >= 1 for n_hidden in hidden_dims):
        raise ValueError(f"hidden_dims must hold whole numbers of at least 1, got {hidden_dims!r}")
