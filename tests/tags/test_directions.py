"""Directions in embedding space that feedback on tags asks for."""

from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.covariance import EmpiricalCovariance
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from sktpecr import TagPreferenceExtractor
from sktpecr.tags._directions import Directions
from sktpecr.tags._sampled_directions import directions_at

N_ITEMS, N_FACTORS, N_TAGS = 25, 6, 4
KEPT_WORD = 0.2
SEEDS = st.integers(0, 2**32 - 1)


class World:
    """Random items and tags, a user with scores and a history, and the directions over them."""

    def __init__(self, seed, n_history=5):
        rng = np.random.RandomState(seed)
        self.V = rng.normal(size=(N_ITEMS, N_FACTORS)) @ rng.normal(size=(N_FACTORS, N_FACTORS))
        self.V += rng.normal(size=N_FACTORS)
        self.A = (rng.uniform(size=(N_ITEMS, N_TAGS)) < 0.3).astype(float)
        self.A[rng.permutation(N_ITEMS)[:N_TAGS], np.arange(N_TAGS)] = 1.0
        self.M = (self.A / self.A.sum(axis=0)).T @ self.V
        self.scores = self.V @ rng.normal(size=N_FACTORS)
        self.history = np.sort(rng.permutation(N_ITEMS)[:n_history])
        self.directions = Directions(self.V, sp.csc_matrix(self.A), self.M)

    def combined(self, wishes, **kwargs):
        return self.directions.combined(wishes, self.scores, self.history, **kwargs)

    def changes(self, direction, wishes):
        """Return how far each named tag moves its way."""
        return {tag: np.sign(wish) * (self.M[tag] @ direction) for tag, wish in wishes.items()}

    # The formulas of the method, written out item by item.

    def scaled(self, direction):
        changes = [sum(item * direction) for item in self.V]
        average = sum(changes) / N_ITEMS
        return direction / np.sqrt(sum((change - average) ** 2 for change in changes) / N_ITEMS)

    def weights(self, items):
        """Return item to weight: the user's taste, the history left out."""
        z = (self.scores - np.mean(self.scores)) / (np.std(self.scores) or 1.0)
        kept = [v for v in items if v not in self.history] or list(items) or range(N_ITEMS)
        all_seen = not [v for v in items if v not in self.history]
        weights = {v: 1.0 if all_seen else np.exp(z[v] / 2) for v in kept}
        return {v: weight / sum(weights.values()) for v, weight in weights.items()}

    def mean_and_scatter(self, weights):
        mean = sum(weight * self.V[v] for v, weight in weights.items())
        terms = [
            weight * np.outer(self.V[v] - mean, self.V[v] - mean) for v, weight in weights.items()
        ]
        return mean, sum(terms)

    def asked(self, tag, wish):
        """Return direction and scatter of one tag."""
        inside = {v for v in range(N_ITEMS) if self.A[v, tag]}
        outside = set(range(N_ITEMS)) - inside
        raised, lowered = (inside, outside) if wish > 0 else (outside, inside)
        above, scatter_above = self.mean_and_scatter(self.weights(raised))
        below, scatter_below = self.mean_and_scatter(self.weights(lowered))
        share, pull = (0.6, 0.15) if wish > 0 else (1.0, 0.45)
        scatter = share * scatter_above + (1 - share) * scatter_below
        ridge = 0.1 * np.trace(scatter) / N_FACTORS if np.trace(scatter) > 1e-12 else 1.0
        scatter = scatter + ridge * np.eye(N_FACTORS)
        direction = np.linalg.inv(scatter) @ (above - below)
        direction = (
            self.scaled(direction) if np.linalg.norm(above - below) > 1e-9 else 0 * direction
        )
        kept = [v for v in self.history if wish > 0 or v not in inside]
        if kept:
            past = sum(self.V[v] for v in kept) / len(kept) - sum(self.V) / N_ITEMS
            direction = direction + pull * self.scaled(past)
        return (self.scaled(direction) if direction.any() else direction), scatter

    def uncorrected(self, wishes):
        strongest = max(map(abs, wishes.values()))
        parts = {
            tag: (abs(wish) / strongest, *self.asked(tag, wish)) for tag, wish in wishes.items()
        }
        scatter = sum(share * within for share, _, within in parts.values())
        return self.scaled(sum(share * towards for share, towards, _ in parts.values())), scatter


