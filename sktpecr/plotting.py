"""The figures, also methods of what they draw; matplotlib is imported when one is drawn."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sktpecr._ranking import check_n

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from sktpecr._explanation import Explanation
    from sktpecr._refinement import Refinement

__all__ = [
    "plot_contributions",
    "plot_everybody",
    "plot_importances",
    "plot_list",
    "plot_profile",
    "plot_refinement",
]

# Okabe and Ito's blue, vermilion and grey: apart for colour-blind readers, and in grey print.
_UP, _DOWN, _NEUTRAL = "#0072B2", "#D55E00", "#999999"
_METHODS = (_UP, "#E69F00", "#009E73", "#CC79A7")
# Points of a tag at most, and how many places its strip has for points beside each other.
_MOST_POINTS, _PLACES = 1000, 120
# Names are drawn as they are: between two dollar signs matplotlib would read a formula.
_AS_IS: dict[str, Any] = {"parse_math": False}


def plot_contributions(explanation: Explanation, ax: Axes | None = None, n_tags: int = 8) -> Axes:
    """Draw a waterfall from the value at average tag preferences to this user's.

    Parameters
    ----------
    explanation : Explanation
        What to draw.
    ax : matplotlib Axes, optional
        Where to draw. A new figure by default.
    n_tags : int, default=8
        How many tags get a bar of their own; the rest share one.

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
    >>> explanation = explainer.fit(data.interactions).explain(0, data.item_ids[0])
    >>> ax = plotting.plot_contributions(explanation)
    """
    n_tags = check_n(n_tags, "n_tags")
    frame = explanation.to_frame()
    shown, rest = frame.head(n_tags), frame.iloc[n_tags:]
    labels = [
        f"{tag} (on item)" if on else str(tag)
        for tag, on in zip(shown["tag"], shown["on_item"], strict=True)
    ]
    steps = list(shown["contribution"])
    if len(rest):
        labels.append(f"{len(rest)} more tags")
        steps.append(rest["contribution"].sum())
    labels.append("no tag sees")
    steps.append(explanation.residual)
    starts = explanation.base_value + np.concatenate([[0.0], np.cumsum(steps)[:-1]])

    ax = _axes(ax, n_rows=len(steps))
    colours = [_UP if step > 0 else _DOWN for step in steps[:-1]] + [_NEUTRAL]
    rows = np.arange(len(steps))
    ax.barh(rows, steps, left=starts, color=colours, height=0.7)
    for row, start, step in zip(rows, starts, steps, strict=True):
        ax.annotate(
            f"{step:+.3g}",
            (max(start, start + step), row),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
        )
    for value, name in ((explanation.base_value, "average tags"), (explanation.value, "this user")):
        ax.axvline(value, color="black", linewidth=0.8, linestyle=":")
        ax.annotate(
            f"{name} {value:.3g}",
            (value, 0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize="small",
        )
    ax.set_yticks(rows, labels, **_AS_IS)
    ax.set_ylim(len(steps) + 0.2, -0.8)
    ax.use_sticky_edges = False
    ax.margins(x=0.12)
    ax.set_title(f"{explanation.item_name}, user {explanation.user}", loc="left", **_AS_IS)
    ax.set_xlabel("value")
    return ax


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
    ax = _axes(ax, n_rows=2 * len(shown))
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
        colors = np.where(drawn > 0, _UP, _DOWN)
        ax.scatter(drawn, row + 0.8 * aside, s=5, c=colors, linewidths=0)
        ax.plot([np.median(values)] * 2, [row - 0.42, row + 0.42], color="black")
    ax.axvline(0, color=_NEUTRAL, linewidth=0.8, zorder=0)
    ax.set_yticks(range(len(strips)), [str(tag) for tag in strips], **_AS_IS)
    ax.invert_yaxis()
    ax.set_xlabel("contribution")
    ax.set_title("What tags contribute to everybody's lists", loc="left")
    return ax


def plot_importances(
    explanations: Sequence[Explanation], ax: Axes | None = None, n_tags: int = 8
) -> Axes:
    """Draw the importances of one item by several methods beside each other.

    Their units differ, so each method's are drawn relative to its largest.

    Parameters
    ----------
    explanations : sequence of Explanation
        Explanations of the same item for the same user.
    ax : matplotlib Axes, optional
        Where to draw. A new figure by default.
    n_tags : int, default=8
        How many tags are shown: those most important to the first explanation.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import TPECRExplainer, plotting
    >>> from sktpecr.attribution import LimeAttribution
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> data = make_tagged_interactions(random_state=0)
    >>> svd = TruncatedSVD(8, random_state=0).fit(data.interactions)
    >>> explanations = [
    ...     TPECRExplainer(svd, data.item_tags, attribution=attribution)
    ...     .fit(data.interactions)
    ...     .explain(0, data.item_ids[0])
    ...     for attribution in (None, LimeAttribution(random_state=0))
    ... ]
    >>> ax = plotting.plot_importances(explanations)
    """
    n_tags, first = check_n(n_tags, "n_tags"), explanations[0]
    if {(one.user, one.item) for one in explanations} != {(first.user, first.item)}:
        raise ValueError("explanations must be of the same item for the same user")
    tags = np.argsort(-np.abs(first.importances), kind="stable")[:n_tags]
    rows, height = np.arange(len(tags)), 0.8 / len(explanations)
    ax = _axes(ax, n_rows=len(tags) * len(explanations))
    for i, one in enumerate(explanations):
        largest = np.abs(one.importances).max() or 1.0
        ax.barh(
            rows + (i - (len(explanations) - 1) / 2) * height,
            one.importances[tags] / largest,
            height=height,
            color=_METHODS[i % len(_METHODS)],
            label=one.method.rsplit(",", 1)[0],
        )
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set_yticks(rows, [str(first.tag_names[t]) for t in tags], **_AS_IS)
    ax.invert_yaxis()
    ax.set_xlabel("importance, relative to the largest of each method")
    ax.set_title(f"{first.item_name}, user {first.user}", loc="left", **_AS_IS)
    ax.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.12))
    return ax


def plot_list(explanations: Sequence[Explanation], ax: Axes | None = None, n_tags: int = 8) -> Axes:
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
        bold, so that nothing hangs on colour.

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
    if not len(explanations) or len({one.user for one in explanations}) > 1:
        raise ValueError("explanations must be of one item at least, all for the same user")
    first = explanations[0]
    contributions = np.array([one.contributions for one in explanations])
    tags = np.argsort(-np.abs(contributions).max(axis=0), kind="stable")[:n_tags]
    values = contributions[:, tags]
    limit = np.abs(values).max() or 1.0
    ax = _axes(ax, n_rows=len(explanations))
    image = ax.imshow(values, cmap="PuOr", vmin=-limit, vmax=limit, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        ax.text(
            column,
            row,
            f"{value:+.2g}",
            ha="center",
            va="center",
            fontsize="small",
            fontweight="bold" if explanations[row].item_tags[tags[column]] else "normal",
            color="white" if abs(value) > 0.6 * limit else "black",
        )
    names = [textwrap.shorten(str(one.item_name), 34, placeholder="...") for one in explanations]
    ax.set_yticks(range(len(names)), names, **_AS_IS)
    tag_names = [str(first.tag_names[tag]) for tag in tags]
    ax.set_xticks(range(len(tags)), tag_names, rotation=45, ha="right", **_AS_IS)
    ax.set_title(f"User {first.user}: what tags contribute", loc="left", **_AS_IS)
    ax.figure.colorbar(image, ax=ax, label=f"contribution, {first.unit.split(' per ')[0]}")
    return ax


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
    ax = _axes(ax, n_rows=len(profile))
    values = profile["vs_population"].to_numpy()
    rows = np.arange(len(profile))
    ax.hlines(rows, 0, values, color=_NEUTRAL)
    ax.scatter(values, rows, color=[_UP if value > 0 else _DOWN for value in values], zorder=2)
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set_yticks(rows, [str(tag) for tag in profile["tag"]], **_AS_IS)
    ax.invert_yaxis()
    ax.set_xlabel("standard deviations from the average user")
    ax.set_title("Tag preferences in the model's view", loc="left")
    return ax


def plot_refinement(refinement: Refinement, ax: Axes | None = None, n: int = 10) -> Axes:
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
    frame = refinement._list(n)
    ax = _axes(ax, n_rows=len(frame))
    before, after = frame["rank_before"].to_numpy(), frame["rank"].to_numpy()
    for start, end in zip(before, after, strict=True):
        colour = _UP if end < start else _DOWN if end > start else _NEUTRAL
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
            **_AS_IS,
        )
    ax.set_ylabel("rank")
    ax.set_title(f"User {refinement.user}: {refinement.feedback}", loc="left", **_AS_IS)
    return ax


def _axes(ax: Axes | None, n_rows: int) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(7.5, 1.2 + 0.32 * n_rows), layout="constrained")[1]
