"""fetch_goodreads on small files in the real format, from a server on this machine."""

import gzip
import json
import logging
from itertools import pairwise

import numpy as np
import pooch
import pytest
from file_server import serving

from sktpecr.datasets import TaggedInteractions, _fetch_goodreads, fetch_goodreads
from sktpecr.datasets._shelves import informative_shelves

ALL = {"min_item_interactions": 0, "min_user_interactions": 0}
BOOKS, SHELVED = (f"goodreads_{kind}_comics_graphic.json.gz" for kind in ("books", "interactions"))

# Book, title, {shelf: readers}.
LIBRARY = [
    (25742454, "The Switchblade Mamma", {"to-read": 900, "comics": 50, "horror": 3}),
    (30128855, 'Cruelle, "vol. 1"', {"comics": 9, "graphic-novels": 8, "manga": 1, "dc": 2}),
    (13571772, "Captain América ", {"owned": 5, "comics": 8, "marvel": 44, "superheroes": 12}),
    (35452242, "進撃の巨人 1", {"manga": 77, "horror": 30, "read-in-2015": 4}),
    (707611, "", {}),
]
# User, book. One pair comes twice, and book 1 is not among the books.
PAIRS = [
    ("8842281e1d1347389f2ab93d60773d4d", 30128855),
    ("8842281e1d1347389f2ab93d60773d4d", 25742454),
    ("72fb0d0087d28c832f15776b0d936598", 30128855),
    ("72fb0d0087d28c832f15776b0d936598", 1),
    ("8842281e1d1347389f2ab93d60773d4d", 30128855),
    ("ab2923b738ea3082f5f3efcbbfacb218", 35452242),
]


def book_record(book, title, shelves):
    return {
        "isbn": "",
        "text_reviews_count": "1",
        "popular_shelves": [{"count": str(n), "name": name} for name, n in shelves.items()],
        "description": 'It says "user_id": "x".\nTwice.',
        "book_id": str(book),
        "title": title,
    }


def shelved_record(user, book):
    return {
        "user_id": user,
        "book_id": str(book),
        "review_id": "a",
        "is_read": False,
        "rating": 0,
        "review_text_incomplete": "",
        "date_added": "Fri Apr 19 08:15:15 -0700 2013",
    }


def lines_of(records):
    return "".join(json.dumps(record) + "\n" for record in records).encode()


PLAIN = {
    BOOKS: lines_of(book_record(*row) for row in LIBRARY),
    SHELVED: lines_of(shelved_record(*row) for row in PAIRS),
}


def check(data):
    """Compare with a loop over the rows."""
    assert isinstance(data, TaggedInteractions)
    matrix = data.interactions.tocoo()
    users, items = data.user_ids[matrix.row], data.item_ids[matrix.col]
    assert set(zip(users, items, strict=True)) == set(PAIRS)
    assert set(matrix.data) == {1.0}
    assert data.user_ids.tolist() == sorted({user for user, _ in PAIRS})
    titles = {book: title.strip() or str(book) for book, title, _ in LIBRARY} | {1: "1"}
    assert data.item_ids.tolist() == sorted(titles)
    assert data.item_ids.dtype == np.int64
    assert data.item_names.tolist() == [titles[book] for book in sorted(titles)]
    # "comics" is the genre, "manga" has two readers on one book only, "dc" is on one book too.
    assert data.item_tags.columns.tolist() == ["dc", "horror", "manga", "marvel"]
    for book, _, shelves in LIBRARY:
        tags = data.item_tags.loc[book]
        some = {shelf for shelf, readers in shelves.items() if readers > 1}
        assert set(tags.index[tags == 1]) == some & set(tags.index)


@pytest.fixture
def server(monkeypatch, tmp_path):
    monkeypatch.setenv("SKTPECR_DATA", str(tmp_path / "cache"))
    with serving(monkeypatch) as server:
        monkeypatch.setattr(_fetch_goodreads, "_BASE_URL", server.url)
        server.files.update({name: gzip.compress(content) for name, content in PLAIN.items()})
        yield server


def write(folder, files):
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def write_plain(folder, **changed):
    """Write both files unpacked, `books` or `interactions` with another content."""
    for kind, name in (("books", BOOKS), ("interactions", SHELVED)):
        (folder / name.removesuffix(".gz")).write_bytes(changed.get(kind, PLAIN[name]))
    return folder


