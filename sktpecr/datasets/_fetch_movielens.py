"""The MovieLens releases of GroupLens, downloaded or brought along."""

from __future__ import annotations

import csv
import io
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import pandas as pd
from sklearn.utils._param_validation import validate_params

from sktpecr.datasets._download import DAMAGE, PARAMETERS, PUBLISHED, download
from sktpecr.datasets._near import check_name
from sktpecr.datasets._tagged_interactions import TaggedInteractions
from sktpecr.datasets._titles import spoken_title

_BASE_URL = "https://files.grouplens.org/datasets/movielens/"
_NO_GENRES = ("", "(no genres listed)", "unknown")
# The order of the flags in u.item, as the README of ml-100k tells; the first says "no genre".
_GENRES_OF_100K = (
    "unknown|Action|Adventure|Animation|Children's|Comedy|Crime|Documentary|Drama|Fantasy|"
    "Film-Noir|Horror|Musical|Mystery|Romance|Sci-Fi|Thriller|War|Western"
)
_FLAGS = _GENRES_OF_100K.split("|")


class _Release(NamedTuple):
    """What is in the archive ml-<name>.zip, and what is beside it."""

    folder: str
    readme: str
    files: tuple[str, str]  # the ratings, the films
    encoding: str | None = None  # where it is not UTF-8


_DAT, _CSV = ("ratings.dat", "movies.dat"), ("ratings.csv", "movies.csv")
_RELEASES = {
    "10m": _Release("ml-10M100K", "README.html", _DAT),
    "1m": _Release("ml-1m", "README.txt", _DAT, "latin-1"),
    "100k": _Release("ml-100k", "README.txt", ("u.data", "u.item"), "latin-1"),
    "latest-small": _Release("ml-latest-small", "README.html", _CSV),
    "20m": _Release("ml-20m", "README.html", _CSV),
    "25m": _Release("ml-25m", "README.html", _CSV),
}
# SHA-256 of the archives; of "10m" there is GroupLens's MD5 only.
_CHECKSUMS = {
    "10m": "md5:ce571fd55effeba0271552578f2648bd",
    "1m": "a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
    "100k": "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
    "latest-small": PUBLISHED,
    "20m": "96f243c338a8665f6bcc89c53edf6ee39162a846940de6b7c8c48aeada765ff3",
    "25m": "8b21cfb7eb1706b4ec0aac894368d90acf26ebdfb6aced3ebd4ad5bd1eb9c6aa",
}


@validate_params(PARAMETERS, prefer_skip_nested_validation=True)
def fetch_movielens(
    name: str,
    *,
    min_item_interactions: int = 5,
    min_user_interactions: int = 10,
    local_path: str | os.PathLike[str] | None = None,
    data_home: str | os.PathLike[str] | None = None,
) -> TaggedInteractions:
    r"""Fetch a MovieLens release: star ratings, and genres as tags.

    The archive is downloaded once, checked against the MD5 checksum that GroupLens publishes and
    kept in a cache folder. The paper's data set is ``"10m"``. Films with few ratings go first,
    then users with few, with the paper's numbers; 0 and 0 keep everything.

    Parameters
    ----------
    name : {"10m", "1m", "100k", "latest-small", "20m", "25m"}
        Which release. "latest-small" may change at any time and is not for results to be compared.
    min_item_interactions : int, default=5
        Films with fewer ratings are left out: see :meth:`TaggedInteractions.drop_rare`.
    min_user_interactions : int, default=10
        Users with fewer ratings of the films that are left are left out.
    local_path : str or path, default=None
        Where the data are already: the archive, or the folder that it was unpacked into. Nothing
        is downloaded then.
    data_home : str or path, default=None
        The cache folder; by default what the environment variable ``SKTPECR_DATA`` says, else a
        folder "sktpecr" where the operating system keeps caches.

    Returns
    -------
    TaggedInteractions
        Users and films are known by MovieLens's own numbers, in ascending order; the interactions
        are stars. Names are such as "Heat (1995)". The tags are the genres in the files: 18, and
        from "10m" on IMAX as a nineteenth. A film that has "(no genres listed)" has no tag. If a
        user rated a film twice, the last rating counts.

    Raises
    ------
    OSError
        If the archive cannot be downloaded whole, or `local_path` lacks a file.
    ValueError
        If there is no release of that name, a file is not as MovieLens writes it, or nothing is
        left by the filters.

    See Also
    --------
    load_movielens : A small release that comes with the package.
    fetch_goodreads : The other data set of the paper.

    Notes
    -----
    The data are **not** under the licence of the code. GroupLens allows their use for research;
    any commercial or revenue-bearing use needs its permission first, and publications have to
    acknowledge the data set [1]_. The full terms are in the README of the release, whose address
    is told at the download.

    References
    ----------
    .. [1] F. M. Harper and J. A. Konstan, "The MovieLens Datasets: History and Context", ACM
       Transactions on Interactive Intelligent Systems 5(4), 2015.
       https://doi.org/10.1145/2827872

    Examples
    --------
    >>> from sktpecr.datasets import fetch_movielens
    >>> data = fetch_movielens("10m")  # doctest: +SKIP

    With files that are there already, here two small ones:

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> films = "movieId,title,genres\n6,Heat (1995),Action|Crime\n7,Sabrina (1995),Comedy\n"
    >>> ratings = "userId,movieId,rating,timestamp\n1,6,4.5,1\n1,7,2.0,2\n2,6,3.0,3\n"
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "movies.csv").write_text(films)
    ...     _ = Path(folder, "ratings.csv").write_text(ratings)
    ...     fetch_movielens(
    ...         "latest-small",
    ...         local_path=folder,
    ...         min_item_interactions=2,
    ...         min_user_interactions=1,
    ...     )
    TaggedInteractions(2 users, 1 items, 2 tags; 2 interactions, density 100%)
    """
    check_name(name, _RELEASES)
    release = _RELEASES[name]
    if local_path is not None:
        path = Path(local_path).expanduser()
    else:
        path = download(
            f"{_BASE_URL}ml-{name}.zip",
            lambda came: _files(came, release),
            checksum=_CHECKSUMS[name],
            terms=(
                f"MovieLens data are for research only, not for commercial use without permission "
                f"of GroupLens, and have to be acknowledged in publications; the full terms: "
                f"{_BASE_URL}ml-{name}-{release.readme}"
            ),
            data_home=data_home,
        )
    return _read(path, release).drop_rare(
        min_item_interactions=min_item_interactions, min_user_interactions=min_user_interactions
    )


