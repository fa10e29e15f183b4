"""The MovieLens releases of GroupLens, downloaded or brought along."""

from __future__ import annotations

import csv
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from numbers import Integral
from pathlib import Path
from typing import IO, Any, NamedTuple

import pandas as pd
from sklearn.utils._param_validation import Interval, validate_params

from sktpecr.datasets._download import DAMAGE, check_name, download
from sktpecr.datasets._tagged_interactions import TaggedInteractions

_BASE_URL = "https://files.grouplens.org/datasets/movielens/"
_NO_GENRES = "(no genres listed)"
# The order of the flags in u.item, as the README of ml-100k tells; the first says "no genre".
_GENRES_OF_100K = (
    "unknown|Action|Adventure|Animation|Children's|Comedy|Crime|Documentary|Drama|Fantasy|"
    "Film-Noir|Horror|Musical|Mystery|Romance|Sci-Fi|Thriller|War|Western"
)
_FLAGS = _GENRES_OF_100K.split("|")

# Number, title and genres of a film.
Film = tuple[int, str, list[str]]


def _films_of_100k(file: IO[str]) -> Iterator[Film]:
    """Read number|title|date|date|address and a flag per genre."""
    for line in file:
        fields = line.rstrip("\r\n").split("|")
        flags = zip(_FLAGS, fields[-len(_FLAGS) :], strict=True)
        title = "|".join(fields[1 : -len(_FLAGS) - 3])
        genres = [genre for genre, flag in flags if flag == "1" and genre != _FLAGS[0]]
        yield int(fields[0]), title, genres


def _films_of_dat(file: IO[str]) -> Iterator[Film]:
    """Read number::title::genre|genre, with any title."""
    for line in file:
        number, rest = line.rstrip("\r\n").split("::", 1)
        title, genres = rest.rsplit("::", 1)
        yield int(number), title, _split(genres)


def _films_of_csv(file: IO[str]) -> Iterator[Film]:
    """Read number,title,genre|genre below a line of headings."""
    rows = csv.reader(file, strict=True)
    next(rows, None)
    for number, title, genres in rows:
        yield int(number), title, _split(genres)


def _split(genres: str) -> list[str]:
    return [] if genres in ("", _NO_GENRES) else genres.split("|")


class _Format(NamedTuple):
    """How the two files of a release are written."""

    ratings: str
    films: str
    encoding: str
    read_films: Callable[[IO[str]], Iterator[Film]]
    # For pandas. Its fast parser splits at one character only, which is enough: "::" are two
    # separators, with an empty column between them.
    table: dict[str, Any]


class _Release(NamedTuple):
    """What is in the archive ml-<name>.zip, and what is beside it."""

    folder: str
    # As in the .md5 file beside the archive; None where the archive may change.
    md5: str | None
    readme: str
    format: _Format


_TABS = {"sep": "\t", "header": None, "usecols": [0, 1, 2]}
_COLONS = {"sep": ":", "header": None, "usecols": [0, 2, 4]}
_COMMAS = {"sep": ",", "header": 0, "usecols": [0, 1, 2]}
_U = _Format("u.data", "u.item", "latin-1", _films_of_100k, _TABS)
_DAT = _Format("ratings.dat", "movies.dat", "utf-8", _films_of_dat, _COLONS)
_CSV = _Format("ratings.csv", "movies.csv", "utf-8", _films_of_csv, _COMMAS)
_RELEASES = {
    "10m": _Release("ml-10M100K", "ce571fd55effeba0271552578f2648bd", "README.html", _DAT),
    "1m": _Release(
        "ml-1m", "c4d9eecfca2ab87c1945afe126590906", "README.txt", _DAT._replace(encoding="latin-1")
    ),
    "100k": _Release("ml-100k", "0e33842e24a9c977be4e0107933c0723", "README.txt", _U),
    "latest-small": _Release("ml-latest-small", None, "README.html", _CSV),
    "20m": _Release("ml-20m", "cd245b17a1ae2cc31bb14903e1204af3", "README.html", _CSV),
    "25m": _Release("ml-25m", "6b51fb2759a8657d3bfcbfc42b592ada", "README.html", _CSV),
}


@validate_params(
    {
        "name": [str],
        "min_item_interactions": [Interval(Integral, 0, None, closed="left")],
        "min_user_interactions": [Interval(Integral, 0, None, closed="left")],
        "local_path": [str, os.PathLike, None],
        "data_home": [str, os.PathLike, None],
    },
    prefer_skip_nested_validation=True,
)
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
            _BASE_URL,
            f"ml-{name}.zip",
            lambda came: _check_archive(came, release),
            md5=release.md5,
            md5_is_published=True,
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


@contextmanager
def _files(path: Path, release: _Release) -> Iterator[tuple[Any, Any]]:
    """Find the ratings and the films in a folder or an archive, whichever it is."""
    if path.is_dir():
        yield _locate(path, path, release)
        return
    with zipfile.ZipFile(path) as archive:
        yield _locate(path, zipfile.Path(archive), release)


def _locate(path: Path, root: Any, release: _Release) -> tuple[Any, Any]:
    wanted = release.format.ratings, release.format.films
    for folder in (root / release.folder, root):
        ratings, films = (folder / file for file in wanted)
        if ratings.exists() and films.exists():
            return ratings, films
    held = sorted(entry.name for entry in root.iterdir())
    raise FileNotFoundError(
        f"{path} must hold {' and '.join(wanted)}, directly or in {release.folder}, got "
        f"{', '.join(held[:10]) or 'nothing'}{', ...' if len(held) > 10 else ''}"
    )


def _check_archive(path: Path, release: _Release) -> None:
    with _files(path, release):
        pass


def _read(path: Path, release: _Release) -> TaggedInteractions:
    """Read the files of a release into matrices, all of them."""
    form = release.format
    part = ""  # what is being read, for the message
    names: dict[int, str] = {}
    tagged: list[tuple[int, str]] = []
    try:
        with _files(path, release) as (ratings_file, films_file):
            part = form.films
            with films_file.open("r", encoding=form.encoding, newline="") as file:
                for number, title, genres in form.read_films(file):
                    names[number] = title.strip()
                    tagged.extend((number, genre) for genre in genres)
                    part = f"{form.films} behind film {number}"
            part = form.ratings
            with ratings_file.open("rb") as file:
                ratings = pd.read_csv(
                    file,
                    names=["user", "item", "stars"],
                    dtype={"user": "int32", "item": "int32", "stars": "float32"},
                    **form.table,
                )
    except (ValueError, csv.Error, *DAMAGE) as error:
        raise ValueError(
            f"{path} must hold {form.ratings} and {form.films} as GroupLens writes them, got "
            f"something else{part and f' in {part}'}: {error}"
        ) from error
    return TaggedInteractions.from_frames(
        ratings,
        pd.DataFrame(tagged, columns=["item", "tag"]),
        value="stars",
        item_names=names,
    )
