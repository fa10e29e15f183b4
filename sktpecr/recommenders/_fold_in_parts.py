"""What each item of a history adds to an embedding, where folding in is linear."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sktpecr.recommenders._factor_recommender import FactorRecommender
from sktpecr.recommenders._fold_in import ConfidenceFoldIn, LinearFoldIn, RidgeFoldIn


def fold_in_parts(recommender: FactorRecommender, row: sp.csr_matrix) -> NDArray | None:
    """Return each item's part of the embedding of a row, (n_taken, n_factors); None if none add."""
    # Their sum is what the recommender makes of the row (1, n_items).
    fold_in = recommender._fold_in or RidgeFoldIn(recommender.item_embeddings)
    row = sp.csr_matrix(row)
    places = np.arange(row.nnz), row.indices
    one_each = sp.csr_matrix((row.data, places), shape=(row.nnz, row.shape[1]))
    if isinstance(fold_in, LinearFoldIn):
        return np.asarray(fold_in(one_each), dtype=np.float64)
    if isinstance(fold_in, RidgeFoldIn):
        parts = RidgeFoldIn(fold_in.item_factors, fold_in.alpha)(one_each)
        length = float(np.linalg.norm(parts.sum(axis=0)))
        return parts if fold_in.length is None or not length else parts * (fold_in.length / length)
    if isinstance(fold_in, ConfidenceFoldIn):
        return fold_in.parts(row)
    return None
