"""Ways to embed rows of interactions that a model was not trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sktpecr._utils._lazily import lazily

# Ridge penalty relative to the mean diagonal of the Gram matrix.
_ALPHA = 1e-3


@dataclass(eq=False)
class RidgeFoldIn:
    """Regress a row of interactions on the item factors."""

    item_factors: NDArray
    alpha: float = 1e-2  # Ridge penalty, relative to the mean diagonal of the Gram matrix
    length: float | None = None  # Of embeddings of models of ranks, which do not tell it

    def __call__(self, X: sp.csr_matrix) -> NDArray:
        factors = self.item_factors.astype(np.float64)
        gram = factors.T @ factors
        ridge = max(self.alpha * np.trace(gram) / len(gram), np.finfo(float).tiny)
        gram[np.diag_indices_from(gram)] += ridge
        embeddings = np.linalg.solve(gram, (X @ factors).T).T
        if self.length is not None:
            norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
            embeddings *= self.length / np.where(norms > 0, norms, 1.0)
        return embeddings


# What models of ratings are trained by, for one user: the embedding that minimises sum_v
# (r_v - b_v - e . q_v)^2 + alpha n |e|^2 over the n items rated.
@dataclass(eq=False)
class RatingsFoldIn:
    """Regress the ratings of a row, and nothing else of it, on the factors of the items rated."""

    item_factors: NDArray
    item_biases: NDArray
    # Lists of Surprise's SVD on MovieLens agree with those of training by 0.53 to 0.57 from 0.1 to
    # 1, and by 0.32 at the 0.02 that it was trained with.
    alpha: float = 0.2

    def __call__(self, X: sp.csr_matrix) -> NDArray:
        factors, biases = self.item_factors.astype(np.float64), self.item_biases
        ridge = max(self.alpha, np.finfo(float).eps) * np.eye(factors.shape[1])
        embeddings = np.zeros((X.shape[0], factors.shape[1]))
        for row in np.flatnonzero(np.diff(X.indptr)):
            rated = slice(X.indptr[row], X.indptr[row + 1])
            items, ratings = factors[X.indices[rated]], X.data[rated].astype(np.float64)
            gram = items.T @ items + len(items) * ridge
            embeddings[row] = np.linalg.solve(gram, items.T @ (ratings - biases[X.indices[rated]]))
        return embeddings


# What weighted matrix factorisation is trained by, for one user: the embedding that minimises
# sum_v c_v (p_v - e . q_v)^2 + lambda |e|^2 over all items, with confidence |c_v| and p_v = 1 where
# c_v = alpha r_v > 0, else 1 and 0 (Hu, Koren and Volinsky, ICDM 2008).
@dataclass(eq=False)
class ConfidenceFoldIn:
    """Solve the normal equations of implicit's ALS on factors of one's own."""

    item_factors: NDArray
    regularization: float
    alpha: float

    def __call__(self, X: sp.csr_matrix) -> NDArray:
        embeddings = np.empty((X.shape[0], self.item_factors.shape[1]))
        for row in range(X.shape[0]):
            taken = slice(X.indptr[row], X.indptr[row + 1])
            left, right = self._equations(X.indices[taken], X.data[taken])
            embeddings[row] = np.linalg.solve(left, right.sum(axis=0))
        return embeddings

    def parts(self, row: sp.csr_matrix) -> NDArray:
        """Return what each item of a row (1, n_items) adds, (n_taken, n_factors)."""
        left, right = self._equations(row.indices, row.data)
        return np.linalg.solve(left, right.T).T

    @lazily
    def _gram(self) -> NDArray:
        factors = self.item_factors.astype(np.float64)
        return factors.T @ factors + self.regularization * np.eye(factors.shape[1])

    def _equations(self, items: NDArray, values: NDArray) -> tuple[NDArray, NDArray]:
        own, confidence = self.item_factors[items].astype(np.float64), values * self.alpha
        left = self._gram + (own.T * (np.abs(confidence) - 1)) @ own
        return left, np.maximum(confidence, 0.0)[:, np.newaxis] * own


@dataclass(eq=False)
class LinearFoldIn:
    """Embed a row by a matrix, as a truncated singular value decomposition does."""

    components: NDArray  # (n_factors, n_items)

    def __call__(self, X: sp.csr_matrix) -> NDArray:
        return X.astype(self.components.dtype) @ self.components.T


# What training made of the known users' rows, direction and length alike, is what a new row gets
# too.
@dataclass(eq=False)
class LearnedFoldIn:
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

    def __call__(self, X: sp.csr_matrix) -> NDArray:
        check_columns(X, len(self.items))
        own = _binary(X)
        embeddings = _describe(own, self.items) @ self.weights
        embeddings[np.diff(own.indptr) == 0] = self.empty
        return embeddings


def check_columns(X: sp.csr_matrix, n_items: int) -> None:
    """Make sure that rows of interactions are as wide as the recommender has items."""
    if X.shape[1] != n_items:
        raise ValueError(
            f"X has {X.shape[1]} columns, but the recommender knows {n_items} items; rows of X are "
            f"users, columns are items, in the order it was trained on"
        )


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
