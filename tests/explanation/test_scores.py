"""Scores by which models, tag tables and generators are told apart."""

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.model_selection import GridSearchCV, cross_val_score

from sktpecr import GaussianGenerator, TPECRExplainer
from sktpecr.datasets import make_tagged_interactions
from sktpecr.evaluation import reasons_score, stability_score, swap_score

DATA = make_tagged_interactions(150, 80, 5, density=0.2, random_state=0)


def explained(tags=DATA.item_tags, **given):
    return TPECRExplainer(TruncatedSVD(8, random_state=0), tags, **given).fit(DATA.interactions)


def test_reasons_score_is_the_share_that_explanations_tell_less_chance():
    explainer = explained()
    told = [[explainer.explain(user, item) for user in range(150)] for item in DATA.item_ids]
    shares = []
    for of_item in told:
        away = np.array([one.score - one.base_value for one in of_item])
        left = away - [one.contributions.sum() for one in of_item]
        shares.append(1 - np.var(left) / np.var(away))
    chance = explainer.attribution_.explained_by_chance_
    expected = np.mean(np.array(shares) - chance)
    assert explainer.score(DATA.interactions) == pytest.approx(expected, abs=1e-6)
    assert explainer.score(DATA.interactions) == reasons_score(explainer, DATA.interactions)


def test_tag_tables_are_told_apart_on_users_left_out():
    dealt = DATA.item_tags.sample(frac=1, random_state=2).set_axis(DATA.item_tags.index)
    scores = [
        cross_val_score(
            TPECRExplainer(TruncatedSVD(8, random_state=0), tags), DATA.interactions, cv=3
        ).mean()
        for tags in (dealt, DATA.item_tags)
    ]
    assert scores[1] > scores[0] + 0.1
    assert scores[0] < 0.05


def test_generators_are_chosen_by_swaps():
    search = GridSearchCV(
        TPECRExplainer(
            TruncatedSVD(8, random_state=0), DATA.item_tags, generator=GaussianGenerator()
        ),
        {"generator__regularization": [1e-8, 1.0]},
        scoring=swap_score,
        cv=3,
    ).fit(DATA.interactions)
    assert search.best_params_ == {"generator__regularization": 1e-8}


def test_stability_is_the_agreement_of_two_halves_of_the_users():
    explainer = explained()
    order = np.random.RandomState(0).permutation(150)
    told = []
    for half in np.array_split(order, 2):
        other = TPECRExplainer(explainer.extractor_.recommender_, DATA.item_tags, random_state=0)
        other.fit(DATA.interactions, train_users=half.tolist())
        scores = explainer.extractor_.recommender_.score_items(explainer.user_embeddings_)
        own = []
        for user in range(0, 150, 2):
            for item in np.argsort(-scores[user], kind="stable")[:10]:
                one = other.explain(user, DATA.item_ids[item])
                own.append(one.contributions[one.item_tags > 0])
        told.append(np.concatenate(own))
    expected = 2 * (told[0] @ told[1]) / (told[0] @ told[0] + told[1] @ told[1])
    assert stability_score(explainer, DATA.interactions) == pytest.approx(expected, abs=1e-5)


def test_what_more_users_told_is_more_stable_and_three_are_too_few():
    few = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags)
    few.fit(DATA.interactions, train_users=range(8))
    assert stability_score(few, DATA.interactions) < stability_score(explained(), DATA.interactions)
    few.fit(DATA.interactions, train_users=range(3))
    with pytest.raises(ValueError, match="at least 4 users"):
        stability_score(few, DATA.interactions)


def test_users_who_are_all_alike_score_nothing():
    alike = np.ones((4, 80))
    assert explained().score(alike) == 0.0


@pytest.mark.parametrize("scorer", [reasons_score, stability_score, swap_score])
def test_one_user_is_too_few(scorer):
    with pytest.raises(ValueError, match="at least 2 users"):
        scorer(explained(), DATA.interactions[:1])
