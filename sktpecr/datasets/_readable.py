"""Ids and tags as a reader sees them: what looks the same is not to be two."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from typing import Any


def readable(label: Any) -> str:
    """Return the text of a label, its letters composed, its spaces single and none at the ends."""
    return " ".join(unicodedata.normalize("NFC", str(label)).split())


def check_readable(kind: str, labels: Iterable[Any]) -> None:
    """Raise if a reader cannot tell two labels apart; tags that differ in case count as one."""
    labels = list(labels)
    if set(map(type, labels)) <= {int}:
        return
    seen: dict[str, Any] = {}
    for label in labels:
        text = readable(label)
        other = seen.setdefault(text.casefold() if kind == "tag" else text, label)
        if other is not label:
            way_out = (
                "merge them with sktpecr.datasets.clean_tags"
                if kind == "tag"
                else "bring them to one type with .astype(str), and to one form with "
                ".str.normalize('NFC').str.split().str.join(' ')"
            )
            raise ValueError(
                f"{kind} ids must look different to a reader, got {other!r} "
                f"({type(other).__name__}) and {label!r} ({type(label).__name__}); {way_out}"
            )
