"""Factors of boxes: exact where the box has some, measured where it has none."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor

from sktpecr import FeedbackRefiner, TPECRExplainer
from sktpecr.datasets import make_tagged_interactions
from sktpecr.recommenders import AdapterError, DistilledRecommender, as_recommender

RNG = np.random.RandomState(0)
N_USERS, N_ITEMS, RANK = 80, 60, 4
USERS, ITEMS = RNG.normal(size=(N_USERS, RANK)), RNG.normal(size=(N_ITEMS, RANK))
SCORES = USERS @ ITEMS.T + RNG.normal(size=N_ITEMS)
NOBODY = sp.csr_matrix((N_USERS, N_ITEMS))
DATA = make_tagged_interactions(n_users=80, n_items=60, n_tags=5, density=0.1, random_state=0)


class Box:
    """Scores of pairs, and a count of them."""

    def __init__(self, scores):
        self.scores, self.n_asked, self.most = scores, 0, 0

    def __call__(self, users, items):
        assert users.shape == items.shape
        self.n_asked, self.most = self.n_asked + len(users), max(self.most, len(users))
        return self.scores[users, items]


@pytest.mark.parametrize("budget", [0.3, 0.6, 1.0])
@pytest.mark.parametrize("n_factors", [RANK, 20])
def test_a_box_of_low_rank_is_found_from_a_part_of_it(budget, n_factors):
    box = Box(SCORES)
    distilled = DistilledRecommender(box, budget=budget, n_factors=n_factors, random_state=0)
    distilled.fit(NOBODY)
    np.testing.assert_allclose(
        distilled.score_items(distilled.user_embeddings), SCORES, rtol=1e-4, atol=1e-4
    )
    assert distilled.item_embeddings.shape == (N_ITEMS, RANK)
    assert distilled.r2_ == pytest.approx(1, abs=1e-6)
    assert distilled.top_k_agreement_ == 1
    assert box.n_asked == distilled.n_asked_ <= budget * SCORES.size


def test_r2_and_lists_are_those_of_users_held_out():
    noisy = SCORES + RNG.normal(scale=2, size=SCORES.shape)
    distilled = DistilledRecommender(Box(noisy), n_factors=RANK, budget=0.6, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        distilled.fit(NOBODY)
    assert distilled.n_held_out_ > 0
    # The same over everybody, by the formula.
    error = distilled.score_items(distilled.user_embeddings) - noisy
    error -= error.mean(axis=1, keepdims=True)
    centred = noisy - noisy.mean(axis=1, keepdims=True)
    everybody = 1 - np.square(error).sum() / np.square(centred).sum()
    assert distilled.r2_ == pytest.approx(everybody, abs=0.2)
    assert distilled.fidelity == distilled.r2_ < 1


def test_too_little_is_said():
    scores = RNG.normal(size=SCORES.shape)
    distilled = DistilledRecommender(Box(scores), n_factors=2, budget=0.5, random_state=0)
    with pytest.warns(UserWarning, match=r"of the variance of the box's scores .* raise n_factors"):
        distilled.fit(NOBODY)
    assert 0 <= distilled.fidelity < 0.6


def test_batches_bound_what_is_asked_at_once():
    box = Box(SCORES)
    DistilledRecommender(box, budget=0.5, batch_size=17, random_state=0).fit(NOBODY)
    assert box.most == 17


def test_a_budget_may_be_a_number_of_pairs():
    box = Box(SCORES)
    DistilledRecommender(box, budget=2000, random_state=0).fit(NOBODY)
    assert 1500 < box.n_asked <= 2000


def test_estimators_of_rows_are_fitted_asked_and_folded_in():
    for model in (Ridge(alpha=10.0), KNeighborsRegressor(5)):
        fitted = clone(model).fit(DATA.interactions.toarray(), DATA.interactions.toarray())
        expected = fitted.predict(DATA.interactions.toarray())
        distilled = DistilledRecommender(fitted, budget=1.0, random_state=0)
        distilled.fit(DATA.interactions)
        assert distilled.model is fitted
        found = distilled.score_items(distilled.user_embeddings)
        left = np.square(found - expected).sum() / np.square(expected - expected.mean(0)).sum()
        # A tenth of the users was held out to measure on: what only they have is lost.
        assert left < 0.01
        folded = distilled.fold_in(DATA.interactions[:7])
        np.testing.assert_allclose(folded, distilled.user_embeddings[:7], rtol=1e-5, atol=1e-6)
        # An unfitted one is cloned and fitted; neighbours break ties among sparse rows elsewise.
        again = DistilledRecommender(model, budget=1.0, random_state=0).fit(DATA.interactions)
        found = again.score_items(again.user_embeddings)
        assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.9


def test_an_explainer_distils_an_estimator_by_itself():
    fitted = Ridge(alpha=10.0).fit(DATA.interactions.toarray(), DATA.interactions.toarray())
    for model in (fitted, Ridge(alpha=10.0)):
        explainer = TPECRExplainer(model, DATA.item_tags)
        explainer.fit(DATA.interactions, user_ids=DATA.user_ids)
        explanation = explainer.explain(DATA.user_ids[3], DATA.item_ids[7])
        expected = fitted.predict(DATA.interactions.toarray())[3, 7]
        assert explanation.score == pytest.approx(expected, abs=1e-4)
        assert explanation.fidelity == pytest.approx(1, abs=1e-6)
        refined = FeedbackRefiner(explainer).refine(DATA.user_ids[3], like="tag_1")
        assert refined.rank(DATA.item_ids[7]) >= 1
    assert clone(explainer).recommender is not explainer.recommender


def test_explanations_carry_what_was_kept():
    noisy = SCORES + RNG.normal(size=SCORES.shape)
    distilled = DistilledRecommender(Box(noisy), n_factors=RANK, budget=0.8, random_state=0)
    distilled.fit(NOBODY)
    explainer = TPECRExplainer(distilled, DATA.item_tags).fit(DATA.interactions)
    explanation = explainer.explain(0, DATA.item_ids[0])
    assert explanation.fidelity == pytest.approx(distilled.fidelity)
    assert distilled.fidelity < 1


def test_the_score_is_the_boxs_own_and_the_factors_is_beside_it():
    noisy = SCORES + RNG.normal(size=SCORES.shape)
    box = Box(noisy)
    distilled = DistilledRecommender(box, n_factors=RANK, budget=0.8, random_state=0)
    explainer = TPECRExplainer(distilled.fit(NOBODY), DATA.item_tags).fit(DATA.interactions)
    n_asked = box.n_asked
    explanation = explainer.explain(3, DATA.item_ids[7])
    assert box.n_asked == n_asked + 1
    assert explanation.score == pytest.approx(noisy[3, 7])
    by_factors = distilled.score_items(distilled.user_embeddings[[3]], [7])[0, 0]
    assert explanation.value == pytest.approx(by_factors, abs=1e-5)
    assert abs(explanation.value - explanation.score) > 0.01
    # What the box never scored, a user after an answer, is the factors'.
    refined = FeedbackRefiner(explainer).refine(3, like="tag_1").explain(DATA.item_ids[7])
    assert box.n_asked == n_asked + 1
    assert refined.score != pytest.approx(noisy[3, 7])


def test_models_of_features_are_asked_pairs():
    users, items = np.nonzero(np.ones_like(SCORES))
    features = np.hstack([USERS[users], ITEMS[items]])
    model = HistGradientBoostingClassifier(max_iter=20).fit(features, SCORES.ravel() > 0)
    distilled = DistilledRecommender(
        model, user_features=USERS, item_features=ITEMS, budget=0.5, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        distilled.fit(NOBODY)
    expected = model.decision_function(features).reshape(SCORES.shape)
    found = distilled.score_items(distilled.user_embeddings)
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.7


def test_interactions_embed_new_users_of_a_box_of_pairs():
    # A model of items alone, such as EASE: what a user has says everything.
    scores = DATA.interactions @ ITEMS @ ITEMS.T
    distilled = DistilledRecommender(Box(scores), budget=0.8, random_state=0).fit(DATA.interactions)
    found = distilled.score_items(distilled.fold_in(DATA.interactions))
    assert np.corrcoef(found.ravel(), scores.ravel())[0, 1] > 0.9
    nobody = DistilledRecommender(Box(SCORES), budget=0.8, random_state=0).fit(NOBODY)
    with pytest.raises(ValueError, match="nobody's interactions"):
        nobody.fold_in(NOBODY[:1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes_pickles_clones_and_seeds(dtype):
    box = Box(SCORES.astype(dtype))
    distilled = DistilledRecommender(box, budget=0.5, random_state=0).fit(NOBODY)
    assert distilled.user_embeddings.dtype == dtype
    again = pickle.loads(pickle.dumps(distilled))
    np.testing.assert_array_equal(again.user_embeddings, distilled.user_embeddings)
    same = clone(distilled).fit(NOBODY)
    np.testing.assert_array_equal(same.user_embeddings, distilled.user_embeddings)
    assert clone(distilled).model is box
    assert as_recommender(distilled) is distilled


def test_constant_scores_are_reproduced():
    distilled = DistilledRecommender(Box(np.full(SCORES.shape, 3.0)), random_state=0)
    distilled.fit(NOBODY)
    np.testing.assert_allclose(distilled.score_items(distilled.user_embeddings), 3.0)
    assert distilled.r2_ == 1


@pytest.mark.parametrize(
    ("model", "settings", "error", "message"),
    [
        (lambda users, items: np.full(len(users), np.nan), {}, ValueError, "NaN or infinite"),
        (lambda users, items: [1.0], {}, ValueError, "one number per pair"),
        (lambda users, items: np.array(["a"] * len(users)), {}, ValueError, "one number per pair"),
        (Box(SCORES), {"budget": 0.001}, ValueError, "budget must pay for all 60 items"),
        (Box(SCORES), {"budget": 0.0}, ValueError, "budget"),
        (Box(SCORES), {"n_factors": 0}, ValueError, "n_factors"),
        (3, {}, TypeError, "model must be a function"),
        (Ridge(), {"user_features": USERS}, ValueError, "item_features must have shape"),
        (
            Ridge(),
            {"user_features": USERS[:3], "item_features": ITEMS},
            ValueError,
            "user_features must have shape",
        ),
        (
            Box(SCORES),
            {"user_features": USERS, "item_features": ITEMS},
            TypeError,
            "a function gets numbers",
        ),
    ],
)
def test_what_is_wrong_is_named(model, settings, error, message):
    with pytest.raises(error, match=message):
        DistilledRecommender(model, random_state=0, **settings).fit(NOBODY)


def test_a_box_that_raises_is_not_hidden():
    def broken(users, items):
        raise RuntimeError("the service is down")

    with pytest.raises(RuntimeError, match="the service is down") as raised:
        DistilledRecommender(broken).fit(NOBODY)
    assert "two arrays of 300 row and column numbers" in raised.value.__notes__[0]


def test_an_object_with_predict_of_pairs_is_asked_pairs():
    class Mine:
        def predict(self, users, items, scale=1.0):
            return scale * SCORES[users, items]

    found = DistilledRecommender(Mine(), budget=0.5, random_state=0).fit(NOBODY)
    same = DistilledRecommender(Box(SCORES), budget=0.5, random_state=0).fit(NOBODY)
    np.testing.assert_array_equal(found.user_embeddings, same.user_embeddings)


def test_new_users_of_whom_interactions_tell_nothing_are_warned_of():
    told = DistilledRecommender(Box(DATA.interactions @ ITEMS @ ITEMS.T), random_state=0)
    assert 0.5 < told.fit(DATA.interactions).new_users_r2_ <= 1
    random = DistilledRecommender(Box(SCORES), budget=0.8, random_state=0).fit(
        np.random.RandomState(0).uniform(size=SCORES.shape) < 0.2
    )
    assert random.new_users_r2_ < 0.1
    with pytest.warns(UserWarning, match="nearly the list of the average user: interactions tell"):
        random.fold_in(DATA.interactions[:2])


def test_unfitted_it_is_no_recommender_yet():
    unfitted = DistilledRecommender(Box(SCORES))
    assert not hasattr(unfitted, "user_embeddings")
    with pytest.raises(Exception, match="not fitted"):
        as_recommender(unfitted)
    with pytest.raises(AdapterError, match="DistilledRecommender"):
        as_recommender(object())
