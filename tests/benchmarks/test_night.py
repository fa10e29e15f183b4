"""The night on the page on engines, recomputed by hand."""

import json

import pytest

from benchmarks.pages import night

ONE = {"workers": 1, "first": 14.0, "again": 4.0, "path": 4.0, "cpu": 4.0, "load": 1.0}
TWO = {"workers": 2, "first": 9.0, "again": 5.0, "path": 2.5, "cpu": 4.5, "load": 3.0}
SLOW = [{**ONE, "cpu": 5.0, "path": 5.0}, {**TWO, "path": 4.0, "again": 8.0}]
FOUND = {
    "about": {"command": "do it", "date": "2026-11-28"},
    "pairs": 400_000,
    "users": 8_000,
    "bytes_in": 2.0,
    "bytes_model": 4_000_000,
    "users_model": 2_000,
    "engines": [
        {
            "version": "duckdb 2.0",
            "measured": [{**each, "bytes_out": 12_000_000} for each in (ONE, TWO, *SLOW)],
        }
    ],
}


def test_the_best_round_is_taken_and_the_cheapest_run():
    cost = night.costs(FOUND["engines"][0]["measured"], FOUND["pairs"])
    assert cost == {
        "rate": 100_000,
        "scaling": 1.6,
        "clock": 0.8,
        "setup": 10.0,
        "bytes_out": 30.0,
    }


def test_hours_workers_and_bytes_of_five_billion_pairs():
    cost = night.costs(FOUND["engines"][0]["measured"], FOUND["pairs"])
    found = night.night_of(cost, FOUND)
    # 5e9 pairs at 1e5 a second are 50,000 s; two workers did 1.6 of 2.
    assert found["core_hours"] == pytest.approx(50_000 / 3600)
    assert found["workers"] == 5
    assert found["bytes_in"] == 5e9 * 2 + 1e8 * 2_000
    assert found["bytes_out"] == 5e9 * 30


def test_the_page_says_what_was_measured_and_how(tmp_path):
    path = tmp_path / "engines.json"
    path.write_text(json.dumps(FOUND))
    text = night.table(path)
    assert "duckdb 2.0,13.9,5,0.21,0.15" in text
    assert 'duckdb 2.0,"100,000",1.60,0.80,10.0' in text
    assert "load\n1 to 3" in text
