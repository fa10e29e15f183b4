"""Tables 5 and 6: feedback on one tag, by the paper's update, its baseline, and in closed form."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.rows import Row, figure_file, mean_row, prefix, ratio_row, row
from benchmarks.common.world import World, world
from sktpecr import FeedbackRefiner
from sktpecr.evaluation import evaluate_refinement, read_at_overlap
from sktpecr.solvers import EmbeddingSolver, OnlineSolver
from sktpecr.solvers._online import _PREFERENCES

_SCENARIOS = ("like", "dislike")
_K = (1000, 0.14)
_STRENGTHS = tuple(2.0**power for power in range(-5, 7))
# The authors' factorisation machine learned at other rates than their MF: SGD 5e-4 on tag
# preferences with a standard deviation of .416, 20 epochs, and 50 times the squared distance of
# embeddings with a root mean square of .114; the baseline's rate is MF's.
_FM_RATE, _FM_EPOCHS, _FM_WEIGHT = 5e-4 / 0.416**2, 20, 50 * 0.114**2
_FM_BASELINE_RATE = 2e-5 / 0.114**2
_HIGH = 100  # "already ranked high"
_LEAST_OVERLAP = 0.5  # drawn


def table5(
    data_name: str, data_dir: Path | None, model_name: str, figures_dir: Path | None
) -> list[Row]:
    """Compare the update of c_u with that of e_u, with and without the regulariser."""
    here = world(data_name, data_dir, model_name)
    name = prefix("table 5", data_name, model_name)
    rows, likes_and_dislikes = [], {}
    for scenario in _SCENARIOS:
        cases = _swept(here, scenario)
        published = cases[cases["strength"] == 1]
        rows += _compared(f"{name} {scenario}", published, barred=True)
        overlap = published.loc[published["method"] == "c_u", "overlap@1000"].mean()
        rows += _compared(f"{name} {scenario} equal overlap", read_at_overlap(cases, overlap))
        likes_and_dislikes[scenario] = {
            method: each["F-Rank"].to_numpy() for method, each in published.groupby("method")
        }
    for method, likes in likes_and_dislikes["like"].items():
        dislikes = likes_and_dislikes["dislike"][method]
        interval = _interval_of_difference(likes, dislikes)
        rows.append(
            row(
                f"{name} like and dislike",
                f"F-Rank {method} like - dislike",
                likes.mean() - dislikes.mean(),
                interval,
            )
        )
    if figures_dir is not None:
        _draw(here, name, figures_dir)
    return rows


def table6(
    data_name: str, data_dir: Path | None, model_name: str, figures_dir: Path | None
) -> list[Row]:
    """Leave the regulariser out."""
    here = world(data_name, data_dir, model_name)
    name, rows = prefix("table 6", data_name, model_name), []
    for scenario in _SCENARIOS:
        refiners = {"c_u reg=0": _refiners(here)["c_u reg=0"]}
        unregularised = _measured(here, refiners, scenario, (1.0,))
        regularised = _swept(here, scenario)
        regularised = regularised[regularised["strength"] == 1].set_index("method").loc[["c_u"]]
        ours, without = regularised.set_index("case"), unregularised.set_index("case")
        holds = {
            # Likes without it forget the history; dislikes gain less than with it.
            "like": {"c_u reg=0": without["F-Rank"].mean() < 0, "c_u": ours["F-Rank"].mean() > 0},
            "dislike": {
                "c_u reg=0": 0 < without["F-Rank"].mean() < ours["F-Rank"].mean(),
                "c_u": ours["F-Rank"].mean() > 0,
            },
        }[scenario]
        where = f"{name} {scenario}"
        for method, each in (("c_u", ours), ("c_u reg=0", without)):
            rows += [
                mean_row(where, f"{metric} {method}", each[metric])
                for metric in ("F-MAP@1000", "F-Recall@1000")
            ]
            rows.append(mean_row(where, f"F-Rank {method}", each["F-Rank"], holds=holds[method]))
            rows.append(mean_row(where, f"history kept {method}", each["history@1000"].dropna()))
        rows += [
            mean_row(where, f"{metric} c_u - c_u reg=0", ours[metric] - without[metric])
            for metric in ("F-MAP@1000", "F-Rank")
        ]
    return rows


def _refiners(here: World) -> dict[str, FeedbackRefiner]:
    explainer = here.explainer("CVAE")
    tag_model = explainer.tag_model_
    # What the solvers free the authors' settings by.
    spread = tag_model.embedding_variance
    variance = float(np.mean(np.square(tag_model.std)))
    if here.model_name == "fm":
        weight = _FM_WEIGHT / spread
        settings: dict[str, Any] = {"learning_rate": _FM_RATE * variance, "n_epochs": _FM_EPOCHS}
        of_embedding: dict[str, Any] = {"learning_rate": _FM_BASELINE_RATE * spread}
    else:
        loss = getattr(here.model, "feedback_loss", "bpr")
        weight = _PREFERENCES[loss].regularization / spread
        settings, of_embedding = {}, {}
    refiners = {
        "c_u": OnlineSolver(regularization=weight, **settings),
        "e_u": EmbeddingSolver(**of_embedding),
        "e_u reg": EmbeddingSolver(regularization=weight, **of_embedding),
        "c_u reg=0": OnlineSolver(regularization=0.0, **settings),
    }
    named = {name: FeedbackRefiner(explainer, solver=solver) for name, solver in refiners.items()}
    if here.exact:
        named["closed form"] = FeedbackRefiner(here.explainer("Gaussian"), solver="closed_form")
    return named


@cache
def _swept(here: World, scenario: str) -> Any:
    """Return the cases of all methods but the one of Table 6, over strengths."""
    refiners = {name: each for name, each in _refiners(here).items() if name != "c_u reg=0"}
    return _measured(here, refiners, scenario, _STRENGTHS)


def _measured(here: World, refiners: Any, scenario: str, strengths: tuple[float, ...]) -> Any:
    return evaluate_refinement(
        refiners, here.pairs, scenario, strengths=strengths, k=_K, return_cases=True
    )


def _compared(where: str, cases: Any, *, barred: bool = False) -> list[Row]:
    """Return the rows of one scenario; bars are the signs as published."""
    sign = -1 if where.split()[-1] == "like" else 1
    numbers = cases.select_dtypes("number").columns
    methods = {
        name: each[numbers].set_index("case") for name, each in cases.groupby("method", sort=False)
    }
    rows = [row(where, "pairs", len(next(iter(methods.values()))))]
    falls = [f"{metric}@{k}" for k in ("1000", "14%") for metric in ("F-MAP", "F-Recall")]
    for name, each in methods.items():
        for metric in falls:
            found = mean_row(where, f"{metric} {name}", each[metric])
            if barred and name in ("c_u", "e_u") and metric.endswith("@1000"):
                low, high = sorted((sign * (found.low or 0), sign * (found.high or 0)))
                found = replace(found, holds=low > 0 and high > 0)
            rows.append(found)
        rows.append(mean_row(where, f"F-Rank {name}", each["F-Rank"]))
        rows.append(row(where, f"median F-Rank {name}", each["F-Rank"].median()))
        rows.append(mean_row(where, f"improved {name}", each["improved"]))
        rows.append(mean_row(where, f"overlap {name}", each["overlap@1000"]))
        rows.append(mean_row(where, f"history kept {name}", each["history@1000"].dropna()))
        high = each["rank before"] <= _HIGH
        for label, some in (
            ("target in top 100", each[high]),
            ("target below top 100", each[~high]),
        ):
            if len(some):
                rows += [
                    mean_row(where, f"{metric} {name} {label}", some[metric])
                    for metric in ("F-Rank", "improved")
                ]
    compared = [("c_u", name) for name in methods if name != "c_u"] + [("e_u reg", "e_u")]
    if {"e_u reg", "e_u"} <= methods.keys():
        gained = (methods[name]["F-Rank"] for name in ("e_u reg", "e_u"))
        rows.append(ratio_row(where, "F-Rank e_u reg / e_u", *gained))
    for first, second in compared:
        if first in methods and second in methods:
            less = methods[first] - methods[second]
            rows += [
                mean_row(where, f"{metric} {first} - {second}", less[metric])
                for metric in (*falls, "F-Rank", "improved")
            ]
    return rows


def _interval_of_difference(first: Any, second: Any) -> tuple[float, float]:
    """Return the bootstrap interval of a difference of means of independent samples."""
    rng = np.random.RandomState(0)
    draws = [
        values[rng.randint(len(values), size=(2000, len(values)))].mean(axis=1)
        for values in (first, second)
    ]
    low, high = np.percentile(draws[0] - draws[1], [2.5, 97.5])
    return float(low), float(high)


def _draw(here: World, name: str, folder: Path) -> None:
    """Draw F-Rank and share improved against overlap, a curve per method."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(9, 6), layout="constrained")
    for line, scenario in zip(axes, _SCENARIOS, strict=True):
        means = (
            _swept(here, scenario)
            .groupby(["method", "strength"])[["overlap@1000", "improved", "F-Rank"]]
            .mean()
        )
        for axis, metric in zip(line, ("improved", "F-Rank"), strict=True):
            for method, each in means.groupby("method", sort=False):
                axis.plot(each["overlap@1000"], each[metric], marker=".", label=method)
                if method in ("c_u", "e_u"):
                    at_one = each.loc[(method, 1.0)]
                    axis.plot(at_one["overlap@1000"], at_one[metric], "k*", zorder=3)
            shown = means.loc[means["overlap@1000"] >= _LEAST_OVERLAP, metric]
            room = 0.05 * np.ptp(shown)
            axis.set(
                title=f"{scenario}s: {metric}",
                xlabel="overlap@1000",
                xlim=(1.01, _LEAST_OVERLAP),
                ylim=(shown.min() - room, shown.max() + room),
            )
    axes[0, 0].legend()
    figure.suptitle(f"{name} (stars: the authors' settings)")
    figure.savefig(folder / figure_file(name), dpi=120)
    plt.close(figure)
