"""Tags of items that have two tags, against plain loops; and what they are good for."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sktpecr import FeedbackRefiner, TPECRExplainer
from sktpecr.attribution import ExactAttribution
from sktpecr.datasets import load_movielens, pair_tags

TABLE = pd.DataFrame(
    {"dark": [1, 1, 0, 1, 0, 1], "funny": [1, 0, 1, 1, 1, 0], "loud": [0, 0, 1, 1, 0, 1]},
    index=list("abcdef"),
)


def by_plain_loops(table, min_items, max_pairs):
    """Return {(tag, tag): weights by item}, the most common ones in order of the tags."""
    found = {}
    for first, second in combinations(table.columns, 2):
        both = [min(a, b) for a, b in zip(table[first], table[second], strict=True)]
        n_items = sum(weight > 0 for weight in both)
        smaller = min((table[first] > 0).sum(), (table[second] > 0).sum())
        if min_items <= n_items < smaller:
            found[first, second] = (n_items, both)
    order = sorted(found, key=lambda pair: -found[pair][0])[:max_pairs]
    return {pair: found[pair][1] for pair in found if pair in order}


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    shape=st.tuples(st.integers(1, 12), st.integers(1, 7)),
    weighted=st.booleans(),
    min_items=st.integers(1, 4),
    max_pairs=st.one_of(st.none(), st.integers(1, 6)),
)
def test_the_most_common_pairs_are_those_of_plain_loops(
    seed, shape, weighted, min_items, max_pairs
):
    rng = np.random.RandomState(seed)
    weights = rng.randint(0, 2, size=shape) * (rng.uniform(0.1, 2, size=shape) if weighted else 1)
    weights[rng.randint(shape[0])] = 1  # every tag has an item
    table = pd.DataFrame(weights, columns=[f"t{tag}" for tag in range(shape[1])])
    result = pair_tags(table, min_items=min_items, max_pairs=max_pairs)
    expected = by_plain_loops(table, min_items, shape[1] if max_pairs is None else max_pairs)
    pd.testing.assert_frame_equal(result.iloc[:, : shape[1]], table)
    assert result.columns[shape[1] :].tolist() == [f"{a} & {b}" for a, b in expected]
    for (first, second), both in expected.items():
        assert result[f"{first} & {second}"].tolist() == both


def test_named_pairs_come_as_named():
    result = pair_tags(TABLE, [("loud", "dark"), ("dark", "funny")])
    assert result.columns.tolist() == ["dark", "funny", "loud", "loud & dark", "dark & funny"]
    assert result["loud & dark"].tolist() == [0, 0, 0, 1, 0, 1]
    assert result["dark & funny"].tolist() == [1, 0, 0, 1, 0, 0]
    assert result.index.tolist() == list("abcdef")
    assert (result.dtypes == TABLE.dtypes.iloc[0]).all()
    assert pair_tags(TABLE, [("dark", "funny")], separator=" and ").columns[-1] == "dark and funny"
    pd.testing.assert_frame_equal(pair_tags(TABLE, []), TABLE)
    pd.testing.assert_frame_equal(pair_tags(TABLE), TABLE)  # none has 20 items


@pytest.mark.parametrize(
    "dtype", [bool, np.int8, np.float32, "Int64", pd.SparseDtype(np.int64, 0)], ids=str
)
def test_pairs_have_the_type_of_their_tags(dtype):
    result = pair_tags(TABLE.astype(dtype), [("dark", "loud")])
    assert result["dark & loud"].dtype == dtype
    assert result["dark & loud"].astype(int).tolist() == [0, 0, 0, 1, 0, 1]


def test_tags_need_not_be_text():
    result = pair_tags(TABLE.set_axis([1, ("x", 2), "loud"], axis=1), [(1, ("x", 2))])
    assert result.columns.tolist() == [1, ("x", 2), "loud", "1 & ('x', 2)"]


def test_a_pair_that_is_a_tag_once_more_is_left_out():
    table = TABLE.assign(noir=[1, 0, 0, 1, 0, 0])  # all dark, and all funny
    columns = pair_tags(table, min_items=1, max_pairs=99).columns.tolist()
    assert columns[4:] == ["dark & funny", "dark & loud", "funny & loud", "loud & noir"]
    assert pair_tags(table, [("dark", "noir")])["dark & noir"].tolist() == table["noir"].tolist()


def test_movielens():
    tags = load_movielens().item_tags
    result = pair_tags(tags)
    pairs = result.columns[tags.shape[1] :]
    assert len(pairs) == tags.shape[1]
    assert result[pairs].to_numpy().sum(axis=0).min() >= 20
    assert {"Comedy & Drama", "Action & Thriller"} <= set(pairs)


def planted():
    """A taste for what is dark, one for what is funny, and one of its own for what is both."""
    rng = np.random.RandomState(0)
    kind = np.repeat([0, 1, 2, 3], 40)  # dark, funny, both, neither
    tastes = np.array([[1.0, 0, 0], [0, 1.0, 0], [0.5, 0.5, 1.0], [0, 0, 0]])[kind]
    items = tastes + 0.1 * rng.normal(size=(160, 3))
    tags = pd.DataFrame({"dark": np.isin(kind, [0, 2]), "funny": np.isin(kind, [1, 2])})
    users = rng.normal(size=(300, 3))
    X = np.argsort(np.argsort(-users @ items.T, axis=1), axis=1) < 15
    return (users, items), tags.astype(int), X.astype(float), kind


def test_what_is_both_is_steered_apart_from_either():
    factors, tags, X, kind = planted()
    explainer = TPECRExplainer(factors, pair_tags(tags), attribution=ExactAttribution()).fit(X)
    assert explainer.tag_names_.tolist() == ["dark", "funny", "dark & funny"]
    refiner = FeedbackRefiner(explainer, solver="closed_form")
    for user in range(10):
        own = explainer.profile(user).set_index("tag")["vs_population"]

        def risen(edit, user=user, own=own):
            said = {tag: own[tag] + edit.get(tag, 0.0) for tag in own.index}
            refined = refiner.refine(user, set=said)
            change = refined.scores - refined.scores_before
            return np.array([change[kind == each].mean() for each in range(4)])

        # The pair more, its tags as they are: what is both rises, what is one of them makes room.
        dark, funny, both, neither = risen({"dark & funny": 1.0})
        assert both > 0 > max(dark, funny)
        assert abs(neither) < 0.1 * both
        # A tag more, and the pair as it is: what is that tag alone rises, and nothing else.
        dark, funny, both, neither = risen({"dark": 1.0})
        assert dark > 0
        np.testing.assert_allclose([funny, both], 0, atol=1e-3 * dark)
        assert abs(neither) < 0.1 * dark


def test_a_taste_for_what_is_both_needs_a_name_to_be_seen():
    """Of two users with the same taste for either tag, one likes what is both."""
    factors, tags, X, _ = planted()
    users, items = factors
    weights = tags.to_numpy()
    both = weights[:, 0] * weights[:, 1]
    M = weights.T / weights.sum(axis=0)[:, np.newaxis] @ items
    unseen = np.linalg.svd(M)[2][2]  # moves neither tag
    unseen *= np.sign(unseen @ items[both > 0].mean(axis=0))
    users[1] = users[0] + 3 * unseen
    plain = TPECRExplainer(factors, tags, attribution=ExactAttribution()).fit(X)
    paired = TPECRExplainer(factors, pair_tags(tags), attribution=ExactAttribution()).fit(X)
    item = int(np.argmax(both * (items @ unseen)))
    for explainer, sees in ((plain, False), (paired, True)):
        first, second = (explainer.explain(user, item) for user in (0, 1))
        more = second.score - first.score
        by_tags = second.contributions.sum() - first.contributions.sum()
        assert more > 0.5
        assert by_tags == pytest.approx(more if sees else 0.0, abs=1e-6 * more)


WRONG = {
    "array": (TABLE.to_numpy(), {}, "item_tags must be a DataFrame, .* got ndarray"),
    "nan": (TABLE.replace(0, np.nan), {}, "item_tags has 7 NaN or infinite weights"),
    "negative": (-TABLE, {}, "negative weights"),
    "words": (TABLE.astype(str).replace("1", "yes"), {}, "item_tags must hold numbers"),
    "no items": (TABLE.assign(none=0), {}, r"1 of 4 tags have no items \('none'\)"),
    "same name": (TABLE.set_axis(["a", "b", "a"], axis=1), {}, "duplicate ids: 'a'"),
    "unknown": (TABLE, {"pairs": [("dark", "funy")]}, "unknown tag 'funy'; did you mean 'funny'"),
    "text": (TABLE, {"pairs": "dark"}, "pairs must be a list of pairs of tag names, got 'dark'"),
    "one pair": (TABLE, {"pairs": ("dark", "funny")}, "two tag names each, got 'dark'"),
    "three": (TABLE, {"pairs": [("dark", "funny", "loud")]}, "two tag names each, got .'dark'"),
    "number": (TABLE, {"pairs": [3]}, "two tag names each, got 3"),
    "itself": (TABLE, {"pairs": [("dark", "dark")]}, "two different tags each, got 'dark' twice"),
    "twice": (TABLE, {"pairs": [("dark", "loud")] * 2}, "got 'dark & loud' for two tags"),
    "there": (
        TABLE.assign(**{"dark & loud": 1}),
        {"pairs": [("dark", "loud")]},
        "got 'dark & loud' for two tags.* or use another separator",
    ),
    "disjoint": (
        TABLE.assign(quiet=[1, 0, 0, 0, 0, 0]),
        {"pairs": [("dark", "loud"), ("loud", "quiet")]},
        "no item has both tags of 'loud & quiet'; leave such pairs out",
    ),
    "min_items": (TABLE, {"min_items": 0}, "min_items must be a whole number of at least 1"),
    "max_pairs": (TABLE, {"max_pairs": 1.5}, "max_pairs must be a whole number of at least 1"),
}


@pytest.mark.parametrize(("table", "how", "message"), WRONG.values(), ids=WRONG)
def test_says_what_is_wrong(table, how, message):
    with pytest.raises(ValueError, match=message):
        pair_tags(table, **how)
