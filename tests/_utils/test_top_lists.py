"""The lists of many users are those of each, scored and sorted as a whole."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st

from sktpecr._utils import _top_lists
from sktpecr._utils._ranking import top_items
from sktpecr._utils._top_lists import top_lists


def check(users, items, biases, n, listed, seen, kind):
    found = top_lists(kind(users), items, biases, n, listed, seen)
    assert {type(each) for each in found} == {type(kind(users))}
    lengths, all_columns, all_scores = map(np.asarray, found)
    assert len(lengths) == len(users)
    bounds = np.cumsum(lengths)[:-1]
    scores = users @ items.T + biases
    found = zip(np.split(all_columns, bounds), np.split(all_scores, bounds), strict=True)
    for user, (columns, own) in enumerate(found):
        allowed = listed.copy()
        allowed[seen[user].indices] = False
        np.testing.assert_array_equal(columns, top_items(scores[user], allowed, n))
        np.testing.assert_allclose(own, scores[user, columns], rtol=1e-5, atol=1e-5)


# Whole numbers are exact in any order of summing, and tied everywhere.
@given(
    seed=st.integers(0, 2**32 - 1),
    n_items=st.sampled_from([1, 15, 16, 63, 64, 65, 200]),
    n=st.sampled_from([1, 3, 20, 300]),
    block=st.sampled_from([(2, 32, 4), (3, 64, 8)]),
    taken=st.sampled_from([0.0, 0.3, 1.0]),
    kind=st.sampled_from([np.asarray, torch.tensor]),
)
def test_lists_are_those_of_all_scores_ties_in_column_order(seed, n_items, n, block, taken, kind):
    rng = np.random.RandomState(seed)
    users, items = (rng.randint(-2, 3, size=(rows, 3)) * 1.0 for rows in (5, n_items))
    biases, listed = rng.randint(2, size=n_items) * 1.0, rng.uniform(size=n_items) < 0.8
    seen = sp.csr_matrix(rng.uniform(size=(5, n_items)) < taken)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in zip(("_USERS", "_ITEMS", "_GROUP"), block, strict=True):
            patch.setattr(_top_lists, name, value)
        patch.setattr(_top_lists, "_PAIRS", 5)
        check(users, items, biases, n, listed, seen, kind)


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lists_of_many_items_are_those_of_all_scores(dtype, kind):
    rng = np.random.RandomState(0)
    users, items = (rng.normal(size=(n, 8)).astype(dtype) for n in (300, 9_000))
    seen = sp.random(300, 9_000, 0.01, format="csr", random_state=0)
    listed = rng.uniform(size=9_000) < 0.9
    check(users, items, np.zeros(9_000, dtype), 10, listed, seen, kind)


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor])
def test_nobody_has_no_lists(kind):
    items, everything = np.ones((20, 3), np.float32), np.ones(20, bool)
    users, seen = kind(np.ones((0, 3), np.float32)), sp.csr_matrix((0, 20))
    found = top_lists(users, items, np.zeros(20), 5, everything, seen)
    assert [len(each) for each in found] == [0, 0, 0]
