"""Embeddings that have tags as they were set, and more of the list than the population's way."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import null_space

from sktpecr._utils._ranking import top_items
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._user import User
from sktpecr.tags._wish import worth

# What places in the list weigh beside how unlike the population a move is, tried in this order.
_WEIGHTS = 10.0 ** np.arange(-4, 6.1, 0.5)
# Items of the list are to be ahead of others by this, in standard deviations of their scores.
_AHEAD = 0.05
# Newton's steps, until nothing moves by more than this.
_STEPS, _SETTLED = 12, 1e-6


def spared(
    tag_model: TagModel,
    user: User,
    embedding: NDArray,
    scores: NDArray,
    tags: Collection[int],
    candidates: NDArray,
    n: int,
    least: float,
) -> tuple[NDArray, NDArray]:
    """Return an embedding that has tags as set, and its scores: it leaves a share of the list."""
    # Where there is none, that which leaves the most. `embedding` (n_factors,) has them as set,
    # with `scores` (n_items,); `candidates` (n_items,): which items may be listed.
    before = user.scores(tag_model)
    listed = top_items(before, candidates, n)

    def kept(scores: NDArray) -> float:
        now = top_items(worth(scores, user.wish), candidates, n)
        return float(np.isin(listed, now).mean()) if len(listed) else 1.0

    best, most = (embedding, scores), kept(scores)
    has_scatter = hasattr(tag_model.generator, "covariance_")
    if most >= least or not (has_scatter and tag_model.composite.is_linear):
        return best
    known = worth(scores, user.wish), listed, np.flatnonzero(candidates), float(before.std())
    for move in _moves(tag_model, tags, *known):
        moved = embedding + move
        scores = tag_model.scores_of(moved)
        now = kept(scores)
        if now > most:
            best, most = (moved, scores), now
        if most >= least:
            break
    return best


# With N the moves that leave the tags set where they are, in units in which the population scatters
# alike in all directions, e + N z has them as set for every z, and |z|^2 is what the squared
# Mahalanobis distance grows by over that of e, which follows the population. Places in the list
# cost w times the squares of what its items fall below a threshold, and of what others rise above
# it: a quadratic programme in z and the threshold that changes where items pass it.
def _moves(
    tag_model: TagModel,
    tags: Collection[int],
    scores: NDArray,
    listed: NDArray,
    some: NDArray,
    spread: float,
) -> Iterator[NDArray]:
    """Yield what to add to an embedding, its tags as they are, for more and more of a list."""
    # `scores` (n_items,) of the embedding; columns `listed` before the tags were set, and `some`
    # that may be listed; `spread` of the scores before.
    matrix = np.asarray(tag_model.extractor.tag_matrix_, dtype=np.float64)[list(tags)]
    root = np.linalg.cholesky(tag_model.generator.covariance_)
    free = root @ null_space(matrix @ root)
    items = np.asarray(tag_model.recommender.item_embeddings, dtype=np.float64)[some]
    spread = spread or 1.0
    signs = np.where(np.isin(some, listed), -1.0, 1.0)
    apart = np.column_stack([items @ free / spread, -np.ones(len(some))])
    apart *= signs[:, np.newaxis]
    values = scores[some].astype(np.float64) / spread
    start = signs * values + _AHEAD
    at = np.zeros(apart.shape[1])
    at[-1] = np.partition(values, -len(listed))[-len(listed)]
    smoothness = np.append(np.ones(len(at) - 1), 1e-9)  # the threshold itself costs nothing
    for weight in _WEIGHTS:
        for _ in range(_STEPS):
            wrong = apart @ at + start > 0
            rows = apart[wrong]
            system = np.diag(smoothness) + weight * rows.T @ rows
            new = np.linalg.solve(system, -weight * rows.T @ start[wrong])
            settled, at = np.abs(new - at).max() < _SETTLED, new
            if settled:
                break
        yield free @ at[:-1]
