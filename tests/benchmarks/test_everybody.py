"""The benchmark of the nightly job: every part of it runs, and looks at what was written."""

import json
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")

from benchmarks.everybody import __main__ as everybody
from benchmarks.everybody import parts


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read as on Linux")
@pytest.mark.filterwarnings("ignore:the recommender does not tell")  # of random factors
@pytest.mark.filterwarnings("ignore:item_tags explain the scores no better")
@pytest.mark.parametrize("name", ["size", "killed", "million", "cost"])
def test_every_experiment_checks_its_results_and_prints(name, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(parts, "_N_KILLS", 1)
    path = tmp_path / "everybody.json"
    assert everybody.main(["--quick", "--only", name, "--json", str(path)]) == 0
    assert name in capsys.readouterr().out
    written = json.loads(path.read_text())
    assert list(written["about"]["experiments"]) == [f"everybody {name} synthetic"]
    # How fast dask is does not show at this size.
    rows = [row for row in written["rows"] if not row["column"].startswith("dask")]
    assert rows
    assert all(row["here"] >= 0 for row in rows)
    assert all(row["holds"] in (None, True) for row in rows)
