"""clean_tags against plain loops, and what it says about what it did."""

import unicodedata

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sktpecr import TPECRExplainer
from sktpecr.datasets import TaggedInteractions, clean_tags, make_tagged_interactions

GIVEN = pd.DataFrame(
    [
        (1, "Rock", 2.0),
        (1, "rock ", 1.0),
        (2, "ROCK", 4.0),
        (2, "beyonc\N{LATIN SMALL LETTER E WITH ACUTE}", 1.0),
        (3, unicodedata.normalize("NFD", "Beyoncé"), 1.0),
        (3, "seen  live", 9.0),
        (3, "prog-rock", 0.5),
        (4, "  ", 1.0),
    ],
    columns=["item", "tag", "weight"],
)

TAGS = ["Rock", "rock", " rock", "pop", "Pop", "hip  hop", "hip hop", "jazz", "seen live", " "]


def by_plain_loops(rows, min_items, min_weight, lower, aliases, drop, max_tags):
    """Return {(item, tag): weight}."""

    def clean(text):
        text = " ".join(text.split())
        return text.lower() if lower else text

    names = {clean(old): clean(new) for old, new in aliases.items()}
    total = {}
    for item, tag, weight in rows:
        tag = names.get(clean(tag), clean(tag))
        total[item, tag] = total.get((item, tag), 0) + weight
    total = {pair: weight for pair, weight in total.items() if weight >= min_weight and weight}
    items = {}
    for item, tag in total:
        items.setdefault(tag, set()).add(item)
    left = [
        tag
        for tag in sorted(items, key=lambda tag: (-len(items[tag]), tag))
        if tag and tag not in {clean(name) for name in drop} and len(items[tag]) >= min_items
    ]
    return {pair: weight for pair, weight in total.items() if pair[1] in left[:max_tags]}


@settings(max_examples=40)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from(TAGS), st.integers(0, 4).map(float)),
        min_size=1,
        max_size=25,
    ),
    how=st.fixed_dictionaries(
        {
            "min_items": st.integers(1, 3),
            "min_weight": st.sampled_from([0.0, 1.0, 2.5]),
            "lower": st.booleans(),
            "aliases": st.sampled_from([{}, {"JAZZ": "Pop", "jazz": "Pop"}]),
            "drop": st.sampled_from([[], ["seen live"], ["Rock", "none"]]),
            "max_tags": st.sampled_from([None, 1, 2]),
        }
    ),
)
def test_long_and_wide_tables_equal_a_loop(rows, how):
    expected = by_plain_loops(rows, **how)
    long = pd.DataFrame(rows, columns=["item", "tag", "weight"])
    wide = long.pivot_table(index="item", columns="tag", values="weight", aggfunc="sum")
    wide = wide.fillna(0)
    if not expected:
        for table in (long, wide):
            with pytest.raises(ValueError, match="no tag is left of"):
                clean_tags(table, **how, weight="weight")
        return
    tags, report = clean_tags(long, **how, weight="weight")
    assert tags.columns.tolist() == ["item", "tag", "weight"]
    found = {(item, tag): weight for item, tag, weight in tags.itertuples(index=False)}
    assert len(found) == len(tags)
    assert found == expected
    assert report["tag"].tolist()[: long["tag"].nunique()] == list(dict.fromkeys(long["tag"]))
    for name, items in tags.groupby("tag")["item"]:
        assert set(report.loc[report["became"] == name, "n_items"]) == {len(items)}
    assert set(report["became"]) - {""} == set(tags["tag"])
    wide_tags, _ = clean_tags(wide, **how)
    assert all(isinstance(dtype, pd.SparseDtype) for dtype in wide_tags.dtypes)
    assert wide_tags.index.tolist() == wide.index.tolist()
    assert wide_tags.columns.tolist() == sorted({tag for _, tag in expected})
    stacked = wide_tags.sparse.to_dense().stack()
    assert {pair: weight for pair, weight in stacked.items() if weight} == expected


