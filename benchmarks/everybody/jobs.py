"""A job of the night, in a process of its own: everybody's list explained, and what it took.

    python -m benchmarks.everybody.jobs ARGUMENTS

The arguments are JSON, those of `job`; what it returns is printed as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import scipy.sparse as sp

from benchmarks.common.data import load
from benchmarks.common.made_up import made_up
from benchmarks.everybody.processes import Watch, peak
from benchmarks.speed.places import Sizes, World
from sktpecr import CVAEGenerator, TPECRExplainer
from sktpecr.attribution import ExactAttribution, LimeAttribution

ROOT = Path(__file__).resolve().parents[2]
TEN_MILLION, MILLION = Sizes(), Sizes(1_000_000, 100_000, 100, 64)
QUICK, QUICK_MILLION = Sizes(300, 200, 6, 8), Sizes(3_000, 500, 12, 8)
METHODS = ("exact", "CVAE and LIME")


def settings(method: str) -> dict[str, object]:
    """Return how an explainer explains."""
    if method == "exact":
        return {"attribution": ExactAttribution()}
    # How far it is trained does not change what explaining costs.
    return {
        "generator": CVAEGenerator(max_epochs=2, random_state=0),
        "attribution": LimeAttribution(random_state=0),
    }


def explainer_of(what: str, method: str, quick: bool, data_dir: Path | None) -> TPECRExplainer:
    """Return an explainer of one of the three populations."""
    if what == "books":
        from implicit.als import AlternatingLeastSquares

        data = load("goodbooks" if not quick else "movielens-small", data_dir)
        als = AlternatingLeastSquares(factors=64, random_state=0, iterations=2 if quick else 15)
        als.fit(data.interactions, show_progress=False)
        explainer = TPECRExplainer(als, data.item_tags, **settings(method))
        return explainer.fit(data.interactions, user_ids=data.user_ids)
    if what == "million":
        return _in_a_file(QUICK_MILLION if quick else MILLION, method)
    world = World.random(QUICK if quick else TEN_MILLION)
    return world.explainer(**settings(method))


def _in_a_file(sizes: Sizes, method: str) -> TPECRExplainer:
    """Return an explainer whose user factors are in a file, learned from a twentieth of them."""
    rng = np.random.RandomState(0)
    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        shape = sizes.users, sizes.factors
        users = np.lib.format.open_memmap(file.name, "w+", np.float32, shape)
        for start in range(0, sizes.users, 10_000):
            rows = users[start : start + 10_000]
            rows[:] = rng.standard_normal(rows.shape)
        del users
        users = np.load(file.name, mmap_mode="r")  # stays readable after its name is gone
    items = rng.standard_normal((sizes.items, sizes.factors)).astype(np.float32)
    tags = sp.random(sizes.items, sizes.tags, 2 / sizes.tags, "csr", random_state=rng)
    tags.data[:] = 1
    seen = rng.randint(sizes.items, size=sizes.users)
    ones, each = np.ones(sizes.users, dtype=np.float32), np.arange(sizes.users)
    X = sp.csr_matrix((ones, (each, seen)), (sizes.users, sizes.items))
    explainer = TPECRExplainer((users, items), tags, **settings(method))
    with made_up():
        return explainer.fit(X, train_users=range(0, sizes.users, 20))


def loaded(what: str, method: str, quick: bool, data_dir: Path | None) -> TPECRExplainer:
    """Return an explainer as a night has it: fitted before, in another process, and loaded."""
    if what == "million":  # its users' factors stay in their file
        return explainer_of(what, method, quick, data_dir)
    with tempfile.TemporaryDirectory() as folder:
        # Spawned, so that this process is not charged for what fitting took.
        with ProcessPoolExecutor(1, get_context("fork" if quick else "spawn")) as elsewhere:
            elsewhere.submit(_save, f"{folder}/fitted", what, method, quick, data_dir).result()
        return TPECRExplainer.load(f"{folder}/fitted")


def _save(folder: str, *explained: Any) -> None:
    explainer_of(*explained).save(folder)


def job(
    what: str,
    method: str,
    workers: int,
    backend: str,
    to: str,
    *,
    n_users: int | None,
    quick: bool,
    data_dir: str | None,
) -> dict[str, float]:
    """Explain everybody, in this process and those that it starts; return what it took."""
    explainer = loaded(what, method, quick, Path(data_dir) if data_dir else None)
    users = None if n_users is None else explainer.user_ids_[:n_users]
    size = {"batch_size": 16} if quick else {}
    with ExitStack() as stack:
        watch = stack.enter_context(Watch())
        if backend == "dask":
            from distributed import Client, LocalCluster

            # Else dask has its workers give memory back at once, and pay for it: see the guide.
            os.environ.update(MALLOC_TRIM_THRESHOLD_="33554432", MALLOC_MMAP_THRESHOLD_="33554432")
            more: dict[str, Any] = {"threads_per_worker": 1, "dashboard_address": None}
            cluster = LocalCluster(workers, processes=not quick, **more)
            stack.enter_context(Client(stack.enter_context(cluster)))
        stack.enter_context(joblib.parallel_config(backend, n_jobs=workers))
        start = time.perf_counter()
        explainer.explain_batch(explainer.user_ids_[: 8 * workers], batch_size=4)
        warm = time.perf_counter()
        print("started", flush=True)
        explainer.explain_batch(users, to=to, **size)
        done = time.perf_counter()
    return {
        "first": warm - start,
        "seconds": done - warm,
        "parent": peak(),
        # Of one worker there is no other process, but for what loading left of its own.
        "worker": max(watch.peaks.values(), default=0.0) if workers > 1 else 0.0,
        "users": len(explainer.user_ids_) if n_users is None else n_users,
    }


def start_job(*arguments: object, **more: object) -> subprocess.Popen[str]:
    """Run a job in a fresh process."""
    command = [sys.executable, "-m", __name__, json.dumps([arguments, more])]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)  # noqa: S603


def run_job(*arguments: object, **more: object) -> dict[str, float]:
    """Run a job in a fresh process; return what it took."""
    process = start_job(*arguments, **more)
    said, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"{arguments} ended with {process.returncode}")
    return json.loads(said.splitlines()[-1])


if __name__ == "__main__":
    given, named = json.loads(sys.argv[1])
    print(json.dumps(job(*given, **named)))
