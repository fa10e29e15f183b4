"""Generator and recommender chained."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sktpecr import GaussianGenerator
from sktpecr.attribution._composite import CompositeFunction
from sktpecr.recommenders import FactorRecommender


def make_composite(seed, n_tags=3, noise=0.0):
    rng = np.random.RandomState(seed)
    E, V, b = rng.normal(size=(40, 5)), rng.normal(size=(12, 5)), rng.normal(size=12)
    C = E @ rng.normal(size=(5, n_tags)) + rng.normal(size=n_tags)
    C += noise * rng.normal(size=C.shape)
    return CompositeFunction(FactorRecommender(E, V, b), GaussianGenerator().fit(C, E)), C, E


@given(seed=st.integers(0, 2**32 - 1), noise=st.sampled_from([0.0, 1.0]))
def test_tag_weights_are_finite_differences_of_the_scores(seed, noise):
    composite, C, E = make_composite(seed, noise=noise)
    items = [7, 0, 7]
    weights = composite.tag_weights(items)
    assert weights.shape == (3, 3)
    for t in range(3):
        step = np.zeros(3)
        step[t] = 0.5
        up = composite(C[:4] + step, E[:4], items)
        down = composite(C[:4] - step, E[:4], items)
        for user in range(4):
            np.testing.assert_allclose(up[user] - down[user], weights[:, t], rtol=1e-6, atol=1e-8)


def test_own_tag_preferences_give_the_recommenders_own_scores():
    composite, C, E = make_composite(0)
    expected = composite.recommender.score_items(E)
    np.testing.assert_allclose(composite(C, E), expected, rtol=1e-9, atol=1e-9)


def test_scores_are_those_of_the_generated_embedding():
    composite, C, E = make_composite(1)
    wanted = C[::-1]
    expected = composite.recommender.score_items(composite.generator.generate(wanted, E))
    np.testing.assert_array_equal(composite(wanted, E), expected)
    np.testing.assert_allclose(composite(wanted, E, [4, 2]), expected[:, [4, 2]], rtol=1e-12)


def test_many_tag_preferences_of_one_user_are_scored_at_once():
    composite, C, E = make_composite(2)
    together = composite(C[:6], E[:1], [3])
    alone = np.vstack([composite(C[[row]], E[:1], [3]) for row in range(6)])
    np.testing.assert_allclose(together, alone, rtol=1e-12)
    assert together.std() > 0


def test_only_a_dot_product_behind_a_gain_is_linear():
    composite, _, _ = make_composite(0)
    assert composite.is_linear

    class Tanh:
        user_embeddings = np.eye(2)

        def score_items(self, embeddings, items=None):
            return np.tanh(embeddings)

    class NoGain:
        def generate(self, tag_preferences, embeddings):
            return embeddings

    assert not CompositeFunction(Tanh(), composite.generator).is_linear
    assert not CompositeFunction(composite.recommender, NoGain()).is_linear


def test_scores_that_are_no_dot_product_are_chained_as_well():
    _, C, E = make_composite(3)
    generator = GaussianGenerator().fit(C, E)

    class Tanh:
        def score_items(self, embeddings, items=None):
            return np.tanh(embeddings)[:, items]

    wanted = C + 1.0
    expected = np.tanh(generator.generate(wanted, E))[:, [1, 0]]
    np.testing.assert_array_equal(CompositeFunction(Tanh(), generator)(wanted, E, [1, 0]), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tag_weights_keep_to_the_precision_of_the_generator(dtype):
    composite, _, _ = make_composite(4)
    V = composite.recommender.item_embeddings
    composite.recommender.item_embeddings = V.astype(dtype)
    expected = V @ composite.generator.gain_
    np.testing.assert_allclose(composite.tag_weights(np.arange(12)), expected, rtol=1e-5, atol=1e-6)
