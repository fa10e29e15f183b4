"""How far a user's scores have to be apart for one item to be e times as probable as another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# In units of `tail_scale`. There, 1.0 to 1.4 makes held-out interactions likeliest, for ALS, BPR
# and matrix factorization on MovieLens-1M and goodbooks alike (.3 to 2 in standard deviations);
# answers have to count for more: success in critiques on MovieLens-1M grows up to 2.5.
_TEMPERATURE = 2.5
_ROUNDING = 1e-12


def temperature_of(scores: NDArray) -> float:
    """Return the temperature at which answers are weighed against a user's scores."""
    return _TEMPERATURE * tail_scale(scores)


def tail_scale(scores: NDArray) -> float:
    """Return the scale of the largest scores of a user, 1 where all are alike."""
    # (largest - mean) / log n is the scale of an exponential upper tail. At this temperature the
    # best item is n times as probable as the average one, however long the tail is and however
    # close together those are that nobody would list.
    best, mean = float(scores.max()), float(scores.mean(dtype=np.float64))
    if abs(best - mean) <= _ROUNDING * abs(best):
        return 1.0
    return (best - mean) / float(np.log(len(scores)))
