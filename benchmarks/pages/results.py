"""The pages of results: one that lists the experiments, and one for each of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.common.rows import figure_file, number
from benchmarks.pages import control, explanations, feedback, reasons, rivals
from benchmarks.pages.tables import FIGURES, counted, csv_table, folded, interval, sections

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
    "beyond checks": "Beyond the paper: explanations add up",
    "beyond counterfactuals": "Beyond the paper: what would bring an item in",
    "beyond newcomers": "Beyond the paper: users described by tags alone",
    "beyond new-items": "Beyond the paper: items that came after training",
    "beyond planted": "Beyond the paper: a ladder of planted truths",
    reasons.EXPERIMENT: "Do reasons hold?",
    "beyond rivals": "Beyond the paper: feedback against four rivals",
    "beyond conversations": "Beyond the paper: conversations of several turns",
    "beyond distilled": "Beyond the paper: models without factors",
    "beyond feedback": "Beyond the paper: feedback that people really gave",
    "beyond shown": "Beyond the paper: answers that show in the list",
    "beyond critiquing": "Beyond the paper: simulated critiques against the field's updates",
    "beyond sampling": "Beyond the paper: LIME from fewer, better placed draws",
    "beyond several": "Beyond the paper: feedback on two tags at once",
    "reliability inputs": "Reliability: inputs tried",
    "reliability faults": "Reliability: faults survived",
    "reliability digits": "Reliability: against 50 digits",
    "reliability app": "Reliability: the app under load",
}
HEAD = """\
Results
=======

Every number that ``python -m benchmarks.paper``, ``benchmarks.beyond.reasons`` and
``benchmarks.reliability`` measured for this manual: an experiment in each row, and all its numbers
behind the link. A *bar* is what this project asked of a number before it was measured; most numbers
have none.

Intervals are 95 % percentile bootstrap intervals over users or pairs. Where the paper's data cannot
be downloaded any more, others take their place: MovieLens-1M and the small release for
MovieLens-10M, goodbooks-10k for Goodreads-Comics. The paper's numbers, where they stand beside
ours, are those of its own data. :doc:`claims` draws the conclusions.

"""


# Experiments whose rows are laid out by functions of their own.
_PAGES = {
    explanations.EXPLANATIONS: explanations.page,
    explanations.CHECKS: explanations.page,
    feedback.EXPERIMENT: feedback.page,
    reasons.EXPERIMENT: reasons.page,
    rivals.EXPERIMENT: rivals.page,
}
_BARS = {None: "", True: "met", False: "missed"}


def index(everything: dict[str, Any]) -> str:
    """Return the page that lists the experiments."""
    lines = [["experiment", "data and models", "numbers", "bars met"]]
    made = [(name, list(sections(everything, name))) for name in TITLES]
    for experiment, found in made:
        rows = [row for *_, some in found for row in some]
        bars = [row["holds"] for row in rows if row["holds"] is not None]
        places = ", ".join(name.removeprefix(experiment).strip() for name, *_ in found)
        met = f"{sum(bars)} of {len(bars)}" if bars else ""
        if found:
            lines.append([f":doc:`{place_of(experiment)}`", places, f"{len(rows):,}", met])
    pages = "\n".join(f"   {place_of(name)}" for name, found in made if found)
    toctree = f".. toctree::\n   :hidden:\n\n{pages}\n"
    return f"{HEAD}{csv_table('All experiments', lines, widths='42 34 10 14')}\n{toctree}"


def place_of(experiment: str) -> str:
    """Return where the page of an experiment is, without the ending."""
    return f"results/{experiment.replace(' ', '-')}"


def pages(everything: dict[str, Any]) -> dict[str, str]:
    """Return a page for each experiment that was run, by the name of its file."""
    return {
        f"{place_of(experiment)}.rst": f"{title}\n{'=' * len(title)}\n\n{text}"
        for experiment, title in TITLES.items()
        if (text := "\n".join(_parts(everything, experiment)))
    }


def page(everything: dict[str, Any], head: str, titles: dict[str, str]) -> str:
    """Return one page of the rows of some experiments, folded, below what is said of them."""
    parts = [head]
    for experiment, title in titles.items():
        parts += _parts(everything, experiment, title)
    return "\n".join(parts)


def _parts(everything: dict[str, Any], experiment: str, title: str = "") -> Iterator[str]:
    """Yield what there is of an experiment: folded, a part for each data set and model."""
    special = _PAGES.get(experiment)
    if special:
        yield from special(everything, experiment)
        return
    if experiment == control.EXPERIMENT:
        yield control.INTRODUCTION
        yield f".. image:: /{FIGURES}/{control.FIGURE}\n   :alt: a panel for each data and model\n"
    for name, how, rows in sections(everything, experiment):
        place = name.removeprefix(experiment).strip()
        label = ", ".join(filter(None, (title, place)))
        yield folded(f"{label}: {counted(rows)}", _plain(name, rows), made=how)


def _plain(name: str, rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a table for each name of rows, a number a line, and the figure where there is one."""
    for where in dict.fromkeys(row["name"] for row in rows):
        lines = [["number", "here", "95 % interval", "paper", "bar"]]
        lines += [_line(row) for row in rows if row["name"] == where]
        yield csv_table(where, lines)
    figure = f"{FIGURES}/{figure_file(name)}"
    if (DOCS / figure).exists():
        yield f".. image:: /{figure}\n   :alt: {name}, drawn\n"


def _line(row: dict[str, Any]) -> list[str]:
    numbers = number(row["here"]), interval(row), number(row["paper"])
    return [f"``{row['column']}``", *numbers, _BARS[row["holds"]]]
