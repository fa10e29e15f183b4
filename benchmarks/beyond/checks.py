"""Beyond the paper: that explanations add up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from implicit.lmf import LogisticMatrixFactorization
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD

from benchmarks.common.rows import Row, prefix, row
from benchmarks.common.world import World, world
from sktpecr import TPECRExplainer

_USERS, _ITEMS_EACH = 100, 10
_TOLERANCE = 1e-6


def checks(
    data_name: str, data_dir: Path | None, model_name: str, figures_dir: Path | None
) -> list[Row]:
    """Check the sum of explanations for every recommender."""
    name = prefix("beyond checks", data_name, model_name)
    here = world(data_name, data_dir, model_name)
    rows = []
    for label, model, own_scores in _recommenders(here, data_dir):
        explainer = TPECRExplainer(model, here.data.item_tags)
        explainer.fit(here.train, user_ids=here.data.user_ids)
        complete, beside_shap = _errors(explainer, here, own_scores)
        where = f"{name} {label}"
        rows += [
            row(where, "pairs", len(complete)),
            row(where, "completeness", complete.max(), holds=complete.max() <= _TOLERANCE),
            row(where, "LinearExplainer", beside_shap.max(), holds=beside_shap.max() <= _TOLERANCE),
        ]
        print(where, complete.max(), beside_shap.max(), flush=True)
    return rows


def _recommenders(here: World, data_dir: Path | None) -> Iterator[tuple[str, Any, Any]]:
    """Yield names, recommenders, and the scores of a user's items as the recommender has them."""
    for label, model in {
        "implicit ALS": AlternatingLeastSquares(factors=64, random_state=0, num_threads=1),
        "implicit BPR": BayesianPersonalizedRanking(factors=64, random_state=0, num_threads=1),
        "implicit LMF": LogisticMatrixFactorization(factors=30, random_state=0, num_threads=1),
    }.items():
        model.fit(here.train.astype(np.float32), show_progress=False)
        yield label, model, _dot(model.user_factors, model.item_factors)
    svd = TruncatedSVD(64, random_state=0).fit(here.train)
    yield "TruncatedSVD", svd, _dot(svd.transform(here.train), svd.components_.T)
    for label, name in (("MatrixFactorization", "mf"), ("FactorizationMachine", "fm")):
        model = world(here.data_name, data_dir, name).model
        yield label, model, _by_itself(model)


def _dot(users: NDArray, items: NDArray) -> Any:
    return lambda user: items.astype(np.float64) @ users[user].astype(np.float64)


def _by_itself(model: Any) -> Any:
    return lambda user: model.score_items(model.user_embeddings[[user]])[0].astype(np.float64)


def _errors(explainer: TPECRExplainer, here: World, own_scores: Any) -> tuple[NDArray, NDArray]:
    """Return how far explanations are off, by pair, relative to the list's largest score.

    From the recommender's own score, and from shap's values for the line through the composite
    function, which is found by trying.
    """
    import shap

    rng = np.random.RandomState(0)
    tag_model = explainer.tag_model_
    background = tag_model.tag_preferences.astype(np.float64)
    complete, beside_shap = [], []
    for user in rng.choice(len(here.data.user_ids), _USERS, replace=False):
        scores = own_scores(user)
        largest = np.abs(scores).max()
        embedding = tag_model.user_embeddings[user].astype(np.float64)
        own = tag_model.tag_preferences_of(embedding)
        steps = np.vstack([np.zeros(len(own)), np.diag(tag_model.std)])
        columns = rng.choice(len(scores), _ITEMS_EACH, replace=False)
        # In double precision: differences of scores in single precision are off by more than 1e-6.
        generated = tag_model.generator.generate(own + steps, np.tile(embedding, (len(steps), 1)))
        items = np.asarray(tag_model.recommender.item_embeddings, dtype=np.float64)[columns]
        scale = np.where(tag_model.std > 0, tag_model.std, 1.0)
        slopes = items @ (generated[1:] - generated[0]).T / scale
        masker = shap.maskers.Independent(background, max_samples=len(background))
        for column, slope in zip(columns, slopes, strict=True):
            found = explainer.explain(here.data.user_ids[user], here.data.item_ids[column])
            total = found.base_value + found.contributions.sum() + found.residual
            complete.append(abs(total - scores[column]) / largest)
            linear = shap.LinearExplainer((slope, 0.0), masker)
            apart = linear.shap_values(own[np.newaxis])[0] - found.contributions
            beside_shap.append(np.abs(apart).max() / largest)
    return np.array(complete), np.array(beside_shap)
