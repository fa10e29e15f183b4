"""Directions in large catalogues, from a sample of the items."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sktpecr.recommenders._protocol import item_gradients
from sktpecr.tags._directions import (
    SHARE_RAISED,
    TASTE_TEMPERATURE,
    Directions,
    mean_of,
    moments,
    weights_of,
)
from sktpecr.tags._gradients import tag_gradients
from sktpecr.tags._tag_preference_extractor import TagPreferenceExtractor

# Catalogues with more items are sampled: so many of all items, and at most so many of a tag's. What
# d factors are told from n items is off by sqrt(d / n) or so: of 64 factors and 300,000 items by
# .04 of the move (median) for tags that explain much of the embeddings, by .09 for weak ones.
LARGE, _SAMPLE, _OF_TAG = 2**17, 2**15, 2**14


# Movements are those of all items; means and scatters, for likes and dislikes, those of the sample.
class SampledDirections(Directions):
    """Directions whose discriminants are told from some items, the tag's own before others."""

    def __init__(
        self, item_gradients: NDArray, item_tags: sp.csc_matrix, tag_matrix: NDArray
    ) -> None:
        super().__init__(item_gradients, item_tags, tag_matrix)
        self._sample = _some(np.arange(len(self.items)), _SAMPLE)
        self._rows = self.items[self._sample]

    def _told_apart(
        self, tag: int, liked: bool, scores: NDArray, history: NDArray
    ) -> tuple[NDArray, NDArray]:
        inside = self._inside(tag)
        own = _some(self.items_of(tag), _OF_TAG) if inside.any() else self._sample
        best, scale = scores.max(), (scores.std() or 1.0) * TASTE_TEMPERATURE
        seen = np.zeros(len(inside), dtype=bool)
        seen[history] = True
        share = SHARE_RAISED[True] if liked else 1 - SHARE_RAISED[False]
        means, moment = [], np.zeros_like(self.covariance)
        for columns, rows, some, part in (
            (own, self.items[own], np.ones(len(own), dtype=bool), share),
            (self._sample, self._rows, ~inside[self._sample], 1 - share),
        ):
            taste = np.exp((scores[columns] - best) / scale)
            weights = weights_of(some, taste, np.flatnonzero(seen[columns]))
            if not part:
                means.append(mean_of(rows, weights))
                continue
            mean, second = moments(rows, weights)
            means.append(mean)
            moment += part * second
        apart = means[0] - means[1] if liked else means[1] - means[0]
        return apart, self.ridged(moment, (share, 1 - share), np.array(means))


def directions_at(extractor: TagPreferenceExtractor, embedding: NDArray) -> Directions:
    """Build the directions at an embedding; for a dot product they are the same at all."""
    items = item_gradients(extractor.recommender_, embedding)
    kind = SampledDirections if len(items) > LARGE else Directions
    return kind(items, extractor._item_tags, tag_gradients(extractor, embedding, items))


def _some(columns: NDArray, at_most: int) -> NDArray:
    """Return at most so many columns, drawn without looking, in order."""
    if len(columns) <= at_most:
        return columns
    return np.sort(np.random.default_rng(0).choice(columns, at_most, replace=False, shuffle=False))
