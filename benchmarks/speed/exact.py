"""P6b and P7: explanations read off exactly, of pairs and of everybody."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.common.rows import Row, row
from benchmarks.speed.places import Place
from benchmarks.speed.timing import cpu_seconds, medians, same
from sktpecr import CVAEGenerator
from sktpecr.attribution import ExactAttribution, LimeAttribution

_PAIRS = 1_000_000


def pairs(place: Place) -> list[Row]:
    """Given pairs from arrays to arrays, and one at a time through the public door."""
    world = place.world()
    name = f"speed P6b {world.name} exact attribution"
    explainer = world.explainer(attribution=ExactAttribution())
    tag_model = explainer.tag_model_
    n_users, n_items = world.X.shape
    every = np.arange(n_items)
    user = tag_model.tag_preferences[0], tag_model.user_embeddings[0], every
    (arrays,) = medians(lambda: tag_model.attribution.attribute(*user))
    explanation = explainer.explain(0, 3)
    found = tag_model.attribution.attribute(*user).importances[3]
    same(found, explanation.importances, 1e-6)
    rng, n_pairs = np.random.RandomState(1), _PAIRS if place.full else 200
    who, what = rng.randint(n_users, size=n_pairs), rng.choice(every, n_pairs)
    found = explainer.contributions(who[:50], what[:50])
    one_by_one = [
        explainer.explain(*pair).contributions
        for pair in zip(who[:50].tolist(), what[:50].tolist(), strict=True)
    ]
    same(found, np.array(one_by_one), 1e-5)
    (spent,) = medians(lambda: explainer.contributions(who, what), repeats=3)
    times = [
        cpu_seconds(lambda number=number: explainer.explain(number, number % n_items))
        for number in range(min(2_000, n_users))
    ]
    rate, p99 = n_pairs / spent, float(np.percentile(times, 99))
    return [
        row(
            name,
            "explanations a second, given pairs, contributions(users, items)",
            rate,
            holds=rate >= 1e6,
        ),
        row(name, "explanations a second, all items of one user", n_items / arrays),
        row(name, "ms, explain(user, item), median", 1e3 * statistics.median(times)),
        row(name, "ms, explain(user, item), 99th percentile", 1e3 * p99, holds=p99 < 1e-3),
    ]


def everybody(place: Place) -> list[Row]:
    """Everybody's first ten, explained, into Parquet, by one worker and by two."""
    world = place.world()
    n_users = len(world.users)
    name = f"speed P7 {world.name} everybody's top 10"
    explainer = world.explainer(attribution=ExactAttribution())
    bars = place.data == "synthetic"
    seconds = {}
    for n_jobs in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            start = time.process_time(), time.perf_counter()
            explainer.explain_batch(n_items=10, n_tags=5, to=Path(folder) / "all", n_jobs=n_jobs)
            seconds[n_jobs] = time.process_time() - start[0], time.perf_counter() - start[1]
            table = pd.read_parquet(Path(folder) / "all", columns=["user", "tag"])
        if len(table) != n_users * 10 * 5:
            raise AssertionError(f"{len(table)} rows, not {n_users * 10 * 5}")
    (spent, passed), (_, of_two) = seconds[1], seconds[2]
    sampled = world.explainer(
        generator=CVAEGenerator(max_epochs=2, random_state=0),
        attribution=LimeAttribution(target="rank", random_state=0),
    )
    some = np.arange(n_users)[: 1_000 if place.full else 20]
    sampled.explain_batch(some[:10], n_items=10, n_tags=5)
    slow = cpu_seconds(lambda: sampled.explain_batch(some, n_items=10, n_tags=5))
    slow *= n_users / len(some)
    return [
        row(f"{name}, exact", "CPU seconds, one worker", spent),
        row(f"{name}, exact", "seconds on the clock, one worker", passed),
        row(
            f"{name}, exact",
            "seconds on the clock, two workers",
            of_two,
            holds=of_two <= 10 if bars else None,
        ),
        row(
            f"{name}, CVAE and LIME of ranks",
            f"CPU seconds / 2, from {len(some):,} users",
            slow / 2,
            holds=slow / 2 <= 120 if bars else None,
        ),
    ]
