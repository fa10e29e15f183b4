"""Measure how fast things are, each beside peers in one run, the same result checked first.

    python benchmarks/speed.py
    python benchmarks/speed.py --only P1 P5 --json FILE

Times are medians of CPU time of one thread, of repeats in turn (the app's are of the clock); ratios
are what counts. Factors are random, of the size of MovieLens-10M unless it says otherwise. --quick
takes sizes at which nothing but the checks means anything. Not measured yet: P2, P3, P4, P6, CVAE
with LIME for everybody, the online update, real data, the stress size, peak memory of fresh
processes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # before numpy comes in

import numpy as np
import pandas as pd
import scipy.sparse as sp
from experiments import results
from experiments.rows import Row, row, show
from numpy.typing import NDArray

from sktpecr import FeedbackRefiner, TagPreferenceExtractor, TPECRExplainer
from sktpecr._ranking import top_items
from sktpecr.attribution import ExactAttribution, LimeAttribution
from sktpecr.recommenders import FactorRecommender


class Sizes(NamedTuple):
    """How large the random factors are."""

    users: int = 69_878
    items: int = 7_254
    tags: int = 19
    factors: int = 64


FULL, QUICK = Sizes(), Sizes(300, 200, 6, 8)
_REPEATS = 7


class World:
    """Random factors and tags, and an explainer over them."""

    def __init__(self, sizes: Sizes) -> None:
        rng = np.random.RandomState(0)
        self.sizes = sizes
        self.users = rng.standard_normal((sizes.users, sizes.factors)).astype(np.float32)
        self.items = rng.standard_normal((sizes.items, sizes.factors)).astype(np.float32)
        tags = rng.uniform(size=(sizes.items, sizes.tags)) < min(0.5, 2 / sizes.tags)
        tags[rng.permutation(sizes.items)[: sizes.tags], np.arange(sizes.tags)] = True
        self.tags = pd.DataFrame(
            tags.astype(np.int8), columns=[f"tag_{number}" for number in range(sizes.tags)]
        )
        self.recommender = FactorRecommender(self.users, self.items)
        # Twenty interactions each: what fitting needs, nothing that is measured.
        columns = rng.randint(sizes.items, size=(sizes.users, 20))
        rows = np.repeat(np.arange(sizes.users), 20)
        ones = np.ones(columns.size, dtype=np.float32)
        self.X = sp.csr_matrix((ones, (rows, columns.ravel())), (sizes.users, sizes.items))
        self.X.data[:] = 1

    def explainer(self, **settings: object) -> TPECRExplainer:
        return TPECRExplainer(self.recommender, self.tags, **settings).fit(self.X)


def medians(*functions: Callable[[], object], repeats: int = _REPEATS) -> list[float]:
    """Return the median CPU seconds of each, run in turn after one run to warm up."""
    for function in functions:
        function()
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(repeats):
        for spent, function in zip(times, functions, strict=True):
            start = time.process_time()
            function()
            spent.append(time.process_time() - start)
    return [max(statistics.median(spent), 1e-9) for spent in times]


def same(one: NDArray, other: NDArray, tolerance: float) -> float:
    """Return by how much two ways differ, relative to the largest number; stop if it is much."""
    worst = float(np.abs(one - other).max() / np.abs(other).max())
    if not worst <= tolerance:
        raise AssertionError(f"the two ways differ by {worst:.2g}, more than {tolerance:g}")
    return worst


def p1(sizes: Sizes) -> list[Row]:
    """Tag preferences of everybody, dot product."""
    world, name = World(sizes), "speed P1 synthetic tag preferences"
    extractor = TagPreferenceExtractor(world.recommender, world.tags).fit(world.X)
    weights = (world.tags / world.tags.sum()).to_numpy(np.float32)
    columns = [np.flatnonzero(world.tags[tag]) for tag in world.tags]
    n_naive = min(200, sizes.users)

    def ours() -> NDArray:
        return extractor.tag_preferences(world.users)

    def blocked() -> NDArray:
        found = np.empty((sizes.users, sizes.tags), dtype=np.float32)
        for start in range(0, sizes.users, 1024):
            rows = slice(start, start + 1024)
            found[rows] = world.users[rows] @ world.items.T @ weights
        return found

    def naive() -> NDArray:
        found = np.empty((n_naive, sizes.tags))
        for user in range(n_naive):
            scores = [float(world.users[user] @ item) for item in world.items]
            for tag, own in enumerate(columns):
                found[user, tag] = sum(scores[item] for item in own) / len(own)
        return found

    means = np.ascontiguousarray((weights.T @ world.items).T)
    floor = lambda: world.users @ means  # noqa: E731
    same(ours(), blocked(), 1e-5)
    same(ours()[:n_naive], naive(), 1e-5)
    mine, peer, least = medians(ours, blocked, floor)
    (slow,) = medians(naive, repeats=1)
    slow *= sizes.users / n_naive
    tracemalloc.start()
    out = ours()
    added = tracemalloc.get_traced_memory()[1] - out.nbytes
    tracemalloc.stop()
    return [
        row(name, "ms", 1e3 * mine),
        row(name, "times a blocked product", peer / mine, holds=peer / mine >= 100),
        row(name, "times a loop over users and items, extrapolated", slow / mine),
        row(name, "of the floor, one matrix product", mine / least, holds=mine / least <= 4),
        row(
            name, "MB added to the output, by tracemalloc", added / 2**20, holds=added <= 32 * 2**20
        ),
    ]


def _lime(sizes: Sizes, name: str, *, least: float, most: float | None = None) -> list[Row]:
    """Compare with the lime package: how many times as fast, and in how many seconds."""
    world = World(sizes)
    explainer = world.explainer(attribution=LimeAttribution(target="score", random_state=0))
    population = explainer._population
    fast = population.attribution
    peer = LimeAttribution(target="score", engine="lime", random_state=0).fit(
        population.composite, population.tag_preferences, population.user_embeddings
    )
    items = explainer.recommend(0, 10)["item"].to_numpy()
    user = population.tag_preferences[0], population.user_embeddings[0], items
    one, other = (each.attribute(*user).importances for each in (fast, peer))
    difference = same(one, other, 1e-5)
    (mine,) = medians(lambda: fast.attribute(*user))
    (theirs,) = medians(lambda: peer.attribute(*user), repeats=1)
    ratio = theirs / mine
    exact = ExactAttribution().fit(
        population.composite, population.tag_preferences, population.user_embeddings
    )
    (read_off,) = medians(lambda: exact.attribute(*user))
    return [
        row(name, "largest difference, relative", difference),
        row(name, "ms for a list of 10", 1e3 * mine, holds=mine < most if most else None),
        row(name, "times lime, its predict function vectorised", ratio, holds=ratio >= least),
        row(name, "times lime, read off exactly: another method, the default", theirs / read_off),
    ]


def p5(sizes: Sizes) -> list[Row]:
    """LIME of a list of ten, against the lime package on the same draws."""
    fewer = sizes._replace(users=min(sizes.users, 5_000))
    return _lime(fewer, "speed P5 synthetic LIME of a list", least=20, most=10e-3)


def p10(sizes: Sizes) -> list[Row]:
    """The same with 1,000 tags."""
    many = sizes._replace(users=min(sizes.users, 5_000), tags=1_000 if sizes is FULL else 40)
    return _lime(many, "speed P10 synthetic LIME of a list, 1,000 tags", least=200)


def p6b(sizes: Sizes) -> list[Row]:
    """Exact explanations: arrays, and one at a time through the public door."""
    world, name = World(sizes), "speed P6b synthetic exact attribution"
    explainer = world.explainer()
    population = explainer._population
    every = np.arange(sizes.items)
    user = population.tag_preferences[0], population.user_embeddings[0], every
    (arrays,) = medians(lambda: population.attribution.attribute(*user))
    explanation = explainer.explain(0, 3)
    found = population.attribution.attribute(*user).importances[3]
    same(found, explanation.importances, 1e-6)
    rng, n_pairs = np.random.RandomState(1), 20_000 if sizes is FULL else 200
    pairs = list(
        zip(rng.randint(sizes.users, size=n_pairs), rng.choice(every, n_pairs), strict=True)
    )

    def given() -> None:
        for who, item in pairs:
            population.attribution.attribute(
                population.tag_preferences[who], population.user_embeddings[who], [item]
            )

    (spent,) = medians(given, repeats=3)
    times = []
    for number in range(min(2_000, sizes.users)):
        start = time.process_time()
        explainer.explain(number, number % sizes.items)
        times.append(time.process_time() - start)
    rate, p99 = n_pairs / spent, float(np.percentile(times, 99))
    return [
        row(name, "explanations a second, given pairs one by one", rate, holds=rate >= 1e6),
        row(name, "explanations a second, all items of one user", sizes.items / arrays),
        row(name, "ms, explain(user, item), median", 1e3 * statistics.median(times)),
        row(name, "ms, explain(user, item), 99th percentile", 1e3 * p99, holds=p99 < 1e-3),
    ]


def p7(sizes: Sizes) -> list[Row]:
    """Everybody's first ten, explained, into Parquet, by one worker and by two."""
    world, name = World(sizes), "speed P7 synthetic everybody's top 10, exact"
    explainer = world.explainer()
    seconds = {}
    for n_jobs in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            start = time.process_time(), time.perf_counter()
            explainer.explain_batch(n_items=10, n_tags=5, to=Path(folder) / "all", n_jobs=n_jobs)
            seconds[n_jobs] = time.process_time() - start[0], time.perf_counter() - start[1]
            table = pd.read_parquet(Path(folder) / "all", columns=["user", "tag"])
        if len(table) != sizes.users * 10 * 5:
            raise AssertionError(f"{len(table)} rows, not {sizes.users * 10 * 5}")
    (spent, passed), (_, of_two) = seconds[1], seconds[2]
    return [
        row(name, "CPU seconds, one worker", spent),
        row(name, "seconds on the clock, one worker", passed),
        row(name, "seconds on the clock, two workers", of_two, holds=of_two <= 10),
    ]