def _files(path: Path, release: _Release) -> list[Any]:
    """Find the ratings and the films in a folder or an archive, whichever it is."""
    root: Any = path if path.is_dir() else zipfile.Path(path)
    for folder in (root / release.folder, root):
        found = [folder / file for file in release.files]
        if all(file.exists() for file in found):
            return found
    held = sorted(entry.name for entry in root.iterdir())
    raise FileNotFoundError(
        f"{path} must hold {' and '.join(release.files)}, directly or in {release.folder}, got "
        f"{', '.join(held[:10]) or 'nothing'}{', ...' if len(held) > 10 else ''}"
    )


def _read(path: Path, release: _Release) -> TaggedInteractions:
    """Read the files of a release into matrices, all of them."""
    part = ""  # what is being read, for the message
    names: dict[int, str] = {}
    tagged: list[tuple[int, str]] = []
    try:
        ratings_file, films_file = _files(path, release)
        part = films_file.name
        text = _decoded(films_file.read_bytes(), release.encoding)
        for number, title, genres in _films(io.StringIO(text, newline=""), films_file.name):
            names[number] = spoken_title(title.strip())
            some = (genre.strip() for genre in genres)
            tagged.extend((number, genre) for genre in some if genre not in _NO_GENRES)
            part = f"{films_file.name} behind film {number}"
        part = ratings_file.name
        with ratings_file.open("rb") as file:
            ratings = _ratings(file, ratings_file.name)
    except (ValueError, csv.Error, *DAMAGE) as error:
        raise ValueError(
            f"{path} must hold {' and '.join(release.files)} as GroupLens writes them, got "
            f"something else{part and f' in {part}'}: {error}"
        ) from error
    return TaggedInteractions.from_frames(
        ratings,
        pd.DataFrame(tagged, columns=["movieId", "tag"]),
        user="userId",
        item="movieId",
        value="rating",
        item_names=names,
        repeated="last",
    )


def _decoded(content: bytes, encoding: str | None) -> str:
    """Return the text of a file that GroupLens or somebody after them wrote."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        if encoding is None:
            raise
        return content.decode(encoding)


def _films(file: IO[str], name: str) -> Iterator[tuple[int, str, list[str]]]:
    """Read number, title and genres of every film."""
    if name.endswith(".csv"):  # in any order, by their headings
        rows = csv.reader(file, strict=True)
        headings = next(rows, [])
        places = [_place(headings, wanted) for wanted in ("movieId", "title", "genres")]
        for row in rows:
            if len(row) != len(headings):
                raise ValueError(f"{len(row)} fields below {len(headings)} headings")
            yield int(row[places[0]]), row[places[1]], row[places[2]].split("|")
    elif name == "u.item":  # number|title|date|date|address and a flag per genre
        for line in file:
            fields = line.rstrip("\r\n").split("|")
            flags = fields[-len(_FLAGS) :]
            if not {"0", "1"}.issuperset(flags):
                raise ValueError(f"the flags of the genres must be 0 or 1, got {flags}")
            genres = [genre for genre, flag in zip(_FLAGS, flags, strict=True) if flag == "1"]
            yield int(fields[0]), "|".join(fields[1 : -len(_FLAGS) - 3]), genres
    else:  # number::title::genre|genre, with any title
        for line in file:
            number, rest = line.rstrip("\r\n").split("::", 1)
            title, listed = rest.rsplit("::", 1)
            yield int(number), title, listed.split("|")


def _ratings(file: IO[bytes], name: str) -> pd.DataFrame:
    """Read the ratings, by their headings where the file has some."""
    types = {"userId": "int32", "movieId": "int32", "rating": "float32"}
    how: dict[str, Any] = {"dtype": types, "encoding": "utf-8-sig"}
    if name.endswith(".csv"):
        table = pd.read_csv(file, **how)
    elif name == "u.data":
        table = pd.read_csv(file, sep="\t", names=[*types, "timestamp"], **how)
    else:
        # The fast parser splits at one character only: "::" are two, with nothing between them.
        names = ["userId", "", "movieId", " ", "rating", "  ", "timestamp"]
        table = pd.read_csv(file, sep=":", names=names, **how)
    for heading in types:
        _place(list(table.columns), heading)
    if not table.index.equals(pd.RangeIndex(len(table))):  # pandas took a column for an index
        raise ValueError("more fields in a line than headings")
    if not table["rating"].between(0.5, 5).all():
        raise ValueError("ratings must be stars from 0.5 to 5")
    return table[list(types)]


def _place(headings: list[str], wanted: str) -> int:
    if headings.count(wanted) != 1:
        raise ValueError(f"there must be one heading {wanted}, got {', '.join(headings[:10])}")
    return headings.index(wanted)
