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


def test_every_engine_that_is_timed_has_a_recipe_of_its_own():
    recipes = {key: engines.code_of(title) for key, title in engines.TITLES.items()}
    assert recipes.keys() == engines.SCALED.keys()
    for key, recipe in recipes.items():
        compile(recipe, key, "exec")
        assert recipe.count("from tell import reasons") == 1
    assert len(set(recipes.values())) == len(recipes)


def test_what_two_workers_do_more_is_the_best_round_first():
    runs = [(1, 4.0, 4.0), (2, 4.0, 3.2), (1, 6.0, 4.0), (2, 3.0, 2.0)]
    measured = [{"workers": n, "again": again, "path": path, "cpu": 4.0} for n, again, path in runs]
    said = engines.said(measured, 400_000)
    assert "by the clock 2.00, 1.00, by processor time 2.00, 1.25; 100,000 pairs/s" in said


def test_a_share_is_done_in_its_own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "share").mkdir()
    with pytest.raises(ZeroDivisionError):
        engines.in_share("1 / 0", "share")
    engines.in_share("open('here', 'w').close()", "share")
    assert (tmp_path / "share" / "here").exists()
    assert Path.cwd() == tmp_path
