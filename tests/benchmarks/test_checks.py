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
    refiner = FeedbackRefiner(EXPLAINER, solver="closed_form")
    found = EXPLAINER.counterfactual(3, item, goal)
    assert found.found
    assert checks._does_it(refiner, found)
    wrong = (
        {"tag_preferences_after": found.tag_preferences_before},
        {"rank_after": found.rank_after + 1},
        {"max_change": np.abs(found.changes).max() / 2},
    )
    for each in wrong:
        assert not checks._does_it(refiner, dataclasses.replace(found, **each))


@pytest.mark.parametrize(("goal", "item"), [("enter", LISTED[10]), ("leave", LISTED[9])])
def test_an_edit_that_was_missed_is_noticed(goal, item):
    rng = np.random.RandomState(0)
    found = EXPLAINER.counterfactual(3, item, goal)
    assert found.found
    assert checks._a_corner_does_it(EXPLAINER, rng, found)
    none = EXPLAINER.counterfactual(3, item, goal, max_change=1e-6)
    assert not none.found
    assert not checks._a_corner_does_it(EXPLAINER, rng, none)
