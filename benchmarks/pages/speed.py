"""The page on speed: its chart, its titles, and what is said above them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.pages.tables import FIGURES
from sktpecr.plotting._drawing import NEUTRAL, UP

FIGURE = "speed.png"

TITLES = {
    "speed floor": "What the machine can do",
    "speed P1": "Tag preferences of all users (P1)",
    "speed P2": "Tag preferences from a network (P2)",
    "speed P3": "An epoch of the CVAE (P3)",
    "speed P4": "A CVAE as good as the authors' recipe makes it (P4)",
    "speed P5": "LIME of a list of ten (P5)",
    "speed P6": "LIME from Sobol points (P6)",
    "speed P6b": "Exact attribution (P6b)",
    "speed P7": "All users' first ten, explained (P7)",
    "speed P8": "A turn of feedback (P8)",
    "speed P9": "The first ten of 100,000 items (P9)",
    "speed P10": "LIME of a list of ten, 1,000 tags (P10)",
    "speed P11": "A million items (P11)",
    "speed P12": "From nothing to the first answer (P12)",
    "speed curves": "How cost grows",
    "speed app": "An answer in the browser",
}
# What the chart shows: the row, the step, and the other way to do it.
_SHOWN = (
    (
        "P1 synthetic tag preferences",
        "times a blocked product",
        "tag preferences of all users",
        "a blocked product",
    ),
    (
        "P6 synthetic LIME from Sobol points, scores",
        "times lime, the list in one call",
        "LIME of a list, fewer draws",
        "lime",
    ),
    (
        "P5 synthetic LIME of a list, scores",
        "times lime, the list in one call",
        "LIME of a list, lime's draws",
        "lime",
    ),
    (
        "P6 synthetic LIME from Sobol points, scores",
        "times shap's KernelExplainer, as many samples",
        "LIME of a list, fewer draws",
        "shap's KernelExplainer",
    ),
    (
        "P5 synthetic LIME of a list, ranks through a CVAE",
        "times lime, the list in one call",
        "LIME of ranks through a CVAE",
        "lime",
    ),
    (
        "P9 synthetic top 10 of 100,000 items",
        "times argpartition",
        "ten best of 100,000 items",
        "NumPy's argpartition",
    ),
    (
        "P3 synthetic an epoch of the CVAE",
        "times a DataLoader over lists",
        "an epoch of the CVAE",
        "a torch DataLoader",
    ),
    (
        "P3 synthetic an epoch of the CVAE",
        "times a plain loop over tensors",
        "an epoch of the CVAE",
        "a plain loop over tensors",
    ),
    (
        "P8 synthetic online update, largest tag",
        "times a loop that scores all items in each step",
        "the paper's online update",
        "its published loop",
    ),
    (
        "P9 synthetic top 10 of 100,000 items",
        "times torch.topk, batch",
        "ten best, batch of 256 users",
        "torch.topk",
    ),
    (
        "P9 synthetic top 10 of 100,000 items",
        "times torch.topk in blocks, batch",
        "ten best, batch of 256 users",
        "torch.topk in blocks",
    ),
    (
        "P9 synthetic top 10 of 100,000 items",
        "times implicit's recommend, batch",
        "ten best, batch of 256 users",
        "implicit's recommend",
    ),
)
HEAD = f"""\
Speed
=====

.. image:: {FIGURES}/{FIGURE}
   :alt: how many times faster each step is than another way to compute the same

The chart shows how many times faster each step is than another way to compute the same result. All
times below are medians of CPU time of one thread, measured by ``python -m benchmarks.speed``, which
first checks that both ways give the same result. Ratios come from the same run and carry over to
other machines; milliseconds do not. Where no data set is named, factors are random and of the size
of MovieLens-10M: 69,878 users, 7,254 items, 19 tags and 64 factors. A *bar* is what this project
asked of a number before it was measured. Each run also says how fast its machine was just then.

Other ways are used well: the lime package explains a list in one call, torch works in inference
mode and in blocks that stay in the cache, and shap keeps all features. What happens only once, such
as drawing perturbations, is in the times of a fresh process.

What limits the goals, and why bars are missed:

* Through a network (P2, and the parts of P5, P6, P7 and P10 that go through a CVAE) nearly all time
  is spent in the network's matrix products, which the other way needs as well. Where scores are dot
  products, an explanation of a list takes hundredths of a millisecond instead.
* A turn of feedback (P8) needs a matrix product of its own for each user: the scatter of all items,
  weighted by the user's taste. That alone takes over half a millisecond at this size.
* Picking the first ten out of a batch of scores (P9) takes little time beside computing the scores,
  so the ratio depends on the machine's matrix products: with the products alone, which both need,
  it would be about 2.6.
* Tag preferences of all users (P1) cost what one small matrix product does; the blocked product
  beside them is only as many times slower as the machine's large products are.
* An epoch of the CVAE (P3) is spent in torch, and a plain loop over tensors costs about the same.

"""


def draw(everything: dict[str, Any], path: Path) -> None:
    """Draw the ratios, on a logarithmic axis."""
    from matplotlib.figure import Figure

    rows = {(row["name"], row["column"]): row["here"] for row in everything["rows"]}
    shown = [
        (f"{what}\nbeside {other}", rows[f"speed {name}", column])
        for name, column, what, other in _SHOWN
        if (f"speed {name}", column) in rows
    ]
    figure = Figure(figsize=(8, 0.9 + 0.5 * len(shown)), layout="constrained")
    ax = figure.subplots()
    for place, (_, ratio) in enumerate(shown):
        ax.plot([1, ratio], [place, place], color=UP, linewidth=6, solid_capstyle="butt")
        text = f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}"
        ax.annotate(text, (ratio, place), (6, 0), textcoords="offset points", va="center")
    ax.axvline(1, color=NEUTRAL, linewidth=1)
    ax.set(xscale="log", xlim=(0.8, 1500), ylim=(len(shown) - 0.4, -0.6))
    ax.set_xticks([1, 10, 100, 1000], ["1", "10", "100", "1000"])
    ax.set_yticks(range(len(shown)), [label for label, _ in shown], fontsize="small")
    ax.set_xlabel("times faster")
    ax.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=100)
