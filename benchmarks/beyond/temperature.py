"""The temperature at which a recommender's scores are a calibrated prior over items."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from sktpecr.tags._temperature import tail_scale

# Looked for this far up and down from one, on a scale of logarithms.
_WIDE = np.log(1000.0)


def fit_temperature(scores: NDArray, held_out: NDArray, candidates: NDArray | None = None) -> float:
    """Return the temperature at which what was held out is likeliest, in units of `tail_scale`."""
    # A row of `scores` (n, n_items) and an item of `held_out` (n,) for each interaction held out;
    # `candidates` (n, n_items): which items could have been taken. Largest is the likelihood, the
    # sum of log softmax(s / (rho scale(s))).
    scores = np.asarray(scores, dtype=np.float64)
    if not np.ptp(scores, axis=1).any():
        raise ValueError("scores must tell items apart, got the same score for all of them")
    scores = scores / np.array([tail_scale(each) for each in scores])[:, np.newaxis]
    taken = scores[np.arange(len(scores)), held_out]
    allowed = scores if candidates is None else np.where(candidates, scores, -np.inf)

    def surprise(logarithm: float) -> float:
        temperature = np.exp(logarithm)
        return float(np.mean(logsumexp(allowed / temperature, axis=1) - taken / temperature))

    found = minimize_scalar(surprise, bounds=(-_WIDE, _WIDE), method="bounded")
    return float(np.exp(found.x))
