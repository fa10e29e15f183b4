"""Explain everybody's list, and measure what it takes: time, memory, and what a kill leaves.

    python benchmarks/everybody.py --data-dir FOLDER
    python benchmarks/everybody.py --only size million --json FILE

size: factors of the size of MovieLens-10M, exact, by one worker and by two, and on a LocalCluster
of dask; sampled: the same with CVAE and LIME. books: goodbooks-10k, real, with a question that
takes everybody; needs --data-dir. million: 1,000,000 users, 100,000 items, 100 tags, of which a
slice is explained, user factors in a file; the others are fitted before, and loaded. killed:
SIGKILL ten times at random moments. cost: CPU time of a user by items, tags and method. Every job
runs in a process of its own; seconds are of the clock, but for cost. --quick takes sizes at which
nothing but the checks means anything.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # before numpy comes in

import joblib
import numpy as np
import pandas as pd
import scipy.sparse as sp

from benchmarks.common import results
from benchmarks.common.data import load
from benchmarks.common.rows import Row, row, show
from benchmarks.everybody.processes import Watch, peak
from benchmarks.speed.places import Sizes, World
from sktpecr import CVAEGenerator, TPECRExplainer
from sktpecr.attribution import LimeAttribution

TEN_MILLION, MILLION = Sizes(), Sizes(1_000_000, 100_000, 100, 64)
QUICK, QUICK_MILLION = Sizes(300, 200, 6, 8), Sizes(3_000, 500, 12, 8)
METHODS = ("exact", "CVAE and LIME")
_LARGEST = 600  # MB, the bar for parent and workers
_N_KILLS = 10


def settings(method: str) -> dict[str, object]:
    """Return how an explainer explains."""
    if method == "exact":
        return {}
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
    return explainer.fit(X, train_users=range(0, sizes.users, 20))


def loaded(what: str, method: str, quick: bool, data_dir: Path | None) -> TPECRExplainer:
    """Return an explainer as a night has it: fitted before, in another process, and loaded."""
    if what == "million":  # its users' factors stay in their file
        return explainer_of(what, method, quick, data_dir)
    with tempfile.TemporaryDirectory() as folder:
        with ProcessPoolExecutor(1, get_context("spawn")) as elsewhere:
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
            cluster = LocalCluster(workers, threads_per_worker=1, dashboard_address=None)
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
    command = [sys.executable, __file__, "--job", json.dumps([arguments, more])]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603


def run_job(*arguments: object, **more: object) -> dict[str, float]:
    """Run a job in a fresh process; return what it took."""
    process = start_job(*arguments, **more)
    said, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"{arguments} ended with {process.returncode}")
    return json.loads(said.splitlines()[-1])


def measured(name: str, took: dict[str, float], folder: str) -> list[Row]:
    """Return the rows of one job, after a look at what it wrote."""
    table = pd.read_parquet(folder, columns=["user", "rank"])
    if table["user"].nunique() != took["users"] or table.duplicated().sum() != len(table) * 4 / 5:
        raise AssertionError(f"{name}: users are missing or twice")
    n_bytes = sum(path.stat().st_size for path in Path(folder).glob("*.parquet"))
    peaks = [row(name, "MB, peak of the parent", took["parent"], holds=took["parent"] <= _LARGEST)]
    if took["worker"]:
        holds = took["worker"] <= _LARGEST
        peaks.append(row(name, "MB, peak of the largest worker", took["worker"], holds=holds))
    return [
        row(name, "users", took["users"]),
        row(name, "seconds", took["seconds"]),
        row(name, "users a second", took["users"] / took["seconds"]),
        row(name, "seconds to start workers", took["first"]),
        *peaks,
        row(name, "bytes of Parquet a user", n_bytes / took["users"]),
    ]


def size(quick: bool, data_dir: str | None) -> list[Row]:
    """Everybody's ten at the size of MovieLens-10M: workers, and dask beside them."""
    return _backends("everybody size synthetic exact", "exact", quick, data_dir)


def sampled(quick: bool, data_dir: str | None) -> list[Row]:
    """The same through a network and by draws."""
    name = "everybody sampled synthetic CVAE and LIME"
    return _backends(name, "CVAE and LIME", quick, data_dir)


def _backends(named: str, method: str, quick: bool, data_dir: str | None) -> list[Row]:
    rows, seconds = [], {}
    for workers, backend in ((1, "loky"), (2, "loky"), (2, "dask")):
        with tempfile.TemporaryDirectory() as folder:
            took = run_job(
                "size", method, workers, backend, folder,
                n_users=None, quick=quick, data_dir=data_dir,
            )  # fmt: skip
            where = f"{workers} worker{'s' * (workers > 1)}" + ", dask" * (backend == "dask")
            rows += measured(f"{named}, {where}", took, folder)
        seconds[workers, backend] = took["seconds"]
    name = f"{named}, compared"
    overhead = seconds[2, "dask"] / seconds[2, "loky"] - 1
    holds = overhead <= 0.25
    return [
        *rows,
        row(name, "two workers, times as fast as one", seconds[1, "loky"] / seconds[2, "loky"]),
        row(name, "dask, share of time added to joblib's own two", overhead, holds=holds),
    ]


def books(quick: bool, data_dir: str | None) -> list[Row]:
    """Readers of goodbooks-10k: which genres speak for the first book, and which against it."""
    rows = []
    for method in METHODS:
        with tempfile.TemporaryDirectory() as folder:
            took = run_job(
                "books", method, 2, "loky", folder, n_users=None, quick=quick, data_dir=data_dir
            )
            name = f"everybody books goodbooks {method}"
            rows += measured(f"{name}, 2 workers", took, folder)
            start = time.perf_counter()
            table = pd.read_parquet(folder, filters=[("rank", "==", 1)])
            main = table.groupby("user", sort=False).head(1)
            speaks = main["contribution"] > 0
            shares = main.loc[speaks, "tag"].astype(str).value_counts() / len(main)
            spent = time.perf_counter() - start
        name = f"{name}, main reason for the first book"
        rows += [row(name, f"share of readers: {tag}", share) for tag, share in shares[:5].items()]
        rows += [
            row(name, "share of readers: speaks against the book", 1 - speaks.mean()),
            row(name, "seconds of the query in pandas", spent),
        ]
    return rows


