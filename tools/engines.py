"""Test the batches on the engines that are too large for everybody's environment.

    python tools/engines.py FOLDER

FOLDER gets a virtual environment with Spark, Ray and DuckDB, and the recipes of the guide's pages
on batches and engines are run in it: elsewhere they are skipped. Spark needs Java. Says what was
run with which versions.
pip uses the index that it is configured for.
"""

from __future__ import annotations

import argparse
import os
import sys
import venv
from pathlib import Path

from adapters import CONSTRAINTS, NEEDED, ROOT, run

ENGINES = {"spark": "pyspark", "ray": "ray", "duckdb": "duckdb"}


def main() -> int:
    """Make the environment, run the tests of each engine in it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the environment is made")
    parser.add_argument("--only", nargs="+", choices=ENGINES, default=list(ENGINES))
    given = parser.parse_args()
    python = given.folder.resolve() / "bin" / "python"
    if not python.exists():
        venv.create(given.folder, with_pip=True)
    install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    wanted = ["pyarrow", *(ENGINES[key] for key in given.only), *NEEDED]
    done = run([*install, "-c", CONSTRAINTS, *wanted])
    if done.returncode:
        print(done.stderr.strip(), file=sys.stderr)
        return 1
    return max([tested(python, key) for key in given.only])


def tested(python: Path, key: str) -> int:
    """Run the tests of an engine, say how they went, and return 0 if none failed or was skipped."""
    version = f"from importlib.metadata import version; print(version({ENGINES[key]!r}))"
    alone = ["--noconftest", "-c", os.devnull, "--rootdir", ROOT / "tests"]
    files = [
        ROOT / "tests" / "whole" / name for name in (f"test_batch_on_{key}.py", "test_recipes.py")
    ]
    how = [*alone, "-q", "-rs", "-p", "no:cacheprovider", "-k", key]
    done = run([python, "-m", "pytest", *how, *files])
    lines = done.stdout.strip().splitlines() or [done.stderr.strip()[-200:]]
    failed = bool(done.returncode) or "skipped" in lines[-1]
    print(f"{ENGINES[key]} {run([python, '-c', version]).stdout.strip()}: {lines[-1]}", flush=True)
    if failed:
        print(done.stdout, done.stderr, file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