@given(seed=SEEDS)
def test_movement_is_the_standard_deviation_of_score_changes(seed):
    world = World(seed)
    direction = np.random.RandomState(seed).normal(size=N_FACTORS)
    expected = np.std([item @ direction for item in world.V])
    assert world.directions.movement(direction) == pytest.approx(expected, rel=1e-9)
    assert world.directions.movement(np.zeros(N_FACTORS)) == 0.0


def test_movement_does_not_see_what_raises_all_items_alike():
    V = np.column_stack([np.ones(N_ITEMS), np.arange(N_ITEMS)])
    directions = Directions(V, sp.csc_matrix(np.ones((N_ITEMS, 1))), V.mean(axis=0, keepdims=True))
    assert directions.movement(np.array([5.0, 0.0])) == 0.0
    assert directions.movement(np.array([5.0, 1.0])) == pytest.approx(np.std(np.arange(N_ITEMS)))


def test_typical_movement_is_the_root_mean_square_over_users():
    world = World(0)
    E = np.random.RandomState(1).normal(size=(9, N_FACTORS))
    expected = np.sqrt(np.mean([np.std(world.V @ e) ** 2 for e in E]))
    assert world.directions.typical_movement(E) == pytest.approx(expected, rel=1e-10)


@given(
    seed=SEEDS,
    n_history=st.sampled_from([0, 1, 5, 12]),
    tag=st.integers(0, N_TAGS - 1),
    wish=st.sampled_from([1.0, -1.0]),
)
def test_one_tag_asks_for_the_discriminant(seed, n_history, tag, wish):
    world = World(seed, n_history)
    expected, _ = world.uncorrected({tag: wish})
    assume(world.changes(expected, {tag: wish})[tag] > KEPT_WORD + 1e-6)
    np.testing.assert_allclose(world.combined({tag: wish}), expected, rtol=1e-5, atol=1e-7)


@given(seed=SEEDS, wish=st.sampled_from([1.0, -1.0]))
def test_without_pull_and_ridge_it_is_scikit_learns_discriminant(seed, wish):
    """Items that count alike, classes of one scatter: the textbook's case."""
    rng = np.random.RandomState(seed)
    noise = rng.normal(size=(40, N_FACTORS))
    noise -= noise.mean(axis=0)
    V = np.vstack([noise, noise + rng.normal(size=N_FACTORS)])
    tagged = np.repeat([0.0, 1.0], 40)
    M = V[40:].mean(axis=0, keepdims=True)
    directions = Directions(V, sp.csc_matrix(tagged[:, None]), M)
    nobody = np.empty(0, dtype=int)
    found = directions.combined({0: wish}, np.full(80, 7.0), nobody)
    within = noise.T @ noise / 40
    ridge = 0.1 * np.trace(within) / N_FACTORS
    theirs = LinearDiscriminantAnalysis(solver="lsqr", covariance_estimator=Ridged(ridge)).fit(
        V, tagged
    )
    expected = wish * theirs.coef_[0] / np.std(V @ theirs.coef_[0])
    assume(wish * (M[0] @ expected) > KEPT_WORD)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


class Ridged(EmpiricalCovariance):
    """What scikit-learn's discriminant measures in, with a ridge."""

    def __init__(self, ridge=0.0):
        super().__init__()
        self.ridge = ridge

    def fit(self, X, y=None):
        self.covariance_ = np.cov(X.T, bias=True) + self.ridge * np.eye(X.shape[1])
        return self


@pytest.mark.parametrize("wish", [1.0, -1.0])
@pytest.mark.parametrize("case", ["every item", "all seen", "one item", "all others seen"])
def test_tags_with_nothing_on_one_side_still_have_a_direction(case, wish):
    world = World(0, n_history=0)
    if case == "every item":
        world.A[:, 0] = 1.0
    elif case == "one item":
        world.A[:, 0] = np.arange(N_ITEMS) == 3
    elif case == "all seen":
        world.history = np.flatnonzero(world.A[:, 0])
    else:
        world.history = np.flatnonzero(world.A[:, 0] == 0)
    world.M = (world.A / world.A.sum(axis=0)).T @ world.V
    world.directions = Directions(world.V, sp.csc_matrix(world.A), world.M)
    found = world.combined({0: wish})
    assert np.isfinite(found).all()
    assert world.changes(found, {0: wish})[0] >= KEPT_WORD - 1e-9
    expected, _ = world.uncorrected({0: wish})
    if world.changes(expected, {0: wish})[0] > KEPT_WORD:
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_a_user_without_taste_weighs_items_alike():
    world = World(0, n_history=0)
    world.scores = np.full(N_ITEMS, 7.0)
    expected, _ = world.uncorrected({0: 1.0})
    assert world.changes(expected, {0: 1.0})[0] > KEPT_WORD
    np.testing.assert_allclose(world.combined({0: 1.0}), expected, rtol=1e-9)


