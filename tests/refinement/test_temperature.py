import numpy as np
import pytest
from scipy.special import log_softmax

from sktpecr.refinement._temperature import fit_temperature


@pytest.fixture
def taken():
    rng = np.random.RandomState(0)
    scores = rng.normal(size=(3000, 40)) * 7 + rng.normal(size=(3000, 1))
    return scores, np.argmax(scores / 2.5 + rng.gumbel(size=scores.shape), axis=1)


def test_temperature_that_made_the_choices_is_found(taken):
    assert fit_temperature(*taken) == pytest.approx(2.5, rel=0.05)


def test_no_other_temperature_is_more_likely(taken):
    scores, items = taken
    found = fit_temperature(scores, items)

    def surprise(tau):
        return -log_softmax(scores / tau, axis=1)[np.arange(len(items)), items].mean()

    assert all(surprise(found) <= surprise(found * by) for by in np.exp(np.linspace(-2, 2, 41)))


def test_items_that_could_not_be_taken_do_not_count(taken):
    scores, items = taken
    candidates = np.ones(scores.shape, dtype=bool)
    candidates[:, 30:] = False
    kept = items < 30
    expected = fit_temperature(scores[kept][:, :30], items[kept])
    found = fit_temperature(scores[kept], items[kept], candidates[kept])
    assert found == pytest.approx(expected, rel=1e-4)


def test_the_unit_of_scores_does_not_matter(taken):
    scores, items = taken
    for held_out in (items, None):
        assert fit_temperature(1000 * scores, held_out) == pytest.approx(
            1000 * fit_temperature(scores, held_out), rel=1e-3
        )


def test_scores_that_tell_nothing_apart_have_none():
    with pytest.raises(ValueError, match="scores must tell items apart"):
        fit_temperature(np.ones((3, 4)))
