"""Beyond the paper: a ladder of planted truths, each rung harder than the one before.

What is planted are users' tastes for tags, and what each tag weighs on each item. A score is made
of them, so what every tag did to it is known: the Shapley value of its taste in the planted
function, with the average user's tastes as background, which is weight times distance from the
mean where nothing is curved. The explainer sees scores and 0/1 tags. It speaks of tag preferences,
mean scores of a tag's items, and these are the tastes themselves on the first rung alone: where
items share tags, a tag preference has something of all tastes in it. So a method can be exact about
its tag preferences and wrong about the tastes; both are measured.

The rungs stand in `planted_world`.

Columns are "METRIC | METHOD". A method is a generator with an attribution. "Gaussian 0.1" has that
for its regularization, ten million times the default. Two rivals need no generator, as they are
told which tags are on the item: such a tag did what is above the mean of the user's tag preference
("tag preferences"), or of the coefficient of the user's scores on the tags of all items
("regression"). An interval is over draws.

* rank agreement: share of pairs of tags in the right order less those in the wrong one, of pairs
  that truly differ (Somers' D). 0 is chance.
* sign right: of the tags that truly did something. largest found: whether the tag that truly did
  most also has the largest contribution. Chance is 1/2 and 1/8.
* off the item: share of all contributions that is on tags which truly did nothing.
* told from its partner: of items with one tag of a pair, share where that one has more. Chance is
  1/2; from rung 4 on partners are correlated.
* importances: rank agreement with what one standard deviation of a taste truly does.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator

from benchmarks.beyond.planted_world import N_ITEMS, N_LEARNERS, N_TAGS, ROUNDING, RUNGS, Planted
from benchmarks.common.rows import Row, figure_file, mean_row, prefix
from sktpecr import CVAEGenerator, GaussianGenerator, TPECRExplainer, published_explainer
from sktpecr.attribution import LimeAttribution, ShapleyAttribution

DRAWS = (1, 2, 3, 4, 5)
N_CASES, N_ITEMS_A_CASE = 25, 8
_KL_WEIGHT = 0.1  # of the CVAE, in variances of the embeddings
_METRICS = (
    "rank agreement",
    "sign right",
    "largest found",
    "off the item",
    "told from its partner",
    "importances: rank agreement",
)
_DRAWN = ("rank agreement", "sign right", "largest found")


def planted(
    data_name: str,
    data_dir: Path | None = None,
    model_name: str | None = None,
    figures_dir: Path | None = None,
) -> list[Row]:
    """Hold contributions and importances against the planted ones, rung by rung."""
    name, rows = prefix("beyond planted", data_name), []
    found: dict[str, dict[str, list[float]]] = {}
    for rung in RUNGS:
        draws = [measure(Planted(rung, seed)) for seed in DRAWS]
        found[rung.name] = {column: [each[column] for each in draws] for column in draws[0]}
        print(f"  {rung.name}", flush=True)
        rows += [
            mean_row(f"{name} {rung.name}", column, values)
            for column, values in found[rung.name].items()
            if np.isfinite(values).all()
        ]
    if figures_dir is not None:
        _draw(found, name, figures_dir)
    return rows


def measure(truth: Planted) -> dict[str, float]:
    """Return the numbers of one draw, by column."""
    rng = np.random.RandomState(0)
    users = np.arange(N_LEARNERS, N_LEARNERS + N_CASES)
    items = np.array(
        [rng.choice(N_ITEMS, size=N_ITEMS_A_CASE, replace=False) for _ in range(N_CASES)]
    )
    contributions, importances = (
        np.concatenate(each)
        for each in zip(
            *(truth.truth(*case) for case in zip(users, items, strict=True)), strict=True
        )
    )
    on_item = truth.item_tags[items.ravel()]
    columns: dict[str, float] = {}
    model, X = truth.recommender()
    explainers = dict(_explainers(model, truth.item_tags, X))
    told = {name: _told(explainer, users, items) for name, explainer in explainers.items()}
    exact = explainers["Gaussian Shapley"]
    others = _without_generator(exact, users, items, on_item)
    for name, (said, weighed) in {**told, **others}.items():
        measures = _measures(contributions, said, on_item)
        agreement = np.nanmean(rank_agreement(importances, weighed))
        for metric, value in zip(_METRICS, (*measures, agreement), strict=True):
            columns[f"{metric} | {name}"] = float(value)
    return {**columns, **_warnings(exact, truth, users, items, told, contributions)}


def rank_agreement(truth: NDArray, said: NDArray) -> NDArray:
    """Return Somers' D of each row: over pairs that differ in truth, right order less wrong.

    Parameters
    ----------
    truth, said : ndarray of shape (n, n_tags)
        What is so, and what is said of it.

    Returns
    -------
    ndarray of shape (n,)
        -1 to 1; NaN where all are alike in truth.
    """
    orders = [np.sign(each[:, :, np.newaxis] - each[:, np.newaxis]) for each in (truth, said)]
    differ = np.abs(orders[0]).sum(axis=(1, 2))
    right = (orders[0] * orders[1]).sum(axis=(1, 2))
    return np.divide(right, differ, out=np.full(len(truth), np.nan), where=differ > 0)


def _explainers(model: Any, item_tags: NDArray, X: sp.csr_matrix) -> Iterator[tuple[str, Any]]:
    """Yield explainers that have not learned from the users of the cases, by name."""
    attributions = {
        "Shapley": ShapleyAttribution(random_state=0),
        "LIME of the score": LimeAttribution(target="score", engine="vectorized", random_state=0),
        "LIME of the rank": published_explainer(None, random_state=0).attribution,
    }
    first = TPECRExplainer(model, item_tags, generator=GaussianGenerator()).fit(
        X, train_users=range(N_LEARNERS)
    )
    variance = float(np.mean(np.var(first.user_embeddings_[:N_LEARNERS], axis=0)))
    generators: dict[str, Any] = {
        "Gaussian": GaussianGenerator(),
        "Gaussian 0.1": GaussianGenerator(regularization=0.1),
        "CVAE": CVAEGenerator(kl_weight=_KL_WEIGHT * variance, max_epochs=150, random_state=0),
    }
    for generator_name, generator in generators.items():
        for name, attribution in attributions.items():
            if generator_name == "Gaussian 0.1" and name != "Shapley":
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                explainer = TPECRExplainer(
                    model, item_tags, generator=generator, attribution=attribution
                ).fit(X, train_users=range(N_LEARNERS))
            generator = FrozenEstimator(explainer.generator_)
            yield f"{generator_name} {name}", explainer


def _told(explainer: Any, users: NDArray, items: NDArray) -> tuple[NDArray, NDArray]:
    """Return contributions and importances of all cases, shape (n_cases, n_tags)."""
    preferences = explainer.tag_preferences_[users].astype(np.float64)
    importances = np.array(
        [
            explainer.attribution_.attribute(
                own, explainer.user_embeddings_[user].astype(np.float64), columns
            ).importances
            for own, user, columns in zip(preferences, users, items, strict=True)
        ]
    )
    distances = (preferences - explainer.population_mean_) / explainer.population_std_
    said = importances * distances[:, np.newaxis]
    return said.reshape(-1, N_TAGS), importances.reshape(-1, N_TAGS)


def _without_generator(
    explainer: Any, users: NDArray, items: NDArray, on_item: NDArray
) -> dict[str, tuple[NDArray, NDArray]]:
    """Return the same of those who know the tags of the items."""
    extractor, embeddings = explainer.extractor_, explainer.user_embeddings_.astype(np.float64)
    recommender = extractor.recommender_
    scores = recommender.score_items(embeddings)
    scores -= scores[:N_LEARNERS].mean(axis=0)
    to_tags = np.linalg.pinv(explainer.tag_model_.item_tags.toarray())
    views = {
        "tag preferences": explainer.tag_preferences_ - explainer.population_mean_,
        "regression": scores @ to_tags.T,
    }
    found = {}
    for name, view in views.items():
        own = view[users].repeat(N_ITEMS_A_CASE, axis=0)
        found[name] = on_item * own, on_item * view[:N_LEARNERS].std(axis=0)
    return found


def _measures(truth: NDArray, said: NDArray, on_item: NDArray) -> tuple[float, ...]:
    """Return what is measured of contributions, means over cases."""
    did = truth != 0
    total = np.abs(said).sum(axis=1)
    stray = np.abs(np.where(did, 0.0, said)).sum(axis=1)
    sizes = np.abs(said)
    single = on_item[:, ::2] != on_item[:, 1::2]
    more = (sizes[:, ::2] - sizes[:, 1::2]) * (on_item[:, ::2] - on_item[:, 1::2])
    return (
        float(np.nanmean(rank_agreement(truth, said))),
        float(np.mean(np.sign(said[did]) == np.sign(truth[did]))),
        float(np.mean(sizes.argmax(axis=1) == np.abs(truth).argmax(axis=1))),
        float(np.mean(np.divide(stray, total, out=np.zeros_like(total), where=total > 0))),
        float(np.mean(more[single] > 0)),
    )


def _warnings(
    explainer: Any,
    truth: Planted,
    users: NDArray,
    items: NDArray,
    told: dict[str, tuple[NDArray, NDArray]],
    contributions: NDArray,
) -> dict[str, float]:
    """Return what steerability and certificate say, and whether it is so."""
    steerability = explainer.extractor_.steerability(explainer.user_embeddings_[:N_LEARNERS])
    preferences = np.corrcoef(explainer.tag_preferences_[:N_LEARNERS].T)
    certificates = [
        explainer.explain(user, item).certificate
        for user, columns in zip(users, items, strict=True)
        for item in columns
    ]
    shares = np.array([each.told for each in certificates])
    true_shares = np.concatenate(
        [truth.tag_share(*case) for case in zip(users, items, strict=True)]
    )
    right = rank_agreement(contributions, told["Gaussian Shapley"][0])
    return {
        "correlation of partners": float(np.diag(preferences, 1)[::2].mean()),
        "attainable, least": float(steerability.attainable.min()),
        "tags with an alias": float(sum(map(bool, steerability.alias))),
        "tags suggested": float(len(steerability.suggested)),
        "condition number": steerability.condition_number,
        "share of tags": float(shares.mean()),
        "share of tags, planted": float(true_shares.mean()),
        "share of tags: rank correlation": _rank_correlation(shares, true_shares),
        "faithfulness": float(np.mean([each.faithfulness for each in certificates])),
        "share of tags with rank agreement": _rank_correlation(shares, right),
    }


def _rank_correlation(first: NDArray, second: NDArray) -> float:
    """Return Spearman's rho; NaN where one of them is constant but for rounding."""
    if np.ptp(first) < ROUNDING or np.ptp(second) < ROUNDING:
        return np.nan
    return float(spearmanr(first, second, nan_policy="omit").statistic)


def _draw(found: dict[str, dict[str, list[float]]], name: str, folder: Path) -> None:
    """Draw what is right about contributions against the rungs, a curve per method."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(_DRAWN), figsize=(13, 4.4), layout="constrained")
    methods = [
        column.split(" | ")[1]
        for column in next(iter(found.values()))
        if column.startswith(f"{_DRAWN[0]} | ")
    ]
    for axis, metric in zip(axes, _DRAWN, strict=True):
        for method in methods:
            values = np.array([each[f"{metric} | {method}"] for each in found.values()])
            style = "--" if method in ("tag preferences", "regression") else "-"
            axis.plot(values.mean(axis=1), style, marker=".", label=method)
        axis.set(title=metric, ylim=(None, 1.02))
        axis.set_xticks(range(len(found)), found, rotation=40, ha="right")
    axes[-1].legend(fontsize=7)
    figure.suptitle(f"{name}: contributions of tags against the planted ones")
    figure.savefig(folder / figure_file(name), dpi=120)
    plt.close(figure)
