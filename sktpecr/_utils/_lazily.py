"""Attributes computed when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


# Before Python 3.12 functools.cached_property holds one lock for all instances while it computes:
# threads wait for each other, and a process forked meanwhile waits for ever.
class lazily(Generic[T]):
    """What ``functools.cached_property`` is from Python 3.12 on: without a lock."""

    def __init__(self, function: Callable[[Any], T]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: Any = None) -> lazily[T]: ...

    @overload
    def __get__(self, instance: object, owner: Any = None) -> T: ...

    def __get__(self, instance: object | None, owner: Any = None) -> lazily[T] | T:
        """Compute, and let the instance's own attribute answer from then on."""
        if instance is None:
            return self
        value = vars(instance)[self.name] = self.function(instance)
        return value
