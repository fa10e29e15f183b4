"""Rows of "beyond feedback" as tables: who said what down, what it did for later films across."""

from __future__ import annotations

from typing import Any

from benchmarks.beyond.dated_films import METRICS
from benchmarks.pages.tables import counted, csv_table, folded, sections, with_interval

EXPERIMENT = "beyond feedback"
_TEXT = """\
Ratings in the order of time. Recommenders know the first 70 % of each user's films. The middle 15
% stand for an answer that nobody asked for: the tag whose share grew most is a like, and the one
whose share shrank most a dislike. The last 15 % judge: *log2 rank* tells how often the ranks of
these films halved, *rose* the share of them that rose, and ``recall@100`` how much of it was
gained.

Placebos are the user's other tags, each counting the same ("other tags") or as often as others
chose it ("tags of others"). The oracle chooses the tag by the last films themselves. "Plain" is
the plain step. "Middle films told" adds the middle films to the history and needs no tags. Words
are tags that users typed: the area under the curve tells how a user's own words rank among all
words, with her own typing left in the tags, taken out, or with all films that she rated taken out.
"""


def page(everything: dict[str, Any], experiment: str) -> list[str]:
    """Return the parts of the page."""
    parts = [_TEXT]
    for name, made, rows in sections(everything, experiment):
        label = f"{name.removeprefix(experiment).strip()}: {counted(rows)}"
        parts.append(folded(label, _tables(rows, name), made=made))
    return parts


def _tables(rows: list[dict[str, Any]], name: str) -> list[str]:
    gains = {(row["name"], *_split(row["column"])): row for row in rows}
    lines = [["", "", *METRICS]]
    for where, whose in dict.fromkeys(key[:2] for key in gains if key[2]):
        found = (gains.get((where, whose, metric)) for metric in METRICS)
        label = where.removeprefix(name).strip()
        lines.append(
            [label, whose or "ours", *(with_interval(row) if row else "" for row in found)]
        )
    others = [["", "", "here"]]
    others += [
        [where.removeprefix(name).strip(), whose, with_interval(row)]
        for (where, whose, metric), row in gains.items()
        if not metric
    ]
    return [csv_table("what feedback did for later films", lines), csv_table("the rest", others)]


def _split(column: str) -> tuple[str, str]:
    """Return whose number it is, and the metric; no metric if it is a number of its own."""
    for metric in METRICS:
        if column.startswith(metric):
            return column.removeprefix(metric).strip(), metric
    return column, ""
