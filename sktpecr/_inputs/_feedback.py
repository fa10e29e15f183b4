"""What users say about tags, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

from sktpecr._inputs._ids import Ids
from sktpecr._inputs._numbers import check_n, finite_number

# How many more of a tag's items are to stand in the list, or fewer.
AMOUNTS = {"a bit": 1, "more": 2, "a lot": 4}


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
    amount : str, optional
        How much more and less of them is to be in the list.
    until : dict of int to int
        Column of the tag to how many of its items are to be in the list.
    together : dict of tuple of int to float
        Columns of tags that are liked on one item, to strength > 0.
    less_than : dict of int to int
        Column of the tag to that of an item which has too much of it.
    items : Ids, optional
        Ids of the items.
    """

    like: dict[int, float]
    dislike: dict[int, float]
    set: dict[int, float]
    tags: Ids = field(repr=False)
    amount: str | None = None
    until: dict[int, int] = field(default_factory=dict)
    together: dict[tuple[int, ...], float] = field(default_factory=dict)
    less_than: dict[int, int] = field(default_factory=dict)
    items: Ids | None = field(default=None, repr=False)

    @classmethod
    def parse(
        cls,
        tags: Ids,
        like: Any,
        dislike: Any,
        set: Any,
        strength: Any,
        amount: Any = None,
        until: Any = None,
        together: Any = None,
        less_than: Any = None,
        items: Ids | None = None,
    ) -> Feedback:
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
        amount : {"a bit", "more", "a lot"} or None
            How much more and less of the tags is to be in the list.
        until : dict of tag name to int, or None
            How many of a tag's items are to be in the list.
        together : tuple of tag names, list of them or dict of them to strength, or None
            Tags to show more of where they are on one item.
        less_than : dict of tag name to item id, or None
            Items that have too much of a tag.
        items : Ids or None
            Ids of the items, for `less_than`.

        Returns
        -------
        Feedback
            The same, by column.

        Raises
        ------
        ValueError
            If a tag is unknown or named twice, a number is NaN, infinite or negative, or the
            amount is none of the three.
        """
        strength = finite_number(strength, "strength", minimum=0.0)
        if amount is not None and (not isinstance(amount, str) or amount not in AMOUNTS):
            raise ValueError(
                f"amount must be one of {', '.join(map(repr, AMOUNTS))}, got {amount!r}"
            )
        for name, given, of in (
            ("set", set, "value"),
            ("until", until, "value"),
            ("less_than", less_than, "item"),
        ):
            if given is not None and not isinstance(given, Mapping):
                raise ValueError(
                    f"{name} must be a dict of tag to {of}, got {type(given).__name__}"
                )
        parsed: dict[str, Any] = {
            "like": _strengths(tags, like, "like"),
            "dislike": _strengths(tags, dislike, "dislike"),
            "set": {
                tags.row(tag): finite_number(value, f"set[{tag!r}]")
                for tag, value in (set or {}).items()
            },
            "until": {
                tags.row(tag): check_n(value, f"until[{tag!r}]", minimum=0)
                for tag, value in (until or {}).items()
            },
            "less_than": {
                tags.row(tag): items.row(item)
                for tag, item in (less_than or {}).items()
                if items is not None
            },
        }
        for first, second in combinations([name for name in parsed if parsed[name]], 2):
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
        parsed["together"] = {
            pair: value * strength for pair, value in _together(tags, together).items() if strength
        }
        return cls(**parsed, tags=tags, amount=amount, items=items if less_than else None)

    @property
    def strength(self) -> float:
        """How far likes and dislikes move the list: the largest strength among them."""
        return max([*self.like.values(), *self.dislike.values()], default=0.0)

    @property
    def wishes(self) -> dict[int, float]:
        """Strengths of likes, and those of dislikes below 0, by column of the tag."""
        return self.like | {tag: -strength for tag, strength in self.dislike.items()}

    @property
    def named(self) -> list[int]:
        """Columns of all tags that are spoken of."""
        return [*self.like, *self.dislike, *self.set, *self.until, *self.less_than]

    @property
    def is_for_now(self) -> bool:
        """Whether anything is said of items, and not only of where tags are to be."""
        return bool(self.wishes or self.together or self.less_than)

    def scaled(self, share: float) -> Feedback:
        """Return the feedback with strengths times a share; without likes and dislikes for 0."""
        like, dislike = (
            {tag: value * share for tag, value in each.items()} if share else {}
            for each in (self.like, self.dislike)
        )
        return replace(self, like=like, dislike=dislike)

    def __bool__(self) -> bool:
        return bool(self.named or self.together)

    def __str__(self) -> str:
        much = "" if self.amount in (None, "more") else f"{self.amount} "
        parts = [f"{much}more {self.tags[tag]}" for tag in self.like]
        parts += [f"{much}less {self.tags[tag]}" for tag in self.dislike]
        parts += [f"{self.tags[tag]} at {value:g}" for tag, value in self.set.items()]
        parts += [f"{count} of {self.tags[tag]}" for tag, count in self.until.items()]
        parts += [
            f"{much}more {' with '.join(str(self.tags[tag]) for tag in pair)}"
            for pair in self.together
        ]
        if self.items is not None:
            for tag, item in self.less_than.items():
                parts.append(f"less {self.tags[tag]} than {self.items[item]}")
        return ", ".join(parts) or "no feedback"


def _together(tags: Ids, given: Any) -> dict[tuple[int, ...], float]:
    if given is None:
        return {}
    if isinstance(given, tuple):
        given = [given]
    weighted = given if isinstance(given, Mapping) else dict.fromkeys(given, 1.0)
    found = {}
    for pair, value in weighted.items():
        if not isinstance(pair, tuple) or len({*pair}) < 2:
            raise ValueError(
                f"together must hold tuples of at least two tag names, got {pair!r}; one tag goes "
                f"into like"
            )
        columns = tuple(sorted(tags.row(tag) for tag in pair))
        found[columns] = finite_number(value, f"together[{pair!r}]", minimum=0.0)
    return {pair: value for pair, value in found.items() if value > 0}


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


def check_held(tags: Ids, hold: Any) -> tuple[int, ...] | None:
    """Return the columns of tags that are to stay, None for all that are not named."""
    if isinstance(hold, str) and hold == "all":
        return None
    if isinstance(hold, str | bytes) or not hasattr(hold, "__iter__"):
        raise ValueError(f"hold must be 'all' or a list of tag names, got {hold!r}")
    return tuple(tags.rows(list(hold)).tolist())
