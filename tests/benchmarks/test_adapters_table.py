"""tools/adapters.py and the table that the manual has of it."""

import json
from pathlib import Path

import adapters
import pytest

from benchmarks.pages import adapters as adapters_table

ROOT = Path(__file__).parents[2]

MODEL = {
    "model": "SVD",
    "scores": "the library's own",
    "difference": 2e-7,
    "size": 4.0,
    "exact": True,
    "new_users": "ridge regression",
    "lost": "",
    "failed": [],
    "passed": 12,
}


def cells(tmp_path, *libraries):
    found = {"about": {"command": "do it", "date": "2026-11-24"}, "adapters": list(libraries)}
    path = tmp_path / "adapters.json"
    path.write_text(json.dumps(found))
    lines = adapters_table.table(path).splitlines()
    return [line.strip() for line in lines if line.startswith("   ") and ":" not in line[:4]]


@pytest.mark.parametrize(
    ("changed", "cell"),
    [
        ({}, "the library's own, to 5e-08"),
        ({"difference": 0.0}, "the library's own, to the last bit"),
        ({"exact": False, "difference": 0.3}, "off by up to 0.3 of 4"),
        ({"failed": ["test_shapes", "test_b"]}, "fails: test_shapes, test_b"),
    ],
)
def test_a_model_is_a_row_that_says_how_exact_it_is(tmp_path, changed, cell):
    library = {"library": "A", "version": "1.2", "models": [{**MODEL, **changed}]}
    row = cells(tmp_path, library)[0]
    assert row.startswith("A 1.2,SVD,")
    assert cell in row.replace('"', "")


def test_a_library_is_named_once_and_a_problem_takes_its_place(tmp_path):
    library = {"library": "A", "version": "1.2", "models": [MODEL, {**MODEL, "model": "NMF"}]}
    rows = cells(tmp_path, library, {"library": "B", "problem": "does not install: no Java"})
    assert [row.split(",")[:2] for row in rows] == [["A 1.2", "SVD"], ["", "NMF"], ["B", ""]]
    assert "does not install: no Java" in rows[2]


def environment(folder, script):
    """Put a program where an environment has its Python."""
    python = folder / "surprise" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)


def test_what_does_not_install_is_reported_by_pips_own_words(tmp_path):
    environment(tmp_path, 'echo "ERROR: no matching wheel" >&2; echo "more" >&2; exit 1')
    found = adapters.tried("surprise", tmp_path)
    assert found == {"problem": "does not install: ERROR: no matching wheel"}


def test_what_installs_is_asked_for_its_rows_with_nothing_of_this_environment(tmp_path):
    environment(
        tmp_path,
        'if [ "$1" = -m ]; then exit 0; fi\n'
        'echo "12 passed"; echo "{\\"package\\": \\"$PYTHONPATH\\", \\"models\\": []}"',
    )
    assert adapters.tried("surprise", tmp_path) == {"package": str(ROOT), "models": []}


def test_tests_that_fail_are_a_problem(tmp_path):
    environment(
        tmp_path, 'if [ "$1" = -m ]; then exit 0; fi; echo "pytest ended with 1" >&2; exit 1'
    )
    found = adapters.tried("surprise", tmp_path)
    assert found == {"problem": "its tests do not run: pytest ended with 1"}


def test_every_library_has_its_tests():
    files = {path.stem.removeprefix("test_") for path in adapters.TESTS.glob("test_*.py")}
    assert files == set(adapters.LIBRARIES)
