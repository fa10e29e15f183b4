"""The data of the experiments, by name."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pandas as pd

from sktpecr.datasets import TaggedInteractions, load_movielens

# Real data, the paper's first. The others stand beside them where their files are not to be had.
PAPERS = ("movielens-10m", "goodreads-comics")
REAL = ("movielens-small", "movielens-1m", "goodbooks", *PAPERS)
# Ratings with their time, and tags that users typed.
DATED = ("movielens-latest-small",)

# Where the files may be in the folder that --data-dir names; the first that is there is read.
_PLACES = {
    "movielens-10m": ("ml-10m.zip", "ml-10M100K", "movielens-10m"),
    "goodreads-comics": ("goodreads-comics", "goodreads"),
    "movielens-1m": ("movielens-1m",),
    "goodbooks": ("goodbooks-10k", "goodbooks"),
    "movielens-latest-small": ("movielens-latest-small",),
}
NEEDS = {
    "movielens-10m": "ml-10m.zip of GroupLens, or the folder in it",
    "goodreads-comics": "a folder goodreads-comics with the two gzipped files of the genre",
    "movielens-1m": "a folder movielens-1m with interactions.parquet (user_id, item_id) and "
    "items.parquet (item_id, genres)",
    "goodbooks": "a folder goodbooks-10k with interactions.parquet (user_id, item_id) and "
    "item_genres.parquet (item_id and the genre)",
    "movielens-latest-small": "a folder movielens-latest-small with interactions.parquet (user_id, "
    "item_id, rating, timestamp), item_tags.parquet (user_id, item_id, tag) and items.parquet "
    "(item_id, genres)",
}


class Dated(NamedTuple):
    """Long tables: who rated what when, who typed which tag, and which genres items have."""

    ratings: pd.DataFrame
    typed: pd.DataFrame
    genres: pd.DataFrame


def load(name: str, folder: Path | None) -> TaggedInteractions:
    """Return interactions and tags, as they are: `drop_rare` is the paper's filters.

    The paper's two data sets are downloaded where `folder` is None; the others have to be there.
    """
    if name == "movielens-small":
        return load_movielens()
    if name in PAPERS:
        return _fetch(name, _place(name, folder))
    place = _needed(name, folder)
    interactions = pd.read_parquet(place / "interactions.parquet")
    if name == "goodbooks":
        tags = pd.read_parquet(place / "item_genres.parquet")
        tags = tags.rename(columns={"genre": "tag"})
    else:
        tags = _genres(place)
    tags = tags[tags["item_id"].isin(interactions["item_id"])]
    return TaggedInteractions.from_frames(
        interactions, tags, user="user_id", item="item_id", tag="tag"
    )


def load_dated(name: str, folder: Path | None) -> Dated:
    """Return the tables as they are, but for tags that differ in case alone."""
    place = _needed(name, folder)
    typed = pd.read_parquet(place / "item_tags.parquet")
    typed["tag"] = typed["tag"].str.strip().str.lower()
    ratings = pd.read_parquet(place / "interactions.parquet")
    return Dated(ratings, typed.drop_duplicates(ignore_index=True), _genres(place))


def _genres(place: Path) -> pd.DataFrame:
    items = pd.read_parquet(place / "items.parquet").set_index("item_id")
    return items["genres"].explode().dropna().rename("tag").reset_index()


def _needed(name: str, folder: Path | None) -> Path:
    place = _place(name, folder)
    if place is None:
        raise FileNotFoundError(f"--data {name} needs --data-dir, a folder that has {NEEDS[name]}")
    return place


def _place(name: str, folder: Path | None) -> Path | None:
    if folder is None:
        return None
    for place in _PLACES[name]:
        if (folder / place).exists():
            return folder / place
    raise FileNotFoundError(f"--data {name}: --data-dir has to be a folder that has {NEEDS[name]}")


def _fetch(name: str, place: Path | None) -> TaggedInteractions:
    from sktpecr.datasets import fetch_goodreads, fetch_movielens

    if name == "movielens-10m":
        return fetch_movielens(
            "10m", local_path=place, min_item_interactions=0, min_user_interactions=0
        )
    return fetch_goodreads(
        "comics_graphic", local_path=place, min_item_interactions=0, min_user_interactions=0
    )
