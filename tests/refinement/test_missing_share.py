import numpy as np
import pytest
import scipy.sparse as sp

from sktpecr.refinement._missing_share import _surprise, missing_share


@pytest.mark.parametrize(("missing", "within"), [(0.0, 0.0), (0.3, 0.11), (0.5, 0.21)])
def test_the_share_that_was_taken_off_is_found(missing, within):
    rng = np.random.RandomState(1)
    embeddings = rng.normal(size=(2500, 4))
    chance = 1 / (1 + np.exp(-(4 * embeddings @ rng.normal(size=(4, 5)) - 1)))
    tags = (rng.uniform(size=chance.shape) < chance) & (rng.uniform(size=chance.shape) >= missing)
    for given in (tags, sp.csr_matrix(tags.astype(float))):
        assert missing_share(given, embeddings) == pytest.approx(missing, abs=within)


def test_tags_that_embeddings_tell_nothing_of_are_not_called_missing():
    rng = np.random.RandomState(0)
    tags = rng.uniform(size=(1000, 3)) < 0.3
    assert missing_share(np.ones((50, 2)), rng.normal(size=(50, 3))) == 0.0
    assert missing_share(tags, np.zeros((1000, 2))) == 0.0


def test_gradient_is_that_of_finite_differences():
    rng = np.random.RandomState(0)
    rows, has, at = rng.normal(size=(40, 3)), rng.uniform(size=40).round(), rng.normal(size=3)
    gradient = _surprise(at, rows, has, 0.7)[1]
    for factor, step in enumerate(1e-6 * np.eye(3)):
        up, down = (_surprise(at + way * step, rows, has, 0.7)[0] for way in (1, -1))
        assert gradient[factor] == pytest.approx((up - down) / 2e-6, rel=1e-4)
