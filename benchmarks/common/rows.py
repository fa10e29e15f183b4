"""What an experiment gives back: rows, named so that the ledger of claims can find them.

A row is one number. Its name is "<experiment> <data> <model> <what>", less what does not apply,
and its column says which number it is:

====================  ==================  =========================================================
name                  what                columns
====================  ==================  =========================================================
table 1 synthetic     seed 1550, fresh    MSE|NDCG G k, for G in Original, MLP, CVAE, Gaussian and
                                          k = 1..5 changed tags; MSE|NDCG CVAE - MLP k (paired, by
                                          user); MSE MLP / Original k; MSE CVAE largest;
                                          MSE CVAE at or under the paper's (columns of five), and
                                          the same with ", worst draw" (fresh only);
                                          NDCG Original steps that do not fall
table 2 synthetic     seed 1550, fresh    tag i on item of tag j, for i, j = 1..5;
                                          own tag j - largest other; own tag; other tags (means);
                                          own tag first (share of explanations);
                                          own tag of the farthest draw (fresh only)
table 3 DATA                              users, items, tags, interactions; and the same before and
                                          dropped, as in "items before", "items dropped";
                                          interactions of dropped items
table 4 DATA MODEL                        MSE|MAPE G, for G in Original, MLP, CVAE, Gaussian;
                                          MSE G / Original; MSE CVAE - MLP (paired, by user)
table 4 DATA MODEL    one tag             hit G, leak G (edits of one tag); distance G (to the
                                          population)
figure 4 DATA MODEL                       M@K d=D raw|std changed|unrelated, for M in F-MAP,
                                          F-Recall, K in 1000, 14%, D as +1, -0.5, 0;
                                          M@K steps that do not fall (changed tag, d in std);
                                          M@K unrelated / changed (largest absolute means over d)
table 5 DATA MODEL    like, dislike       M@K U, F-Rank U, improved U, overlap U, history kept U,
                                          for U in c_u, e_u, e_u reg, closed form;
                                          median F-Rank U; pairs;
                                          M@K|F-Rank|improved c_u - V, e_u reg - e_u (paired);
                                          F-Rank|improved U target in top 100|below top 100 (of the
                                          pairs whose target ranked there before)
table 5 DATA MODEL    like equal overlap, the same, every U at the strength where its list overlaps
                      dislike equal       the old one as much as that of c_u
                      overlap
table 5 DATA MODEL    like and dislike    F-Rank U like - dislike
table 6 DATA MODEL    like, dislike       M@K U, F-Rank U, history kept U, for U in c_u, c_u reg=0;
                                          M@K|F-Rank|history kept c_u - c_u reg=0 (paired)
figure 5 DATA MODEL                       related average; related scores > 0; related scores < 0;
                                          related scores > 0 - average; related scores < 0 - average
                                          (differences, for their intervals);
                                          related rank correlation of bins (Spearman's rho, bins
                                          above zero with 100 scores or more);
                                          related peak / average (the same bins); median score;
                                          scores within 0.1 of range (of the paper's bins)
figure 5 DATA MODEL   quality             faithfulness; stability Spearman; stability top 5;
                                          sign flips; exact Spearman
====================  ==================  =========================================================

DATA is an option of ``--data``, MODEL one of ``--model``. G, U, M, K, D stand for the words given.
The name up to the model is the prefix: running an experiment again replaces the rows that have it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import bootstrap

from benchmarks.common.published import published


@dataclass(frozen=True)
class Row:
    """One number, its 95 % interval, the paper's number, and whether it meets its bar."""

    name: str
    column: str
    here: float | None
    low: float | None = None
    high: float | None = None
    paper: float | None = None
    holds: bool | None = None


def row(
    name: str,
    column: str,
    here: float,
    interval: tuple[float, float] | None = None,
    *,
    holds: bool | None = None,
) -> Row:
    """Return a row of plain numbers, with the paper's number looked up."""
    here, low, high = (_plain(value) for value in (here, *(interval or (math.nan, math.nan))))
    met = None if holds is None else bool(holds)
    return Row(name, column, here, low, high, published(name, column), met)


def mean_row(name: str, column: str, values: ArrayLike, *, holds: bool | None = None) -> Row:
    """Return the mean of values, one of each independent unit (user, pair), with its interval."""
    values = np.asarray(values, dtype=np.float64)
    return row(name, column, values.mean(), interval(values), holds=holds)


def ratio_row(
    name: str, column: str, above: ArrayLike, below: ArrayLike, *, holds: bool | None = None
) -> Row:
    """Return the ratio of two means over the same units, with its interval."""
    above, below = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    found = interval(above, below, statistic=lambda a, b, axis: a.mean(axis) / b.mean(axis))
    return row(name, column, above.mean() / below.mean(), found, holds=holds)


def interval(
    *values: ArrayLike, statistic: Callable[..., ArrayLike] = np.mean, n_resamples: int = 2000
) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of a statistic, by default a mean.

    The arrays have one entry of each independent unit, the same units in all of them. With one
    unit there is no interval.
    """
    arrays = [np.asarray(each, dtype=np.float64) for each in values]
    if len(arrays[0]) < 2:
        return math.nan, math.nan
    # In batches: all resamples of ten thousand pairs at once take gigabytes.
    found = bootstrap(
        arrays,
        statistic,
        paired=len(arrays) > 1,
        vectorized=True,
        n_resamples=n_resamples,
        batch=max(1, 2**22 // len(arrays[0])),
        method="percentile",
        random_state=np.random.RandomState(0),
    ).confidence_interval
    return float(found.low), float(found.high)


def _plain(value: float) -> float | None:
    """Return a float that JSON knows, None for the others."""
    return float(value) if math.isfinite(value) else None


def prefix(experiment: str, data: str, model: str | None = None) -> str:
    """Return what the names of an experiment's rows begin with."""
    return " ".join(part for part in (experiment, data, model) if part)


def belongs(name: str, to: str) -> bool:
    """Whether a row of this name is an experiment's, given its prefix."""
    return name == to or name.startswith(to + " ")


def figure_file(name: str) -> str:
    """Return the name of the file that an experiment's figure is drawn in, given its prefix."""
    return f"{name.replace(' ', '-')}.png"


def number(value: float | None) -> str:
    """Write a number in a table: a count in full, else four significant digits."""
    if value is None:
        return ""
    return f"{value:.0f}" if abs(value) >= 1000 and value == round(value) else f"{value:.4g}"


def show(rows: Iterable[Row]) -> str:
    """Return rows as an aligned table, beside the paper's numbers."""
    lines = [("", "here", "low", "high", "paper", "holds")]
    last = None
    for each in rows:
        if each.name != last:
            lines.append((each.name, *[""] * 5))
            last = each.name
        verdict = {None: "", True: "yes", False: "NO"}[each.holds]
        numbers = map(number, (each.here, each.low, each.high, each.paper))
        lines.append(("  " + each.column, *numbers, verdict))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
