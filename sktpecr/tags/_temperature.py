"""How far a user's scores have to be apart for one item to be e times as probable as another."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from sktpecr._utils._array_api import is_tensor, namespace_of

# In standard deviations of a user's scores: between what MovieLens-1M, latest-small and goodbooks
# have, 1.2 to 1.9. For where nothing was held out.
USUAL_TEMPERATURE = 1.5
# Looked for this far up and down from one standard deviation, on a scale of logarithms.
_WIDE = np.log(1000.0)


def fit_temperature(scores: NDArray, held_out: NDArray, candidates: NDArray | None = None) -> float:
    """Return the temperature at which scores are a calibrated prior over items."""
    # A row of `scores` (n, n_items) and an item of `held_out` (n,) for each interaction held out;
    # `candidates` (n, n_items): which items could have been taken. The temperature rho, in
    # standard deviations of the user's scores, makes the likelihood of what was taken, the sum of
    # log softmax(s / (rho sd(s))), largest. One number fits users better in these units than in
    # those of the score.
    scores = np.asarray(scores, dtype=np.float64)
    spread = scores.std(axis=1, keepdims=True)
    if not spread.any():
        raise ValueError(
            "scores must tell items apart, got the same score for all of them; without a prior "
            f"any temperature will do, such as {USUAL_TEMPERATURE}"
        )
    scores = scores / np.where(spread > 0, spread, 1.0)
    taken = scores[np.arange(len(scores)), held_out]
    allowed = scores if candidates is None else np.where(candidates, scores, -np.inf)

    def surprise(logarithm: float) -> float:
        temperature = np.exp(logarithm)
        return float(np.mean(logsumexp(allowed / temperature, axis=1) - taken / temperature))

    found = minimize_scalar(surprise, bounds=(-_WIDE, _WIDE), method="bounded")
    return float(np.exp(found.x))


def temperature_of(scores: Any) -> Any:
    """Return the temperature at which users' scores are a prior over items, in their units."""
    # `scores` (..., n_items), an array or a tensor; returns (...,).
    xp = namespace_of(scores)
    apart = xp.astype(scores, scores.dtype if is_tensor(scores) else np.float64)
    apart -= xp.mean(apart, axis=-1, keepdims=True)
    # Half the time of std.
    spread = xp.sqrt(xp.vecdot(apart, apart) / apart.shape[-1])
    return USUAL_TEMPERATURE * xp.where(spread == 0, 1.0, spread)
