"""Promises of explanations against what the refiner does, by plain loops."""

import numpy as np
import pytest
import torch

from sktpecr import CVAEGenerator, FeedbackRefiner, TPECRExplainer
from sktpecr.attribution import ExactAttribution, LimeAttribution
from sktpecr.datasets import make_tagged_interactions
from sktpecr.evaluation import evaluate_calibration
from sktpecr.recommenders import TorchRecommender
from sktpecr.solvers import ClosedFormSolver

DATA = make_tagged_interactions(n_users=60, n_items=80, n_tags=5, random_state=0)
RNG = np.random.RandomState(0)
USERS, ITEMS = RNG.normal(size=(60, 8)), RNG.normal(size=(80, 8))
PAIRS = [(user, item) for user in (45, 50, 59) for item in ("item_03", "item_17")]


def score(users, items):
    return torch.tanh(0.5 * (users * items).sum(dim=1)) + 0.2 * users[:, 0] * items[:, 1] ** 2


def fitted(recommender=(USERS, ITEMS), tags=DATA.item_tags, **kwargs):
    given = {"random_state": 0, "attribution": ExactAttribution(), **kwargs}
    explainer = TPECRExplainer(recommender, tags, **given)
    return explainer.fit(DATA.interactions, train_users=range(40))


LIME = LimeAttribution(target="score", n_samples=200, random_state=0)
EXACT = fitted(attribution=ExactAttribution())
NETWORK = fitted(
    TorchRecommender(score, USERS, ITEMS),
    generator=CVAEGenerator(hidden_dims=(16,), latent_dim=8, max_epochs=60, random_state=0),
    attribution=LIME,
)


def test_exact_promises_are_kept_to_the_letter():
    cases = evaluate_calibration(EXACT, FeedbackRefiner(EXACT), PAIRS, return_cases=True)
    assert [(row.user, row.item) for row in cases.itertuples()] == PAIRS
    for metric in ("sign right", "slope", "correlation", "tag reached"):
        np.testing.assert_allclose(cases[metric].dropna(), 1.0, rtol=1e-5)
    assert (cases["refused"] == 0).all()


def test_promises_of_a_network_equal_plain_loops():
    refiner = FeedbackRefiner(NETWORK, solver="online")
    cases = evaluate_calibration(
        NETWORK, refiner, PAIRS, n_tags=3, edit=0.7, return_cases=True
    ).set_index(["user", "item"])
    recommender = NETWORK.extractor_.recommender_
    for user, item in PAIRS:
        explanation = NETWORK.explain(user, item)
        order = np.argsort(-np.abs(explanation.importances))[:3]
        before, column = recommender.score_items(USERS[[user]])[0], int(item[-2:])
        promised, moved, rise, reached = [], [], [], []
        for tag in order:
            for change in (0.7, -0.7):
                value = explanation.vs_population[tag] + change
                refined = refiner.refine(user, set={DATA.item_tags.columns[tag]: value})
                after = recommender.score_items(refined.embedding[None])[0]
                promised.append(change * explanation.importances[tag])
                moved.append(after[column] - before[column])
                rise.append(np.sum(before > before[column]) - np.sum(after > after[column]))
                now = NETWORK.extractor_.tag_preferences(refined.embedding[None])[0, tag]
                now = (now - NETWORK.population_mean_[tag]) / NETWORK.population_std_[tag]
                reached.append((now - explanation.vs_population[tag]) / change)
        promised, moved, rise = map(np.array, (promised, moved, rise))
        row = cases.loc[(user, item)]
        assert row["sign right"] == pytest.approx(np.mean(promised * moved > 0))
        slope = np.linalg.lstsq(promised[:, None], moved, rcond=None)[0][0]
        assert row["slope"] == pytest.approx(slope, rel=1e-5)
        assert row["correlation"] == pytest.approx(np.corrcoef(promised, moved)[0, 1], rel=1e-5)
        assert row["rank: sign right"] == pytest.approx(np.mean((promised * rise > 0)[rise != 0]))
        assert row["tag reached"] == pytest.approx(np.mean(reached), rel=1e-4)
    assert 0 < cases["tag reached"].mean() < 1  # a CVAE does not hold what it was not taught


def test_several_explanations_are_held_against_the_same_deeds():
    explainers = {"exact": EXACT, "LIME": fitted(attribution=LIME)}
    result = evaluate_calibration(
        explainers, FeedbackRefiner(EXACT), PAIRS, baseline="exact"
    ).set_index(["method", "metric"])
    assert result.loc[("LIME", "correlation"), "mean"] > 0.99
    assert result.loc[("LIME", "slope"), "difference"] == pytest.approx(
        result.loc[("LIME", "slope"), "mean"] - result.loc[("exact", "slope"), "mean"]
    )
    assert result.loc[("exact", "slope"), "n"] == len(PAIRS)


class Unable(ClosedFormSolver):
    """Cannot set the second tag."""

    def solve(self, tag_model, user, feedback, values):
        if 1 in values:
            raise ValueError("no")
        return super().solve(tag_model, user, feedback, values)


def test_edits_that_cannot_be_done_are_counted_and_no_more():
    cases = evaluate_calibration(
        EXACT, FeedbackRefiner(EXACT, solver=Unable()), PAIRS, return_cases=True
    )
    np.testing.assert_allclose(cases["refused"], 1 / 5)
    np.testing.assert_allclose(cases["slope"], 1.0, rtol=1e-5)


def test_a_refiner_that_refuses_everything_is_no_measure():
    refiner = FeedbackRefiner(EXACT, solver="embedding")  # it cannot set
    with pytest.raises(ValueError, match="the refiner refuses every edit; try one"):
        evaluate_calibration(EXACT, refiner, PAIRS)


def test_one_tag_that_is_alike_for_all_promises_nothing():
    items = np.column_stack([ITEMS[:, :7], np.ones(80)])
    users = np.column_stack([USERS[:, :7], np.zeros(60)])
    items[:40, :7] = 0.0
    tags = np.eye(2)[np.arange(80) // 40]
    explainer = fitted((users, items), tags, attribution=ExactAttribution())
    cases = evaluate_calibration(
        explainer, FeedbackRefiner(explainer), [(45, 50)], return_cases=True
    )
    assert cases["slope"].notna().all()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"edit": 0}, "edit must be a finite number above 0, got 0"),
        ({"n_tags": 0}, "n_tags must be"),
        ({"refiner": EXACT}, "refiner must be a FeedbackRefiner, got TPECRExplainer"),
        ({"pairs": []}, "pairs must have at least one"),
        ({"pairs": [(3, 4)]}, "the explainer learned from 1 of the 1 users"),
        ({"refiner": FeedbackRefiner(fitted(tags=DATA.item_tags.iloc[:, :4]))}, "the same tags"),
    ],
)
def test_refuses_by_name(params, message):
    given = {"refiner": FeedbackRefiner(EXACT), "pairs": PAIRS, **params}
    with pytest.raises(ValueError, match=message):
        evaluate_calibration(EXACT, **given)


def test_the_account_promises_nothing_of_edits_and_that_is_said():
    account = fitted(attribution=None)
    with pytest.raises(ValueError, match="promises nothing of a tag that moves"):
        evaluate_calibration(account, FeedbackRefiner(EXACT), PAIRS)
