"""The benchmark notices a counterfactual that is wrong."""

import dataclasses

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD

from benchmarks.beyond import counterfactuals
from sktpecr import FeedbackRefiner, TPECRExplainer
from sktpecr.datasets import make_tagged_interactions

DATA = make_tagged_interactions(n_users=60, n_items=80, n_tags=5, random_state=0)
EXPLAINER = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags).fit(DATA.interactions)
REFINER = FeedbackRefiner(EXPLAINER)
LISTED = list(EXPLAINER.recommend(3, 13)["item"])


@pytest.mark.parametrize(("goal", "item"), [("enter", LISTED[12]), ("leave", LISTED[5])])
def test_an_answer_that_does_not_do_it_is_noticed(goal, item):
    found = EXPLAINER.counterfactual(3, item, goal)
    assert found.found
    assert counterfactuals._applied(REFINER, found, set(LISTED[:10]))["wrong"] == 0
    wrong = (
        {"changes": 0 * found.changes},
        {"max_tags": 0},
        {"rank_after": found.rank_after + 1},
        {"n_kept": found.n_kept - 1},
        {"max_change": np.abs(found.changes).max() / 2},
    )
    for each in wrong:
        changed = dataclasses.replace(found, **each)
        assert counterfactuals._applied(REFINER, changed, set(LISTED[:10]))["wrong"] == 1


def test_the_rivals_tag_is_the_items_own_that_the_list_has_least_of():
    for item in LISTED[10:]:
        tag = counterfactuals._telling(EXPLAINER, item, LISTED[:10])
        listed = DATA.item_tags.loc[LISTED[:10]].sum()
        own = DATA.item_tags.columns[DATA.item_tags.loc[item] > 0]
        assert tag in own
        assert listed[tag] == listed[own].min()


def test_the_rivals_like_brings_the_item_in_or_is_none():
    listed, answers = set(LISTED[:10]), []
    for item in LISTED[10:]:
        tag = counterfactuals._telling(EXPLAINER, item, LISTED[:10])
        answers.append(counterfactuals._liked(REFINER, 3, item, tag, listed))
        before = [
            s
            for s in counterfactuals._STRENGTHS
            if item in set(REFINER.refine(3, like={tag: s}).recommend(10)["item"])
        ]
        assert bool(answers[-1]) == bool(before)
    assert any(answers)
