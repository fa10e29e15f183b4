"""The Python blocks of README.md run, in order, as one session, and print what stands there."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def blocks_of(text):
    """Yield the kind of each ```python or ```text block, the lines before it, and its content."""
    for match in re.finditer(r"^```(python|text)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield match[1], text.count("\n", 0, match.start(2)), match[2]


def test_python_blocks_of_readme_run_and_print_the_text_blocks(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    session, printed, kinds = {"__name__": "readme"}, "", set()
    for kind, lines_before, block in blocks_of(README.read_text(encoding="utf-8")):
        kinds.add(kind)
        if kind == "python":
            # The blank lines make a traceback name the line of README.md.
            exec(compile("\n" * lines_before + block, str(README), "exec"), session)
            printed = capsys.readouterr().out
        else:
            assert block in printed
    assert kinds == {"python", "text"}
