"""Directions in embedding space that feedback on tags asks for."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import minimize

from sktpecr import TagPreferenceExtractor
from sktpecr._directions import Directions

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

    def combined(self, like, dislike):
        return self.directions.combined(like, dislike, self.scores, self.history)

    def changes(self, direction, like, dislike):
        """Return how far each named tag moves its way."""
        signs = dict.fromkeys(like, 1.0) | dict.fromkeys(dislike, -1.0)
        return {tag: sign * (self.M[tag] @ direction) for tag, sign in signs.items()}

    # The formulas of the method, written out with loops over items.

    def scaled(self, direction):
        changes = [sum(item * direction) for item in self.V]
        average = sum(changes) / N_ITEMS
        return direction / np.sqrt(sum((change - average) ** 2 for change in changes) / N_ITEMS)

    def mean(self, columns):
        columns = list(columns)
        return sum(self.V[column] for column in columns) / len(columns)

    def taste(self, tag):
        inside = [v for v in range(N_ITEMS) if self.A[v, tag]]
        others = [v for v in range(N_ITEMS) if v not in inside and v not in self.history]
        z = (self.scores - np.mean(self.scores)) / np.std(self.scores)
        weights = {v: np.exp(z[v] / 2) for v in inside}
        target = sum(weights[v] * self.V[v] for v in inside) / sum(weights.values())
        direction = self.scaled(target - self.mean(others))
        if len(self.history):
            pull = self.scaled(self.mean(self.history) - self.mean(range(N_ITEMS)))
            direction = self.scaled(direction + 0.3 * pull)
        return direction

    def away(self, tag):
        kept = [v for v in self.history if not self.A[v, tag]]
        if kept:
            return self.scaled(self.mean(kept) - self.mean(range(N_ITEMS)))
        inside = [v for v in range(N_ITEMS) if self.A[v, tag]]
        return self.scaled(self.mean(range(N_ITEMS)) - self.mean(inside))

    def uncorrected(self, like, dislike):
        strongest = max([*like.values(), *dislike.values()])
        total = sum(strength / strongest * self.taste(tag) for tag, strength in like.items())
        total = total + sum(
            strength / strongest * self.away(tag) for tag, strength in dislike.items()
        )
        return self.scaled(total)


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


@given(seed=SEEDS, n_history=st.sampled_from([0, 1, 5, 12]), tag=st.integers(0, N_TAGS - 1))
def test_taste_leads_to_the_tags_items_to_the_users_taste(seed, n_history, tag):
    world = World(seed, n_history)
    assume(len(set(np.flatnonzero(world.A[:, tag])) | set(world.history)) < N_ITEMS)
    found = world.directions.taste(tag, world.scores, world.history)
    np.testing.assert_allclose(found, world.taste(tag), rtol=1e-6, atol=1e-8)


@given(seed=SEEDS, n_history=st.sampled_from([0, 1, 5, 12]), tag=st.integers(0, N_TAGS - 1))
def test_away_leads_to_the_part_of_the_history_without_the_tag(seed, n_history, tag):
    world = World(seed, n_history)
    assume(not world.A[:, tag].all())
    found = world.directions.away(tag, world.history)
    np.testing.assert_allclose(found, world.away(tag), rtol=1e-6, atol=1e-8)


def test_a_tag_on_every_item_still_has_a_taste():
    world = World(0)
    world.A[:, 0] = 1.0
    directions = Directions(world.V, sp.csc_matrix(world.A), world.M)
    found = directions.taste(0, world.scores, np.empty(0, dtype=int))
    z = world.scores / world.scores.std()
    target = np.exp(z / 2) @ world.V / np.exp(z / 2).sum()
    expected = world.scaled(target - world.V.mean(axis=0))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_user_without_taste_weighs_the_tags_items_alike():
    world = World(0, n_history=0)
    found = world.directions.taste(1, np.full(N_ITEMS, 7.0), world.history)
    inside = world.A[:, 1] == 1
    expected = world.scaled(world.V[inside].mean(axis=0) - world.V[~inside].mean(axis=0))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize(("scale", "shift"), [(1e-6, 0.0), (1e6, 0.0), (1.0, 1e4), (3.0, -50.0)])
def test_unit_and_origin_of_the_scores_do_not_matter(scale, shift):
    world = World(0)
    found = world.directions.taste(0, scale * world.scores + shift, world.history)
    np.testing.assert_allclose(found, world.taste(0), rtol=1e-6)


TAGS_BY_STRENGTH = st.dictionaries(
    st.integers(0, N_TAGS - 1),
    st.tuples(st.booleans(), st.floats(0.1, 1.0)),
    min_size=1,
    max_size=3,
)


def split(named):
    like = {tag: strength for tag, (liked, strength) in named.items() if liked}
    dislike = {tag: strength for tag, (liked, strength) in named.items() if not liked}
    return like, dislike


def assume_the_tags_differ(world, named):
    rows = world.M[list(named)]
    assume(np.linalg.svd(rows, compute_uv=False)[-1] > 0.05 * np.linalg.norm(rows, axis=1).max())


@given(seed=SEEDS, n_history=st.sampled_from([0, 5]), named=TAGS_BY_STRENGTH)
def test_every_named_tag_keeps_its_word(seed, n_history, named):
    world = World(seed, n_history)
    assume_the_tags_differ(world, named)
    like, dislike = split(named)
    changes = world.changes(world.combined(like, dislike), like, dislike)
    assert min(changes.values()) >= KEPT_WORD - 1e-7


@given(seed=SEEDS, named=TAGS_BY_STRENGTH)
def test_a_direction_that_keeps_its_word_is_not_corrected(seed, named):
    world = World(seed)
    like, dislike = split(named)
    plain = world.uncorrected(like, dislike)
    assume(min(world.changes(plain, like, dislike).values()) > KEPT_WORD + 1e-6)
    np.testing.assert_allclose(world.combined(like, dislike), plain, rtol=1e-6, atol=1e-8)


@given(seed=SEEDS, liked=st.booleans())
def test_correction_for_one_tag_is_lagranges(seed, liked):
    world = World(seed)
    like, dislike = ({0: 1.0}, {}) if liked else ({}, {0: 1.0})
    plain = world.uncorrected(like, dislike)
    row = world.M[0] if liked else -world.M[0]
    missing = KEPT_WORD - row @ plain
    assume(missing > 1e-6)
    expected = plain + missing * row / (row @ row)
    np.testing.assert_allclose(world.combined(like, dislike), expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("seed", range(12))
def test_no_smaller_correction_exists(seed):
    world = World(seed)
    like, dislike = {0: 1.0, 1: 0.4}, {2: 0.7}
    plain = world.uncorrected(like, dislike)
    rows = np.array([world.M[0], world.M[1], -world.M[2]])
    found = minimize(
        lambda y: y @ y,
        np.zeros(N_FACTORS),
        jac=lambda y: 2 * y,
        method="SLSQP",
        constraints={
            "type": "ineq",
            "fun": lambda y: rows @ (plain + y) - KEPT_WORD,
            "jac": lambda y: rows,
        },
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert found.success
    np.testing.assert_allclose(world.combined(like, dislike) - plain, found.x, atol=1e-5)


def test_corrections_are_needed_in_those_cases():
    """Without this, the test above could compare nothing with nothing."""
    corrected = 0
    for seed in range(12):
        world = World(seed)
        like, dislike = {0: 1.0, 1: 0.4}, {2: 0.7}
        plain = world.uncorrected(like, dislike)
        corrected += min(world.changes(plain, like, dislike).values()) < KEPT_WORD - 0.05
    assert corrected >= 6


@given(seed=SEEDS, factor=st.floats(0.01, 100))
def test_only_the_ratio_of_strengths_counts(seed, factor):
    world = World(seed)
    assume_the_tags_differ(world, [0, 1, 2])
    once = world.combined({0: 1.0, 1: 0.5}, {2: 0.8})
    again = world.combined({0: factor, 1: 0.5 * factor}, {2: 0.8 * factor})
    np.testing.assert_allclose(again, once, rtol=1e-6, atol=1e-8)


@given(seed=SEEDS, liked=st.booleans())
def test_feedback_fades_out_without_a_jump(seed, liked):
    world = World(seed)
    alone = world.combined({0: 1.0}, {})
    weak = {1: 1e-9}
    both = world.combined({0: 1.0} | (weak if liked else {}), {} if liked else weak)
    np.testing.assert_allclose(both, alone, atol=1e-6)


@pytest.mark.parametrize(("seed", "share"), [(seed, 0.05 + 0.02 * seed) for seed in range(6)])
def test_direction_is_continuous_in_the_strengths(seed, share):
    world = World(seed)
    here = world.combined({0: 1.0}, {1: share})
    there = world.combined({0: 1.0}, {1: share + 1e-7})
    np.testing.assert_allclose(here, there, atol=1e-4)


def test_two_tags_on_the_same_items_cannot_be_told_apart():
    world = World(0)
    world.A[:, 1] = world.A[:, 0]
    M = (world.A / world.A.sum(axis=0)).T @ world.V
    directions = Directions(world.V, sp.csc_matrix(world.A), M)
    with pytest.raises(ValueError, match="none can rise while the other falls; keep one of them"):
        directions.combined({0: 1.0}, {1: 1.0}, world.scores, world.history)
    for tag in (0, 1):
        liked = directions.combined({tag: 1.0}, {}, world.scores, world.history)
        assert M[0] @ liked >= KEPT_WORD - 1e-9
    both = directions.combined({0: 1.0, 1: 1.0}, {}, world.scores, world.history)
    assert M[0] @ both >= KEPT_WORD - 1e-9


def test_nothing_given_is_modified():
    world = World(0)
    before = world.V.copy(), world.M.copy(), world.scores.copy(), world.history.copy()
    world.combined({0: 1.0}, {1: 1.0})
    after = world.V, world.M, world.scores, world.history
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)


def test_float32_gives_the_same_up_to_its_precision():
    world = World(3)
    rounded = Directions(world.V.astype(np.float32), sp.csc_matrix(world.A), world.M)
    found = rounded.combined({0: 1.0}, {1: 1.0}, world.scores, world.history)
    np.testing.assert_allclose(found, world.combined({0: 1.0}, {1: 1.0}), rtol=1e-3, atol=1e-4)


def test_weights_of_tags_count_only_in_the_tag_matrix():
    world = World(0)
    weighted = world.A * np.random.RandomState(1).uniform(0.5, 3.0, size=world.A.shape)
    directions = Directions(world.V, sp.csc_matrix(weighted), world.M)
    for tag in range(N_TAGS):
        found = directions.taste(tag, world.scores, world.history)
        np.testing.assert_allclose(found, world.taste(tag), rtol=1e-8)
        np.testing.assert_allclose(directions.away(tag, world.history), world.away(tag), rtol=1e-8)


def test_directions_of_an_extractor_are_those_of_its_items_and_tags():
    world = World(0)
    model = (np.random.RandomState(1).normal(size=(3, N_FACTORS)), world.V)
    extractor = TagPreferenceExtractor(model, world.A).fit(np.ones((3, N_ITEMS)))
    found = Directions.of(extractor).combined({0: 1.0}, {2: 0.5}, world.scores, world.history)
    np.testing.assert_allclose(found, world.combined({0: 1.0}, {2: 0.5}), rtol=1e-9)
