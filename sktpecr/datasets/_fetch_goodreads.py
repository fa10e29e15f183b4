"""The Goodreads books of one genre and who shelved them, downloaded or brought along."""

from __future__ import annotations

import gzip
import json
import os
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval, validate_params
from tqdm.auto import tqdm

from sktpecr.datasets._download import DAMAGE, IN_BYTES, PARAMETERS, download
from sktpecr.datasets._near import check_name
from sktpecr.datasets._shelves import check_shelves, informative_shelves
from sktpecr.datasets._tagged_interactions import TaggedInteractions

Parsed = TypeVar("Parsed")

_BASE_URL = "https://mcauleylab.ucsd.edu/public_datasets/gdrive/goodreads/byGenre/"
_TERMS = (
    "Goodreads data were collected for academic use only: they are not to be redistributed or used "
    "commercially, and the papers named there are to be cited; the full terms: "
    "https://cseweb.ucsd.edu/~jmcauley/datasets/goodreads.html"
)
_ALL_GENRES = (
    "comics_graphic children fantasy_paranormal history_biography mystery_thriller_crime poetry "
    "romance young_adult"
)
_GENRES = _ALL_GENRES.split()
# What one reader alone calls a book is no tag of it.
_MIN_READERS = 2
# Lines between two looks at how much of a file is read.
_LINES = 10_000


@validate_params(
    PARAMETERS
    | {"tags": ["array-like", None], "n_tags": [Interval(Integral, 1, None, closed="left")]},
    prefer_skip_nested_validation=True,
)
def fetch_goodreads(
    name: str = "comics_graphic",
    *,
    tags: Sequence[str] | None = None,
    n_tags: int = 6,
    min_item_interactions: int = 5,
    min_user_interactions: int = 10,
    local_path: str | os.PathLike[str] | None = None,
    data_home: str | os.PathLike[str] | None = None,
) -> TaggedInteractions:
    r"""Fetch the Goodreads books of one genre: who shelved them, and shelves as tags.

    Two large files are downloaded once, checked for being whole and kept in a cache folder. No
    checksums are published for them. They are read line by line, the comics in about a minute.

    Parameters
    ----------
    name : str, default="comics_graphic"
        The genre: "comics_graphic", "children", "fantasy_paranormal", "history_biography",
        "mystery_thriller_crime", "poetry", "romance" or "young_adult".
    tags : sequence of str, default=None
        Names of the shelves to take as tags, such as ``["manga", "superheroes"]``. By default
        `n_tags` of them are chosen.
    n_tags : int, default=6
        How many shelves to choose, if there are that many to choose from. The default is the
        paper's.
    min_item_interactions : int, default=5
        Books with fewer interactions are left out: see :meth:`TaggedInteractions.drop_rare`.
    min_user_interactions : int, default=10
        Users with fewer interactions with the books that are left are left out.
    local_path : str or path, default=None
        Folder that holds the two files already, gzipped or unpacked. Nothing is downloaded then.
    data_home : str or path, default=None
        The cache folder; by default what the environment variable ``SKTPECR_DATA`` says, else a
        folder "sktpecr" where the operating system keeps caches.

    Returns
    -------
    TaggedInteractions
        Every book that a user put on any shelf is an interaction worth 1.0, read or rated or not.
        Books are known by their numbers, users by strings. Names are titles; editions of one book
        are books of their own. A book has a tag if at least two readers put it on that shelf.

    Raises
    ------
    OSError
        If a file cannot be downloaded whole, or is missing or damaged in `local_path`.
    ValueError
        If there is no such genre or shelf, a file is not as expected, or nothing is left by the
        filters.

    See Also
    --------
    fetch_movielens : The other data set of the paper.

    Notes
    -----
    The paper took six "informative shelf names" and does not say which. The rule here: shelves are
    tried by the number of books on them, the largest first, and a shelf is passed over if

    * more than half of all books are on it,
    * a word of its name tells what readers did or how they got the book ("to-read", "owned",
      "kindle"), is a number ("read-in-2015"), or is the genre itself ("graphic-novels"),
    * it holds much the same books as one that was taken before ("sci-fi", "science-fiction"): more
      than half of the books on either are on both.

    The data were collected for academic use only, are not to be redistributed or used
    commercially, and are to be cited [1]_ [2]_; the terms are at
    https://cseweb.ucsd.edu/~jmcauley/datasets/goodreads.html.

    References
    ----------
    .. [1] M. Wan and J. McAuley, "Item Recommendation on Monotonic Behavior Chains", RecSys 2018.
       https://doi.org/10.1145/3240323.3240369
    .. [2] M. Wan, R. Misra, N. Nakashole and J. McAuley, "Fine-Grained Spoiler Detection from
       Large-Scale Review Corpora", ACL 2019. https://doi.org/10.18653/v1/P19-1248

    Examples
    --------
    >>> from sktpecr.datasets import fetch_goodreads
    >>> data = fetch_goodreads()  # doctest: +SKIP

    With files that are there already, here two small ones:

    >>> import json
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> shelves = [{"count": "9", "name": "to-read"}, {"count": "5", "name": "manga"}]
    >>> books = [
    ...     {"book_id": "6", "title": "Akira, Vol. 1", "popular_shelves": shelves},
    ...     {"book_id": "7", "title": "Maus", "popular_shelves": shelves[:1]},
    ... ]
    >>> shelved = [{"user_id": "8842281e1d1347", "book_id": str(book)} for book in (6, 7)]
    >>> with TemporaryDirectory() as folder:
    ...     for kind, records in (("books", books), ("interactions", shelved)):
    ...         file = Path(folder, f"goodreads_{kind}_comics_graphic.json")
    ...         _ = file.write_text("\n".join(map(json.dumps, records)))
    ...     data = fetch_goodreads(
    ...         local_path=folder, min_item_interactions=1, min_user_interactions=1
    ...     )
    >>> data
    TaggedInteractions(1 users, 2 items, 1 tags; 2 interactions, density 100%)
    >>> data.item_names.tolist(), data.item_tags["manga"].tolist()
    (['Akira, Vol. 1', 'Maus'], [1, 0])
    """
    check_name(name, _GENRES)
    files = [f"goodreads_{kind}_{name}.json.gz" for kind in ("books", "interactions")]
    if local_path is not None:
        paths = [_in_folder(Path(local_path).expanduser(), file) for file in files]
    else:
        paths = [
            download(f"{_BASE_URL}{file}", _check_whole, terms=terms, data_home=data_home)
            for file, terms in zip(files, (_TERMS, None), strict=True)  # told once
        ]
    titles, carriers = _read_books(paths[0])
    if tags is not None:
        check_shelves(tags, carriers)
    else:
        tags = informative_shelves(carriers, len(titles), name, n_tags)
        if not tags:
            raise ValueError(
                f"{paths[0]} must name shelves that say something of the books, got none in "
                f"{len(titles)} books; name those you want with tags=[...]"
            )
    tagged = [(book, tag) for tag in tags for book in carriers[tag]]
    return TaggedInteractions.from_frames(
        _read_interactions(paths[1]),
        pd.DataFrame(tagged, columns=["item", "tag"]),
        item_names=titles,
        repeated="last",
    ).drop_rare(
        min_item_interactions=min_item_interactions, min_user_interactions=min_user_interactions
    )


