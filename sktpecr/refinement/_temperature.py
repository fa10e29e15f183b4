"""How far scores are apart in units in which they are logarithms of probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

# Where nothing was held out: of the standard deviation of a user's scores over items.
_OF_SPREAD = 0.5
# The temperature is looked for this far up and down from the spread, on a scale of logarithms.
_WIDE = np.log(1000.0)


def fit_temperature(
    scores: NDArray, held_out: NDArray | None = None, candidates: NDArray | None = None
) -> float:
    r"""Return the temperature at which scores are a calibrated prior over items.

    Parameters
    ----------
    scores : ndarray of shape (n, n_items)
        A row for each interaction that was held out: its user's scores.
    held_out : ndarray of int, shape (n,), optional
        Its item. Without it, half the usual spread of a user's scores is returned.
    candidates : ndarray of bool, shape (n, n_items), optional
        Which items could have been taken; by default all.

    Returns
    -------
    float
        :math:`\tau`, in units of the score, which makes
        :math:`\sum \log \mathrm{softmax}(s / \tau)` of what was taken largest.

    Raises
    ------
    ValueError
        If all scores are the same, so that no temperature is better than another.

    Examples
    --------
    >>> import numpy as np
    >>> from sktpecr.refinement._temperature import fit_temperature
    >>> rng = np.random.RandomState(0)
    >>> scores = rng.normal(size=(2000, 50))
    >>> taken = np.argmax(scores / 0.25 + rng.gumbel(size=scores.shape), axis=1)
    >>> round(fit_temperature(scores, taken), 2)
    0.25
    """
    scores = np.asarray(scores, dtype=np.float64)
    spread = float(np.median(scores.std(axis=1)))
    if not spread > 0:
        raise ValueError(
            "scores must tell items apart, got the same score for all of them; without a prior, "
            "any temperature will do: pass 1.0"
        )
    if held_out is None:
        return _OF_SPREAD * spread
    taken = scores[np.arange(len(scores)), held_out]
    allowed = scores if candidates is None else np.where(candidates, scores, -np.inf)

    def surprise(log_tau: float) -> float:
        tau = np.exp(log_tau)
        return float(np.mean(logsumexp(allowed / tau, axis=1) - taken / tau))

    around = np.log(spread)
    found = minimize_scalar(surprise, bounds=(around - _WIDE, around + _WIDE), method="bounded")
    return float(np.exp(found.x))
