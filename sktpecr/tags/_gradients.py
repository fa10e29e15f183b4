"""How tag preferences react to each factor, at an embedding."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sktpecr._utils._differences import differences


def tag_gradients(extractor: Any, embedding: NDArray, items: NDArray) -> NDArray:
    """Return what one more of each factor adds to each tag preference, at an embedding."""
    # `embedding` (n_factors,); `items` (n_items, n_factors); returns (n_tags, n_factors).
    if extractor.tag_matrix_ is not None:
        return np.asarray(extractor.tag_matrix_)
    if extractor._aggregates_linearly:
        return extractor._aggregate(items.T.astype(np.float64)).T
    dtype = extractor.tag_preferences(embedding[np.newaxis]).dtype
    return differences(extractor.tag_preferences, embedding, dtype).T
