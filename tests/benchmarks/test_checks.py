"""The benchmark's checks notice a counterfactual that is wrong."""

import dataclasses

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD

from benchmarks.beyond import checks
from sktpecr import FeedbackRefiner, TPECRExplainer
from sktpecr.datasets import make_tagged_interactions

DATA = make_tagged_interactions(n_users=60, n_items=80, n_tags=5, random_state=0)
EXPLAINER = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags).fit(DATA.interactions)
LISTED = list(EXPLAINER.recommend(3, 13)["item"])


@pytest.mark.parametrize(("goal", "item"), [("enter", LISTED[12]), ("leave", LISTED[5])])
def test_an_edit_that_does_not_do_it_is_noticed(goal, item):
    refiner = FeedbackRefiner(EXPLAINER)
    found = EXPLAINER.counterfactual(3, item, goal)
    assert found.found
    assert checks._does_it(refiner, found)
    wrong = (
        {"changes": 0 * found.changes},
        {"max_tags": 0},
        {"rank_after": found.rank_after + 1},
        {"max_change": np.abs(found.changes).max() / 2},
    )
    for each in wrong:
        assert not checks._does_it(refiner, dataclasses.replace(found, **each))
