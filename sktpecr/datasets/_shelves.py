"""Which shelves of a book say what kind of book it is."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from sktpecr.datasets._near import nearest

# Shelves with one of these words tell what readers did with a book, or how they got hold of it.
_WORDS = """
abandoned acquired again all already arc audible audio audiobook best book bookcase bookclub
bookshelf bookshelves borrow borrowed bought buy challenge club collected collection comixology
complete completed current currently default did digital dnf done download ebook edelweiss faves
favorite favourite finish finished get gift giveaway goodreads hardback hardcover have held hold
hoopla i interest interested kindle later lent library like liked list loan loaned looking loved
maybe me might misc miscellaneous month my need net netgalley never next no nook own owned
paperback pdf pending physical possible possibly priority progress purchase purchased random rated
re read reading recommendation recommended reread rest review reviewed scribd sell sequels series
shelf shelves skip sold someday soon standalone started stopped stuff tbd tbr to tobuy toread try
unfinished unknown unowned unread unsorted untagged volume wait waiting want wanted watch wish
wishlist year
"""
_ABOUT_THE_READER = frozenset(word.removesuffix("s") for word in _WORDS.split())


def informative_shelves(
    carriers: Mapping[str, Collection[int]], n_books: int, genre: str, n_tags: int
) -> list[str]:
    """Return the most common shelves, at most `n_tags`, that say something of a book."""
    uninformative = _ABOUT_THE_READER.union(word.removesuffix("s") for word in genre.split("_"))
    chosen: dict[str, set[int]] = {}
    for shelf in sorted(carriers, key=lambda shelf: (-len(carriers[shelf]), shelf)):
        if len(chosen) == n_tags:
            break
        books = set(carriers[shelf])
        words = re.findall(r"[^\W_]+", shelf.casefold())
        if (
            len(books) <= n_books / 2
            and words
            and uninformative.isdisjoint(word.removesuffix("s") for word in words)
            and not any(word.isdecimal() for word in words)
            and not any(len(books & others) > len(books | others) / 2 for others in chosen.values())
        ):
            chosen[shelf] = books
    return list(chosen)


def check_shelves(tags: Sequence[str], carriers: Mapping[str, Collection[int]]) -> None:
    """Raise unless there is a book on each of the shelves."""
    for tag in tags:
        if tag not in carriers:
            common = sorted(carriers, key=lambda shelf: -len(carriers[shelf]))[:1000]
            close = nearest(tag, common)
            raise ValueError(
                f"tags must be names of shelves that a book is on, got {tag!r}; "
                + (f"did you mean {close!r}?" if close else f"such are {', '.join(common[:5])}")
            )