def _in_folder(folder: Path, file: str) -> Path:
    """Return the path of a file, gzipped or not."""
    for path in (folder / file, folder / file.removesuffix(".gz")):
        if path.exists():
            return path
    raise FileNotFoundError(
        f"local_path must be a folder with {file}, or the same without .gz, got {folder}"
        + ("" if folder.is_dir() else ", which is no folder")
    )


def _check_whole(path: Path) -> None:
    """Unpack all of a gzipped file, which ends in a checksum, and keep nothing."""
    with gzip.open(path) as file:
        while file.read(2**20):
            pass


def _read_books(path: Path) -> tuple[dict[int, str], dict[str, list[int]]]:
    """Return the titles, and the books on every shelf."""
    titles: dict[int, str] = {}
    carriers: defaultdict[str, list[int]] = defaultdict(list)

    def parse(record: Any) -> tuple[int, str, list[str]]:
        shelves = record["popular_shelves"]
        shelves = [shelf["name"] for shelf in shelves if int(shelf["count"]) >= _MIN_READERS]
        return int(record["book_id"]), record["title"].strip(), shelves

    for book, title, shelves in _parsed(path, parse):
        titles[book] = title
        for shelf in shelves:
            carriers[shelf].append(book)
    return titles, dict(carriers)


def _read_interactions(path: Path) -> pd.DataFrame:
    """Return a table of users and books that holds every id once."""
    users: dict[str, int] = {}
    books: dict[int, int] = {}
    rows, columns = array("i"), array("i")
    for user, book in _parsed(path, lambda record: (record["user_id"], int(record["book_id"]))):
        rows.append(users.setdefault(user, len(users)))
        columns.append(books.setdefault(book, len(books)))
    user = pd.Categorical.from_codes(np.array(rows), pd.Index(list(users)))
    item = pd.Categorical.from_codes(np.array(columns), pd.Index(list(books)))
    return pd.DataFrame({"user": user, "item": item})


def _parsed(path: Path, parse: Callable[[Any], Parsed]) -> Iterator[Parsed]:
    """Read a file with an object of JSON in every line, one line at a time."""
    number = 0
    with (
        open(path, "rb") as raw,
        gzip.open(raw) if path.suffix == ".gz" else raw as lines,
        tqdm(total=path.stat().st_size, desc=path.name, delay=3, **IN_BYTES) as bar,
    ):
        try:
            for number, line in enumerate(lines, 1):
                yield parse(json.loads(line))
                if number % _LINES == 0:
                    bar.update(raw.tell() - bar.n)
        except (OSError, *DAMAGE) as error:
            raise OSError(
                f"{path} is damaged behind line {number}: {error}; delete it and get it again"
            ) from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path} must hold one record in every line as the UCSD Book Graph does, got "
                f"something else in line {number}: {type(error).__name__}: {error}"
            ) from error
