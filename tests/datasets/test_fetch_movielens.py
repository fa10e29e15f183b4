"""fetch_movielens on small files in the real formats, from a server on this machine."""

import csv
import hashlib
import io
import logging
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pooch
import pytest
from file_server import serving

from sktpecr.datasets import TaggedInteractions, _fetch_movielens, fetch_movielens
from sktpecr.datasets._titles import spoken_title

RELEASES = _fetch_movielens._RELEASES
ALL = {"min_item_interactions": 0, "min_user_interactions": 0}

# Number, title, genres. The last two films have no genres and no ratings.
FILMS = [
    (1, "Toy Story (1995)", ["Animation", "Comedy"]),
    (6, "Heat, The: Director's Cut (1995)", ["Action"]),
    (13, "City of Lost Children (Cité des enfants perdus, La) (1995)", ["Sci-Fi", "Drama"]),
    (4, 'The "Quoted", with, commas (2001)', ["Drama"]),
    (20, "Mission::Impossible :: II", ["Action", "Thriller"]),
    (21, "", ["Film-Noir"]),
    (50, "Pull My Daisy (1958)", []),
    (51, "Pipes | and | bars", []),
]
# User, film, stars. User 2 rates film 6 twice; film 99 is not in the list of films.
RATINGS = [
    (1, 6, 4),
    (1, 1, 5),
    (2, 6, 3),
    (10, 13, 1),
    (2, 6, 2),
    (2, 4, 3),
    (10, 20, 5),
    (10, 21, 4),
    (10, 99, 2),
]


def text_of(rows, separator):
    return "".join(separator.join(map(str, row)) + "\n" for row in rows)


def csv_of(header, rows):
    # As in the real files: quoted only where need be, lines end as on Windows.
    text = io.StringIO(newline="")
    csv.writer(text).writerows([header, *rows])
    return text.getvalue()


def release_files(name):
    """Return {path in the archive: bytes} for the small data set in the format of a release."""
    folder = RELEASES[name].folder
    timed = [(*rating, 978300760 + n) for n, rating in enumerate(RATINGS)]
    if name == "100k":
        genres = _fetch_movielens._FLAGS
        flags = [
            [int(g in having or (g == "unknown" and not having)) for g in genres]
            for *_, having in FILMS
        ]
        items = [
            (number, title, "01-Jan-1995", "", f"http://us.imdb.com/M/{number}", *row)
            for (number, title, _), row in zip(FILMS, flags, strict=True)
        ]
        files = {"u.data": text_of(timed, "\t"), "u.item": text_of(items, "|"), "u.user": "1|24|M"}
    else:
        listed = [
            (number, title, "|".join(genres) or "(no genres listed)")
            for number, title, genres in FILMS
        ]
        if name in ("1m", "10m"):
            files = {"ratings.dat": text_of(timed, "::"), "movies.dat": text_of(listed, "::")}
        else:
            files = {
                "ratings.csv": csv_of(["userId", "movieId", "rating", "timestamp"], timed),
                "movies.csv": csv_of(["movieId", "title", "genres"], listed),
            }
    encoding = "latin-1" if name in ("100k", "1m") else "utf-8"
    return {f"{folder}/{file}": text.encode(encoding) for file, text in files.items()}


