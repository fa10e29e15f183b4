"""The benchmark of speed: every goal runs, and stops where two ways differ."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import speed


@pytest.mark.parametrize("goal", speed.GOALS)
def test_every_goal_checks_its_results_and_prints(goal, tmp_path, capsys):
    path = tmp_path / "speed.json"
    assert speed.main(["--quick", "--only", goal, "--json", str(path)]) == 0
    assert goal in capsys.readouterr().out
    written = json.loads(path.read_text())
    assert list(written["about"]["experiments"]) == [f"speed {goal} synthetic"]
    assert all(row["here"] >= 0 for row in written["rows"])


def test_two_ways_that_differ_stop_it():
    assert speed.same(np.ones(3), np.ones(3), 1e-6) == 0
    with pytest.raises(AssertionError, match=r"differ by 0\.5"):
        speed.same(np.array([1.0, 2.0]), np.array([2.0, 2.0]), 1e-6)
    with pytest.raises(AssertionError):
        speed.same(np.array([np.nan]), np.array([1.0]), 1e-6)


def test_medians_are_of_cpu_time_in_turn():
    order = []

    def busy(name, n):
        order.append(name)
        sum(range(n))

    few, many = speed.medians(lambda: busy("few", 1), lambda: busy("many", 300_000), repeats=3)
    assert few < many
    assert order == ["few", "many"] * 4
