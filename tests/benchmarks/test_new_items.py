"""The experiment on items that came after training."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from benchmarks.beyond.new_items import auc, new_items


def test_auc_is_that_of_scikit_learn():
    rng = np.random.RandomState(0)
    for n_had in (1, 3, 10):
        had, others = rng.randint(9, size=n_had), rng.randint(9, size=20)
        expected = roc_auc_score([1] * n_had + [0] * 20, [*had, *others])
        assert auc(had, others) == pytest.approx(expected)


def test_tags_tell_new_items_apart_and_training_more():
    rows = {row.column: row for row in new_items("movielens-small", None, "als", None)}
    assert rows["AUC by tags"].low > 0.5
    assert rows["AUC by tags"].high < rows["AUC trained on"].low
    assert rows["new items"].here > 50
