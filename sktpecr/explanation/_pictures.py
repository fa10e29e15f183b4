"""Figures of users and lists, for an explainer that has what they draw."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Any

from sktpecr import plotting

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from sktpecr.explanation._explanation import Explanation
    from sktpecr.tags._tag_model import Population


class Pictures:
    """The figures of :mod:`sktpecr.plotting` that take more than one explanation."""

    profile: Callable[..., pd.DataFrame]
    recommend: Callable[..., pd.DataFrame]
    explain: Callable[..., Explanation]
    explain_batch: Callable[..., Any]

    def plot_profile(
        self, user: Hashable | None = None, *, ax: Axes | None = None, **known: Any
    ) -> Axes:
        """Draw a user's tag preferences against the population.

        Parameters
        ----------
        user : hashable, optional
            Raw user id, or row number if fit got no ids.
        ax : matplotlib Axes, optional
            Where to draw. A new figure by default.
        **known : dict
            Somebody new in place of `user`: `interactions` or `tags`, see :meth:`explain`.

        Returns
        -------
        matplotlib Axes
            The axes drawn on, see :func:`sktpecr.plotting.plot_profile`.
        """
        return plotting.plot_profile(self.profile(user, **known), ax=ax)

    def plot_list(
        self,
        user: Hashable | None = None,
        n: int = 10,
        *,
        n_tags: int = 8,
        ax: Axes | None = None,
        **known: Any,
    ) -> Axes:
        """Draw what tags contribute to a user's list, as a heat map.

        Parameters
        ----------
        user : hashable, optional
            Raw user id, or row number if fit got no ids.
        n : int, default=10
            Length of the list.
        n_tags : int, default=8
            How many tags are shown.
        ax : matplotlib Axes, optional
            Where to draw. A new figure by default.
        **known : dict
            Somebody new in place of `user`: `interactions` or `tags`, see :meth:`explain`.

        Returns
        -------
        matplotlib Axes
            The axes drawn on, see :func:`sktpecr.plotting.plot_list`.
        """
        listed = self.recommend(user, n, **known)["item"]
        explanations = [self.explain(user, item, **known) for item in listed]
        return plotting.plot_list(explanations, ax=ax, n_tags=n_tags)

    def plot_everybody(
        self,
        users: Iterable[Hashable] | None = None,
        n_items: int = 10,
        *,
        n_tags: int = 10,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw what tags contribute to the lists of many users, a strip of points for each tag.

        Parameters
        ----------
        users : iterable of hashable, optional
            Raw user ids. Everybody with interactions by default.
        n_items : int, default=10
            Length of each list.
        n_tags : int, default=10
            How many tags are shown.
        ax : matplotlib Axes, optional
            Where to draw. A new figure by default.

        Returns
        -------
        matplotlib Axes
            The axes drawn on, see :func:`sktpecr.plotting.plot_everybody`.
        """
        table = self.explain_batch(users, n_items, n_tags=len(self._fitted_population().tags))
        return plotting.plot_everybody(table, ax=ax, n_tags=n_tags)

    def _fitted_population(self) -> Population:
        raise NotImplementedError
