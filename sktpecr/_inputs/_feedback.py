"""What users say about tags, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sktpecr._inputs._ids import Ids
from sktpecr._inputs._numbers import finite_number


@dataclass(frozen=True)
class Feedback:
    """Feedback on tags, by column of the tag.

    Parameters
    ----------
    like, dislike : dict of int to float
        Column of the tag to strength > 0.
    set : dict of int to float
        Column of the tag to the value asked for.
    tags : Ids
        Names of the tags.
    """

    like: dict[int, float]
    dislike: dict[int, float]
    set: dict[int, float]
    tags: Ids = field(repr=False)

    @classmethod
    def parse(cls, tags: Ids, like: Any, dislike: Any, set: Any, strength: Any) -> Feedback:
        """Check feedback as the user gave it; tags with strength 0 are left out.

        Parameters
        ----------
        tags : Ids
            Names of the tags.
        like, dislike : tag name, list of tag names, dict of tag name to strength, or None
            What to show more and less of.
        set : dict of tag name to value, or None
            Where tags should be.
        strength : float
            Multiplies all strengths.

        Returns
        -------
        Feedback
            The same, by column.

        Raises
        ------
        ValueError
            If a tag is unknown or named twice, or a number is NaN, infinite or negative.
        """
        strength = finite_number(strength, "strength", minimum=0.0)
        if set is not None and not isinstance(set, Mapping):
            raise ValueError(f"set must be a dict of tag to value, got {type(set).__name__}")
        parsed = {
            "like": _strengths(tags, like, "like"),
            "dislike": _strengths(tags, dislike, "dislike"),
            "set": {
                tags.row(tag): finite_number(value, f"set[{tag!r}]")
                for tag, value in (set or {}).items()
            },
        }
        for first, second in (("like", "dislike"), ("like", "set"), ("dislike", "set")):
            both = sorted(parsed[first].keys() & parsed[second].keys())
            if both:
                raise ValueError(
                    f"feedback contradicts itself: {tags[both[0]]!r} is in both {first} and "
                    f"{second}; keep it in one of them"
                )
        for name in ("like", "dislike"):
            scaled = {
                tag: finite_number(value * strength, f"{name}[{tags[tag]!r}] times strength")
                for tag, value in parsed[name].items()
            }
            parsed[name] = {tag: value for tag, value in scaled.items() if value > 0}
        return cls(**parsed, tags=tags)

    @property
    def strength(self) -> float:
        """How far likes and dislikes move the list: the largest strength among them."""
        return max([*self.like.values(), *self.dislike.values()], default=0.0)

    @property
    def wishes(self) -> dict[int, float]:
        """Strengths of likes, and those of dislikes below 0, by column of the tag."""
        return self.like | {tag: -strength for tag, strength in self.dislike.items()}

    def __bool__(self) -> bool:
        return bool(self.like or self.dislike or self.set)

    def __str__(self) -> str:
        parts = [f"more {self.tags[tag]}" for tag in self.like]
        parts += [f"less {self.tags[tag]}" for tag in self.dislike]
        parts += [f"{self.tags[tag]} at {value:g}" for tag, value in self.set.items()]
        return ", ".join(parts) or "no feedback"


def _strengths(tags: Ids, given: Any, parameter: str) -> dict[int, float]:
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return {
            tags.row(tag): finite_number(value, f"{parameter}[{tag!r}]", minimum=0.0)
            for tag, value in given.items()
        }
    # A tuple can be a tag's name.
    one = isinstance(given, str) or not hasattr(given, "__iter__") or given in tags
    several = [given] if one else given
    columns = [tags.row(tag) for tag in several]
    twice = [column for column in columns if columns.count(column) > 1]
    if twice:
        raise ValueError(
            f"{parameter} names {tags[twice[0]]!r} twice; give it once, or a dict with strengths"
        )
    return dict.fromkeys(columns, 1.0)
