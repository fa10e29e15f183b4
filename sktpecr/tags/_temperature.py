"""How far a user's scores have to be apart for one item to be e times as probable as another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

# In standard deviations of a user's scores: between what MovieLens-1M, latest-small and goodbooks
# have, 1.2 to 1.9. For where nothing was held out.
USUAL_TEMPERATURE = 1.5
# Looked for this far up and down from one standard deviation, on a scale of logarithms.
_WIDE = np.log(1000.0)


def fit_temperature(scores: NDArray, held_out: NDArray, candidates: NDArray | None = None) -> float:
    r"""Return the temperature at which scores are a calibrated prior over items.

    Parameters
    ----------
    scores : ndarray of shape (n, n_items)
        A row for each interaction that was held out: its user's scores.
    held_out : ndarray of int, shape (n,)
        Its item.
    candidates : ndarray of bool, shape (n, n_items), optional
        Which items could have been taken; by default all.

    Returns
    -------
    float
        :math:`\rho`, in standard deviations of the user's scores, which makes the likelihood of
        what was taken, :math:`\sum \log \mathrm{softmax}(s / (\rho \, \mathrm{sd}(s)))`, largest.
        One number fits users better in these units than in those of the score.

    Raises
    ------
    ValueError
        If all scores are the same for every user, so that no temperature is better than another.

    Examples
    --------
    >>> import numpy as np
    >>> from sktpecr.tags._temperature import fit_temperature
    >>> rng = np.random.RandomState(0)
    >>> scores = rng.normal(size=(2000, 50))
    >>> taken = np.argmax(scores / 0.25 + rng.gumbel(size=scores.shape), axis=1)
    >>> round(fit_temperature(scores, taken), 2)
    0.26
    """
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


def temperature_of(scores: NDArray) -> float:
    """Return the temperature at which a user's scores are a prior over items, in their units."""
    return USUAL_TEMPERATURE * (float(scores.std(dtype=np.float64)) or 1.0)
