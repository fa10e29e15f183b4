import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from sktpecr.tags._temperature import temperature_of
from sktpecr.tags._wish import Wish, worth

TAGS = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 0], [0, 0, 1], [1, 1, 1]], dtype=float)
EPS = 0.2


def posterior(scores, said):
    """Return the probabilities of items after answers; what they are worth is in score units."""
    return softmax(worth(scores, said) / temperature_of(scores))


def softmax(values):
    odds = np.exp(values - values.max())
    return odds / odds.sum()


@pytest.mark.parametrize("answers", itertools.product([True, False], repeat=3))
def test_posterior_is_that_of_bayes_theorem(answers):
    scores, wish = np.array([0.3, 0.1, 0.9, 0.2, -0.5]), Wish(TAGS, EPS)
    said = sum(wish.tag(tag, liked) for tag, liked in enumerate(answers))
    # Every world, one item at a time: prior times the chance of each answer in it.
    joint = softmax(scores / temperature_of(scores))
    for item, tag in itertools.product(range(5), range(3)):
        right = bool(TAGS[item, tag]) == answers[tag]
        joint[item] *= 1 - EPS if right else EPS
    np.testing.assert_allclose(posterior(scores, said), joint / joint.sum())


def test_posterior_is_the_share_of_simulated_users_who_gave_these_answers():
    rng = np.random.RandomState(0)
    scores, weights = np.array([0.5, 0.3, 0.2]), np.array([[0.8], [0.4], [0.0]])
    prior = softmax(scores / temperature_of(scores))
    sought = rng.choice(3, size=400_000, p=prior)
    has = rng.uniform(size=len(sought)) < weights[sought, 0] / 0.8
    says = has != (rng.uniform(size=len(sought)) < EPS)
    expected = np.bincount(sought[says], minlength=3) / says.sum()
    found = posterior(scores, Wish(weights, EPS).tag(0, True))
    np.testing.assert_allclose(found, expected, atol=0.005)


@settings(max_examples=60, deadline=None)
@given(
    weights=st.lists(st.floats(0, 5), min_size=2, max_size=8),
    amounts=st.tuples(st.floats(0, 20), st.floats(0, 20)),
    error_rate=st.floats(0.01, 0.49),
)
def test_more_liking_never_lowers_an_item_against_one_with_less_of_the_tag(
    weights, amounts, error_rate
):
    tags = np.array(weights)[:, np.newaxis]
    wish, scores = Wish(tags, error_rate), np.zeros(len(weights))
    for liked, sign in ((True, 1), (False, -1)):
        some, more = (worth(scores, amount * wish.tag(0, liked)) for amount in sorted(amounts))
        order = np.argsort(weights, kind="stable")
        gaps = sign * np.diff((more - some)[order])
        assert gaps.min() >= -1e-9


def test_sparse_and_dense_tags_give_the_same():
    for tag, liked in itertools.product(range(3), (True, False)):
        np.testing.assert_array_equal(
            Wish(TAGS).tag(tag, liked), Wish(sp.csr_matrix(TAGS)).tag(tag, liked)
        )


def test_a_pair_is_what_carries_both():
    pair = TAGS[:, [0]] * TAGS[:, [1]]
    np.testing.assert_allclose(Wish(TAGS).tag((0, 1), True), Wish(pair).tag(0, True))


def test_less_than_an_item_is_evidence_for_items_with_less():
    wish = Wish(np.array([[0.0], [1.0], [2.0], [4.0]]), EPS)
    found = wish.less_than(0, 2)
    np.testing.assert_allclose(found, np.log([1, 1, EPS / (1 - EPS), EPS / (1 - EPS)]))
    # Nothing has less than none: what has none is not told from it.
    assert wish.less_than(0, 0)[0] == 0


@pytest.fixture
def told_by_embeddings():
    rng = np.random.RandomState(0)
    embeddings = rng.normal(size=(600, 4))
    tags = (embeddings[:, :1] + 0.3 * rng.normal(size=(600, 1)) > 0).astype(float)
    return embeddings, np.hstack([tags, 1 - tags])


