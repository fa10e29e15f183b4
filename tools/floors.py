"""Which room of the package imports which, and every import that runs upwards or in a circle.

Usage: python tools/floors.py [PACKAGE_FOLDER]. Imports for type checkers alone are counted.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

# From the ground up. A file imports from its own room and from lower floors only.
FLOORS = (
    ("_inputs", "_utils", "metrics"),
    ("attribution", "datasets", "generators", "plotting", "recommenders"),
    ("tags",),
    ("explanation", "solvers"),
    ("refinement", "testing"),
    ("conversation", "evaluation", "published"),
    ("__init__", "app"),
    ("__main__",),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS, start=1) for room in rooms}


def modules(package: Path) -> dict[str, Path]:
    """Return the package's modules by dotted name, a folder's `__init__` by the folder's."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(source: str, name: str) -> Iterator[tuple[str, int]]:
    """Yield (dotted name, line) for each thing of the package `name` that a file imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from ((each, node.lineno) for each in found if each.split(".")[0] == name)


def room_of(module: str) -> str:
    """Return the room that a module stands in; the package's own file is `__init__`."""
    return ([*module.split("."), "__init__"])[1]


def upward(module: str, source: str) -> list[str]:
    """List the imports of a module that do not run downwards or within its room."""
    name, here = module.split(".")[0], room_of(module)
    if here not in FLOOR_OF:
        return [f"{module}: the room {here} is on no floor"]
    wrong = []
    for target, line in imported(source, name):
        there = room_of(target)
        if there not in FLOOR_OF:
            there = "__init__"  # a name that the package's own file exports
        if there != here and FLOOR_OF[there] >= FLOOR_OF[here]:
            wrong.append(
                f"{module}:{line} (floor {FLOOR_OF[here]}) imports {target} "
                f"(floor {FLOOR_OF[there]})"
            )
    return wrong


def circles(package: Path) -> list[list[str]]:
    """List the groups of files that import each other in a circle."""
    known = modules(package)
    edges: dict[str, set[str]] = {}
    for module, path in known.items():
        edges[module] = set()
        for target, _ in imported(path.read_text(encoding="utf-8"), package.name):
            while target and target not in known:
                target = target.rpartition(".")[0]
            edges[module] |= {target} - {module, package.name, ""}
    reached = {module: _reachable(edges, module) for module in edges}
    groups = {
        tuple(sorted(other for other in reached[each] if each in reached[other]))
        for each in edges
        if each in reached[each]
    }
    return sorted(map(list, groups))


def _reachable(edges: dict[str, set[str]], start: str) -> set[str]:
    seen: set[str] = set()
    todo = list(edges[start])
    while todo:
        each = todo.pop()
        if each not in seen:
            seen.add(each)
            todo += edges[each]
    return seen


def main(package: Path) -> int:
    """Print rooms, upward imports and circles; return how many of the last two there are."""
    known = modules(package)
    sources = {module: path.read_text(encoding="utf-8") for module, path in known.items()}
    lines = {module: source.count("\n") for module, source in sources.items()}
    for floor in range(len(FLOORS), 0, -1):
        rooms = [
            f"{room} ({sum(n for module, n in lines.items() if room_of(module) == room)})"
            for room in FLOORS[floor - 1]
        ]
        print(f"floor {floor}: {', '.join(rooms)}")
    wrong = [line for module, source in sources.items() for line in upward(module, source)]
    rings = circles(package)
    print(
        f"{sum(lines.values())} lines in {len(known)} files, {len(wrong)} upward imports, "
        f"{len(rings)} circles"
    )
    print("\n".join([*wrong, *(f"circle: {', '.join(ring)}" for ring in rings)]))
    return len(wrong) + len(rings)


if __name__ == "__main__":
    default = Path(__file__).parents[1] / "sktpecr"
    sys.exit(min(1, main(Path(sys.argv[1]) if len(sys.argv) > 1 else default)))
