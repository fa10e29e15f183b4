"""Test the batches on the engines that are too large for everybody's environment.

    python tools/engines.py FOLDER
    python tools/engines.py FOLDER --scaling [--rounds 3] [--pairs 600000]

FOLDER gets a virtual environment with the engines, and the recipes of the guide's pages on batches
and engines are run in it: elsewhere they are skipped. Spark needs Java. Says what was run with
which versions. With --scaling the recipes are timed with one worker and with two, in turn, and what
was measured goes to benchmarks/results/engines.json, and from there into the page on engines.
pip uses the index that it is configured for.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
import textwrap
import time
import venv
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters import CONSTRAINTS, NEEDED, ROOT, run

ENGINES = {"spark": "pyspark", "ray": "ray", "duckdb": "duckdb"}
# What is timed; the last two are in everybody's environment, where tests run their recipes.
SCALED = {**ENGINES, "dask": "dask[dataframe]", "polars": "polars"}
# Sections of the page.
TITLES = {
    "spark": "Spark",
    "ray": "Ray Data",
    "duckdb": "DuckDB",
    "dask": "Dask",
    "polars": "Polars",
}
PAGE = ROOT / "docs" / "guide" / "engines.rst"
RESULTS = ROOT / "benchmarks" / "results" / "engines.json"
N_USERS, N_ITEMS, N_LISTED, N_FILES, WORKERS = 20_000, 7_254, 50, 4, (1, 2)


def main() -> int:
    """Make the environment, run the tests of each engine in it, or time its recipe."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the environment is made")
    parser.add_argument("--only", nargs="+", choices=SCALED)
    parser.add_argument("--scaling", action="store_true", help="time 1 and 2 workers")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=600_000)
    parser.add_argument("--inside", choices=["data", *SCALED], help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, default=1, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        told = made(given.pairs) if given.inside == "data" else timed(given.inside, given.workers)
        print(json.dumps(told))
        return 0
    keys = given.only or list(SCALED if given.scaling else ENGINES)
    python = given.folder.resolve() / "bin" / "python"
    if not python.exists():
        venv.create(given.folder, with_pip=True)
    install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    wanted = ["pyarrow", *(SCALED[key] for key in keys), *NEEDED]
    done = run([*install, "-c", CONSTRAINTS, *wanted])
    if done.returncode:
        print(done.stderr.strip(), file=sys.stderr)
        return 1
    if given.scaling:
        return scaling(python, keys, given.rounds, given.pairs)
    return max([tested(python, key) for key in keys])


def tested(python: Path, key: str) -> int:
    """Run the tests of an engine, say how they went, and return 0 if none failed or was skipped."""
    alone = ["--noconftest", "-c", os.devnull, "--rootdir", ROOT / "tests"]
    files = [ROOT / "tests" / "whole" / f"test_batch_on_{key}.py"] if key in ENGINES else []
    files.append(ROOT / "tests" / "whole" / "test_recipes.py")
    how = [*alone, "-q", "-rs", "-p", "no:cacheprovider", "-k", key]
    done = run([python, "-m", "pytest", *how, *files])
    lines = done.stdout.strip().splitlines() or [done.stderr.strip()[-200:]]
    failed = bool(done.returncode) or "skipped" in lines[-1]
    print(f"{version_of(python, key)}: {lines[-1]}", flush=True)
    if failed:
        print(done.stdout, done.stderr, file=sys.stderr)
    return int(failed)


def version_of(python: Path, key: str) -> str:
    """Return the engine's package and its version in the environment."""
    package = SCALED[key].partition("[")[0]
    asked = f"from importlib.metadata import version; print(version({package!r}))"
    return f"{package} {run([python, '-c', asked]).stdout.strip()}"


def scaling(python: Path, keys: list[str], rounds: int, n_pairs: int) -> int:
    """Time the recipes with one worker and two in turn; keep every measurement."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:

        def asked(*options: Any) -> dict[str, Any]:
            done = run([python, Path(__file__).resolve(), folder, "--inside", *options])
            if done.returncode:
                raise SystemExit(f"{options}: {done.stdout[-500:]} {done.stderr[-3000:]}")
            return json.loads(done.stdout.splitlines()[-1])

        data = asked("data", "--pairs", n_pairs)
        kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
        same = kept.get("pairs") == data["pairs"]
        engines = {each["key"]: each for each in kept.get("engines", ()) if same}
        for key in keys:
            measured = [
                {**asked(key, "--workers", n), "workers": n, "load": os.getloadavg()[0]}
                for _ in range(rounds)
                for n in WORKERS
            ]
            engines[key] = {"key": key, "version": version_of(python, key), "measured": measured}
            print(f"{engines[key]['version']}: {said(measured, data['pairs'])}", flush=True)
            # An engine that fails later takes nothing away.
            keep({**data, "engines": [engines[each] for each in SCALED if each in engines]}, start)
    return 0


def keep(found: dict[str, Any], start: float) -> None:
    """Write what was measured, and how."""
    about = {
        "command": "python tools/engines.py FOLDER --scaling",
        "date": datetime.now(UTC).date().isoformat(),
        "seconds": round(time.monotonic() - start, 1),
        "experiments": {},
    }
    document = {"about": about, "rows": [], **found}
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def said(measured: list[dict[str, Any]], n_pairs: int) -> str:
    """Say how much more two workers do than one, by the clock and by processor time."""
    said = []
    for name, of in (("again", "the clock"), ("path", "processor time")):
        one, two = ([each[name] for each in measured if each["workers"] == n] for n in WORKERS)
        ratios = sorted((alone / both for alone, both in zip(one, two, strict=True)), reverse=True)
        said.append(f"{of} {', '.join(f'{ratio:.2f}' for ratio in ratios)}")
    least = min(each["cpu"] for each in measured if each["workers"] == 1)
    return f"1 to 2 workers by {', by '.join(said)}; {n_pairs / least:,.0f} pairs/s of a processor"


# From here on: inside the environment, in the folder of the data.


def code_of(title: str) -> str:
    """Return the code of a section of the page."""
    section = PAGE.read_text("utf-8").split(f"\n{title}\n{'-' * len(title)}\n")[1]
    section = re.split(r"\n-{4,}\n", section)[0]
    blocks = re.findall(r"code-block:: python\n\n((?:   .*\n|\n)+)", section)
    return textwrap.dedent("".join(blocks))


def made(n_pairs: int) -> dict[str, Any]:
    """Write candidates, an explainer and tell.py; return their sizes."""
    import joblib
    import numpy as np
    import pandas as pd

    from benchmarks.serving import fitted

    os.chdir(sys.argv[1])
    joblib.dump(fitted(N_USERS, N_ITEMS), "explainer.joblib")
    first = PAGE.read_text("utf-8").split("Parquet files, without an engine")[0]
    told = re.findall(r"code-block:: python\n\n((?:   .*\n|\n)+)", first)[1]
    Path("tell.py").write_text(textwrap.dedent(told), encoding="utf-8")
    rng = np.random.RandomState(0)
    parts = np.array_split(np.arange(min(N_USERS, n_pairs // N_LISTED)), N_FILES)
    paths = [Path("candidates", f"part-{number}.parquet") for number in range(N_FILES)]
    Path("candidates").mkdir()
    for users, path in zip(parts, paths, strict=True):
        items = [rng.permutation(N_ITEMS)[:N_LISTED] for _ in users]
        columns = {"user": np.repeat(users, N_LISTED), "item": np.concatenate(items)}
        table = pd.DataFrame({**columns, "rank": np.tile(np.arange(1, N_LISTED + 1), len(users))})
        table.to_parquet(path, index=False)
    # Engines of one process: each worker has files of its own.
    for n in WORKERS:
        for number, path in enumerate(paths):
            share = Path(f"share-{n}-{number % n}")
            (share / "candidates").mkdir(parents=True, exist_ok=True)
            (share / path).symlink_to(path.resolve())
            (share / "explainer.joblib").unlink(missing_ok=True)
            (share / "explainer.joblib").symlink_to(Path("explainer.joblib").resolve())
    n_made = sum(map(len, parts)) * N_LISTED
    return {
        "pairs": n_made,
        "users": sum(map(len, parts)),
        "bytes_in": sum(path.stat().st_size for path in paths) / n_made,
        "bytes_model": Path("explainer.joblib").stat().st_size,
        "users_model": N_USERS,
        "items_model": N_ITEMS,
    }


def timed(key: str, n: int) -> dict[str, Any]:
    """Run a recipe twice; the first has to start processes and to load the explainer."""
    from benchmarks.everybody.processes import cpu_seconds

    folder = Path(sys.argv[1]).resolve()
    os.chdir(folder)
    sys.path[:0] = [str(folder)]
    os.environ["PYTHONPATH"] = f"{folder}{os.pathsep}{ROOT}"
    took = []
    before: dict[int, float] = {}
    with engine(key, n) as recipe:
        for _ in range(2):
            for path in [*folder.glob("reasons*"), *folder.glob("share-*/reasons*")]:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            before, start = cpu_seconds(), time.perf_counter()
            recipe()
            took.append(time.perf_counter() - start)
        spent = [seconds - before.get(pid, 0.0) for pid, seconds in cpu_seconds().items()]
    workers = sorted(spent)[-n:]
    written = [*folder.glob(f"share-{n}-*/reasons.parquet"), *folder.glob("reasons/*.parquet")]
    n_bytes = sum(path.stat().st_size for path in written)
    return {
        "first": took[0],
        "again": took[1],
        # What is not the workers' own is done by one process, as far as anybody knows.
        "path": sum(spent) - sum(workers) + max(workers),
        "cpu": sum(spent),
        "bytes_out": n_bytes,
    }


@contextmanager
def engine(key: str, n: int) -> Iterator[Callable[[], Any]]:
    """Yield a function that runs an engine's recipe with so many workers."""
    code = code_of(TITLES[key])
    if key == "spark":
        from pyspark.sql import SparkSession

        os.environ["PYSPARK_PYTHON"] = sys.executable
        # The page has text for ids, and here these are numbers.
        code = re.sub(r"\b(user|item|evidence_\d) string", r"\1 long", code)
        settings = {"spark.ui.enabled": "false", "spark.log.level": "ERROR"}
        spark = SparkSession.builder.master(f"local[{n}]").config(map=settings).getOrCreate()
        yield lambda: exec(code, {"spark": spark})  # noqa: S102
        spark.stop()
    elif key == "ray":
        import ray

        ray.init(num_cpus=n, include_dashboard=False, log_to_driver=False)
        yield lambda: exec(code, {})  # noqa: S102
        ray.shutdown()
    elif key == "dask":
        import dask

        with (
            ProcessPoolExecutor(n) as pool,
            dask.config.set(scheduler="processes", pool=pool, num_workers=n),
        ):
            yield lambda: exec(code, {})  # noqa: S102
    else:
        shares = [f"share-{n}-{number}" for number in range(n)]
        with ProcessPoolExecutor(n) as pool:
            yield lambda: list(pool.map(in_share, [code] * n, shares))


def in_share(code: str, share: str) -> None:
    """Run a recipe on some of the files."""
    home = Path.cwd()
    os.chdir(share)
    try:
        exec(code, {})  # noqa: S102
    finally:
        os.chdir(home)


if __name__ == "__main__":
    sys.exit(main())
