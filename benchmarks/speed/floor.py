"""What the machine can do at all, for the other numbers to be held against."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_info

from benchmarks.common.rows import Row, row
from benchmarks.speed.places import Place
from benchmarks.speed.timing import medians


def machine(place: Place) -> list[Row]:
    """Matrix products in single precision, by NumPy and by torch, and memory's bandwidth."""
    import torch

    torch.set_num_threads(1)
    size, length = _sizes(place)
    rng = np.random.default_rng(0)
    one, other = (rng.standard_normal((size, size), dtype=np.float32) for _ in range(2))
    a, b = torch.from_numpy(one), torch.from_numpy(other)
    long = rng.standard_normal(length, dtype=np.float32)
    out = np.empty_like(long)
    mine, theirs, copied, read = medians(
        lambda: one @ other,
        lambda: a @ b,
        lambda: np.copyto(out, long),
        lambda: long.max(),
    )
    flops = 2 * size**3 / 1e9
    name = "speed floor synthetic the machine, one thread"
    return [
        row(name, "GFLOP/s, float32 product, NumPy", flops / mine),
        row(name, "GFLOP/s, float32 product, torch", flops / theirs),
        row(name, "GB/s, copied", 2 * long.nbytes / 1e9 / copied),
        row(name, "GB/s, read", long.nbytes / 1e9 / read),
    ]


def in_words(place: Place) -> str:
    """Say what this machine does at this moment, for the numbers of a run to be read beside it."""
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    kernels = dict.fromkeys(f"{pool['internal_api']} {pool['architecture']}" for pool in pools)
    size, length = _sizes(place)
    one = np.ones((size, size), dtype=np.float32)
    long = np.ones(length, dtype=np.float32)
    out = np.empty_like(long)
    product, copied = medians(lambda: one @ one, lambda: np.copyto(out, long), repeats=3)
    return (
        f"{', '.join(kernels)}, {2 * size**3 / 1e9 / product:.0f} GFLOP/s, "
        f"{2 * long.nbytes / 1e9 / copied:.0f} GB/s copied"
    )


def _sizes(place: Place) -> tuple[int, int]:
    """Return the rows of a matrix, and the length of an array that is in no cache."""
    return (2_048, 2**25) if place.full else (64, 2**10)
