"""Explanations of one item, and of a list."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sktpecr._inputs._numbers import check_n
from sktpecr.plotting._drawing import (
    AS_IS,
    DOWN,
    HATCHES,
    METHODS,
    NEUTRAL,
    UP,
    axes_for,
    check_drawn,
    check_each_drawn,
    finish,
    ink,
    places,
    shortened,
    wrapped,
    written,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# Of the width of the axes: the head of an arrow at most.
_HEAD = 0.02


def plot_contributions(explanation: Any, ax: Axes | None = None, n_tags: int = 8) -> Axes:
    """Draw the way from the average user's score to this user's, an arrow for each tag.

    Parameters
    ----------
    explanation : Explanation
        What to draw.
    ax : matplotlib Axes, optional
        Where to draw. A new figure by default.
    n_tags : int, default=8
        How many tags get an arrow of their own; the others share one.

    Returns
    -------
    matplotlib Axes
        The axes drawn on. The first row is where the way starts and the last where it ends; each
        arrow starts where the one above it ends. What no tag explains is a hollow arrow.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import TPECRExplainer, plotting
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> explanation = explainer.fit(data.interactions).explain(0, data.item_ids[0])
    >>> ax = plotting.plot_contributions(explanation)
    """
    n_tags = check_n(n_tags, "n_tags")
    check_drawn(explanation, "explanation", "an Explanation", "contributions", "base_value")
    steps, first = _steps(explanation, n_tags)
    sizes = np.array([size for _, size in steps])
    ends = first + np.concatenate([[0.0], np.cumsum(sizes)])
    ends[-1] = explanation.value
    unit = explanation.unit.split(" per ")[0]

    ax = axes_for(ax, n_rows=len(steps) + 2)
    span = float(np.ptp(ends)) or 1.0
    decimals, colour = places([*sizes, *ends[[0, -1]]]), ink(ax)
    for row, (start, end) in enumerate(pairwise(ends), start=1):
        side = UP if end > start else DOWN
        unexplained = row == len(steps)
        ax.fill(
            *_arrow(start, end, row, _HEAD * span),
            facecolor="none" if unexplained else side,
            edgecolor=NEUTRAL if unexplained else side,
            linewidth=1.5,
        )
        ax.plot([start, start], [row - 1, row], color=NEUTRAL, linewidth=0.8, zorder=0)
        _label(ax, max(start, end), row, written(end - start, decimals, "+"))
    ax.plot([ends[-1]] * 2, [len(steps), len(steps) + 1], color=NEUTRAL, linewidth=0.8, zorder=0)
    for row, value in ((0, ends[0]), (len(steps) + 1, ends[-1])):
        ax.plot(value, row, marker="D", color=colour, markersize=5)
        _label(ax, value, row, written(value, decimals), fontweight="bold")
    start_name = "the average user" if explanation.activity else "at average tag preferences"
    labels = [start_name, *(name for name, _ in steps), f"user {explanation.user}"]
    ax.set_yticks(range(len(labels)), [wrapped(label) for label in labels], **AS_IS)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    # Room for the number behind the arrow that reaches farthest.
    ax.set_xlim(ends.min() - 0.05 * span, ends.max() + 0.16 * span)
    name = f"{explanation.item_name}, user {explanation.user}: how the {unit} adds up"
    finish(ax, name, unit)
    return ax


def _steps(explanation: Any, n_tags: int) -> tuple[list[tuple[str, float]], float]:
    """Return what leads from the first value to the last, each with its name, and the first."""
    frame = explanation.to_frame()
    # Tags that the attribution says nothing of are no steps.
    frame = frame[frame["on_item"] | (frame["contribution"] != 0)]
    shown, others = frame.head(n_tags), frame.iloc[n_tags:]
    steps = [
        (str(tag) if on else f"{tag} (not its tag)", float(size))
        for tag, on, size in zip(shown["tag"], shown["on_item"], shown["contribution"], strict=True)
    ]
    if len(others):
        several = f"{len(others)} more tag{'s' if len(others) > 1 else ''}"
        steps.append((several, float(others["contribution"].sum())))
    steps.append(("not explained by tags", float(explanation.residual)))
    base = float(explanation.base_value)
    if explanation.activity:
        level = "higher" if explanation.activity > 0 else "lower"
        steps.insert(0, (f"all scores of this user are {level}", float(explanation.activity)))
        base -= explanation.activity
    return steps, base


def _arrow(start: float, end: float, row: int, head: float) -> tuple[list[float], list[float]]:
    """Return the outline of an arrow along a row; a short one is all head."""
    neck = end - np.sign(end - start) * min(abs(end - start), head)
    half = 0.32
    across = [row - half, row - half, row, row + half, row + half]
    return [start, neck, end, neck, start], across


def _label(ax: Axes, x: float, row: float, text: str, **options: Any) -> None:
    ax.annotate(text, (x, row), (6, 0), textcoords="offset points", va="center", **options)


def plot_importances(explanations: Sequence[Any], ax: Axes | None = None, n_tags: int = 8) -> Axes:
    """Draw the importances of one item by several methods beside each other.

    Their units differ, so each method's are drawn relative to its largest.

    Parameters
    ----------
    explanations : sequence of Explanation
        Explanations of the same item for the same user.
    ax : matplotlib Axes, optional
        Where to draw. A new figure by default.
    n_tags : int, default=8
        How many tags of each explanation are shown: its most important ones.

    Returns
    -------
    matplotlib Axes
        The axes drawn on. The tags are those that are among the most important of any explanation,
        in the order of the first. The title gives the rank correlation (Spearman's) of all
        importances with those of the first.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import TPECRExplainer, plotting
    >>> from sktpecr.attribution import ExactAttribution, LimeAttribution
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> data = make_tagged_interactions(random_state=0)
    >>> svd = TruncatedSVD(8, random_state=0).fit(data.interactions)
    >>> explanations = [
    ...     TPECRExplainer(svd, data.item_tags, attribution=attribution)
    ...     .fit(data.interactions)
    ...     .explain(0, data.item_ids[0])
    ...     for attribution in (ExactAttribution(), LimeAttribution(random_state=0))
    ... ]
    >>> ax = plotting.plot_importances(explanations)
    """
    n_tags = check_n(n_tags, "n_tags")
    explanations = check_each_drawn(explanations, "explanations", "Explanation", "importances")
    first = explanations[0]
    if {(one.user, one.item) for one in explanations} != {(first.user, first.item)}:
        raise ValueError("explanations must be of the same item for the same user")
    tables = [pd.Series(one.importances, index=one.tag_names) for one in explanations]
    sizes = [table.abs().sort_values(ascending=False, kind="stable") for table in tables]
    shown = set().union(*(size.index[:n_tags] for size in sizes))
    tags = [tag for tag in sizes[0].index if tag in shown]
    rows, height = np.arange(len(tags)), 0.8 / len(tables)
    ax = axes_for(ax, n_rows=len(tags) * max(1, len(tables) // 2) + len(tables))
    for number, (one, table) in enumerate(zip(explanations, tables, strict=True)):
        ax.barh(
            rows + (number - (len(tables) - 1) / 2) * height,
            table[tags] / (table.abs().max() or 1.0),
            height=0.9 * height,
            color=METHODS[number % len(METHODS)],
            hatch=HATCHES[number // len(METHODS) % len(HATCHES)] or HATCHES[number % len(HATCHES)],
            edgecolor=ax.get_facecolor(),
            label=one.method.rsplit(",", 1)[0],
        )
    ax.axvline(0, color=ink(ax), linewidth=0.8)
    ax.set_yticks(rows, [wrapped(tag) for tag in tags], **AS_IS)
    ax.invert_yaxis()
    agreement = [tables[0].corr(table, method="spearman") for table in tables[1:]]
    told = f"; rank correlation {', '.join(written(each, 2) for each in agreement)}"
    title = f"{first.item_name}, user {first.user}: importances{told if agreement else ''}"
    finish(ax, title, "importance, as a share of the method's largest")
    ax.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.12), frameon=False)
    return ax


def plot_list(explanations: Sequence[Any], ax: Axes | None = None, n_tags: int = 8) -> Axes:
    """Draw what tags contribute to the items of a list, as a heat map.

    Parameters
    ----------
    explanations : sequence of Explanation
        Explanations of several items for the same user, in the order of the list.
    ax : matplotlib Axes, optional
        Where to draw. A new figure by default.
    n_tags : int, default=8
        How many tags are shown: those that contribute most to any of the items.

    Returns
    -------
    matplotlib Axes
        The axes drawn on. Contributions are written into the cells, those of an item's own tags
        in bold, so that nothing depends on colour. A cell is empty where a tag that the item lacks
        contributes nothing.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import TPECRExplainer, plotting
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> explainer = explainer.fit(data.interactions)
    >>> listed = explainer.recommend(3, 5)["item"]
    >>> ax = plotting.plot_list([explainer.explain(3, item) for item in listed])
    """
    n_tags = check_n(n_tags, "n_tags")
    explanations = check_each_drawn(explanations, "explanations", "Explanation", "contributions")
    if len({one.user for one in explanations}) > 1:
        raise ValueError("explanations must be of items for the same user")
    first = explanations[0]
    contributions = np.array([one.contributions for one in explanations])
    tags = np.argsort(-np.abs(contributions).max(axis=0), kind="stable")[:n_tags]
    values = contributions[:, tags]
    limit, decimals = np.abs(values).max() or 1.0, places(values.ravel())
    ax = axes_for(ax, n_rows=len(explanations) + 2)
    # Of PuOr the middle half of each side: on it black can be read everywhere.
    image = ax.imshow(values, cmap="PuOr", vmin=-2 * limit, vmax=2 * limit, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        own = explanations[row].item_tags[tags[column]] > 0
        if own or value:
            ax.text(
                column,
                row,
                written(value, decimals, "+"),
                ha="center",
                va="center",
                fontsize="small",
                fontweight="bold" if own else "normal",
                color="black",
            )
    names = [shortened(one.item_name, 34) for one in explanations]
    ax.set_yticks(range(len(names)), names, **AS_IS)
    tag_names = [wrapped(first.tag_names[tag]) for tag in tags]
    ax.set_xticks(range(len(tags)), tag_names, rotation=45, ha="right", **AS_IS)
    unit = first.unit.split(" per ")[0]
    title = f"User {first.user}: what each tag adds to the {unit}"
    finish(ax, title, "bold: tags that the item has")
    ticks = [float(limit * share) for share in (-1, -0.5, 0, 0.5, 1)]
    bar = ax.figure.colorbar(image, ax=ax, label=unit, boundaries=np.linspace(-limit, limit, 101))
    bar.set_ticks(ticks, labels=[written(tick, decimals) for tick in ticks])
    return ax