def test_report_tells_what_was_merged_and_dropped():
    how = {"aliases": {"prog-rock": "progressive rock", "zouk": "x"}, "drop": ["Seen Live", "own"]}
    tags, report = clean_tags(GIVEN, weight="weight", min_items=2, **how)
    assert tags.values.tolist() == [
        [1, "rock", 3],
        [2, "beyoncé", 1],
        [2, "rock", 4],
        [3, "beyoncé", 1],
    ]
    assert report["what"].tolist() == [
        *["merged"] * 5,
        "dropped: named",
        "dropped: on fewer than 2 items",
        "dropped: no text",
        *["not found"] * 2,
    ]
    assert report["tag"].tolist()[-2:] == ["zouk", "own"]
    assert report["became"].tolist() == [*["rock"] * 3, *["beyoncé"] * 2, *[""] * 5]
    assert report["n_items_before"].tolist() == [1] * 8 + [0] * 2
    assert report["n_items"].tolist() == [2] * 5 + [0] * 5
    _, report = clean_tags(GIVEN, max_tags=1)
    assert report["what"].tolist()[0] == "dropped: not among the 1 largest"
    _, report = clean_tags(pd.DataFrame({"item": [1, 2], "tag": ["pop", "Jazz"]}))
    assert report["what"].tolist() == ["kept", "renamed"]


def test_case_is_kept_on_request():
    tags, _ = clean_tags(GIVEN, lower=False)
    assert set(tags["tag"]) == {
        "Rock",
        "rock",
        "ROCK",
        "beyoncé",
        "Beyoncé",
        "seen live",
        "prog-rock",
    }


def test_other_columns_and_polars():
    pl = pytest.importorskip("polars")
    given = GIVEN.rename(columns={"item": "film", "tag": "word", "weight": "n"})
    how = {"item": "film", "tag": "word", "weight": "n"}
    tags, _ = clean_tags(given, **how)
    again, _ = clean_tags(pl.DataFrame(given.to_dict("list")), **how)
    assert tags.columns.tolist() == ["film", "word", "n"]
    pd.testing.assert_frame_equal(tags, again)
    wide = pl.DataFrame({"item": ["a", "b"], "Rock": [1, 0], "rock ": [1, 1]})
    assert clean_tags(wide)[0].to_dict() == {"rock": {"a": 2.0, "b": 1.0}}


def test_result_is_what_from_frames_and_the_explainer_take():
    watched = pd.DataFrame({"user": [1, 1, 2], "item": [1, 2, 3]})
    with pytest.raises(ValueError, match=r"'ROCK' .*and 'Rock' .*merge them with .*clean_tags"):
        TaggedInteractions.from_frames(watched, GIVEN)
    data = TaggedInteractions.from_frames(watched, clean_tags(GIVEN)[0], weight="weight")
    assert (
        data.item_tags["rock"].tolist()
        == [
            2,
            1,
            0,
        ][:3]
    )
    planted = make_tagged_interactions(n_users=60, n_items=40, n_tags=4, random_state=0)
    named = planted.item_tags.set_axis(["Rock", "rock ", "pop", "jazz"], axis=1)
    tags, _ = clean_tags(named)
    items = np.random.RandomState(0).normal(size=(40, 3))
    users = np.random.RandomState(1).normal(size=(60, 3))
    explainer = TPECRExplainer((users, items), tags).fit(planted.interactions)
    assert explainer.tag_names_.tolist() == ["jazz", "pop", "rock"]


WRONG = {
    "array": ({"item_tags": np.eye(2)}, TypeError, "item_tags must be a DataFrame"),
    "alias of an alias": (
        {"aliases": {"a": "b", "b": "c"}},
        ValueError,
        "aliases must lead to names that have none themselves, got 'b' on both sides",
    ),
    "nothing left": ({"min_items": 9}, ValueError, r"no tag is left of 8: min_items=9.*on 2 items"),
    "weight": ({"weight": "count"}, ValueError, "no column 'count'"),
    "words": (
        {"item_tags": pd.DataFrame({"film": [1], "word": ["rock"]})},
        ValueError,
        r"a column 'tag' \(name it with tag=...\) or hold numbers only.*'film', 'word'",
    ),
    "negative": (
        {"item_tags": pd.DataFrame({"rock": [1.0, -1.0]})},
        ValueError,
        "finite weights of at least 0",
    ),
    "missing": (
        {"item_tags": pd.DataFrame({"rock": [1.0, np.nan]})},
        ValueError,
        r"item_tags\.fillna\(0\)",
    ),
    "drop": ({"drop": "rock"}, ValueError, "'drop' parameter of clean_tags must be"),
    "max_tags": ({"max_tags": 0}, ValueError, "'max_tags' parameter of clean_tags must be"),
}


@pytest.mark.parametrize("case", WRONG)
def test_says_what_is_wrong(case):
    how, error, message = WRONG[case]
    with pytest.raises(error, match=message):
        clean_tags(**{"item_tags": GIVEN} | how)
