"""Perturbations, and the weighted ridge regression of anything on them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats.qmc import Sobol

from sktpecr._utils._lazily import lazily
from sktpecr._utils._rounding import ROUNDINGS

# lime's: penalty of the surrogate, of the fit that picks features, features picked one by one.
_RIDGE, _PICKING_RIDGE, _ONE_BY_ONE = 1.0, 0.01, 6


def kernel_variance(n_tags: int) -> float:
    """Return the square of lime's kernel width, in standard deviations of tag preferences."""
    return 0.75**2 * n_tags


# Where perturbations are the same for every user, so is everything but the targets: with weights W,
# X the offsets minus their weighted mean and Y the targets minus theirs, the surrogate's
# coefficients are L^T Y, L = W X (X^T W X + I)^{-1}.
@dataclass(frozen=True)
class Draws:
    """Perturbations around some centre, and their regression."""

    offsets: NDArray  # Distances from the centre in standard deviations, the user's own in row 0
    weights: NDArray  # What each counts in the regression
    picked: NDArray | None = None  # Columns that get a coefficient. All by default

    @lazily
    def mean(self) -> NDArray:
        """Weighted mean of the offsets, shape (n_tags,)."""
        return self.average(self.offsets)

    @lazily
    def shares(self) -> NDArray:
        """Weights that sum to 1."""
        return self.weights / self.weights.sum()

    def average(self, values: NDArray) -> NDArray:
        """Return the weighted mean of each column."""
        return self.shares @ values

    @lazily
    def centred(self) -> NDArray:
        """X: offsets of the picked columns minus their mean."""
        centred = (self.offsets - self.mean).astype(self.offsets.dtype, copy=False)
        return centred if self.picked is None else centred[:, self.picked]

    @lazily
    def gram(self) -> NDArray:
        """X^T W X."""
        return self.centred.T @ (self.centred * self.weights[:, np.newaxis])

    @lazily
    def hat(self) -> NDArray:
        """L, shape (n_draws, n_picked)."""
        weighted = self.centred * self.weights[:, np.newaxis]
        hat = weighted @ np.linalg.inv(self.gram + _RIDGE * np.eye(len(self.gram)))
        return hat.astype(self.offsets.dtype, copy=False)

    @lazily
    def squared_hat(self) -> NDArray:
        """Squares of L for the sandwich: the user's own row is no draw, and varies with none."""
        squares = np.square(self.hat)
        squares[0] = 0.0
        return squares

    def regress(self, targets: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """Return coefficients, their standard errors, and what they leave unexplained."""
        # `targets` (n_draws, n_targets); returns (n_picked, n_targets).
        targets = self.centre(targets).astype(self.offsets.dtype, copy=False)
        coefficients = self.hat.T @ targets
        residuals = targets - self.along(coefficients)
        errors = np.sqrt(self.squared_hat.T @ np.square(residuals))
        return coefficients, errors, residuals

    def centre(self, targets: NDArray) -> NDArray:
        """Return targets minus their weighted mean; those that never change are 0 then."""
        centred = targets - self.average(targets).astype(targets.dtype)
        low, high = targets.min(axis=0), targets.max(axis=0)
        largest = np.maximum(np.abs(low), np.abs(high))
        centred *= high - low > ROUNDINGS * np.finfo(targets.dtype).eps * largest
        return centred

    def along(self, coefficients: NDArray) -> NDArray:
        """Return what coefficients make of the draws, target by target in memory."""
        return (coefficients.T @ self.centred.T).T

    def regress_steps(self, margins: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        r"""Return what :meth:`regress` does of ``margins >= 0``, with less noise."""
        # For unweighted draws of N(0, \kappa^2 I). Were the margin a + b^T z plus
        # Gaussian noise of variance \sigma^2, the slope of the step's expectation would be
        # I_0 = b \varphi(a / q) / q, q^2 = \kappa^2 |b|^2 + \sigma^2 (Stein). That
        # is the control variate: the draws have to tell only the rest, d = L^T (y - p) with
        # p the step's expectation in each draw; and as far as d is within its own noise it is
        # shrunk to zero, as James and Stein do. With more draws nothing is shrunk, and the estimate
        # is that of regress.
        n_draws, n_picked = self.weights.sum(), self.centred.shape[1]
        margins = margins.astype(self.offsets.dtype, copy=False)
        average, centred = self.average(margins), self.centre(margins)
        slopes = self.hat.T @ centred
        along = self.along(slopes)
        linear = along + average.astype(along.dtype)
        freedom = max(n_draws - n_picked - 1, 1.0)
        noise = np.sqrt(self.weights @ np.square(centred - along) / freedom)
        noise = np.maximum(noise, 1e-6 * np.abs(linear).max(axis=0))
        noise[noise == 0] = 1.0
        variance = np.trace(self.gram) / n_draws / n_picked
        total = np.sqrt(variance * np.square(slopes).sum(axis=0) + np.square(noise))
        smooth = np.exp(-np.square(average / total) / 2) / total / np.sqrt(2 * np.pi)
        steps = (margins >= 0).astype(margins.dtype)
        correction, errors, rest = self.regress(steps - ndtr(linear / noise.astype(linear.dtype)))
        chance = (self.weights @ np.square(rest) / n_draws) * self.squared_hat.sum()
        size = np.square(correction).sum(axis=0)
        kept = 1.0 - np.minimum(chance / np.where(size > 0, size, 1.0), 1.0)
        coefficients = slopes * smooth + kept * correction
        left = self.centre(steps) - self.along(coefficients.astype(steps.dtype))
        return coefficients, errors, left

    def pick(self, targets: NDArray, instance: NDArray, n_features: int) -> NDArray:
        """Pick features of one target as lime's "auto" does: few by selection, more by weight."""
        # Least squares on some features explains ``m^T G^-1 m`` of the target, with G and m the
        # Gram matrix and moments of these features: no regression over the rows is needed.
        gram, moments = self.gram, self.centred.T @ (self.weights * targets)
        n_tags = len(moments)
        if n_features > _ONE_BY_ONE:
            weights = np.linalg.solve(gram + _PICKING_RIDGE * np.eye(n_tags), moments)
            order = np.argsort(-np.abs(weights * instance), kind="stable")
            return np.sort(order[:n_features])
        picked: list[int] = []
        for _ in range(n_features):
            explained = np.full(n_tags, -np.inf)
            for tag in set(range(n_tags)) - set(picked):
                tags = [*picked, tag]
                solution = np.linalg.lstsq(gram[np.ix_(tags, tags)], moments[tags], rcond=None)[0]
                explained[tag] = moments[tags] @ solution
            picked.append(int(np.argmax(explained)))
        return np.sort(np.array(picked))


# What is drawn depends on these alone: it is the same for all users, and for all explainers alike.
@lru_cache(maxsize=4)
def normal_draws(seed: int, n_draws: int, n_tags: int) -> Draws:
    """Return lime's draws, weighted by lime's kernel around a user who is the centre."""
    offsets = np.random.RandomState(seed).normal(size=(n_draws, n_tags))
    offsets[0] = 0.0
    return kernel_weighted(offsets)


def kernel_weighted(offsets: NDArray) -> Draws:
    """Return draws weighted by lime's kernel, by their distance from row 0."""
    distances = np.square(offsets - offsets[0]).sum(axis=1)
    return Draws(offsets, np.exp(-distances / (2 * kernel_variance(offsets.shape[1]))))


@lru_cache(maxsize=4)
def sobol_draws(seed: int, n_draws: int, n_tags: int) -> Draws:
    r"""Return Sobol points that have the distribution of lime's draws with their weights."""
    # A standard normal times lime's kernel is a normal again, of variance kappa^2 = w^2 /
    # (1 + w^2): drawn from directly, all draws count the same.
    width = kernel_variance(n_tags)
    with warnings.catch_warnings():  # of numbers of points that are no power of two: said in docs
        warnings.simplefilter("ignore", UserWarning)
        points = Sobol(n_tags, seed=np.random.default_rng(seed)).random(n_draws)
    # Never 0 nor 1, whose normal quantiles are infinite.
    points = (points * (2**30 - 1) + 0.5) / 2**30
    offsets = np.zeros((n_draws + 1, n_tags), dtype=np.float32)
    offsets[1:] = np.sqrt(width / (1 + width)) * ndtri(points)
    weights = np.ones(n_draws + 1)
    weights[0] = 0.0
    return Draws(offsets, weights)
