"""Whether what is named holds, against plain loops, for the account and for the exact weights."""

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD

from sktpecr import FeedbackRefiner, TPECRExplainer
from sktpecr.attribution import ExactAttribution
from sktpecr.datasets import make_tagged_interactions
from sktpecr.evaluation import evaluate_explanations
from sktpecr.evaluation._named_tags import NamedTags

DATA = make_tagged_interactions(90, 70, 6, density=0.3, random_state=0)
EXPLAINERS = {
    name: TPECRExplainer(
        TruncatedSVD(8, random_state=0), DATA.item_tags, attribution=attribution
    ).fit(DATA.interactions)
    for name, attribution in (("account", None), ("exact", ExactAttribution()))
}
TAGS = DATA.item_tags.to_numpy() > 0


@pytest.mark.parametrize("name", EXPLAINERS)
def test_measures_equal_plain_loops(name):
    explainer = EXPLAINERS[name]
    refiner = FeedbackRefiner(explainer, solver="closed_form")
    taken = [set(DATA.interactions[user].indices) for user in range(90)]
    usual = np.mean([TAGS[list(own)].mean(axis=0) for own in taken], axis=0)
    measured = NamedTags(explainer.tag_model_)
    seen = 0
    for user in range(6):
        for column in range(0, 70, 9):
            told = explainer.explain(user, DATA.item_ids[column])
            named = [list(told.tag_names).index(reason.tag) for reason in told.reasons]
            if name == "exact":
                named = list(np.argsort(-np.abs(told.contributions), kind="stable")[:3])
            found = measured.measured(user, column)
            assert found["named"] == len(named)
            if not named:
                assert np.isnan(found["named: sign"])
                continue
            seen += 1
            likings = told.likings[named]
            same = np.sign(told.contributions[named]) == np.sign(likings)
            assert found["named: sign"] == pytest.approx(same.mean())
            assert found["named: on item"] == pytest.approx(TAGS[column, named].mean())
            own = TAGS[list(taken[user])].mean(axis=0)
            claims = [
                (own[tag] > usual[tag]) == (liking > 0)
                for tag, liking in zip(named, likings, strict=True)
                if liking < 0 or own[tag] > 0
            ]
            if claims:
                assert found["named: true of history"] == pytest.approx(np.mean(claims))
            speaking = [tag for tag in named if told.contributions[tag] > 0]
            if speaking:
                refined = refiner.refine(user, dislike=told.tag_names[speaking[0]])
                changes = refined.scores - refined.scores_before
                listed = explainer.recommend(user, 100)["item"]
                others = [DATA.item_ids.tolist().index(item) for item in listed]
                others = [other for other in others if other != column]
                lower = changes[column] < changes[others].mean()
                assert found["named: less obeyed"] == float(lower)
    assert seen > 10


def test_the_account_names_own_tags_in_the_direction_of_the_liking_and_the_exact_does_not():
    pairs = [(user, item) for user in range(10) for item in DATA.item_ids[:10]]
    table = evaluate_explanations(EXPLAINERS, pairs, allow_train_users=True)
    means = table.set_index(["method", "metric"])["mean"]
    assert means["account", "named: sign"] == 1.0
    assert means["account", "named: on item"] == 1.0
    assert means["exact", "named: sign"] < 0.9
    assert means["exact", "named: on item"] < 0.9
