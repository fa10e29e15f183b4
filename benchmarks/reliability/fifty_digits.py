"""The formulas of the manual once more, plainly, in 50 digits; nothing of the package is used.

What is compared with it is computed in 16 digits or in 7: the difference is rounding, and how much
of it there is depends on how nearly tags are the same.
"""

from __future__ import annotations

import mpmath as mp
import numpy as np

mp.mp.dps = 50

# Of the closed form, see Directions.
TEMPERATURE, RIDGE, PULL, KEPT_WORD = 2, mp.mpf("0.1"), mp.mpf("0.15"), mp.mpf("0.2")
SHARE_RAISED, STRENGTH_ONE = mp.mpf("0.6"), mp.mpf(1) / 5


def exact(array: np.ndarray) -> mp.matrix:
    """Return an array as a matrix, each number as it is."""
    return mp.matrix(np.atleast_2d(np.asarray(array, dtype=np.float64)).tolist())


def rounded(matrix: mp.matrix) -> np.ndarray:
    """Return a matrix in float64."""
    rows = [[float(matrix[i, j]) for j in range(matrix.cols)] for i in range(matrix.rows)]
    return np.array(rows)


def mean(matrix: mp.matrix) -> mp.matrix:
    """Return the mean of the rows, as a row."""
    return mp.ones(1, matrix.rows) * matrix / matrix.rows


def centred(matrix: mp.matrix) -> mp.matrix:
    """Return the rows less their mean."""
    return matrix - mp.ones(matrix.rows, 1) * mean(matrix)


def covariance(matrix: mp.matrix) -> mp.matrix:
    """Return the covariance of the rows."""
    away = centred(matrix)
    return away.T * away / matrix.rows


def trace(matrix: mp.matrix) -> mp.mpf:
    """Return the sum of the diagonal."""
    return mp.fsum(matrix[i, i] for i in range(matrix.rows))


class FiftyDigits:
    """Tag preferences, gain, contributions and one like, of a dot product.

    Parameters
    ----------
    users, items, tags : ndarray
        Factors, and tags of the items.
    shrinkage : float
        Of the covariance, as the generator found it.
    regularization : float
        Of the generator.
    """

    def __init__(self, users, items, tags, shrinkage, regularization=1e-8):
        self.users, self.items, weights = exact(users), exact(items), exact(tags)
        self.tagged = np.asarray(tags) > 0
        sums = mp.ones(1, weights.rows) * weights
        self.M = mp.matrix(weights.cols, self.items.cols)
        for tag in range(weights.cols):
            row = (weights[:, tag].T * self.items) / sums[0, tag]
            for factor in range(self.items.cols):
                self.M[tag, factor] = row[0, factor]
        n_factors, n_tags = self.items.cols, weights.cols
        S = covariance(self.users)
        share = mp.mpf(float(shrinkage))
        S = (1 - share) * S + share * trace(S) / n_factors * mp.eye(n_factors)
        of_tags = self.M * S * self.M.T
        penalty = mp.mpf(regularization) * trace(of_tags) / n_tags
        self.gain = S * self.M.T * mp.inverse(of_tags + penalty * mp.eye(n_tags))

    def contributions(self, user, item):
        """Return the contribution of each tag to a score."""
        away = centred(self.users)[user, :] * self.M.T
        weights = self.items[item, :] * self.gain
        return rounded(mp.matrix([[w * z for w, z in zip(weights, away, strict=True)]]))[0]

    def liked(self, user, tag, history):
        """Return the embedding after a like of strength 1, and whether its word was kept at once.

        Fisher's discriminant between items of the tag and others, by taste, with a pull towards the
        history; as far as strength 1 moves a list.
        """
        own, items = self.users[user, :], centred(self.items)
        scores = (own * self.items.T).T
        spread = mp.sqrt(covariance(scores)[0, 0])
        top = max(scores)
        taste = [mp.exp((score - top) / (spread * TEMPERATURE)) for score in scores]
        sides, means = [], []
        for inside in (True, False):
            chosen = [
                taste[i] if self.tagged[i, tag] == inside and i not in history else mp.mpf(0)
                for i in range(items.rows)
            ]
            weights = mp.matrix(chosen) / mp.fsum(chosen)
            sides.append(weights)
            means.append(weights.T * items)
        shares = (SHARE_RAISED, 1 - SHARE_RAISED)
        scatter = mp.zeros(items.cols)
        for share, weights, average in zip(shares, sides, means, strict=True):
            for i in range(items.rows):
                scatter += share * weights[i] * items[i, :].T * items[i, :]
            scatter -= share * average.T * average
        scatter += RIDGE * trace(scatter) / items.cols * mp.eye(items.cols)
        of_list = covariance(self.items)

        def unit(direction):
            return direction / mp.sqrt((direction.T * of_list * direction)[0])

        direction = unit(mp.lu_solve(scatter, (means[0] - means[1]).T))
        usual = mean(mp.matrix([list(items[i, :]) for i in history])).T
        direction = unit(unit(direction + PULL * unit(usual)))
        keeps = (self.M[tag, :] * direction)[0] >= KEPT_WORD
        return rounded(own.T + STRENGTH_ONE * spread * direction)[:, 0], keeps


def case(seed: int, closeness: float, n_users: int = 30, n_items: int = 14):
    """Return factors and tags of which the last two differ by so much; each item has one or more.

    Tags are weights, so that they can be nearly the same without being the same.
    """
    rng = np.random.RandomState(seed)
    users, items = rng.normal(size=(n_users, 5)), rng.normal(size=(n_items, 5))
    tags = (rng.rand(n_items, 3) < 0.5) * rng.uniform(0.5, 1.5, size=(n_items, 3))
    tags[[0, 1, 2], [0, 1, 2]] = 1.0
    tags[:, 2] = np.maximum(tags[:, 1] + closeness * (tags[:, 2] - tags[:, 1]), 0.0)
    return users, items, tags
