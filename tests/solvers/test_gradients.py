"""Gradients through recommenders and generators, three ways, against each other."""

import numpy as np
import pytest
import torch

from sktpecr import CVAEGenerator, GaussianGenerator, TagPreferenceExtractor
from sktpecr.recommenders import FactorRecommender, TorchRecommender
from sktpecr.recommenders._protocol import item_gradients
from sktpecr.solvers._gradients import (
    generation_at,
    margins_and_pullback,
    scores_and_pullback,
)
from sktpecr.tags._gradients import tag_gradients

RANDOM = np.random.RandomState(0)
USERS, ITEMS = RANDOM.normal(size=(40, 5)), RANDOM.normal(size=(30, 5))
BIASES = RANDOM.normal(size=30)
ROWS = np.array([3, 3, 0, 29])
WEIGHTS = np.array([0.5, -1.0, 2.0, 0.25])


class Plain:
    """A recommender that only scores: sigmoid of the dot product."""

    user_embeddings = USERS

    def score_items(self, embeddings, items=None):
        items = slice(None) if items is None else items
        return 1 / (1 + np.exp(-(np.asarray(embeddings) @ ITEMS[items].T)))


class Differentiable(Plain):
    """The same, with autograd."""

    def score_items_torch(self, embeddings, items):
        return torch.sigmoid(embeddings @ torch.from_numpy(ITEMS[items]).T)


def analytic(embedding):
    scores = 1 / (1 + np.exp(-ITEMS[ROWS] @ embedding))
    return (WEIGHTS * scores * (1 - scores)) @ ITEMS[ROWS]


@pytest.mark.parametrize("recommender", [Plain(), Differentiable()], ids=["differences", "torch"])
def test_gradient_of_a_score_that_is_not_linear(recommender):
    scores, pullback = scores_and_pullback(recommender, USERS[7], ROWS)
    np.testing.assert_allclose(scores, Plain().score_items(USERS[[7]], ROWS)[0], rtol=1e-12)
    np.testing.assert_allclose(pullback(WEIGHTS), analytic(USERS[7]), rtol=1e-6, atol=1e-9)


def test_step_of_differences_suits_scores_in_float32():
    class Coarse(Plain):
        def score_items(self, embeddings, items=None):
            return super().score_items(embeddings, items).astype(np.float32)

    _, pullback = scores_and_pullback(Coarse(), USERS[7], ROWS)
    np.testing.assert_allclose(pullback(WEIGHTS), analytic(USERS[7]), rtol=1e-3, atol=1e-4)


def test_differences_where_an_input_is_zero_by_chance():
    embedding = USERS[7] * (np.arange(5) != 2)
    for at in (embedding, np.zeros(5)):
        _, pullback = scores_and_pullback(Plain(), at, ROWS)
        np.testing.assert_allclose(pullback(WEIGHTS), analytic(at), rtol=1e-6, atol=1e-8)


def test_gradient_of_a_dot_product():
    recommender = FactorRecommender(USERS, ITEMS, BIASES)
    scores, pullback = scores_and_pullback(recommender, USERS[7], ROWS)
    np.testing.assert_allclose(scores, ITEMS[ROWS] @ USERS[7] + BIASES[ROWS])
    np.testing.assert_allclose(pullback(WEIGHTS), WEIGHTS @ ITEMS[ROWS])


@pytest.mark.parametrize("recommender", [Plain(), FactorRecommender(USERS, ITEMS, BIASES)])
def test_how_far_items_are_ahead_of_others(recommender):
    pairs = np.column_stack([ROWS, ROWS[::-1]])
    scores, of_scores = scores_and_pullback(recommender, USERS[7], ROWS)
    margins, pullback = margins_and_pullback(recommender, USERS[7], pairs)
    np.testing.assert_allclose(margins, scores - scores[::-1], atol=1e-12)
    expected = of_scores(WEIGHTS - WEIGHTS[::-1])
    np.testing.assert_allclose(pullback(WEIGHTS), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    "generator",
    [
        GaussianGenerator(),
        CVAEGenerator(hidden_dims=(8,), latent_dim=3, max_epochs=3, random_state=0),
    ],
    ids=["gaussian", "cvae"],
)
def test_generators_own_gradient_equals_finite_differences(generator):
    C = USERS @ RANDOM.normal(size=(5, 3))
    generator.fit(C, USERS)

    class WithoutGradient:
        generate = staticmethod(generator.generate)

    weights = RANDOM.normal(size=5)
    np.testing.assert_allclose(
        generation_at(generator, USERS[4])(C[4])[1](weights),
        generation_at(WithoutGradient(), USERS[4])(C[4])[1](weights),
        rtol=1e-5,
        atol=1e-7,
    )


