"""Raw ids and the rows they stand for."""

import time
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sktpecr._inputs._ids import Ids

LABELS = st.one_of(
    st.lists(st.integers(), min_size=1, unique=True),
    st.lists(st.text(alphabet=st.characters(exclude_characters="\0")), min_size=1, unique=True),
    st.lists(st.tuples(st.integers(), st.text()), min_size=1, unique=True),
    st.lists(st.one_of(st.integers(2, 99), st.text("ab1")), min_size=1, unique=True),
)


@given(labels=LABELS)
def test_every_label_leads_to_its_row_and_back(labels):
    ids = Ids("user", labels, len(labels), "user_ids")
    assert len(ids) == len(labels)
    for row, label in enumerate(labels):
        assert ids.row(label) == row
        assert ids[row] == label
        assert type(ids[row]) is type(label)
    np.testing.assert_array_equal(ids.rows(labels[::-1]), np.arange(len(labels))[::-1])


@pytest.mark.parametrize(
    "labels",
    [
        ["a", "b", "c"],
        ("a", "b", "c"),
        np.array(["a", "b", "c"]),
        np.array(["a", "b", "c"], dtype=object),
        pd.Series(["a", "b", "c"], index=[7, 8, 9]),
        pd.Index(["a", "b", "c"]),
        pd.Series(["a", "b", "c"], dtype="category"),
        pd.Series(["a", "b", "c"], dtype="string"),
        {"a": 1, "b": 2, "c": 3},
    ],
)
def test_labels_may_come_in_any_container(labels):
    ids = Ids("item", labels, 3, "item_ids")
    assert [ids.row(label) for label in "cab"] == [2, 0, 1]
    assert [ids[row] for row in range(3)] == ["a", "b", "c"]


def test_labels_may_come_from_an_iterator():
    ids = Ids("item", (f"item {v}" for v in range(3)), 3, "item_ids")
    assert ids.row("item 2") == 2


@pytest.mark.parametrize("dtype", [np.int16, np.int64, np.uint8, "Int64"])
def test_numbers_of_any_kind_are_the_same_id(dtype):
    labels = pd.Series([10, 20, 30], dtype=dtype)
    ids = Ids("user", labels.to_numpy() if isinstance(dtype, type) else labels, 3, "user_ids")
    assert ids.row(20) == ids.row(np.int32(20)) == ids.row(np.uint64(20)) == 1
    assert ids[1] == 20
    assert type(ids[1]) is int


def test_numbers_too_large_for_64_bits_stay_exact():
    labels = [2**63 + 1, 2**63 + 2, -5]
    ids = Ids("user", labels, 3, "user_ids")
    assert [ids.row(label) for label in labels] == [0, 1, 2]
    assert [ids[row] for row in range(3)] == labels


def test_dates_are_ids():
    days = pd.date_range("2020-01-01", periods=3)
    assert Ids("user", days, 3, "user_ids").row(pd.Timestamp("2020-01-02")) == 1


def test_without_labels_rows_are_numbers():
    ids = Ids("user", None, 5, "user_ids")
    assert ids.row(3) == ids.row(np.int8(3)) == 3
    assert ids[3] == 3
    assert len(ids) == 5
    np.testing.assert_array_equal(ids.array(), np.arange(5))
    np.testing.assert_array_equal(ids.rows([4, 0]), [4, 0])


@pytest.mark.parametrize("label", ["3", 3.0, None, True, np.True_, (3,), [3], np.array([3])])
def test_without_labels_only_whole_numbers_are_rows(label):
    with pytest.raises(ValueError, match="no user ids were given, so a user is a whole row number"):
        Ids("user", None, 5, "user_ids").row(label)


@pytest.mark.parametrize("label", [-1, 5, 10**30, np.int64(-5)])
def test_row_numbers_out_of_range_are_refused(label):
    with pytest.raises(ValueError, match="is out of range: row numbers go from 0 to 4"):
        Ids("user", None, 5, "user_ids").row(label)


@pytest.mark.parametrize(
    ("labels", "asked", "message"),
    [
        (["noir", "war"], "Noir", "unknown tag 'Noir'; did you mean 'noir'?"),
        (["noir", "war"], "WAR", "unknown tag 'WAR'; did you mean 'war'?"),
        (["Film-Noir", "War"], "film noir", "did you mean 'Film-Noir'?"),
        (["tag_1", "tag_2", "x"], "tag1", "did you mean 'tag_1' or 'tag_2'?"),
        ([42, 43], "42", "did you mean 42 (int, not str)?"),
        (["42", "43"], 42, "did you mean '42' (str, not int)?"),
        (["a", "b"], "zzzz", "unknown tag 'zzzz'; known are 2 ids: 'a' and 'b'"),
        (["a"], "zzzz", "known are 1 ids: 'a'"),
        (list("abcdefgh"), "zzzz", "known are 8 ids: 'a', 'b', 'c', 'd', 'e', ..."),
        (["a", "b"], None, "unknown tag None"),
        (["a", "b"], float("nan"), "unknown tag nan"),
    ],
)
def test_unknown_labels_are_answered_with_what_is_near(labels, asked, message):
    with pytest.raises(ValueError, match="unknown tag") as caught:
        Ids("tag", labels, len(labels), "tag_names").row(asked)
    assert message in str(caught.value)


@pytest.mark.parametrize("label", [["a"], {"a"}, np.array(["a", "b"]), pd.Series(["a"])])
def test_several_labels_where_one_is_asked_for_are_refused(label):
    with pytest.raises(ValueError, match=f"expected one user id, got {type(label).__name__}"):
        Ids("user", ["a", "b"], 2, "user_ids").row(label)