def pack(files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def unpack(files, folder):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def entries(data):
    matrix = data.interactions.tocoo()
    users, items = data.user_ids[matrix.row], data.item_ids[matrix.col]
    return dict(zip(zip(users.tolist(), items.tolist(), strict=True), matrix.data, strict=True))


def check(data):
    """Compare with a loop over the rows."""
    assert isinstance(data, TaggedInteractions)
    assert entries(data) == {(user, film): stars for user, film, stars in RATINGS}
    assert data.user_ids.tolist() == [1, 2, 10]
    titles = {number: title for number, title, _ in FILMS} | {99: ""}
    assert data.item_ids.tolist() == sorted(titles)
    assert data.item_names.tolist() == [spoken_title(titles[n]) or str(n) for n in sorted(titles)]
    genres = {number: sorted(some) for number, _, some in FILMS} | {99: []}
    tags = data.item_tags
    assert tags.columns.tolist() == sorted({genre for some in genres.values() for genre in some})
    assert {n: tags.columns[tags.loc[n] == 1].tolist() for n in tags.index} == genres
    assert np.unique(tags).tolist() == [0, 1]


@pytest.fixture
def server(monkeypatch):
    with serving(monkeypatch) as server:
        monkeypatch.setattr(_fetch_movielens, "_BASE_URL", server.url)
        for name in RELEASES:
            archive = server.files[f"ml-{name}.zip"] = pack(release_files(name))
            md5 = hashlib.md5(archive, usedforsecurity=False).hexdigest()
            server.files[f"ml-{name}.zip.md5"] = f"MD5 (ml-{name}.zip) = {md5}\n".encode()
            if name != "latest-small":
                sha256 = hashlib.sha256(archive).hexdigest()
                known = f"md5:{md5}" if name == "10m" else sha256
                monkeypatch.setitem(_fetch_movielens._CHECKSUMS, name, known)
        yield server


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SKTPECR_DATA", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("name", RELEASES)
def test_every_release_is_downloaded_once(name, server, cache):
    check(fetch_movielens(name, **ALL))
    check(fetch_movielens(name, **ALL))
    beside = ["ml-latest-small.zip.md5"] if name == "latest-small" else []
    assert server.asked == [*beside, f"ml-{name}.zip"]
    assert [path.name for path in cache.iterdir()] == [f"ml-{name}.zip"]


@pytest.mark.parametrize("name", RELEASES)
def test_every_release_may_be_brought_along(name, tmp_path, monkeypatch):
    monkeypatch.setattr(pooch, "retrieve", None)  # nothing is downloaded
    files = release_files(name)
    flat = {path.split("/")[1]: content for path, content in files.items()}
    for number, content in enumerate((files, flat)):
        archive = tmp_path / f"{number}.zip"
        archive.write_bytes(pack(content))
        check(fetch_movielens(name, local_path=archive, **ALL))
        folder = unpack(content, tmp_path / str(number))
        check(fetch_movielens(name, local_path=str(folder), **ALL))


def test_checksums_are_pinned_but_for_the_release_that_changes():
    assert list(RELEASES) == ["10m", "1m", "100k", "latest-small", "20m", "25m"]
    checksums = _fetch_movielens._CHECKSUMS
    assert list(checksums) == list(RELEASES)
    unpinned = [name for name, known in checksums.items() if known == "published"]
    assert unpinned == ["latest-small"]
    assert len(set(checksums.values())) == 6
    assert {len(known) for known in checksums.values()} == {64, len("md5:") + 32, len("published")}


def test_half_stars_and_letters_of_all_scripts(tmp_path):
    files = {
        "ratings.dat": b"1::2::0.5::838985046\n1::3::3.5::838983525\n",
        "movies.dat": "2::東京物語 (1953)::Drama\r\n3::¡Átame! (1990)::IMAX\r\n".encode(),
    }
    data = fetch_movielens("10m", local_path=unpack(files, tmp_path), **ALL)
    assert data.interactions.toarray().tolist() == [[0.5, 3.5]]
    assert data.item_names.tolist() == ["東京物語 (1953)", "¡Átame! (1990)"]
    assert data.item_tags.columns.tolist() == ["Drama", "IMAX"]


def test_filters_are_those_of_drop_rare(server, cache):
    data = fetch_movielens("1m", min_item_interactions=2, min_user_interactions=1)
    assert entries(data) == {(1, 6): 4, (2, 6): 2}
    assert data.item_tags.columns.tolist() == ["Action"]
    with pytest.raises(ValueError, match=r"min_item_interactions=5 and .*=10 must leave"):
        fetch_movielens("1m")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("10M", r"name must be one of '10m', .*, got '10M'; did you mean '10m'\?"),
        ("ml-1m", r"got 'ml-1m'; did you mean '1m'\?"),
        ("small", r"did you mean 'latest-small'\?"),
        ("netflix", r"got 'netflix'$"),
    ],
)
def test_wrong_name_is_told(name, message):
    with pytest.raises(ValueError, match=message):
        fetch_movielens(name)


