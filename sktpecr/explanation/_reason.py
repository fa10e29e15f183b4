"""One reason for a recommendation, or against it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reason:
    """A tag of the item that the user likes more than most, or less.

    Parameters
    ----------
    tag : hashable
        Name of the tag.
    tags : tuple of hashable
        The tag and those of the item that mean nearly the same to users.
    liking : float
        The user's taste for the tag, in standard deviations of the population, the user's general
        level taken off.
    contribution : float
        What these tags add to the score, in its unit. It has the sign of `liking`.
    speaks_for : bool
        Whether the reason speaks for the item.
    evidence : tuple of hashable
        Ids of items that the user took and that carry the tag, those nearest to this item first.
        Empty where none does: then the taste is the model's belief.

    Examples
    --------
    >>> from sktpecr.explanation import Reason
    >>> reason = Reason("Western", ("Western",), 1.5, 0.2, True, ("Rio Bravo",))
    >>> reason.tag, reason.speaks_for
    ('Western', True)
    """

    tag: Any
    tags: tuple[Any, ...]
    liking: float
    contribution: float
    speaks_for: bool
    evidence: tuple[Any, ...] = ()
