"""The table of libraries in the manual, from what tools/adapters.py found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.pages.tables import csv_table


def table(path: Path) -> str:
    """Return reStructuredText, a row per model, from the file of results."""
    found = json.loads(path.read_text(encoding="utf-8"))
    rows = [["library", "model", "scores", "new users", "what is lost"]]
    for library in found["adapters"]:
        named = f"{library['library']} {library.get('version', '')}".strip()
        if "problem" in library:
            rows.append([named, "", library["problem"], "", ""])
        for model in library.get("models", ()):
            rows.append([named, model["model"], _exact(model), model["new_users"], model["lost"]])
            named = ""
    made = f"``{found['about']['command']}``, {found['about']['date']}."
    return f"{csv_table('', rows, widths='15 17 24 19 25')}\n{made}\n"


def overlaps(path: Path) -> str:
    """Return how near fold-in comes to training, a row per model, from the file of results."""
    found = json.loads(path.read_text(encoding="utf-8"))
    rows = [["library", "model", "embedded by", "fold-in (95 %)", "another seed", "popularity"]]
    rows += [
        [
            library["library"],
            model["model"],
            model["new_users"],
            f"{share['fold_in']:.2f} ({share['low']:.2f} to {share['high']:.2f})",
            f"{share['refit']:.2f}",
            f"{share['popular']:.2f}",
        ]
        for library in found["adapters"]
        for model in library.get("models", ())
        if (share := model.get("overlap"))
    ]
    return csv_table("", rows, widths="14 22 24 20 10 10")


def _exact(model: dict[str, Any]) -> str:
    if model["failed"]:
        return "fails: " + ", ".join(model["failed"])
    if not model["exact"]:
        return f"off by up to {model['difference']:.1g} of {model['size']:.2g}"
    share = model["difference"] / model["size"]
    return f"{model['scores']}, to {share:.0e}" if share else f"{model['scores']}, to the last bit"
