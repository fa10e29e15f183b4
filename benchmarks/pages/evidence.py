"""The page that opens the evidence: three numbers, the tally of claims, and where the rest is."""

from __future__ import annotations

from typing import Any

from benchmarks.pages import ledger, rivals
from benchmarks.pages.claims import UNTESTED, VERDICTS
from benchmarks.pages.tables import csv_table

PAGE = """\
Evidence
========

Three numbers, made by the commands behind the links:

{numbers}

What speaks against it, from the same pages:

* Genres explain a small part of most scores. The certificate of an explanation says how much
  (:doc:`guide/explanations`).
* A like raises the films that people rated later, but by less than adding to the history the films
  that they rated in between (:doc:`results/beyond-feedback`).
* {missed} of {bars} speed targets were missed; :doc:`speed` says which, and why.

{tally}

.. rst-class:: cards

* :doc:`claims`

  Each claim of the paper with its verdict and numbers.

* :doc:`results/beyond-reasons`

  Do reasons hold? How often what they claim is true, beside tags dealt at random.

* :doc:`results`

  All experiments, with a page for each.

* :doc:`speed`

  How long each step takes, beside other ways to compute the same.

* :doc:`scaling`

  What it costs to explain the lists of all users.

* :doc:`reliability`

  What is promised, what is not, and which tests check it.

.. toctree::
   :hidden:

   claims
   results
   speed
   scaling
   reliability
"""


def page(claims: list[dict[str, Any]], everything: dict[str, Any]) -> str:
    """Return the page."""
    verdicts = [ledger.judge(claim, everything).verdict for claim in claims]
    tally = [["verdict on a claim of the paper", "claims"]]
    tally += [
        [each, str(verdicts.count(each))] for each in (*VERDICTS, UNTESTED) if each in verdicts
    ]
    bars = [
        row["holds"]
        for row in everything["rows"]
        if row["name"].startswith("speed ") and row["holds"] is not None
    ]
    return PAGE.format(
        numbers="\n".join(f"* {each}" for each in numbers(claims, everything)),
        tally=csv_table("", tally, widths="70 30"),
        missed=bars.count(False),
        bars=len(bars),
    )


def numbers(claims: list[dict[str, Any]], everything: dict[str, Any]) -> list[str]:
    """Return the three sentences, which README.md has, too."""
    rows = {(row["name"], row["column"]): row for row in everything["rows"]}
    verdicts = [ledger.judge(claim, everything).verdict for claim in claims]
    readings, above = rivals.readings(everything, "c_u")
    column = "ms, like, 1 amounts and a list, median"
    turn = rows["speed P8 synthetic feedback turn", column]["here"]
    return [
        f"**{verdicts.count('holds')} of {len(claims)}** claims of the paper hold when its "
        f"experiments are run again, {verdicts.count('holds in part')} hold in part and "
        f"{verdicts.count('cannot be tested')} cannot be tested (:doc:`claims`).",
        f"In **{above} of {readings}** comparisons, more of the items that users looked for rose "
        "than with the paper's gradient steps, at the same change of the list "
        "(:doc:`results/beyond-rivals`).",
        f"An answer moves the list in **{turn:.1f} ms**, with 7,254 items and one core "
        "(:doc:`speed`).",
    ]
