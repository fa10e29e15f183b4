"""P5, P6 and P10: LIME of a list, beside the lime package and shap's KernelExplainer."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from benchmarks.common.rows import Row, row
from benchmarks.speed.places import Place
from benchmarks.speed.timing import first_seconds, medians, same
from sktpecr import CVAEGenerator, TPECRExplainer
from sktpecr.attribution import ExactAttribution, LimeAttribution

_USERS = 5_000


class _Bars(NamedTuple):
    """What is asked of ours: times the lime package in one call, ms warm and in a fresh process."""

    times: float | None = None
    warm: float | None = None
    cold: float | None = None


def _explainer(place: Place, kind: str, engine: str, tags: int) -> TPECRExplainer:
    """Explain scores in closed form, or ranks through a network."""
    through = kind != "scores"
    return place.world(users=_USERS, tags=tags).explainer(
        # How far it is trained does not change what it costs.
        generator=CVAEGenerator(max_epochs=2, random_state=0) if through else None,
        attribution=LimeAttribution(
            target="rank" if through else "score",
            n_samples=None if place.full else 256,
            engine=engine,
            random_state=0,
        ),
    )


def _list(explainer: TPECRExplainer) -> tuple[NDArray, NDArray, NDArray]:
    """Return a user as attributions take one, and the columns of the user's first ten."""
    tag_model = explainer.tag_model_
    items = explainer.recommend(explainer.user_ids_[0], 10)["item"]
    columns = tag_model.catalogue.items.rows(items)
    return tag_model.tag_preferences[0], tag_model.user_embeddings[0], columns


def _first_list(*world: Any) -> Callable[[], object]:
    explainer = _explainer(*world)
    user = _list(explainer)
    return lambda: explainer.tag_model_.attribution.attribute(*user)


def _lime(name: str, place: Place, kind: str, engine: str, tags: int, bars: _Bars) -> list[Row]:
    """Compare with the lime package: how many times as fast, and in how many seconds."""
    explainer = _explainer(place, kind, engine, tags)
    tag_model, repeats = explainer.tag_model_, 3 if place.full and tags < 100 else 1
    fast, user = tag_model.attribution, _list(explainer)
    learned = tag_model.composite, tag_model.tag_preferences, tag_model.user_embeddings
    peer = (
        clone(fast).set_params(engine="lime", n_samples=5000 if place.full else 256).fit(*learned)
    )
    rows = []
    # On the same draws the package says of all items at once what it says of each.
    same(_in_one_call(peer, *user), peer.attribute(*user).importances, 1e-5)
    if engine == "vectorized":
        found = fast.attribute(*user).importances
        worst = same(found, _in_one_call(peer, *user), 1e-5)
        rows.append(row(name, "largest difference, relative", worst))
    mine, theirs = medians(
        lambda: fast.attribute(*user), lambda: _in_one_call(peer, *user), repeats=2 * repeats + 1
    )
    (item_by_item,) = medians(lambda: peer.attribute(*user), repeats=repeats)
    if place.full and engine == "sobol" and tags < 100 and find_spec("shap") is not None:
        shaps = _shap(*user, fast)
        rows.append(row(name, "times shap's KernelExplainer, as many samples", shaps / mine))
    ms, ratio = 1e3 * mine, theirs / mine
    rows.append(row(name, "ms for a list of 10", ms, holds=bars.warm and ms <= bars.warm))
    if place.full:
        ms = 1e3 * first_seconds(_first_list, place, kind, engine, tags)
        column = "ms for the first such list of a fresh process, draws and all"
        rows.append(row(name, column, ms, holds=bars.cold and ms <= bars.cold))
    return [
        *rows,
        row(
            name,
            "times lime, the list in one call",
            ratio,
            holds=bars.times and ratio >= bars.times,
        ),
        row(name, "times lime, item by item", item_by_item / mine),
    ]


def _in_one_call(
    lime: LimeAttribution, preferences: NDArray, embedding: NDArray, columns: NDArray
) -> NDArray:
    """Return importances as the lime package gives them used well: items are labels of one call."""
    from lime.lime_tabular import LimeTabularExplainer

    def predict(rows: NDArray) -> NDArray:
        users = np.broadcast_to(embedding, (len(rows), len(embedding)))
        targets = lime._targets(
            lambda scored: lime._composite(rows, users, scored), embedding, columns
        )
        return (targets >= 0).astype(np.float64) if lime.target == "rank" else targets

    explainer = LimeTabularExplainer(
        np.stack([lime.mean_ - lime.scale_, lime.mean_ + lime.scale_]),
        discretize_continuous=False,
        sample_around_instance=True,
        random_state=np.random.RandomState(lime._seed),
    )
    labels = range(len(columns))
    with warnings.catch_warnings():  # these are not probabilities of classes that exclude others
        warnings.filterwarnings("ignore", message=r"\s*Prediction prob")
        found = explainer.explain_instance(
            preferences,
            predict,
            labels=labels,
            num_features=len(preferences),
            num_samples=lime.n_samples_,
        )
    importances = np.zeros((len(columns), len(preferences)))
    for label in labels:
        for tag, weight in found.local_exp[label]:
            importances[label, tag] = weight
    return importances


def _shap(preferences: NDArray, embedding: NDArray, columns: NDArray, ours: Any) -> float:
    """Return the seconds of KernelExplainer for the same list: Shapley values, of scores."""
    from shap import KernelExplainer

    def score(rows: NDArray) -> NDArray:
        users = np.broadcast_to(embedding, (len(rows), len(embedding)))
        return ours._composite(rows, users, columns)

    explainer = KernelExplainer(score, ours.mean_[np.newaxis])
    # All tags count, so that none has to be selected by a lasso first.
    how = {"nsamples": ours.n_samples_, "l1_reg": False, "silent": True}
    (spent,) = medians(lambda: explainer.shap_values(preferences, **how), repeats=3)
    return spent


def _limes(name: str, place: Place, engine: str, bars: _Bars, *, tags: int = 19) -> list[Row]:
    """The same of scores in closed form, and of ranks through a network, which has the bars."""
    world, rows = place.world(users=_USERS, tags=tags), []
    name = name.replace("synthetic", world.name)
    for kind, asked in {"scores": _Bars(), "ranks through a CVAE": bars}.items():
        rows += _lime(f"{name}, {kind}", place, kind, engine, tags, asked)
    tag_model = world.explainer(attribution=ExactAttribution()).tag_model_
    user = tag_model.tag_preferences[0], tag_model.user_embeddings[0], np.arange(10)
    (read_off,) = medians(lambda: tag_model.attribution.attribute(*user), repeats=51)
    return [*rows, row(name, "ms, read off exactly: another method", 1e3 * read_off)]


def same_draws(place: Place) -> list[Row]:
    """LIME of a list of ten, the lime package's own draws."""
    name = "speed P5 synthetic LIME of a list"
    return _limes(name, place, "vectorized", _Bars(times=8, warm=11))


def fewer_draws(place: Place) -> list[Row]:
    """The default: fewer draws, better placed; how good they are is `--beyond sampling`."""
    name = "speed P6 synthetic LIME from Sobol points"
    return _limes(name, place, "sobol", _Bars(warm=5, cold=15))


def many_tags(place: Place) -> list[Row]:
    """The same with 1,000 tags."""
    name = "speed P10 synthetic LIME of a list, 1,000 tags"
    rows = []
    for engine in ("vectorized", "sobol"):
        rows += _limes(f"{name}, {engine}", place, engine, _Bars(times=150), tags=1_000)
    return rows
