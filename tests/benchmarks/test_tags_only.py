"""What the experiment on users who are described by tags alone counts."""

import numpy as np
import pytest
from sklearn.metrics import ndcg_score

from benchmarks.beyond.tags_only import ndcg


@pytest.mark.parametrize("n_wanted", [1, 3, 30])
@pytest.mark.parametrize("seed", range(5))
def test_ndcg_is_that_of_scikit_learn(seed, n_wanted):
    order = np.random.RandomState(seed).permutation(50)
    wanted = set(range(n_wanted))
    relevance = (np.arange(50) < n_wanted)[np.newaxis]
    scores = -np.argsort(order)[np.newaxis]
    assert ndcg(order[:10], wanted) == pytest.approx(ndcg_score(relevance, scores, k=10))


def test_a_list_shorter_than_ten_counts_what_it_has():
    assert ndcg([7, 3], {3}) == pytest.approx(1 / np.log2(3))
    assert ndcg([3], {3, 4}) == pytest.approx(1 / (1 + 1 / np.log2(3)))
