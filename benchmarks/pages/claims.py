"""The page of what the paper claims, a row and a verdict for each."""

from __future__ import annotations

from typing import Any

from benchmarks.pages import ledger
from benchmarks.pages.tables import csv_table, folded

HEAD = """\
The paper's claims
==================

One row for each claim in sections 4 and 5 of the paper, in our words. A rule that was written down
first decides on it by the numbers in :doc:`results`. A claim *holds* if all its numbers meet the
rule, and *holds in part* if some do.

"""
NOTE = """
*Numbers* under a claim gives what was found here, with 95 % intervals, then the paper's own number
after a stroke, and the command that measures it again (FOLDER is where the files of the data are).

"""
VERDICTS = ("holds", "holds in part", "does not hold", "undecided", "not run here")
UNTESTED = "cannot be tested"


def tally(claims: list[dict[str, Any]], everything: dict[str, Any]) -> str:
    """Return how many claims have each verdict, by what the paper shows them in."""
    verdicts = (*VERDICTS, UNTESTED)
    found: dict[str, dict[str, int]] = {}
    for claim in claims:
        verdict = ledger.judge(claim, everything).verdict
        counts = found.setdefault(claim["source"], dict.fromkeys(verdicts, 0))
        counts[verdict] += 1
    lines = [["shown in", *verdicts]]
    lines += [
        [source, *(str(n or "") for n in counts.values())] for source, counts in found.items()
    ]
    sums = [sum(counts[verdict] for counts in found.values()) for verdict in verdicts]
    lines.append([f"**all {len(claims)}**", *(f"**{n}**" if n else "" for n in sums)])
    return csv_table("", lines)


def page(claims: list[dict[str, Any]], everything: dict[str, Any]) -> str:
    """Return the ledger: the tally, and one row for each claim with its numbers folded."""
    cells = [["In the paper", "Claim", "Verdict"]]
    for claim in claims:
        judged = ledger.judge(claim, everything)
        verdict = [f"**{judged.verdict}**", *judged.remarks]
        found = ["\n".join(f"| {line}" for line in judged.found)] * bool(judged.found)
        made = [f"``{judged.command}``"] if judged.command else []
        numbers = [folded("Numbers", ["\n\n".join([*found, *made])])] if found else made
        cells.append(
            [
                f"{claim['source']}\n\nsection {claim['section']}",
                "\n".join([claim["claim"], *numbers]),
                "\n\n".join(verdict),
            ]
        )
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 14 60 26", ""]
    for row in cells:
        for place, cell in enumerate(row):
            first, *rest = cell.split("\n")
            lines.append(f"   {'*' if place == 0 else ' '} - {first}".rstrip())
            lines += [f"       {line}".rstrip() for line in rest]
    return HEAD + tally(claims, everything) + NOTE + "\n".join(lines) + "\n"
