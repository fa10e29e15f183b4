"""The 16 cells of "beyond rivals" as one table and one figure, from their rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.common.rows import belongs, number
from benchmarks.pages.tables import FIGURES, csv_table, folded, sections, with_interval

EXPERIMENT = "beyond rivals"
FIGURE = "beyond-rivals.png"
OVERLAPS = ("0.95", "0.90")
SCENARIOS = ("like", "dislike")
RIVALS = {
    "plain": "plain step",
    "plain S": "plain step, population's metric",
    "e_u": "gradient steps on e_u",
    "c_u": "gradient steps on c_u (paper)",
}

Rows = dict[tuple[str, str], dict[str, Any]]


INTRODUCTION = """\
A user looks for an item that was held out, and likes the tag of it that she likes least, or
dislikes the tag that she likes most of those that it lacks. Every method gets the same feedback,
and is read where it leaves the same share of the top 1000 in place, at strengths chosen on users
who are not tested on. Gradient steps are read along one descent each. What counts is the share of
targets that rose; "ours" is the closed form of `FeedbackRefiner`. "Not reached" is where a
descent never changes so much of the list, or the CVAE's own error changes more before anything is
said.
"""


def page(everything: dict[str, Any], experiment: str) -> list[str]:
    """Return the parts of the page: who wins where, and which way named tags go."""
    rows, cells = _read(everything)
    made = [
        f"* ``{each['command']}`` (commit {each['commit']}, {each['seconds']:.0f} s)"
        for _, each, _ in sections(everything, experiment)
    ]
    header = ["pairs", "at overlap", "ours", *(f"ours - {rival}" for rival in RIVALS)]
    shares = [["", *header]]
    ways = [["", "at overlap", "ours", *RIVALS]]
    for overlap in OVERLAPS:
        for cell in cells:
            name, label = f"{EXPERIMENT} {cell} {overlap}", f"{cell}s"
            if (name, "improved ours") not in rows:
                continue
            ours = number(rows[name, "improved ours"]["here"])
            differences = (rows.get((name, f"improved ours - {rival}")) for rival in RIVALS)
            pairs = rows.get((name, "pairs"))
            n_pairs = number(pairs["here"]) if pairs else ""
            shares.append([label, n_pairs, overlap, ours, *map(_cell, differences)])
            right = (rows.get((name, f"right way {method}")) for method in ("ours", *RIVALS))
            ways.append([label, overlap, *(number(row["here"]) if row else "" for row in right)])
    parts = []
    for rival, meaning in RIVALS.items():
        found = _differences(rows, rival)
        above = sum(row["low"] > 0 for row in found)
        open_ = sum(row["low"] <= 0 <= row["high"] for row in found)
        parts.append(
            f"* {rival} ({meaning}): of {len(found)} readings, ours is above in {above}, below in "
            f"{len(found) - above - open_}, and the interval holds 0 in {open_}."
        )
    tables = [
        csv_table("share of targets that rose: ours, and paired differences", shares),
        csv_table(
            "share of cases in which the named tag's own preference went the right way", ways
        ),
    ]
    return [
        INTRODUCTION,
        "\n".join(parts) + "\n",
        f".. image:: /{FIGURES}/{FIGURE}\n"
        "   :alt: share of targets that rose against overlap, 16 cells\n",
        folded("All readings, and the commands", [*tables, "\n".join(made)]),
    ]


def readings(everything: dict[str, Any], rival: str) -> tuple[int, int]:
    """Return how many readings there are against a rival, and in how many ours is above."""
    found = _differences(_read(everything)[0], rival)
    return len(found), sum(row["low"] > 0 for row in found)


def draw(everything: dict[str, Any], path: Path) -> None:
    """Draw share improved against overlap, a panel per cell and a curve per method."""
    from matplotlib.figure import Figure

    rows, cells = _read(everything)
    columns = [cell.rsplit(" ", 1)[0] for cell in cells if cell.endswith(" like")]
    figure = Figure(figsize=(13, 12), layout="constrained")
    axes = figure.subplots(4, 4, sharex=True, squeeze=False)
    shown = [f"{each} {kind}" for each in columns for kind in SCENARIOS]
    for axis, cell in zip(axes.flat, shown, strict=False):
        for method, line in zip(
            ("ours", *RIVALS), ("-", "--", ":", "-.", (0, (1, 3))), strict=True
        ):
            curve = [
                (rows[name, f"{method} {i} overlap"], rows[name, f"{method} {i} improved"])
                for name in (f"{EXPERIMENT} {cell} curve",)
                for i in range(100)
                if (name, f"{method} {i} overlap") in rows
            ]
            axis.plot(
                [overlap["here"] for overlap, _ in curve],
                [improved["here"] for _, improved in curve],
                **({"color": "k", "lw": 2} if method == "ours" else {"lw": 1.2}),
                linestyle=line,
                marker=".",
                label=method,
            )
        axis.set(title=f"{cell}s", xlim=(1.005, 0.85))
        for overlap in OVERLAPS:
            axis.axvline(float(overlap), color="0.8", zorder=0)
    for axis in axes.flat[len(shown) :]:
        axis.set_axis_off()
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
    figure.supxlabel("overlap@1000 with the list before")
    figure.supylabel("share of targets that rose")
    figure.savefig(path, dpi=80)


def _read(everything: dict[str, Any]) -> tuple[Rows, list[str]]:
    found = [row for row in everything["rows"] if belongs(row["name"], EXPERIMENT)]
    cells = [row["name"].removeprefix(f"{EXPERIMENT} ").rsplit(" ", 1)[0] for row in found]
    return {(row["name"], row["column"]): row for row in found}, list(dict.fromkeys(cells))


def _differences(rows: Rows, rival: str) -> list[dict[str, Any]]:
    return [row for (_, column), row in rows.items() if column == f"improved ours - {rival}"]


def _cell(row: dict[str, Any] | None) -> str:
    return with_interval(row) if row else "not reached"
