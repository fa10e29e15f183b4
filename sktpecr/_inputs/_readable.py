"""Ids and tags as a reader sees them: what looks the same is not to be two."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import partial
from string import whitespace
from typing import Any


def readable(labels: Iterable[Any]) -> list[str]:
    """Return the texts of labels, letters composed, spaces single and none at the ends."""
    # No line of Python per label: there may be millions.
    texts = map(partial(unicodedata.normalize, "NFC"), map(str, labels))
    return list(map(" ".join, map(str.split, texts)))


def check_readable(kind: str, labels: list[Any]) -> None:
    """Raise if a reader cannot tell two labels apart; tags that differ in case count as one."""
    kinds = set(map(type, labels))
    if len(kinds) < 2 and not kinds & {str, tuple}:
        return
    if kinds == {str} and kind != "tag":
        whole = "".join(labels)
        if whole.isascii() and not any(map(whole.__contains__, whitespace)):
            return  # nothing can be written in two ways
    texts = readable(labels)
    if kind == "tag":
        texts = list(map(str.casefold, texts))
    if len(set(texts)) == len(texts):
        return
    seen: dict[str, Any] = {}
    for text, label in zip(texts, labels, strict=True):
        if text in seen:
            way_out = (
                "merge them with sktpecr.datasets.clean_tags"
                if kind == "tag"
                else "bring them to one type with .astype(str), and to one form with "
                ".str.normalize('NFC').str.split().str.join(' ')"
            )
            raise ValueError(
                f"{kind} ids must look different to a reader, got {seen[text]!r} "
                f"({type(seen[text]).__name__}) and {label!r} ({type(label).__name__}); {way_out}"
            )
        seen[text] = label