def test_both_files_are_downloaded_once(server, tmp_path):
    check(fetch_goodreads(**ALL))
    check(fetch_goodreads("comics_graphic", **ALL))
    assert server.asked == [BOOKS, SHELVED]
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {BOOKS, SHELVED}


def test_files_may_be_brought_along(tmp_path, monkeypatch):
    monkeypatch.setattr(pooch, "retrieve", None)  # nothing is downloaded
    (tmp_path / "packed").mkdir()
    packed = {name: gzip.compress(content) for name, content in PLAIN.items()}
    check(fetch_goodreads(local_path=str(write(tmp_path / "packed", packed)), **ALL))
    check(fetch_goodreads(local_path=write_plain(tmp_path), **ALL))


def test_every_genre_has_its_files(server):
    for name in _fetch_goodreads._GENRES:
        for file in (BOOKS, SHELVED):
            server.files[file.replace("comics_graphic", name)] = server.files[file]
        assert fetch_goodreads(name, **ALL).counts()["interactions"] == 5
    assert len(server.asked) == 16


def test_filters_are_those_of_drop_rare(tmp_path):
    write_plain(tmp_path)
    data = fetch_goodreads(local_path=tmp_path, min_item_interactions=2, min_user_interactions=1)
    assert data.counts() == {"users": 2, "items": 1, "tags": 1, "interactions": 2}
    with pytest.raises(ValueError, match=r"min_item_interactions=5 and .*=10 must leave"):
        fetch_goodreads(local_path=tmp_path)


def test_tags_may_be_named(tmp_path):
    write_plain(tmp_path)
    data = fetch_goodreads(tags=["manga", "comics"], local_path=tmp_path, **ALL)
    assert data.item_tags.columns.tolist() == ["comics", "manga"]
    assert data.item_tags["comics"].sum() == 3
    assert data.item_tags["manga"].sum() == 1  # not where it has one reader


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        (["comics", "mangas"], r"tags must be names of shelves .*got 'mangas'; did you mean 'man"),
        (["zzz"], r"got 'zzz'; such are comics, "),
        ("manga", r"'tags' parameter of fetch_goodreads must be an array-like"),
    ],
)
def test_wrong_tags_are_told(tags, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        fetch_goodreads(tags=tags, local_path=write_plain(tmp_path), **ALL)


def test_books_without_informative_shelves_are_told(tmp_path):
    books = lines_of([book_record(1, "A", {"to-read": 5, "comics": 9})])
    write_plain(tmp_path, books=books)
    with pytest.raises(ValueError, match=r"got none in 1 books; name those you want with tags="):
        fetch_goodreads(local_path=tmp_path, **ALL)


def many(n, start=0):
    return range(start, start + n)


@pytest.mark.parametrize(
    ("carriers", "expected"),
    [
        (
            {"horror": many(5), "fantasy": many(9, 5), "dc": many(5, 20)},
            ["fantasy", "dc", "horror"],
        ),
        ({"fiction": many(51), "non-fiction": many(50)}, ["non-fiction"]),
        ({"to-read": many(9), "Owned-Books": many(9), "my_library": many(9)}, []),
        ({"read-in-2015": many(9), "1001": many(9), "kindle": many(9), "favorites": many(9)}, []),
        ({"comic": many(9), "graphic-novel": many(9), "comics-manga": many(9)}, []),
        (
            {"sci-fi": many(9), "science-fiction": many(8, 1), "space": many(8, 4)},
            ["sci-fi", "space"],
        ),
        ({"slice-of-life": many(3), "star-wars": many(3, 5), "1980s": many(1, 10)}, None),
        ({"": many(3), "-": many(3)}, []),
    ],
)
def test_shelves_are_chosen_by_the_rule(carriers, expected):
    found = informative_shelves(carriers, 100, "comics_graphic", 6)
    assert found == (list(carriers) if expected is None else expected)


def test_as_many_shelves_are_chosen_as_asked():
    carriers = {f"about-{letter}": many(9, 10 * n) for n, letter in enumerate("abcdefgh")}
    for n_tags in range(1, 9):
        assert informative_shelves(carriers, 100, "poetry", n_tags) == list(carriers)[:n_tags]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("comics", r"name must be one of 'comics_graphic', .*; did you mean 'comics_graphic'\?"),
        ("Young Adult", r"did you mean 'young_adult'\?"),
        ("physics", r"got 'physics'$"),
    ],
)
def test_wrong_name_is_told(name, message):
    with pytest.raises(ValueError, match=message):
        fetch_goodreads(name)


