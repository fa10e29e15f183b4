"""Numbers against the same formulas in 50 digits: rounding is lost, or there is a warning."""

import warnings

import numpy as np
import pytest

pytest.importorskip("mpmath")

from benchmarks.reliability.fifty_digits import FiftyDigits, case
from sktpecr import FeedbackRefiner, GaussianGenerator, TPECRExplainer
from sktpecr.attribution import ExactAttribution

N_USERS, N_ITEMS = 30, 14
INTERACTIONS = (np.random.RandomState(9).rand(N_USERS, N_ITEMS) < 0.3).astype(float)
INTERACTIONS[:, 3] = 1


def both(dtype, seed, closeness, **params):
    """Return an explainer, and its numbers in 50 digits."""
    users, items, tags = case(seed, closeness)
    users, items = users.astype(dtype), items.astype(dtype)
    explainer = TPECRExplainer((users, items), tags, attribution=ExactAttribution(), **params)
    explainer.fit(INTERACTIONS)
    generator = explainer.generator_
    oracle = FiftyDigits(users, items, tags, generator.shrinkage_, generator.regularization)
    return explainer, oracle


def off(found, expected):
    return np.abs(found - expected).max() / np.abs(expected).max()


# Tags that differ by so much, and what share of the largest number may be wrong. With the default
# regularization no system is worse conditioned than 2e8, however near tags are.
CLOSE = [(1.0, 1e-12), (1e-2, 1e-9), (1e-5, 1e-6), (1e-9, 1e-6), (0.0, 1e-6)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("closeness", "most"), CLOSE)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_contributions(dtype, seed, closeness, most):
    explainer, oracle = both(dtype, seed, closeness)
    most = max(most, 1e-6) if dtype == np.float32 else most
    expected = np.array([oracle.contributions(u, i) for u in range(4) for i in range(4)])
    found = np.array([explainer.explain(u, i).contributions for u in range(4) for i in range(4)])
    assert off(found, expected) < most
    gain = np.array(oracle.gain.tolist(), dtype=float)
    assert off(explainer.generator_.gain_, gain) < max(most, 1e-6)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("dtype", "most"), [(np.float64, 1e-12), (np.float32, 2e-5)])
def test_refined_embedding(dtype, seed, most):
    explainer, oracle = both(dtype, seed, 1.0)
    n_compared = 0
    for user in range(6):
        for tag in range(3):
            history = np.flatnonzero(INTERACTIONS[user])
            expected, keeps_its_word = oracle.liked(user, tag, history.tolist())
            if keeps_its_word:  # no correction, which is another algorithm
                refiner = FeedbackRefiner(explainer, solver="closed_form")
                found = refiner.refine(user, like=[f"tag_{tag}"]).embedding
                own = explainer.user_embeddings_[user]
                assert off(found - own, expected - own) < most
                n_compared += 1
    assert n_compared > 5


@pytest.mark.parametrize("closeness", [1.0, 1e-2, 1e-3, 1e-5, 1e-6])
@pytest.mark.parametrize("regularization", [1e-8, 1e-12, 0.0])
@pytest.mark.parametrize("seed", range(3))
def test_what_is_wrong_is_what_the_condition_number_says(seed, regularization, closeness):
    users, items, tags = case(seed, closeness)
    generator = GaussianGenerator(regularization=regularization)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        explainer = TPECRExplainer((users, items), tags, generator=generator).fit(INTERACTIONS)
    fitted = explainer.generator_
    oracle = FiftyDigits(users, items, tags, fitted.shrinkage_, regularization)
    wrong = off(fitted.gain_, np.array(oracle.gain.tolist(), dtype=float))
    assert wrong < 10 * fitted.condition_ * np.finfo(float).eps
    told = [str(each.message) for each in said if "so similar" in str(each.message)]
    assert bool(told) == (fitted.condition_ > 1e12)
    assert told or wrong < 2e-3
