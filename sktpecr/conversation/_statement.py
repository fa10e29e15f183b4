"""What somebody said in one turn of a conversation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sktpecr._inputs._feedback import Feedback
from sktpecr._inputs._ids import Ids, plain
from sktpecr._inputs._numbers import check_choice, finite_number
from sktpecr.explanation._words import ENGLISH, listed, together_in_words
from sktpecr.tags._tag_model import TagModel

Pairs = tuple[tuple[Any, float], ...]

_NUMBERS = ("like", "dislike", "set", "until")
# Tags that are liked together are a tuple where one tag has a name, and with "less than" goes an
# item where with the others goes a number.
FEEDBACK = (*_NUMBERS, "together", "less_than")
# What a turn does that gives no feedback, and does nothing else.
_ALONE = ("reject", "hide", "not_these", "forget")
_MUCH = {"a bit": "said_a_bit", "a lot": "said_a_lot"}


@dataclass(frozen=True)
class Statement:
    """Feedback on tags, or what is not to be listed, shown or remembered.

    By raw id and name, so that it can be said again to another model.

    Parameters
    ----------
    like, dislike : tuple of (tag, strength)
        What to show more and less of.
    set : tuple of (tag, value)
        Where tags should be.
    until : tuple of (tag, number)
        How many of a tag's items are to be in the list.
    together : tuple of (tuple of tags, strength)
        What to show more of where all of these tags are on one item.
    less_than : tuple of (tag, item id)
        Items that have too much of a tag.
    units : {"std", "raw"}
        Unit of `set`.
    amount : {"a bit", "more", "a lot"}, optional
        How much is to be seen of `like` and `dislike`.
    keep : float
        Share of the list that an amount must leave.
    reject : item id, optional
        Not to be listed.
    hide : tag name, optional
        Not to be shown.
    not_these : tuple of item ids
        Items that were listed, and are not to be again.
    forget : bool
        Whether what was asked for only for now ends.
    """

    like: Pairs = ()
    dislike: Pairs = ()
    set: Pairs = ()
    until: Pairs = ()
    together: Pairs = ()
    less_than: Pairs = ()
    units: str = "std"
    amount: str | None = None
    keep: float = 0.5
    reject: Any = None
    hide: Any = None
    not_these: tuple[Any, ...] = ()
    forget: bool = False

    @classmethod
    def of(cls, feedback: Feedback, units: str, keep: float) -> Statement:
        """Return what feedback says, by the names of the tags."""
        named: dict[str, Any] = {
            name: tuple(
                (feedback.tags[tag], value) for tag, value in getattr(feedback, name).items()
            )
            for name in _NUMBERS
        }
        tags, items = feedback.tags, feedback.items
        named["together"] = tuple(
            (tuple(tags[tag] for tag in pair), value) for pair, value in feedback.together.items()
        )
        if items is not None:
            pairs = feedback.less_than.items()
            named["less_than"] = tuple((tags[tag], items[item]) for tag, item in pairs)
        return cls(**named, units=units, amount=feedback.amount, keep=keep)

    @classmethod
    def from_plain(cls, said: Any) -> Statement:
        """Read what :meth:`to_plain` wrote, or say what is wrong with it."""
        if not isinstance(said, dict):
            raise ValueError(f"a turn must be an object, got {type(said).__name__}")
        unknown = sorted(said.keys() - {*FEEDBACK, *_ALONE, "units", "amount", "keep"})
        if unknown:
            raise ValueError(f"a turn has nothing named {unknown[0]!r:.80}")
        if said.keys() & set(_ALONE) and len(said) > 1:
            raise ValueError("a turn that rejects, hides or forgets does nothing else")
        if said.get("forget", True) is not True:
            raise ValueError(f"forget must be true, got {said['forget']!r:.80}")
        passed = said.get("not_these", [])
        if not isinstance(passed, list):
            raise ValueError(f"not_these must be a list of ids, got {passed!r:.80}")
        read = {name: pairs_from_plain(said.get(name, []), name) for name in FEEDBACK[:-1]}
        for pair, _ in read["together"]:
            if not isinstance(pair, tuple):
                raise ValueError(f"together must be of lists of tags, got {pair!r:.80}")
        statement = cls(
            **read,
            less_than=pairs_from_plain(said.get("less_than", []), "less_than", items=True),
            units=said.get("units", "std"),
            amount=said.get("amount"),
            keep=said.get("keep", 0.5),
            **{name: id_from_plain(said[name]) for name in ("reject", "hide") if name in said},
            not_these=tuple(map(id_from_plain, passed)),
            forget="forget" in said,
        )
        statement._check()
        return statement

    def _check(self) -> None:
        """Raise unless it could be said to some model."""
        check_choice(self.units, "units", "std", "raw")
        if not 0 <= finite_number(self.keep, "keep") <= 1:
            raise ValueError(f"keep must be a share from 0 to 1, got {self.keep!r:.80}")
        said = self.feedback
        names = dict.fromkeys(self.tags)
        given = {name: said[name] for name in FEEDBACK}
        Feedback.parse(
            Ids("tag", names, len(names), "tags"), **given, strength=1.0, amount=self.amount
        )

    @property
    def tags(self) -> list[Any]:
        """Names of the tags that it gives feedback on."""
        one = [tag for name in (*_NUMBERS, "less_than") for tag, _ in getattr(self, name)]
        return one + [tag for pair, _ in self.together for tag in pair]

    @property
    def feedback(self) -> dict[str, Any]:
        """What :meth:`FeedbackRefiner.refine` is to be told."""
        said = {name: dict(getattr(self, name)) for name in FEEDBACK}
        # JSON knows whole numbers only as they were read: 3.0 is 3.
        said["until"] = {
            tag: int(count) if float(count).is_integer() else count for tag, count in self.until
        }
        return said | {"units": self.units, "amount": self.amount, "keep": self.keep}

    def to_plain(self) -> dict[str, Any]:
        """Return it as JSON knows it; tags are pairs, as keys of an object would all be text."""
        written: dict[str, Any] = {
            name: pairs_to_plain(getattr(self, name)) for name in FEEDBACK if getattr(self, name)
        }
        if self.set:
            written["units"] = self.units
        if self.amount is not None:
            written["amount"] = self.amount
        if self.amount is not None or self.until:
            written["keep"] = self.keep
        if self.not_these:
            written["not_these"] = [id_to_plain(item) for item in self.not_these]
        if self.forget:
            written["forget"] = True
        for name in ("reject", "hide"):
            if getattr(self, name) is not None:
                written[name] = id_to_plain(getattr(self, name))
        return written

    def known_to(self, tag_model: TagModel) -> tuple[Statement | None, list[str]]:
        """Return what of it can be said to a model, None if nothing, and what cannot."""
        if self.reject is not None or self.hide is not None:
            label = self.hide if self.reject is None else self.reject
            ids = tag_model.tags if self.reject is None else tag_model.catalogue.items
            return (self, []) if label in ids else (None, [f"{ids.kind} {label!r}"])
        tags, items = tag_model.tags, tag_model.catalogue.items
        if self.not_these:
            known = tuple(item for item in self.not_these if item in items)
            unknown = [f"item {item!r}" for item in self.not_these if item not in known]
            return (replace(self, not_these=known) if known else None), unknown
        unknown = [f"tag {tag!r}" for tag in self.tags if tag not in tags]
        unknown += [f"item {item!r}" for _, item in self.less_than if item not in items]

        def all_known(name: str, tag: Any, value: Any) -> bool:
            named = tag if name == "together" else (tag,)
            return all(each in tags for each in named) and (name != "less_than" or value in items)

        kept: dict[str, Any] = {}
        for name in FEEDBACK:
            kept[name] = tuple(pair for pair in getattr(self, name) if all_known(name, *pair))
        nothing = unknown and not any(kept.values())
        return (None if nothing else replace(self, **kept)), unknown

    @property
    def items(self) -> list[Any]:
        """Ids of the items that it names in words."""
        return [item for _, item in self.less_than] + [self.reject] * (self.reject is not None)

    def to_text(
        self, words: Mapping[str, str] = ENGLISH, names: Mapping[Any, str] | None = None
    ) -> str:
        """Say it in words, all of which are given; an item by its id, or its name if that is."""
        names = names or {}
        if self.reject is not None:
            return words["said_reject"].format(item=names.get(self.reject, self.reject))
        if self.hide is not None:
            return words["said_hide"].format(tag=self.hide)
        if self.not_these:
            return words["said_not_these"].format(n=str(len(self.not_these)))
        if self.forget:
            return words["said_forget"]
        parts = []
        several = tuple((together_in_words(pair, words), value) for pair, value in self.together)
        for name, pairs in (("said_more", self.like + several), ("said_less", self.dislike)):
            for tag, strength in pairs:
                said = words[name].format(tag=tag)
                if self.amount in _MUCH:
                    said = words[_MUCH[self.amount]].format(said=said)
                if strength != 1:  # in the words only where it is not the usual one
                    said = words["said_strength"].format(said=said, strength=f"{strength:g}")
                parts.append(said)
        parts += [words["said_set"].format(tag=tag, value=f"{value:g}") for tag, value in self.set]
        for tag, count in self.until:
            parts.append(words["said_until"].format(count=f"{count:g}", tag=tag))
        for tag, item in self.less_than:
            parts.append(words["said_less_than"].format(tag=tag, item=names.get(item, item)))
        return listed(parts, words) if parts else words["said_nothing"]

    def __str__(self) -> str:
        return self.to_text()


def id_to_plain(label: Any) -> Any:
    """Return an id as JSON keeps it: text, a number, an object, or a list for a tuple."""
    label = plain(label)
    if isinstance(label, UUID):
        return {"uuid": str(label)}
    if isinstance(label, tuple):
        return [id_to_plain(part) for part in label]
    if isinstance(label, bool) or not isinstance(label, str | int | float):
        raise ValueError(
            f"JSON keeps ids and names that are text, numbers, UUIDs or tuples of them, got "
            f"{type(label).__name__}: {label!r:.80}"
        )
    return label


def id_from_plain(label: Any) -> Any:
    """Return the id that :func:`id_to_plain` wrote."""
    if isinstance(label, list):
        return tuple(id_from_plain(part) for part in label)
    if isinstance(label, dict) and label.keys() == {"uuid"}:
        try:
            return UUID(label["uuid"])
        except (ValueError, AttributeError):  # it is no such text, or no text at all
            raise ValueError(f"an id must be a UUID, got {label['uuid']!r:.80}") from None
    is_id = isinstance(label, str | int | float) and not isinstance(label, bool)
    if not is_id or (isinstance(label, float) and not math.isfinite(label)):
        raise ValueError(f"an id must be text or a number, got {label!r:.80}")
    return label


def pairs_to_plain(pairs: Pairs) -> list[list[Any]]:
    """Return ids with numbers as JSON keeps them."""
    return [
        [id_to_plain(label), value if isinstance(value, float) else id_to_plain(value)]
        for label, value in pairs
    ]


def pairs_from_plain(pairs: Any, name: str, *, items: bool = False) -> Pairs:
    """Return the ids with numbers, or with ids of items, that :func:`pairs_to_plain` wrote."""
    if not isinstance(pairs, list) or not all(
        isinstance(pair, list) and len(pair) == 2 for pair in pairs
    ):
        of = "item" if items else "number"
        raise ValueError(f"{name} must be a list of [id, {of}], got {pairs!r:.80}")
    read = [
        (id_from_plain(label), id_from_plain(value) if items else finite_number(value, name))
        for label, value in pairs
    ]
    if len(dict(read)) < len(read):
        raise ValueError(f"{name} names an id twice: {pairs!r:.80}")
    return tuple(read)
