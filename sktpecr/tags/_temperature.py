"""How far a user's scores have to be apart for one item to be e times as probable as another."""

from __future__ import annotations

from typing import Any

import numpy as np

from sktpecr._utils._array_api import is_tensor, namespace_of

# In units of `tail_scale`. There, 1.0 to 1.4 makes held-out interactions likeliest, for ALS, BPR
# and matrix factorization on MovieLens-1M and goodbooks alike (.3 to 2 in standard deviations);
# answers have to count for more: success in critiques on MovieLens-1M grows up to 2.5.
TEMPERATURE = 2.5
# In machine epsilons of the largest score.
_ROUNDING = 16


def temperature_of(scores: Any) -> Any:
    """Return the temperature at which answers are weighed against users' scores."""
    # `scores` (..., n_items), an array or a tensor; returns (...,), in their units.
    return TEMPERATURE * tail_scale(scores)


def tail_scale(scores: Any) -> Any:
    """Return the scale of the largest scores of each user, 1 where all are alike."""
    # (largest - mean) / log n is the scale of an exponential upper tail. At this temperature the
    # best item is n times as probable as the average one, however long the tail is and however
    # close together those are that nobody would list.
    xp = namespace_of(scores)
    best = xp.max(scores, axis=-1)
    mean = xp.mean(scores, axis=-1, **({} if is_tensor(scores) else {"dtype": np.float64}))
    above = best - mean
    alike = abs(above) <= _ROUNDING * xp.finfo(above.dtype).eps * abs(best)
    return xp.where(alike, 1.0, above / float(np.log(max(scores.shape[-1], 2))))
