"""The benchmark of reliability: its own arithmetic, and a small load on the app."""

import json

import pytest

from benchmarks.reliability import __main__ as reliability


@pytest.mark.parametrize("part", ["digits", "app"])
def test_parts_run_and_print(part, tmp_path, capsys):
    if part == "app":
        pytest.importorskip("uvicorn")
    path = tmp_path / "reliability.json"
    assert reliability.main(["--quick", "--only", part, "--json", str(path)]) == 0
    assert part in capsys.readouterr().out
    rows = json.loads(path.read_text())["rows"]
    assert all(row["holds"] in (None, True) for row in rows)


def test_counts_are_read_off_what_hypothesis_says():
    said = """
tests/test_x.py::test_one_thing:

  - during generate phase (1.0 seconds):
    - Typical runtimes: < 1ms
    - 90 passing, 0 failing, and 0 invalid test cases
tests/test_x.py::TestMore::test_another[a]:
    - 7 passing examples, 2 failing examples, 1 invalid examples
    - 1 passing, 3 failing, and 3 invalid test cases
"""
    assert reliability.tried(said) == {"one thing": (90, 0), "another[a]": (8, 5)}
