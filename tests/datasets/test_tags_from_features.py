"""tags_from_features: every kind of column against what it says of each item."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sktpecr import TPECRExplainer
from sktpecr.datasets import tags_from_features


def tags_of(column, **how):
    """Return the tags of each item, made of one column called "f"."""
    table = tags_from_features(pd.DataFrame({"f": column}), **how)
    assert all(isinstance(dtype, pd.SparseDtype) for dtype in table.dtypes)
    assert set(np.unique(table)) <= {0, 1}
    assert (table.sum(axis=0) > 0).all()
    return [[tag for tag in table.columns if table.iloc[row][tag]] for row in range(len(table))]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (["Rock", "Pop ", None, "Pop"], [["f: Rock"], ["f: Pop"], [], ["f: Pop"]]),
        (pd.Categorical(["a", "b", "a"], ["b", "a", "c"]), [["f: a"], ["f: b"], ["f: a"]]),
        ([True, False, True], [["f"], [], ["f"]]),
        (pd.Series([True, None, False], dtype="boolean"), [["f"], [], []]),
        (pd.Series([True, None, False], dtype=object), [["f"], [], []]),
        ([["b", "a"], [], None, ("a", "a")], [["f: a", "f: b"], [], [], ["f: a"]]),
        ([3, 1, 3, np.nan], [["f: 3"], ["f: 1"], ["f: 3"], []]),
        (pd.Series([3, None, 1], dtype="Int64"), [["f: 3"], [], ["f: 1"]]),
        (
            pd.to_datetime(["1999-12-31", None, "2000-01-01", "2009-05-05"]),
            [["f: 1990s"], [], ["f: 2000s"], ["f: 2000s"]],
        ),
        (pd.PeriodIndex(["1987", "2011"], freq="Y"), [["f: 1980s"], ["f: 2010s"]]),
    ],
    ids=lambda case: type(case).__name__,
)
def test_every_kind_of_column(column, expected):
    assert tags_of(column) == expected


def test_dates_by_year():
    dates = pd.to_datetime(["1999-12-31", "2000-01-01"], utc=True)
    assert tags_of(dates, dates="year") == [["f: 1999"], ["f: 2000"]]


def test_ranges_are_named_by_their_edges():
    assert tags_of([1, 2, 3, 4, 5, 6], n_bins=3) == [
        ["f: under 2.5"],
        ["f: under 2.5"],
        ["f: 2.5 to 4.5"],
        ["f: 2.5 to 4.5"],
        ["f: 4.5 and over"],
        ["f: 4.5 and over"],
    ]
    assert tags_of([1.0, 2.5, np.nan, 9.0], n_bins=2)[2] == []
    # What has many zeros has fewer ranges, and no warning.
    assert len({tags[0] for tags in tags_of([0] * 8 + [1, 2, 3, 4, 5])}) == 2


@settings(max_examples=30)
@given(
    numbers=st.lists(st.integers(-(10**6), 10**6), min_size=6, max_size=60, unique=True),
    n_bins=st.integers(2, 5),
)
def test_ranges_hold_as_many_items_each_in_order(numbers, n_bins):
    of_each = [tags for (tags,) in map(tuple, tags_of(numbers, n_bins=n_bins))]
    in_order = [of_each[place] for place in np.argsort(numbers)]
    groups = list(dict.fromkeys(in_order))
    sizes = [in_order.count(group) for group in groups]
    assert in_order == list(np.repeat(groups, sizes))
    assert len(groups) == n_bins
    assert max(sizes) - min(sizes) <= 2


def test_edges_that_are_near_have_different_names():
    numbers = 1e5 + np.arange(8) / 100
    names = {tag for tags in tags_of(numbers) for tag in tags}
    assert len(names) == 4
    assert all("e+" not in name for name in names)


def test_ids_stay_and_the_explainer_takes_the_tags():
    rng = np.random.RandomState(0)
    frame = pd.DataFrame(
        {"price": rng.gamma(2, 10, size=40), "kind": list("abcd") * 10},
        index=[f"item_{number}" for number in range(40)],
    )
    tags = tags_from_features(frame)
    assert tags.index.tolist() == frame.index.tolist()
    assert tags.shape == (40, 8)
    X = (rng.rand(30, 40) < 0.2).astype(float)
    factors = rng.normal(size=(30, 3)), rng.normal(size=(40, 3))
    assert TPECRExplainer(factors, tags).fit(X).tag_names_.tolist() == tags.columns.tolist()


def test_polars_has_its_ids_in_a_column():
    pl = pytest.importorskip("polars")
    tags = tags_from_features(pl.DataFrame({"item": ["x", "y", "z"], "kind": ["a", "b", "a"]}))
    assert tags.to_dict() == {
        "kind: a": {"x": 1, "y": 0, "z": 1},
        "kind: b": {"x": 0, "y": 1, "z": 0},
    }


WRONG = {
    "titles": (["Heat", "Fargo"], "must have values that items share.*'Heat'.*tags_from_text"),
    "dates as objects": ([dt.date(2000, 1, 1), dt.date(2001, 1, 1)], "pandas.to_datetime"),
    "nothing": ([None, None], r"features\['f'\] has no values; leave the column out"),
    "infinite": ([1.0, np.inf, 2.0], "must hold finite numbers"),
    "text among lists": ([["a"], "abc"], "must hold a list in every cell, got 'abc'"),
    "one value": ([0.0] * 99 + [1, 2, 3, 4], r"nearly one value only, 0.*\(column > 0\)"),
}


@pytest.mark.parametrize("case", WRONG)
def test_says_what_is_wrong(case):
    column, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        tags_of(column)


def test_says_what_is_wrong_with_the_table():
    with pytest.raises(TypeError, match="features must be a DataFrame"):
        tags_from_features({"f": [1, 2]})
    two = pd.DataFrame({"f": ["a", "a"], "f: a": [True, False]})
    with pytest.raises(ValueError, match="two tags would be called 'f: a'; rename a column"):
        tags_from_features(two)
    for wrong in ({"n_bins": 1}, {"dates": "month"}):
        with pytest.raises(ValueError, match=f"'{next(iter(wrong))}' parameter of tags_from_feat"):
            tags_from_features(two, **wrong)
