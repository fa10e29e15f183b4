"""Users whom a model does not know: their list by fold-in beside that of a model that knows them.

Runs in the environment of each library, so it needs nothing but numpy, scipy and sktpecr.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sktpecr.datasets import load_movielens
from sktpecr.recommenders import as_recommender

N_FACTORS, N_HELD_OUT, TOP = 16, 100, 10
_FEWEST_OF_ITEM, _FEWEST_OF_USER = 20, 20


def overlap_with_refit(contract: Any) -> dict[str, float]:
    """Return overlap@10 with what a model trained on everybody lists, over held-out users.

    Parameters
    ----------
    contract : AdapterContract
        Trains its model on any matrix.

    Returns
    -------
    dict of str to float
        "fold_in" with a 95 % interval; "refit", what a second model with another seed shares
        with the first; "popular", what the most popular items share with it.
    """
    X, held_out = data()
    everybody = _lists(contract, X, X, held_out, seed=0)
    known = np.setdiff1d(np.arange(X.shape[0]), held_out)
    shared = _shared(_lists(contract, X[known], X, held_out, seed=0, new=True), everybody)
    popular = _best(np.tile(X[known].getnnz(axis=0), (len(held_out), 1)), X[held_out])
    draws = np.random.RandomState(0).randint(len(shared), size=(2000, len(shared)))
    low, high = np.percentile(shared[draws].mean(axis=1), [2.5, 97.5])
    return {
        "fold_in": float(shared.mean()),
        "low": float(low),
        "high": float(high),
        "refit": float(_shared(_lists(contract, X, X, held_out, seed=1), everybody).mean()),
        "popular": float(_shared(popular, everybody).mean()),
    }


def data() -> tuple[sp.csr_matrix, NDArray]:
    """Return ratings, and which users are held out; every item is known without them, too."""
    X = load_movielens().drop_rare(min_item_interactions=_FEWEST_OF_ITEM).interactions
    rng = np.random.RandomState(0)
    often = np.flatnonzero(np.diff(X.indptr) >= _FEWEST_OF_USER)
    held_out = np.sort(rng.choice(often, N_HELD_OUT, replace=False))
    known = np.setdiff1d(np.arange(X.shape[0]), held_out)
    return X[:, X[known].getnnz(axis=0) >= 1].tocsr(), held_out


def _lists(
    contract: Any, train: Any, X: Any, users: NDArray, *, seed: int, new: bool = False
) -> NDArray:
    """Train, and return the best items of the users, folded in where they are new."""
    model = contract.trained(train, n_factors=N_FACTORS, seed=seed)
    rows, columns = contract.order(model, train)
    recommender = as_recommender(model)
    if new or not len(recommender.user_embeddings):
        embeddings = recommender.fold_in(X[users][:, columns].tocsr())
    else:
        embeddings = recommender.user_embeddings[np.argsort(rows)[users]]
    scores = np.empty((len(users), X.shape[1]))
    scores[:, columns] = recommender.score_items(embeddings)
    return _best(scores, X[users])


def _best(scores: NDArray, seen: Any) -> NDArray:
    scores = np.where(seen.toarray() != 0, -np.inf, scores)
    return np.argsort(-scores, axis=1, kind="stable")[:, :TOP]


def _shared(some: NDArray, others: NDArray) -> NDArray:
    return np.array([len(np.intersect1d(*pair)) / TOP for pair in zip(some, others, strict=True)])
