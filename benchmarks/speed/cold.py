"""P12: from nothing to the first answer, in fresh processes."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time

from benchmarks.common.rows import Row, row
from benchmarks.speed.places import Place
from benchmarks.speed.timing import afresh, cpu_seconds

# As many interactions a user as MovieLens-10M has.
_INTERACTIONS = 115
# Prints what comes on top of packages that are loaded already.
_IMPORT = """\
import time, pandas, scipy.stats, sklearn.utils.validation
start = time.process_time()
import sktpecr
print(time.process_time() - start)
"""


def start(place: Place) -> list[Row]:
    """Import the package, load a saved explainer, explain and refine for the first time."""
    name, repeats = "speed P12 synthetic from nothing", 5 if place.full else 1
    with tempfile.TemporaryDirectory() as folder:
        imported = _import_seconds(folder if place.full else None, repeats)
        explainer = place.world(interactions=_INTERACTIONS).explainer()
        explainer.save(f"{folder}/explainer")
        del explainer
        runs = [afresh(_first_answers, f"{folder}/explainer") for _ in range(repeats)]
    load, explain, refine = (1e3 * statistics.median(spent) for spent in zip(*runs, strict=True))
    return [
        row(
            name,
            "seconds to import, scikit-learn and pandas loaded",
            imported,
            holds=imported <= 0.1,
        ),
        row(name, "ms to load an explainer with 8 million interactions", load, holds=load < 200),
        row(name, "ms, the first explanation", explain, holds=explain < 5),
        row(name, "ms, the first like", refine, holds=refine < 10),
    ]


def _import_seconds(folder: str | None, repeats: int) -> float:
    """Return the CPU seconds of an import, of modules that are compiled into a folder before."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(["", *sys.path])}
    if folder is not None:
        environment["PYTHONPYCACHEPREFIX"] = folder
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
    found = [
        subprocess.run(  # noqa: S603 (this file's own text)
            [sys.executable, "-c", _IMPORT],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(repeats + (folder is not None))
    ]
    return statistics.median(float(printed) for printed in found[-repeats:])


def _first_answers(folder: str) -> tuple[float, float, float]:
    """Return the CPU seconds of loading, of one explanation, and of one like."""
    from sktpecr import FeedbackRefiner, TPECRExplainer

    start = time.process_time()
    explainer = TPECRExplainer.load(folder)
    loaded = time.process_time() - start
    user, item = explainer.user_ids_[0], explainer.tag_model_.catalogue.item_ids[3]
    explained = cpu_seconds(lambda: explainer.explain(user, item))
    refiner, tag = FeedbackRefiner(explainer), explainer.tag_names_[0]
    return loaded, explained, cpu_seconds(lambda: refiner.refine(user, like=tag))
