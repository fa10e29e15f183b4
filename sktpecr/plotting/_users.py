"""One user: tag preferences, and what feedback did to the list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sktpecr._inputs._numbers import check_n
from sktpecr.plotting._drawing import (
    AS_IS,
    DOWN,
    NEUTRAL,
    UP,
    axes_for,
    check_drawn,
    finish,
    ink,
    shortened,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_profile(profile: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw how a user's tag preferences differ from the average user's.

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
    if "vs_population" not in getattr(profile, "columns", ()):
        raise ValueError(
            f"profile must be a table that TPECRExplainer.profile returns, got "
            f"{type(profile).__name__} without a column 'vs_population'"
        )
    ax = axes_for(ax, n_rows=len(profile))
    values = profile["vs_population"].to_numpy()
    rows = np.arange(len(profile))
    colours = [UP if value > 0 else DOWN for value in values]
    ax.hlines(rows, 0, values, color=colours)
    ax.scatter(values, rows, color=colours, zorder=2)
    ax.axvline(0, color=ink(ax), linewidth=0.8)
    ax.set_yticks(rows, [wrapped(tag) for tag in profile["tag"]], **AS_IS)
    ax.invert_yaxis()
    finish(
        ax,
        "How much the model thinks this user likes each tag",
        "standard deviations from the average user",
    )
    return ax


def plot_refinement(refinement: Any, ax: Axes | None = None, n: int = 10) -> Axes:
    """Draw how feedback moved a list: the list before, the list after, and a line for each item.

    Parameters
    ----------
    refinement : Refinement
        What to draw.
    ax : matplotlib Axes, optional
        Where to draw. A new figure by default.
    n : int, default=10
        Length of both lists.

    Returns
    -------
    matplotlib Axes
        The axes drawn on. The list before is on the left and the list after on the right. Below
        the gap are, on the left, the items that came in, with the ranks they had, and, on the
        right, the items that left, with the ranks they have now; lines of these are dotted.

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
    n = check_n(n)
    check_drawn(refinement, "refinement", "a Refinement", "listed", "scores")
    everything = refinement.listed(len(refinement.scores))
    either = everything[["rank_before", "rank"]].min(axis=1) <= n
    frame = everything[either].reset_index(drop=True)
    moves = frame["rank_before"] - frame["rank"]
    came, left = frame["rank_before"] > n, frame["rank"] > n
    before, after = (_rows(frame[column], n) for column in ("rank_before", "rank"))

    ax = axes_for(ax, n_rows=n + 1 + int(came.sum()), width=10.0)
    colour = ink(ax)
    for row in frame.index:
        way = UP if moves[row] > 0 else DOWN if moves[row] < 0 else NEUTRAL
        ax.plot(
            [0, 1],
            [before[row], after[row]],
            color=way,
            marker="o",
            markersize=5,
            linestyle=":" if left[row] else "-",
            linewidth=1.0 if left[row] or not moves[row] else 2.0,
            alpha=0.6 if left[row] else 1.0,
        )
        name, outside = shortened(frame["name"][row], 40), came[row] or left[row]
        for x, rows, rank, text in (
            (0, before, frame["rank_before"][row], "{name}  {rank:,}"),
            (1, after, frame["rank"][row], "{rank:,}  {name}"),
        ):
            ax.annotate(
                text.format(name=name, rank=rank),
                (x, rows[row]),
                (12 * (2 * x - 1), 0),
                textcoords="offset points",
                ha="left" if x else "right",
                va="center",
                color=colour,
                alpha=0.6 if rank > n else 1.0,
                fontweight="bold" if x and outside and rank <= n else "normal",
                **AS_IS,
            )
    ax.set_xlim(-0.02, 1.02)
    ax.set_ylim(max(before.max(initial=1), after.max(initial=1)) + 0.6, 0.4)
    ax.set_xticks([0, 1], ["rank before", "rank after"])
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.set_yticks([])
    finish(ax, f"User {refinement.user} said: {_said(refinement.feedback)}", "")
    ax.spines[["left", "bottom"]].set_visible(False)
    return ax


def _rows(ranks: pd.Series, n: int) -> NDArray:
    """Return the row that each rank is drawn in: those below n close together, under a gap."""
    lower = ranks[ranks > n].rank(method="first")
    return ranks.where(ranks <= n, n + 1 + lower.reindex(ranks.index)).to_numpy(dtype=float)


def _said(feedback: Any) -> str:
    """Say the feedback and how much it was to count."""
    if feedback.amount and feedback.wishes:
        return f"{feedback} (usual amount)" if feedback.amount == "more" else str(feedback)
    given = dict.fromkeys([*feedback.like.values(), *feedback.dislike.values()])
    strengths = " and ".join(f"{strength:g}" for strength in given)
    return f"{feedback} (strength {strengths})" if strengths else str(feedback)
