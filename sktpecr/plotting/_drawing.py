"""What the figures have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's blue, vermilion and grey: apart for colour-blind readers, and in grey print.
UP, DOWN, NEUTRAL = "#0072B2", "#D55E00", "#999999"
METHODS = (UP, "#E69F00", "#009E73", "#CC79A7")
# Names are drawn as they are: between two dollar signs matplotlib would read a formula.
AS_IS: dict[str, Any] = {"parse_math": False}


def axes_for(ax: Axes | None, n_rows: int) -> Axes:
    """Return the axes that are given, or new ones as high as so many rows need."""
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(7.5, 1.2 + 0.32 * n_rows), layout="constrained")[1]
