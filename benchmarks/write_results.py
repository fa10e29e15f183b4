"""Write docs/results.rst and docs/claims.rst from what the experiments left in results/*.json.

    python benchmarks/write_results.py [--check]

With --check nothing is written; the exit status is 1 if a page is not what it would be.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import tomllib
from pathlib import Path
from typing import Any

from experiments import explanations_page, feedback_page, ledger, results, rivals_page
from experiments.rows import belongs, figure_file, number

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
DOCS = ROOT / "docs"
FIGURES = "images/results"  # of docs: what `paper.py --figures` is told to draw there

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
    "beyond planted": "Beyond the paper: a ladder of planted truths",
    "beyond rivals": "Beyond the paper: feedback against four rivals",
    "beyond conversations": "Beyond the paper: conversations of several turns",
    "beyond distilled": "Beyond the paper: boxes without factors",
    "beyond feedback": "Beyond the paper: feedback that people really gave",
    "beyond several": "Beyond the paper: feedback on two tags at once",
    "speed app": "Speed: an answer in the browser",
    "speed P1": "Speed: tag preferences of everybody",
    "speed P5": "Speed: LIME of a list of ten",
    "speed P10": "Speed: LIME of a list of ten, 1,000 tags",
    "speed P6b": "Speed: exact attribution",
    "speed P7": "Speed: everybody's first ten, explained",
    "speed P8": "Speed: a turn of feedback",
    "speed P9": "Speed: the first ten of 100,000 items",
}
MADE = ".. Written by benchmarks/write_results.py: change what it reads, not this page.\n"
RESULTS_PAGE = f"""{MADE}
The paper's experiments
=======================

Every number that `benchmarks/paper.py` has measured for this manual, beside the paper's. The
intervals are 95 % percentile bootstrap intervals over users or pairs. Where the paper's data are
not to be had, others stand in: MovieLens-1M and the small release for MovieLens-10M, goodbooks-10k
for Goodreads-Comics; the paper's numbers are then those of its own data. "Bar" tells whether a
number meets what this project asked of it; most are only reported. :doc:`claims` draws the
conclusions. FOLDER is where the files of a data set are.
"""
CLAIMS_PAGE = f"""{MADE}
What holds of the paper's claims
================================

One row for each claim in sections 4 and 5 of the paper, in our words, judged by a rule from the
numbers in :doc:`results`, which are given with their 95 % intervals and, after a stroke, the
paper's own numbers. A claim holds if all numbers meet the rule and holds in part if some do; it is
undecided if intervals leave all of them open. FOLDER is where the files of a data set are.
"""


def main() -> int:
    """Write the pages or check them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, compare")
    check = parser.parse_args().check
    everything = read_all(RESULTS)
    if not check and any(
        belongs(row["name"], rivals_page.EXPERIMENT) for row in everything["rows"]
    ):
        rivals_page.draw(everything, DOCS / FIGURES / rivals_page.FIGURE)
    claims = tomllib.loads((DOCS / "claims.toml").read_text(encoding="utf-8"))["claim"]
    pages = {
        DOCS / "results.rst": results_page(everything),
        DOCS / "claims.rst": claims_page(claims, everything),
    }
    stale = []
    for path, text in pages.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(path.relative_to(ROOT).as_posix())
            if not check:
                path.write_text(text, encoding="utf-8")
    if stale:
        print(("out of date: " if check else "wrote ") + ", ".join(stale))
    return int(check and bool(stale))


def read_all(folder: Path) -> dict[str, Any]:
    """Return the results of all files in a folder as one."""
    experiments: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*.json")):
        found = results.read(path)
        twice = experiments.keys() & found["about"]["experiments"].keys()
        if twice:
            raise SystemExit(f"{path.name}: another file has results of {', '.join(sorted(twice))}")
        experiments |= found["about"]["experiments"]
        rows += found["rows"]
    return {"about": {"experiments": experiments}, "rows": rows}


def results_page(everything: dict[str, Any]) -> str:
    """Return the page of all rows, by experiment."""
    parts = [RESULTS_PAGE]
    made = everything["about"]["experiments"]
    for experiment, title in TITLES.items():
        names = [name for name in made if belongs(name, experiment)]
        if names:
            parts.append(f"{title}\n{'-' * len(title)}\n")
        if names and experiment == rivals_page.EXPERIMENT:
            parts += rivals_page.page(everything, f"{FIGURES}/{rivals_page.FIGURE}")
            continue
        if names and experiment in (explanations_page.EXPLANATIONS, explanations_page.CHECKS):
            parts += explanations_page.page(everything, experiment)
            continue
        if names and experiment == feedback_page.EXPERIMENT:
            parts += feedback_page.page(everything)
            continue
        for name in names:
            rows = [row for row in everything["rows"] if belongs(row["name"], name)]
            parts += _section(name.removeprefix(experiment).strip(), made[name], rows)
            figure = f"{FIGURES}/{figure_file(name)}"
            if (DOCS / figure).exists():
                parts.append(f".. image:: {figure}\n   :alt: {name}, drawn\n")
    return "\n".join(parts)


def _section(title: str, made: dict[str, Any], rows: list[dict[str, Any]]) -> list[str]:
    parts = [
        f"{title}\n{'~' * len(title)}\n",
        f"``{made['command']}``\n",
        f"Commit {made['commit']}, {made['date']}, {made['seconds']:.0f} s.\n",
    ]
    for name in dict.fromkeys(row["name"] for row in rows):
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        for row in rows:
            if row["name"] == name:
                bar = {None: "", True: "met", False: "missed"}[row["holds"]]
                numbers = number(row["here"]), ledger.interval(row), number(row["paper"])
                writer.writerow([f"``{row['column']}``", *numbers, bar])
        lines = table.getvalue().splitlines()
        parts += [
            f".. csv-table:: {name}\n   :header: , here, 95 % interval, paper, bar\n",
            "\n".join("   " + line for line in lines) + "\n",
        ]
    return parts


def claims_page(claims: list[dict[str, Any]], everything: dict[str, Any]) -> str:
    """Return the ledger: one row for each claim."""
    cells = [["Section", "Claim", "Verdict", "Found here | paper"]]
    for claim in claims:
        judged = ledger.judge(claim, everything)
        verdict = [f"**{judged.verdict}**", *judged.remarks]
        found = [f"| {line}" for line in judged.found]
        made = [f"``{judged.command}``"] if judged.command else []
        cells.append(
            [
                f"{claim['section']}\n\n{claim['source']}",
                claim["claim"],
                "\n\n".join(verdict),
                "\n\n".join(["\n".join(found)] * bool(found) + made) or "none",
            ]
        )
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 10 25 20 45", ""]
    for row in cells:
        for place, cell in enumerate(row):
            first, *rest = cell.split("\n")
            lines.append(f"   {'*' if place == 0 else ' '} - {first}".rstrip())
            lines += [f"       {line}".rstrip() for line in rest]
    return CLAIMS_PAGE + "\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
