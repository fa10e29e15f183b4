"""Factors of sampled scores: items from whole rows, users from whatever they were asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.linalg import qr
from sklearn.utils.extmath import randomized_svd

from sktpecr._utils._ranking import top_items
from sktpecr._utils._rounding import spread

# Penalties of the regression of embeddings on interactions, tried by leaving out one user each.
_ALPHAS = np.logspace(-3, 6, 19)


class Prior(NamedTuple):
    """What interactions alone say of an embedding: a ridge regression."""

    regression: Any  # Of embeddings on interactions, None where there is none
    mean: NDArray  # Mean embedding
    variance: NDArray  # What is left of each factor
    told: float = 0.0  # Share of what sets scores apart over users, of users left out

    @classmethod
    def learn(cls, X: sp.csr_matrix, embeddings: NDArray, items: NDArray) -> Prior:
        """Learn from users whose embeddings are known."""
        mean, variance = embeddings.mean(axis=0), embeddings.var(axis=0)
        inputs = _describe(X, items)
        if len(embeddings) <= 2 or not inputs.std(axis=0).any():
            return cls(None, mean, variance)
        # Takes long to import.
        from sklearn.linear_model import RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        ridge = RidgeCV(_ALPHAS, alpha_per_target=True)
        regression = make_pipeline(StandardScaler(), ridge).fit(inputs, embeddings)
        # Minus the mean squared error of each factor over users left out.
        left = np.minimum(variance, -np.atleast_1d(ridge.best_score_))
        sizes = np.square(items).sum(axis=0)
        spread = variance @ sizes
        told = float(1 - left @ sizes / spread) if spread else 1.0
        return cls(regression, mean, left, told)

    def embed(self, X: sp.csr_matrix, items: NDArray) -> NDArray:
        """Return the embeddings to expect of rows of interactions."""
        if self.regression is None:
            return np.tile(self.mean, (X.shape[0], 1))
        return np.asarray(self.regression.predict(_describe(X, items))).reshape(X.shape[0], -1)


class Factors(NamedTuple):
    """Factors of the items, and how to embed users by them."""

    items: NDArray  # Embeddings of the items; those of the users vary by 1
    biases: NDArray  # Mean score of each item
    noise: NDArray  # Variance that the factors leave of each item's scores
    prior: Prior  # Embeddings from interactions

    @classmethod
    def learn(
        cls, scores: NDArray, X: sp.csr_matrix, n_factors: int, random_state: np.random.RandomState
    ) -> Factors:
        """Learn from users whose scores of all items are known."""
        n_users = len(scores)
        biases = scores.mean(axis=0)
        centred = scores - biases
        if min(centred.shape) <= 4 * n_factors:
            _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
        else:
            _, sizes, axes = randomized_svd(centred, n_factors, random_state=random_state)
        # Rounding of the scores themselves is no factor.
        rounding = np.finfo(float).eps * max(centred.shape) * np.abs(scores).max() * n_users**0.5
        n_factors = max(1, min(n_factors, int((sizes > rounding).sum())))
        sizes = np.where(sizes[:n_factors] > rounding, sizes[:n_factors], 0.0)
        items = axes[:n_factors].T * (sizes / np.sqrt(n_users))
        embeddings = _project(centred, items)
        left = np.square(centred - embeddings @ items.T).mean(axis=0)
        # Those who were learned from are fitted better than others will be.
        left *= (n_users / max(1, n_users - n_factors)) ** 2
        floor = np.finfo(float).eps * max(np.square(centred).mean(), np.finfo(float).tiny ** 0.5)
        prior = Prior.learn(X, embeddings, items)
        return cls(items, biases, left + floor, prior)

    def scores(self, embeddings: NDArray) -> NDArray:
        """Score all items."""
        return embeddings @ self.items.T + self.biases

    def project(self, scores: NDArray) -> NDArray:
        """Embed users by their scores of all items."""
        return _project(scores - self.biases, self.items)

    def embed(
        self, X: sp.csr_matrix, ask: Callable[[NDArray], NDArray], n_own: int
    ) -> tuple[NDArray, NDArray]:
        """Embed users by their interactions and the scores of a few items."""
        # `X` (n, n_items); returns (n, n_factors).
        n_items = len(self.items)
        if n_own == n_items:
            asked = np.broadcast_to(np.arange(n_items), (X.shape[0], n_items))
            return self.project(ask(asked)), asked
        embeddings = self.prior.embed(X, self.items)
        variance = np.maximum(self.prior.variance, np.finfo(float).eps)
        precision = np.diag(1 / variance)[np.newaxis]
        # First what tells most of an embedding, then what the lists will be made of.
        tells = qr((self.items * np.sqrt(variance)).T, mode="r", pivoting=True)[1]
        n_telling = min((n_own + 1) // 2, self.items.shape[1])
        asked = np.broadcast_to(tells[:n_telling], (X.shape[0], n_telling))
        if n_telling:
            embeddings, precision = self._refined(embeddings, precision, asked, ask(asked))
        if n_own > n_telling:
            best = self._best(embeddings, X, asked, n_own - n_telling)
            embeddings, precision = self._refined(embeddings, precision, best, ask(best))
            asked = np.hstack([asked, best])
        return embeddings, asked

    def _best(self, embeddings: NDArray, X: sp.csr_matrix, asked: NDArray, n: int) -> NDArray:
        """Return each user's n best columns, those asked left out, the user's own last."""
        scores = self.scores(embeddings)
        scores[X.nonzero()] = scores.min() - 1
        np.put_along_axis(scores, asked, -np.inf, axis=1)
        return np.argpartition(-scores, n - 1, axis=1)[:, :n]

    def _refined(
        self, embeddings: NDArray, precision: NDArray, columns: NDArray, scores: NDArray
    ) -> tuple[NDArray, NDArray]:
        """Return posterior means and precisions of embeddings, given scores of some items."""
        own = self.items[columns]
        weighted = (own / self.noise[columns][..., np.newaxis]).swapaxes(-1, -2)
        precision = precision + weighted @ own
        expected = embeddings[:, np.newaxis] @ own.swapaxes(-1, -2)
        surprise = (scores.astype(np.float64) - self.biases[columns])[:, np.newaxis] - expected
        pull = surprise @ weighted.swapaxes(-1, -2)
        return embeddings + np.linalg.solve(precision, pull.swapaxes(-1, -2))[..., 0], precision


def variance_kept(scores: NDArray, approximate: NDArray, counted: NDArray) -> float:
    """Return the share of the variance of each user's scores that is reproduced."""
    # `scores`, `approximate` (n, n_items).
    scores = scores.astype(np.float64)
    if not spread(scores.T, scores.dtype).any():  # nobody prefers anything
        return 1.0
    total, left = (
        np.ma.masked_array(values, ~counted).anom(axis=1)
        for values in (scores, approximate - scores)
    )
    return float(1.0 - np.square(left).sum() / np.square(total).sum())


def list_kept(scores: NDArray, approximate: NDArray, candidates: NDArray, n: int) -> float:
    """Return the share of the n best candidates that stay among the n best, mean over users."""
    shares = []
    for own, near, some in zip(scores, approximate, candidates, strict=True):
        best, found = top_items(own, some, n), top_items(near, some, n)
        if len(best):
            shares.append(np.isin(best, found).mean())
    return float(np.mean(shares)) if shares else 1.0


def _project(centred: NDArray, items: NDArray) -> NDArray:
    lengths = np.square(items).sum(axis=0)  # the columns are orthogonal
    return centred @ (items / np.where(lengths > 0, lengths, 1.0))


def _describe(X: sp.csr_matrix, items: NDArray) -> NDArray:
    """Return sums of the embeddings of a row's items, on three scales, and its length on two."""
    lengths = np.diff(X.indptr)[:, np.newaxis].astype(np.float64)
    sums, n = X @ items, np.maximum(1.0, lengths)
    return np.hstack([sums, sums / np.sqrt(n), sums / n, np.log(n), np.sqrt(lengths)])
