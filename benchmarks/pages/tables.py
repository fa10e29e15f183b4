"""What the pages share: tables of comma-separated values, and where numbers come from."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from benchmarks.common.rows import belongs, number

FIGURES = "images/results"  # of the manual: what `--figures` is told to draw there

# The name of an experiment on one data set, what made it, and its rows.
Section = tuple[str, dict[str, Any], list[dict[str, Any]]]


def csv_table(title: str, rows: Iterable[Iterable[str]], *, widths: str = "") -> str:
    """Return a table as reStructuredText without empty columns; the first row is its header."""
    table = [list(row) for row in rows]
    width = len(table[0])
    used = [column for column in range(width) if any(row[column] for row in table[1:])] or [0]
    if widths:
        widths = " ".join(widths.split()[column] for column in used)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([_literal(row[column]) for column in used] for row in table)
    header, *lines = text.getvalue().splitlines()
    options = [f":header: {header}"] + [f":widths: {widths}"] * bool(widths)
    first = f".. csv-table:: {title}".rstrip()
    return "\n".join([first, *(f"   {line}".rstrip() for line in [*options, "", *lines]), ""])


def _literal(cell: str) -> str:
    """Return a cell whose metric, such as recall@100, is no address to docutils."""
    return cell if "``" in cell else re.sub(r"[\w-]+@\w+", r"``\g<0>``", cell)


def folded(summary: str, parts: Iterable[str], *, made: dict[str, Any] | None = None) -> str:
    """Return parts that show when their summary is clicked on, below the command that made them."""
    lines = ["", ".. raw:: html", "", f'   <details class="folded"><summary>{escape(summary)}']
    lines += ["   </summary>", ""]
    if made:
        lines += [f"``{made['command']}``", "", origin(made), ""]
    return "\n".join([*lines, *parts, "", ".. raw:: html", "", "   </details>", ""])


def counted(rows: list[dict[str, Any]]) -> str:
    """Say how many numbers there are, and how many of those with a bar meet it."""
    bars = [row["holds"] for row in rows if row["holds"] is not None]
    numbers = f"{len(rows):,} numbers"
    return f"{numbers}, {sum(bars)} of {len(bars)} bars met" if bars else numbers


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
