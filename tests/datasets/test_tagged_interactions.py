"""TaggedInteractions against loops over the rows of the tables that it is built from."""

import dataclasses
import datetime as dt
import pickle
import uuid

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from sktpecr.datasets import TaggedInteractions, _tag_frames

WATCHED = [("ann", 7, 4.5), ("ann", 5, 3.0), ("bob", 7, 1.0), ("cy", 9, 2.5)]
GENRES = [(5, "Drama", 1.0), (7, "Crime", 0.5), (7, "Comedy", 2.0), (3, "Drama", 4.0)]


def interactions_frame(rows=WATCHED, columns=("user", "item", "value")):
    return pd.DataFrame(rows, columns=list(columns))


def tags_frame(rows=GENRES, columns=("item", "tag", "weight")):
    return pd.DataFrame(rows, columns=list(columns))


def build(interactions=None, item_tags=None, **kwargs):
    interactions = interactions_frame() if interactions is None else interactions
    item_tags = tags_frame() if item_tags is None else item_tags
    return TaggedInteractions.from_frames(interactions, item_tags, **kwargs)


def entries(matrix, row_ids, column_ids):
    """Return {(row id, column id): value} of all entries that are not 0."""
    return {
        (row_ids[i], column_ids[j]): float(matrix[i, j])
        for i in range(matrix.shape[0])
        for j in range(matrix.shape[1])
        if matrix[i, j] != 0
    }


def assert_same(one, other):
    assert one.user_ids.tolist() == other.user_ids.tolist()
    assert one.item_ids.tolist() == other.item_ids.tolist()
    assert one.item_names.tolist() == other.item_names.tolist()
    assert_array_equal(one.interactions.indptr, other.interactions.indptr)
    assert_array_equal(one.interactions.indices, other.interactions.indices)
    assert_array_equal(one.interactions.data, other.interactions.data)
    pd.testing.assert_frame_equal(one.item_tags, other.item_tags)


LABELS = st.sampled_from(["ints", "texts", "tuples"]).flatmap(
    lambda kind: {
        "ints": st.just(lambda n: 10 - 3 * n),
        "texts": st.just(lambda n: "dacbe"[n]),
        "tuples": st.just(lambda n: (n % 2, f"{n}")),
    }[kind]
)
SMALL = st.integers(0, 4)
NUMBERS = st.integers(-8, 8).map(lambda n: n / 4)


@given(
    label=LABELS,
    rows=st.lists(st.tuples(SMALL, SMALL, NUMBERS), min_size=1, max_size=15),
    tag_rows=st.lists(st.tuples(SMALL, SMALL, NUMBERS.map(abs)), min_size=1, max_size=15),
)
def test_from_frames_equals_a_loop(label, rows, tag_rows):
    rows = [*rows, (0, 0, 1.0)]  # both tables have item 0, and something that is not 0
    tag_rows = [*tag_rows, (0, 0, 1.0)]
    rows = [(label(user), label(item), value) for user, item, value in rows]
    tag_rows = [(label(item), label(tag), weight) for item, tag, weight in tag_rows]
    values, weights = {}, {}
    for user, item, value in rows:
        values[user, item] = value
    for item, tag, weight in tag_rows:
        weights[item, tag] = weight

    how = {"value": "value", "weight": "weight", "repeated": "last"}
    data = build(interactions_frame(rows), tags_frame(tag_rows), **how)

    items = {item for _, item, _ in rows} | {item for item, _, _ in tag_rows}
    tags = {tag for (_, tag), weight in weights.items() if weight}
    assert data.user_ids.tolist() == sorted({user for user, _, _ in rows})
    assert data.item_ids.tolist() == sorted(items)
    assert list(data.item_tags.index) == sorted(items)
    assert list(data.item_tags.columns) == sorted(tags)
    assert data.item_names.tolist() == [str(item) for item in sorted(items)]
    found = entries(data.interactions, data.user_ids.tolist(), data.item_ids.tolist())
    assert found == {pair: value for pair, value in values.items() if value}
    found = entries(data.item_tags.to_numpy(), sorted(items), sorted(tags))
    assert found == {pair: weight for pair, weight in weights.items() if weight}
    assert data.interactions.nnz == np.count_nonzero(data.interactions.toarray())


