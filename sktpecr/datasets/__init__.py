"""Data with interactions and item tags: real, brought along, or made."""

from sktpecr.datasets._clean_tags import clean_tags
from sktpecr.datasets._fetch_goodreads import fetch_goodreads
from sktpecr.datasets._fetch_movielens import fetch_movielens
from sktpecr.datasets._load_movielens import load_movielens
from sktpecr.datasets._make import make_tagged_interactions, make_tpecr_synthetic
from sktpecr.datasets._pair_tags import pair_tags
from sktpecr.datasets._tagged_interactions import TaggedInteractions
from sktpecr.datasets._tags_from_features import tags_from_features
from sktpecr.datasets._tags_from_text import tags_from_text

__all__ = [
    "TaggedInteractions",
    "load_movielens",
    "fetch_movielens",
    "fetch_goodreads",
    "make_tagged_interactions",
    "make_tpecr_synthetic",
    "pair_tags",
    "clean_tags",
    "tags_from_features",
    "tags_from_text",
]
