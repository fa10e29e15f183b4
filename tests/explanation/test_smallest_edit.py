"""The smallest edit that meets all but a few conditions, against enumeration."""

import time
from itertools import combinations

import numpy as np
import pytest
from scipy.optimize import linprog

from sktpecr.explanation import _smallest_edit
from sktpecr.explanation._smallest_edit import smallest_edit


def enumerated(rows, needs, n_spare, max_change):
    """Return the smallest size over all choices of conditions to give up, inf if there is none."""
    n_conditions, n_tags = rows.shape
    best = np.inf
    for kept in combinations(range(n_conditions), max(n_conditions - n_spare, 0)):
        signed = np.hstack([rows[list(kept)], -rows[list(kept)]])
        found = linprog(
            np.ones(2 * n_tags), A_ub=-signed, b_ub=-needs[list(kept)], bounds=(0, max_change)
        )
        if found.status == 0:
            best = min(best, found.fun)
    return best


def conditions(seed, n_conditions, n_tags):
    rng = np.random.RandomState(seed)
    rows = rng.normal(size=(n_conditions, n_tags))
    rows /= np.abs(rows).max(axis=1, keepdims=True)
    return rows, rng.normal(0.5, 1.0, size=n_conditions)


@pytest.mark.parametrize("n_tags", [1, 2, 5])
@pytest.mark.parametrize("n_spare", [0, 1, 2, 4])
def test_is_the_smallest_of_all_choices(n_tags, n_spare, monkeypatch):
    feasible = 0
    for seed in range(8):
        rows, needs = conditions(seed, 7, n_tags)
        expected = enumerated(rows, needs, n_spare, 1.5)
        for at_a_time in (1, 20):
            monkeypatch.setattr(_smallest_edit, "_AT_A_TIME", at_a_time)
            edit, proven = smallest_edit(rows, needs, n_spare, 1.5, time.monotonic() + 60)
            assert proven
            assert (edit is None) == np.isinf(expected)
            if edit is not None:
                feasible += 1
                assert np.abs(edit).sum() == pytest.approx(expected, rel=1e-4, abs=1e-6)
                assert np.abs(edit).max() <= 1.5
                assert np.count_nonzero(rows @ edit < needs - 1e-6) <= n_spare
    assert feasible or n_spare * n_tags < 2  # none of these is decided by infeasibility alone


def test_without_time_an_edit_is_given_without_proof():
    rows, needs = conditions(2, 40, 6)
    edit, proven = smallest_edit(rows, needs, 25, 4.0, time.monotonic() - 1)
    best, best_proven = smallest_edit(rows, needs, 25, 4.0, time.monotonic() + 30)
    assert (proven, best_proven) == (False, True)
    assert np.count_nonzero(rows @ edit < needs - 1e-6) <= 25
    assert np.abs(best).sum() <= np.abs(edit).sum() * (1 + 1e-4)


def test_no_conditions_need_no_edit():
    edit, proven = smallest_edit(np.empty((0, 3)), np.empty(0), 0, 1.0, time.monotonic() + 1)
    np.testing.assert_array_equal(edit, np.zeros(3))
    assert proven


def test_more_to_spare_than_conditions_needs_no_edit():
    rows, needs = conditions(0, 5, 2)
    edit, proven = smallest_edit(rows, needs, 9, 1.0, time.monotonic() + 1)
    np.testing.assert_array_equal(edit, np.zeros(2))
    assert proven


def test_fewer_than_none_to_spare_is_proof_that_there_is_none():
    assert smallest_edit(*conditions(0, 5, 2), -1, 9.0, time.monotonic() + 1) == (None, True)


def test_a_solver_that_rejects_its_own_solution_is_asked_again(monkeypatch):
    """HiGHS does that by a rounding now and then; scaled conditions have the same solutions."""
    solve, asked = _smallest_edit.milp, []

    def refusing(*args, **given):
        result = solve(*args, **given)
        asked.append(given["constraints"][0].lb)
        if len(asked) % 3:
            result.x, result.status = None, 4
        return result

    rows, needs = conditions(2, 40, 6)
    expected, _ = smallest_edit(rows, needs, 25, 4.0, time.monotonic() + 30)
    monkeypatch.setattr(_smallest_edit, "milp", refusing)
    edit, proven = smallest_edit(rows, needs, 25, 4.0, time.monotonic() + 30)
    assert proven
    assert np.abs(edit).sum() == pytest.approx(np.abs(expected).sum(), rel=1e-4)
    np.testing.assert_allclose(asked[2], asked[0] * 0.1)
    monkeypatch.setattr(_smallest_edit, "_SCALES", (1.0,))
    asked.clear()
    assert smallest_edit(rows, needs, 25, 4.0, time.monotonic() + 30)[1] is False
