"""The paper's numbers, by the names and columns that `rows.py` gives to ours."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

# Which of the paper's data sets each of ours is shown beside.
BESIDE = {
    "movielens-10m": "movielens",
    "movielens-1m": "movielens",
    "movielens-small": "movielens",
    "goodreads-comics": "goodreads",
    "goodbooks": "goodreads",
}
# Words that tell which of our synthetic data it was; the paper has one.
_DRAWS = (" seed 1550", " fresh")


@cache
def _numbers() -> dict[str, dict[str, float]]:
    path = Path(__file__).with_name("published.json")
    return json.loads(path.read_text(encoding="utf-8"))["numbers"]


def published(name: str, column: str) -> float | None:
    """Return the paper's number, None where it has none."""
    for draws in _DRAWS:
        name = name.removesuffix(draws)
    words = [BESIDE.get(word, word) for word in name.split()]
    return _numbers().get(" ".join(words), {}).get(column)
