import numpy as np
import pytest
from scipy.special import log_softmax

from benchmarks.beyond.temperature import fit_temperature


def _scale(scores):
    return ((scores.max(axis=1) - scores.mean(axis=1)) / np.log(scores.shape[1]))[:, np.newaxis]


@pytest.fixture
def taken():
    rng = np.random.RandomState(0)
    scores = rng.normal(size=(3000, 40))
    scores /= _scale(scores)
    taken = np.argmax(scores / 0.4 + rng.gumbel(size=scores.shape), axis=1)
    # Users who are sure of themselves, and others.
    return scores * rng.lognormal(size=(3000, 1)) + rng.normal(size=(3000, 1)), taken


def test_temperature_that_made_the_choices_is_found(taken):
    assert fit_temperature(*taken) == pytest.approx(0.4, rel=0.05)


def test_no_other_temperature_is_more_likely(taken):
    scores, items = taken
    found = fit_temperature(scores, items)

    scores = scores / _scale(scores)

    def surprise(tau):
        return -log_softmax(scores / tau, axis=1)[np.arange(len(items)), items].mean()

    assert all(surprise(found) <= surprise(found * by) for by in np.exp(np.linspace(-2, 2, 41)))


def test_items_that_could_not_be_taken_do_not_count(taken):
    scores, items = taken
    candidates = np.ones(scores.shape, dtype=bool)
    assert fit_temperature(scores, items, candidates) == fit_temperature(scores, items)
    # Best scores that could not be taken are no surprise to miss.
    barred = scores.copy()
    best = barred.argmax(axis=1)
    rows = np.flatnonzero(best != items)
    candidates[rows, best[rows]] = False
    with_them = fit_temperature(scores[rows], items[rows])
    assert fit_temperature(scores[rows], items[rows], candidates[rows]) < with_them


def test_the_unit_of_scores_does_not_matter(taken):
    scores, items = taken
    assert fit_temperature(1000 * scores, items) == pytest.approx(fit_temperature(scores, items))


def test_scores_that_tell_nothing_apart_have_none():
    with pytest.raises(ValueError, match="scores must tell items apart"):
        fit_temperature(np.ones((3, 4)), np.zeros(3, dtype=int))
