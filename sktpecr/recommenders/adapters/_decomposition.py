"""Recommenders made of fitted scikit-learn transformers."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from sktpecr.recommenders._adapter_error import AdapterError
from sktpecr.recommenders._factor_recommender import FactorRecommender
from sktpecr.recommenders._fold_in import LinearFoldIn
from sktpecr.recommenders.distilled._boxes import sparse_or_dense


def from_decomposition(model: Any) -> FactorRecommender:
    """Read what a transformer makes of rows, and what it makes of that again."""
    check_is_fitted(model)
    name = type(model).__name__
    model = copy.deepcopy(model)  # it may be fitted again, and what was explained must not change
    last = model[-1] if hasattr(model, "steps") else model
    components = getattr(last, "components_", None)
    transform = _Transform(model, np.dtype(float) if components is None else components.dtype)
    if components is None:
        n_factors = transform(sp.csr_matrix(np.ones((1, model.n_features_in_)))).shape[1]
    else:
        n_factors = len(components)
    # An affine inverse_transform is fully known by what it makes of zero and of the axes.
    biases = np.asarray(model.inverse_transform(np.zeros((1, n_factors))))[0]
    factors = (np.asarray(model.inverse_transform(np.eye(n_factors))) - biases).T
    points = np.random.RandomState(0).standard_normal((3, n_factors))
    expected = points @ factors.T + biases
    if not np.allclose(
        model.inverse_transform(points), expected, atol=1e-4 * np.abs(expected).max()
    ):
        raise AdapterError(
            f"the inverse_transform of {name} is not affine, so its scores are no dot product; "
            f"wrap it in an object with user_embeddings and score_items"
        )
    return FactorRecommender(
        np.empty((0, n_factors), dtype=transform.dtype),
        factors.astype(transform.dtype),
        biases.astype(transform.dtype),
        fold_in=_as_product(transform),
    )


def _as_product(transform: _Transform) -> LinearFoldIn | _Transform:
    """Return a transform that is a product with the components as that, which arrays can keep."""
    model = transform.model
    if not hasattr(model, "singular_values_") or hasattr(model, "mean_"):
        return transform
    product = LinearFoldIn(model.components_)
    rows = sp.csr_matrix(np.random.RandomState(0).randint(2, size=(5, model.n_features_in_)))
    return product if np.array_equal(transform(rows), product(rows)) else transform


@dataclass(eq=False)
class _Transform:
    """Embed rows with a fitted transformer."""

    model: Any
    dtype: np.dtype

    def __call__(self, X: sp.csr_matrix) -> NDArray:
        # NMF takes nothing but the type it was fitted on.
        return np.asarray(sparse_or_dense(self.model.transform, X.astype(self.dtype)))
