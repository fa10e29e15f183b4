"""The page on scaling: what is extrapolated, recomputed by hand."""

import csv

import pytest

from benchmarks.pages import scaling as scaling_page

COST = "everybody cost synthetic"
SIZE = "everybody size synthetic exact, 1 worker"
MADE = {"command": "do it", "commit": "abc", "date": "2026-11-24", "seconds": 1.0}


def page(*rows):
    named = [dict(zip(("name", "column", "here"), row, strict=True)) for row in rows]
    return scaling_page.head({"about": {"experiments": {COST: MADE}}, "rows": named})


def cells(text, first):
    """Return the cells of the line that begins with one."""
    lines = csv.reader(line.strip() for line in text.splitlines())
    (found,) = (line for line in lines if line[1:] and line[0] == first)
    return found


EXACT = (f"{COST} exact, 10000 items, 20 tags", "ms a user", 3.6)
PARQUET = (SIZE, "bytes of Parquet a user", 1000.0)


@pytest.mark.parametrize(
    ("users", "expected"),
    [
        # 1e7 * 3.6 ms are 36,000 s; 64 numbers of 4 bytes and 20 of 8 are 416 bytes a user.
        ("10,000,000", ["10,000 and 20", "exact", "10", "3", "0.0042", "0.01"]),
        ("1,000,000,000", ["10,000 and 20", "exact", "1,000", "250", "0.42", "1"]),
    ],
)
def test_a_night_is_the_cost_of_a_user_times_as_many(users, expected):
    assert cells(page(EXACT, PARQUET), users) == [users, *expected]


def test_every_method_is_beside_the_others_in_what_a_user_costs():
    lime = (f"{COST} CVAE and LIME, 10000 items, 20 tags", "ms a user", 8.53)
    larger = (f"{COST} exact, 100000 items, 20 tags", "ms a user", 0.5)
    text = page(EXACT, lime, larger)
    assert cells(text, "10,000") == ["10,000", "20", "3.6", "8.5"]
    assert cells(text, "100,000") == ["100,000", "20", "0.5", ""]


def test_what_is_extrapolated_is_held_against_what_was_measured():
    rows = [(SIZE, "users", 1000.0), (SIZE, "seconds", 7.2)]
    found = cells(page(EXACT, *rows), "everybody size synthetic exact")
    assert found[1:] == ["1,000", "10,000 and 20", "3.6", "7.2", "2"]


def test_what_was_not_measured_is_left_out():
    assert "csv-table:: Held against" not in page(EXACT)
    assert "csv-table" not in scaling_page.head({"about": {"experiments": {}}, "rows": []})
