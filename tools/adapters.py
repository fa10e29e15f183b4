"""Test the adapters against the libraries themselves, each in an environment of its own.

    python tools/adapters.py FOLDER [--only surprise spark]

Their pins contradict each other, so that no one environment holds them all. FOLDER gets a virtual
environment for each; what was found goes to benchmarks/results/adapters.json, and from there into
the manual when it is built. pip uses the index that it is configured for.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import venv
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / "tests" / "recommenders" / "adapters" / "installed"
RESULTS = ROOT / "benchmarks" / "results" / "adapters.json"
CONSTRAINTS = ROOT / "requirements" / "constraints-ci.txt"
# What sktpecr needs to explain factors; not all that it declares, which some cannot live beside.
NEEDED = ("numpy", "scipy", "scikit-learn", "pandas", "joblib", "tqdm", "pytest")
SECONDS = 900


class Library(NamedTuple):
    """How a library is called, and what pip is to install for it; the first is named."""

    title: str
    packages: tuple[str, ...]


LIBRARIES = {
    "implicit": Library("implicit", ("implicit",)),
    "sklearn": Library("scikit-learn", ("scikit-learn",)),
    "surprise": Library("Surprise", ("scikit-surprise",)),
    "lightfm": Library("LightFM", ("lightfm-next",)),
    "cornac": Library("Cornac", ("cornac", "torch")),
    "lenskit": Library("LensKit", ("lenskit", "torch")),
    "rectools": Library("RecTools", ("rectools",)),
    "spark": Library("Spark", ("pyspark",)),
}


def main() -> int:
    """Make environments, run the tests in them, keep what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="where environments are made")
    parser.add_argument("--only", nargs="+", choices=LIBRARIES, default=list(LIBRARIES))
    parser.add_argument("--inside", choices=LIBRARIES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        print(json.dumps(inside(given.inside)))
        return 0
    if given.folder is None:
        parser.error("a folder for the environments is needed")
    start = time.monotonic()
    kept = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    found = {each["key"]: each for each in kept.get("adapters", ())}
    for key in given.only:
        found[key] = {"key": key, "library": LIBRARIES[key].title, **tried(key, given.folder)}
        models = found[key].get("models", ())
        failed = sum(len(model["failed"]) for model in models)
        problem = found[key].get("problem")
        print(f"{key}: {problem or f'{len(models)} models, {failed} tests failed'}", flush=True)
    document = {
        "about": {
            "command": "python tools/adapters.py FOLDER",
            "date": datetime.now(UTC).date().isoformat(),
            "seconds": round(time.monotonic() - start, 1),
            "experiments": {},
        },
        "rows": [],
        "adapters": [found[key] for key in LIBRARIES if key in found],
    }
    RESULTS.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return int(any("problem" in each for each in found.values()))


def tried(key: str, folder: Path) -> dict[str, Any]:
    """Install a library, run its tests, and return what they found or what went wrong."""
    place = folder.resolve() / key
    python = place / "bin" / "python"
    if not python.exists():
        venv.create(place, with_pip=True)
    install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    wanted = [*LIBRARIES[key].packages, *NEEDED]
    done = run([*install, "-c", CONSTRAINTS, *wanted])
    if done.returncode:
        return {"problem": f"does not install: {_last_line(done.stderr)}"}
    done = run([python, Path(__file__), "--inside", key])
    if done.returncode:
        return {"problem": f"its tests do not run: {_last_line(done.stderr)}"}
    return json.loads(done.stdout.splitlines()[-1])


def inside(key: str) -> dict[str, Any]:
    """Run the tests of a library in this environment, and return a row for each model."""
    import pytest

    from benchmarks.beyond.fold_in import overlap_with_refit

    file = TESTS / f"test_{key}.py"
    options = ["-q", "--noconftest", "-c", os.devnull, "--rootdir", str(TESTS)]
    code = pytest.main([*options, "-p", "no:cacheprovider", str(file)])
    tests = sys.modules[file.stem]  # with the models that were trained
    models = []
    for contract in vars(tests).values():
        if not (isinstance(contract, type) and hasattr(contract, "model")):
            continue
        test = contract()
        difference, size = test.largest_difference()
        report = test.report()
        models.append(
            {
                "model": test.model,
                "scores": test.scores,
                "difference": difference,
                "size": size,
                "exact": difference <= test.tolerance * size,
                "new_users": test.new_users,
                "lost": test.lost,
                "failed": [name for name, how in report.items() if how.startswith("failed")],
                "passed": sum(how == "passed" for how in report.values()),
                "overlap": None if test.variant else overlap_with_refit(test),
            }
        )
    package = LIBRARIES[key].packages[0]
    if code:
        raise SystemExit(f"{package} {version(package)}: pytest ended with {code}")
    return {"package": package, "version": version(package), "models": models}


def run(command: list[Any]) -> subprocess.CompletedProcess[str]:
    """Run a command with sktpecr from here, one thread and nothing else of this environment."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    env = {**os.environ, **one, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    words = [str(word) for word in command]
    try:
        return subprocess.run(
            words, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, 1, "", f"took more than {SECONDS} s")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines or ["nothing was said"])[-1][:200]


if __name__ == "__main__":
    sys.exit(main())
