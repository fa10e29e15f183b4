"""A night on each engine, from what tools/engines.py measured."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from benchmarks.pages.tables import csv_table

USERS, LISTED, HOURS = 100_000_000, 50, 4


def table(path: Path) -> str:
    """Return reStructuredText, a row for each engine, from the file of results."""
    found = json.loads(path.read_text(encoding="utf-8"))
    measured = [
        ["Engine", "pairs/s of a core", "1 to 2 workers", "by the clock", "set-up of a worker, s"]
    ]
    nights = [["Engine", "core hours", f"workers for {HOURS} hours", "TB in", "TB out"]]
    for each in found["engines"]:
        cost = costs(each["measured"], found["pairs"])
        measured.append(
            [
                each["version"],
                f"{cost['rate']:,.0f}",
                f"{cost['scaling']:.2f}",
                f"{cost['clock']:.2f}",
                f"{cost['setup']:.1f}",
            ]
        )
        night = night_of(cost, found)
        nights.append(
            [
                each["version"],
                f"{night['core_hours']:,.1f}",
                f"{night['workers']:,}",
                f"{night['bytes_in'] / 1e12:.2f}",
                f"{night['bytes_out'] / 1e12:.2f}",
            ]
        )
    own = found["bytes_model"] / found["users_model"]
    return f"""\
{csv_table("Measured", measured)}
``{found["about"]["command"]}``, {found["about"]["date"]}: {found["pairs"]:,} pairs of
{found["users"]:,} users, the best of each row's runs, on two cores that other work shared (load
{_load(found)} while it ran). So scaling is by processor time: that of the busiest worker and of
all that is not the workers'. By the clock, workers competed with that work.

{csv_table(f"{USERS:,} users with {LISTED} candidates each, on paper", nights)}
*In* are the candidates ({found["bytes_in"]:.1f} bytes of Parquet each) and a user's part of the
mapped file ({own:,.0f} bytes: factors and history), read once. Items and tags are in the same file;
a machine's workers share them. *Workers* allows for what two workers lost, and for set-up. The disk
and the network are not in it.
"""


def costs(measured: list[dict[str, Any]], n_pairs: int) -> dict[str, float]:
    """Return what pairs cost one worker, and how much more two do."""
    one, two = ([each for each in measured if each["workers"] == n] for n in (1, 2))

    def best(name: str) -> float:
        return max(each[name] / both[name] for each, both in zip(one, two, strict=True))

    return {
        "rate": n_pairs / min(each["cpu"] for each in one),
        "scaling": best("path"),
        "clock": best("again"),
        "setup": max(0.0, min(each["first"] - each["again"] for each in one)),
        "bytes_out": one[0]["bytes_out"] / n_pairs,
    }


def night_of(cost: dict[str, float], found: dict[str, Any]) -> dict[str, float]:
    """Return hours, workers and bytes of all users' pairs."""
    n_pairs = USERS * LISTED
    core_hours = n_pairs / cost["rate"] / 3600
    left = (HOURS - cost["setup"] / 3600) * min(1.0, cost["scaling"] / 2)
    own = found["bytes_model"] / found["users_model"]
    return {
        "core_hours": core_hours,
        "workers": math.ceil(core_hours / left),
        "bytes_in": n_pairs * found["bytes_in"] + USERS * own,
        "bytes_out": n_pairs * cost["bytes_out"],
    }


def _load(found: dict[str, Any]) -> str:
    loads = [run["load"] for each in found["engines"] for run in each["measured"]]
    return f"{min(loads):.0f} to {max(loads):.0f}"
