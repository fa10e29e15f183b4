"""Which names are public: frozen, so that none appears or goes without being meant."""

import importlib
import pkgutil
from pathlib import Path

import sktpecr

NAMES = Path(__file__).with_name("public_names.txt")


def public_names():
    """Return every public name with the module that it is imported from."""
    modules = ["sktpecr"] + [
        f"sktpecr.{module.name}"
        for module in pkgutil.iter_modules(sktpecr.__path__)
        if not module.name.startswith("_")
    ]
    names = []
    for name in sorted(modules):
        module = importlib.import_module(name)
        exported = getattr(module, "__all__", None)
        assert exported is not None, f"{name} is public and has no __all__"
        missing = [each for each in exported if not hasattr(module, each)]
        assert not missing, f"{name}.__all__ names what is not there: {missing}"
        names += [f"{name}.{each}" for each in sorted(exported)]
    return names


def test_public_names_are_those_that_were_frozen():
    frozen, found = NAMES.read_text(encoding="utf-8").split(), public_names()
    new, gone = sorted(set(found) - set(frozen)), sorted(set(frozen) - set(found))
    assert not new, f"new public names {new}: if they are meant, add them to {NAMES.name}"
    assert not gone, (
        f"public names are gone, and users' code breaks: {gone}. Deprecate them first, or take "
        f"them out of {NAMES.name} and say so in the changelog"
    )
    assert frozen == found
