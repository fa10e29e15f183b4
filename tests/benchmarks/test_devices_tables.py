"""The tables of the guide on tensors: each rate is where it belongs."""

from benchmarks.pages import devices

NAME = "devices a card synthetic"
MADE = {
    "command": "do it",
    "commit": "abc",
    "date": "2026-11-28",
    "seconds": 3.0,
    "machine": "one card",
}


def made_of(what, column, here):
    return {"name": f"{NAME} {what} a second", "column": column, "here": here}


def test_a_product_has_a_row_and_a_kind_of_array_a_column():
    rows = [
        made_of("lists, short, million pairs of user and item", "numpy", 12.3456),
        made_of("lists, short, million pairs of user and item", "torch, cuda", 34567.0),
        made_of("tastes, million pairs of user and tag", "torch, cuda", 2.0),
    ]
    found = devices.tables({"about": {"experiments": {NAME: MADE}}, "rows": rows})
    assert found.splitlines() == [
        ".. csv-table:: Million pairs a second, a card",
        '   :header: product,pairs of,numpy,"torch, cuda"',
        "",
        '   "lists, short",user and item,12,"34,567"',
        "   tastes,user and tag,,2",
        "",
        "``do it``. Commit abc, 2026-11-28, 3 s. On one card.",
    ]
