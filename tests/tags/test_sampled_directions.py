"""Directions from a sample of the items, against those of all of them."""

import numpy as np
import pytest
import scipy.sparse as sp

from sktpecr import FeedbackRefiner, TPECRExplainer
from sktpecr.recommenders import FactorRecommender
from sktpecr.tags import _sampled_directions as sampled
from sktpecr.tags._directions import Directions

N_ITEMS, N_FACTORS, N_TAGS = 20_000, 8, 5


def made_up():
    """Return items whose tags tell where they are, and their tags: one on none of them."""
    rng = np.random.RandomState(0)
    tags = rng.uniform(size=(N_ITEMS, N_TAGS)) < [0.5, 0.2, 0.05, 0.001, 0.0]
    items = rng.normal(size=(N_ITEMS, N_FACTORS)) + tags @ rng.normal(size=(N_TAGS, N_FACTORS))
    return items, tags.astype(float)


ITEMS, TAGS = made_up()
MATRIX = (TAGS / np.maximum(TAGS.sum(axis=0), 1)).T @ ITEMS
EVERYTHING = ITEMS, sp.csc_matrix(TAGS), MATRIX
SCORES = ITEMS @ np.random.RandomState(1).normal(size=N_FACTORS)
HISTORIES = {
    "some": np.arange(0, N_ITEMS, 97),
    "all of a tag": np.flatnonzero(TAGS[:, 3]),
    "all": np.arange(N_ITEMS),
}


@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES)
def test_a_sample_of_everything_is_what_all_items_say(history):
    alike, whole = sampled.SampledDirections(*EVERYTHING), Directions(*EVERYTHING)
    for wishes in ({0: 1.0}, {1: -1.0}, {2: 2.0, 0: -1.0}, {3: 1.0}, {3: -0.5}):
        found = alike.combined(wishes, SCORES, history)
        np.testing.assert_allclose(found, whole.combined(wishes, SCORES, history), rtol=1e-8)


def test_a_sample_errs_as_much_as_its_size_says(monkeypatch):
    whole = Directions(*EVERYTHING)
    errors = []
    for size in (500, 4_000):
        monkeypatch.setattr(sampled, "_SAMPLE", size)
        monkeypatch.setattr(sampled, "_OF_TAG", size // 2)
        some = sampled.SampledDirections(*EVERYTHING)
        off = []
        for wishes in ({0: 1.0}, {1: 1.0}, {2: 1.0}, {1: -1.0}):
            expected = whole.combined(wishes, SCORES, HISTORIES["some"])
            found = some.combined(wishes, SCORES, HISTORIES["some"])
            off.append(whole.movement(found - expected))  # of a movement of 1
        # Twice what d factors told from n items are off by.
        assert max(off) < 2 * np.sqrt(N_FACTORS / size)
        errors.append(np.mean(off))
    assert errors[1] < errors[0] / 2


def test_lists_of_large_catalogues_hardly_differ(monkeypatch):
    users = np.random.RandomState(2).normal(size=(12, N_FACTORS))
    X = sp.csr_matrix(np.eye(12, N_ITEMS))

    def lists():
        explainer = TPECRExplainer(FactorRecommender(users, ITEMS), TAGS[:, :4]).fit(X)
        refiner = FeedbackRefiner(explainer)
        said = [{"like": f"tag_{user % 3}"} for user in range(12)]
        return [
            refiner.refine(user, **each).recommend(20)["item"] for user, each in enumerate(said)
        ]

    whole = lists()
    monkeypatch.setattr(sampled, "LARGE", N_ITEMS - 1)
    monkeypatch.setattr(sampled, "_SAMPLE", 4_000)
    monkeypatch.setattr(sampled, "_OF_TAG", 2_000)
    alike = [np.isin(one, other).mean() for one, other in zip(lists(), whole, strict=True)]
    assert np.mean(alike) > 0.9
