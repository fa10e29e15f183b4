"""Attributions that the library does not offer, for comparison: they follow its protocol."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from sktpecr._utils._rounding import spread
from sktpecr.attribution._attributed import Attributed

# A tag nearer to the mean than this, in standard deviations, is tried this far from it: a share
# over a distance would be noise over nothing there.
_NEAR = 0.05


class _Other(BaseEstimator):
    """What they share: the population, and scores of edited tag preferences."""

    unit = "score per standard deviation of the tag preference"

    def fit(self, composite: Any, tag_preferences: ArrayLike, embeddings: ArrayLike) -> Any:
        """Take the population as background."""
        del embeddings
        self.composite_ = composite
        self.population_ = np.asarray(tag_preferences, dtype=np.float64)
        self.mean_ = self.population_.mean(axis=0)
        self.scale_ = spread(self.population_, np.float32)
        self._seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        return self

    def attribute(
        self, tag_preferences: NDArray, embedding: NDArray, items: ArrayLike
    ) -> Attributed:
        """Attribute the scores of items for one user."""
        columns = np.asarray(items, dtype=np.intp)

        def scores_at(rows: NDArray) -> NDArray:
            users = np.broadcast_to(embedding, (len(rows), len(embedding)))
            return self.composite_(rows, users, columns).astype(np.float64)

        # Other draws for every user, the same in every call.
        salt = zlib.crc32(np.ascontiguousarray(embedding, dtype=np.float64).tobytes())
        rng = np.random.RandomState([self._seed, salt])
        importances = self._importances(scores_at, tag_preferences, len(columns), rng)
        ends = scores_at(np.stack([self.mean_, tag_preferences]))
        return Attributed(importances * (self.scale_ > 0), *ends, np.full(len(columns), np.nan))


class RandomOrder(_Other):
    """Importances drawn from a normal distribution: what an explanation must at least beat."""

    name = "random"

    def __init__(self, *, random_state: Any = None) -> None:
        self.random_state = random_state

    def _importances(self, scores_at: Any, own: NDArray, n_items: int, rng: Any) -> NDArray:
        return rng.normal(size=(n_items, len(own)))


class KernelShap(_Other):
    """KernelSHAP of the shap package, the population's mean as background.

    All tags get a share (``l1_reg=False``; the package keeps ten by default). An importance is
    the share over the user's distance from the mean, in standard deviations.
    """

    def __init__(self, *, n_samples: int = 2048, random_state: Any = None) -> None:
        self.n_samples = n_samples
        self.random_state = random_state

    @property
    def name(self) -> str:
        """What it is, in words."""
        return f"KernelSHAP (shap, {self.n_samples} coalitions)"

    def _importances(self, scores_at: Any, own: NDArray, n_items: int, rng: Any) -> NDArray:
        from shap import KernelExplainer

        scale = np.where(self.scale_ > 0, self.scale_, 1.0)
        distances = (own - self.mean_) / scale
        distances = np.where(
            np.abs(distances) < _NEAR, np.copysign(_NEAR, distances), distances
        ) * (self.scale_ > 0)
        # The package draws from numpy's global state, which is not ours to change.
        before = np.random.get_state()  # noqa: NPY002
        np.random.seed(rng.randint(np.iinfo(np.int32).max))  # noqa: NPY002
        try:
            shares = KernelExplainer(scores_at, self.mean_[np.newaxis]).shap_values(
                self.mean_ + distances * scale, nsamples=self.n_samples, l1_reg=False, silent=True
            )
        finally:
            np.random.set_state(before)  # noqa: NPY002
        return shares.reshape(len(own), n_items).T / np.where(distances, distances, 1.0)


class Permutation(_Other):
    """Feature permutation: a tag at a time takes the values that other users have.

    An importance is the slope of the change of the score on the change of the tag, by least
    squares through the user.
    """

    def __init__(self, *, n_draws: int = 100, random_state: Any = None) -> None:
        self.n_draws = n_draws
        self.random_state = random_state

    @property
    def name(self) -> str:
        """What it is, in words."""
        return f"permutation ({self.n_draws} draws per tag)"

    def _importances(self, scores_at: Any, own: NDArray, n_items: int, rng: Any) -> NDArray:
        tags = np.repeat(np.arange(len(own)), self.n_draws)
        rows = np.tile(own, (len(tags), 1))
        draws = np.arange(len(tags))
        others = rng.randint(len(self.population_), size=len(tags))
        rows[draws, tags] = self.population_[others, tags]
        moved = (rows[draws, tags] - own[tags]) / np.where(self.scale_ > 0, self.scale_, 1.0)[tags]
        gained = scores_at(rows) - scores_at(own[np.newaxis])
        by_tag = moved.reshape(len(own), self.n_draws)
        products = np.einsum("td,tdi->it", by_tag, gained.reshape(*by_tag.shape, n_items))
        squares = np.square(by_tag).sum(axis=1)
        return products / np.where(squares > 0, squares, 1.0)
