"""Numbers as callers bring them, checked."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any


def check_n(n: Any, parameter: str = "n", minimum: int = 1) -> int:
    """Return a number of things, or say that it must be one."""
    if not isinstance(n, Integral) or isinstance(n, bool) or n < minimum:
        raise ValueError(f"{parameter} must be a whole number of at least {minimum}, got {n!r}")
    return int(n)


def finite_number(value: Any, parameter: str, minimum: float = -math.inf) -> float:
    try:
        number = float(value) if isinstance(value, Real) else math.nan
    except OverflowError:  # a whole number beyond all floats
        number = math.inf
    if isinstance(value, bool) or not math.isfinite(number):
        raise ValueError(f"{parameter} must be a finite number, got {value!r}")
    if number < minimum:
        raise ValueError(
            f"{parameter} must be at least {minimum:g}, got {value!r}; to show less of a tag, "
            f"put it in dislike"
        )
    return number


def check_share(value: Any, parameter: str) -> float:
    share = finite_number(value, parameter)
    if not 0 <= share <= 1:
        raise ValueError(f"{parameter} must be a share from 0 to 1, got {value!r}")
    return share
