"""Count what was tried on the package, and what came of it; hold an app under load.

    python -m benchmarks.reliability
    python -m benchmarks.reliability --only digits app --json FILE

The counts are those of the tests themselves, run with ten times the inputs: what a number stands
for can be read there. --quick runs the tests as CI does, and a load of a second.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # before numpy comes in

import numpy as np

from benchmarks.common import results
from benchmarks.common.rows import Row, row
from benchmarks.reliability.fifty_digits import FiftyDigits, case
from benchmarks.reliability.load import app
from sktpecr import GaussianGenerator, TPECRExplainer
from sktpecr.attribution import ExactAttribution

ROOT = Path(__file__).resolve().parents[2]
_TRIED = re.compile(r"- (\d+) passing.*?, (\d+) failing")


def pytest(*arguments: str, **environment: str) -> str:
    """Return what pytest says of some tests."""
    command = [sys.executable, "-m", "pytest", "-q", "--hypothesis-show-statistics", *arguments]
    run = subprocess.run(  # noqa: S603
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode not in (0, 1):
        raise SystemExit(run.stdout + run.stderr)
    return run.stdout


def tried(text: str) -> dict[str, tuple[int, int]]:
    """Return how many inputs passed and failed, by test."""
    found: dict[str, tuple[int, int]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("tests/") and line.endswith(":"):
            name = line[:-1].split("::")[-1].removeprefix("test_").replace("_", " ")
        elif match := _TRIED.search(line):
            passed, failed = found.get(name, (0, 0))
            found[name] = passed + int(match[1]), failed + int(match[2])
    return found


def inputs(quick: bool) -> list[Row]:
    """Count made-up factors, tags and folders that properties were tried on."""
    profile = "ci" if quick else "search"
    files = ["tests/whole/test_properties.py", "tests/explanation/test_saved_explainer.py"]
    chosen = ["-k", "Damaged or Hostile or test_properties"]
    found = tried(pytest(*files, *chosen, HYPOTHESIS_PROFILE=profile))
    name = "reliability inputs synthetic"
    return [
        row(name, f"{test}: tried", sum(counts), holds=counts[1] == 0)
        for test, counts in found.items()
    ] + [row(name, "wrong", sum(failed for _, failed in found.values()))]


def faults(quick: bool) -> list[Row]:
    """Count the faults that were injected, and the hostile folders."""
    rows = []
    for file, chosen, what in (
        ("tests/whole/test_faults.py", "test", "faults in fits, saves, batches and workers"),
        ("tests/explanation/test_saved_explainer.py", "Folder", "faults in saves of a folder"),
        ("tests/explanation/test_saved_explainer.py", "one_clear_error", "hostile folders"),
        ("tests/whole/test_threads.py", "test", "threads and processes"),
    ):
        said = pytest(file, "-k", chosen, SKTPECR_SECONDS="1" if quick else "60")
        passed, failed = (
            int(match[1]) if (match := re.search(rf"(\d+) {word}", said)) else 0
            for word in ("passed", "failed")
        )
        rows.append(
            row("reliability faults synthetic", f"{what}: survived", passed, holds=not failed)
        )
        rows.append(row("reliability faults synthetic", f"{what}: not survived", failed))
    return rows


def digits(quick: bool) -> list[Row]:
    """Measure what share of the largest contribution is wrong, against 50 digits."""
    interactions = (np.random.RandomState(9).rand(30, 14) < 0.3).astype(float)
    interactions[:, 3] = 1
    rows = []
    for dtype in (np.float64, np.float32):
        for closeness in (1.0, 1e-2, 1e-5, 1e-9):
            for regularization in (1e-8, 1e-12, 0.0):
                wrong, condition, told = [], [], False
                for seed in range(1 if quick else 10):
                    users, items, tags = case(seed, closeness)
                    factors = users.astype(dtype), items.astype(dtype)
                    with warnings.catch_warnings(record=True) as said:
                        warnings.simplefilter("always")
                        explainer = TPECRExplainer(
                            factors,
                            tags,
                            generator=GaussianGenerator(regularization=regularization),
                            attribution=ExactAttribution(),
                        ).fit(interactions)
                    told |= bool(said)
                    fitted = explainer.generator_
                    oracle = FiftyDigits(*factors, tags, fitted.shrinkage_, regularization)
                    pairs = [(user, item) for user in range(3) for item in range(3)]
                    expected = np.array([oracle.contributions(*pair) for pair in pairs])
                    found = np.array([explainer.explain(*pair).contributions for pair in pairs])
                    wrong.append(np.abs(found - expected).max() / np.abs(expected).max())
                    condition.append(fitted.condition_)
                name = "reliability digits synthetic"
                name += f" {np.dtype(dtype).name} regularization {regularization:g}"
                label = f"tags differ by {closeness:g}"
                rows.append(row(name, f"{label}: largest share wrong", max(wrong)))
                rows.append(row(name, f"{label}: condition number", max(condition)))
                rows.append(row(name, f"{label}: warned", float(told)))
    return rows


PARTS = {"inputs": inputs, "faults": faults, "digits": digits, "app": app}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.reliability", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="little of everything")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to this file")
    options = parser.parse_args(arguments)
    for part in options.only:
        command = f"python -m benchmarks.reliability --only {part}"
        find = partial(PARTS[part], options.quick)
        results.measure(find, options.json, f"reliability {part}", command=command)
    return 0


if __name__ == "__main__":
    sys.exit(main())
