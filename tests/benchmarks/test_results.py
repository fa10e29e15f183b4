"""The file of results: what is run again replaces what it found before."""

import json

import pytest

from benchmarks.common import results
from benchmarks.common.rows import Row


def test_results_of_an_experiment_run_again_replace_its_rows(tmp_path):
    path = tmp_path / "new" / "results.json"
    names = [
        "table 4 movielens-1m mf",
        "table 4 movielens-1m mf one tag",
        "table 4 movielens-1m fm",
    ]
    for model, rows in (("mf", names[:2]), ("fm", names[2:])):
        rows = [Row(name, "x", 1.0) for name in rows]
        results.record(path, "table 4", "movielens-1m", model, rows, command=model, seconds=1.5)
    again = [Row(names[0], "y", 2.0)]
    results.record(path, "table 4", "movielens-1m", "mf", again, command="again", seconds=2.0)
    kept = json.loads(path.read_text())
    assert [(each["name"], each["here"]) for each in kept["rows"]] == [(names[0], 2), (names[2], 1)]
    assert kept["about"]["seconds"] == 3.5
    assert set(kept["about"]) == {
        "commit", "date", "command", "seconds", "versions", "experiments",
    }  # fmt: skip
    made = kept["about"]["experiments"]
    assert [made[name]["command"] for name in (names[0], names[2])] == ["again", "fm"]
    assert [each.name for each in path.parent.iterdir()] == ["results.json"]


def test_rows_under_the_name_of_another_experiment_are_refused(tmp_path):
    path = tmp_path / "results.json"
    stray = [Row("table 4 movielens-1m mf2", "x", 1.0)]
    with pytest.raises(ValueError, match=r"other names.*mf2"):
        results.record(path, "table 4", "movielens-1m", "mf", stray, command="x", seconds=1.0)
    assert not path.exists()
