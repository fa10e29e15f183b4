"""Figure 5: how importances are spread, and how many of the tags they fall on are the item's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from benchmarks.common.rows import Row, figure_file, mean_row, prefix, row
from benchmarks.common.world import world
from sktpecr.evaluation import evaluate_explanations, explained_tags

# The authors' width of bins and range, for importances per standard deviation.
_BINS = {"ncf": (0.02, 0.2), "fm": (0.02, 0.2)}
_MF_BINS = (0.03, 0.3)
_FEWEST = 100  # scores in a bin that is to have a say in the peak
_PEAK = 1.5
_PAIRS, _QUALITY_PAIRS = 10_000, 100


def figure5(
    data_name: str, data_dir: Path | None, model_name: str, figures_dir: Path | None
) -> list[Row]:
    """Explain held-out interactions of test users as published: CVAE, rank-label LIME."""
    here = world(data_name, data_dir, model_name)
    explainer = here.explainer("CVAE", published=True)
    tags = explained_tags(explainer, here.pairs[:_PAIRS])
    name = prefix("figure 5", data_name, model_name)
    # A case is a pair: tags of one item are not independent.
    related = tags.assign(related=tags["related"].astype(float))
    average = related["related"].mean()
    shares = {}
    for side, chosen in (
        ("related scores > 0", related["importance"] > 0),
        ("related scores < 0", related["importance"] < 0),
    ):
        shares[side] = related.loc[chosen, "related"]
    bars = data_name == "movielens-1m"
    above, below = (shares[side].mean() - average for side in shares)
    differences = _differences(related)
    rows = [
        mean_row(name, "related average", related.groupby("case")["related"].mean()),
        row(name, "related scores > 0", shares["related scores > 0"].mean(), holds=above > 0),
        row(name, "related scores < 0", shares["related scores < 0"].mean(), holds=below < 0),
        row(name, "related scores > 0 - average", above, differences["above"]),
        row(name, "related scores < 0 - average", below, differences["below"]),
    ]
    width, limit = _BINS.get(model_name, _MF_BINS)
    table = _binned(related, width, limit)
    positive = table[(table["left"] > -width / 2) & (table["n"] >= _FEWEST)]
    rising = float(spearmanr(positive["left"], positive["related"]).statistic)
    peak = float(table.loc[table["n"] >= _FEWEST, "related"].max() / average)
    rows += [
        row(name, "related rank correlation of bins", rising, holds=rising > 0),
        row(name, "related peak / average", peak, holds=peak >= _PEAK if bars else None),
        row(
            name,
            "scores within 0.1 of range",
            (related["importance"].abs() <= 0.1 * limit).mean(),
        ),
        row(name, "median score", related["importance"].median()),
    ]
    quality = evaluate_explanations(explainer, here.pairs[:_QUALITY_PAIRS], return_cases=True)
    for column, label in (
        ("faithfulness", "faithfulness"),
        ("seeds: Spearman", "stability Spearman"),
        ("seeds: top 5", "stability top 5"),
        ("seeds: sign flips", "sign flips"),
        ("exact: Spearman", "exact Spearman"),
    ):
        if column in quality:
            rows.append(mean_row(f"{name} quality", label, quality[column].dropna()))
    if figures_dir is not None:
        _draw(table, average, name, figures_dir)
    return rows


def _differences(tags: Any, n_resamples: int = 1000) -> dict[str, tuple[float, float]]:
    """Return intervals of the share of related tags above and below 0, less the average."""
    grouped = tags.assign(
        above=tags["importance"] > 0,
        below=tags["importance"] < 0,
        related_above=tags["related"] * (tags["importance"] > 0),
        related_below=tags["related"] * (tags["importance"] < 0),
        one=1.0,
    ).groupby("case")[["related", "one", "above", "below", "related_above", "related_below"]]
    sums = grouped.sum().to_numpy(np.float64)
    rng = np.random.RandomState(0)
    drawn = np.array(
        [sums[rng.randint(len(sums), size=len(sums))].sum(axis=0) for _ in range(n_resamples)]
    )
    average = drawn[:, 0] / drawn[:, 1]
    intervals = {}
    for side, column in (("above", 2), ("below", 3)):
        low, high = np.percentile(drawn[:, column + 2] / drawn[:, column] - average, [2.5, 97.5])
        intervals[side] = float(low), float(high)
    return intervals


def _binned(tags: Any, width: float, limit: float) -> Any:
    """Return the number of scores and the share of related tags by bin, open at both ends."""
    import pandas as pd

    edges = np.arange(-round(limit / width), round(limit / width) + 1) * width
    place = np.digitize(tags["importance"], edges)
    found = tags.groupby(place)["related"].agg(["mean", "size"])
    lefts = np.concatenate([[-np.inf], edges])
    return pd.DataFrame(
        {
            "left": lefts[found.index],
            "middle": np.concatenate([[edges[0] - width / 2], edges + width / 2])[found.index],
            "n": found["size"].to_numpy(),
            "related": found["mean"].to_numpy(),
        }
    )


def _draw(table: Any, average: float, name: str, folder: Path) -> None:
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    width = float(np.diff(table["middle"]).min()) * 0.9
    axis.bar(table["middle"], table["n"], width=width, color="lightsteelblue")
    axis.set(xlabel="importance of a tag, per standard deviation", ylabel="tags", yscale="log")
    ratio = axis.twinx()
    ratio.plot(table["middle"], table["related"], "o-", color="firebrick", markersize=4)
    ratio.axhline(average, color="grey", linestyle="--", linewidth=1)
    ratio.set(ylabel="share of them on the item (dashed: average)", ylim=(0, None))
    figure.suptitle(name)
    figure.savefig(folder / figure_file(name), dpi=120)
    plt.close(figure)
