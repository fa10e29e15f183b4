"""The data of the experiments, by name."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from sktpecr.datasets import TaggedInteractions, load_movielens

# Real data, the paper's first. The others stand beside them where their files are not to be had.
PAPERS = ("movielens-10m", "goodreads-comics")
REAL = ("movielens-small", "movielens-1m", "goodbooks", *PAPERS)

# Where the files may be in the folder that --data-dir names; the first that is there is read.
_PLACES = {
    "movielens-10m": ("ml-10m.zip", "ml-10M100K", "movielens-10m"),
    "goodreads-comics": ("goodreads-comics", "goodreads"),
    "movielens-1m": ("movielens-1m",),
    "goodbooks": ("goodbooks-10k", "goodbooks"),
}
NEEDS = {
    "movielens-10m": "ml-10m.zip of GroupLens, or the folder in it",
    "goodreads-comics": "a folder goodreads-comics with the two gzipped files of the genre",
    "movielens-1m": "a folder movielens-1m with interactions.parquet (user_id, item_id) and "
    "items.parquet (item_id, genres)",
    "goodbooks": "a folder goodbooks-10k with interactions.parquet (user_id, item_id) and "
    "item_genres.parquet (item_id and the genre)",
}


def load(name: str, folder: Path | None) -> TaggedInteractions:
    """Return interactions and tags, as they are: `drop_rare` is the paper's filters.

    The paper's two data sets are downloaded where `folder` is None; the others have to be there.
    """
    if name == "movielens-small":
        return load_movielens()
    place = _place(name, folder)
    if name in PAPERS:
        return _fetch(name, place)
    if place is None:
        raise FileNotFoundError(f"--data {name} needs --data-dir, a folder that has {NEEDS[name]}")
    interactions = pd.read_parquet(place / "interactions.parquet")
    if name == "goodbooks":
        tags = pd.read_parquet(place / "item_genres.parquet")
        tags = tags.rename(columns={"genre": "tag"})
    else:
        items = pd.read_parquet(place / "items.parquet").set_index("item_id")
        tags = items["genres"].explode().dropna().rename("tag").reset_index()
    tags = tags[tags["item_id"].isin(interactions["item_id"])]
    return TaggedInteractions.from_frames(
        interactions, tags, user="user_id", item="item_id", tag="tag"
    )


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
