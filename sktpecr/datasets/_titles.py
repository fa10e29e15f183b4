"""Titles of films as people say them."""

from __future__ import annotations

import re

# Catalogues sort by the first word that counts, and put the article behind a comma.
_ARTICLES = "The|A|An|Le|La|Les|L'|Il|Lo|El|Los|Las|Der|Die|Das|Den|Det|En|Un|Une|O|Os|As"
_SORTED = re.compile(rf"^(?P<title>[^()]+), (?P<article>{_ARTICLES})(?=$| \()")
# Names in other languages, and "a.k.a.": in brackets, with the year in brackets behind them.
_OTHER_NAMES = re.compile(r"( \([^()]*\))+(?= \(\d{4}\)$)")


def spoken_title(title: str) -> str:
    """Return "The Matrix (1999)" for "Matrix, The (1999)", without other names of the film."""
    title = _OTHER_NAMES.sub("", title)
    found = _SORTED.match(title)
    if found is None:
        return title
    space = "" if found["article"].endswith("'") else " "
    return f"{found['article']}{space}{found['title']}{title[found.end() :]}"
