"""What may have been meant by an id that is not there, in a time that does not grow with ids."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

# So few are compared with one by one; of more, those are looked up that are a letter away.
_MAX_COMPARED = 1_000
_MAX_LETTERS = 64


def of_another_type(label: Any, rows: Mapping[Any, int]) -> Any | None:
    """Return the id that prints as the label does and is of another type, such as 42 for "42"."""
    text = str(label)
    if len(text) > _MAX_LETTERS:
        return None
    for kind in set(map(type, islice(rows, _MAX_COMPARED))) - {type(label)}:
        try:
            key = kind(text)
            if key in rows and str(key) == text:
                return key
        except Exception:  # noqa: S112 - whatever a type of the user's says of text that is none
            continue
    return None


def near_ids(label: Any, rows: Mapping[Any, int]) -> list[Any]:
    """Return at most three ids that are written nearly as the label is."""
    text = str(label)[:_MAX_LETTERS]
    if len(rows) <= _MAX_COMPARED:
        pool = {str(key)[:_MAX_LETTERS].casefold(): key for key in rows}
        close = difflib.get_close_matches(text.casefold(), pool, n=3, cutoff=0.6)
        return [pool[match] for match in close]
    cases = [text, text.lower(), text.upper(), text.title(), text.strip()]
    found = [case for case in cases if case in rows]
    for written in dict.fromkeys(cases[:2]):
        found += [] if found else [each for each in _a_letter_away(written, rows) if each in rows]
    return list(dict.fromkeys(found))[:3]


def _a_letter_away(written: str, rows: Mapping[Any, int]) -> Iterator[str]:
    """Return texts in which one letter is missing, wrong, too many or changed with the next."""
    sample = [key[:_MAX_LETTERS] for key in islice(rows, 200) if isinstance(key, str)]
    letters = sorted(set("".join(sample)))[:100]
    for at in range(len(written) + 1):
        before, after = written[:at], written[at:]
        yield before + after[1:]
        yield before + after[1:2] + after[:1] + after[2:]
        for letter in letters:
            yield before + letter + after[1:]
            yield before + letter + after