def test_gradients_flow_inside_inference_mode():
    with torch.inference_mode():
        _, pullback = scores_and_pullback(Differentiable(), USERS[7], ROWS)
        found = pullback(WEIGHTS)
    np.testing.assert_allclose(found, analytic(USERS[7]), rtol=1e-6, atol=1e-9)


def slopes(embedding):
    """Return what one more of each factor adds to each item's score, by the formula."""
    scores = 1 / (1 + np.exp(-ITEMS @ embedding))
    return (scores * (1 - scores))[:, np.newaxis] * ITEMS


def by_torch(**kwargs):
    return TorchRecommender(
        lambda users, items: torch.sigmoid((users * items).sum(dim=1)), USERS, ITEMS, **kwargs
    )


@pytest.mark.parametrize(
    "recommender",
    [Plain(), by_torch(), by_torch(batch_size=7)],
    ids=["differences", "torch", "torch in blocks"],
)
def test_item_gradients_are_the_slopes_of_the_scores(recommender):
    for embedding in USERS[:3]:
        found = item_gradients(recommender, embedding)
        np.testing.assert_allclose(found, slopes(embedding), rtol=1e-6, atol=1e-9)
    with torch.inference_mode():
        np.testing.assert_array_equal(item_gradients(recommender, USERS[2]), found)


def test_item_gradients_of_a_dot_product_are_its_items():
    factors = FactorRecommender(USERS, ITEMS, item_biases=BIASES)
    np.testing.assert_array_equal(item_gradients(factors, USERS[0]), ITEMS)


@pytest.mark.parametrize(
    "aggregate", ["mean", "shrunk", lambda scores: np.exp(scores).mean(axis=1)]
)
@pytest.mark.parametrize("recommender", [Plain(), FactorRecommender(USERS, ITEMS)])
def test_tag_gradients_are_the_slopes_of_the_tag_preferences(recommender, aggregate):
    tags = (np.random.RandomState(1).uniform(size=(30, 4)) < 0.4).astype(float)
    extractor = TagPreferenceExtractor(recommender, tags, aggregate=aggregate)
    extractor.fit(np.ones((40, 30)))
    embedding, step = USERS[0], 1e-5
    found = tag_gradients(extractor, embedding, item_gradients(recommender, embedding))
    for factor in range(5):
        nudge = step * np.eye(5)[factor]
        ahead, behind = extractor.tag_preferences(np.array([embedding + nudge, embedding - nudge]))
        np.testing.assert_allclose(found[:, factor], (ahead - behind) / (2 * step), atol=1e-6)


def test_tag_gradients_of_predicted_tags_are_those_of_the_prediction():
    class Predicting(Plain):
        def tag_scores(self, embeddings):
            return np.tanh(np.asarray(embeddings) @ ITEMS[:4].T)

    extractor = TagPreferenceExtractor(Predicting(), np.eye(30, 4)).fit(np.ones((40, 30)))
    found = tag_gradients(extractor, USERS[0], slopes(USERS[0]))
    expected = (1 - np.tanh(ITEMS[:4] @ USERS[0]) ** 2)[:, np.newaxis] * ITEMS[:4]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


def test_a_torch_recommender_says_of_what_shape_an_embedding_is():
    with pytest.raises(ValueError, match=r"embeddings must have shape \(n, 5\), got \(1, 4\)"):
        by_torch().item_gradients(np.ones(4))
