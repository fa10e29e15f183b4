"""Look into the manual as it was built: no page may load anything from another machine.

python tools/check_docs.py docs/_build/html
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

# What a browser fetches by itself; a link waits for somebody to click on it.
_FETCHED = {
    **dict.fromkeys(("audio", "embed", "iframe", "img", "script", "source", "video"), "src"),
    "link": "href",
    "object": "data",
}


class _Loads(HTMLParser):
    """Collect what a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get(_FETCHED.get(tag, "")) or ""
        if address.startswith(("http:", "https:", "//")):
            self.found.append(address)


def loads_from_elsewhere(folder: Path) -> Iterator[str]:
    """Yield a line for everything that a page in a folder loads from another machine."""
    for page in sorted(folder.rglob("*.html")):
        reader = _Loads()
        reader.feed(page.read_text(encoding="utf-8"))
        for address in reader.found:
            yield f"{page.relative_to(folder).as_posix()} loads {address}"


def main(folder: str) -> int:
    """Print what is loaded; return 1 if anything is, or if there are no pages."""
    if not (Path(folder) / "index.html").exists():
        print(f"{folder} has no index.html")
        return 1
    found = list(loads_from_elsewhere(Path(folder)))
    print("\n".join(found), end="\n" * bool(found))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
