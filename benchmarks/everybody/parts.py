"""What is measured of the nightly job: sizes, real readers, kills, and what a user costs."""

from __future__ import annotations

import hashlib
import signal
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.common.rows import Row, row
from benchmarks.everybody.jobs import METHODS, MILLION, QUICK_MILLION, run_job, settings, start_job
from benchmarks.speed.places import Sizes, World

_LARGEST = 600  # MB, the bar for parent and workers
_N_KILLS = 10


def measured(name: str, took: dict[str, float], folder: str) -> list[Row]:
    """Return the rows of one job, after a look at what it wrote."""
    table = pd.read_parquet(folder, columns=["user", "rank", "tag"])
    if table["user"].nunique() != took["users"] or table.duplicated().any():
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
    for workers in (1,) if quick else (1, 2):
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


PARTS: dict[str, Callable[[bool, str | None], list[Row]]] = {
    "size": size,
    "sampled": sampled,
    "books": books,
    "million": million,
    "killed": killed,
    "cost": cost,
}
DATA = {"books": "goodbooks"}
