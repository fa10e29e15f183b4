"""The Python blocks of README.md run, in order, and print what stands there."""

import re
from pathlib import Path

import pandas as pd

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


def test_python_blocks_of_readme_run_and_print_the_text_blocks(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    session, printed, kinds = {"__name__": "readme"}, "", set()
    for kind, lines_before, block in blocks_of("README.md"):
        kinds.add(kind)
        if kind == "python":
            # The blank lines make a traceback name the line of README.md.
            exec(compile("\n" * lines_before + block, "README.md", "exec"), session)
            printed = capsys.readouterr().out
        else:
            assert block in printed
    assert kinds == {"python", "text"}
    # A terminal of 80 columns shows the titles of a list, whatever it leaves out.
    listed = session["refined"].recommend(10)
    with pd.option_context("display.width", 80, "display.max_columns", 0):
        lines = str(listed).splitlines()
    assert max(map(len, lines)) <= 80
    assert all(name in line for name, line in zip(listed["name"], lines[1:], strict=False))


def test_the_manual_opens_with_blocks_of_readme():
    readme = [(kind, block) for kind, _, block in blocks_of("README.md")]
    manual = [(kind, block) for kind, _, block in blocks_of("docs/index.rst")]
    assert manual == readme[: len(manual)]
    assert [kind for kind, _ in manual] == ["python", "python", "text"]
