"""Interactions as users bring them, checked and turned into one sparse matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from sktpecr._inputs._frames import in_pandas


def check_interactions(estimator: BaseEstimator, X: Any, reset: bool = True) -> sp.csr_matrix:
    """Check rows of interactions as scikit-learn does, and return them sparse."""
    X = in_pandas(X, ids="user")
    X = validate_data(
        estimator, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=reset
    )
    return canonical(sp.csr_matrix(X))


def canonical(X: sp.csr_matrix) -> sp.csr_matrix:
    """Return interactions with each pair once, and no stored zeros, which are none."""
    # The matrix may be the user's own: never work in place.
    if not X.has_canonical_format or (X.data == 0).any():
        X = X.copy()
        X.sum_duplicates()
        X.eliminate_zeros()
    return X
