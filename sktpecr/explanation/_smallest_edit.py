"""The smallest edit that meets all but a few of many linear conditions."""

from __future__ import annotations

import time

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

# A condition counts as met when it lacks less than this: the solver's own tolerance.
_TOLERANCE = 1e-7
# Sizes this near to each other, relative, are the same. Half of it is left to the solver.
_SAME_SIZE = 5e-5
# Conditions added at a time; most are never needed.
_AT_A_TIME = 20
# How often the conditions to give up are chosen anew on the way down.
_DESCENTS = 5
# What scipy.optimize.milp says of a programme.
_OPTIMAL, _INFEASIBLE, _ERROR = 0, 2, 4
# HiGHS now and then calls its own solution infeasible by a rounding. Scaled conditions mend it.
_SCALES = (1.0, 0.5, 0.1)


def smallest_edit(
    rows: NDArray, needs: NDArray, n_spare: int, max_change: float, deadline: float
) -> tuple[NDArray | None, bool]:
    r"""Return the smallest edit that meets all conditions but some."""
    # `rows` (n_conditions, n_tags); `needs` (n_conditions,); returns (n_tags,).
    # The mixed-integer linear programme
    # with B_j large enough to switch condition j off. A linear programme with the
    # conditions to give up chosen by how far off they are gives an edit soon; as no smaller edit
    # moves a condition by more than its size, the B_j are small, and conditions beyond
    # reach are given up at once. The programme is then solved over the conditions that its last
    # solution fails, and these alone: its solutions bound the smallest edit from below, and when
    # one of them leads to an edit of its own size, that is the smallest.
    n_conditions, n_tags = rows.shape
    if n_spare < 0:
        return None, True
    reach_in_box = max_change * np.abs(rows).sum(axis=1)
    bound: NDArray = np.zeros(n_tags)
    best = _descend(rows, needs, n_spare, max_change, bound)
    if best is None:
        nearest = _fall_least_short(rows, needs, max_change)
        best = _descend(rows, needs, n_spare, max_change, nearest)
    active = np.zeros(n_conditions, dtype=bool)
    while True:
        size = np.inf if best is None else np.abs(best).sum()
        if size <= np.abs(bound).sum() * (1 + _SAME_SIZE) + _TOLERANCE:
            return best, True
        reach = np.minimum(reach_in_box, size * (1 + _SAME_SIZE))
        within = needs <= reach
        left = n_spare - int(np.count_nonzero(~within))
        if left < 0:  # with an edit at hand this is rounding: all smaller ones are ruled out
            return best, True
        slack = rows @ bound - needs
        failed = np.flatnonzero(within & ~active & (slack < -_TOLERANCE))
        if not len(failed):
            return best, best is not None
        n_new = max(_AT_A_TIME, left + _AT_A_TIME - np.count_nonzero(active & within))
        active[failed[np.argsort(slack[failed], kind="stable")[:n_new]]] = True
        some = active & within
        seconds = deadline - time.monotonic()
        if seconds <= 0:
            return best, False
        solution, status = _solve(rows[some], needs[some], left, reach[some], max_change, seconds)
        if solution is not None:
            better = _descend(rows, needs, n_spare, max_change, solution)
            if better is not None and np.abs(better).sum() < size:
                best = better
        if status == _INFEASIBLE:
            return best, True
        if solution is None or status != _OPTIMAL:
            return best, False
        bound = solution


def _solve(
    rows: NDArray, needs: NDArray, n_spare: int, reach: NDArray, max_change: float, seconds: float
) -> tuple[NDArray | None, int]:
    """Solve the mixed-integer programme; return the edit, if any, and the solver's status."""
    n_conditions, n_tags = rows.shape
    off = np.maximum(needs + reach, 0.0)
    edits = np.hstack([rows, -rows])  # more and less of each tag are two variables
    conditions = sp.csc_matrix(sp.hstack([sp.csr_matrix(edits), sp.diags(off)]))
    unmet = np.repeat([0.0, 1.0], [2 * n_tags, n_conditions])
    for scale in _SCALES:
        result = milp(
            1.0 - unmet,
            integrality=unmet,
            bounds=Bounds(0.0, np.where(unmet, 1.0, max_change)),
            constraints=[
                LinearConstraint(scale * conditions, lb=scale * needs),
                LinearConstraint(unmet[np.newaxis], ub=n_spare),
            ],
            options={"time_limit": seconds, "mip_rel_gap": _SAME_SIZE},
        )
        if result.status != _ERROR:
            break
    if result.x is None:
        return None, result.status
    return result.x[:n_tags] - result.x[n_tags : 2 * n_tags], result.status


def _descend(
    rows: NDArray, needs: NDArray, n_spare: int, max_change: float, start: NDArray
) -> NDArray | None:
    """Give up the conditions furthest off, meet the others, and choose again from there."""
    best, here = None, start
    for _ in range(_DESCENTS):
        kept = np.argsort(rows @ here - needs, kind="stable")[n_spare:]
        found = _meet_all(rows[kept], needs[kept], max_change)
        if found is None:
            break
        if best is not None and np.abs(found).sum() >= np.abs(best).sum() * (1 - _SAME_SIZE):
            break
        best = here = found
    return best


def _fall_least_short(rows: NDArray, needs: NDArray, max_change: float) -> NDArray:
    """Return the edit that leaves the smallest sum of shortfalls."""
    n_conditions, n_tags = rows.shape
    edits = sp.hstack([sp.csr_matrix(np.hstack([rows, -rows])), sp.eye(n_conditions)])
    shortfalls = np.repeat([0.0, 1.0], [2 * n_tags, n_conditions])
    result = milp(
        shortfalls,
        bounds=Bounds(0.0, np.where(shortfalls, np.inf, max_change)),
        constraints=LinearConstraint(sp.csc_matrix(edits), lb=needs),
    )
    if result.x is None:  # there is always such an edit: the solver has given up
        return np.zeros(n_tags)
    return result.x[:n_tags] - result.x[n_tags : 2 * n_tags]


def _meet_all(rows: NDArray, needs: NDArray, max_change: float) -> NDArray | None:
    """Return the smallest edit that meets all conditions, None if there is none."""
    n_tags = rows.shape[1]
    edit = np.zeros(n_tags)
    active = np.zeros(len(rows), dtype=bool)
    while True:
        slack = rows @ edit - needs
        failed = np.flatnonzero(~active & (slack < -_TOLERANCE))
        if not len(failed):
            return edit
        active[failed[np.argsort(slack[failed], kind="stable")[:_AT_A_TIME]]] = True
        result = linprog(
            np.ones(2 * n_tags),
            A_ub=np.hstack([-rows[active], rows[active]]),
            b_ub=-needs[active],
            bounds=(0.0, max_change),
            method="highs",
        )
        if result.x is None:
            return None
        edit = result.x[:n_tags] - result.x[n_tags:]
