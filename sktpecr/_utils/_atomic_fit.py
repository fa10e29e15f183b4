"""A fit that fails leaves the earlier one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

Fit = TypeVar("Fit", bound=Callable[..., Any])


def whole_fit(fit: Fit) -> Fit:
    """Make a method `fit` all or nothing."""
    # Whatever ends it, an error or somebody's Ctrl-C, the estimator is what it was before; another
    # thread that asks it meanwhile gets what was learned before, and never half of both.

    @wraps(fit)
    def fit_whole(self: Any, *args: Any, **kwargs: Any) -> Any:
        fitted = copy.copy(self)
        fit(fitted, *args, **kwargs)
        self.__dict__ = fitted.__dict__
        return self

    return fit_whole  # type: ignore[return-value]
