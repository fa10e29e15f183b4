"""What the project's own files promise: one home for a fact, few doors, files of readable size."""

import ast
import configparser
import re
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "sktpecr"
MODULES = sorted(path.relative_to(ROOT).as_posix() for path in PACKAGE.rglob("*.py"))
MAX_LINES = 400

NEVER, LATE, ALWAYS = "nowhere", "inside functions", "anywhere"
# package: {files that may import it: where in them}. In all other files: NEVER.
DOORS = {
    "torch": {
        r"sktpecr/(_torch_\w+\.py|generators/_training\.py|recommenders/.*)": ALWAYS,
        r"sktpecr/(_gradients|testing|solvers/.*)\.py": LATE,
    },
    "skorch": {
        r"sktpecr/(_torch_training\.py|generators/_training\.py|recommenders/.*)": ALWAYS,
    },
    "lime": {r"sktpecr/attribution/_lime\w*\.py": LATE},
    "implicit": {r".*": LATE},
    "matplotlib": {r".*": LATE},
    "pandas": {r".*": LATE},
    "pooch": {r"sktpecr/datasets/_download\.py": LATE},
    "fastapi": {r"sktpecr/app/_server\.py": LATE},
    "pydantic": {r"sktpecr/app/_schemas\.py": ALWAYS, r"sktpecr/app/_server\.py": LATE},
    "starlette": {r"sktpecr/app/_server\.py": LATE},
    "uvicorn": {r"sktpecr/app/_server\.py": LATE},
}


def read_pyproject():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def imported_packages(tree, *, late=False):
    """Yield (top-level package, line, whether inside a function) for every import below `tree`."""
    for node in ast.iter_child_nodes(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(
            ("import_module", "__import__")
        ):
            names = [arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)]
        for name in names:
            yield name.split(".")[0], node.lineno, late
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            # Never executed, so as good as late; the else branch is ordinary code.
            for statement in node.body:
                yield from imported_packages(ast.Module([statement], []), late=True)
            for statement in node.orelse:
                yield from imported_packages(ast.Module([statement], []), late=late)
            continue
        inside = late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from imported_packages(node, late=inside)


def closed_doors(source, path):
    """List the imports in `source` that `DOORS` does not allow in the file `path`."""
    found = []
    for package, line, late in imported_packages(ast.parse(source)):
        doors = DOORS.get(package, {r".*": ALWAYS})
        where = next((doors[files] for files in doors if re.fullmatch(files, path)), NEVER)
        if where == NEVER or (where == LATE and not late):
            found.append(f"{path}:{line}: {package} may be imported {where} in this file")
    return found


def test_setup_cfg_holds_only_tools():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    assert "mypy" in config
    stray = {"metadata", "options", "tool:pytest", "numpydoc_validation"} & set(config.sections())
    stray |= {name for name in config.sections() if name.startswith("options.")}
    assert not stray, f"belongs into pyproject.toml: {sorted(stray)}"


