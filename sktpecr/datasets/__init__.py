"""Data with interactions and item tags: real, brought along, or made."""

from sktpecr.datasets._make import make_tagged_interactions, make_tpecr_synthetic
from sktpecr.datasets._movielens import load_movielens
from sktpecr.datasets._tagged_interactions import TaggedInteractions

__all__ = [
    "TaggedInteractions",
    "load_movielens",
    "make_tagged_interactions",
    "make_tpecr_synthetic",
]
