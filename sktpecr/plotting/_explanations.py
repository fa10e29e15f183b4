"""Explanations of one item, and of a list."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sktpecr._inputs._numbers import check_n
from sktpecr.plotting._drawing import AS_IS, DOWN, METHODS, NEUTRAL, UP, axes_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_contributions(explanation: Any, ax: Axes | None = None, n_tags: int = 8) -> Axes:
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
    # Tags that the attribution says nothing of are no bars.
    frame = frame[frame["on_item"] | (frame["contribution"] != 0)]
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
    base, mark = explanation.base_value, "average tags"
    if explanation.activity:
        base, mark = base - explanation.activity, "average user"
        labels.insert(0, "all scores of this user")
        steps.insert(0, explanation.activity)
    starts = base + np.concatenate([[0.0], np.cumsum(steps)[:-1]])

    ax = axes_for(ax, n_rows=len(steps))
    colours = [UP if step > 0 else DOWN for step in steps[:-1]] + [NEUTRAL]
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
    for value, name in ((base, mark), (explanation.value, "this user")):
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
    ax.set_yticks(rows, labels, **AS_IS)
    ax.set_ylim(len(steps) + 0.2, -0.8)
    ax.use_sticky_edges = False
    ax.margins(x=0.12)
    ax.set_title(f"{explanation.item_name}, user {explanation.user}", loc="left", **AS_IS)
    ax.set_xlabel("value")
    return ax


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
        How many tags are shown: those most important to the first explanation.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.

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
    n_tags, first = check_n(n_tags, "n_tags"), explanations[0]
    if {(one.user, one.item) for one in explanations} != {(first.user, first.item)}:
        raise ValueError("explanations must be of the same item for the same user")
    tags = np.argsort(-np.abs(first.importances), kind="stable")[:n_tags]
    rows, height = np.arange(len(tags)), 0.8 / len(explanations)
    ax = axes_for(ax, n_rows=len(tags) * len(explanations))
    for i, one in enumerate(explanations):
        largest = np.abs(one.importances).max() or 1.0
        ax.barh(
            rows + (i - (len(explanations) - 1) / 2) * height,
            one.importances[tags] / largest,
            height=height,
            color=METHODS[i % len(METHODS)],
            label=one.method.rsplit(",", 1)[0],
        )
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set_yticks(rows, [str(first.tag_names[t]) for t in tags], **AS_IS)
    ax.invert_yaxis()
    ax.set_xlabel("importance, relative to the largest of each method")
    ax.set_title(f"{first.item_name}, user {first.user}", loc="left", **AS_IS)
    ax.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.12))
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
    ax = axes_for(ax, n_rows=len(explanations))
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
    ax.set_yticks(range(len(names)), names, **AS_IS)
    tag_names = [str(first.tag_names[tag]) for tag in tags]
    ax.set_xticks(range(len(tags)), tag_names, rotation=45, ha="right", **AS_IS)
    ax.set_title(f"User {first.user}: what tags contribute", loc="left", **AS_IS)
    ax.figure.colorbar(image, ax=ax, label=f"contribution, {first.unit.split(' per ')[0]}")
    return ax
