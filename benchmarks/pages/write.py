"""Write what the manual says in numbers from what the experiments left in results/*.json.

These are docs/results.rst, docs/speed.rst, docs/scaling.rst, docs/claims.rst and the tables of
docs/guide/recommenders.rst.

    python benchmarks/write_results.py [--check]

With --check nothing is written; the exit status is 1 if a page is not what it would be.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.common import results
from benchmarks.common.rows import belongs, figure_file, number
from benchmarks.pages import adapters as adapters_table
from benchmarks.pages import explanations as explanations_page
from benchmarks.pages import feedback as feedback_page
from benchmarks.pages import ledger
from benchmarks.pages import rivals as rivals_page
from benchmarks.pages import scaling as scaling_page

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
SPEED_TITLES = {
    "speed floor": "What the machine can do",
    "speed P1": "Tag preferences of everybody (P1)",
    "speed P2": "Tag preferences from a network (P2)",
    "speed P3": "An epoch of the CVAE (P3)",
    "speed P4": "A CVAE as good as the authors' recipe makes it (P4)",
    "speed P5": "LIME of a list of ten (P5)",
    "speed P6": "LIME from Sobol points (P6)",
    "speed P6b": "Exact attribution (P6b)",
    "speed P7": "Everybody's first ten, explained (P7)",
    "speed P8": "A turn of feedback (P8)",
    "speed P9": "The first ten of 100,000 items (P9)",
    "speed P10": "LIME of a list of ten, 1,000 tags (P10)",
    "speed curves": "How cost grows",
    "speed app": "An answer in the browser",
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
SPEED_PAGE = f"""{MADE}
Speed
=====

What `benchmarks/speed.py` measured: medians of CPU time of one thread, of repeats in turn, the same
result checked first. Ratios are against the other way in the same run, and are what carries over to
another machine. "Bar" tells whether a number meets what this project asked of it. Factors are
random and of the size of MovieLens-10M, 69,878 users, 7,254 items, 19 tags and 64 factors, where no
data set is named.

What is missed, and why:

* Through a network (P2, and the parts of P5, P6, P7 and P10 that go through a CVAE) nearly all of
  the time is spent in its matrix products, and so is the other way's: what is left to win is the
  rest. A compiled kernel would win some of it, and is not here. Read off exactly, where scores are
  dot products, a list takes hundredths of a millisecond.
* A turn of feedback (P8) needs the scatter of all items by the user's taste, a product of its own
  for each user: that alone is over half a millisecond with these sizes, and nothing that a batch
  could share. The paper's online update spends its time in many small steps, not in products.
* Picking the first ten out of a batch of scores (P9) is a small part of computing them, so that the
  ratio hangs on the machine's products: with the 161 GFLOP/s of another machine it was 1.55.
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
        DOCS / "results.rst": results_page(everything, RESULTS_PAGE, TITLES),
        DOCS / "speed.rst": results_page(everything, SPEED_PAGE, SPEED_TITLES),
        DOCS / "scaling.rst": results_page(
            everything, f"{MADE}\n{scaling_page.head(everything)}", scaling_page.TITLES
        ),
        DOCS / "claims.rst": claims_page(claims, everything),
        DOCS / "guide" / "adapters.inc": adapters_page(adapters_table.table),
        DOCS / "guide" / "fold_in.inc": adapters_page(adapters_table.overlaps),
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


def adapters_page(table: Callable[[Path], str]) -> str:
    """Return what the page on recommenders includes."""
    return f"{MADE}\n{table(RESULTS / 'adapters.json')}"


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


def results_page(everything: dict[str, Any], head: str, titles: dict[str, str]) -> str:
    """Return a page of the rows of some experiments."""
    parts = [head]
    made = everything["about"]["experiments"]
    for experiment, title in titles.items():
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
