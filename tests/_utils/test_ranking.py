"""Lists of items, ranked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sktpecr._inputs._numbers import check_n
from sktpecr._utils._ranking import ranks_of, top_items, top_items_but

# Few values, so that ties are everywhere.
ITEMS = st.lists(
    st.tuples(st.sampled_from([-1.0, -0.0, 0.0, 0.5, 2.0]), st.booleans()), min_size=1, max_size=30
)


def best_first(scores, candidates):
    """Return the candidates sorted as a person would: best first, ties in column order."""
    columns = [column for column in range(len(scores)) if candidates[column]]
    return sorted(columns, key=lambda column: (-scores[column], column))


def unzip(items):
    scores, candidates = zip(*items, strict=True)
    return np.array(scores), np.array(candidates)


@given(items=ITEMS, n=st.integers(1, 35))
def test_top_items_are_the_first_of_all_candidates_sorted(items, n):
    scores, candidates = unzip(items)
    found = top_items(scores, candidates, n)
    np.testing.assert_array_equal(found, best_first(scores, candidates)[:n])


@given(
    items=st.lists(st.tuples(st.integers(-3, 9), st.booleans()), max_size=200), n=st.integers(1, 9)
)
def test_top_items_but_some_are_those_of_the_others(items, n):
    scores, candidates = unzip(items) if items else (np.empty(0), np.empty(0, dtype=bool))
    scores, left_out = scores.astype(np.float32), np.flatnonzero(~candidates)
    found = top_items_but(scores, (left_out[::2], left_out[1::2]), n)
    np.testing.assert_array_equal(found, best_first(scores, candidates)[:n])


@given(items=ITEMS)
def test_rank_is_one_more_than_the_number_of_candidates_ahead(items):
    scores, candidates = unzip(items)
    columns = np.arange(len(scores))
    found = ranks_of(columns, scores, candidates)
    for column in columns:
        ahead = 0
        for rival in columns[candidates]:
            better = scores[rival] > scores[column]
            ahead += better or (scores[rival] == scores[column] and rival < column)
        assert found[column] == 1 + ahead


@given(items=ITEMS, n=st.integers(1, 35))
def test_ranks_of_a_list_count_from_one(items, n):
    scores, candidates = unzip(items)
    columns = top_items(scores, candidates, n)
    found = ranks_of(columns, scores, candidates)
    np.testing.assert_array_equal(found, np.arange(1, len(columns) + 1))


def test_large_lists_without_ties_agree_with_sorting():
    rng = np.random.RandomState(0)
    scores = rng.permutation(5000).astype(np.float32)
    candidates = rng.uniform(size=5000) < 0.7
    order = best_first(scores, candidates)
    np.testing.assert_array_equal(top_items(scores, candidates, 100), order[:100])
    np.testing.assert_array_equal(
        ranks_of(np.array(order[::37]), scores, candidates), np.arange(len(order))[::37] + 1
    )


def test_nothing_is_listed_where_nothing_may_be():
    nobody = np.zeros(3, dtype=bool)
    assert top_items(np.arange(3.0), nobody, 2).tolist() == []
    assert ranks_of(np.array([0, 2]), np.arange(3.0), nobody).tolist() == [1, 1]
    nothing = np.empty(0, dtype=np.intp)
    assert ranks_of(nothing, np.arange(3.0), ~nobody).tolist() == []


@pytest.mark.parametrize("n", [1, 10, np.int64(3), np.uint8(7)])
def test_length_of_a_list_is_a_whole_number(n):
    assert check_n(n) == n
    assert type(check_n(n)) is int


@pytest.mark.parametrize("n", [0, -1, 1.0, 2.5, "3", None, True, np.bool_(True), [1], np.nan])
def test_other_lengths_are_refused(n):
    with pytest.raises(ValueError, match="n must be a whole number of at least 1, got"):
        check_n(n)


@given(
    seed=st.integers(0, 2**16),
    n_items=st.integers(1, 900),
    n_values=st.sampled_from([2, 30, 10**6]),
    n_left_out=st.integers(0, 60),
    n=st.integers(1, 60),
)
def test_lists_of_nearly_everything_agree_with_sorting(seed, n_items, n_values, n_left_out, n):
    rng = np.random.RandomState(seed)
    scores = rng.randint(n_values, size=n_items) - n_values / 2
    candidates = np.ones(n_items, dtype=bool)
    candidates[rng.randint(n_items, size=n_left_out)] = False
    found = top_items(scores, candidates, n)
    np.testing.assert_array_equal(found, best_first(scores, candidates)[:n])