def test_tags_of_an_item_that_has_none_are_guessed(told_by_embeddings):
    embeddings, tags = told_by_embeddings
    seen = tags.copy()
    seen[:200] = 0
    wish = Wish(seen, item_embeddings=embeddings)
    probability = wish.probability(0)
    np.testing.assert_array_equal(probability[200:], tags[200:, 0])
    assert np.mean((probability[:200] > 0.5) == tags[:200, 0]) > 0.85
    # As many are guessed as were taken out.
    assert probability[:200].sum() == pytest.approx(tags[:200, 0].sum(), rel=0.1)
    for unguessed in (Wish(seen).probability(0), wish.probability(0, guess=False)):
        np.testing.assert_array_equal(unguessed, seen[:, 0])


def test_guesses_are_those_of_the_regression_of_scikit_learn(told_by_embeddings):
    embeddings, tags = told_by_embeddings
    seen = tags.copy()
    seen[:200] = 0
    learned = embeddings[200:]
    scaled = (embeddings - learned.mean(axis=0)) / learned.std()
    oracle = LogisticRegression(max_iter=200).fit(scaled[200:], tags[200:, 0])
    expected = oracle.predict_proba(scaled[:200])[:, 1]
    found = Wish(seen, EPS, embeddings)
    np.testing.assert_allclose(found.probability(0)[:200], expected, rtol=1e-9)
    # Bayes' theorem: the answer is wrong or right, whether the tag is there or not.
    chance = (1 - EPS) * expected + EPS * (1 - expected)
    np.testing.assert_allclose(found.tag(0, True)[:200], np.log(chance / EPS), rtol=1e-9)
    np.testing.assert_allclose(
        found.tag(0, False)[:200], np.log((1 - chance) / (1 - EPS)), rtol=1e-9
    )


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(st.integers(1, 30), st.integers(1, 4), st.integers(1, 4)),
    liked=st.booleans(),
)
def test_a_guess_is_less_than_a_tag_and_changes_no_item_that_has_tags(seed, shape, liked):
    rng = np.random.RandomState(seed)
    tags = rng.randint(0, 2, size=shape[:2]) * rng.randint(0, 2, size=(shape[0], 1))
    tags[0, 0] = 1
    wish = Wish(tags, EPS, rng.normal(size=(shape[0], shape[2])))
    tagged = tags.any(axis=1)
    most = abs(Wish(np.ones((1, 1)), EPS).tag(0, liked)[0])
    for tag in (0, shape[1] - 1, (0, shape[1] - 1)):
        found, own = wish.tag(tag, liked), Wish(tags, EPS).tag(tag, liked)
        np.testing.assert_array_equal(found[tagged], own[tagged])
        np.testing.assert_array_equal(wish.tag(tag, liked, guess=False), own)
        size = found if liked else -found
        assert ((size >= 0) & (size <= most + 1e-9)).all()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"error_rate": 0.0}, "error_rate"),
        ({"error_rate": 0.5}, "error_rate"),
        ({"item_embeddings": np.ones((4, 2))}, "item_embeddings must have a row"),
        ({"item_tags": -TAGS}, "finite weights from 0"),
    ],
)
def test_errors_name_the_parameter(given, message):
    with pytest.raises(ValueError, match=message):
        Wish(**{"item_tags": TAGS, **given})


def test_a_tag_on_everything_or_nothing_is_no_evidence_to_guess_from():
    embeddings = np.random.RandomState(0).normal(size=(5, 2))
    tags = np.array([[1.0, 0.0]] * 4 + [[0.0, 0.0]])
    wish = Wish(tags, item_embeddings=embeddings)
    np.testing.assert_array_equal(wish.probability(0), np.ones(5))
    np.testing.assert_array_equal(wish.probability(1), np.zeros(5))


def test_a_like_and_a_dislike_in_numbers():
    wish = Wish(np.array([[1, 0], [0, 1], [1, 1]]), EPS)
    np.testing.assert_allclose(wish.tag(0, liked=True), np.log([4, 1, 4]))
    said = wish.tag(0, liked=True) + wish.tag(1, liked=False)
    assert np.argmax(worth(np.array([0.1, 0.9, 0.5]), said)) == 0
    found = worth(np.array([1.0, 2.0]), np.array([3.0, 0.0]))
    # The best of two is half a point above the mean, by log 2.
    np.testing.assert_allclose(found, [1 + 2.5 * 0.5 / np.log(2) * 3, 2])
    # Where all scores are the same, only what was said counts.
    np.testing.assert_allclose(worth(np.ones(2), np.array([3.0, 0.0])), [1 + 2.5 * 3, 1])