@given(
    rows=st.permutations(WATCHED),
    tag_rows=st.permutations(GENRES),
)
def test_order_of_rows_does_not_matter(rows, tag_rows):
    shuffled = build(interactions_frame(rows), tags_frame(tag_rows), value="value", weight="weight")
    assert_same(shuffled, build(value="value", weight="weight"))


@given(
    values=st.lists(st.lists(NUMBERS, min_size=3, max_size=3), min_size=1, max_size=4),
    weights=st.lists(st.lists(NUMBERS.map(abs), min_size=2, max_size=2), min_size=3, max_size=3),
)
def test_long_tables_of_the_result_give_the_result(values, weights):
    values[0][0] = weights[0][0] = 1.0
    rows = [(u, i, value) for u, row in enumerate(values) for i, value in enumerate(row)]
    tag_rows = [(i, t, weight) for i, row in enumerate(weights) for t, weight in enumerate(row)]
    data = build(interactions_frame(rows), tags_frame(tag_rows), value="value", weight="weight")
    long = pd.DataFrame(data.interactions.toarray()).melt(ignore_index=False, var_name="item")
    long_tags = data.item_tags.rename_axis("item").reset_index()
    long_tags = long_tags.melt(id_vars="item", var_name="tag", value_name="weight")
    again = build(long.rename_axis("user").reset_index(), long_tags, value="value", weight="weight")
    assert_same(again, data)


def test_types_are_the_documented_ones():
    plain, weighted = build(), build(value="value", weight="weight")
    for data in (plain, weighted):
        assert isinstance(data.interactions, sp.csr_matrix)
        assert data.interactions.dtype == np.float32
        assert data.interactions.has_canonical_format
        assert data.item_ids.dtype == np.int64
        assert data.user_ids.dtype == data.item_names.dtype == object
    assert set(plain.item_tags.dtypes) == {np.dtype(np.int8)}
    assert set(weighted.item_tags.dtypes) == {np.dtype(np.float32)}
    assert set(plain.interactions.data) == {1.0}


def test_last_of_a_repeated_pair_counts():
    rows = [*WATCHED, ("ann", 7, 2.0), ("bob", 7, 0.0)]
    tag_rows = [*GENRES, (5, "Drama", 3.0), (7, "Crime", 0.0)]
    how = {"value": "value", "weight": "weight"}
    message = r"2 rows of interactions and 2 rows of item_tags have .*repeated='last'.*'sum'"
    with pytest.warns(UserWarning, match=message):
        data = build(interactions_frame(rows), tags_frame(tag_rows), **how)
    assert data.interactions.toarray().tolist() == [
        [0.0, 3.0, 2.0, 0.0],
        [0.0, 0.0, 0.0, 0.0],  # bob's only interaction was taken back; bob is still there
        [0.0, 0.0, 0.0, 2.5],
    ]
    assert data.item_tags.loc[5, "Drama"] == 3.0
    assert data.item_tags.columns.tolist() == ["Comedy", "Drama"]  # Crime has no items left


def test_items_are_all_that_occur_anywhere():
    data = build(item_names={7: "Fargo", 11: "Unseen", 5: None, np.int64(9): "Heat"})
    assert data.item_ids.tolist() == [3, 5, 7, 9, 11]
    assert data.item_names.tolist() == ["3", "5", "Fargo", "Heat", "Unseen"]
    assert data.interactions.toarray().sum(axis=0).tolist() == [0.0, 1.0, 2.0, 1.0, 0.0]
    assert data.item_tags.sum(axis=1).tolist() == [1, 1, 2, 0, 0]


def test_names_may_come_as_a_series():
    names = pd.Series(["Heat", float("nan")], index=[9, 7])
    assert build(item_names=names).item_names.tolist() == ["3", "5", "7", "Heat"]


def test_ids_that_do_not_compare_keep_their_first_appearance():
    rows = [("b", "x", 1.0), (2, 1, 1.0), ("a", "x", 1.0), (2, ("t",), 1.0)]
    tag_rows = [("y", 0, 1.0), (1, "tag", 1.0), ("x", 0, 1.0)]
    data = build(interactions_frame(rows), tags_frame(tag_rows), item_names={"z": "Z", 1: "one"})
    assert data.user_ids.tolist() == ["b", 2, "a"]
    assert data.item_ids.tolist() == ["x", 1, ("t",), "y", "z"]
    assert data.item_names.tolist() == ["x", "one", "('t',)", "y", "Z"]
    assert data.item_tags.columns.tolist() == [0, "tag"]


