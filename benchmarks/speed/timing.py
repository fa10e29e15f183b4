"""Times, and memory of a fresh process."""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

REPEATS = 7


def medians(*functions: Callable[[], object], repeats: int | None = None) -> list[float]:
    """Return the median CPU seconds of each, run in turn after one run to warm up."""
    for function in functions:
        function()
    times: list[list[float]] = [[] for _ in functions]
    for _ in range(repeats or REPEATS):
        for spent, function in zip(times, functions, strict=True):
            spent.append(cpu_seconds(function))
    return [max(statistics.median(spent), 1e-9) for spent in times]


def cpu_seconds(function: Callable[[], object]) -> float:
    """Return the CPU seconds of one run."""
    start = time.process_time()
    function()
    return time.process_time() - start


def same(one: NDArray, other: NDArray, tolerance: float) -> float:
    """Return by how much two ways differ, relative to the largest number; stop if it is much."""
    worst = float(np.abs(one - other).max() / np.abs(other).max())
    if not worst <= tolerance:
        raise AssertionError(f"the two ways differ by {worst:.2g}, more than {tolerance:g}")
    return worst


def added_megabytes(prepare: Callable[..., Any], *args: Any) -> float:
    """Return the peak memory that a piece of work adds to a fresh process, its result included.

    Parameters
    ----------
    prepare : callable
        Of a module; ``prepare(*args)`` returns the work, to be called with nothing.
    *args : object
        What it is called with, in the other process.

    Notes
    -----
    Resident memory as Linux counts it: the largest from the start of the work on, less what there
    was before. Returns NaN elsewhere.
    """
    return afresh(_added, prepare, *args)


def first_seconds(prepare: Callable[..., Any], *args: Any) -> float:
    """Return the CPU seconds of the first run of a piece of work, in a fresh process.

    Parameters
    ----------
    prepare : callable
        Of a module; ``prepare(*args)`` returns the work, to be called with nothing.
    *args : object
        What it is called with, in the other process.
    """
    return afresh(_first, prepare, *args)


def afresh(measure: Callable[..., Any], *args: Any) -> Any:
    """Return what a function of a module returns in a fresh process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(measure, *args).result()


def _first(prepare: Callable[..., Any], *args: Any) -> float:
    work = prepare(*args)
    gc.collect()
    return cpu_seconds(work)


def _added(prepare: Callable[..., Any], *args: Any) -> float:
    work = prepare(*args)
    gc.collect()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # the peak from here on
        before = _status("VmRSS")
        kept = work()
        after = _status("VmHWM")
    except OSError:
        return float("nan")
    del kept
    return (after - before) / 1024


def _status(name: str) -> int:
    """Return a line of what the kernel says of this process, in kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])
