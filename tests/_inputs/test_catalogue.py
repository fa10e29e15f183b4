"""Users, items, names and who interacted with what."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from sktpecr import TPECRExplainer
from sktpecr._inputs._catalogue import Catalogue, check_item_ids
from sktpecr._utils._ranking import top_items

DENSE = np.array([[1.0, 0, 2, 0], [0, 0, 0, 0], [0, 3, 0, 1]])


def make_catalogue(interactions=DENSE, user_ids=("u", "v", "w"), item_ids="abcd", item_names=None):
    X = None if interactions is None else sp.csr_matrix(interactions)
    return Catalogue((3, 4), X, user_ids, item_ids, item_names)


def test_history_is_the_columns_of_the_interactions():
    catalogue = make_catalogue()
    assert [catalogue.history(row).tolist() for row in range(3)] == [[0, 2], [], [1, 3]]
    assert make_catalogue(None).history(0).tolist() == []


def test_users_with_interactions_are_active():
    assert make_catalogue().active_users().tolist() == [True, False, True]


@pytest.mark.parametrize("interactions", [None, np.zeros((3, 4))])
def test_everybody_is_active_where_nobody_can_be_told_from_the_others(interactions):
    assert make_catalogue(interactions).active_users().tolist() == [True, True, True]


@pytest.mark.parametrize(
    ("row", "exclude_seen", "exclude", "expected"),
    [
        (0, True, (), [False, True, False, True]),
        (1, True, (), [True, True, True, True]),
        (0, False, (), [True, True, True, True]),
        (0, False, ["b", "d"], [True, False, True, False]),
        (2, True, ("a", "d"), [False, False, True, False]),
        (0, True, {"b"}, [False, False, False, True]),
        (0, True, np.array(["b"]), [False, False, False, True]),
        (0, True, (item for item in "bd"), [False, False, False, False]),
    ],
)
def test_candidates_are_what_is_neither_seen_nor_excluded(row, exclude_seen, exclude, expected):
    catalogue = make_catalogue()
    history = catalogue.history(row)
    assert catalogue.candidates(history, exclude_seen, exclude).tolist() == expected


def test_what_was_seen_must_be_known_to_be_left_out():
    catalogue = make_catalogue(None)
    with pytest.raises(ValueError, match="exclude_seen=True needs interactions"):
        catalogue.candidates(None, True)
    assert catalogue.candidates(None, False).all()


def test_excluded_items_must_be_a_list_of_known_ids():
    catalogue = make_catalogue()
    history = catalogue.history(0)
    with pytest.raises(ValueError, match="exclude must be a list of item ids, got 'ab'"):
        catalogue.candidates(history, True, "ab")
    with pytest.raises(ValueError, match="unknown item 'z'"):
        catalogue.candidates(history, True, ["a", "z"])


def test_ranked_items_come_with_ids_names_scores_and_ranks():
    catalogue = make_catalogue(item_names=["A", "B", "C", "D"])
    scores = np.array([0.5, 2.0, 9.0, 2.0])
    columns = top_items(scores, np.array([True, True, False, True]), 3)
    assert columns.tolist() == [1, 3, 0]
    frame = catalogue.listed(columns, scores)
    expected = pd.DataFrame(
        {"item": list("bda"), "name": list("BDA"), "score": [2.0, 2.0, 0.5], "rank": [1, 2, 3]}
    )
    pd.testing.assert_frame_equal(frame, expected, check_dtype=False)


def test_without_ids_rows_and_columns_are_numbers_and_names_follow_ids():
    catalogue = Catalogue((3, 4), sp.csr_matrix(DENSE), None, None, None)
    assert catalogue.users.row(2) == 2
    np.testing.assert_array_equal(catalogue.item_ids, np.arange(4))
    assert catalogue.item_names.tolist() == ["0", "1", "2", "3"]
    assert make_catalogue().item_names.tolist() == list("abcd")


@pytest.mark.parametrize(
    "names",
    [
        ["A", "B", "C", "D"],
        ("A", "B", "C", "D"),
        np.array(["A", "B", "C", "D"]),
        dict.fromkeys("ABCD").keys(),
        (name for name in "ABCD"),
        pd.Series(["D", "C", "B", "A"], index=list("dcba")),
        {"d": "D", "b": "B", "c": "C", "a": "A", "x": "X"},
        pd.Series(["D", "x", "C", "B", "A"], index=list("dxcba")),
    ],
)
def test_names_may_come_in_order_or_as_a_series_by_item(names):
    assert make_catalogue(item_names=names).item_names.tolist() == ["A", "B", "C", "D"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["A", "B"], r"one name per item: expected 4, got shape \(2,\)"),
        ([["A"], ["B"], ["C"], ["D"]], r"expected 4, got shape \(4, 1\)"),
        ("ABCD", r"expected 4, got shape \(\)"),
        ({"a": "A", "b": "B", "d": "D"}, "no name for 1 items, such as 'c'.* keys of a dict"),
        (pd.Series(list("ABC"), index=list("abc")), "no name for 1 items, such as 'd'"),
        (pd.Series(["A", None, "C", None], index=list("abcd")), "no name for 2 items, .* 'b'"),
        (
            pd.Series(list("ABCD")),
            "no name for 4 items, .* keys of a dict, must be the item ids",
        ),
    ],
)
def test_names_that_do_not_fit_the_items_are_refused(names, message):
    with pytest.raises(ValueError, match=message):
        make_catalogue(item_names=names)


def test_ids_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="user_ids must have one id per user: expected 3, got 2"):
        make_catalogue(user_ids=["u", "v"])
    with pytest.raises(ValueError, match=r"item_tags \(its index\) must be unique"):
        make_catalogue(item_ids="abca")


def tags_of(items):
    return pd.DataFrame(np.eye(len(items)), index=list(items))


def interactions_with(items):
    return pd.DataFrame(np.ones((2, len(items))), columns=list(items))


def test_item_ids_come_from_the_tags_or_the_interactions():
    assert check_item_ids(tags_of("abc"), None) == list("abc")
    assert check_item_ids(tags_of("abc"), np.ones((2, 3))) == list("abc")
    assert check_item_ids(np.eye(3), interactions_with("abc")) == list("abc")
    assert check_item_ids(None, interactions_with("abc")) == list("abc")
    assert check_item_ids(tags_of("abc"), interactions_with("abc")) == list("abc")
    assert check_item_ids(np.eye(3), np.ones((2, 3))) is None
    assert check_item_ids(None, None) is None


@pytest.mark.parametrize(
    ("tags", "columns", "message"),
    [
        ("abc", "abx", "1 columns of X are not in it, such as 'x'; use item_tags.reindex"),
        ("abc", "xyz", "3 columns of X are not in it, such as 'x'; give both the same kind of"),
        ("abc", "ab", "it has 3 items, X has 2; use item_tags.reindex"),
        ("abc", "cab", "they are the same ids in another order; use item_tags.reindex"),
    ],
)
def test_tags_and_interactions_must_agree_on_the_items(tags, columns, message):
    with pytest.raises(ValueError, match=f"contradicts the columns of X: {message}"):
        check_item_ids(tags_of(tags), interactions_with(columns))


def test_a_stored_zero_is_no_interaction_and_a_repeated_entry_is_one():
    X = sp.csr_matrix((np.array([0.0, 2, 1, 1]), np.array([0, 1, 2, 2]), np.array([0, 2, 4])))
    before = X.data.copy(), X.indices.copy(), X.indptr.copy()
    rng = np.random.RandomState(0)
    model = (rng.normal(size=(2, 2)), rng.normal(size=(3, 2)))
    explainer = TPECRExplainer(model, np.eye(3)).fit(X)
    assert sorted(explainer.recommend(0, 3)["item"]) == [0, 2]
    assert sorted(explainer.recommend(1, 3)["item"]) == [0, 1]
    assert explainer._tag_model.catalogue.history(1).tolist() == [2]
    for old, new in zip(before, (X.data, X.indices, X.indptr), strict=True):
        np.testing.assert_array_equal(old, new)