@pytest.mark.parametrize("fault", ["missing", "cut", "no length", "damaged", "page", "gone"])
def test_broken_download_is_told_and_leaves_nothing_of_it(fault, server, tmp_path):
    if fault == "damaged":
        content = server.files[SHELVED]
        server.files[SHELVED] = content[:-6] + b"......"
    elif fault == "page":
        server.files[SHELVED] = b"<html>Moved</html>"
    elif fault == "gone":
        server.shutdown()
        server.server_close()
    server.faults[SHELVED] = fault
    with pytest.raises(
        OSError, match=r"could not be downloaded into the cache folder .*local_path"
    ):
        fetch_goodreads(**ALL)
    cache = tmp_path / "cache"
    left = {path.name for path in cache.iterdir()} if cache.exists() else set()
    assert left == (set() if fault == "gone" else {BOOKS})  # the first file came whole


def test_terms_are_told_at_the_download_only(server, monkeypatch):
    told = []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", lambda record: told.append(record.getMessage()))
    pooch.get_logger().addHandler(handler)
    try:
        fetch_goodreads(**ALL)
        assert told.count(_fetch_goodreads._TERMS) == 1  # for two files
        told.clear()
        fetch_goodreads(**ALL)
        assert told == []
    finally:
        pooch.get_logger().removeHandler(handler)


@pytest.mark.parametrize(
    ("kind", "line", "message"),
    [
        ("interactions", b'{"user_id": "a"}', "in line 7: KeyError: 'book_id'"),
        ("interactions", b'{"user_id": "a", "book_id": "x"}', "in line 7: ValueError: .*'x'"),
        ("interactions", b'{"user_id": "a", "bo', "in line 7: JSONDecodeError: "),
        ("interactions", b"[]", "in line 7: TypeError: "),
        ("interactions", b'{"user_id": "\xff"}', "in line 7: UnicodeDecodeError: "),
        ("books", b'{"book_id": "3", "popular_shelves": []}', "in line 6: KeyError: 'title'"),
        (
            "books",
            b'{"book_id": "3", "popular_shelves": [], "title": null}',
            "in line 6: AttributeError: ",
        ),
    ],
)
def test_line_of_another_format_is_told(kind, line, message, tmp_path):
    content = PLAIN[BOOKS if kind == "books" else SHELVED] + line
    with pytest.raises(ValueError, match=rf"_{kind}_.* one record in every line .*{message}"):
        fetch_goodreads(local_path=write_plain(tmp_path, **{kind: content}), **ALL)


def test_missing_and_damaged_local_files_are_told(tmp_path):
    message = rf"local_path must be a folder with {BOOKS}, or the same without .gz, got .*$"
    with pytest.raises(FileNotFoundError, match=message):
        fetch_goodreads(local_path=tmp_path)
    with pytest.raises(FileNotFoundError, match=r"nowhere, which is no folder$"):
        fetch_goodreads(local_path=tmp_path / "nowhere")
    packed = {name: gzip.compress(content) for name, content in PLAIN.items()}
    for content in (packed[SHELVED][:-20], b"no gzip", packed[SHELVED][:-8] + b"........"):
        write(tmp_path, packed | {SHELVED: content})
        with pytest.raises(OSError, match=rf"{SHELVED} is damaged behind line .*; delete it"):
            fetch_goodreads(local_path=tmp_path, **ALL)


def test_files_without_lines_are_told(tmp_path):
    with pytest.raises(ValueError, match="interactions is empty"):
        fetch_goodreads(local_path=write_plain(tmp_path, interactions=b""), **ALL)


def test_progress_is_told_in_bytes_read(tmp_path, monkeypatch):
    seen = []

    class Bar:
        def __init__(self, total, **kwargs):
            self.n = 0
            seen.append(total)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

        def update(self, n):
            self.n += n
            seen.append(self.n)

    monkeypatch.setattr(_fetch_goodreads, "tqdm", Bar)
    monkeypatch.setattr(_fetch_goodreads, "_LINES", 2)
    rows = write_plain(tmp_path) / SHELVED.removesuffix(".gz")
    _fetch_goodreads._read_interactions(rows)
    assert seen == [len(PLAIN[SHELVED]), *(seen[1:])]
    assert len(seen) == 4
    assert all(0 < one <= other <= seen[0] for one, other in pairwise(seen[1:]))
