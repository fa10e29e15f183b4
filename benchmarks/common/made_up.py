"""Worlds of random factors and random interactions, which know nothing of each other."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def made_up() -> Iterator[None]:
    """Let fit be silent about a model that knows nothing of its users: it is made up."""
    with warnings.catch_warnings():
        for said in ("the recommender does not tell", "item_tags explain the scores no better"):
            warnings.filterwarnings("ignore", said)
        yield