def million(quick: bool, data_dir: str | None) -> list[Row]:
    """A slice of a million users, exact."""
    rows = []
    everybody = (QUICK_MILLION if quick else MILLION).users
    n_users = 64 if quick else 10_240
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            took = run_job(
                "million", "exact", workers, "loky", folder,
                n_users=n_users, quick=quick, data_dir=data_dir,
            )  # fmt: skip
            name = f"everybody million synthetic exact, {workers} worker{'s' * (workers > 1)}"
            rows += measured(name, took, folder)
        hours = took["seconds"] / n_users * everybody / 3600
        rows.append(row(name, "hours for all of them, extrapolated", hours))
    return rows


def killed(quick: bool, data_dir: str | None) -> list[Row]:
    """Killed ten times, gone on with, and compared with a job that was left in peace."""
    rng, name = np.random.RandomState(0), "everybody killed synthetic exact, 1 worker"
    more = {"n_users": None, "quick": quick, "data_dir": data_dir}
    with tempfile.TemporaryDirectory() as folder:
        whole, resumed = (str(Path(folder) / each) for each in ("whole", "resumed"))
        took = run_job("size", "exact", 1, "loky", whole, **more)
        n_parts = len(list(Path(whole).glob("*.parquet")))
        kills, halves, done = 0, 0, [0]
        for _ in range(_N_KILLS):
            process = start_job("size", "exact", 1, "loky", resumed, **more)
            assert process.stdout is not None
            process.stdout.readline()
            # So that ten of them come before the end, with what is hashed first on top.
            time.sleep(rng.uniform(0, 1.2 * took["seconds"] / _N_KILLS))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += process.returncode == -signal.SIGKILL
            halves += len(list(Path(resumed).glob(".part-*")))
            done.append(len(list(Path(resumed).glob("part-*.parquet"))))
        run_job("size", "exact", 1, "loky", resumed, **more)
        tables = [pd.read_parquet(each) for each in (whole, resumed)]
        same = _digests(whole) == _digests(resumed)
        users, keys = (table["user"].nunique() for table in tables), ["user", "item", "tag"]
        lost = abs(int(np.diff(list(users))[0]))
        twice = int(tables[1].duplicated(keys).sum())
        pd.testing.assert_frame_equal(*tables, check_exact=True)
    return [
        row(name, "times killed", kills, holds=kills == _N_KILLS or quick),
        row(name, "kills between the first part and the last", sum(0 < n < n_parts for n in done)),
        row(name, "files half written at a kill", halves),
        row(name, "parts", n_parts),
        row(name, "files with the same bytes as without kills", same, holds=same),
        row(name, "users lost", lost, holds=not lost),
        row(name, "rows twice", twice, holds=not twice),
    ]


def _digests(folder: str) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(Path(folder).iterdir())
    }


def cost(quick: bool, data_dir: str | None) -> list[Row]:
    """CPU time of a user on one core, by items, tags and method."""
    rows = []
    many, tags = ((200, 500), (6, 12)) if quick else ((1_000, 10_000, 100_000), (20, 100, 500))
    # One line along items, one along tags.
    grid = [(n_items, tags[0]) for n_items in many]
    grid += [(many[1], n_tags) for n_tags in tags[1:]]
    for n_items, n_tags in grid:
        world = World.random(Sizes(600 if quick else 4_096, n_items, n_tags, 8 if quick else 64))
        for method in METHODS:
            explainer = world.explainer(**settings(method))
            n_users = 20 if quick else 2_048 if method == "exact" else 256
            users = np.arange(n_users)
            explainer.explain_batch(users[:8])  # draws, once
            spent = []
            for _ in range(3):
                start = time.process_time()
                explainer.explain_batch(users)
                spent.append(time.process_time() - start)
            name = f"everybody cost synthetic {method}, {n_items} items, {n_tags} tags"
            rows.append(row(name, "ms a user", 1e3 * statistics.median(spent) / n_users))
    return rows


EXPERIMENTS: dict[str, Callable[[bool, str | None], list[Row]]] = {
    "size": size,
    "sampled": sampled,
    "books": books,
    "million": million,
    "killed": killed,
    "cost": cost,
}
DATA = {"books": "goodbooks"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(EXPERIMENTS), default=list(EXPERIMENTS))
    parser.add_argument("--quick", action="store_true", help="small sizes: checks, no speeds")
    parser.add_argument("--data-dir", metavar="FOLDER", help="where goodbooks-10k is")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to this file")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.job:
        given, more = json.loads(options.job)
        print(json.dumps(job(*given, **more)))
        return 0
    for name in options.only:
        start = time.perf_counter()
        rows = EXPERIMENTS[name](options.quick, options.data_dir)
        print(f"\n{name}\n{show(rows)}", flush=True)
        if options.json:
            kept, seconds = results.read(options.json), time.perf_counter() - start
            data, experiment = DATA.get(name, "synthetic"), f"everybody {name}"
            kept = results.merge(kept, experiment, data, None, rows, seconds)
            made = kept["about"]["experiments"][f"{experiment} {data}"]
            made["command"] = f"python benchmarks/everybody.py --only {name}"
            if data != "synthetic":
                made["command"] += " --data-dir FOLDER"
            results.write(kept, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
