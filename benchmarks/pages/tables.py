"""What the pages share: tables of comma-separated values, and where numbers come from."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any

from benchmarks.common.rows import belongs, number

FIGURES = "images/results"  # of the manual: what `--figures` is told to draw there

# The name of an experiment on one data set, what made it, and its rows.
Section = tuple[str, dict[str, Any], list[dict[str, Any]]]


def csv_table(title: str, rows: Iterable[Iterable[str]], *, widths: str = "") -> str:
    """Return a table as reStructuredText; the first of the rows is its header."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    header, *lines = text.getvalue().splitlines()
    options = [f":header: {header}"] + [f":widths: {widths}"] * bool(widths)
    first = f".. csv-table:: {title}".rstrip()
    return "\n".join([first, *(f"   {line}".rstrip() for line in [*options, "", *lines]), ""])


def heading(title: str, made: dict[str, Any]) -> list[str]:
    """Return the parts that an experiment's section begins with."""
    return [f"{title}\n{'~' * len(title)}\n", f"``{made['command']}``\n", f"{origin(made)}\n"]


def origin(made: dict[str, Any]) -> str:
    """Say when, by which commit and, where it matters, on what machine numbers were made."""
    machine = f" On {made['machine']}." if "machine" in made else ""
    return f"Commit {made['commit']}, {made['date']}, {made['seconds']:.0f} s.{machine}"


def interval(row: dict[str, Any]) -> str:
    """Write the interval of a row."""
    return "" if row["low"] is None else f"{number(row['low'])} to {number(row['high'])}"


def with_interval(row: dict[str, Any]) -> str:
    """Write a number and its interval, where it has one."""
    return f"{number(row['here'])} ({interval(row)})" if interval(row) else number(row["here"])


def sections(everything: dict[str, Any], experiment: str) -> Iterator[Section]:
    """Yield an experiment's sections: one for each data set and model."""
    for name, made in everything["about"]["experiments"].items():
        if belongs(name, experiment):
            yield name, made, [row for row in everything["rows"] if belongs(row["name"], name)]
