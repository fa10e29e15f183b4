"""The Python blocks of README.md run, in order, as one session."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def python_blocks(text):
    """Yield the line number of the first line of each ```python block, and the block."""
    for match in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield text.count("\n", 0, match.start(1)), match[1]


def test_python_blocks_of_readme_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = list(python_blocks(README.read_text(encoding="utf-8")))
    assert blocks, "README.md has no ```python block"
    session = {"__name__": "readme"}
    for lines_before, block in blocks:
        # The blank lines make a traceback name the line of README.md.
        exec(compile("\n" * lines_before + block, str(README), "exec"), session)