@pytest.mark.parametrize(("scale", "shift"), [(1e-6, 0.0), (1e6, 0.0), (1.0, 1e4), (3.0, -50.0)])
def test_unit_and_origin_of_the_scores_do_not_matter(scale, shift):
    world = World(0)
    expected = world.combined({0: 1.0})
    found = world.directions.combined({0: 1.0}, scale * world.scores + shift, world.history)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_what_all_items_have_in_common_does_not_matter():
    world = World(0)
    moved = world.V + 1e3 * np.random.RandomState(1).normal(size=N_FACTORS)
    directions = Directions(moved, sp.csc_matrix(world.A), world.M)
    found = directions.combined({0: 1.0, 1: -0.5}, world.scores, world.history)
    np.testing.assert_allclose(found, world.combined({0: 1.0, 1: -0.5}), rtol=1e-6)


WISHES = st.dictionaries(
    st.integers(0, N_TAGS - 1),
    st.one_of(st.floats(0.1, 1.0), st.floats(-1.0, -0.1)),
    min_size=1,
    max_size=3,
)


def assume_the_tags_differ(world, named):
    rows = world.M[list(named)]
    assume(np.linalg.svd(rows, compute_uv=False)[-1] > 0.05 * np.linalg.norm(rows, axis=1).max())


@given(seed=SEEDS, n_history=st.sampled_from([0, 5]), wishes=WISHES)
def test_every_named_tag_keeps_its_word(seed, n_history, wishes):
    world = World(seed, n_history)
    assume_the_tags_differ(world, wishes)
    # What is asked is relative to the strongest.
    assume(min(map(abs, wishes.values())) >= 0.1 * max(map(abs, wishes.values())))
    changes = world.changes(world.combined(wishes), wishes)
    assert min(changes.values()) >= KEPT_WORD - 1e-7


@given(seed=SEEDS, wishes=WISHES)
def test_a_direction_that_keeps_its_word_is_not_corrected(seed, wishes):
    world = World(seed)
    plain, _ = world.uncorrected(wishes)
    assume(min(world.changes(plain, wishes).values()) > KEPT_WORD + 1e-6)
    np.testing.assert_allclose(world.combined(wishes), plain, rtol=1e-5, atol=1e-7)


@given(seed=SEEDS, wish=st.sampled_from([1.0, -1.0]))
def test_correction_for_one_tag_is_lagranges(seed, wish):
    world = World(seed)
    plain, scatter = world.uncorrected({0: wish})
    row = wish * world.M[0]
    missing = KEPT_WORD - row @ plain
    assume(missing > 1e-6)
    cheapest = np.linalg.solve(scatter, row)
    expected = plain + missing * cheapest / (row @ cheapest)
    np.testing.assert_allclose(world.combined({0: wish}), expected, rtol=1e-5, atol=1e-6)


HARD = {0: 1.0, 1: 0.4, 2: -0.7}


@pytest.mark.parametrize("seed", range(12))
def test_no_smaller_correction_exists(seed):
    world = World(seed)
    plain, scatter = world.uncorrected(HARD)
    rows = np.array([world.M[0], world.M[1], -world.M[2]])
    # The best of all sets of words that just hold, of which each has a closed form.
    corrections = []
    for held in product([False, True], repeat=len(rows)):
        some = rows[list(held)]
        onto = np.linalg.solve(scatter, some.T)
        y = onto @ np.linalg.solve(some @ onto, KEPT_WORD - some @ plain)
        if (rows @ (plain + y) >= KEPT_WORD - 1e-9).all():
            corrections.append(y)
    least = min(corrections, key=lambda y: y @ scatter @ y)
    np.testing.assert_allclose(world.combined(HARD) - plain, least, atol=1e-5)


