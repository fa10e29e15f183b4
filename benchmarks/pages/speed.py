"""The page on speed: its titles, what is said above them, and all ratios as one figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.pages.tables import FIGURES

FIGURE = "speed.png"
TITLES = {
    "speed floor": "What the machine can do",
    "speed P1": "Tag preferences of everybody (P1)",
    "speed P2": "Tag preferences from a network (P2)",
    "speed P3": "An epoch of the CVAE (P3)",
    "speed P4": "A CVAE as good as the authors' recipe makes it (P4)",
    "speed P5": "LIME of a list of ten (P5)",
    "speed P6": "LIME from Sobol points (P6)",
    "speed P6b": "Exact attribution (P6b)",
    "speed P7": "Everybody's first ten, explained (P7)",
    "speed P8": "A turn of feedback (P8)",
    "speed P9": "The first ten of 100,000 items (P9)",
    "speed P10": "LIME of a list of ten, 1,000 tags (P10)",
    "speed P11": "A million items (P11)",
    "speed curves": "How cost grows",
    "speed app": "An answer in the browser",
}
HEAD = f"""\
Speed
=====

What `python -m benchmarks.speed` measured: medians of CPU time of one thread, of repeats in turn,
the same result checked first. Ratios are against the other way in the same run, and are what
carries over to another machine; each run says what its machine could do at that moment. Peers are
used well: the lime package explains a list in one call, torch infers in inference mode and in
blocks that stay in the cache, shap selects no features. "Bar" tells whether a number meets what
this project asked of it. Factors are random and of the size of MovieLens-10M, 69,878 users, 7,254
items, 19 tags and 64 factors, where no data set is named.

.. image:: {FIGURES}/{FIGURE}
   :alt: how many times as fast as each peer, by goal

What is missed, and why:

* Through a network (P2, and the parts of P5, P6, P7 and P10 that go through a CVAE) nearly all of
  the time is spent in its matrix products, and so is the other way's: what is left to win is the
  rest. A compiled kernel would win some of it, and is not here. Read off exactly, where scores are
  dot products, a list takes hundredths of a millisecond.
* Everybody's tag preferences (P1) are as many numbers written as one product makes: the floor is
  met, and the blocked product beside it is as many times slower as the machine's products are slow.
* An epoch of the CVAE (P3) is torch's: a plain loop over tensors costs the same, and the bars that
  a compiled loop met elsewhere are not met.
* A turn of feedback (P8) needs the scatter of all items by the user's taste, a product of its own
  for each user: that alone is over half a millisecond with these sizes, and nothing that a batch
  could share. The paper's online update spends its time in many small steps, not in products.
* Picking the first ten out of a batch of scores (P9) is a small part of computing them, so that the
  ratio hangs on the machine's products: with the 161 GFLOP/s of another machine it was 1.55.
"""


def draw(everything: dict[str, Any], path: Path) -> None:
    """Draw every ratio to a peer on random factors, a bar each, in the colour of its verdict."""
    from matplotlib.figure import Figure

    rows = [
        row
        for row in everything["rows"]
        if row["name"].startswith("speed P") and row["column"].startswith("times ")
        if row["name"].split()[2] == "synthetic"
    ][::-1]
    colours = {None: "0.6", True: "tab:blue", False: "tab:orange"}
    figure = Figure(figsize=(11, 1 + 0.22 * len(rows)), layout="constrained")
    axis = figure.subplots()
    places = range(len(rows))
    axis.barh(places, [row["here"] for row in rows], color=[colours[row["holds"]] for row in rows])
    labels = [f"{row['name'].removeprefix('speed ')}: {row['column']}" for row in rows]
    axis.set_yticks(places, [label.replace(" synthetic", "") for label in labels], fontsize=7)
    axis.axvline(1, color="k", lw=1)
    axis.set(xscale="log", xlabel="times as fast (blue: bar met, orange: missed, grey: no bar)")
    figure.savefig(path, dpi=80)
