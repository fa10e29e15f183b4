"""The Python blocks of README.md and of the manual's first page run and print what stands there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCKS = {
    "README.md": r"^```(python|text)\n(.*?)^```$",
    "docs/index.rst": r"^\.\. code-block:: (python|text)\n\n(.*?)(?=^\S)",
}


def blocks_of(name):
    """Yield the kind of each block, the lines before it, and its content."""
    text = (ROOT / name).read_text(encoding="utf-8")
    for match in re.finditer(BLOCKS[name], text, re.MULTILINE | re.DOTALL):
        block = re.sub("^   ", "", match[2], flags=re.M) if name.endswith(".rst") else match[2]
        yield match[1], text.count("\n", 0, match.start(2)), block.rstrip("\n")


@pytest.mark.parametrize("name", BLOCKS)
def test_python_blocks_run_and_print_the_text_blocks(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    session, printed, kinds = {"__name__": "page"}, "", set()
    for kind, lines_before, block in blocks_of(name):
        kinds.add(kind)
        if kind == "python":
            # The blank lines make a traceback name the line of the page.
            exec(compile("\n" * lines_before + block, name, "exec"), session)
            printed = capsys.readouterr().out
        else:
            assert block in printed
    assert kinds == {"python", "text"}