@pytest.mark.parametrize(
    "ids",
    [
        [uuid.UUID(int=1), uuid.UUID(int=2)],
        [dt.date(2019, 1, 1), dt.date(2020, 1, 1)],
        [(1, 2), (3,)],
        [b"x", b"y"],
        [False, True],
        [0.5, 1.5],
        [2, 2**70],
        pd.Series([1, 2], dtype="Int64"),
        pd.Series([1, 2], dtype="uint8"),
        pd.Categorical(["a", "b"], categories=["b", "unused", "a"]),
        pd.to_datetime(["2019-01-01", "2020-01-01"]),
        np.array(["a", "b"]),
        np.array([1, 2], dtype=object),
    ],
    ids=lambda ids: f"{type(ids).__name__} of {type(ids[0]).__name__}",
)
def test_ids_may_be_of_any_type(ids):
    plain = list(ids)
    frame = pd.DataFrame({"user": ids, "item": ids})[::-1]
    data = build(frame, pd.DataFrame({"item": ids, "tag": ids}))
    assert data.user_ids.tolist() == data.item_ids.tolist() == plain
    assert list(data.item_tags.index) == list(data.item_tags.columns) == plain
    assert data.interactions.toarray().tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_numbers_of_two_types_are_the_same_item():
    tags = tags_frame().astype({"item": float})
    assert_same(build(item_tags=tags), build())


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", "float64", "Int32", "Float64"])
def test_values_may_be_of_any_number_type(dtype):
    rows = interactions_frame([("ann", 5, 1), ("bob", 5, 0), ("cy", 7, 1)]).astype({"value": dtype})
    data = build(rows, value="value")
    assert data.interactions.toarray().tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 1]]


def test_frames_are_left_as_they_were():
    rows, tag_rows = interactions_frame(), tags_frame()
    data = build(rows, tag_rows, value="value", weight="weight")
    data.interactions.data[:] = -1
    data.item_tags.iloc[:] = 9
    pd.testing.assert_frame_equal(rows, interactions_frame())
    pd.testing.assert_frame_equal(tag_rows, tags_frame())


def test_repr_tells_the_counts():
    assert repr(build()) == (
        "TaggedInteractions(3 users, 4 items, 3 tags; 4 interactions, density 33.3%)"
    )


def test_is_frozen_and_pickles():
    data = build(value="value", weight="weight")
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.user_ids = None
    assert_same(pickle.loads(pickle.dumps(data)), data)


def parts(**changed):
    data = build()
    return {field.name: getattr(data, field.name) for field in dataclasses.fields(data)} | changed


