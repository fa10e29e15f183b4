"""Measure how fast things are, each beside peers in one run, the same result checked first.

    python -m benchmarks.speed
    python -m benchmarks.speed --only P1 P5 --json FILE
    python -m benchmarks.speed --only P1 P8 --data movielens-1m --data-dir FOLDER

Times are medians of CPU time of one thread, of repeats in turn (the app's are of the clock); ratios
are what counts. Factors are random, of the size of MovieLens-10M, unless it says otherwise; with
--data they are a model's, trained on real data. --quick takes sizes at which nothing but the checks
means anything.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # before numpy comes in

from benchmarks.common import results
from benchmarks.common.rows import Row
from benchmarks.speed import (
    app,
    cold,
    curves,
    exact,
    feedback,
    floor,
    lime,
    lists,
    preferences,
    training,
)
from benchmarks.speed.places import MOVIELENS_10M, QUICK, Place

GOALS: dict[str, Callable[[Place], list[Row]]] = {
    "floor": floor.machine,
    "P1": preferences.dot_product,
    "P2": preferences.network,
    "P3": training.epoch,
    "P4": training.quality,
    "P5": lime.same_draws,
    "P6": lime.fewer_draws,
    "P6b": exact.pairs,
    "P7": exact.everybody,
    "P8": feedback.turns,
    "P9": lists.first_ten,
    "P10": lime.many_tags,
    "P11": lists.million,
    "P12": cold.start,
    "curves": curves.scaling,
    "app": app.answers,
}
# Those that mean something on real data; the others ask for a size.
REAL = ("P1", "P4", "P5", "P6", "P6b", "P7", "P8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for; stops where two ways do not say the same."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.speed", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--only", nargs="+", choices=list(GOALS))
    parser.add_argument(
        "--data", default="synthetic", help="synthetic, or of benchmarks.paper's --data"
    )
    parser.add_argument("--model", default="mf", help="with --data: of benchmarks.paper's --model")
    parser.add_argument("--data-dir", type=Path, metavar="FOLDER")
    parser.add_argument("--quick", action="store_true", help="small sizes: checks, no speeds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to this file")
    options = parser.parse_args(arguments)
    real = options.data != "synthetic"
    goals = options.only or (REAL if real else GOALS)
    if real and set(goals) - set(REAL):
        parser.error(f"with --data, --only takes of {', '.join(REAL)}")
    model = options.model if real else None
    place = Place(QUICK if options.quick else MOVIELENS_10M, options.data, model, options.data_dir)
    for goal in goals:
        command = f"python -m benchmarks.speed --only {goal}"
        if real:
            command += f" --data {options.data} --model {model} --data-dir FOLDER"
        find = partial(GOALS[goal], place)
        data = options.data, model
        how = {"command": command, "machine": floor.in_words(place)}
        results.measure(find, options.json, f"speed {goal}", *data, **how)
    return 0


if __name__ == "__main__":
    sys.exit(main())
