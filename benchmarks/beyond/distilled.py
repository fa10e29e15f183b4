"""Beyond the paper: boxes that have no factors, and what a tenth of their scores lets reproduce.

EASE and neighbours of items are written here in a few lines; the trees are scikit-learn's, on the
first singular vectors of users and items. Boxes learn from four fifths of the interactions and are
asked pairs. What is counted is counted on users that nothing was learned from, where they are few,
or on all.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import randomized_svd

from benchmarks.common.data import load
from benchmarks.common.rows import Row, mean_row, prefix, row
from sktpecr.evaluation import split_interactions
from sktpecr.recommenders import DistilledRecommender

_BUDGET, _N_FACTORS, _TOP = 0.1, 128, 10
_R2_BAR, _NDCG_BAR = 0.8, 0.9
_EASE_PENALTY, _N_NEIGHBOURS, _N_FEATURES = 500.0, 100, 16
_DISCOUNT = 1 / np.log2(np.arange(2, _TOP + 2))


def distilled(
    data_name: str, data_dir: Path | None, model_name: str | None, figures_dir: Path | None
) -> list[Row]:
    """Return how much of each box is reproduced."""
    X, held_out = split_interactions(load(data_name, data_dir).interactions, 0.2, random_state=0)
    boxes = {"EASE": ease, "item neighbours": item_neighbours, "boosted trees": boosted_trees}
    rows = []
    for name, box in boxes.items():
        where = prefix("beyond distilled", data_name, None) + f" {name}"
        rows += measured(where, box(X), X, held_out, judged=name == "EASE")
    return rows


def ease(X: sp.csr_matrix) -> NDArray:
    """Score by the regression of every item on the others, in closed form (Steck, 2019)."""
    gram = (X.T @ X).toarray().astype(np.float64)
    gram[np.diag_indices_from(gram)] += _EASE_PENALTY
    precision = np.linalg.inv(gram)
    weights = precision / -np.diag(precision)
    np.fill_diagonal(weights, 0.0)
    return np.asarray(X @ weights, dtype=np.float32)


def item_neighbours(X: sp.csr_matrix) -> NDArray:
    """Score by the cosines of an item with the user's, of its nearest neighbours alone."""
    unit = normalize(X.astype(np.float64), axis=0)
    cosines = (unit.T @ unit).toarray()
    np.fill_diagonal(cosines, 0.0)
    least = -np.partition(-cosines, _N_NEIGHBOURS, axis=0)[_N_NEIGHBOURS]
    return np.asarray(X @ np.where(cosines > least, cosines, 0.0), dtype=np.float32)


def boosted_trees(X: sp.csr_matrix) -> NDArray:
    """Score pairs by trees on features of user and item, learned from as many random pairs."""
    left, sizes, right = randomized_svd(X.astype(np.float64), _N_FEATURES, random_state=0)
    users = np.column_stack([left * sizes, np.log1p(np.diff(X.indptr))])
    items = np.column_stack([right.T, np.log1p(np.asarray(X.sum(axis=0)).ravel())])
    rng = np.random.RandomState(0)
    rows, columns = X.nonzero()
    chosen = rng.permutation(len(rows))[:200_000]
    at_random = [rng.randint(n, size=len(chosen)) for n in X.shape]
    pairs = [
        np.concatenate(each)
        for each in zip((rows[chosen], columns[chosen]), at_random, strict=True)
    ]
    seen = np.asarray(X[pairs[0], pairs[1]]).ravel() > 0
    model = HistGradientBoostingClassifier(random_state=0)
    model.fit(np.hstack([users[pairs[0]], items[pairs[1]]]), seen)
    scores = np.empty(X.shape, dtype=np.float32)
    for user, features in enumerate(users):
        asked = np.hstack([np.broadcast_to(features, (len(items), len(features))), items])
        scores[user] = model.decision_function(asked)
    return scores


def measured(
    where: str, scores: NDArray, X: sp.csr_matrix, held_out: NDArray, *, judged: bool
) -> list[Row]:
    """Distil a box of which all scores are known, and compare."""
    start = time.process_time()
    box = DistilledRecommender(
        lambda users, items: scores[users, items],
        n_factors=_N_FACTORS,
        budget=_BUDGET,
        random_state=0,
    ).fit(X)
    seconds = time.process_time() - start
    found = box.score_items(box.user_embeddings)
    seen = X.toarray() > 0
    own, near = (_listed(each, seen) for each in (scores, found))
    wanted = sp.csr_matrix((np.ones(len(held_out)), held_out.T), shape=X.shape)
    has = np.diff(wanted.indptr) > 0
    agreement = _by_scores(scores, own, near)
    of_box, of_ours = (_ndcg(each, wanted)[has] for each in (own, near))
    r2 = _variance_kept(scores, found)
    return [
        row(where, "share of pairs asked", box.n_asked_ / scores.size),
        row(where, "R2", r2, holds=r2 >= _R2_BAR if judged else None),
        row(where, "R2, users and pairs not learned from", box.r2_),
        mean_row(
            where,
            "NDCG@10 by the box's scores",
            agreement,
            holds=bool(agreement.mean() >= _NDCG_BAR) if judged else None,
        ),
        mean_row(where, "NDCG@10 by the box's ranks", _by_ranks(own, near)),
        row(where, "top 10 shared, users not learned from", box.top_k_agreement_),
        mean_row(where, "NDCG@10 of the box on held-out interactions", of_box),
        mean_row(where, "NDCG@10 of the factors on held-out interactions", of_ours),
        row(where, "CPU seconds", seconds),
    ]


def _listed(scores: NDArray, seen: NDArray) -> NDArray:
    hidden = np.where(seen, -np.inf, scores)
    best = np.argpartition(-hidden, _TOP, axis=1)[:, :_TOP]
    order = np.argsort(-np.take_along_axis(hidden, best, axis=1), axis=1)
    return np.take_along_axis(best, order, axis=1)


def _by_scores(scores: NDArray, own: NDArray, near: NDArray) -> NDArray:
    """Return NDCG whose gains are what the box scores above its own mean for the user."""
    gains = np.maximum(scores - scores.mean(axis=1, keepdims=True), 0)
    ideal, reached = (np.take_along_axis(gains, each, axis=1) @ _DISCOUNT for each in (own, near))
    return np.divide(reached, ideal, out=np.ones_like(ideal), where=ideal > 0)


def _by_ranks(own: NDArray, near: NDArray) -> NDArray:
    """Return NDCG whose gains are 10 for the box's first item to 1 for its tenth."""
    same = near[:, :, np.newaxis] == own[:, np.newaxis]
    gains = np.where(same.any(axis=2), _TOP - same.argmax(axis=2), 0)
    return gains @ _DISCOUNT / (np.arange(_TOP, 0, -1) @ _DISCOUNT)


def _ndcg(listed: NDArray, wanted: sp.csr_matrix) -> NDArray:
    hits = np.take_along_axis(wanted.toarray(), listed, axis=1)
    n_wanted = np.minimum(np.diff(wanted.indptr), _TOP)
    ideal = np.concatenate([[np.inf], np.cumsum(_DISCOUNT)])[n_wanted]
    return hits @ _DISCOUNT / ideal


def _variance_kept(scores: NDArray, found: NDArray) -> float:
    error, centred = (each - each.mean(axis=1, keepdims=True) for each in (found - scores, scores))
    return float(1 - np.square(error, dtype=float).sum() / np.square(centred, dtype=float).sum())
