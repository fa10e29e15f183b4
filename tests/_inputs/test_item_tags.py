"""Item tags as users bring them."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from sktpecr._inputs._item_tags import check_item_tags

TAGS = np.array([[1.0, 0.0, 0.5], [0.0, 2.0, 0.0], [0.0, 0.0, 0.0], [3.0, 0.0, 1.0]])


@pytest.mark.parametrize(
    "container",
    [
        np.asarray,
        np.ndarray.tolist,
        pd.DataFrame,
        sp.csc_matrix,
        sp.csr_matrix,
        sp.coo_matrix,
        sp.lil_matrix,
        sp.csr_array,
        sp.coo_array,
        lambda tags: tags.astype(object),
        lambda tags: tags.astype(np.float32),
        lambda tags: pd.DataFrame(tags).astype("Float64"),
        lambda tags: pd.DataFrame(tags).astype(pd.SparseDtype(float, 0.0)),
    ],
)
def test_any_container_becomes_the_same_matrix(container):
    weights, names = check_item_tags(container(TAGS), None, 4, None)
    assert weights.format == "csc"
    assert weights.dtype == np.float64
    assert weights.has_canonical_format
    assert weights.nnz == 5
    np.testing.assert_array_equal(weights.toarray(), TAGS)
    assert len(names) == 3


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, "boolean", "Int64"])
def test_binary_tags_may_be_of_any_type(dtype):
    frame = pd.DataFrame(TAGS > 0).astype(dtype)
    weights, _ = check_item_tags(frame, None, 4, None)
    np.testing.assert_array_equal(weights.toarray(), TAGS > 0)


def test_columns_of_a_frame_may_differ_in_type():
    frame = pd.DataFrame({"binary": TAGS[:, 0] > 0, "counted": [0, 2, 0, 0], "graded": TAGS[:, 2]})
    weights, names = check_item_tags(frame, None, 4, None)
    expected = [[1, 0, 0.5], [0, 2, 0], [0, 0, 0], [1, 0, 1]]
    np.testing.assert_array_equal(weights.toarray(), expected)
    assert list(names) == ["binary", "counted", "graded"]


def test_one_hot_columns_from_pandas_are_tags():
    frame = pd.get_dummies(pd.Series(["war", "noir", "war", "love"]))
    weights, names = check_item_tags(frame, None, 4, None)
    assert list(names) == ["love", "noir", "war"]
    np.testing.assert_array_equal(weights.toarray(), [[0, 0, 1], [0, 1, 0], [0, 0, 1], [1, 0, 0]])


def test_no_tags_make_every_item_its_own_tag():
    weights, names = check_item_tags(None, None, 3, None)
    np.testing.assert_array_equal(weights.toarray(), np.eye(3))
    assert list(names) == ["tag_0", "tag_1", "tag_2"]
    _, names = check_item_tags(None, None, 2, np.array(["Heat", "Alien"], dtype=object))
    assert list(names) == ["Heat", "Alien"]
    _, names = check_item_tags(None, ["x", "y"], 2, np.array(["Heat", "Alien"], dtype=object))
    assert list(names) == ["x", "y"]


def test_names_come_from_the_parameter_then_the_frame_then_numbers():
    frame = pd.DataFrame(TAGS, columns=["a", 2, ("b", "c")])
    assert list(check_item_tags(frame, ["x", "y", "z"], 4, None)[1]) == ["x", "y", "z"]
    assert list(check_item_tags(frame, None, 4, None)[1]) == ["a", 2, ("b", "c")]
    assert list(check_item_tags(TAGS, None, 4, None)[1]) == ["tag_0", "tag_1", "tag_2"]


def test_names_may_have_two_levels():
    columns = pd.MultiIndex.from_tuples([("genre", "war"), ("genre", "noir"), ("mood", "dark")])
    names = check_item_tags(pd.DataFrame(TAGS, columns=columns), None, 4, None)[1]
    assert list(names) == [("genre", "war"), ("genre", "noir"), ("mood", "dark")]


def test_stored_zeros_are_no_tags_and_repeated_entries_add_up():
    given = sp.coo_matrix(([1.0, 2.0, 0.0, 4.0], ([0, 0, 1, 1], [0, 0, 0, 1])), shape=(2, 2))
    weights, _ = check_item_tags(given, None, 2, None)
    np.testing.assert_array_equal(weights.toarray(), [[3, 0], [0, 4]])
    assert weights.nnz == 2


def test_a_sparse_matrix_is_not_worked_on_in_place():
    given = sp.csc_matrix(TAGS)
    given.data[0] = 0.0
    before = given.data.copy(), given.indices.copy(), given.indptr.copy()
    check_item_tags(given, None, 4, None)
    for old, new in zip(before, (given.data, given.indices, given.indptr), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_read_only_matrix_will_do():
    given = sp.csc_matrix(TAGS)
    given.data[0] = 0.0
    for array in (given.data, given.indices, given.indptr):
        array.flags.writeable = False
    assert check_item_tags(given, None, 4, None)[0].nnz == 4


@pytest.mark.parametrize(
    ("item_tags", "message"),
    [
        (TAGS[:3], r"have 4 columns, item_tags has 3 rows; .*reindex"),
        (np.ones(4), "must be 2-d, items by tags; got 1 dimensions"),
        (np.ones((4, 2, 2)), "must be 2-d, items by tags; got 3 dimensions"),
        (np.empty((4, 0)), "has no tags"),
        (pd.DataFrame(index=range(4)), "has no tags"),
        (np.where(TAGS > 1, np.nan, TAGS), "2 NaN or infinite weights, the first on tag 'tag_0'"),
        (np.where(TAGS == 2, np.inf, TAGS), "1 NaN or infinite weights, the first on tag 'tag_1'"),
        (pd.DataFrame(TAGS).replace(0.5, None).astype("Float64"), "1 NaN or infinite .* tag 2"),
        (sp.csr_matrix(np.where(TAGS == 2, np.nan, TAGS)), "first on tag 'tag_1'; try .*fillna"),
        (TAGS - 1.5, r"10 negative weights, the first on tag 'tag_0'; try item_tags.clip"),
        (TAGS * [1, 0, 1], r"1 of 3 tags have no items \('tag_1'\).*drop them"),
        (np.zeros((4, 7)), r"7 of 7 tags have no items \('tag_0', .*'tag_4', \.\.\.\)"),
        (pd.DataFrame({"genre": ["war", "noir", "war", "love"]}), "must hold numbers.*get_dummies"),
        (np.array([["a"], ["b"], ["c"], ["d"]]), "must hold numbers.*get_dummies"),
        (pd.DataFrame(TAGS, columns=["a", "b", "a"]), "unique, got 1 duplicate ids: 'a'"),
        (pd.DataFrame(TAGS, columns=["a", None, "b"]), "1 missing ids"),
    ],
)
def test_impossible_tags_are_named(item_tags, message):
    with pytest.raises(ValueError, match=message):
        check_item_tags(item_tags, None, 4, None)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "b"], "tag_names must have one id per tag: expected 3, got 2"),
        (["a", "b", "a"], "tag_names must be unique, got 1 duplicate ids: 'a'"),
        (["a", None, "b"], "tag_names has 1 missing ids"),
    ],
)
def test_impossible_names_are_named(names, message):
    with pytest.raises(ValueError, match=message):
        check_item_tags(TAGS, names, 4, None)


GENRES = pd.DataFrame(np.eye(3)[np.arange(12) % 3], columns=["war", "noir", "drama"])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (range(12), "'x' holds a number of its own for every item, as ids are"),
        (np.arange(12) * 3 + 5, "'x' holds a number of its own for every item"),
        (1950 + np.arange(12) // 2, "'x' holds years"),
        (np.where(np.arange(12) < 2, 0, 1999), "'x' holds years"),
        (9.99 + np.arange(12) // 3, "'x' holds numbers up to 12.99 on 12 of 12 items"),
        (pd.date_range("2011-01-01", periods=12), "'x' holds dates"),
        (pd.date_range("2011-01-01", periods=12, tz="UTC"), "'x' holds dates"),
        (pd.to_timedelta(np.arange(12), "D"), "'x' holds dates"),
    ],
)
def test_columns_that_are_no_tags_are_refused_by_name(values, message):
    frame = GENRES.assign(x=np.asarray(values) if isinstance(values, range) else values)
    with pytest.raises(ValueError, match=f"item_tags: column {message}.*tags_from_features"):
        check_item_tags(frame, None, 12, None)
    sparse = GENRES.assign(x=frame["x"]) if "dates" in message else frame.astype("Sparse[float]")
    with pytest.raises(ValueError, match=f"item_tags: column {message}"):
        check_item_tags(sparse, None, 12, None)


@pytest.mark.parametrize(
    "frame",
    [
        GENRES,
        GENRES.astype(bool),
        GENRES.assign(x=np.linspace(0.01, 0.99, 12)),  # relevance
        GENRES * [10, 200, 3],  # counts of how often a tag was given
        pd.DataFrame(np.arange(24).reshape(12, 2) % 5 + 1.5),  # weights on a scale of their own
    ],
)
def test_weights_of_tags_are_taken(frame):
    weights, _ = check_item_tags(frame, None, 12, None)
    np.testing.assert_array_equal(weights.toarray(), frame.to_numpy(dtype=float))


def test_sparse_frames_are_never_made_dense():
    tags = sp.random(50_000, 500, 1e-4, format="csr", random_state=0)
    tags.data[:] = 1.0
    tags = tags[:, np.flatnonzero(tags.getnnz(axis=0))]
    frame = pd.DataFrame.sparse.from_spmatrix(tags)
    tracemalloc.start()
    weights, _ = check_item_tags(frame, None, 50_000, None)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (weights != tags).nnz == 0
    assert peak < 25e6  # dense it is 200 MB
