"""What is a number, and what is only rounding."""

import numpy as np
import pytest

from sktpecr._utils import _rounding
from sktpecr._utils._rounding import deviation, spread


@pytest.mark.parametrize("n_columns", [1, 7, 20])
def test_spread_is_the_same_however_few_columns_are_taken_at_a_time(monkeypatch, n_columns):
    values = np.random.RandomState(0).normal(size=(11, n_columns))
    values[:, 0] = 1 / 3
    whole = spread(values, np.float32)
    np.testing.assert_allclose(whole[1:], values[:, 1:].std(axis=0))
    assert whole[0] == 0
    monkeypatch.setattr(_rounding, "_NUMBERS_A_BLOCK", 30)
    np.testing.assert_allclose(spread(values, np.float32), whole, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_deviation_is_the_standard_deviation(dtype):
    values = np.random.RandomState(0).normal(3.0, 2.0, 500).astype(dtype)
    assert deviation(values) == pytest.approx(values.astype(np.float64).std(), rel=1e-12)
    assert deviation(values[:1]) == 0.0
