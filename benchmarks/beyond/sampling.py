"""Beyond the paper: how near fewer, better placed draws come to what LIME tends to."""

from __future__ import annotations

import zlib
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from benchmarks.common.rows import Row, mean_row, prefix
from benchmarks.common.world import world
from sktpecr.attribution import LimeAttribution

# Users who are not learned from; items of each: its first, and some drawn at random.
_USERS, _FIRST, _ANY, _SEEDS = 100, 5, 5, 4
_MANY, _TOP, _MARGIN = 2**18, 3, 0.005
KINDS: dict[str, dict[str, Any]] = {
    "lime 5000": {"engine": "vectorized", "n_samples": 5000},
    "sobol 512": {"engine": "sobol", "n_samples": 512},
    "sobol 1024": {"engine": "sobol", "n_samples": 1024},
    "sobol 2048": {"engine": "sobol", "n_samples": 2048},
}


class SameRivals(LimeAttribution):
    """LIME with competitors that are the same for every seed: what draws alone do shows."""

    def _competitors(self, embedding: NDArray, n_items: int) -> NDArray:
        salt = zlib.crc32(np.ascontiguousarray(embedding, dtype=np.float64).tobytes())
        return np.random.RandomState(salt).permutation(n_items)[: self.n_competitors]


def sampling(
    data_name: str, data_dir: Path | None, model_name: str, figures_dir: Path | None
) -> list[Row]:
    """Compare estimators of the same importances, through the CVAE, with their common limit."""
    here = world(data_name, data_dir, model_name)
    name = prefix("beyond sampling", data_name, model_name)
    explainer = here.explainer("CVAE")
    tag_model, catalogue = explainer.tag_model_, explainer.tag_model_.catalogue
    rng = np.random.RandomState(0)
    cases = []
    for user in rng.permutation(here.test)[:_USERS]:
        listed = explainer.recommend(user, _FIRST)["item"]
        first = catalogue.items.rows(listed)
        others = np.setdiff1d(np.arange(len(catalogue.items)), first)
        at = catalogue.users.row(user)
        cases.append(
            (
                tag_model.tag_preferences[at],
                tag_model.user_embeddings[at],
                np.concatenate([first, rng.choice(others, _ANY, replace=False)]),
            )
        )

    def fitted(kind: type[LimeAttribution] = SameRivals, **params: Any) -> LimeAttribution:
        learners = tag_model.learners
        return kind(**params).fit(
            tag_model.composite,
            tag_model.tag_preferences[learners],
            tag_model.user_embeddings[learners],
        )

    rows = []
    for center in ("instance", "population"):
        truth = fitted(center=center, engine="vectorized", n_samples=_MANY, random_state=99)
        limits = [truth.attribute(*case).importances for case in cases]
        measured = {
            kind: qualities(
                [
                    [each.attribute(*case).importances for case in cases]
                    for each in (
                        fitted(center=center, random_state=seed, **params) for seed in range(_SEEDS)
                    )
                ],
                limits,
            )
            for kind, params in KINDS.items()
        }
        where = f"{name} {center}"
        for quality, of_lime in measured["lime 5000"].items():
            sign = -1.0 if quality == "relative error" else 1.0
            for kind, found in measured.items():
                rows.append(mean_row(where, f"{quality} {kind}", found[quality]))
                if kind != "lime 5000":
                    better = sign * (found[quality] - of_lime)
                    no_worse = better.mean() >= -_MARGIN
                    what = f"{quality} {kind}, better by"
                    rows.append(mean_row(where, what, better, holds=no_worse))
    return rows


def qualities(found: list[list[NDArray]], limits: list[NDArray]) -> dict[str, NDArray]:
    """Return what is asked of an estimator, by user: means over items and seeds.

    Parameters
    ----------
    found : list of list of ndarray of shape (n_items, n_tags)
        Importances by seed and user.
    limits : list of ndarray of shape (n_items, n_tags)
        What they tend to.
    """
    by_user: dict[str, list[float]] = {}
    for of_user, limit in zip(zip(*found, strict=True), limits, strict=True):
        moves = np.flatnonzero(np.abs(limit).max(axis=1) > 0)
        if not len(moves):
            continue
        seeds, limit = [each[moves] for each in of_user], limit[moves]
        size = np.linalg.norm(limit, axis=1)
        best = [set(np.argsort(-np.abs(one))[:_TOP]) for one in limit]
        values = {
            "between seeds": [rho(one, other) for one, other in combinations(seeds, 2)],
            "with the limit": [rho(one, limit) for one in seeds],
            "relative error": [
                np.mean(np.linalg.norm(one - limit, axis=1) / size) for one in seeds
            ],
            "first three": [
                np.mean(
                    [
                        len(set(np.argsort(-np.abs(item))[:_TOP]) & most) / _TOP
                        for item, most in zip(one, best, strict=True)
                    ]
                )
                for one in seeds
            ],
        }
        for quality, each in values.items():
            by_user.setdefault(quality, []).append(float(np.mean(each)))
    return {quality: np.array(values) for quality, values in by_user.items()}


def rho(one: NDArray, other: NDArray) -> float:
    """Return the mean of Spearman's correlations of rows."""
    return float(np.mean([spearmanr(a, b).statistic for a, b in zip(one, other, strict=True)]))