@pytest.mark.parametrize(
    "wrong", [{"name": 10}, {"min_item_interactions": -1}, {"local_path": 3}, {"data_home": 3}]
)
def test_wrong_types_are_told_before_anything_is_downloaded(wrong, server, cache):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}' parameter of fetch_movielens must"):
        fetch_movielens(**{"name": "1m"} | wrong)
    assert server.asked == []


def spoil_bytes(server):
    server.files["ml-1m.zip"] = server.files["ml-1m.zip"][:-30] + b"x" * 30


def spoil_page(server):
    server.files["ml-1m.zip"] = b"<html>Sign in to this network</html>"


def spoil_members(server):
    server.files["ml-1m.zip"] = pack({"ml-1m/README": b"", "ml-1m/ratings.dat": b""})


def spoil_checksum(server):
    server.files["ml-1m.zip"] = pack(release_files("1m") | {"ml-1m/users.dat": b"1::F::1::10::1"})


BROKEN = {
    "missing": (lambda server: server.faults.update({"ml-1m.zip": "missing"}), "404"),
    "cut": (lambda server: server.faults.update({"ml-1m.zip": "cut"}), ""),
    "cut without a length": (
        lambda server: server.faults.update({"ml-1m.zip": "no length"}),
        "zip",
    ),
    "damaged": (spoil_bytes, ""),
    "a page": (spoil_page, "not the whole file: .*not a zip"),
    "no films": (spoil_members, r"must hold ratings\.dat and movies\.dat, directly or in ml-1m"),
    "checksum": (spoil_checksum, "SHA256 hash .*does not match"),
    "gone": (lambda server: (server.shutdown(), server.server_close()), ""),
}


@pytest.mark.parametrize("how", BROKEN)
def test_broken_download_is_told_and_leaves_nothing(how, server, cache):
    spoil, reason = BROKEN[how]
    spoil(server)
    message = (
        rf"{server.url}ml-1m.zip could not be downloaded into the cache folder .*cache: "
        rf"(?s:.*){reason}(?s:.*)local_path=\.\.\.; data_home=.*SKTPECR_DATA"
    )
    with pytest.raises(OSError, match=message):
        fetch_movielens("1m", **ALL)
    assert not cache.exists() or list(cache.iterdir()) == []


def test_download_may_be_tried_again(server, cache):
    server.faults["ml-1m.zip"] = "cut"
    with pytest.raises(OSError, match="could not be downloaded"):
        fetch_movielens("1m", **ALL)
    server.faults.clear()
    check(fetch_movielens("1m", **ALL))


def test_damaged_file_in_the_cache_is_replaced(server, cache):
    cache.mkdir()
    (cache / "ml-20m.zip").write_bytes(b"half of it")
    check(fetch_movielens("20m", **ALL))
    assert server.asked == ["ml-20m.zip"]


@pytest.mark.parametrize("style", ["{md5}  ml-latest-small.zip\n", "{md5}", "MD5(x)= {md5}\n"])
def test_published_checksum_may_be_written_in_any_style(style, server, cache):
    md5 = hashlib.md5(server.files["ml-latest-small.zip"], usedforsecurity=False).hexdigest()
    server.files["ml-latest-small.zip.md5"] = style.format(md5=md5.upper()).encode()
    check(fetch_movielens("latest-small", **ALL))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"MD5 (x) = " + b"0" * 32, "MD5 hash .*does not match"),
        (b"<html>", "ml-latest-small.zip.md5 holds no MD5 checksum, but b'<html>'"),
    ],
)
def test_published_checksum_that_does_not_fit_is_told(content, message, server, cache):
    server.files["ml-latest-small.zip.md5"] = content
    with pytest.raises(OSError, match=message):
        fetch_movielens("latest-small", **ALL)
    assert not cache.exists() or list(cache.iterdir()) == []


