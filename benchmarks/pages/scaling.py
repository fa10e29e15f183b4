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
    "everybody killed": "Killed, and gone on with",
}
PAGE = """\
Scaling
=======

When what is done
-----------------

Weekly, or as often as the model is trained: ``fit`` an explainer on the new model, ``save`` it, and
look at ``extractor_.steerability()`` and at the certificates of a few explanations before it serves
anybody. Conversations of before are replayed on the new model by ``Conversation.from_json``, which
says what changed. Where there are many users ``fit`` learns from a sample (``train_users=``).

Nightly: ``explain_batch(to=...)`` for everybody, or for those whose interactions changed
(``users=``). It goes on where it was when it is started again, so that whatever runs it may kill
it. :doc:`guide/batch` has the ways to spread it over machines.

At each request: what people say cannot be known the night before. ``explain`` of one user and item,
and ``refine``, take a millisecond or two, see :doc:`speed`, and need the explainer of the week in
memory: factors of the items, tags, and of the users those that it serves.

What a night would take
-----------------------

Extrapolated, not measured: the milliseconds of a user on one core times as many users, on cores
like the one that was measured on, which share nothing but the disk. In: factors in single precision
and 20 interactions a user. Out: the bytes that a user takes as Parquet, ten items and five tags
each. Factors of items and tags are sent once to each worker, and count for nothing beside that.
What else grows, above all the time to start workers and to list many files, is not in it.

"""
HELD = """
The same sum for the jobs that one worker did, by the cost of the most similar size. It is too small
where a job has more tags than that, and by what it takes to write and to know the job again.

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
        nights += HELD + csv_table("Held against what was measured", [_HELD, *held])
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
