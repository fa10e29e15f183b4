"""Table 3: how large the data are after the paper's filters."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.common.data import PAPERS, load
from benchmarks.common.published import published
from benchmarks.common.rows import Row, prefix, row

KINDS = ("users", "items", "tags", "interactions")


def table3(
    data: str, folder: Path | None, model: str | None = None, figures: Path | None = None
) -> list[Row]:
    """Count before and after items with fewer than 5, then users with fewer than 10, are dropped.

    What is dropped is counted too: an item that the stated filter drops had four interactions at
    most, so `interactions of dropped items` is at most four times `items dropped`. In the paper's
    MovieLens-10M it is not: see published.json, where both are what its Table 3 leaves of the
    release.
    """
    name = prefix("table 3", data)
    raw = load(data, folder)
    per_item = np.bincount(raw.interactions.indices, minlength=raw.interactions.shape[1])
    rare = per_item[(per_item > 0) & (per_item < 5)]
    before, after = raw.counts(), raw.drop_rare().counts()
    before["items"] = int(np.count_nonzero(per_item))
    rows = []
    for kind in KINDS:
        same = after[kind] == published(name, kind) if data in PAPERS else None
        rows.append(row(name, kind, after[kind], holds=same))
    rows += [row(name, f"{kind} before", before[kind]) for kind in KINDS]
    rows += [row(name, f"{kind} dropped", before[kind] - after[kind]) for kind in KINDS]
    return [*rows, row(name, "interactions of dropped items", int(rare.sum()))]
