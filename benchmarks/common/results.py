"""The file that results are kept in: rows, and what made them."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.common.rows import Row, belongs, prefix, show

PACKAGES = ("sktpecr", "implicit", "lime", "numpy", "scikit-learn", "scipy", "skorch", "torch")
NO_FILES = ("synthetic", "movielens-small")


def command(experiment: str, *data: str, models: Sequence[str] = ()) -> str:
    """Return what to type for an experiment; FOLDER stands for where the files are."""
    kind, number = experiment.split()
    words = ["python -m benchmarks.paper", f"--{kind} {number}", f"--data {' '.join(data)}"]
    words += [f"--model {' '.join(models)}"] * bool(models)
    words += ["--data-dir FOLDER"] * (not set(data) <= set(NO_FILES))
    return " ".join(words)


def commit() -> str:
    """Return the short hash of the commit that runs, with "-dirty" after it if files differ.

    Files of results do not count: an experiment writes to them before the next one runs.
    """
    if shutil.which("git") is None:
        return "unknown"
    found = _git("describe", "--always", "--exclude=*").stdout.strip()
    same = _git("diff", "--quiet", "HEAD", "--", ":/", ":(top,exclude)benchmarks/results")
    return found + "-dirty" * (same.returncode == 1) if found else "unknown"


def _git(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        ["git", *words],  # noqa: S607
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )


def about(command: str, seconds: float, machine: str | None = None) -> dict[str, Any]:
    """Return what made a result, and on what, where that matters."""
    made = {
        "commit": commit(),
        "date": datetime.now(UTC).date().isoformat(),
        "command": command,
        "seconds": round(seconds, 1),
    }
    return made if machine is None else {**made, "machine": machine}


def read(path: Path) -> dict[str, Any]:
    """Return results as they are in the file, or none where there is no file."""
    if not path.exists():
        return {"about": {"experiments": {}}, "rows": []}
    return json.loads(path.read_text(encoding="utf-8"))


def record(
    path: Path,
    experiment: str,
    data: str,
    model: str | None,
    rows: Sequence[Row],
    *,
    command: str,
    seconds: float,
    machine: str | None = None,
) -> None:
    """Put the rows of an experiment into a file, in place of its old ones or at the end."""
    name = prefix(experiment, data, model)
    stray = {row.name for row in rows if not belongs(row.name, name)}
    if stray:
        raise ValueError(f"rows of {name} have other names: {sorted(stray)}")
    results = read(path)  # only now: another run may have written to it
    old = results["rows"]
    places = [i for i, row in enumerate(old) if belongs(row["name"], name)]
    place = places[0] if places else len(old)
    kept = [row for row in old if not belongs(row["name"], name)]
    kept[place:place] = [asdict(row) for row in rows]
    made = about(command, seconds, machine)
    experiments = {**results["about"]["experiments"], name: made}
    spent = round(sum(each["seconds"] for each in experiments.values()), 1)
    versions = {"python": platform.python_version(), **_versions()}
    made = {key: each for key, each in made.items() if key != "machine"}  # one run's, not of all
    made = {**made, "seconds": spent, "versions": versions, "experiments": experiments}
    write({"about": made, "rows": kept}, path)


def measure(
    find: Callable[[], Sequence[Row]],
    path: Path | None,
    experiment: str,
    data: str = "synthetic",
    model: str | None = None,
    *,
    command: str,
    machine: str | None = None,
) -> None:
    """Print what an experiment finds, and record it where there is a file."""
    start = time.perf_counter()
    rows = find()
    seconds = time.perf_counter() - start
    print(f"\n{experiment}\n{show(rows)}", flush=True)
    if path:
        how: dict[str, Any] = {"command": command, "seconds": seconds, "machine": machine}
        record(path, experiment, data, model, rows, **how)


def _versions() -> dict[str, str]:
    """Return the versions of what is installed; a lent machine has not all of it."""
    found = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def write(results: dict[str, Any], path: Path) -> None:
    """Write results, all or nothing, a row on a line of its own."""
    rows = ",\n".join("  " + json.dumps(row, allow_nan=False) for row in results["rows"])
    text = json.dumps({"about": results["about"]}, indent=1)[:-2]
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(path.name + ".part")
    half.write_text(f'{text},\n "rows": [\n{rows}\n ]\n}}\n', encoding="utf-8")
    half.replace(path)
