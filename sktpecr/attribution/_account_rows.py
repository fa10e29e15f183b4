"""A few rows that stand for the population: their products are its covariances."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd

from sktpecr._utils._rounding import spread, square_root

# Variances below this share of what they are left of are rounding.
_ROUNDING = 1e-10
# Users scored in one call.
_USERS_A_CALL = 128
# An item is told apart by so many numbers at most.
_N_LOADINGS = 64


# Sums of products over the rows are the population's covariances.
class Rows(NamedTuple):
    """Centred scores (n, n_items), tag preferences (n, n_tags) and mean scores (n,)."""

    scores: NDArray
    tags: NDArray
    level: NDArray


class Levelled(NamedTuple):
    """Rows with the level taken off; what it adds to each item (beta) and to each tag (gamma)."""

    scores: NDArray
    tastes: NDArray
    beta: NDArray
    gamma: NDArray


def closed_form_rows(recommender: Any, users: NDArray, tag_matrix: NDArray) -> tuple[Rows, NDArray]:
    """Return a row for each factor, where all is linear; and the average user's scores."""
    varies = spread(users, recommender.user_embeddings.dtype) > 0
    average_user = users.mean(axis=0)
    centred = np.where(varies, users - average_user, 0.0)
    root = square_root(centred.T @ centred / len(users)).T
    scores = root @ np.asarray(recommender.item_embeddings, dtype=np.float64).T
    average = recommender.score_items(average_user[np.newaxis])[0].astype(np.float64)
    return _rows(recommender, scores, root @ tag_matrix.T), average


def sampled_rows(
    recommender: Any, users: NDArray, preferences: NDArray, some: NDArray
) -> tuple[Rows, NDArray]:
    """Return a row for each of some users, and the mean of their scores."""
    parts = np.array_split(some, -(-len(some) // _USERS_A_CALL))
    # Half the memory: the scores of 2,000 users for 10,000 items are 80 MB.
    scores = np.concatenate([recommender.score_items(users[part]) for part in parts])
    scores = scores.astype(np.float32, copy=False)
    average = scores.mean(axis=0, dtype=np.float64)
    varies = spread(scores, np.float32) > 0
    scores = (scores - average.astype(np.float32)) * (varies / np.sqrt(len(some))).astype("f4")
    tags = (preferences[some] - preferences[some].mean(axis=0)) / np.sqrt(len(some))
    return _rows(recommender, scores, tags), average


def _rows(recommender: Any, scores: NDArray, tags: NDArray) -> Rows:
    n_trained = getattr(recommender, "n_trained", None)
    return Rows(scores, tags, scores[:, :n_trained].mean(axis=1, dtype=np.float64))


def without_level(rows: Rows, level: str) -> Levelled:
    """Take the level off scores and tag preferences, as one of the choices of `level` says."""
    n_items, n_tags = rows.scores.shape[1], rows.tags.shape[1]
    variance = float(rows.level @ rows.level)
    if level == "none" or not variance > 0:
        return Levelled(rows.scores, rows.tags, np.zeros(n_items), np.zeros(n_tags))
    if level == "difference":
        beta, gamma = np.ones(n_items), np.ones(n_tags)
    else:
        beta, gamma = rows.level @ rows.scores / variance, rows.level @ rows.tags / variance
    return Levelled(
        _less(rows.scores, np.outer(rows.level, beta)),
        _less(rows.tags, np.outer(rows.level, gamma)),
        beta,
        gamma,
    )


def _less(columns: NDArray, parts: NDArray) -> NDArray:
    """Take parts off columns, and leave nothing where it would be rounding."""
    left = columns - parts.astype(columns.dtype)
    left[:, np.square(left).sum(axis=0) <= _ROUNDING * np.square(columns).sum(axis=0)] = 0.0
    return left


def history_agreement(
    preferences: NDArray, levels: NDArray, gamma: NDArray, shares: NDArray
) -> float:
    """Return how tastes of users correlate with the shares of tags in their histories."""
    # The mean over tags, of users' preferences (n, n_tags), mean scores (n,) and shares (n,
    # n_tags).
    tastes = preferences - np.outer(levels, gamma)
    tastes -= tastes.mean(axis=0)
    shares = shares - shares.mean(axis=0)
    sizes = np.sqrt(np.square(tastes).sum(axis=0) * np.square(shares).sum(axis=0))
    vary = sizes > 0
    if not vary.any():
        return 0.0
    return float(((tastes * shares).sum(axis=0)[vary] / sizes[vary]).mean())


def variances(scores: NDArray) -> NDArray:
    return np.square(scores).sum(axis=0, dtype=np.float64)


def loadings_of(scores: NDArray, random_state: np.random.RandomState) -> NDArray:
    """Return few numbers an item whose products are about the correlations of scores."""
    found = scores.T
    if found.shape[1] > _N_LOADINGS:
        n_loadings = min(_N_LOADINGS, *scores.shape)
        left, sizes, _ = randomized_svd(found, n_loadings, random_state=random_state)
        found = left * sizes
    # Of a row that is shortened, the correlation is with what the row was.
    lengths = np.sqrt(variances(scores))[:, np.newaxis]
    # Row by row in memory: an item's own are read together.
    return (found / np.where(lengths > 0, lengths, np.inf)).astype(np.float32, order="C")
