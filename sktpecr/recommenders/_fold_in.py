"""Embed new users as the known ones were embedded."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

# Ridge penalty relative to the mean diagonal of the Gram matrix.
_ALPHA = 1e-3


# What training made of the known users' rows, direction and length alike, is what a new row gets
# too.
class LearnedFoldIn(NamedTuple):
    """The linear regression of trained user embeddings on what their rows hold."""

    items: NDArray  # Embeddings of the items
    weights: NDArray  # Coefficients of what :func:`_describe` returns
    empty: NDArray  # Embedding of a row without interactions: the mean of the known users

    @classmethod
    def learn(cls, X: sp.csr_matrix, users: NDArray, items: NDArray) -> LearnedFoldIn:
        """Learn from the known users."""
        # `X` (n_users, n_items); `users` (n_users, n_factors); `items` (n_items, n_factors).
        active = np.diff(X.indptr) > 0
        targets, items = users[active].astype(np.float64), items.astype(np.float64)
        inputs = _describe(_binary(X[active]), items)
        gram = inputs.T @ inputs
        gram[np.diag_indices_from(gram)] += _ALPHA * np.trace(gram) / len(gram)
        return cls(items, np.linalg.solve(gram, inputs.T @ targets), targets.mean(axis=0))

    def embed(self, X: sp.csr_matrix) -> NDArray:
        """Embed rows (n, n_items); return (n, n_factors)."""
        if X.shape[1] != len(self.items):
            raise ValueError(
                f"X has {X.shape[1]} columns, but the recommender knows {len(self.items)} items; "
                f"rows of X are users, columns are items, in the order it was trained on"
            )
        own = _binary(X)
        embeddings = _describe(own, self.items) @ self.weights
        embeddings[np.diff(own.indptr) == 0] = self.empty
        return embeddings


def _binary(X: sp.csr_matrix) -> sp.csr_matrix:
    own = sp.csr_matrix(X, dtype=np.float64, copy=True)
    own.eliminate_zeros()
    own.data[:] = 1.0
    return own


def _describe(own: sp.csr_matrix, items: NDArray) -> NDArray:
    """Return mean and root-scaled sum of the embeddings of a row's items, its length, and 1."""
    lengths = np.maximum(1.0, np.diff(own.indptr))[:, np.newaxis]
    sums = own @ items
    return np.hstack(
        [sums / lengths, sums / np.sqrt(lengths), np.log(lengths), np.ones_like(lengths)]
    )
