"""Pages of the manual that are made of what was measured: everything kept is there, as it was."""

import csv
import re
import tomllib

import pytest

from benchmarks.common import results
from benchmarks.common.rows import Row
from benchmarks.pages import tables, write
from benchmarks.pages.results import DOCS

TESTED = ("results.rst", "speed.rst", "scaling.rst")


@pytest.fixture(scope="module")
def manual(tmp_path_factory):
    """Return a folder, empty before, with all pages in it."""
    folder = tmp_path_factory.mktemp("docs")
    names = ["results.rst", "speed.rst", "scaling.rst", "claims.rst"]
    assert write.write(folder) == [*names, "guide/adapters.inc", "guide/fold_in.inc"]
    return folder


@pytest.fixture(scope="module")
def kept():
    return write.read_all(write.RESULTS)


def read_tables(page):
    """Return the rows of all tables of a page, by title."""
    found = {}
    for block in page.split(".. csv-table:: ")[1:]:
        title, *lines = block.splitlines()
        lines = [line[3:] for line in lines[: _end(lines)] if line and ":header:" not in line]
        found[title] = list(csv.reader(lines))
    return found


def _end(lines):
    """Return the number of the first line that is not indented."""
    return next((i for i, line in enumerate(lines) if line[:1].strip()), len(lines))


def test_every_experiment_that_was_kept_is_on_one_page(manual, kept):
    pages = [(manual / name).read_text(encoding="utf-8") for name in TESTED]
    commands = [made["command"] for made in kept["about"]["experiments"].values()]
    assert len(commands) > 50
    assert [sum(f"``{command}``" in page for page in pages) for command in commands] == [
        1 for _ in commands
    ]


def test_numbers_of_a_page_are_those_that_were_kept(manual, kept):
    shown = read_tables((manual / "speed.rst").read_text(encoding="utf-8"))
    rows = [row for row in kept["rows"] if row["name"].startswith("speed ")]
    assert {row["name"] for row in rows} == set(shown)
    for name, lines in shown.items():
        here = [row for row in rows if row["name"] == name]
        assert [line[0].strip("`") for line in lines] == [row["column"] for row in here]
        assert [float(line[1]) for line in lines] == pytest.approx(
            [row["here"] for row in here], rel=1e-3
        )
        bars = {None: "", True: "met", False: "missed"}
        assert [line[4] for line in lines] == [bars[row["holds"]] for row in here]


def test_every_claim_has_a_verdict(manual):
    page = (manual / "claims.rst").read_text(encoding="utf-8")
    claims = tomllib.loads((DOCS / "claims.toml").read_text(encoding="utf-8"))["claim"]
    verdicts = re.findall(r"^     - \*\*(.*)\*\*$", page, re.MULTILINE)
    assert len(verdicts) == len(claims)
    possible = {"holds", "holds in part", "does not hold", "undecided", "cannot be tested"}
    assert set(verdicts) <= {*possible, "not run here"}
    assert all(f"     - {claim['claim']}\n" in page for claim in claims)


def test_pages_that_are_as_they_were_are_left_alone(manual):
    before = {path: path.stat().st_mtime_ns for path in manual.rglob("*.rst")}
    (manual / "speed.rst").write_text("old", encoding="utf-8")
    assert write.write(manual) == ["speed.rst"]
    after = {path: path.stat().st_mtime_ns for path in manual.rglob("*.rst")}
    assert {path.name for path in after if after[path] != before[path]} == {"speed.rst"}


def test_cells_of_tables_stay_what_they_are():
    core = pytest.importorskip("docutils.core")
    nodes = pytest.importorskip("docutils.nodes")
    rows = [["", 'say "yes", or no', "c"], ["1,5", 'a"', ""], ["it's", "d, ", "``x``, y"]]
    tree = core.publish_doctree(tables.csv_table("a title", rows, widths="1 2 3"))
    assert [cell.astext() for cell in tree.findall(nodes.entry)] == [
        cell.strip().replace("``", "") for row in rows for cell in row
    ]


def test_commands_of_old_results_are_those_of_today(tmp_path):
    for name, command in (("a", "python benchmarks/speed.py --only P1"), ("b", "python -m x")):
        rows = [Row(f"speed {name}", "x", 1.0)]
        path = tmp_path / f"{name}.json"
        results.record(path, "speed", name, None, rows, command=command, seconds=1.0)
    made = write.read_all(tmp_path)["about"]["experiments"]
    assert [each["command"] for each in made.values()] == [
        "python -m benchmarks.speed --only P1",
        "python -m x",
    ]


def test_same_experiment_in_two_files_is_refused(tmp_path):
    for name in ("a.json", "b.json"):
        results.record(tmp_path / name, "table 3", "goodbooks", None, [], command="", seconds=1.0)
    with pytest.raises(SystemExit, match=r"b\.json: another file has results of table 3 goodbooks"):
        write.read_all(tmp_path)
