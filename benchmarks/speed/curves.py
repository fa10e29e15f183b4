"""How cost grows: a step at several sizes, and the power that the times follow."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.common.rows import Row, row
from benchmarks.speed.places import Place, World
from benchmarks.speed.timing import medians
from sktpecr import CVAEGenerator, FeedbackRefiner
from sktpecr.attribution import ExactAttribution, LimeAttribution

# Around one size, one dimension at a time.
_BASE = {"users": 4_000, "items": 8_000, "tags": 32, "factors": 64}
_FACTORS = (0.25, 0.5, 1, 2, 4)
_SAMPLES = (1_024, 2_048, 4_096, 8_192)
_STEPS = {
    "fit": ("users", "items", "tags", "factors"),
    "tag preferences of everybody": ("users", "tags", "factors"),
    "first ten of a user, explained exactly": ("items", "tags", "factors"),
    "LIME of a list through a CVAE": ("tags", "factors"),
    "like": ("items", "tags", "factors"),
}


def scaling(place: Place) -> list[Row]:
    """Exponents of users, items, tags, factors and draws: 1 is in proportion, 0 no matter."""
    base = _BASE if place.full else {"users": 200, "items": 100, "tags": 4, "factors": 8}
    factors = _FACTORS if place.full else (1, 2)
    at_base: dict[str, float] = {}
    rows = []
    for dimension in base:
        sizes = [round(factor * base[dimension]) for factor in factors]
        times = [_times({**base, dimension: size}, dimension) for size in sizes]
        for step in times[0]:
            spent = [each[step] for each in times]
            name = f"speed curves synthetic {step}"
            if step not in at_base:
                at_base[step] = spent[factors.index(1)]
                rows.append(row(name, f"ms at {_words(base)}", 1e3 * at_base[step]))
            rows.append(row(name, f"exponent of {dimension}", _exponent(sizes, spent)))
    draws = list(_SAMPLES if place.full else (64, 128))
    spent = [_lime(_world(base), n_samples) for n_samples in draws]
    name = "speed curves synthetic LIME of a list through a CVAE"
    rows.append(row(name, "exponent of draws", _exponent(draws, spent)))
    return sorted(rows, key=lambda each: each.name)


def _exponent(sizes: list[int], seconds: list[float]) -> float:
    """Return the slope of a line through the logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def _words(sizes: dict[str, int]) -> str:
    return ", ".join(f"{size:,} {dimension}" for dimension, size in sizes.items())


def _world(sizes: dict[str, int]) -> World:
    from benchmarks.speed.places import Sizes

    return World.random(Sizes(**sizes))


def _times(sizes: dict[str, int], dimension: str) -> dict[str, float]:
    """Return the seconds of the steps that a dimension matters to."""
    world = _world(sizes)
    explainer = world.explainer(attribution=ExactAttribution())
    refiner, tag = FeedbackRefiner(explainer, solver="closed_form"), world.tags.columns[0]
    steps: dict[str, Callable[[], object]] = {
        "fit": world.explainer,
        "tag preferences of everybody": lambda: explainer.extractor_.tag_preferences(world.users),
        "first ten of a user, explained exactly": lambda: explainer.explain_batch([0]),
        "like": lambda: refiner.refine(0, like=tag),
    }
    wanted = [step for step in steps if dimension in _STEPS[step]]
    found = dict(zip(wanted, medians(*(steps[step] for step in wanted)), strict=True))
    if dimension in _STEPS["LIME of a list through a CVAE"]:
        found["LIME of a list through a CVAE"] = _lime(world)
    return found


def _lime(world: World, n_samples: int = 2_048) -> float:
    attribution = LimeAttribution(target="rank", n_samples=n_samples, random_state=0)
    generator = CVAEGenerator(max_epochs=1, random_state=0)
    tag_model = world.explainer(generator=generator, attribution=attribution).tag_model_
    user = tag_model.tag_preferences[0], tag_model.user_embeddings[0], np.arange(10)
    return medians(lambda: tag_model.attribution.attribute(*user))[0]