def test_cache_folder_is_chosen(server, tmp_path, monkeypatch):
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "os" / project)
    monkeypatch.delenv("SKTPECR_DATA", raising=False)
    fetch_movielens("1m", **ALL)
    monkeypatch.setenv("SKTPECR_DATA", str(tmp_path / "variable"))
    fetch_movielens("1m", **ALL)
    fetch_movielens("1m", data_home=tmp_path / "home", **ALL)
    found = {path.parent.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.zip")}
    assert found == {"os/sktpecr", "variable", "home"}


def test_terms_are_told_at_the_download_only(server, cache, monkeypatch):
    told = []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", lambda record: told.append(record.getMessage()))
    pooch.get_logger().addHandler(handler)
    try:
        fetch_movielens("10m", **ALL)
        (terms,) = [line for line in told if "research only" in line]
        assert terms.endswith(f"{server.url}ml-10m-README.html")
        told.clear()
        fetch_movielens("10m", **ALL)
        assert told == []
    finally:
        pooch.get_logger().removeHandler(handler)


def test_two_threads_download_once(server, cache):
    server.faults["ml-10m.zip"] = "slow"
    with ThreadPoolExecutor(2) as pool:
        for data in pool.map(lambda _: fetch_movielens("10m", **ALL), range(2)):
            check(data)
    assert server.asked == ["ml-10m.zip"]


@pytest.mark.parametrize(
    ("name", "file", "content", "message"),
    [
        ("1m", "movies.dat", "1::A::Drama\n2;B;Drama\n", r"something else in movies\.dat behind"),
        ("1m", "movies.dat", "A::1::Drama\n", r"something else in movies\.dat: .*'A'"),
        ("1m", "ratings.dat", "1::2::good::4\n", r"something else in ratings\.dat: "),
        ("1m", "ratings.dat", "1::2::3::4\n\n::::::\n", r"something else in ratings\.dat: "),
        ("10m", "movies.dat", b"1::\xe9::Drama\n", r"in movies\.dat: .*utf-8.*decode"),
        ("100k", "u.item", "1|Toy Story (1995)|1|0\n", r"something else in u\.item: "),
        ("20m", "movies.csv", "movieId,title,genres\n1,A\n", r"something else in movies\.csv: "),
        ("20m", "movies.csv", 'movieId,title,genres\n1,"A,B\n', r"something else in movies\.csv: "),
        ("25m", "ratings.csv", "userId,movieId\n1,2\n", r"something else in ratings\.csv: "),
    ],
)
def test_file_of_another_format_is_told(name, file, content, message, tmp_path):
    unpack(release_files(name), tmp_path)
    content = content if isinstance(content, bytes) else content.encode()
    (tmp_path / RELEASES[name].folder / file).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        fetch_movielens(name, local_path=tmp_path, **ALL)


def test_local_path_without_the_files_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        fetch_movielens("1m", local_path=tmp_path / "nowhere")
    for number in range(12):
        (tmp_path / f"file{number:02}").write_text("")
    message = r"must hold ratings.dat and movies.dat, .*got file00, .*, file09, \.\.\.$"
    with pytest.raises(FileNotFoundError, match=message):
        fetch_movielens("1m", local_path=tmp_path)
    with pytest.raises(ValueError, match=r"as GroupLens writes them, got something else: .*zip"):
        fetch_movielens("1m", local_path=tmp_path / "file00")
    empty = Path(tmp_path, "empty.zip")
    empty.write_bytes(pack({}))
    with pytest.raises(FileNotFoundError, match=r"directly or in ml-1m, got nothing"):
        fetch_movielens("1m", local_path=empty)


def test_damaged_archive_is_told(tmp_path):
    files = release_files("1m")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:  # stored, so that the text can be found
        for name, content in files.items():
            archive.writestr(name, content)
    path = tmp_path / "ml-1m.zip"
    path.write_bytes(packed.getvalue().replace(b"978300760", b"978300761"))
    with pytest.raises(ValueError, match=r"something else in ratings\.dat: Bad CRC-32"):
        fetch_movielens("1m", local_path=path)


def saved(change_ratings=lambda text: text, change_films=lambda text: text):
    """Return the files of a CSV release as somebody saved them anew."""
    changes = {"ratings.csv": change_ratings, "movies.csv": change_films}
    return {
        path: changes[path.split("/")[1]](content.decode())
        for path, content in release_files("20m").items()
    }


def by_pandas(columns=slice(None), **how):
    def change(text):
        frame = pd.read_csv(io.StringIO(text), keep_default_na=False)
        return frame[frame.columns[columns]].to_csv(**how)

    return change


SAVED = {
    "index of pandas": saved(by_pandas(), by_pandas()),
    "other order": saved(by_pandas([1, 3, 0, 2], index=False), by_pandas([2, 1, 0], index=False)),
    "byte order mark": saved(lambda text: "\ufeff" + text, lambda text: "\ufeff" + text),
    "everything quoted": saved(
        by_pandas(index=False, quoting=csv.QUOTE_ALL), by_pandas(index=False, quoting=csv.QUOTE_ALL)
    ),
    "genre that ends": saved(change_films=lambda text: text.replace("Drama\r\n", "Drama|\r\n")),
    "one more column": saved(by_pandas(index_label="row"), by_pandas(index_label="row")),
    "spaced genres": saved(change_films=lambda text: text.replace("Action|Thr", "Action | Thr")),
}


@pytest.mark.parametrize("how", SAVED)
def test_columns_are_found_by_their_headings(how, tmp_path):
    files = {path: text.encode() for path, text in SAVED[how].items()}
    assert files != release_files("20m")
    check(fetch_movielens("20m", local_path=unpack(files, tmp_path), **ALL))


MISREAD = {
    "semicolons": (by_pandas(index=False, sep=";"), None, "one heading userId, got userId;movieId"),
    "no headings": (by_pandas(index=False, header=False), None, "one heading userId, got 1, 6, 4"),
    "heading twice": (None, by_pandas([0, 0, 1, 2], index=False), "one heading movieId, got movie"),
    "comma at the end": (
        lambda text: re.sub(r"(\d)\r\n", r"\1,\r\n", text),
        None,
        "more fields in a line than headings",
    ),
    "more fields": (
        lambda text: "\n".join([text.splitlines()[0], "1,1,6,4.0,9", "2,1,1,5.0,9"]),
        None,
        "more fields in a line than headings",
    ),
    "no stars": (lambda text: text.replace(",4,", ",88,"), None, "must be stars from 0.5 to 5"),
    "stars missing": (
        lambda text: re.sub(r",4,(\d{3})", r",,\1", text),
        None,
        "must be stars from 0.5 to 5",
    ),
    "unquoted comma": (None, lambda text: text.replace('"', ""), "4 fields below 3 headings"),
}


@pytest.mark.parametrize("how", MISREAD)
def test_file_saved_otherwise_is_told(how, tmp_path):
    *changes, message = MISREAD[how]
    files = saved(*(change or (lambda text: text) for change in changes))
    unpack({path: text.encode() for path, text in files.items()}, tmp_path)
    with pytest.raises(ValueError, match=rf"got something else in \w+\.csv.*{message}"):
        fetch_movielens("20m", local_path=tmp_path, **ALL)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("name", ["100k", "1m", "10m"])
def test_old_releases_may_be_saved_as_utf8(name, mark, tmp_path):
    encoding = RELEASES[name].encoding or "utf-8"
    files = {
        path: (mark + content.decode(encoding)).encode()
        for path, content in release_files(name).items()
    }
    check(fetch_movielens(name, local_path=unpack(files, tmp_path), **ALL))


@pytest.mark.parametrize("name", ["100k", "1m"])
def test_index_in_a_file_without_headings_is_told(name, tmp_path):
    files = release_files(name)
    path, separator = next(iter(files)), "\t" if name == "100k" else "::"
    lines = files[path].decode().splitlines()
    text = "\n".join(f"{number + 7}{separator}{line}" for number, line in enumerate(lines))
    unpack(files | {path: text.encode()}, tmp_path)
    with pytest.raises(ValueError, match="more fields in a line than headings"):
        fetch_movielens(name, local_path=tmp_path, **ALL)


def test_flags_of_genres_that_are_shifted_are_told(tmp_path):
    files = release_files("100k")
    path = "ml-100k/u.item"
    unpack(files | {path: files[path].replace(b"\n", b"|\n")}, tmp_path)
    with pytest.raises(ValueError, match=r"in u\.item: the flags of the genres must be 0 or 1"):
        fetch_movielens("100k", local_path=tmp_path, **ALL)
