"""Draw the pictures of README.md and of the manual's first pages; the manual's build does it, too.

python tools/draw_images.py docs/images
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from implicit.als import AlternatingLeastSquares
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sktpecr import FeedbackRefiner, Refinement, TPECRExplainer
from sktpecr.datasets import load_movielens
from sktpecr.plotting._drawing import DOWN, UP

USER, ITEM, TAG = 243, 1214, "Horror"
_STEPS, _FRAME, _HOLD, _PLAYS = 14, 70, (2400, 900, 5000), 3
_MADE_BY = f"Matplotlib {mpl.__version__}"
# Pixels that may differ by more than a quarter of the range: numbers differ in their last digits.
_PIXELS, _QUARTER = 100, 64


def films() -> tuple[TPECRExplainer, Refinement]:
    """Return an explainer of the shipped films, and the answer that the pictures show."""
    data = load_movielens()
    als = AlternatingLeastSquares(factors=64, random_state=0)
    als.fit(data.interactions, show_progress=False)
    explainer = TPECRExplainer(als, data.item_tags)
    explainer.fit(data.interactions, user_ids=data.user_ids, item_names=data.item_names)
    return explainer, FeedbackRefiner(explainer).refine(USER, dislike=TAG)


def pictures(
    explainer: TPECRExplainer, refined: Refinement, steps: int = _STEPS
) -> dict[str, list[Image.Image]]:
    """Return the frames of each picture, by the name of its file."""
    return {
        "explanation.png": [_drawn(explainer.explain(USER, ITEM).plot().figure, 100)],
        "refinement.png": [_drawn(refined.plot().figure, 90)],
        "answer.gif": [_drawn(figure, 100) for figure in _moving(explainer, refined, steps)],
    }


def write(folder: Path) -> list[str]:
    """Write the pictures that are not there as they should be, and return their names."""
    made = pictures(*films())
    names = stale(folder, made)
    for name in names:
        frames = made[name]
        if len(frames) > 1:
            # One palette for all frames, so that nothing flickers.
            palette = frames[-1].quantize(48)
            frames = [frame.quantize(palette=palette, dither=0) for frame in frames]
            steps = [_FRAME] * (len(frames) - 3)
            frames[0].save(
                folder / name,
                save_all=True,
                append_images=frames[1:],
                duration=[*_HOLD[:2], *steps, _HOLD[2]],
                loop=_PLAYS - 1,
                comment=_MADE_BY,
            )
        else:
            info = PngInfo()
            info.add_text("Software", _MADE_BY)
            frames[0].quantize(64).save(folder / name, pnginfo=info, optimize=True)
    return names


def stale(folder: Path, made: dict[str, list[Image.Image]]) -> list[str]:
    """Return the names of pictures that do not show what they would show if drawn now."""
    return [name for name, frames in made.items() if not _same(folder / name, frames)]


def comparable(path: Path) -> bool:
    """Return whether the matplotlib that is here made a picture: letters differ by version."""
    with Image.open(path) as picture:
        info = picture.info
    made_by = info.get("Software") or info.get("comment", b"").decode()
    return made_by == _MADE_BY


def _same(path: Path, frames: list[Image.Image]) -> bool:
    if not path.exists():
        return False
    with Image.open(path) as kept:
        for place, frame in ((0, frames[0]), (getattr(kept, "n_frames", 1) - 1, frames[-1])):
            kept.seek(place)
            one, other = (np.asarray(each.convert("RGB"), dtype=int) for each in (kept, frame))
            if one.shape != other.shape:
                return False
            if (abs(one - other).max(axis=2) > _QUARTER).sum() > _PIXELS:
                return False
    return True


def _drawn(figure: Any, dpi: int) -> Image.Image:
    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def _moving(explainer: TPECRExplainer, refined: Refinement, steps: int) -> Iterator[Figure]:
    """Yield the list before the answer, the answer, the list on its way, and the list after."""
    everything = refined.listed(len(refined.scores))
    some = everything[everything[["rank_before", "rank"]].min(axis=1) <= 10]
    tags = explainer.item_tags.loc[some["item"], TAG].to_numpy() > 0
    before, after = (np.minimum(some[name].to_numpy(), 11.5) for name in ("rank_before", "rank"))
    rows = list(zip(some["name"], tags, before, after, strict=True))
    told = [explainer.explain(USER, ITEM).to_text(), refined.explain(ITEM).to_text()]
    yield _frame(rows, 0.0, False, told[0])
    yield _frame(rows, 0.0, True, told[0])
    for step in range(1, steps):
        share = step / steps
        yield _frame(rows, share * share * (3 - 2 * share), True, told[0])
    yield _frame(rows, 1.0, True, told[1])


def _frame(rows: list[Any], share: float, pressed: bool, told: str) -> Figure:
    """Draw the list on its way from the ranks before, share 0, to those after, share 1."""
    figure = Figure(figsize=(7.2, 4.5), facecolor="white")
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, 720), ylim=(450, 0))
    ax.set_axis_off()
    ax.text(24, 34, f"Recommended to user {USER}", fontsize=14, fontweight="bold", va="center")
    ax.text(
        696,
        34,
        f"less {TAG}",
        ha="right",
        va="center",
        fontsize=12,
        color="white" if pressed else DOWN,
        bbox={"boxstyle": "round,pad=0.5", "fc": DOWN if pressed else "white", "ec": DOWN},
    )
    for name, has_tag, start, end in rows:
        place = start + (end - start) * share
        seen = float(np.clip(11 - place, 0, 1))
        y = 40 + 32 * place
        # What falls steps aside on its way, so that no title lies on another for long.
        x = 28 + (end > start) * 170 * np.sin(np.pi * share)
        ax.text(x, y, name, fontsize=12, va="center", alpha=seen, parse_math=False)
        if has_tag:
            ax.text(560, y, TAG, fontsize=10, color=DOWN, va="center", ha="right", alpha=seen)
        if share == 1 and end <= 10:
            moved = int(start - end)
            text = "new" if start > 10 else f"up {moved}" if moved > 0 else f"down {-moved}"
            colour = UP if moved > 0 else DOWN
            ax.text(600, y, text, fontsize=10, color=colour, fontweight="bold", va="center")
    ax.plot([24, 696], [388, 388], color="0.8", linewidth=1)
    sentence = textwrap.fill(f"Why Alien? {told}", 86)
    ax.text(24, 418, sentence, fontsize=10, va="center", color="0.25", parse_math=False)
    return figure


if __name__ == "__main__":
    print("\n".join(write(Path(sys.argv[1]))))
