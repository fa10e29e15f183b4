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

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "sktpecr"
sys.path.append(str(ROOT / "tools"))

import floors  # noqa: E402

MODULES = sorted(path.relative_to(ROOT).as_posix() for path in PACKAGE.rglob("*.py"))
CODE = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("sktpecr", "benchmarks", "tools")
    for path in (ROOT / folder).rglob("*.py")
)
PUBLIC = (ROOT / "tests" / "whole" / "public_names.txt").read_text(encoding="utf-8").split()
# Not exported, but what methods hand out or take, or bases whose methods are public.
SEEN = {
    "TagTransformer",
    "LearnedGenerator",
    "_IterativeSolver",
    "TrainedRecommender",
    "Statement",
    "Feedback",
    "Replay",
}
MAX_LINES = 250

# Bases of public classes: what users call is documented there.
BASES = {"LearnedGenerator", "_IterativeSolver"}

NEVER, LATE, ALWAYS = "nowhere", "inside functions", "anywhere"
# package: {files that may import it: where in them}. In all other files: NEVER.
DOORS = {
    "torch": {
        r"sktpecr/(_utils/_torch_training|generators/_networks|recommenders/.*)\.py": ALWAYS,
        r"sktpecr/(testing|solvers)/.*\.py": LATE,
    },
    "skorch": {
        r"sktpecr/(_utils/_torch_training|generators/_networks|recommenders/.*)\.py": ALWAYS,
    },
    "lime": {r"sktpecr/attribution/_lime\w*\.py": LATE},
    "implicit": {r".*": LATE},
    "matplotlib": {r".*": LATE},
    "pooch": {r"sktpecr/datasets/_download\.py": LATE},
    "fastapi": {r"sktpecr/app/_server\.py": LATE},
    "pydantic": {r"sktpecr/app/_schemas\.py": ALWAYS, r"sktpecr/app/_server\.py": LATE},
    "starlette": {r"sktpecr/app/_server\.py": LATE},
    "uvicorn": {
        r"sktpecr/app/_server\.py": LATE,
        r"sktpecr/app/_hurried_protocol\.py": ALWAYS,  # read by _server.py alone, late
    },
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
        ("sktpecr/attribution/_composite.py", "def f():\n    import torch", False),
        ("sktpecr/attribution/_composite.py", "from skorch.callbacks import Callback", False),
        ("sktpecr/attribution/_lime_engine.py", "def f():\n    from lime import x", True),
        ("sktpecr/attribution/_lime_engine.py", "from lime import x", False),
        ("sktpecr/attribution/_exact.py", "def f():\n    from lime import x", False),
        ("sktpecr/plotting/_x.py", "async def f():\n    import matplotlib.pyplot", True),
        ("sktpecr/plotting/_x.py", "try:\n    import matplotlib\nexcept ImportError: pass", False),
        ("sktpecr/_x.py", "class X:\n    import matplotlib", False),
        ("sktpecr/_x.py", "class X:\n    def f(self):\n        import matplotlib", True),
        ("sktpecr/_x.py", "if TYPE_CHECKING:\n    import matplotlib", True),
        (
            "sktpecr/_x.py",
            "if typing.TYPE_CHECKING:\n    pass\nelse:\n    import matplotlib",
            False,
        ),
        ("sktpecr/_x.py", "pd = importlib.import_module('matplotlib')", False),
        ("sktpecr/recommenders/adapters/_as_recommender.py", "from implicit.als import A", False),
        ("sktpecr/_x.py", "from sktpecr.lime import x\nimport numpy", True),
    ],
)
def test_door_rules_tell_right_from_wrong(path, source, allowed):
    assert (closed_doors(source, path) == []) is allowed


def test_no_import_runs_upwards_or_in_a_circle():
    sources = {name: path.read_text("utf-8") for name, path in floors.modules(PACKAGE).items()}
    assert not [line for name, source in sources.items() for line in floors.upward(name, source)]
    assert not floors.circles(PACKAGE)


@pytest.mark.parametrize(
    ("module", "source", "allowed"),
    [
        ("sktpecr.tags._user", "from sktpecr._inputs._ids import Ids", True),
        ("sktpecr.tags._user", "from sktpecr.tags._tag_model import TagModel", True),
        ("sktpecr.tags._user", "def f():\n    from sktpecr.solvers._pairs import Pairs", False),
        ("sktpecr.tags._user", "if TYPE_CHECKING:\n    import sktpecr.explanation", False),
        ("sktpecr.tags._user", "from sktpecr import Explanation", False),
        ("sktpecr._inputs._ids", "from sktpecr._utils._blocks import blocks", False),
        ("sktpecr._hall", "import numpy", False),
        ("sktpecr.app._server", "from sktpecr import Conversation", False),
        ("sktpecr.__main__", "from sktpecr import Conversation", True),
    ],
)
def test_floor_rules_tell_right_from_wrong(module, source, allowed):
    assert (floors.upward(module, source) == []) is allowed


def test_circles_are_found(tmp_path):
    package = tmp_path / "sktpecr"
    package.mkdir()
    for name, other in (("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")):
        (package / f"{name}.py").write_text(f"from sktpecr.{other} import x")
    assert floors.circles(package) == [["sktpecr.a", "sktpecr.b", "sktpecr.c"]]


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


@pytest.mark.parametrize("path", CODE)
def test_file_is_short_enough_to_read(path):
    n_lines = lines_of_code((ROOT / path).read_text(encoding="utf-8"))
    assert n_lines <= MAX_LINES, f"{path} has {n_lines} lines of code: split it by responsibility"


def lines_of_code(source):
    """Count lines that are neither blank nor a comment nor part of a docstring."""
    left_out = {
        number
        for number, line in enumerate(source.splitlines(), start=1)
        if not line.strip() or line.strip().startswith("#")
    }
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                left_out |= set(range(first.lineno, first.end_lineno + 1))
    return len(source.splitlines()) - len(left_out)


def test_lines_of_code_leave_out_what_is_no_code():
    assert (
        lines_of_code('"""Doc\nstring."""\n\n# why\nx = 1\ndef f():\n    """D."""\n    return x')
        == 3
    )


@pytest.mark.parametrize("path", MODULES)
def test_docstrings_of_what_is_not_public_are_short(path):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    long = [
        f"{path}:{node.lineno} {node.name}"
        for node in private_definitions(tree, path)
        if len((ast.get_docstring(node) or "").splitlines()) > 2
    ]
    assert not long, f"two lines will do, types are in the signature: {long}"


def private_definitions(tree, path):
    """Yield functions and classes that nobody outside can name."""
    public = {name.rsplit(".", 1)[-1] for name in PUBLIC}
    for node in tree.body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef):
            continue
        if node.name not in public | SEEN | BASES:
            yield node
            if isinstance(node, ast.ClassDef):
                yield from (each for each in node.body if isinstance(each, ast.FunctionDef))
        elif isinstance(node, ast.ClassDef):
            yield from (
                each
                for each in node.body
                if isinstance(each, ast.FunctionDef)
                and each.name.startswith("_")
                and not each.name.startswith("__")
            )


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
