"""The page "Do reasons hold?", from the rows of benchmarks.beyond.reasons."""

from __future__ import annotations

from typing import Any

from benchmarks.common.rows import number
from benchmarks.pages.tables import Section, csv_table, folded, sections

EXPERIMENT = "beyond reasons"
INTRODUCTION = """\
A reason makes claims: that the item carries the tag, that the user likes it, and that asking for
less of it lowers the item. This page counts how often they are true, for the first ten items of the
lists of 300 users, drawn by seed. It compares:

* *account*: the reasons that the library gives by default
  (:class:`~sktpecr.attribution.AccountAttribution`).
* *importances*: what a text of the exact importances would name
  (:class:`~sktpecr.attribution.ExactAttribution`).
* *history*: the three tags of the item whose share of the user's history is farthest from the
  average share. It asks no model.
* *tags dealt*: the same methods, where each item has the tags of another item, drawn at random.

"""
COLUMNS = """\
*Named* are tags per item, *none* the share of items without any. *Claims true*: the tag's share of
the user's own history lies on the claimed side of the average share. *Obeyed*: "less" of the tag
that speaks most for an item lowers the item among the user's first hundred. *Same top* and
*Spearman*: after a training with another seed, how often the same own tag comes first, and the rank
correlation of own tags. *Kept*: share of the first three own tags that stay among them when the
model is also trained on 2 % fewer interactions. *R²*: share of the variance over users of an item's
score, without the user's level, that the named tags explain. An empty cell is not defined.

"""
WRONG = """\
Users who dislike a tag get items of that tag added to their histories, *dose* times as many as the
history is long, and the model embeds them again. A wrong belief is *held* where at least three
items more of the tag are in the list of ten. It is *found* where a reason for one of the new items
says that the user likes the tag. *Items named* is the share of all new items of the tag whose own
reasons say so, two or three reasons to an item. The reasons are the account's.

"""
PLANTED = """\
In a made-up world, the tag that truly contributes most to a score is known. The table gives the
share of items with a reason whose largest reason names it, where the model is given and where ALS
learns it from a tenth of the cells, by how much tastes correlate. The *oracle* has the true weights
of tags and reads tastes off the model's embeddings: what it misses, the model has not learned.
*With the level*: the truth includes what raises all scores of a user alike.

"""
LIMITS = """\
What this page cannot say:

* **Whether people find reasons helpful.** No person was asked.
* **That true claims need a model.** What the history alone names is true by construction, and
  stable, because it does not change between trainings. It says nothing of the score: it names tags
  for nearly every item, also where tags have no part in the score, and has no amounts. On *obeyed*
  alone can the account be better, and it is asked about fewer items: those that it gives a reason.
* **That stable means right.** With tags dealt at random, importances are stable to a large part.
  What they claim is then true little more often than a coin would be.
* **Why an item is in the list, beyond its tags.** *R²* is far below 1: most of what sets users'
  scores of an item apart is not in its tags. For the items under *none*, no tag is named.
* **How often wrong beliefs are found in real life.** Ours were put in, and a real one may be
  weaker. None is found where an item's tags do not explain its scores.
* **How it is elsewhere.** A cell that is not in the table was not measured. There are no intervals:
  shares are of up to 3,000 items of 300 users, and *obeyed* of 300 items, which alone gives about
  ±.03.

"""
_MAIN = {
    "named": "named",
    "none": "none",
    "claims true": "claims true",
    "less obeyed": "obeyed",
    "same top": "same top",
    "Spearman": "Spearman",
    "top 3 kept": "kept",
    "R2 named": "R²",
}
_WRONG = {
    "wrong beliefs {} held": "held",
    "wrong belief {} spotted, k=2": "found, of two",
    "wrong belief {} spotted, k=3": "found, of three",
    "wrong belief {} named, k=2": "items named, of two",
    "wrong belief {} named, k=3": "items named, of three",
}
_DOSES = ("0.5", "1.0")
_SYNTHETIC = f"{EXPERIMENT} synthetic"


def page(everything: dict[str, Any], experiment: str) -> list[str]:
    """Return the parts of the page: its tables, what they cannot say, and all figures."""
    found = list(sections(everything, experiment))
    cells = [_cell(each) for each in found if each[0] != _SYNTHETIC]
    held = [["", "method", *_MAIN.values()]]
    wrong = [["", "dose", *_WRONG.values()]]
    for place, methods in cells:
        for method, figures in methods.items():
            held.append([place, method, *(number(figures.get(key)) for key in _MAIN)])
        for dose in _DOSES:
            keys = (key.format(dose) for key in _WRONG)
            wrong.append([place, dose, *(number(methods["account"].get(key)) for key in keys)])
    parts = [INTRODUCTION, csv_table("what reasons claim, and how often it holds", held), COLUMNS]
    parts += [WRONG, csv_table("wrong beliefs that were put in", wrong)]
    for name, made, rows in found:
        if name == _SYNTHETIC:
            label = "planted tastes"
            parts += [PLANTED, csv_table("largest reason right", _planted(rows))]
        else:
            label = name.removeprefix(experiment).strip()
        parts.append(folded(f"{label}: all figures, and the command", _all(rows), made=made))
    return [*parts, LIMITS]


def _cell(section: Section) -> tuple[str, dict[str, dict[str, float]]]:
    """Return what a cell is called, and its figures by method."""
    name, _, rows = section
    methods: dict[str, dict[str, float]] = {}
    for row in rows:
        methods.setdefault(row["name"].removeprefix(name).strip(), {})[row["column"]] = row["here"]
    return name.removeprefix(EXPERIMENT).strip(), methods


def _planted(rows: list[dict[str, Any]]) -> list[list[str]]:
    columns = list(dict.fromkeys(row["column"] for row in rows))
    lines = [["world", *(each.split("| ")[1] for each in columns)]]
    for name in dict.fromkeys(row["name"] for row in rows):
        here = {row["column"]: number(row["here"]) for row in rows if row["name"] == name}
        world = name.removeprefix(_SYNTHETIC).strip()
        lines.append([world, *(here.get(column, "") for column in columns)])
    return lines


def _all(rows: list[dict[str, Any]]) -> list[str]:
    lines = [["", "number", "here"]]
    lines += [
        [row["name"].removeprefix(EXPERIMENT).strip(), row["column"], number(row["here"])]
        for row in rows
    ]
    return [csv_table("", lines)]
