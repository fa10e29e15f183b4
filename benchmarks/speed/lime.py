"""P5, P6 and P10: LIME of a list, beside the lime package and shap's KernelExplainer."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from benchmarks.common.rows import Row, row
from benchmarks.speed.places import Place
from benchmarks.speed.timing import cpu_seconds, medians, same
from sktpecr import CVAEGenerator, TPECRExplainer
from sktpecr.attribution import ExactAttribution, LimeAttribution

_USERS = 5_000


def _lime(
    name: str,
    explainer: TPECRExplainer,
    *,
    least: float,
    most: float | None = None,
    beside_shap: bool = False,
) -> list[Row]:
    """Compare with the lime package: how many times as fast, and in how many seconds."""
    tag_model, repeats = explainer.tag_model_, 3 if len(explainer.tag_names_) < 100 else 1
    fast = tag_model.attribution
    learned = tag_model.composite, tag_model.tag_preferences, tag_model.user_embeddings
    peer = clone(fast).set_params(engine="lime", n_samples=5000).fit(*learned)
    items = explainer.recommend(explainer.user_ids_[0], 10)["item"]
    columns = tag_model.catalogue.items.rows(items)
    user = tag_model.tag_preferences[0], tag_model.user_embeddings[0], columns
    rows = []
    if fast.engine == "vectorized":
        one, other = (each.attribute(*user).importances for each in (fast, peer))
        rows.append(row(name, "largest difference, relative", same(one, other, 1e-5)))
    once = cpu_seconds(lambda: fast.attribute(*user))
    (mine,) = medians(lambda: fast.attribute(*user))
    (theirs,) = medians(lambda: peer.attribute(*user), repeats=repeats)
    ratio = theirs / mine
    if beside_shap:
        shaps = _shap(*user, fast)
        rows.append(row(name, "times shap's KernelExplainer, as many samples", shaps / mine))
    return [
        *rows,
        row(name, "ms for a list of 10", 1e3 * mine, holds=mine < most if most else None),
        row(name, "ms for the first such list, draws and all", 1e3 * once),
        row(name, "times lime, its predict function vectorised", ratio, holds=ratio >= least),
    ]


def _shap(preferences: NDArray, embedding: NDArray, columns: NDArray, ours: Any) -> float:
    """Return the seconds of KernelExplainer for the same list: Shapley values, of scores."""
    from shap import KernelExplainer

    def score(rows: NDArray) -> NDArray:
        users = np.broadcast_to(embedding, (len(rows), len(embedding)))
        return ours._composite(rows, users, columns)

    explainer = KernelExplainer(score, ours.mean_[np.newaxis])
    (spent,) = medians(
        lambda: explainer.shap_values(preferences, nsamples=ours.n_samples_, silent=True), repeats=3
    )
    return spent


def _limes(
    name: str, place: Place, engine: str, *, least: float, most: float | None = None, tags: int = 19
) -> list[Row]:
    """The same of scores in closed form, and of ranks through a network."""
    world, rows = place.world(users=_USERS, tags=tags), []
    name = name.replace("synthetic", world.name)
    kinds = {
        "scores": (None, "score"),
        # How far it is trained does not change what it costs.
        "ranks through a CVAE": (CVAEGenerator(max_epochs=2, random_state=0), "rank"),
    }
    for kind, (generator, target) in kinds.items():
        attribution = LimeAttribution(target=target, engine=engine, random_state=0)
        explainer = world.explainer(generator=generator, attribution=attribution)
        peer = place.full and engine == "sobol" and tags < 100 and find_spec("shap") is not None
        rows += _lime(f"{name}, {kind}", explainer, least=least, most=most, beside_shap=peer)
    tag_model = world.explainer(attribution=ExactAttribution()).tag_model_
    user = tag_model.tag_preferences[0], tag_model.user_embeddings[0], np.arange(10)
    (read_off,) = medians(lambda: tag_model.attribution.attribute(*user), repeats=51)
    return [*rows, row(name, "ms, read off exactly: another method", 1e3 * read_off)]


def same_draws(place: Place) -> list[Row]:
    """LIME of a list of ten, the lime package's own draws."""
    return _limes("speed P5 synthetic LIME of a list", place, "vectorized", least=20, most=10e-3)


def fewer_draws(place: Place) -> list[Row]:
    """The default: fewer draws, better placed; how good they are is `--beyond sampling`."""
    return _limes(
        "speed P6 synthetic LIME from Sobol points", place, "sobol", least=80, most=2.5e-3
    )


def many_tags(place: Place) -> list[Row]:
    """The same with 1,000 tags."""
    name = "speed P10 synthetic LIME of a list, 1,000 tags"
    rows = []
    for engine in ("vectorized", "sobol"):
        rows += _limes(f"{name}, {engine}", place, engine, least=200, tags=1_000)
    return rows
