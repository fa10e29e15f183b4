"""Docstrings are the manual: every public name has one, in numpydoc's form and with an example."""

import importlib
import inspect
import tomllib
from pathlib import Path

import pytest
from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import validate

ROOT = Path(__file__).parents[2]
MODULES = (
    "sktpecr",
    "sktpecr.datasets",
    "sktpecr.recommenders",
    "sktpecr.tags",
    "sktpecr.attribution",
    "sktpecr.explanation",
    "sktpecr.solvers",
    "sktpecr.app",
    "sktpecr.metrics",
    "sktpecr.evaluation",
    "sktpecr.plotting",
    "sktpecr.testing",
)


def ignored_checks():
    """Return the codes that pyproject.toml takes out of "all"."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    first, *ignored = pyproject["tool"]["numpydoc_validation"]["checks"]
    assert first == "all"
    return frozenset(ignored)


def is_ours(obj):
    """Tell whether `obj` is written in sktpecr; scikit-learn puts methods into our classes too."""
    obj = inspect.unwrap(getattr(obj, "fget", None) or getattr(obj, "func", None) or obj)
    return (getattr(obj, "__module__", None) or "").split(".")[0] == "sktpecr"


def public_objects():
    """Return {dotted name: class or function} for what the `__all__` lists lead to, each once."""
    found, seen, modules = {}, set(), list(MODULES)
    for module_name in modules:
        module = importlib.import_module(module_name)
        for name in module.__all__:
            obj = getattr(module, name)
            if inspect.ismodule(obj):
                if obj.__name__ not in modules:
                    modules.append(obj.__name__)
            elif (inspect.isclass(obj) or callable(obj)) and is_ours(obj) and id(obj) not in seen:
                seen.add(id(obj))
                found[f"{module_name}.{name}"] = obj
    return found


def public_members(cls):
    """Return {name: method or property} for what `cls` and its bases in sktpecr define."""
    found = {}
    for base in reversed(cls.__mro__):
        if base.__module__.split(".")[0] != "sktpecr":
            continue
        for name in vars(base):
            member = inspect.getattr_static(cls, name)
            if not isinstance(member, property) and not hasattr(member, "func"):
                member = getattr(cls, name)  # binds class methods, resolves available_if
            if name.startswith("_") or inspect.isclass(member):
                continue
            if (callable(member) or hasattr(member, "fget") or hasattr(member, "func")) and is_ours(
                member
            ):
                found[name] = member
    return found


OBJECTS = public_objects()
EVERYTHING = OBJECTS | {
    f"{name}.{member_name}": member
    for name, obj in OBJECTS.items()
    if inspect.isclass(obj)
    for member_name, member in public_members(obj).items()
}


@pytest.mark.parametrize("name", EVERYTHING)
def test_docstring_is_valid(name):
    assert inspect.getdoc(EVERYTHING[name]), f"{name} has no docstring"
    ignored = ignored_checks()
    errors = [f"{code}: {text}" for code, text in validate(name)["errors"] if code not in ignored]
    assert not errors, "\n".join([name, *errors])


@pytest.mark.parametrize("name", OBJECTS)
def test_docstring_has_an_example(name):
    examples = NumpyDocString(inspect.getdoc(OBJECTS[name]))["Examples"]
    assert any(line.lstrip().startswith(">>>") for line in examples), f"{name} shows no example"
