"""Synthetic data have the structure that their docstrings promise."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.utils._param_validation import InvalidParameterError

from sktpecr.datasets import (
    TaggedInteractions,
    _make,
    make_tagged_interactions,
    make_tpecr_synthetic,
)


def n_of_users(data):
    return np.diff(data.interactions.indptr)


def test_default_data_have_the_documented_shape():
    data = make_tagged_interactions(random_state=0)
    assert isinstance(data, TaggedInteractions)
    assert data.interactions.shape == (200, 300)
    assert data.interactions.dtype == np.float32
    assert data.interactions.has_canonical_format
    assert set(data.interactions.data) == {1.0}
    assert set(data.item_tags.dtypes) == {np.dtype(np.int8)}
    assert data.item_tags.columns.tolist() == [f"tag_{t}" for t in range(8)]
    assert data.user_ids[[3, 42, 199]].tolist() == ["user_003", "user_042", "user_199"]
    assert data.item_ids[[0, 17]].tolist() == ["item_000", "item_017"]
    assert data.item_names.tolist() == data.item_tags.index.tolist() == data.item_ids.tolist()
    assert sorted(data.item_ids) == data.item_ids.tolist()


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"n_users": 1, "n_items": 1, "n_tags": 1},
        {"n_users": 7, "n_items": 5, "n_tags": 5, "density": 1e-9, "tags_per_item": 1},
        {"n_users": 30, "n_items": 20, "n_tags": 3, "density": 1.0, "tags_per_item": 99},
        {"n_items": 9, "n_tags": 1, "tags_per_item": 2.0},
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_no_user_item_or_tag_is_left_out(parameters, seed):
    data = make_tagged_interactions(**parameters, random_state=seed)
    assert n_of_users(data).min() >= 1
    assert n_of_users(data).max() <= data.interactions.shape[1]
    assert data.item_tags.sum(axis=0).min() >= 1
    assert data.item_tags.sum(axis=1).min() >= 1
    assert data.item_tags.to_numpy().max() == 1


@pytest.mark.parametrize("density", [0.02, 0.05, 0.2])
def test_density_is_met(density):
    data = make_tagged_interactions(400, 300, density=density, random_state=0)
    assert data.interactions.nnz / (400 * 300) == pytest.approx(density, rel=0.03)


@pytest.mark.parametrize(("asked", "got"), [(1, 1), (1.5, 1.5), (3, 3), (6, 6), (60, 6)])
def test_items_have_as_many_tags_as_asked(asked, got):
    data = make_tagged_interactions(5, 4000, 6, tags_per_item=asked, random_state=0)
    assert data.item_tags.to_numpy().sum() / 4000 == pytest.approx(got, abs=0.06)


def test_users_keep_to_the_tags_they_like():
    # An oracle without the recipe: halves of a user's items agree in tags, more than those of
    # other users. Were tags drawn in disregard of taste, both would be alike.
    data = make_tagged_interactions(300, 400, density=0.1, random_state=0)
    rng = np.random.default_rng(0)
    tags = data.item_tags.to_numpy() / data.item_tags.to_numpy().sum(axis=1, keepdims=True)
    profiles = np.empty((2, 300, tags.shape[1]))
    for user in range(300):
        items = rng.permutation(data.interactions[user].indices)
        for half in range(2):
            profiles[half, user] = tags[items[half::2]].mean(axis=0) if len(items) > 1 else 0
    profiles -= profiles.mean(axis=1, keepdims=True)
    own = np.sum(profiles[0] * profiles[1], axis=1)
    others = np.sum(profiles[0] * np.roll(profiles[1], 1, axis=0), axis=1)
    assert np.mean(own > others) > 0.85


def test_items_tags_and_users_are_skewed():
    data = make_tagged_interactions(random_state=0)
    popularity = np.sort(data.interactions.getnnz(axis=0))[::-1]
    assert popularity[:30].sum() > 0.25 * popularity.sum()  # a tenth of the items
    n_items = data.item_tags.sum(axis=0)
    assert n_items["tag_0"] > 2 * n_items["tag_7"]
    assert n_of_users(data).max() > 2 * np.median(n_of_users(data))


def test_same_seed_same_data():
    one, two, other = (make_tagged_interactions(random_state=seed) for seed in (3, 3, 4))
    assert (one.interactions != two.interactions).nnz == 0
    assert one.item_tags.equals(two.item_tags)
    assert (one.interactions != other.interactions).nnz > 0


def test_size_of_blocks_changes_nothing(monkeypatch):
    whole = make_tagged_interactions(random_state=0)
    monkeypatch.setattr(_make, "_BLOCK", 1000)
    assert (make_tagged_interactions(random_state=0).interactions != whole.interactions).nnz == 0


@pytest.mark.parametrize("make", [make_tagged_interactions, make_tpecr_synthetic])
def test_global_random_state_is_not_touched(make):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    make(random_state=0)
    source = np.random.RandomState(5)
    make(random_state=source)
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert source.get_state()[2] != np.random.RandomState(5).get_state()[2]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_users": 0}, r"'n_users' parameter of make_tagged_interactions must be an int"),
        ({"n_items": 2.5}, r"'n_items' parameter"),
        ({"n_tags": -1}, r"'n_tags' parameter"),
        ({"density": 0}, r"'density' parameter"),
        ({"density": 1.1}, r"'density' parameter"),
        ({"tags_per_item": 0.5}, r"'tags_per_item' parameter"),
        ({"random_state": "0"}, r"'random_state' parameter"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters, message):
    with pytest.raises(InvalidParameterError, match=message):
        make_tagged_interactions(**parameters)


def test_more_tags_than_items_are_refused():
    with pytest.raises(ValueError, match=r"n_tags must be at most n_items.*n_tags=4 and n_items=3"):
        make_tagged_interactions(n_items=3, n_tags=4)


def test_paper_data_follow_section_4_1():
    data = make_tpecr_synthetic(random_state=0)
    assert data.tag_preferences.shape == (1000, 5)
    assert data.tag_preferences.min() >= 0
    assert data.tag_preferences.max() < 1
    assert_array_equal(data.item_embeddings, np.eye(50))
    assert np.bincount(data.item_tag).tolist() == [10] * 5
    assert data.scores.shape == (1000, 50)
    tags_of = [np.flatnonzero(row).tolist() for row in data.item_tags.to_numpy()]
    for user in (0, 499, 999):
        for item in range(50):
            (tag,) = tags_of[item]
            assert data.item_tag[item] == tag
            assert data.scores[user, item] == data.tag_preferences[user, tag]
            dot = data.user_embeddings[user] @ data.item_embeddings[item]
            assert data.scores[user, item] == dot


def test_paper_preferences_are_mean_scores_of_tags():
    data = make_tpecr_synthetic(random_state=1, n_users=40, n_items=12, n_tags=4)
    has_tag = data.item_tags.to_numpy()
    np.testing.assert_allclose(data.scores @ has_tag / has_tag.sum(axis=0), data.tag_preferences)


def test_paper_preferences_are_uniform():
    preferences = make_tpecr_synthetic(random_state=0).tag_preferences
    share = np.histogram(preferences, bins=10, range=(0, 1))[0] / preferences.size
    assert np.abs(share - 0.1).max() < 0.02
    off_diagonal = np.corrcoef(preferences.T) - np.eye(5)
    assert np.abs(off_diagonal).max() < 0.12


@pytest.mark.parametrize(("n_users", "n_test"), [(2, 1), (15, 1), (1000, 100)])
def test_paper_users_are_split(n_users, n_test):
    data = make_tpecr_synthetic(random_state=0, n_users=n_users)
    assert len(data.test_users) == n_test
    both = np.concatenate([data.train_users, data.test_users])
    assert sorted(both.tolist()) == list(range(n_users))


def test_paper_data_are_the_same_for_the_same_seed():
    one, two, other = (make_tpecr_synthetic(random_state=seed) for seed in (3, 3, 4))
    assert_array_equal(one.user_embeddings, two.user_embeddings)
    assert_array_equal(one.test_users, two.test_users)
    assert not np.array_equal(one.user_embeddings, other.user_embeddings)


def test_paper_data_need_as_many_items_per_tag():
    message = r"n_items must be a multiple of n_tags.*n_items=52 and n_tags=5; .* is n_items=50"
    with pytest.raises(ValueError, match=message):
        make_tpecr_synthetic(n_items=52)
    with pytest.raises(InvalidParameterError, match="'n_users' parameter of make_tpecr_synthetic"):
        make_tpecr_synthetic(n_users=1)
