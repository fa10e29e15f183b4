"""Write the pages of the manual that are made of numbers, from what is in benchmarks/results.

    python -m benchmarks.pages.write

docs/conf.py does it whenever the manual is built; none of these files is committed.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from benchmarks.common.results import read
from benchmarks.pages import (
    adapters,
    claims,
    control,
    devices,
    evidence,
    night,
    results,
    rivals,
    scaling,
    speed,
)
from benchmarks.pages.results import DOCS
from benchmarks.pages.tables import FIGURES

RESULTS = Path(__file__).resolve().parents[1] / "results"
MADE = ".. Written by benchmarks/pages: change what it reads, not this page.\n\n"
# How the commands were called that made the oldest results.
_SCRIPT = re.compile(r"python benchmarks/(\w+)\.py")


def write(docs: Path = DOCS) -> list[str]:
    """Write all pages into a folder, and return the names of those that were not so before."""
    everything = read_all(RESULTS)
    claimed = tomllib.loads((DOCS / "claims.toml").read_text(encoding="utf-8"))["claim"]
    libraries = RESULTS / "adapters.json"
    pages = {
        "evidence.rst": evidence.page(claimed, everything),
        "results.rst": results.index(everything),
        **results.pages(everything),
        "speed.rst": results.page(everything, speed.HEAD, speed.TITLES),
        "scaling.rst": results.page(everything, scaling.head(everything), scaling.TITLES),
        "claims.rst": claims.page(claimed, everything),
        "guide/adapters.inc": adapters.table(libraries),
        "guide/devices.inc": devices.tables(everything),
        "guide/night.inc": night.table(RESULTS / "engines.json"),
        "guide/fold_in.inc": adapters.overlaps(libraries),
    }
    written = []
    for name, text in pages.items():
        path = docs / name
        # A page that is left alone is not built again.
        if not path.exists() or path.read_text(encoding="utf-8") != MADE + text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(MADE + text, encoding="utf-8")
            written.append(name)
    figures = docs / FIGURES
    figures.mkdir(parents=True, exist_ok=True)
    rivals.draw(everything, figures / rivals.FIGURE)
    speed.draw(everything, figures / speed.FIGURE)
    control.figure(everything).savefig(figures / control.FIGURE, dpi=90)
    return written


def read_all(folder: Path) -> dict[str, Any]:
    """Return the results of all files in a folder as one."""
    experiments: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*.json")):
        found = read(path)
        twice = experiments.keys() & found["about"]["experiments"].keys()
        if twice:
            raise SystemExit(f"{path.name}: another file has results of {', '.join(sorted(twice))}")
        experiments |= found["about"]["experiments"]
        rows += found["rows"]
    for made in experiments.values():
        made["command"] = _SCRIPT.sub(r"python -m benchmarks.\1", made["command"])
    return {"about": {"experiments": experiments}, "rows": rows}


if __name__ == "__main__":
    print("\n".join(write()))