def p8(sizes: Sizes) -> list[Row]:
    """A turn of feedback through the public door, and everybody's."""
    world, name = World(sizes), "speed P8 synthetic feedback turn"
    refiner = FeedbackRefiner(world.explainer())
    tags = list(world.tags)
    rows = []
    for kind in ("like", "dislike"):
        times = []
        for number in range(min(500, sizes.users)):
            start = time.process_time()
            refiner.refine(number, **{kind: tags[number % len(tags)]})
            times.append(time.process_time() - start)
        median = statistics.median(times)
        rows.append(row(name, f"ms, one {kind}, median", 1e3 * median, holds=median < 1e-3))
    n_users = min(2_000, sizes.users)
    said = pd.DataFrame({"user": range(n_users), "feedback": "like"})
    said["tag"] = [tags[number % len(tags)] for number in range(n_users)]
    start = time.process_time()
    refiner.refine_batch(said)
    rate = n_users / (time.process_time() - start)
    return [*rows, row(name, "turns a second in batch, with lists", rate, holds=rate >= 10_000)]


def p9(sizes: Sizes) -> list[Row]:
    """The first ten of 100,000 items, for one user and for 256."""
    import torch

    name = "speed P9 synthetic top 10 of 100,000 items"
    world = World(Sizes(256, 100_000, 6, 64) if sizes is FULL else Sizes(20, 1_000, 6, 8))
    scores = world.recommender.score_items(world.users[:1])[0]
    candidates = np.ones(len(scores), dtype=bool)
    users, items = torch.from_numpy(world.users), torch.from_numpy(world.items)
    torch.set_num_threads(1)

    def ours() -> NDArray:
        return top_items(scores, candidates, 10)

    def argpartition() -> NDArray:
        best = np.argpartition(scores, -10)[-10:]
        return best[np.argsort(-scores[best], kind="stable")]

    def batch() -> NDArray:
        found = world.recommender.score_items(world.users)
        return np.stack([top_items(each, candidates, 10) for each in found])

    def topk() -> NDArray:
        return torch.topk(users @ items.T, 10).indices.numpy()

    if not np.array_equal(ours(), argpartition()):
        raise AssertionError("the two lists differ")
    # Two products round differently: near ties may change places.
    if np.mean(batch() == topk()) < 0.999:
        raise AssertionError("the lists of the batch differ")
    mine, peer = medians(ours, argpartition, repeats=51)
    of_batch, of_topk = medians(batch, topk, repeats=5)
    return [
        row(name, "ms", 1e3 * mine),
        row(name, "times argpartition, which knows no candidates", peer / mine, holds=peer >= mine),
        row(name, "ms a user, batch of 256 with the scores", 1e3 * of_batch / len(users)),
        row(name, "times torch.topk, batch", of_topk / of_batch, holds=of_topk >= 1.5 * of_batch),
    ]


