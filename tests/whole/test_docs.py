"""The manual needs no other machine: its formulas, and the check of what pages load."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import check_docs
import pytest

nodes = pytest.importorskip("docutils.nodes")
ROOT = Path(__file__).parents[2]
CONF = runpy.run_path(str(ROOT / "docs" / "conf.py"))


def written(node):
    translator = SimpleNamespace(body=[])
    with pytest.raises(nodes.SkipNode):
        CONF["write_formula"](translator, node)
    return "".join("".join(translator.body).split())


def test_formulas_are_mathml():
    formula = written(nodes.math(text="w_v = K^T e_v"))
    assert formula.startswith("<math")
    assert formula.endswith("</math>")
    assert "<msub><mi>w</mi><mi>v</mi></msub>" in formula
    assert 'display="block"' in written(nodes.math_block(text="x"))


@pytest.mark.parametrize("text", [r"\bar c_t", r"\bar c_{ut}", r"{\hat r}_u"])
def test_subscripts_of_accented_letters_stand_beside_them(text):
    formula = written(nodes.math(text=text))
    assert "munderover" not in formula
    assert "</mover><m" in formula


def test_formulas_that_cannot_be_read_stop_the_build():
    with pytest.raises(ValueError, match="cannot read"):
        CONF["write_formula"](SimpleNamespace(body=[]), nodes.math(text=r"\nosuchcommand"))


@pytest.mark.parametrize(
    ("element", "is_loaded"),
    [
        ('<script src="https://example.org/x.js"></script>', True),
        ('<link rel="stylesheet" href="//example.org/x.css">', True),
        ('<img src="http://example.org/x.png" alt="">', True),
        ('<a href="https://example.org">elsewhere</a>', False),
        ('<img src="_static/x.png" alt="">', False),
    ],
)
def test_pages_that_load_from_elsewhere_are_named(element, is_loaded, tmp_path, capsys):
    (tmp_path / "index.html").write_text(f"<html>{element}</html>", encoding="utf-8")
    assert check_docs.main(str(tmp_path)) == is_loaded
    assert ("index.html loads" in capsys.readouterr().out) == is_loaded


def test_a_folder_without_pages_is_no_manual(tmp_path):
    assert check_docs.main(str(tmp_path)) == 1
