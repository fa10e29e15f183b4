"""Rows of "beyond explanations" and "beyond checks" as tables: methods down, numbers across."""

from __future__ import annotations

from typing import Any

from benchmarks.common.rows import number
from benchmarks.pages.tables import counted, csv_table, folded, sections, with_interval

EXPLANATIONS, CHECKS = "beyond explanations", "beyond checks"
_METRICS = {
    "faithfulness": "held-out R²",
    "insertion": "insertion",
    "deletion": "deletion",
    "seeds: Spearman": "seeds: Spearman",
    "seeds: top 5": "seeds: top 5",
    "seeds: sign flips": "seeds: sign flips",
    "exact: Spearman": "exact: Spearman",
    "exact: sign flips": "exact: sign flips",
}
_EDITS = {
    "sign right": "sign right",
    "correlation": "correlation",
    "slope": "slope",
    "rank: sign right": "rank: sign right",
    "tag reached": "tag reached",
}
_TEXTS = {
    EXPLANATIONS: """\
Explanations of pairs of held-out users and items, by the generator that they go through. Held-out
R² is the squared correlation of what the importances predict with what the composite function does
over 200 random changes of all tags: importances for ranks have another unit than scores. Insertion
and deletion tell how much faster than in random order the score rises when tags are put where the
user has them, and falls when they are put where the average user has them, largest contribution
first; in standard deviations of the user's scores. Seeds compare three of them: LIME of the rank,
the paper's, draws its competitors anew. KernelSHAP is the shap package's, 2,048 coalitions against
the population's mean, all tags kept; permutation gives a tag 100 other users' values. The second
table turns the tags of the largest importance, one at a time, and compares what was promised.
""",
    CHECKS: """\
How far base value, contributions and residual are together from the recommender's own score, and
contributions from those of shap's LinearExplainer for the line through the composite function;
each the largest over all pairs, relative to the user's largest score.
""",
}


def page(everything: dict[str, Any], experiment: str) -> list[str]:
    """Return the parts of the page of one of the two experiments."""
    parts = [_TEXTS[experiment]]
    for name, made, rows in sections(everything, experiment):
        tables = _compared(rows) if experiment == EXPLANATIONS else _checked(rows, name)
        label = f"{name.removeprefix(experiment).strip()}: {counted(rows)}"
        parts.append(folded(label, tables, made=made))
    return parts


def _compared(rows: list[dict[str, Any]]) -> list[str]:
    parts = []
    for name in dict.fromkeys(row["name"] for row in rows):
        cells = {
            tuple(row["column"].rsplit(" | ", 1)): with_interval(row)
            for row in rows
            if row["name"] == name
        }
        for metrics, what in ((_METRICS, ""), (_EDITS, ", turned tag by tag")):
            shown = {key: title for key, title in metrics.items() if key in {k for k, _ in cells}}
            methods = dict.fromkeys(method for metric, method in cells if metric in shown)
            lines = [["", *shown.values()]]
            lines += [[each, *(cells.get((key, each), "") for key in shown)] for each in methods]
            parts.append(csv_table(f"{name.removeprefix(EXPLANATIONS).strip()}{what}", lines))
    return parts


def _checked(rows: list[dict[str, Any]], name: str) -> list[str]:
    columns = list(dict.fromkeys(row["column"] for row in rows))
    lines = [["", *columns]]
    for each in dict.fromkeys(row["name"] for row in rows):
        here = {row["column"]: number(row["here"]) for row in rows if row["name"] == each}
        label = each.removeprefix(name).strip()
        lines.append([label, *(here.get(column, "") for column in columns)])
    return [csv_table("sums of explanations", lines)]
