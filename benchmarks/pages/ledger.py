"""Claims held against rows: what docs/claims.toml describes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from benchmarks.common.results import command
from benchmarks.common.rows import number
from benchmarks.pages.tables import with_interval

# How a row may stand to a rule.
YES, NO, OPEN = True, False, None


@dataclass(frozen=True)
class Judged:
    """A verdict and what it rests on: lines of numbers, and the command that makes them."""

    verdict: str
    remarks: list[str]
    found: list[str]
    command: str


def judge(claim: dict[str, Any], results: dict[str, Any]) -> Judged:
    """Return the verdict on one claim."""
    remarks = [claim["note"]] if "note" in claim else []
    rows = {(row["name"], row["column"]): row for row in results["rows"]}
    wanted = expected(claim) if "rule" in claim else {}
    outcomes, found = [], []
    for place, keys in wanted.items():
        here = [rows[key] for key in keys if key in rows]
        if here:
            met = [outcome(row, claim["rule"]) for row in here]
            outcomes += met
            found += _lines(place, here, met)
    n_wanted = sum(map(len, wanted.values()))
    if 0 < len(outcomes) < n_wanted:
        remarks.insert(0, f"{len(outcomes)} of {n_wanted} numbers were run.")
    if claim.get("rule", "bar") != "bar":
        remarks.insert(0, f"Rule: {claim['rule']}.")
    if "cannot" in claim and not outcomes:
        remarks.insert(0, f"Why: {claim['cannot']}.")
    untested = "cannot be tested" if "cannot" in claim else "not run here"
    made = ""
    if "rule" in claim:
        made = command(claim["experiment"], *claim["data"], models=claim.get("model", []))
    return Judged(verdict(outcomes) or untested, remarks, found, made)


def expected(claim: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """Return the (name, column) of the rows of a claim, by data, model and what."""
    columns = [
        column.replace("{k}", str(k))
        for column in claim["columns"]
        for k in (range(1, 6) if "{k}" in column else [0])
    ]
    parts = itertools.product(claim["data"], claim.get("model", [""]), claim.get("what", [""]))
    places = [" ".join(filter(None, part)) for part in parts]
    return {
        place: [(f"{claim['experiment']} {place}", column) for column in columns]
        for place in places
    }


def outcome(row: dict[str, Any], rule: str) -> bool | None:
    """Return whether a row meets a rule; None if its interval leaves that open."""
    if rule == "bar":
        return row["holds"]
    words, limit = rule.rsplit(" ", 1)
    x, here = float(limit), row["here"]
    if here is None:
        return OPEN
    low = here if row["low"] is None else row["low"]
    high = here if row["high"] is None else row["high"]
    simple = {
        "at most": here <= x,
        "at least": here >= x,
        "includes": low <= x <= high,
        "not below": high >= x,
        "not above": low <= x,
    }
    if words in simple:
        return simple[words]
    sides = {"below": (high < x, low >= x), "above": (low > x, high <= x)}
    if words not in sides:
        raise ValueError(f"no such rule: {rule!r}")
    meets, misses = sides[words]
    return YES if meets else NO if misses else OPEN


def verdict(outcomes: list[bool | None]) -> str:
    """Return the verdict on all rows of a claim together, "" if there are none."""
    if not outcomes:
        return ""
    if all(outcomes):
        return "holds"
    if any(outcomes):
        return "holds in part"
    return "does not hold" if NO in outcomes else "undecided"


def _lines(where: str, rows: list[dict[str, Any]], met: list[bool | None]) -> list[str]:
    """Return a line for each number below a line that says where."""
    lines = [where]
    for row, meets in zip(rows, met, strict=True):
        paper = "" if row["paper"] is None else f" | {number(row['paper'])}"
        mark = {YES: "", NO: " **no**", OPEN: " *open*"}[meets]
        lines.append(f"   ``{row['column']}``: {with_interval(row)}{paper}{mark}")
    return lines
