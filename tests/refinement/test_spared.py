"""Tags that are set leave more of the list than the population's way alone."""

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.decomposition import TruncatedSVD

from sktpecr import FeedbackRefiner, TPECRExplainer
from sktpecr.datasets import make_tagged_interactions
from sktpecr.refinement import _spared

DATA = make_tagged_interactions(120, 80, 6, density=0.2, random_state=0)
EXPLAINER = TPECRExplainer(TruncatedSVD(10, random_state=0), DATA.item_tags).fit(DATA.interactions)
REFINER = FeedbackRefiner(EXPLAINER)
CHANGE = {"tag_2": 2.5}


def kept(refined, n=20):
    lists = (refined.scores_before, refined.scores)
    before, after = (
        np.argsort(-np.where(refined._listing.candidates, scores, -np.inf), kind="stable")[:n]
        for scores in lists
    )
    return np.isin(before, after).mean()


def test_more_of_the_list_stays_and_the_tag_is_met():
    free, held = [], []
    for user in range(30):
        way = REFINER.refine(user, set=CHANGE, keep=0)
        spared = REFINER.refine(user, set=CHANGE)
        for refined in (way, spared):
            wanted = EXPLAINER.population_mean_[2] + 2.5 * EXPLAINER.population_std_[2]
            assert refined.tag_preferences[2] == pytest.approx(wanted, abs=1e-4)
        free.append(kept(way))
        held.append(kept(spared))
    assert np.mean(held) > np.mean(free) + 0.05
    # What is asked to be left is half of what it may lose; the rest is for the tag's items.
    assert np.mean(np.array(held) >= 0.5) > 0.95


def test_who_loses_little_has_the_populations_way():
    same = 0
    for user in range(30):
        change = {"tag_2": EXPLAINER.profile(user).set_index("tag")["vs_population"]["tag_2"] + 0.2}
        way = REFINER.refine(user, set=change, keep=0)
        if kept(way) >= 0.75:
            same += 1
            spared = REFINER.refine(user, set=change)
            np.testing.assert_array_equal(spared.embedding, way.embedding)
    assert same > 5


def test_held_tags_stay_held():
    own = EXPLAINER.tag_preferences_[3]
    refined = REFINER.refine(3, set=CHANGE, hold=["tag_4"])
    assert refined.tag_preferences[4] == pytest.approx(own[4], abs=1e-4)


def test_each_move_is_the_smallest_for_what_the_list_costs(monkeypatch):
    """Against a general solver of the same programme."""
    monkeypatch.setattr(_spared, "_WEIGHTS", (3.0,))
    tag_model = EXPLAINER.tag_model_
    way = REFINER.refine(3, set=CHANGE, keep=0)
    listed = np.argsort(-way.scores_before)[:20]
    scores, spread = way.scores.astype(float), float(way.scores_before.std())
    (move,) = _spared._moves(tag_model, [2], scores, listed, np.arange(80), spread)
    scatter = np.linalg.inv(tag_model.generator.covariance_)
    items = np.asarray(tag_model.recommender.item_embeddings, dtype=float)
    row = tag_model.extractor.tag_matrix_[2].astype(float)
    free = np.linalg.svd(row[np.newaxis])[2][1:].T
    assert abs(row @ move) < 1e-10

    def cost(move, threshold):
        now = (scores + items @ move) / spread - threshold
        inside = np.isin(np.arange(80), listed)
        off = np.where(inside, _spared._AHEAD - now, _spared._AHEAD + now)
        return move @ scatter @ move + 3.0 * np.square(np.maximum(off, 0)).sum()

    found = minimize(lambda at: cost(free @ at[1:], at[0]), np.zeros(10), options={"gtol": 1e-9})
    best = min(minimize(lambda at: cost(move, at[0]), [0.0]).fun, cost(move, found.x[0]))
    assert best == pytest.approx(found.fun, rel=1e-4)