def test_version_has_one_home():
    pyproject = read_pyproject()
    assert "version" not in pyproject["project"]
    assert pyproject["project"]["dynamic"] == ["version"]
    assert pyproject["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "sktpecr.__version__"}
    # A plain assignment, so that building does not have to import the package.
    source = (PACKAGE / "__init__.py").read_text(encoding="utf-8")
    assert re.search(r'^__version__ = "\d+\.\d+\.\d+(\.dev\d+|rc\d+)?"$', source, re.MULTILINE)


@pytest.mark.parametrize("path", MODULES)
def test_third_party_code_has_few_doors(path):
    found = closed_doors((ROOT / path).read_text(encoding="utf-8"), path)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("path", "source", "allowed"),
    [
        ("sktpecr/recommenders/_torch.py", "import torch.nn", True),
        ("sktpecr/_composite.py", "def f():\n    import torch", False),
        ("sktpecr/_composite.py", "from skorch.callbacks import Callback", False),
        ("sktpecr/attribution/_lime_engine.py", "def f():\n    from lime import x", True),
        ("sktpecr/attribution/_lime_engine.py", "from lime import x", False),
        ("sktpecr/attribution/_exact.py", "def f():\n    from lime import x", False),
        ("sktpecr/plotting/_x.py", "async def f():\n    import matplotlib.pyplot", True),
        ("sktpecr/plotting/_x.py", "try:\n    import matplotlib\nexcept ImportError: pass", False),
        ("sktpecr/_x.py", "class X:\n    import pandas as pd", False),
        ("sktpecr/_x.py", "class X:\n    def f(self):\n        import pandas as pd", True),
        ("sktpecr/_x.py", "if TYPE_CHECKING:\n    import pandas as pd", True),
        ("sktpecr/_x.py", "if typing.TYPE_CHECKING:\n    pass\nelse:\n    import pandas", False),
        ("sktpecr/_x.py", "pd = importlib.import_module('pandas')", False),
        ("sktpecr/recommenders/_adapters.py", "from implicit.als import A", False),
        ("sktpecr/_x.py", "from sktpecr.lime import x\nimport numpy", True),
    ],
)
def test_door_rules_tell_right_from_wrong(path, source, allowed):
    assert (closed_doors(source, path) == []) is allowed


# Data flow one way: what a file may not import of sktpecr itself; docs/architecture.rst says why.
_ABOVE = r"sktpecr\.(_tpecr_explainer|_feedback_refiner|_explanation|_refinement|evaluation)"
_PARTS = r"sktpecr/(recommenders|generators|attribution|solvers)/.*"
LAYERS = {
    _PARTS: _ABOVE,
    r"sktpecr/recommenders/.*": r"sktpecr\.(generators|attribution|solvers|_composite)",
    r"sktpecr/generators/.*": r"sktpecr\.(recommenders|attribution|solvers|_composite)",
    r"sktpecr/(metrics\.py|datasets/.*)": rf"{_ABOVE}|sktpecr\.(recommenders|generators|solvers)",
    r"sktpecr/(?!evaluation|published|_demo|__main__|__init__).*": r"sktpecr\.(published|_demo)",
}


@pytest.mark.parametrize("path", MODULES)
def test_data_flow_one_way(path):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    typing_only = {
        child
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for child in ast.walk(node)
    }
    imported = {
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node not in typing_only
    }
    for files, forbidden in LAYERS.items():
        if re.fullmatch(files, path):
            assert not {name for name in imported if re.match(forbidden, name or "")}


def test_import_loads_no_heavy_package():
    # scikit-learn itself imports pandas where it is installed: what counts is what we add to it.
    code = (
        "import sys, sklearn.base; before = set(sys.modules); import sktpecr; "
        f"print(*sorted({set(DOORS)} & (set(sys.modules) - before)))"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == []


@pytest.mark.parametrize("path", MODULES)
def test_file_is_short_enough_to_read(path):
    n_lines = len((ROOT / path).read_text(encoding="utf-8").splitlines())
    assert n_lines <= MAX_LINES, f"{path} has {n_lines} lines: split it by responsibility"


def test_oldest_versions_are_the_floors_of_pyproject():
    lines = (ROOT / "requirements" / "constraints-oldest.txt").read_text().splitlines()
    oldest = dict(line.split("==") for line in lines if re.match(r"[\w-]+==[\d.]+$", line))
    project = read_pyproject()["project"]
    extras = project["optional-dependencies"]
    needed = project["dependencies"] + extras["parquet"] + extras["app"]
    floors = dict(requirement.split(">=") for requirement in needed)
    assert oldest
    assert oldest == {name: floors[name] for name in oldest}


def test_tests_that_reach_for_the_network_fail():
    with socket.socket() as stream, pytest.raises(RuntimeError, match="reached for the network"):
        stream.connect(("192.0.2.1", 80))  # an address that is nobody's, RFC 5737
