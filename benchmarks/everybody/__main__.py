"""Explain everybody's list, and measure what it takes: time, memory, and what a kill leaves.

    python -m benchmarks.everybody --data-dir FOLDER
    python -m benchmarks.everybody --only size million --json FILE

size: factors of the size of MovieLens-10M, exact, by one worker and by two, and on a LocalCluster
of dask; sampled: the same with CVAE and LIME. books: goodbooks-10k, real, with a question that
takes everybody; needs --data-dir. million: 1,000,000 users, 100,000 items, 100 tags, of which a
slice is explained, user factors in a file; the others are fitted before, and loaded. killed:
SIGKILL ten times at random moments. cost: CPU time of a user by items, tags and method. Every job
runs in a process of its own; seconds are of the clock, but for cost. --quick takes sizes at which
nothing but the checks means anything.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # before numpy comes in

from benchmarks.common import results
from benchmarks.everybody.parts import DATA, PARTS


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.everybody", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="small sizes: checks, no speeds")
    parser.add_argument("--data-dir", type=Path, metavar="FOLDER", help="where goodbooks-10k is")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to this file")
    options = parser.parse_args(arguments)
    data_dir = str(options.data_dir.resolve()) if options.data_dir else None
    for name in options.only:
        data = DATA.get(name, "synthetic")
        command = f"python -m benchmarks.everybody --only {name}"
        command += " --data-dir FOLDER" * (data != "synthetic")
        find = partial(PARTS[name], options.quick, data_dir)
        results.measure(find, options.json, f"everybody {name}", data, command=command)
    return 0


if __name__ == "__main__":
    sys.exit(main())
