import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sktpecr.tags._temperature import tail_scale, temperature_of


@pytest.mark.parametrize("share", [1.0, 0.3])
def test_scale_of_an_exponential_tail_is_found(share):
    # Of so many items that the logarithm is much more than what chance does to the largest.
    n, many = 20_000, 200
    rng = np.random.RandomState(0)
    scores = np.where(rng.uniform(size=(many, n)) < share, rng.exponential(3.0, (many, n)), 0.0)
    found = np.mean([tail_scale(each) for each in scores])
    assert found == pytest.approx(3.0, rel=0.15)


def test_at_the_scale_the_best_item_is_n_times_as_probable_as_the_average_score():
    scores = np.random.RandomState(0).normal(size=500)
    odds = np.exp((scores.max() - scores.mean()) / tail_scale(scores))
    assert odds == pytest.approx(500)


@given(st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_temperature_has_the_unit_of_scores(unit, shift):
    scores = np.arange(7.0)
    found = temperature_of(unit * scores + shift)
    assert found == pytest.approx(unit * temperature_of(scores), rel=1e-6)


@pytest.mark.parametrize(
    "scores", [np.full(1000, 0.1), np.full(1000, 0.1, np.float32), [3.0], [0.0]]
)
def test_scores_that_are_all_alike_leave_the_temperature_at_its_factor(scores):
    assert tail_scale(np.asarray(scores)) == 1.0
