"""Many users at once, and the paper's figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sktpecr._inputs._numbers import check_n
from sktpecr.plotting._drawing import (
    AS_IS,
    DOWN,
    MARKERS,
    METHODS,
    NEUTRAL,
    UP,
    axes_for,
    finish,
    ink,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# Points of a tag at most, and how many places its strip has for points beside each other.
_MOST_POINTS, _PLACES = 1000, 120


def plot_everybody(table: pd.DataFrame, ax: Axes | None = None, n_tags: int = 10) -> Axes:
    """Draw what tags contribute to the lists of many users, as a strip of points for each tag.

    Parameters
    ----------
    table : DataFrame
        What :meth:`sktpecr.TPECRExplainer.explain_batch` returned, or wrote, with columns tag and
        contribution. Only the tags that it lists of an item are in it.
    ax : matplotlib Axes, optional
        Where to draw. A new figure by default.
    n_tags : int, default=10
        How many tags are shown: those whose contributions have the largest mean size, over all
        recommendations.

    Returns
    -------
    matplotlib Axes
        The axes drawn on. A point is a recommendation; where many have the same contribution the
        strip is wide. Of a tag with more than a thousand, as many at equal steps of rank are drawn.
        A bar marks the median.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import TPECRExplainer, plotting
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> table = explainer.fit(data.interactions).explain_batch(n_items=5)
    >>> ax = plotting.plot_everybody(table, n_tags=4)
    """
    n_tags = check_n(n_tags, "n_tags")
    missing = {"tag", "contribution"} - set(getattr(table, "columns", ()))
    if missing or not len(table):
        raise ValueError(
            "table must be what explain_batch returned, with at least one row and columns tag and "
            f"contribution{'; it lacks ' + ', '.join(sorted(missing)) if missing else ''}"
        )
    by_tag = table.groupby("tag", observed=True)["contribution"]
    shown = by_tag.agg(lambda values: values.abs().sum()).nlargest(n_tags).index
    ax = axes_for(ax, n_rows=2 * len(shown))
    strips = {tag: np.sort(by_tag.get_group(tag).to_numpy()) for tag in shown}
    ends = [end for values in strips.values() for end in (values[0], values[-1])]
    places = np.linspace(min(ends), max(ends), _PLACES)
    for row, values in enumerate(strips.values()):
        steps = np.linspace(0, len(values) - 1, min(len(values), _MOST_POINTS))
        drawn = values[np.round(steps).astype(int)]
        # Points in one place lie above and below the line in turn, the widest to the strip's edge.
        _, start, count = np.unique(
            np.searchsorted(places, drawn), return_index=True, return_counts=True
        )
        number = np.arange(len(drawn)) - np.repeat(start, count)
        aside = np.ceil(number / 2) * np.where(number % 2, 1, -1) / max(count.max(), 8)
        colors = np.where(drawn > 0, UP, DOWN)
        ax.scatter(drawn, row + 0.8 * aside, s=5, c=colors, linewidths=0)
        ax.plot([np.median(values)] * 2, [row - 0.42, row + 0.42], color=ink(ax))
    ax.axvline(0, color=NEUTRAL, linewidth=0.8, zorder=0)
    ax.set_yticks(range(len(strips)), [wrapped(tag) for tag in strips], **AS_IS)
    ax.invert_yaxis()
    finish(
        ax,
        "What each tag adds to the scores of recommended items",
        "contribution to the score (a point is a recommendation, a bar the median)",
    )
    return ax


def plot_control(measured: pd.DataFrame, metric: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw how lists follow a tag preference that is raised or lowered: Figure 4 of the paper.

    Parameters
    ----------
    measured : DataFrame
        What :func:`sktpecr.evaluation.evaluate_control` returned.
    metric : str, optional
        Which of its metrics. The first by default.
    ax : matplotlib Axes, optional
        Where to draw. A new figure by default.

    Returns
    -------
    matplotlib Axes
        The axes drawn on: a line for each method, dashed for another tag than the one changed, with
        95 % intervals. Up means that items of the tag rose in the list: the metric with its sign
        turned round.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import TPECRExplainer, plotting
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> from sktpecr.evaluation import evaluate_control
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> explainer = explainer.fit(data.interactions, train_users=range(150))
    >>> ax = plotting.plot_control(evaluate_control(explainer, d=[-1, 0, 1], k=20))
    """
    missing = {"method", "tag", "d", "metric", "mean", "low", "high"} - set(
        getattr(measured, "columns", ())
    )
    if missing or not len(measured):
        raise ValueError("measured must be the summary that evaluate_control returned")
    known = list(dict.fromkeys(measured["metric"]))
    metric = known[0] if metric is None else metric
    if metric not in known:
        raise ValueError(f"metric must be one of {', '.join(map(repr, known))}, got {metric!r}")
    ax = axes_for(ax, n_rows=8)
    rows = measured[measured["metric"] == metric]
    for number, method in enumerate(dict.fromkeys(rows["method"])):
        color = METHODS[number % len(METHODS)]
        marker = MARKERS[number % len(MARKERS)]
        for tag, line in (("changed", "-"), ("other", "--")):
            some = rows[(rows["method"] == method) & (rows["tag"] == tag)].sort_values("d")
            label = f"{method}, {'the changed tag' if tag == 'changed' else 'another tag'}"
            # The metric is "before minus after" and falls where the tag's items rise.
            ax.plot(
                some["d"],
                -some["mean"],
                linestyle=line,
                marker=marker,
                color=color,
                markersize=5,
                label=label,
            )
            ax.fill_between(some["d"], -some["high"], -some["low"], color=color, alpha=0.15)
    ax.axhline(0, color=NEUTRAL, linewidth=0.8, zorder=0)
    finish(ax, "Do a tag's items rise when a user likes it more?", "added to the tag preference")
    ax.set_ylabel(f"rise of the tag's items ({metric.removeprefix('F-')})")
    ax.legend(frameon=False)
    return ax


