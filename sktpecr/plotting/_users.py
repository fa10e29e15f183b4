"""One user: tag preferences, and what feedback did to the list."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sktpecr.plotting._drawing import AS_IS, DOWN, NEUTRAL, UP, axes_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_profile(profile: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw a user's tag preferences against the population.

    Parameters
    ----------
    profile : DataFrame
        What :meth:`sktpecr.TPECRExplainer.profile` returned.
    ax : matplotlib Axes, optional
        Where to draw. A new figure by default.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import TPECRExplainer, plotting
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> ax = plotting.plot_profile(explainer.fit(data.interactions).profile(0))
    """
    ax = axes_for(ax, n_rows=len(profile))
    values = profile["vs_population"].to_numpy()
    rows = np.arange(len(profile))
    ax.hlines(rows, 0, values, color=NEUTRAL)
    ax.scatter(values, rows, color=[UP if value > 0 else DOWN for value in values], zorder=2)
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set_yticks(rows, [str(tag) for tag in profile["tag"]], **AS_IS)
    ax.invert_yaxis()
    ax.set_xlabel("standard deviations from the average user")
    ax.set_title("Tag preferences in the model's view", loc="left")
    return ax


def plot_refinement(refinement: Any, ax: Axes | None = None, n: int = 10) -> Axes:
    """Draw the ranks of a list before and after feedback.

    Parameters
    ----------
    refinement : Refinement
        What to draw.
    ax : matplotlib Axes, optional
        Where to draw. A new figure by default.
    n : int, default=10
        Length of the refined list.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import FeedbackRefiner, TPECRExplainer, plotting
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> refiner = FeedbackRefiner(explainer.fit(data.interactions))
    >>> ax = plotting.plot_refinement(refiner.refine(0, like="tag_1"))
    """
    frame = refinement.listed(n)
    ax = axes_for(ax, n_rows=len(frame))
    before, after = frame["rank_before"].to_numpy(), frame["rank"].to_numpy()
    for start, end in zip(before, after, strict=True):
        colour = UP if end < start else DOWN if end > start else NEUTRAL
        ax.plot([0, 1], [start, end], color=colour, marker="o", markersize=4)
    # Ranks before can be in the thousands: a log axis keeps the top of the list readable.
    ax.set_yscale("log")
    lowest = max(before.max(initial=1), len(frame))
    ax.set_ylim(lowest * 1.2, 0.8)
    ticks = [
        tick
        for tick in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
        if tick <= lowest
    ]
    ax.set_yticks(ticks, [str(tick) for tick in ticks])
    ax.minorticks_off()
    ax.set_xlim(-0.1, 2.2)
    ax.set_xticks([0, 1], ["before", "after"])
    for end, name in zip(after, frame["name"], strict=True):
        ax.annotate(
            f"{end}  {textwrap.shorten(str(name), 44, placeholder='...')}",
            (1, end),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
            **AS_IS,
        )
    ax.set_ylabel("rank")
    ax.set_title(f"User {refinement.user}: {refinement.feedback}", loc="left", **AS_IS)
    return ax
