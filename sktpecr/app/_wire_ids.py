"""Ids as text, which a browser reads without loss, and back."""

from __future__ import annotations

from typing import Any

from sktpecr._inputs._ids import Ids


class WireIds:
    """Users, items or tags by a text of each: JavaScript rounds whole numbers beyond 2**53."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self.texts = list(map(str, ids.array().tolist()))
        self._rows = dict(zip(self.texts, range(len(ids)), strict=True))

    def text(self, label: Any) -> str:
        """Return the text of an id."""
        return self.texts[self._ids.row(label)]

    def row(self, said: str | int) -> int:
        """Return the row that a text stands for, or raise a ValueError that says what is near."""
        row = self._rows.get(str(said).strip())
        return self._ids.row(said) if row is None else row

    def label(self, said: str | int) -> Any:
        """Return the id that a text stands for."""
        return self._ids[self.row(said)]
