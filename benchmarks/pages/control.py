"""The figure of "figure 4", drawn from the rows that were kept: how lists follow a tag."""

from __future__ import annotations

import re
from typing import Any

from matplotlib.figure import Figure

from benchmarks.pages.tables import sections
from sktpecr.plotting._drawing import DOWN, NEUTRAL, UP

EXPERIMENT, FIGURE = "figure 4", "figure-4.png"
INTRODUCTION = """\
The preference for one tag of each test user is lowered and raised. Up means that items of the tag
rise in the list: the paper's F-MAP with its sign turned round. Bands are 95 % intervals.
"""
_COLUMN = re.compile(r"F-MAP@1000 d=(\S+) std (changed|unrelated)")
_LINES = {"changed": ("the changed tag", UP, "o-"), "unrelated": ("another tag", DOWN, "s--")}


def figure(everything: dict[str, Any]) -> Figure:
    """Return a panel for each data set and model, and a curve for each kind of tag."""
    shown = list(sections(everything, EXPERIMENT))
    n_columns = min(3, len(shown)) or 1
    drawn = Figure(figsize=(10, 3 * -(-len(shown) // n_columns) or 3), layout="constrained")
    axes = drawn.subplots(-(-len(shown) // n_columns) or 1, n_columns, squeeze=False, sharex=True)
    for ax, (name, _, rows) in zip(axes.flat, shown, strict=False):
        for kind, (label, colour, line) in _LINES.items():
            found = sorted(
                (float(match[1]), row["here"], row["low"], row["high"])
                for row in rows
                if (match := _COLUMN.fullmatch(row["column"])) and match[2] == kind
            )
            if found:
                d, mean, low, high = ([each[part] for each in found] for part in range(4))
                ax.plot(d, [-each for each in mean], line, color=colour, markersize=4, label=label)
                ends = ([-each for each in side] for side in (high, low))
                ax.fill_between(d, *ends, color=colour, alpha=0.2)
        ax.axhline(0, color=NEUTRAL, linewidth=0.8, zorder=0)
        ax.set_title(name.removeprefix(EXPERIMENT).strip(), loc="left")
        ax.spines[["top", "right"]].set_visible(False)
    for ax in axes.flat[len(shown) :]:
        ax.set_axis_off()
    axes[0, 0].legend(frameon=False, fontsize="small")
    drawn.supxlabel("added to the tag preference, standard deviations")
    drawn.supylabel("rise of the tag's items (MAP@1000)")
    return drawn
