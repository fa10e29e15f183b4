"""Run the paper's experiments, and print what comes out beside the paper's numbers.

    python -m benchmarks.paper
    python -m benchmarks.paper --table 1 2 --data synthetic --json results.json
    python -m benchmarks.paper --table 4 5 --figure 4 --data movielens-1m --model mf fm \
        --data-dir FOLDER --figures FOLDER

With none of --table, --figure and --beyond, all that fit the data are run. A --json file keeps the
rows of experiments that are not run again. What each data set needs in --data-dir is said where it
lacks. Set OMP_NUM_THREADS=1 and OPENBLAS_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from sklearn.exceptions import ConvergenceWarning

from benchmarks.common import results
from benchmarks.common.data import DATED, REAL
from benchmarks.common.rows import Row, prefix, show

SYNTHETIC = ("synthetic",)
# The paper's three, and implicit's, which are only run when named.
MODELS = ("mf", "ncf", "fm")
OTHERS = ("als", "bpr")


class Experiment(NamedTuple):
    """A function of (data name, data folder, model name, folder of figures) that returns rows."""

    module: str  # of benchmarks
    function: str
    data: tuple[str, ...]
    models: bool

    def load(self) -> Callable[[str, Path | None, str | None, Path | None], list[Row]]:
        return getattr(import_module(f"benchmarks.{self.module}"), self.function)


EXPERIMENTS = {
    "table 1": Experiment("paper.synthetic", "table1", SYNTHETIC, models=False),
    "table 2": Experiment("paper.synthetic", "table2", SYNTHETIC, models=False),
    "table 3": Experiment("paper.counts", "table3", REAL, models=False),
    "table 4": Experiment("paper.generation", "table4", REAL, models=True),
    "figure 4": Experiment("paper.control", "figure4", REAL, models=True),
    "table 5": Experiment("paper.refinement", "table5", REAL, models=True),
    "table 6": Experiment("paper.refinement", "table6", REAL, models=True),
    "figure 5": Experiment("paper.explanations", "figure5", REAL, models=True),
    # Not the paper's: what this library adds, on the same data.
    "beyond explanations": Experiment("beyond.attributions", "explanations", REAL, models=True),
    "beyond checks": Experiment("beyond.checks", "checks", REAL, models=True),
    "beyond counterfactuals": Experiment(
        "beyond.counterfactuals", "counterfactuals", REAL, models=True
    ),
    "beyond rivals": Experiment("beyond.rivals", "rivals", REAL, models=True),
    "beyond sampling": Experiment("beyond.sampling", "sampling", REAL, models=True),
    "beyond several": Experiment("beyond.several", "several", REAL, models=True),
    "beyond conversations": Experiment("beyond.conversations", "conversations", REAL, models=True),
    "beyond distilled": Experiment("beyond.distilled", "distilled", REAL, models=False),
    "beyond feedback": Experiment("beyond.real_feedback", "real_feedback", DATED, models=False),
    "beyond newcomers": Experiment("beyond.tags_only", "tags_only", REAL, models=True),
    "beyond new-items": Experiment("beyond.new_items", "new_items", REAL, models=True),
    "beyond shown": Experiment("beyond.shown", "shown", REAL, models=True),
    "beyond critiquing": Experiment("beyond.critiquing", "critiquing", REAL, models=True),
    "beyond planted": Experiment("beyond.planted", "planted", SYNTHETIC, models=False),
}

Task = tuple[str, str, str | None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; return 1 if an experiment failed, else 0."""
    options, tasks = parse(arguments)
    # A network that wanted more epochs shows in what it reaches.
    warnings.simplefilter("ignore", ConvergenceWarning)
    if options.figures:
        options.figures.mkdir(parents=True, exist_ok=True)
    failed = []
    for experiment, data, model in tasks:
        name = prefix(experiment, data, model)
        print(f"\n{name}", flush=True)
        start = time.perf_counter()
        try:
            rows = EXPERIMENTS[experiment].load()(data, options.data_dir, model, options.figures)
            seconds = time.perf_counter() - start
            print(f"{show(rows)}\n  {seconds:.0f} s", flush=True)
            if options.json:
                command = results.command(experiment, data, models=[model] if model else [])
                results.record(
                    options.json, experiment, data, model, rows, command=command, seconds=seconds
                )
        except Exception as error:
            # Files that are not there need no trace of how they were missed.
            if not isinstance(error, OSError):
                traceback.print_exc()
            failed.append(f"{name} failed: {type(error).__name__}: {error}")
            print(failed[-1], file=sys.stderr, flush=True)
    if failed and len(tasks) > 1:
        print("\n" + "\n".join(failed), file=sys.stderr)
    return int(bool(failed))


def parse(arguments: Sequence[str] | None) -> tuple[argparse.Namespace, list[Task]]:
    """Return the options, and what is to be run."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.paper", description=__doc__.splitlines()[0]
    )
    add = parser.add_argument
    add("--table", nargs="+", type=int, choices=_numbers("table"), default=[])
    add("--figure", nargs="+", type=int, choices=_numbers("figure"), default=[])
    add("--beyond", nargs="+", choices=_named("beyond"), default=[])
    add(
        "--data",
        nargs="+",
        choices=[*SYNTHETIC, *REAL, *DATED],
        default=["synthetic", "movielens-small"],
    )
    add("--model", nargs="+", choices=[*MODELS, *OTHERS], default=list(MODELS))
    add("--data-dir", type=Path, metavar="FOLDER", help="where files of data sets are")
    add("--json", type=Path, metavar="FILE", help="write the rows to this file as well")
    add("--figures", type=Path, metavar="FOLDER", help="save figures there, as PNG")
    options = parser.parse_args(arguments)
    named = [f"table {number}" for number in options.table]
    named += [f"figure {number}" for number in options.figure]
    named += [f"beyond {name}" for name in options.beyond]
    tasks: list[Task] = []
    for data in options.data:
        for model in options.model:
            for experiment in EXPERIMENTS:
                if data in EXPERIMENTS[experiment].data and experiment in (named or EXPERIMENTS):
                    task = experiment, data, model if EXPERIMENTS[experiment].models else None
                    tasks += [task] * (task not in tasks)
    for experiment in named:
        if experiment not in {task[0] for task in tasks}:
            fits = ", ".join(EXPERIMENTS[experiment].data)
            parser.error(f"{experiment} needs --data to be one of {fits}")
    for data in options.data:
        if data not in {task[1] for task in tasks} and data in (arguments or sys.argv):
            parser.error(f"--data {data} fits none of: {', '.join(named)}")
    return options, tasks


def _named(kind: str) -> list[str]:
    return [name.split()[1] for name in EXPERIMENTS if name.startswith(kind)]


def _numbers(kind: str) -> list[int]:
    return [int(name) for name in _named(kind)]


if __name__ == "__main__":
    sys.exit(main())