def plot_related(tags: pd.DataFrame, ax: Axes | None = None, n_bins: int = 21) -> Axes:
    """Draw whether items have the tags that matter most for them: Figure 5 of the paper.

    Parameters
    ----------
    tags : DataFrame
        What :func:`sktpecr.evaluation.explained_tags` returned.
    ax : matplotlib Axes, optional
        Where to draw. A new figure by default.
    n_bins : int, default=21
        Bins of importance, of the same width, about 0.

    Returns
    -------
    matplotlib Axes
        The axes drawn on: bars for the number of importances in each bin, on a logarithmic scale,
        and on an axis of its own the share of them whose tag is on the item, dashed for all.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import TPECRExplainer, plotting
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> from sktpecr.evaluation import explained_tags
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> explainer = explainer.fit(data.interactions, train_users=range(150))
    >>> ax = plotting.plot_related(explained_tags(explainer, [(160, v) for v in data.item_ids]))
    """
    n_bins = check_n(n_bins, "n_bins")
    if not {"importance", "related"} <= set(getattr(tags, "columns", ())) or not len(tags):
        raise ValueError("tags must be what explained_tags returned, of one item at least")
    importances, related = tags["importance"].to_numpy(), tags["related"].to_numpy(dtype=float)
    limit = np.abs(importances).max() or 1.0
    edges = np.linspace(-limit, limit, n_bins + 1)
    number, _ = np.histogram(importances, edges)
    on_item, _ = np.histogram(importances, edges, weights=related)
    filled = number > 0
    middles = (edges[:-1] + edges[1:])[filled] / 2
    ax = axes_for(ax, n_rows=8)
    ax.bar(middles, number[filled], width=0.9 * (edges[1] - edges[0]), color=NEUTRAL, alpha=0.5)
    ax.set(ylabel="number of tags (bars)", yscale="log")
    finish(ax, "Do items have the tags that matter most for them?", "importance of a tag")
    share = ax.twinx()
    share.plot(middles, (on_item[filled] / number[filled]), "o-", color=UP, markersize=5)
    share.axhline(related.mean(), color=ink(ax), linestyle="--", linewidth=0.8)
    share.set(ylabel="share that the item has (dashed: of all tags)", ylim=(0, None))
    share.spines["top"].set_visible(False)
    return ax
