"""What may have been meant by a name that is not there."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


def nearest(name: Any, known: Iterable[Any], cutoff: float = 0.6) -> Any | None:
    """Return the known name that is written most like this one, in any case; None if none is."""
    texts = {str(each).casefold(): each for each in known}
    close = difflib.get_close_matches(str(name).casefold(), texts, n=1, cutoff=cutoff)
    return texts[close[0]] if close else None


def check_name(name: str, known: Iterable[str]) -> None:
    """Raise unless `name` is one of the known data sets, and say which it may have been."""
    known = list(known)
    if name not in known:
        close = nearest(name, known, cutoff=0.55)
        raise ValueError(
            f"name must be one of {', '.join(map(repr, known))}, got {name!r}"
            + (f"; did you mean {close!r}?" if close else "")
        )
