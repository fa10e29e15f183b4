"""The products of the batch paths, measured."""

import re
import sys

from benchmarks import devices


def test_pairs_a_second_of_arrays_and_tensors(capsys, monkeypatch):
    given = ["devices", "--users", "40", "--items", "60", "--pairs", "5"]
    monkeypatch.setattr(sys, "argv", given)
    devices.main()
    rates = re.findall(r"(\w.*): ([\d,]+) pairs/s", capsys.readouterr().out)
    assert [name.split(",")[0] for name, _ in rates][:2] == ["products", "products"]
    assert rates[-1][0].startswith("reasons_batch")
    # All the rest cannot take less than nothing.
    assert int(rates[0][1].replace(",", "")) > int(rates[-1][1].replace(",", ""))
