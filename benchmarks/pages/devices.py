"""The tables of the guide that say what tensors bring, one for each machine."""

from __future__ import annotations

from typing import Any

from benchmarks.pages.tables import csv_table, origin, sections

EXPERIMENT = "devices"


def tables(everything: dict[str, Any]) -> str:
    """Return pairs a second by product and kind of array, and what measured them."""
    parts = []
    for name, made, rows in sections(everything, EXPERIMENT):
        kinds = list(dict.fromkeys(row["column"] for row in rows))
        found: dict[str, dict[str, str]] = {}
        for row in rows:
            product = row["name"].removeprefix(f"{name} ")
            found.setdefault(product, {})[row["column"]] = _rate(row["here"])
        lines = [["product", "pairs of", *kinds]]
        for product, rates in found.items():
            what, of = product.rsplit(", million pairs of ", 1)
            of = of.removesuffix(" a second")
            lines.append([what, of, *(rates.get(kind, "") for kind in kinds)])
        place = name.removeprefix(f"{EXPERIMENT} ").removesuffix(" synthetic")
        parts.append(csv_table(f"Million pairs a second, {place.replace('cpu', 'CPU')}", lines))
        parts.append(f"``{made['command']}``. {origin(made)}\n")
    return "\n".join(parts)


def _rate(millions: float) -> str:
    return f"{millions:,.0f}" if millions >= 10 else f"{millions:.2g}"
