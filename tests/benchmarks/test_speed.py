"""The benchmark of speed: every goal runs, and stops where two ways differ."""

import json
from functools import partial

import numpy as np
import pytest

from benchmarks.speed import __main__ as speed
from benchmarks.speed import timing


@pytest.fixture
def once(monkeypatch):
    """Time each step once: what is tested is not how fast it is."""
    monkeypatch.setattr(timing, "REPEATS", 1)


@pytest.mark.usefixtures("once")
@pytest.mark.parametrize("goal", speed.GOALS)
def test_every_goal_checks_its_results_and_prints(goal, tmp_path, capsys):
    path = tmp_path / "speed.json"
    assert speed.main(["--quick", "--only", goal, "--json", str(path)]) == 0
    assert goal in capsys.readouterr().out
    written = json.loads(path.read_text())
    assert list(written["about"]["experiments"]) == [f"speed {goal} synthetic"]
    numbers = [row["here"] for row in written["rows"] if "exponent" not in row["column"]]
    assert len(numbers) > 1
    assert all(number >= 0 for number in numbers)


def test_two_ways_that_differ_stop_it():
    assert timing.same(np.ones(3), np.ones(3), 1e-6) == 0
    with pytest.raises(AssertionError, match=r"differ by 0\.5"):
        timing.same(np.array([1.0, 2.0]), np.array([2.0, 2.0]), 1e-6)
    with pytest.raises(AssertionError):
        timing.same(np.array([np.nan]), np.array([1.0]), 1e-6)


def test_medians_are_of_cpu_time_in_turn():
    order = []

    def busy(name, n):
        order.append(name)
        sum(range(n))

    few, many = timing.medians(lambda: busy("few", 1), lambda: busy("many", 300_000), repeats=3)
    assert few < many
    assert order == ["few", "many"] * 4


def test_memory_is_what_a_fresh_process_adds():
    # Its result included; np.ones, so that nothing but NumPy is loaded there.
    few, many = (timing.added_megabytes(partial, np.ones, each * 2**17) for each in (1, 60))
    if np.isnan(few):
        pytest.skip("only Linux resets its peak of memory")
    assert 55 <= many - few <= 65


def test_real_data_take_goals_without_a_size_of_their_own(capsys):
    with pytest.raises(SystemExit):
        speed.main(["--only", "P9", "--data", "movielens-1m"])
    assert "--only takes of P1" in capsys.readouterr().err


@pytest.mark.usefixtures("once")
def test_goals_are_measured_on_real_data_too(tmp_path):
    path = tmp_path / "speed.json"
    words = ["--quick", "--only", "P6b", "--data", "movielens-small", "--model", "als"]
    assert speed.main([*words, "--json", str(path)]) == 0
    written = json.loads(path.read_text())
    (made,) = written["about"]["experiments"].values()
    assert made["command"].endswith(
        "--only P6b --data movielens-small --model als --data-dir FOLDER"
    )
    assert {row["name"] for row in written["rows"]} == {
        "speed P6b movielens-small als exact attribution"
    }
