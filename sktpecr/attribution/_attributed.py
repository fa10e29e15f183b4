"""What every attribution returns."""

from __future__ import annotations

from dataclasses import dataclass

from numpy.typing import NDArray


@dataclass(frozen=True)
class Attributed:
    """Importances of tags for some items of one user, and the sum they are part of.

    Parameters
    ----------
    importances : ndarray of shape (n_items, n_tags)
        Effect of one standard deviation more of a tag preference, in the attribution's unit.
    base_values : ndarray of shape (n_items,)
        The explained value at average tag preferences.
    values : ndarray of shape (n_items,)
        The explained value of this user; contributions and the residual lead from base to it.
    fidelity : ndarray of shape (n_items,)
        R^2 of the linear surrogate on the composite function.
    standard_errors : ndarray of shape (n_items, n_tags), optional
        Standard errors of the importances, where they are estimates.
    contributions : ndarray of shape (n_items, n_tags), optional
        What this user's level of each tag did to the value. By default importances times the tag
        preference's distance from the population's mean in standard deviations.
    activity : ndarray of shape (n_items,), optional
        What the base values have of the user's level over all items. 0 by default.
    tastes : ndarray of shape (n_tags,), optional
        The user's tastes, in standard deviations of the population. By default the tag
        preferences' distances from the mean.

    Examples
    --------
    >>> import numpy as np
    >>> from sktpecr.attribution import Attributed
    >>> one_item = Attributed(np.array([[0.5, -0.1]]), np.zeros(1), np.array([0.8]), np.ones(1))
    >>> one_item.standard_errors is None
    True
    """

    importances: NDArray
    base_values: NDArray
    values: NDArray
    fidelity: NDArray
    standard_errors: NDArray | None = None
    contributions: NDArray | None = None
    activity: NDArray | None = None
    tastes: NDArray | None = None

    def told(self, vs_population: NDArray) -> tuple[NDArray, NDArray]:
        """Return contributions (n_items, n_tags) and how the user likes each tag (n_tags,).

        Parameters
        ----------
        vs_population : ndarray of shape (n_tags,)
            Distances of the tag preferences from the population's mean, in standard deviations:
            what an attribution that says neither goes by.

        Returns
        -------
        contributions, likings : ndarray
            As the attribution says, else importances times `vs_population`, and that.
        """
        if self.contributions is None:
            return self.importances * vs_population, vs_population
        return self.contributions, vs_population if self.tastes is None else self.tastes
