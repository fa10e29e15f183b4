"""Measure a server's process: loading a mapped explainer, reasons under threads, memory.

    python -m benchmarks.serving [--users 69878] [--items 7254] [--calls 2000]

A fresh process maps the saved file. Random factors stand for a model: times and memory depend on
sizes alone. Set OMP_NUM_THREADS=1 and OPENBLAS_NUM_THREADS=1: threads of a server compete.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import scipy.sparse as sp

from benchmarks.common.made_up import made_up
from benchmarks.everybody.processes import peak
from sktpecr import FeedbackRefiner, TPECRExplainer

N_FACTORS, N_TAGS, TAGS_OF_ITEM, TAKEN = 50, 19, 2.2, 143


def main() -> None:
    """Save an explainer, and measure what a process does that maps it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=69_878)
    parser.add_argument("--items", type=int, default=7_254)
    parser.add_argument("--calls", type=int, default=2_000, help="calls for each number of threads")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2, 8])
    parser.add_argument("--file", type=Path, help="measure this file; what the fresh process does")
    given = parser.parse_args()
    if given.file:
        measure(given.file, given.calls, given.threads)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "explainer.joblib"
        joblib.dump(fitted(given.users, given.items), path)
        print(
            f"{given.users:,} users, {given.items:,} items: {path.stat().st_size / 2**20:.0f} MB",
            flush=True,
        )
        again = [sys.executable, "-m", "benchmarks.serving", "--calls", str(given.calls)]
        again += ["--file", str(path), "--threads"]
        subprocess.run([*again, *map(str, given.threads)], check=True)  # noqa: S603
        print("two processes at once, which share the mapped file:", flush=True)
        both = [subprocess.Popen([*again, "1"]) for _ in range(2)]  # noqa: S603
        for process in both:
            process.wait()


def fitted(
    n_users: int,
    n_items: int,
    n_factors: int = N_FACTORS,
    n_tags: int = N_TAGS,
    tags_of_item: float = TAGS_OF_ITEM,
) -> TPECRExplainer:
    """Return an explainer of random factors in which tags have a part."""
    rng = np.random.default_rng(0)
    users = rng.normal(size=(n_users, n_factors)).astype(np.float32) / n_factors**0.5
    tags = rng.random((n_items, n_tags)) < tags_of_item / n_tags
    tags[:, 0] |= ~tags.any(axis=1)
    items = rng.normal(size=(n_items, n_factors)) + tags @ rng.normal(size=(n_tags, n_factors))
    indptr = np.arange(0, n_users * TAKEN + 1, TAKEN)
    taken = rng.integers(n_items, size=n_users * TAKEN, dtype=np.int32)
    X = sp.csr_matrix((np.ones(len(taken), dtype=np.float32), taken, indptr), (n_users, n_items))
    X.sum_duplicates()
    X.data[:] = 1
    with made_up():
        return TPECRExplainer((users, items.astype(np.float32)), tags).fit(X)


def measure(path: Path, calls: int, threads: list[int]) -> None:
    """Print what loading, first calls and calls from several threads take."""
    before = peak()
    explainer, seconds = timed(lambda: joblib.load(path, mmap_mode="r"))
    print(f"load: {1e3 * seconds:.0f} ms")
    refiner = FeedbackRefiner(explainer)
    first = {
        "first list": lambda: explainer.recommend(7),
        "first reasons": lambda: explainer.reasons(7, 11),
        "first answer": lambda: refiner.refine(7, like=explainer.tag_names_[3]),
    }
    for name, call in first.items():
        print(f"{name}: {1e3 * timed(call)[1]:.1f} ms")
    rng = np.random.default_rng(1)
    sizes = len(explainer.user_ids_), len(explainer.item_ids_)
    pairs = rng.integers(sizes, size=(calls, 2)).tolist()

    def seconds_of(pair: list[int]) -> float:
        return timed(lambda: explainer.reasons(*pair))[1]

    # Python's own switch interval, and the one that the guide's page names.
    runs = [(n, interval) for n in threads for interval in ((5, 0.5) if n > 1 else (5,))]
    for n_threads, interval in runs:
        sys.setswitchinterval(interval / 1e3)
        start = time.perf_counter()
        with ThreadPoolExecutor(n_threads) as pool:
            took = list(pool.map(seconds_of, pairs))
        half, most = 1e3 * np.quantile(took, [0.5, 0.99])
        print(
            f"reasons, {n_threads} threads that switch after {interval} ms: p50 {half:.2f} ms, "
            f"p99 {most:.2f} ms, {calls / (time.perf_counter() - start):,.0f} calls/s"
        )
    print(f"memory: {before:.0f} MB before, {peak():.0f} MB after {len(runs) * calls:,} calls")


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """Return what a call returns, and its seconds."""
    start = time.perf_counter()
    found = call()
    return found, time.perf_counter() - start


if __name__ == "__main__":
    main()
