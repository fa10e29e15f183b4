"""Look into the wheel and the source archive, install the wheel elsewhere, and use it.

    python tools/check_package.py dist

What goes wrong here goes wrong for everybody who does not have a checkout.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

_IN_THE_WHEEL = (
    "sktpecr/py.typed",
    *(f"sktpecr/app/static/{name}" for name in ("index.html", "app.css", "app.js", "core.js")),
)
_IN_THE_ARCHIVE = ("README.md", "LICENSE", "pyproject.toml", "CHANGELOG.md")
_USE = """
import pathlib, sys, sktpecr
assert pathlib.Path(sktpecr.__file__).is_relative_to(sys.argv[1]), sktpecr.__file__
from sklearn.decomposition import TruncatedSVD
from sktpecr.datasets import load_movielens
data = load_movielens()
explainer = sktpecr.TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
print(explainer.fit(data.interactions, user_ids=data.user_ids).explain(42, 318).to_text())
"""


def main(folder: Path) -> int:
    """Return 1 and say why if the package lacks something."""
    (wheel,), (archive,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
    lacking = [name for name in _IN_THE_WHEEL if name not in names]
    if not any(name.startswith("sktpecr/datasets/data/") for name in names):
        lacking.append("sktpecr/datasets/data")
    foreign = [name for name in names if name.split("/")[0] in ("tests", "benchmarks", "tools")]
    with tarfile.open(archive) as opened_archive:
        inside = {name.partition("/")[2] for name in opened_archive.getnames()}
    lacking += [name for name in _IN_THE_ARCHIVE if name not in inside]
    if lacking or foreign:
        print(f"lacking: {lacking}; not wanted: {foreign}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as place:
        pip = [sys.executable, "-m", "pip", "install", "-qq", "--no-deps", "--target", place]
        subprocess.run([*pip, wheel], check=True)
        # -P and another folder: the checkout itself must not be what is imported.
        command = [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {place!r})\n{_USE}"]
        return subprocess.run([*command, place], cwd=place, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
