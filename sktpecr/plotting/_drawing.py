"""What the figures have in common."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Dark blue, orange and a grey between them: apart for colour-blind readers and in grey print, and
# each has a contrast of at least 3 with a white and with a black background.
UP, DOWN, NEUTRAL = "#1763A6", "#D97900", "#7F7F7F"
# Methods also differ by hatch or marker, so that their number is not bound by colours.
METHODS = (UP, DOWN, "#1B9E77", "#C0569B")
HATCHES, MARKERS = ("", "///", "...", "xxx"), ("o", "s", "^", "D")
# Names are drawn as they are: between two dollar signs matplotlib would read a formula.
AS_IS: dict[str, Any] = {"parse_math": False}
# Characters of a line of a title, and of a label beside a row.
_TITLE, _LABEL = 60, 30


def axes_for(ax: Axes | None, n_rows: int, width: float = 7.5) -> Axes:
    """Return the axes that are given, or new ones as high as so many rows need."""
    if ax is not None:
        if not hasattr(ax, "barh"):
            raise ValueError(f"ax must be matplotlib's Axes, got {type(ax).__name__}")
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=(width, 1.4 + 0.34 * n_rows), layout="constrained")[1]


def ink(ax: Axes) -> Any:
    """Return the colour of the text of axes, which a dark style makes light."""
    return ax.title.get_color()


def finish(ax: Axes, title: str, xlabel: str) -> None:
    """Set the title, wrapped, and the label, and take away what frames nothing."""
    ax.set_title(textwrap.fill(title, _TITLE), loc="left", **AS_IS)
    ax.set_xlabel(xlabel)
    ax.spines[["top", "right"]].set_visible(False)


def wrapped(label: Any) -> str:
    """Return the label of a row in lines of a readable length."""
    return textwrap.fill(str(label), _LABEL)


def shortened(name: Any, length: int) -> str:
    """Return a name on one line, cut where it is longer."""
    return textwrap.shorten(str(name), length, placeholder=" …") or str(name)[:length]


def places(values: Iterable[float]) -> int:
    """Return how many decimals to write: two, or more where the largest number needs them."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    return 2 if largest >= 0.1 or largest == 0 else min(1 - math.floor(math.log10(largest)), 12)


def written(value: float, decimals: int, sign: str = "") -> str:
    """Write a number as the axes do, with a minus instead of a hyphen."""
    rounded = round(value, decimals)
    text = f"{rounded:{sign}.{decimals}f}" if rounded else f"{0:.{decimals}f}"
    return text.replace("-", "\N{MINUS SIGN}")


def check_drawn(thing: Any, parameter: str, kind: str, *fields: str) -> None:
    """Raise unless it has the fields that are drawn."""
    missing = [field for field in fields if not hasattr(thing, field)]
    if missing:
        raise ValueError(
            f"{parameter} must be {kind}, or have what one has: {type(thing).__name__} has no "
            f"{missing[0]}"
        )


def check_each_drawn(things: Any, parameter: str, kind: str, *fields: str) -> list[Any]:
    """Return things as a list, or raise unless each has the fields that are drawn."""
    if isinstance(things, str | bytes) or not hasattr(things, "__iter__"):
        raise ValueError(f"{parameter} must be a list of {kind}s, got {type(things).__name__}")
    several = list(things)
    if not several:
        raise ValueError(f"{parameter} must be of one {kind} at least, got none")
    for each in several:
        check_drawn(each, f"each of {parameter}", f"a {kind}", *fields)
    return several
