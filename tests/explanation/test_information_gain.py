import time

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from sktpecr.explanation._information_gain import information_gain


def entropy(probabilities):
    known = probabilities[probabilities > 0]
    return -(known * np.log(known)).sum()


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    error_rate=st.floats(0, 0.5),
    weighted=st.booleans(),
    indifference=st.floats(0, 1),
)
def test_gain_is_the_expected_fall_of_entropy(seed, error_rate, weighted, indifference):
    rng = np.random.RandomState(seed)
    tags = rng.uniform(size=(7, 3)) * (rng.uniform(size=(7, 3)) < 0.6)
    tags = tags if weighted else np.ceil(tags)
    prior = rng.dirichlet(np.ones(7)) * (np.arange(7) > 1)
    prior /= prior.sum()
    found = information_gain(prior, tags, error_rate, indifference)
    for tag in range(3):
        yes = error_rate + (1 - 2 * error_rate) * tags[:, tag]
        left = 0.0
        for chance in (
            (1 - indifference) * yes,
            (1 - indifference) * (1 - yes),
            np.full(7, indifference),
        ):
            joint = prior * chance
            if joint.sum() > 0:
                left += joint.sum() * entropy(joint / joint.sum())
        assert found[tag] == pytest.approx(entropy(prior) - left, abs=1e-9)


def test_a_tag_on_all_or_none_tells_nothing():
    tags = np.array([[1, 0, 1], [1, 0, 0]])
    found = information_gain(np.array([0.5, 0.5]), tags, 0.1)
    assert found[2] > 0.3
    np.testing.assert_allclose(found[:2], 0, atol=1e-12)


def test_sparse_tags_give_the_same():
    rng = np.random.RandomState(0)
    tags, posterior = rng.uniform(size=(30, 5)).round(), rng.dirichlet(np.ones(30))
    np.testing.assert_allclose(
        information_gain(posterior, tags), information_gain(posterior, sp.csc_matrix(tags))
    )


def test_ten_thousand_tags_are_asked_about_without_a_dense_table():
    on_item = np.random.RandomState(0).randint(10_000, size=(2, 500_000))
    tags = sp.csr_matrix((np.ones(500_000), on_item), shape=(10_000, 10_000))
    tags.data[:] = 1
    posterior = np.full(10_000, 1e-4)
    start = time.perf_counter()
    found = information_gain(posterior, tags)
    assert time.perf_counter() - start < 2  # a dense table would be 800 MB
    share = np.asarray(tags.sum(axis=0)).ravel() / 10_000
    assert found.argmax() == share.argmax()  # all on fewer than half


def test_gain_in_numbers():
    tags = np.array([[1, 1], [1, 0], [0, 0], [1, 0]])
    found = information_gain(np.full(4, 0.25), tags, error_rate=0.0)
    np.testing.assert_allclose(found, [0.562, 0.562], atol=1e-3)
    found = information_gain(np.array([0.5, 0, 0.5, 0]), tags, 0.0, [0.0, 0.5])
    np.testing.assert_allclose(found, [np.log(2), np.log(2) / 2])
