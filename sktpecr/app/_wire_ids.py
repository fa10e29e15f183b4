"""Ids as text, which a browser reads without loss, and back."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sktpecr._inputs._ids import Ids


class WireIds:
    """Users, items or tags by a text of each: JavaScript rounds whole numbers beyond 2**53."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        labels = ids.array().tolist()
        texts = list(map(str, labels))
        counts = Counter(texts) if len(set(texts)) < len(texts) else {}
        # 1 and "1" may both be ids.
        self.texts = [
            f"{text} ({type(label).__name__})" if counts.get(text, 1) > 1 else text
            for text, label in zip(texts, labels, strict=True)
        ]
        self._rows = dict(zip(self.texts, range(len(texts)), strict=True))

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
