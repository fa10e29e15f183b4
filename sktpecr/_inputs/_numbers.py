"""Numbers as callers bring them, checked."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

import numpy as np


def check_n(n: Any, parameter: str = "n", minimum: int = 1) -> int:
    """Return a number of things, or say that it must be one."""
    if not isinstance(n, Integral) or isinstance(n, bool) or n < minimum:
        raise ValueError(f"{parameter} must be a whole number of at least {minimum}, got {n!r}")
    return int(n)


def check_flag(value: Any, parameter: str) -> bool:
    """Return True or False, or say that it must be one of them."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{parameter} must be True or False, got {value!r:.80}")
    return bool(value)


def check_seed(random_state: Any) -> Any:
    """Return what seeds random numbers, or say that it must be a number they can begin with."""
    if isinstance(random_state, Integral) and not 0 <= int(random_state) < 2**32:
        raise ValueError(f"random_state must be from 0 to 2**32 - 1, got {random_state!r}")
    return random_state


def check_choice(value: Any, parameter: str, *choices: str | None) -> Any:
    """Return a word, or None, that is one of some, or say which there are."""
    if (value is not None and not isinstance(value, str)) or value not in choices:
        listed = " or ".join(map(repr, choices))
        raise ValueError(f"{parameter} must be {listed}, got {value!r:.80}")
    return value


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
