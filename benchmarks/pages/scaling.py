"""The page on everybody at once: what a night takes, from what a user was measured to cost."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from benchmarks.pages.tables import csv_table, origin

TITLES = {
    "everybody size": "The size of MovieLens-10M, exact",
    "everybody sampled": "The size of MovieLens-10M, CVAE and LIME",
    "everybody books": "The readers of goodbooks-10k",
    "everybody million": "A million users, a hundred thousand items, a hundred tags",
    "everybody killed": "Killed and resumed",
}
PAGE = """\
Scaling
=======

What to do when
---------------

*Weekly*, or as often as the model is trained: ``fit`` an explainer on the new model and ``save``
it. Look at ``extractor_.steerability()`` and at the certificates of a few explanations before
people see them. ``Conversation.from_json`` applies earlier conversations to the new model and
says what changed. With many users, let ``fit`` learn from a sample (``train_users=``).

*Nightly*: ``explain_batch(to=...)`` for all users, or for those whose interactions changed
(``users=``). The job is resumable: started again, it continues where it stopped.
:doc:`guide/batch` shows how to spread it over machines.

*At each request*: ``explain`` for one user and item, and ``refine`` for an answer, take a
few milliseconds (:doc:`speed`). They need the explainer in memory: the factors of all items,
the tags, and the factors of the users that it serves.

What a night would take
-----------------------

This table is extrapolated, not measured: the milliseconds per user on one core, times the number
of users, on cores like the measured one that share only the disk. *In* is factors in single
precision and 20 interactions per user. *Out* is the size of a user's Parquet rows, with ten items
and five tags each. Item factors and tags are sent to each worker once, which is little in
comparison. Not included is what else grows, above all the time to start workers and to list many
files.

"""
HELD = """
The same calculation for jobs that one worker did, from the cost of the most similar size. It is
too low where a job has more tags than that, and it leaves out writing and fingerprints.

"""
# Jobs, and the items and tags that were measured to cost what is taken for theirs.
_JOBS = {
    "everybody size synthetic exact": (10_000, 20),
    "everybody sampled synthetic CVAE and LIME": (10_000, 20),
    "everybody million synthetic exact": (100_000, 20),
}
_COST = "everybody cost synthetic "
_USERS = (10_000_000, 1_000_000_000)
_HOURS = 4
_FACTORS, _SEEN = 64, 20
_NIGHTS = (
    "Users",
    "Items and tags",
    "Method",
    "Core hours",
    f"Cores for a night of {_HOURS} hours",
    "TB in",
    "TB out",
)
_HELD = (
    "Job",
    "Users",
    "By the cost of",
    "Extrapolated, s",
    "Measured, s",
    "Measured by extrapolated",
)


def head(everything: dict[str, Any]) -> str:
    """Return the page's prose and the table of nights."""
    made = everything["about"]["experiments"].get(_COST.strip())
    if made is None:
        return PAGE
    cost = f"""
What a user costs
-----------------

``{made["command"]}``

{origin(made)} Lists of ten, five tags each,
64 factors, as a DataFrame.

"""
    nights = csv_table("What a night would take", [_NIGHTS, *_nights(everything)])
    held = list(_held(everything))
    if held:
        nights += HELD + csv_table("Compared with measured jobs", [_HELD, *held])
    return PAGE + nights + cost + csv_table("CPU time of a user, ms", _milliseconds(everything))


def _costs(everything: dict[str, Any]) -> Iterator[tuple[int, int, str, float]]:
    """Yield items, tags, method and milliseconds."""
    for row in everything["rows"]:
        if row["name"].startswith(_COST):
            method, items, tags = row["name"].removeprefix(_COST).split(", ")
            yield int(items.split()[0]), int(tags.split()[0]), method, row["here"]


def _milliseconds(everything: dict[str, Any]) -> Iterator[list[str]]:
    found: dict[tuple[int, int], dict[str, str]] = {}
    for items, tags, method, spent in _costs(everything):
        found.setdefault((items, tags), {})[method] = f"{spent:.2g}"
    methods = list(dict.fromkeys(method for each in found.values() for method in each))
    yield ["Items", "Tags", *methods]
    for (items, tags), spent_by in sorted(found.items()):
        yield [f"{items:,}", f"{tags}", *(spent_by.get(method, "") for method in methods)]


def _nights(everything: dict[str, Any]) -> Iterator[list[str]]:
    parquet = "bytes of Parquet a user"
    out = max(
        (
            row["here"]
            for row in everything["rows"]
            if row["column"] == parquet and "synthetic" in row["name"]
        ),
        default=float("nan"),
    )
    moved = 4 * _FACTORS + 8 * _SEEN
    for n_users in _USERS:
        # The exact method first, as that is the default.
        for items, tags, method, spent in sorted(
            _costs(everything), key=lambda each: (each[2] != "exact", *each[:2])
        ):
            hours = n_users * spent / 1e3 / 3600
            size = f"{items:,} and {tags}"
            terabytes = [f"{n_users * each / 1e12:.2g}" for each in (moved, out)]
            cores = f"{max(1, math.ceil(hours / _HOURS)):,}"
            told = f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}"
            yield [f"{n_users:,}", size, method, told, cores, *terabytes]


def _held(everything: dict[str, Any]) -> Iterator[list[str]]:
    found = {(row["name"], row["column"]): row["here"] for row in everything["rows"]}
    costs = {(method, items, tags): spent for items, tags, method, spent in _costs(everything)}
    for job, (items, tags) in _JOBS.items():
        n_users, seconds = (found.get((f"{job}, 1 worker", each)) for each in ("users", "seconds"))
        spent = costs.get((job.partition(" synthetic ")[2], items, tags))
        if n_users is None or seconds is None or spent is None:
            continue
        expected = n_users * spent / 1e3
        told = [f"{each:.3g}" for each in (expected, seconds, seconds / expected)]
        yield [job, f"{n_users:,.0f}", f"{items:,} and {tags}", *told]
