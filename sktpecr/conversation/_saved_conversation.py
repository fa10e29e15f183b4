"""A conversation as text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from sktpecr.conversation._past import MAX_TURNS
from sktpecr.conversation._statement import (
    Pairs,
    Statement,
    id_from_plain,
    id_to_plain,
    pairs_from_plain,
    pairs_to_plain,
)
from sktpecr.tags._tag_model import TagModel

_FORMAT, _VERSION = "sktpecr.Conversation", 1
_KINDS = ("user", "interactions", "tags")


@dataclass(frozen=True)
class SavedConversation:
    """What it takes to have a conversation again, with this model or another."""

    kind: str  # How the user is known
    who: Any  # Raw id of the user; or items with values, or tags with values, of somebody new
    solver: str  # Name of the solver
    long_term: float  # Which share of answers it makes taste
    n: int  # Length of the list that turns are judged by
    said: tuple[Statement, ...]  # All turns, those that were undone as well
    position: int  # How many of them count
    listed: tuple[Any, ...]  # The list that the user saw
    among: tuple[Any, ...] | None = None  # What can be listed; None for all items

    def to_json(self) -> str:
        """Return JSON, without NaN or any number of the model's."""
        document = {
            "format": _FORMAT,
            "version": _VERSION,
            self.kind: id_to_plain(self.who) if self.kind == "user" else pairs_to_plain(self.who),
            "solver": self.solver,
            "long_term": self.long_term,
            "n": self.n,
            "turns": [statement.to_plain() for statement in self.said],
            "position": self.position,
            "list": [id_to_plain(item) for item in self.listed],
        }
        if self.among is not None:
            document["candidates"] = [id_to_plain(item) for item in self.among]
        return json.dumps(document, allow_nan=False, ensure_ascii=False)

    @classmethod
    def parse(cls, text: str) -> SavedConversation:
        """Read JSON."""
        if not isinstance(text, str):
            raise ValueError(f"text must be the JSON of a conversation, got {type(text).__name__}")
        try:
            document = json.loads(text)
        # Brackets in brackets can be nested deeper than Python goes.
        except (ValueError, RecursionError) as error:
            raise ValueError(f"text is not JSON: {str(error) or type(error).__name__}") from None
        if not isinstance(document, dict) or document.get("format") != _FORMAT:
            raise ValueError(f'text must be JSON with "format": "{_FORMAT}", as to_json writes it')
        version = document.get("version")
        if version != _VERSION or isinstance(version, bool):
            raise ValueError(
                f"text is a conversation of version {version!r:.20}, and this sktpecr reads "
                f"version {_VERSION}; read it with the sktpecr that wrote it, or a newer one"
            )
        try:
            return cls._read(document)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"text is no conversation: {error}") from None

    def known_to(self, tag_model: TagModel) -> tuple[dict[str, Any], list[str]]:
        """Return how the user is known to a model, for Conversation, and what it does not know."""
        if self.kind == "user":
            return {"user": self.who}, []
        catalogue = tag_model.catalogue
        ids = catalogue.items if self.kind == "interactions" else tag_model.tags
        unknown = [f"{ids.kind} {label!r}" for label, _ in self.who if label not in ids]
        known = {label: value for label, value in self.who if label in ids}
        if self.kind == "tags":
            return {"tags": known}, unknown
        row = np.zeros(len(catalogue.items))
        row[catalogue.items.rows(known)] = list(known.values())
        return {"interactions": row}, unknown

    @classmethod
    def _read(cls, document: dict[str, Any]) -> SavedConversation:
        expected = {"format", "version", "solver", "long_term", "n", "turns", "position", "list"}
        kinds = [kind for kind in _KINDS if kind in document]
        if len(kinds) != 1 or document.keys() - {"candidates"} != {*expected, kinds[0]}:
            raise ValueError(
                f"it must have {', '.join(sorted(expected))}, and one of {', '.join(_KINDS)}; got "
                f"{', '.join(sorted(document))[:200]}"
            )
        kind = kinds[0]
        given = document[kind]
        who: Any | Pairs = id_from_plain(given) if kind == "user" else pairs_from_plain(given, kind)
        for name in ("turns", "list", "candidates"):
            if not isinstance(document.get(name, []), list):
                raise ValueError(f"{name} must be a list, got {type(document[name]).__name__}")
        n_turns = len(document["turns"])
        if n_turns > MAX_TURNS:
            raise ValueError(f"it has {n_turns} turns, and a conversation has at most {MAX_TURNS}")
        for name, low, high in (("n", 1, None), ("position", 0, n_turns)):
            value = document[name]
            is_whole = isinstance(value, int) and not isinstance(value, bool)
            if not is_whole or value < low or (high is not None and value > high):
                raise ValueError(
                    f"{name} must be a whole number from {low}"
                    f"{'' if high is None else f' to {high}'}, got {value!r:.80}"
                )
        if not isinstance(document["solver"], str):
            raise ValueError(f"solver must be a name, got {document['solver']!r:.80}")
        said = []
        for number, turn in enumerate(document["turns"], start=1):
            try:
                said.append(Statement.from_plain(turn))
            except ValueError as error:
                raise ValueError(f"turn {number}: {error}") from None
        return cls(
            kind=kind,
            who=who,
            solver=document["solver"],
            long_term=document["long_term"],
            n=document["n"],
            said=tuple(said),
            position=document["position"],
            listed=tuple(id_from_plain(item) for item in document["list"]),
            among=tuple(map(id_from_plain, document["candidates"]))
            if "candidates" in document
            else None,
        )


def who_it_is(tag_model: TagModel, user: Any, interactions: Any, tags: Any) -> tuple[str, Any]:
    """Return how a user is known, and by what: an id, or ids with values."""
    # `interactions` (1, n_items).
    if interactions is not None:
        items = tag_model.catalogue.items
        pairs = zip(interactions.indices, interactions.data.tolist(), strict=True)
        return "interactions", tuple((items[column], value) for column, value in pairs)
    if tags is not None:
        return "tags", tuple((tag, float(value)) for tag, value in tags.items())
    return "user", user
