"""tools/engines.py: what is not run is no success."""

import sys
from pathlib import Path

import engines
import pytest

ROOT = Path(__file__).parents[2]


def environment(folder, script):
    """Put a program where an environment has its Python."""
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)


def ran(folder, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["engines.py", str(folder), "--only", "ray"])
    return engines.main()


@pytest.mark.parametrize(
    ("script", "status", "said"),
    [
        ("echo 2 passed", 0, "2 passed"),
        ("echo 1 skipped", 1, "1 skipped"),
        ("echo 1 failed; exit 1", 1, "1 failed"),
    ],
)
def test_what_fails_or_is_skipped_is_told(tmp_path, monkeypatch, capsys, script, status, said):
    answers = f'case "$*" in *install*) ;; *pytest*ray*) {script};; *) echo 9.8;; esac'
    environment(tmp_path, answers)
    assert ran(tmp_path, monkeypatch) == status
    assert capsys.readouterr().out == f"ray 9.8: {said}\n"


def test_what_does_not_install_is_reported_by_pips_own_words(tmp_path, monkeypatch, capsys):
    environment(tmp_path, 'echo "ERROR: no matching wheel" >&2; exit 1')
    assert ran(tmp_path, monkeypatch) == 1
    assert capsys.readouterr().err == "ERROR: no matching wheel\n"


def test_every_engine_has_its_tests():
    files = {
        path.stem.removeprefix("test_batch_on_")
        for path in ROOT.glob("tests/whole/test_batch_on_*.py")
    }
    assert files == set(engines.ENGINES)
