"""The products of the batch paths, measured."""

import json
import re
import sys

import numpy as np
import pytest

from benchmarks import devices


def test_rates_of_arrays_and_tensors_are_printed_and_kept(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(devices, "SECONDS", 1e-9)
    path = tmp_path / "devices.json"
    sizes = {"users": 40, "items": 60, "tags": 5, "batch": 30, "pairs": 5}
    given = [f"--{name}={size}" for name, size in sizes.items()]
    monkeypatch.setattr(sys, "argv", ["devices", *given, f"--json={path}"])
    devices.main()
    printed = re.findall(r"^  (numpy|torch, cpu) +[\d.]+$", capsys.readouterr().out, re.M)
    assert printed[:2] == ["numpy", "torch, cpu"]
    results = json.loads(path.read_text())
    rates = {
        row["name"].split(" synthetic ")[1].split(", ")[0]: row["here"] for row in results["rows"]
    }
    # All the rest cannot take less than nothing.
    assert rates["contributions from embeddings"] > rates["reasons_batch with all the rest"] > 0
    (made,) = results["about"]["experiments"].values()
    assert "CPU threads" in made["machine"]


def test_arrays_that_differ_by_more_than_rounding_are_not_measured():
    one = np.array([1.0, 2.0])
    devices.alike(one, one + 1e-7)
    with pytest.raises(AssertionError, match="Not equal"):
        devices.alike(one, one + 1e-3)
