"""Figure 4: lists that follow a tag as it is turned up and down."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.common.rows import Row, mean_row, prefix, row
from benchmarks.common.world import world
from sktpecr.evaluation import evaluate_control

_K = (1000, 0.14)  # the paper's, and the share of its catalogue that this was
_LISTS = ("@1000", "@14%")
_STD = np.linspace(-1, 1, 9)
# The ends of the paper's axes, in units of the score.
_RAW = {"mf": 0.5, "ncf": 1.0, "fm": 1.0, "als": 0.5, "bpr": 0.5}
_STILL, _UNRELATED = 0.001, 0.2


def figure4(
    data_name: str, data_dir: Path | None, model_name: str, figures_dir: Path | None
) -> list[Row]:
    """Add d to one tag of every test user; see its items, and those of another tag, move."""
    here = world(data_name, data_dir, model_name)
    explainer = here.explainer("CVAE")
    raw = _RAW[model_name]
    cases = {
        units: evaluate_control(explainer, d=d, units=units, k=_K, return_cases=True)
        for units, d in (("raw", np.linspace(-raw, raw, 11)), ("std", _STD))
    }
    name = prefix("figure 4", data_name, model_name)
    rows = []
    for units, each in cases.items():
        for (d, tag), group in each.groupby(["d", "tag"], sort=True):
            which = {"changed": "changed", "other": "unrelated"}[tag]
            label = "0" if abs(d) < 1e-9 else f"{d:+.4g}"
            for at in _LISTS:
                for metric in ("F-MAP", "F-Recall"):
                    values = group[f"{metric}{at}"]
                    still = label == "0" and which == "changed"
                    rows.append(
                        mean_row(
                            name,
                            f"{metric}{at} d={label} {units} {which}",
                            values,
                            holds=abs(values.mean()) <= _STILL if still else None,
                        )
                    )
    means = (
        cases["std"]
        .groupby(["tag", "d"])[
            [f"{metric}{at}" for at in _LISTS for metric in ("F-MAP", "F-Recall")]
        ]
        .mean()
    )
    for column in means:
        changed, other = means[column]["changed"], means[column]["other"]
        rising = int(np.count_nonzero(np.diff(changed) >= 0))
        rows.append(row(name, f"{column} steps that do not fall", rising, holds=rising == 0))
        moved = float(other.abs().max() / changed.abs().max())
        bar = moved <= _UNRELATED if data_name == "movielens-1m" else None
        rows.append(row(name, f"{column} unrelated / changed", moved, holds=bar))
    return rows
