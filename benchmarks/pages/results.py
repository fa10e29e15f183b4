"""The page of all results: an experiment a section, as tables of their own where they have them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.common.rows import figure_file, number
from benchmarks.pages import explanations, feedback, rivals
from benchmarks.pages.tables import FIGURES, Section, csv_table, heading, interval, sections

DOCS = Path(__file__).resolve().parents[2] / "docs"

TITLES = {
    "table 1": "Table 1: embeddings for changed tag preferences, synthetic data",
    "table 2": "Table 2: LIME's importances, synthetic data",
    "table 3": "Table 3: the data after the filters",
    "table 4": "Table 4: embeddings for somebody else's tag preferences",
    "table 5": "Table 5: refining from feedback",
    "table 6": "Table 6: refining without the regulariser",
    "figure 4": "Figure 4: turning one tag up and down",
    "figure 5": "Figure 5: importances of tags",
    "beyond explanations": "Beyond the paper: explanations compared",
    "beyond checks": "Beyond the paper: explanations add up, counterfactuals do what they say",
    "beyond newcomers": "Beyond the paper: users described by tags alone",
    "beyond new-items": "Beyond the paper: items that came after training",
    "beyond planted": "Beyond the paper: a ladder of planted truths",
    "beyond rivals": "Beyond the paper: feedback against four rivals",
    "beyond conversations": "Beyond the paper: conversations of several turns",
    "beyond distilled": "Beyond the paper: boxes without factors",
    "beyond feedback": "Beyond the paper: feedback that people really gave",
    "beyond sampling": "Beyond the paper: LIME from fewer, better placed draws",
    "beyond several": "Beyond the paper: feedback on two tags at once",
    "reliability inputs": "Reliability: inputs tried",
    "reliability faults": "Reliability: faults survived",
    "reliability digits": "Reliability: against 50 digits",
    "reliability app": "Reliability: the app under load",
}
HEAD = """\
The paper's experiments
=======================

Every number that `python -m benchmarks.paper` has measured for this manual, beside the paper's. The
intervals are 95 % percentile bootstrap intervals over users or pairs. Where the paper's data are
not to be had, others stand in: MovieLens-1M and the small release for MovieLens-10M, goodbooks-10k
for Goodreads-Comics; the paper's numbers are then those of its own data. "Bar" tells whether a
number meets what this project asked of it; most are only reported. :doc:`claims` draws the
conclusions. FOLDER is where the files of a data set are.
"""


# Experiments whose rows are laid out by functions of their own.
_PAGES = {
    explanations.EXPLANATIONS: explanations.page,
    explanations.CHECKS: explanations.page,
    feedback.EXPERIMENT: feedback.page,
    rivals.EXPERIMENT: rivals.page,
}
_BARS = {None: "", True: "met", False: "missed"}


def page(everything: dict[str, Any], head: str, titles: dict[str, str]) -> str:
    """Return a page of the rows of some experiments."""
    parts = [head]
    for experiment, title in titles.items():
        made = list(sections(everything, experiment))
        if made:
            parts.append(f"{title}\n{'-' * len(title)}\n")
            special = _PAGES.get(experiment)
            parts += special(everything, experiment) if special else _plain(experiment, made)
    return "\n".join(parts)


def _plain(experiment: str, made: list[Section]) -> Iterator[str]:
    """Yield a table for each name of rows, a number a line, and the figure where there is one."""
    for name, how, rows in made:
        yield from heading(name.removeprefix(experiment).strip(), how)
        for where in dict.fromkeys(row["name"] for row in rows):
            lines = [["", "here", "95 % interval", "paper", "bar"]]
            lines += [_line(row) for row in rows if row["name"] == where]
            yield csv_table(where, lines)
        figure = f"{FIGURES}/{figure_file(name)}"
        if (DOCS / figure).exists():
            yield f".. image:: {figure}\n   :alt: {name}, drawn\n"


def _line(row: dict[str, Any]) -> list[str]:
    numbers = number(row["here"]), interval(row), number(row["paper"])
    return [f"``{row['column']}``", *numbers, _BARS[row["holds"]]]