UNSORTED = sp.csr_matrix(
    (np.ones(4, np.float32), np.array([2, 1, 2, 3]), np.array([0, 2, 3, 4])), shape=(3, 4)
)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"interactions": np.eye(4)}, r"interactions must be a CSR matrix, got ndarray; convert"),
        ({"interactions": sp.eye(4, format="csc")}, r"interactions must be a CSR matrix, got"),
        ({"interactions": UNSORTED}, r"interactions must be in canonical form.*sum_duplicates"),
        ({"user_ids": np.arange(2)}, r"user_ids must have one entry per row .*expected 3, got 2"),
        ({"item_ids": np.arange(2)}, r"item_ids must have one entry per column .*4, got 2"),
        ({"item_names": np.arange(5)}, r"item_names must have one entry per column .*4, got 5"),
        ({"item_tags": pd.DataFrame({"a": [1]})}, r"item_tags must have one .*expected 4, got 1"),
        ({"item_ids": np.array([5, 3, 7, 9])}, r"the index of item_tags must be item_ids.*reindex"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        TaggedInteractions(**parts(**changed))


def test_names_are_the_ids_by_default():
    assert TaggedInteractions(**parts(item_names=None)).item_names.tolist() == ["3", "5", "7", "9"]


@given(
    pairs=st.lists(st.tuples(SMALL, SMALL), min_size=1, max_size=25),
    tag_rows=st.lists(st.tuples(SMALL, SMALL), min_size=1, max_size=8),
    min_item=st.integers(0, 3),
    min_user=st.integers(0, 3),
)
def test_drop_rare_equals_a_loop(pairs, tag_rows, min_item, min_user):
    data = build(
        interactions_frame(set(pairs) | {(0, 0)}, ["user", "item"]),
        tags_frame([*tag_rows, (0, 0)], ["item", "tag"]),
    )
    rows = set(pairs) | {(0, 0)}
    items = set(data.item_ids.tolist())
    items = {item for item in items if sum(i == item for _, i in rows) >= min_item}
    rows = {(user, item) for user, item in rows if item in items}
    users = set(data.user_ids.tolist())
    users = {user for user in users if sum(u == user for u, _ in rows) >= min_user}
    rows = {(user, item) for user, item in rows if user in users}
    if min_item:
        items &= {item for _, item in rows}
    filters = {"min_item_interactions": min_item, "min_user_interactions": min_user}
    if not rows:
        with pytest.raises(ValueError, match="must leave interactions, got none left of"):
            data.drop_rare(**filters)
        return

    left = data.drop_rare(**filters)

    assert left.user_ids.tolist() == sorted(users)
    assert left.item_ids.tolist() == list(left.item_tags.index) == sorted(items)
    assert left.item_names.tolist() == [str(item) for item in sorted(items)]
    assert set(entries(left.interactions, sorted(users), sorted(items))) == rows
    tagged = {(item, tag) for item, tag in [*tag_rows, (0, 0)] if item in items}
    tags = sorted({tag for _, tag in tagged})
    assert list(left.item_tags.columns) == tags
    assert set(entries(left.item_tags.to_numpy(), sorted(items), tags)) == tagged
    assert left.counts() == {
        "users": len(users),
        "items": len(items),
        "tags": len(tags),
        "interactions": len(rows),
    }


def test_drop_rare_is_one_pass():
    # Item 1 goes, then user "b"; item 2 is then below 2 as well, and stays.
    rows = [("a", 0), ("a", 2), ("b", 1), ("b", 2), ("c", 0), ("c", 3), ("d", 3), ("d", 0)]
    data = build(interactions_frame(rows, ["user", "item"]), tags_frame([(0, "t", 1.0)]))
    filters = {"min_item_interactions": 2, "min_user_interactions": 2}
    once = data.drop_rare(**filters)
    assert (once.user_ids.tolist(), once.item_ids.tolist()) == (["a", "c", "d"], [0, 2, 3])
    twice = once.drop_rare(**filters)
    assert (twice.user_ids.tolist(), twice.item_ids.tolist()) == (["c", "d"], [0, 3])
    assert_same(twice.drop_rare(**filters), twice)


def test_drop_rare_keeps_types_and_shares_nothing():
    data = build(value="value", weight="weight", item_names={7: "Fargo"})
    same = data.drop_rare(min_item_interactions=0, min_user_interactions=0)
    assert_same(same, data)
    assert same.interactions.dtype == np.float32
    assert same.interactions.has_canonical_format
    same.interactions.data[:] = -1
    same.item_tags.iloc[:] = 9
    same.item_names[:] = "?"
    same.item_ids[:] = same.user_ids[:] = 0
    assert_same(data, build(value="value", weight="weight", item_names={7: "Fargo"}))


@pytest.mark.parametrize("parameter", ["min_item_interactions", "min_user_interactions"])
@pytest.mark.parametrize("wrong", [-1, 1.5, None])
def test_drop_rare_refuses_what_is_no_count(parameter, wrong):
    with pytest.raises(ValueError, match=f"'{parameter}' parameter of .*drop_rare must be an int"):
        build().drop_rare(**{parameter: wrong})


def test_repeated_pairs_are_counted_or_added_on_request():
    rows = [("ann", 7, 2.0), ("ann", 7, 3.0), ("bob", 7, 1.0), ("ann", 7, -5.0), ("bob", 5, 1.0)]
    tag_rows = [(7, "Crime", 1.0), (7, "Crime", 2.0), (5, "War", 1.0)]
    frames = interactions_frame(rows), tags_frame(tag_rows)
    plays = build(*frames, repeated="sum")
    assert plays.interactions.toarray().tolist() == [[0, 3], [1, 1]]
    assert plays.item_tags["Crime"].tolist() == [0, 1]  # without weights, an item has a tag or not
    added = build(*frames, value="value", weight="weight", repeated="sum")
    assert added.interactions.toarray().tolist() == [[0, 0], [1, 1]]
    assert added.interactions.nnz == 2
    assert added.item_tags["Crime"].tolist() == [0, 3]
    with pytest.raises(ValueError, match="repeated must be 'last' or 'sum' or None, got 'first'"):
        build(*frames, repeated="first")


def test_repeated_rows_are_told_where_they_matter():
    twice = interactions_frame([*WATCHED, WATCHED[0]])
    with pytest.warns(UserWarning, match=r"^1 rows of interactions have a pair that comes again"):
        build(twice)
    tags_twice = tags_frame([*GENRES, GENRES[1]])
    with pytest.warns(UserWarning, match=r"^1 rows of item_tags have a pair that comes again"):
        build(item_tags=tags_twice, weight="weight")
    assert_same(build(item_tags=tags_twice), build())  # a tag that is told twice is that tag


COMPOSED, DECOMPOSED = (
    "Beyonc\N{LATIN SMALL LETTER E WITH ACUTE}",
    "Beyonce\N{COMBINING ACUTE ACCENT}",
)


@pytest.mark.parametrize(
    ("one", "other"), [("7", 7), ("Heat ", "Heat"), (COMPOSED, DECOMPOSED), ("a  b", "a\tb")]
)
def test_ids_that_look_the_same_are_refused(one, other):
    ids, same = [one, other], ["x", "y"]
    message = r"ids must look different to a reader, got .*; bring them to one type with .astype"
    for user, item in ((ids, same), (same, ids)):
        with pytest.raises(ValueError, match=message):
            build(
                pd.DataFrame({"user": user, "item": item}),
                pd.DataFrame({"item": item, "tag": "t"}),
            )
    with pytest.raises(ValueError, match=r"tag ids must look .*sktpecr\.datasets\.clean_tags"):
        build(pd.DataFrame({"user": same, "item": same}), pd.DataFrame({"item": same, "tag": ids}))


def test_case_tells_items_apart_but_not_tags():
    frame = pd.DataFrame({"user": ["A", "a"], "item": ["X", "x"], "tag": ["Rock", "rock"]})
    with pytest.raises(ValueError, match="tag ids must look different to a reader, got 'Rock'"):
        build(frame, frame)
    data = build(frame, frame.assign(tag="rock"))
    assert data.user_ids.tolist() == ["A", "a"]
    assert data.item_ids.tolist() == ["X", "x"]


def test_tags_that_are_several_are_told_the_way_out():
    genres = tags_frame([(5, "Drama|War", 1.0), (7, "Crime", 1.0)], ["item", "genre", "weight"])
    with pytest.raises(ValueError, match=r"one tag a row, got 'Drama\|War'; split") as caught:
        build(item_tags=genres, tag="genre")
    way_out = str(caught.value).split("split them: ")[1]
    data = build(item_tags=eval(way_out, {"item_tags": genres}), tag="genre")  # noqa: S307
    assert data.item_tags.columns.tolist() == ["Crime", "Drama", "War"]
    with pytest.raises(ValueError, match=r"\.explode\('tag'\)"):
        build(item_tags=tags_frame([(5, ["Drama", "War"], 1.0)]))


@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csr_array])
def test_interactions_may_be_a_sparse_array(kind):
    data = build()
    same = TaggedInteractions(**parts(interactions=kind(data.interactions)))
    assert repr(same) == repr(data)
    filters = {"min_item_interactions": 2, "min_user_interactions": 1}
    left = same.drop_rare(**filters)
    assert isinstance(left.interactions, kind)
    assert_same(left, data.drop_rare(**filters))


def test_large_tables_of_tags_are_sparse_and_hold_the_same(monkeypatch):
    how = {"value": "value", "weight": "weight"}
    dense = build(**how)
    monkeypatch.setattr(_tag_frames, "_DENSE_CELLS", 3)
    data = build(**how)
    assert all(isinstance(dtype, pd.SparseDtype) for dtype in data.item_tags.dtypes)
    pd.testing.assert_frame_equal(data.item_tags.sparse.to_dense(), dense.item_tags)
    filters = {"min_item_interactions": 1, "min_user_interactions": 1}
    left, expected = data.drop_rare(**filters).item_tags, dense.drop_rare(**filters).item_tags
    assert all(isinstance(dtype, pd.SparseDtype) for dtype in left.dtypes)
    pd.testing.assert_frame_equal(left.sparse.to_dense(), expected)
