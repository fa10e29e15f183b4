"""The page of what the paper claims, a row and a verdict for each."""

from __future__ import annotations

from typing import Any

from benchmarks.pages import ledger

HEAD = """\
What holds of the paper's claims
================================

One row for each claim in sections 4 and 5 of the paper, in our words, judged by a rule from the
numbers in :doc:`results`, which are given with their 95 % intervals and, after a stroke, the
paper's own numbers. A claim holds if all numbers meet the rule and holds in part if some do; it is
undecided if intervals leave all of them open. FOLDER is where the files of a data set are.
"""


def page(claims: list[dict[str, Any]], everything: dict[str, Any]) -> str:
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
    return HEAD + "\n" + "\n".join(lines) + "\n"
