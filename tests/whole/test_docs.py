"""The manual needs no other machine: its formulas, and the check of what pages load."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import check_docs
import draw_images
import pytest
from PIL import Image

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
    ("element", "is_wrong"),
    [
        ('<script src="https://example.org/x.js"></script>', True),
        ('<link rel="stylesheet" href="//example.org/x.css">', True),
        ('<img src="http://example.org/x.png" alt="">', True),
        ('<a href="https://example.org">elsewhere</a>', False),
        ('<img src="_static/x.png" alt="">', False),
        ('<a href="mailto:MAP%401000">a metric that was read as an address</a>', True),
    ],
)
def test_pages_that_load_from_elsewhere_or_mail_are_named(element, is_wrong, tmp_path, capsys):
    (tmp_path / "index.html").write_text(f"<html>{element}</html>", encoding="utf-8")
    assert check_docs.main(str(tmp_path)) == is_wrong
    assert ("index.html " in capsys.readouterr().out) == is_wrong


def test_a_folder_without_pages_is_no_manual(tmp_path):
    assert check_docs.main(str(tmp_path)) == 1


def test_pictures_show_what_the_package_draws_today():
    """``make docs`` draws them anew; letters differ between versions of matplotlib."""
    folder = ROOT / "docs" / "images"
    if not draw_images.comparable(folder / "answer.gif"):
        pytest.skip("another version of matplotlib drew the pictures")
    assert draw_images.stale(folder, draw_images.pictures(*draw_images.films(), steps=1)) == []


def test_a_picture_of_something_else_is_stale(tmp_path):
    drawn = [Image.new("RGB", (200, 100), "white")]
    assert draw_images.stale(tmp_path, {"a.png": drawn}) == ["a.png"]
    drawn[0].save(tmp_path / "a.png")
    assert draw_images.stale(tmp_path, {"a.png": drawn}) == []
    other = drawn[0].copy()
    other.paste("black", (0, 0, 20, 10))
    assert draw_images.stale(tmp_path, {"a.png": [other]}) == ["a.png"]
    assert draw_images.stale(tmp_path, {"a.png": [other.resize((100, 50))]}) == ["a.png"]