def test_one_unknown_label_among_several_is_named():
    with pytest.raises(ValueError, match="unknown user 'zzz'"):
        Ids("user", ["a", "b"], 2, "user_ids").rows(["a", "zzz"])


@pytest.mark.parametrize("labels", [["a"], list("abcd"), []])
def test_every_row_needs_a_label(labels):
    with pytest.raises(ValueError, match=f"one id per user: expected 3, got {len(labels)}"):
        Ids("user", labels, 3, "user_ids")


@pytest.mark.parametrize(
    "labels",
    [
        ["a", None, "c", None],
        np.array([1.0, np.nan, 3.0, np.nan]),
        pd.Series([1, None, 3, None], dtype="Int64"),
        pd.Series(["a", None, "c", None], dtype="string"),
        pd.to_datetime(["2020-01-01", None, "2020-01-03", None]),
    ],
)
def test_missing_labels_are_counted_and_located(labels):
    with pytest.raises(ValueError, match=r"user_ids has 2 missing ids .* the first in row 1"):
        Ids("user", labels, 4, "user_ids")


def test_duplicates_are_named():
    with pytest.raises(ValueError, match="must be unique, got 2 duplicate ids: 'a' and 'b'"):
        Ids("user", list("abcab"), 5, "user_ids")


def test_labels_must_be_hashable():
    with pytest.raises(ValueError, match="user_ids must hold hashable ids"):
        Ids("user", [[1], [2]], 2, "user_ids")


@pytest.fixture(scope="module")
def a_million():
    return Ids("item", [f"film_{number}" for number in range(10**6)], 10**6, "item_ids")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("Film_77", "did you mean 'film_77'?"),
        ("film_9999999", "did you mean 'film_999999'?"),
        ("film999999", "did you mean 'film_99999' or 'film_999999'?"),
        ("flim_42", "did you mean 'film_42'?"),
        ("nothing like it", "known are 1000000 ids: 'film_0', 'film_1', 'film_2'"),
        ("x" * 20_000, "known are 1000000 ids"),
        (42, "known are 1000000 ids"),
        (True, "unknown item True"),
        (None, "unknown item None"),
    ],
)
def test_an_unknown_id_is_answered_within_5_ms_among_a_million(a_million, asked, message):
    taken = []
    for _ in range(5):
        start = time.perf_counter()
        with pytest.raises(ValueError, match="unknown item") as caught:
            a_million.row(asked)
        taken.append(time.perf_counter() - start)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300
    assert min(taken) < 0.005


def test_what_is_near_is_not_looked_for_where_nobody_reads_it(monkeypatch):
    ids = Ids("item", list("abc"), 3, "item_ids")
    monkeypatch.setattr(Ids, "_near", None)
    assert ("a" in ids, "d" in ids, ["a"] in ids, True in ids) == (True, False, False, False)
    assert (ids.find("b"), ids.find("d")) == (1, None)
    numbers = Ids("item", None, 3, "item_ids")
    assert (2 in numbers, 3 in numbers, "2" in numbers, True in numbers) == (True, *[False] * 3)


def test_one_long_id_costs_its_own_letters_and_not_those_of_all():
    labels = [f"film_{number}" for number in range(20_000)] + ["x" * 20_000]
    tracemalloc.start()
    ids = Ids("item", labels, len(labels), "item_ids")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10e6  # as many letters for each are 1.6 GB
    assert ids.row("x" * 20_000) == 20_000
    assert ids.labels.dtype == object


@pytest.mark.parametrize("labels", [None, list("abcdef"), [10, 20, 30, 40, 50, 60]])
def test_many_rows_at_once_are_those_one_by_one(labels):
    ids = Ids("user", labels, 6, "user_ids")
    known = range(6) if labels is None else labels
    chosen = [known[i] for i in (3, 0, 3, 5)]
    for form in (chosen, tuple(chosen), np.array(chosen), iter(chosen)):
        assert ids.rows(form).tolist() == [3, 0, 3, 5]
    assert ids.rows([]).tolist() == ids.rows(np.array([], dtype=int)).tolist() == []
    for wrong in (["zz"], [-1], [6], [True, False], [1.5], [None], [[0]], np.array([True])):
        with pytest.raises(ValueError, match="user"):
            ids.rows([chosen[0], *wrong])


def test_who_asks_for_one_user_is_told_of_no_other():
    ids = Ids("user", ["ann@example.org", "bob@example.org"], 2, "user_ids")
    with pytest.raises(ValueError, match=r"unknown user 'an@example\.org'; known are 2 users$"):
        ids.row("an@example.org")
    # The type is told where that is all that is wrong: it names the one who was asked for.
    with pytest.raises(ValueError, match=r"did you mean 7 \(int, not str\)"):
        Ids("user", [7, 8], 2, "user_ids").row("7")


@pytest.mark.parametrize("labels", [None, [0, 1, 2], list("abc")])
def test_a_mask_is_no_list_of_ids(labels):
    ids = Ids("item", labels, 3, "item_ids")
    for mask in ([True, False, True], np.array([True, False, True]), [np.True_]):
        with pytest.raises(ValueError, match=r"got a mask .* item_ids\[mask\]"):
            ids.rows(mask)
    with pytest.raises(ValueError, match="True"):
        ids.row(True)
    assert Ids("tag", [True, False], 2, "tag_names").rows([False, True]).tolist() == [1, 0]