def app(sizes: Sizes) -> list[Row]:
    """From an answer in the browser to the new list: what the page asks the server, all of it."""
    from starlette.testclient import TestClient

    from sktpecr.app import create_app

    name, rng = "speed app synthetic MovieLens-1M size", np.random.RandomState(0)
    world = World(Sizes(6_040, 3_706, 18, 64) if sizes is FULL else sizes)
    tags, lists, everything = list(world.tags), [], []
    with TestClient(create_app(world.explainer()), base_url="http://localhost") as client:
        for number in range(40 if sizes is FULL else 3):
            state = client.post("/api/conversations", json={"user": number}).json()
            path = f"/api/conversations/{state['id']}"
            for _ in range(5):
                kind, tag = rng.choice(["like", "dislike"]), tags[rng.randint(len(tags))]
                body = {"action": "say", "turn": state["turn"], kind: {tag: 1}}
                start = time.perf_counter()
                state = client.post(f"{path}/turns", json=body).json()
                lists.append(time.perf_counter() - start)
                item = state["list"][0]["item"]
                client.post(f"{path}/explain", json={"item": item})
                client.get(f"{path}/question")
                everything.append(time.perf_counter() - start)
    p95, p95_all = (float(np.percentile(each, 95)) for each in (lists, everything))
    return [
        row(name, "ms to the new list, median", 1e3 * statistics.median(lists)),
        row(name, "ms to the new list, 95th percentile", 1e3 * p95, holds=p95 < 0.1),
        row(name, "ms with reasons and question, 95th percentile", 1e3 * p95_all),
    ]


GOALS = {"app": app, "P1": p1, "P5": p5, "P6b": p6b, "P7": p7, "P8": p8, "P9": p9, "P10": p10}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for; return 1 if two ways do not say the same."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(GOALS), default=list(GOALS))
    parser.add_argument("--quick", action="store_true", help="small sizes: checks, no speeds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to this file")
    options = parser.parse_args(arguments)
    for goal in options.only:
        start = time.perf_counter()
        rows = GOALS[goal](QUICK if options.quick else FULL)
        print(f"\n{goal}\n{show(rows)}", flush=True)
        if options.json:
            kept, seconds = results.read(options.json), time.perf_counter() - start
            kept = results.merge(kept, f"speed {goal}", "synthetic", None, rows, seconds)
            made = kept["about"]["experiments"][f"speed {goal} synthetic"]
            made["command"] = f"python benchmarks/speed.py --only {goal}"
            results.write(kept, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
