"""Pages of the manual that are made of what was measured: everything kept is there, as it was."""

import csv
import re
import tomllib

import pytest

from benchmarks.common import results
from benchmarks.common.rows import Row
from benchmarks.pages import control, evidence, tables, write
from benchmarks.pages.results import DOCS

TESTED = ("results/*.rst", "speed.rst", "scaling.rst", "guide/devices.inc")


@pytest.fixture(scope="module")
def manual(tmp_path_factory):
    """Return a folder, empty before, with all pages in it."""
    folder = tmp_path_factory.mktemp("docs")
    written = write.write(folder)
    names = [name for name in written if not name.startswith("results/")]
    assert names == [
        *("evidence.rst", "results.rst", "speed.rst", "scaling.rst", "claims.rst"),
        *("guide/adapters.inc", "guide/devices.inc", "guide/night.inc", "guide/fold_in.inc"),
    ]
    assert len(written) > len(names) + 20
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


def headers(page):
    """Return the header of each table of a page, by title."""
    found = {}
    for block in page.split(".. csv-table:: ")[1:]:
        title, header, *_ = block.splitlines()
        found[title] = next(csv.reader([header.split(":header: ")[1]]))
    return found


def _end(lines):
    """Return the number of the first line that is not indented."""
    return next((i for i, line in enumerate(lines) if line[:1].strip()), len(lines))


def test_every_experiment_that_was_kept_is_on_one_page(manual, kept):
    pages = [path.read_text(encoding="utf-8") for name in TESTED for path in manual.glob(name)]
    commands = [made["command"] for made in kept["about"]["experiments"].values()]
    assert len(commands) > 50
    assert [sum(f"``{command}``" in page for page in pages) for command in commands] == [
        1 for _ in commands
    ]


def test_numbers_of_a_page_are_those_that_were_kept(manual, kept):
    page = (manual / "speed.rst").read_text(encoding="utf-8")
    shown, names = read_tables(page), headers(page)
    rows = [row for row in kept["rows"] if row["name"].startswith("speed ")]
    assert {row["name"] for row in rows} == set(shown)
    for name, lines in shown.items():
        here = [row for row in rows if row["name"] == name]
        assert [line[0].strip("`") for line in lines] == [row["column"] for row in here]
        assert [float(line[1]) for line in lines] == pytest.approx(
            [row["here"] for row in here], rel=1e-3
        )
        bars = [{None: "", True: "met", False: "missed"}[row["holds"]] for row in here]
        told = [dict(zip(names[name], line, strict=True)).get("bar", "") for line in lines]
        assert told == bars


def test_no_table_has_an_empty_column(manual):
    for path in manual.rglob("*.rst"):
        for title, lines in read_tables(path.read_text(encoding="utf-8")).items():
            lines = [line for line in lines if ":widths:" not in line[0]]
            assert all(any(cells) for cells in zip(*lines, strict=True)), f"{path.name}: {title}"


def test_reasons_are_told_by_cell_and_method(manual, kept):
    page = (manual / "results/beyond-reasons.rst").read_text(encoding="utf-8")
    title = "what reasons claim, and how often it holds"
    here = {(row["name"], row["column"]): row["here"] for row in kept["rows"]}
    assert len(read_tables(page)[title]) >= 15
    for line in read_tables(page)[title]:
        told = dict(zip(headers(page)[title], line, strict=True))
        name = f"beyond reasons {told['']} {told['method']}"
        for shown, column in (("obeyed", "less obeyed"), ("R²", "R2 named"), ("none", "none")):
            expected = here.get((name, column))
            found = float(told[shown]) if told[shown] else None
            assert found == (expected if expected is None else pytest.approx(expected, rel=1e-3))


def test_results_link_every_page_and_count_its_numbers(manual, kept):
    page = (manual / "results.rst").read_text(encoding="utf-8")
    linked = re.findall(r":doc:`(results/[\w-]+)`", page)
    assert sorted(f"{name}.rst" for name in linked) == sorted(
        path.relative_to(manual).as_posix() for path in manual.glob("results/*.rst")
    )
    (lines,) = read_tables(page).values()
    shown = sum(int(line[2].replace(",", "")) for line in lines if len(line) > 2)
    rows = [row["name"].split()[0] for row in kept["rows"]]
    assert shown == sum(name not in ("speed", "everybody", "devices") for name in rows)


def test_evidence_opens_with_what_the_ledger_and_the_results_say(manual, kept):
    claims = tomllib.loads((DOCS / "claims.toml").read_text(encoding="utf-8"))["claim"]
    page = (manual / "claims.rst").read_text(encoding="utf-8")
    holds = page.count("     - **holds**\n")
    said = evidence.numbers(claims, kept)
    assert said[0].startswith(f"**{holds} of {len(claims)}** claims")
    assert f"**all {len(claims)}**,**{holds}**" in page
    assert all(each in (manual / "evidence.rst").read_text(encoding="utf-8") for each in said)
    readme = " ".join((DOCS.parent / "README.md").read_text(encoding="utf-8").split())
    assert all(each.split(" (:doc:")[0] in readme for each in said)


def test_every_claim_has_a_verdict(manual):
    page = (manual / "claims.rst").read_text(encoding="utf-8")
    claims = tomllib.loads((DOCS / "claims.toml").read_text(encoding="utf-8"))["claim"]
    verdicts = re.findall(r"^     - \*\*(.*)\*\*$", page, re.MULTILINE)
    assert len(verdicts) == len(claims)
    possible = {"holds", "holds in part", "does not hold", "undecided", "cannot be tested"}
    assert set(verdicts) <= {*possible, "not run here"}
    assert all(f"     - {claim['claim']}\n" in page for claim in claims)


def test_pages_that_are_as_they_were_are_left_alone(manual, monkeypatch):
    for module in (write.rivals, write.speed):  # figures are always drawn
        monkeypatch.setattr(module, "draw", lambda *_: None)
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


def test_figure_4_draws_what_was_kept_and_up_is_a_rise(kept):
    drawn = control.figure(kept)
    panels = {ax.get_title(loc="left"): ax for ax in drawn.axes if ax.lines}
    assert len(panels) == sum(name.startswith("figure 4") for name in kept["about"]["experiments"])
    here = {(row["name"], row["column"]): row["here"] for row in kept["rows"]}
    for place, ax in panels.items():
        changed, other, _ = ax.lines
        for line, kind in ((changed, "changed"), (other, "unrelated")):
            for d, rise in zip(*line.get_data(), strict=True):
                told = "0" if d == 0 else f"{d:+.4g}"
                name = f"figure 4 {place}", f"F-MAP@1000 d={told} std {kind}"
                assert rise == -here[name]
        assert changed.get_ydata()[-1] > 0 > changed.get_ydata()[0]
