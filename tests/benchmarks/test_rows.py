"""Rows of the benchmarks: their numbers, their intervals, and the paper's beside them."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from benchmarks.common.published import published
from benchmarks.common.rows import Row, interval, mean_row, ratio_row, row, show

NAME = "table 5 movielens-1m mf like"


def test_rows_are_shown_beside_the_papers():
    rows = [
        Row(NAME, "F-Rank c_u", 31.25, 20.0, 42.5, 36.0, holds=True),
        Row(NAME, "pairs", 1000.0),
        Row("table 3 goodbooks", "users", 53424.0, paper=58318.0, holds=False),
    ]
    assert show(rows).splitlines() == [
        "                               here  low  high  paper  holds",
        "table 5 movielens-1m mf like",
        "  F-Rank c_u                  31.25   20  42.5     36    yes",
        "  pairs                        1000",
        "table 3 goodbooks",
        "  users                       53424             58318     NO",
    ]


def test_row_takes_the_papers_number_and_no_nan():
    found = row("table 4 movielens-1m mf", "MSE CVAE", np.float32(np.nan), holds=np.False_)
    assert asdict(found) == {
        "name": "table 4 movielens-1m mf",
        "column": "MSE CVAE",
        "here": None,
        "low": None,
        "high": None,
        "paper": 0.0001,
        "holds": False,
    }
    json.dumps(asdict(found), allow_nan=False)


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("table 1 synthetic fresh", "MSE CVAE 3", 3.521e-6),
        ("table 2 synthetic seed 1550", "tag 4 on item of tag 4", 0.2856),
        ("table 3 goodreads-comics", "items", 35146),
        ("table 5 goodbooks ncf dislike", "F-Rank e_u", 80.72),
        ("table 6 movielens-small fm like", "F-Rank c_u reg=0", -867.56),
        ("figure 4 movielens-10m mf", "F-MAP@1000 d=-0.5 raw changed", 0.0267),
        ("figure 5 movielens-1m fm", "related average", 0.1436),
        ("table 4 goodbooks mf", "MSE Gaussian", None),
        ("table 5 goodbooks mf like equal overlap", "F-Rank c_u", None),
    ],
)
def test_published_numbers_are_found_by_our_names(name, column, value):
    assert published(name, column) == value


def test_interval_covers_the_mean():
    values = np.random.RandomState(0).normal(1.0, 1.0, size=400)
    low, high = interval(values)
    half = 1.96 * values.std() / 20
    np.testing.assert_allclose([low, high], [values.mean() - half, values.mean() + half], atol=0.02)
    assert mean_row("x", "y", [3.0, 3.0]).low == 3.0
    assert mean_row("x", "y", [3.0]).low is None


def test_ratio_is_of_means_over_the_same_units():
    below = np.random.RandomState(0).uniform(1, 9, size=100)
    found = ratio_row("x", "y", 0.5 * below, below)
    np.testing.assert_allclose([found.here, found.low, found.high], 0.5)