def test_corrections_are_needed_in_those_cases():
    """Without this, the test above could compare nothing with nothing."""
    corrected = 0
    for seed in range(12):
        world = World(seed)
        plain, _ = world.uncorrected(HARD)
        corrected += min(world.changes(plain, HARD).values()) < KEPT_WORD - 0.05
    assert corrected >= 4


@given(seed=SEEDS, factor=st.floats(0.01, 100))
def test_only_the_ratio_of_strengths_counts(seed, factor):
    world = World(seed)
    assume_the_tags_differ(world, [0, 1, 2])
    once = world.combined({0: 1.0, 1: 0.5, 2: -0.8})
    again = world.combined({0: factor, 1: 0.5 * factor, 2: -0.8 * factor})
    np.testing.assert_allclose(again, once, rtol=1e-5, atol=1e-7)


@given(seed=SEEDS, way=st.sampled_from([1.0, -1.0]))
def test_feedback_fades_out_without_a_jump(seed, way):
    world = World(seed)
    alone = world.combined({0: 1.0})
    np.testing.assert_allclose(world.combined({0: 1.0, 1: way * 1e-9}), alone, atol=1e-6)


@pytest.mark.parametrize(("seed", "share"), [(seed, 0.05 + 0.02 * seed) for seed in range(6)])
def test_direction_is_continuous_in_the_strengths(seed, share):
    world = World(seed)
    here = world.combined({0: 1.0, 1: -share})
    there = world.combined({0: 1.0, 1: -share - 1e-7})
    np.testing.assert_allclose(here, there, atol=1e-4)


def test_two_tags_on_the_same_items_cannot_be_told_apart():
    world = World(0)
    world.A[:, 1] = world.A[:, 0]
    M = (world.A / world.A.sum(axis=0)).T @ world.V
    directions = Directions(world.V, sp.csc_matrix(world.A), M)
    with pytest.raises(ValueError, match="none can rise while the other falls; keep one of them"):
        directions.combined({0: 1.0, 1: -1.0}, world.scores, world.history)
    for tag in (0, 1):
        liked = directions.combined({tag: 1.0}, world.scores, world.history)
        assert M[0] @ liked >= KEPT_WORD - 1e-9
    both = directions.combined({0: 1.0, 1: 1.0}, world.scores, world.history)
    assert M[0] @ both >= KEPT_WORD - 1e-9


def test_nothing_given_is_modified():
    world = World(0)
    before = world.V.copy(), world.M.copy(), world.scores.copy(), world.history.copy()
    world.combined({0: 1.0, 1: -1.0})
    after = world.V, world.M, world.scores, world.history
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)


def test_float32_gives_the_same_up_to_its_precision():
    world = World(3)
    rounded = Directions(world.V.astype(np.float32), sp.csc_matrix(world.A), world.M)
    found = rounded.combined({0: 1.0, 1: -1.0}, world.scores, world.history)
    np.testing.assert_allclose(found, world.combined({0: 1.0, 1: -1.0}), rtol=1e-3, atol=1e-4)


def test_weights_of_tags_count_only_in_the_tag_matrix():
    world = World(0)
    weighted = world.A * np.random.RandomState(1).uniform(0.5, 3.0, size=world.A.shape)
    directions = Directions(world.V, sp.csc_matrix(weighted), world.M)
    for tag in range(N_TAGS):
        found = directions.combined({tag: 1.0}, world.scores, world.history)
        np.testing.assert_allclose(found, world.combined({tag: 1.0}), rtol=1e-8)


def test_directions_of_a_dot_product_are_those_of_its_items_everywhere():
    world = World(0)
    model = (np.random.RandomState(1).normal(size=(3, N_FACTORS)), world.V)
    extractor = TagPreferenceExtractor(model, world.A).fit(np.ones((3, N_ITEMS)))
    expected = world.combined({0: 1.0, 2: -0.5})
    for embedding in (np.zeros(N_FACTORS), np.ones(N_FACTORS)):
        directions = directions_at(extractor, embedding)
        found = directions.combined({0: 1.0, 2: -0.5}, world.scores, world.history)
        np.testing.assert_allclose(found, expected, rtol=1e-9)
