"""A model trained on real data, and what was held out from it: the same for every experiment."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split

from benchmarks.common.data import PAPERS, load
from sktpecr import (
    CVAEGenerator,
    GaussianGenerator,
    InversionGenerator,
    MLPGenerator,
    TPECRExplainer,
    published_explainer,
)
from sktpecr.attribution import ExactAttribution, LimeAttribution
from sktpecr.evaluation import split_interactions
from sktpecr.recommenders import (
    FactorizationMachine,
    MatrixFactorization,
    NeuralCollaborativeFiltering,
    as_recommender,
)

# Trained models are kept in this folder, if one is named, so that a second run does not train.
_MEMORY = joblib.Memory(os.environ.get("SKTPECR_BENCHMARK_CACHE"), verbose=0)
# Of the 90 % of users who are not tested on, so that users are split 80/10/10.
_VALIDATION = 1 / 9
# The more the KL divergence weighs, the better embeddings obey the tags, and the more of the user
# they forget: a CVAE gets the least of these weights that obeys well enough on validation users.
_KL_WEIGHTS = (4e-3, 4e-2, 0.1, 0.2, 0.4)
_SWAP_ERROR = 0.05  # of the unedited embedding's

_SETTINGS: dict[str, Any] = {"validation_fraction": _VALIDATION, "random_state": 0}


class World:
    """A model trained on four fifths of the interactions; a tenth of the users held out.

    Generators learn from the other users' embeddings, a ninth of which is for validation. What
    is measured is measured on the users that were held out, refinement on their interactions
    that were.
    """

    def __init__(self, data_name: str, data_dir: Path | None, model_name: str) -> None:
        self.data_name, self.model_name = data_name, model_name
        self.data = load(data_name, data_dir)
        if data_name in PAPERS:
            self.data = self.data.drop_rare()
        self.train, held_out = split_interactions(self.data.interactions, 0.2, random_state=0)
        self.learn, self.test = train_test_split(self.data.user_ids, test_size=0.1, random_state=0)
        tested = np.isin(self.data.user_ids[held_out[:, 0]], self.test)
        self.pairs, self.learn_pairs = (
            list(zip(self.data.user_ids[users], self.data.item_ids[items], strict=True))
            for users, items in (held_out[tested].T, held_out[~tested].T)
        )
        print(f"{self.data}\n{model_name}: ", end="", flush=True)
        self.model, seconds = trained(model_name, self.train, self.data.item_tags)
        print(f"trained in {seconds:.0f} s")

    @cached_property
    def exact(self) -> bool:
        """Whether the score is a dot product."""
        return hasattr(self.model, "item_embeddings")

    @cache  # noqa: B019 (a world lives as long as the run)
    def generator(self, name: str) -> Any:
        """Return a generator fitted on the users who are not tested on."""
        base = self._explainer(GaussianGenerator(), None)
        tag_model = base.tag_model_
        known: dict[str, Any] = {}
        if name == "Gaussian" and self.exact:
            known["tag_matrix"] = base.extractor_.tag_matrix_
        elif name == "Inversion":
            known["extract"] = base.extractor_.tag_preferences
        start = time.perf_counter()
        generator = {
            "MLP": lambda: MLPGenerator(**_SETTINGS),
            "CVAE": lambda: CVAEGenerator(kl_weight=_kl_weight(tag_model), **_SETTINGS),
            "Gaussian": GaussianGenerator,
            "Inversion": lambda: InversionGenerator(**_SETTINGS),
        }[name]()
        generator = _fitted(generator, tag_model, tag_model.learners, known)
        print(f"{generator}: fitted in {time.perf_counter() - start:.0f} s")
        return generator

    @cache  # noqa: B019
    def explainer(self, generator: str, *, published: bool = False) -> TPECRExplainer:
        """Return an explainer that has learned nothing from the test users."""
        # What the rows in `results` were measured with: the paper's question, other tags held.
        exact = self.exact and generator == "Gaussian"
        attribution: Any = ExactAttribution() if exact else LimeAttribution(random_state=0)
        if published:
            attribution = published_explainer(None, random_state=0).attribution
        return self._explainer(FrozenEstimator(self.generator(generator)), attribution)

    def _explainer(self, generator: Any, attribution: Any) -> TPECRExplainer:
        return TPECRExplainer(
            self.model, self.data.item_tags, generator=generator, attribution=attribution
        ).fit(self.train, user_ids=self.data.user_ids, train_users=self.learn)


@cache
def world(data_name: str, data_dir: Path | None, model_name: str) -> World:
    """Return the world of a run, made once."""
    return World(data_name, data_dir, model_name)


@_MEMORY.cache
def trained(name: str, train: sp.csr_matrix, item_tags: Any) -> tuple[Any, float]:
    start = time.perf_counter()
    models: dict[str, Callable[[], Any]] = {
        "mf": lambda: MatrixFactorization(random_state=0),
        "ncf": lambda: NeuralCollaborativeFiltering(random_state=0),
        "fm": lambda: FactorizationMachine(item_tags, random_state=0),
        "als": lambda: AlternatingLeastSquares(factors=64, random_state=0),
        "bpr": lambda: BayesianPersonalizedRanking(factors=64, random_state=0, num_threads=1),
    }
    model = models[name]()
    model.fit(train)
    return as_recommender(model), time.perf_counter() - start


def _kl_weight(tag_model: Any) -> float:
    """Choose the CVAE's weight on a ninth of the learners, with the others to learn from."""
    learners = np.flatnonzero(tag_model.learners)
    others, validation = train_test_split(learners, test_size=_VALIDATION, random_state=0)
    embeddings = tag_model.user_embeddings[validation].astype(np.float64)
    for weight in _KL_WEIGHTS:
        generator = _fitted(CVAEGenerator(kl_weight=weight, **_SETTINGS), tag_model, others, {})
        tried = replace(tag_model, generator=generator)
        left = tried.swapped(embeddings, np.random.RandomState(0)).error_left
        print(f"  kl_weight={weight} leaves {left:.4f} of the swap error on validation users")
        if left <= _SWAP_ERROR:
            break
    return weight


def _fitted(generator: Any, tag_model: Any, learners: Any, known: dict[str, Any]) -> Any:
    preferences, embeddings = tag_model.tag_preferences, tag_model.user_embeddings
    return _fit(
        generator,
        preferences[learners].astype(np.float64),
        embeddings[learners].astype(np.float64),
        known,
    )


@_MEMORY.cache
def _fit(generator: Any, preferences: Any, embeddings: Any, known: dict[str, Any]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return generator.fit(preferences, embeddings, **known)
