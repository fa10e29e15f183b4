"""What own tags contribute to the scores of pairs."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp

from sktpecr._utils._array_api import beside, device_of, is_tensor, namespace_of, repeated


def own_contributions(own: sp.csr_matrix, tastes: Any, users: Any, items: Any) -> Any:
    """Return weights (n_items, n_tags) times tastes (n, n_tags), a sparse row for each pair."""
    xp, place = namespace_of(tastes), device_of(tastes)
    indptr, tags, weights, users, items = (
        beside(each, tastes) for each in (own.indptr, own.indices, own.data, users, items)
    )
    starts = indptr[items]
    counts = indptr[items + 1] - starts
    ends = xp.cumulative_sum(counts, dtype=xp.int64)
    # The entries of the rows of items, one pair after another.
    pairs = repeated(xp.arange(len(items), device=place), counts)
    entry = xp.arange(len(pairs), device=place) + (starts - ends + counts)[pairs]
    tags = tags[entry]
    told = weights[entry] * tastes[users[pairs], tags]
    shape = len(items), own.shape[1]
    if is_tensor(tastes):  # the standard has no sparse arrays
        known = {"is_coalesced": True, "check_invariants": False}
        with warnings.catch_warnings():
            # Of torch 2.11 and 2.12, which warn once whatever `check_invariants` says.
            warnings.filterwarnings("ignore", "Sparse invariant checks are implicitly disabled")
            return xp.sparse_coo_tensor(xp.stack([pairs, tags]), told, shape, **known)
    return sp.csr_matrix((told, tags, np.concatenate([[0], ends])), shape=shape)
