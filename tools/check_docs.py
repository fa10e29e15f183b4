"""Look into the manual as it was built: nothing loaded from another machine, no false addresses.

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


class _Page(HTMLParser):
    """Collect what is wrong with a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        address = found.get(_FETCHED.get(tag, "")) or ""
        if address.startswith(("http:", "https:", "//")):
            self.found.append(f"loads {address}")
        # docutils takes a metric such as MAP@1000 for an address, unless it is a literal.
        if (found.get("href") or "").startswith("mailto:"):
            self.found.append(f"takes a word for an address: {found['href']}")


def faults(folder: Path) -> Iterator[str]:
    """Yield a line for everything that is wrong with a page in a folder."""
    for page in sorted(folder.rglob("*.html")):
        reader = _Page()
        reader.feed(page.read_text(encoding="utf-8"))
        for fault in reader.found:
            yield f"{page.relative_to(folder).as_posix()} {fault}"


def main(folder: str) -> int:
    """Print what is wrong; return 1 if anything is, or if there are no pages."""
    if not (Path(folder) / "index.html").exists():
        print(f"{folder} has no index.html")
        return 1
    found = list(faults(Path(folder)))
    print("\n".join(found), end="\n" * bool(found))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
