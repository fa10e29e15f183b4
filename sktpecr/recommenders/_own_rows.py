"""Which rows of interactions are users that a recommender stores, and embeddings of all rows."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sktpecr._inputs._numbers import check_choice
from sktpecr.recommenders._protocol import check_range, fold_in, is_dot_product, optional
from sktpecr.recommenders.distilled._distillation import variance_kept

# Of how many it is measured what embedding anew keeps; by descent each takes a fifth of a second.
_SAMPLE_USERS, _SAMPLE_BY_DESCENT, _SAMPLE_ITEMS = 100, 10, 2000


def own_rows(
    recommender: Any, n_rows: int, user_ids: Any, users: Any, is_clone: bool = False
) -> NDArray:
    """Return which of the recommender's users each row is, shape (n_rows,), -1 where it is none."""
    check_choice(users, "users", None, "fold_in")
    n_users = len(recommender.user_embeddings)
    nobody = np.full(n_rows, -1)
    if n_users == 0 or users == "fold_in":
        return nobody
    own, name = optional(recommender, "user_ids"), type(recommender).__name__
    if own is not None and user_ids is not None:
        known = {label: row for row, label in enumerate(np.asarray(own).tolist())}
        found = np.array([known.get(label, -1) for label in user_ids], dtype=np.intp)
        if (found < 0).all():
            raise ValueError(
                f"user_ids has none of the {n_users} user ids that the {name} was trained on; give "
                f"the same kind of ids, or pass users='fold_in' to embed all rows anew"
            )
        return found
    if n_rows == n_users:
        return np.arange(n_users)
    said = (
        f"X has {n_rows} rows, and the {name} stores {n_users} users, so which row is which user "
        f"cannot be told"
    )
    ways_out = (
        "pass the rows that it was trained on, or ids on both sides (user_ids= of fit, and "
        "user_ids of the recommender), or users='fold_in' to embed all rows anew"
    )
    if user_ids is not None or not is_clone:
        raise ValueError(f"{said}; {ways_out}")
    # Cross-validation clones, gives parts of the rows, and asks for nobody.
    warnings.warn(f"{said}: all are embedded anew; {ways_out}", UserWarning, stacklevel=2)
    return nobody


def fold_in_fidelity(
    recommender: Any, embeddings: NDArray, X: sp.csr_matrix, known: NDArray
) -> float:
    """Return the share of the variance of known users' scores that embedding them anew keeps."""
    # `embeddings` (n_users, n_factors), stored where `known` (n_users,) says so.
    random_state = np.random.RandomState(0)
    rows = np.flatnonzero(known & (np.diff(X.indptr) > 0))
    n_users = _SAMPLE_USERS if is_dot_product(recommender) else _SAMPLE_BY_DESCENT
    rows = np.sort(random_state.permutation(rows)[:n_users])
    if not len(rows):
        return 1.0
    some = embeddings[rows]
    columns = random_state.permutation(X.shape[1])[:_SAMPLE_ITEMS]
    scores = np.asarray(recommender.score_items(some, columns))
    folded = recommender.score_items(fold_in(recommender, X[rows]).astype(some.dtype), columns)
    return max(0.0, variance_kept(scores, np.asarray(folded), np.ones(scores.shape, dtype=bool)))


def embeddings_of_rows(recommender: Any, X: sp.csr_matrix, rows: NDArray) -> NDArray:
    """Return stored embeddings of the rows that are the recommender's users, others folded in."""
    stored = recommender.user_embeddings
    if np.array_equal(rows, np.arange(len(stored))):
        return stored  # no copy: it may be a file larger than memory
    new = rows < 0
    folded = fold_in(recommender, X[new]) if new.any() else stored[:0]
    check_range(recommender, folded)
    if new.all():
        return folded
    embeddings = np.asarray(stored)[rows]
    embeddings[new] = folded
    return embeddings
