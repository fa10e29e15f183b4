"""What somebody asks for now, as evidence on items: for any recommender, without a generator."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sktpecr._utils._lazily import lazily

# Chosen among .1, .05 and .02 in simulated critiques on MovieLens-1M, latest-small and goodbooks:
# no better with .1 where one answer in ten is wrong, and worse where none is.
ERROR_RATE = 0.05


# With p_vt the probability that tag t is on item v, P(like t | v) = (1 - eps) p_vt + eps (1 -
# p_vt), and P(dislike t | v) is the rest; eps is `error_rate`. A weight of `item_tags` (n_items,
# n_tags) is a probability of weight / largest weight of the tag. What is not on an item may be
# missing: with the share m of missing tags and g the logistic regression of the tag on
# `item_embeddings` (n_items, n_factors), Bayes' theorem has p = m / (1 - m) g / (1 - g), at most 1;
# and g for an item without any tag. Regressions are fitted when a tag is first spoken of; without
# embeddings nothing is guessed, and near is what has the same tags.
# Evidence, shape (n_items,), is log P less that of an item which does not have the tag for certain,
# so that it is 0 on most items. Add it up, each times how much it is to count: see `wish_scores`.
class Wish:
    """How likely every item makes what somebody said about the one that she looks for."""

    def __init__(
        self,
        item_tags: Any,
        error_rate: float = ERROR_RATE,
        item_embeddings: NDArray | None = None,
        missing: float = 0.0,
    ) -> None:
        if not 0 < error_rate < 0.5:
            raise ValueError(f"error_rate must be above 0 and below 0.5, got {error_rate!r}")
        if not 0 <= missing < 1:
            raise ValueError(f"missing must be from 0 and below 1, got {missing!r}")
        tags = sp.csc_matrix(item_tags, dtype=np.float64, copy=True)
        tags.eliminate_zeros()
        if not (np.isfinite(tags.data).all() and (tags.data >= 0).all()):
            raise ValueError("item_tags must hold finite weights from 0; leave the others out")
        if item_embeddings is not None and len(item_embeddings) != tags.shape[0]:
            raise ValueError(
                f"item_embeddings must have a row for each of the {tags.shape[0]} items of "
                f"item_tags, got {len(item_embeddings)}"
            )
        self.error_rate, self.missing = error_rate, missing
        largest = np.asarray(tags.max(axis=0).todense()).ravel()
        self._tags = tags @ sp.diags(1 / np.where(largest > 0, largest, 1.0), format="csc")
        self._embeddings = item_embeddings
        self._untagged = np.asarray(tags.getnnz(axis=1) == 0)
        self._guesses: dict[int, NDArray] = {}

    @lazily
    def probabilities(self) -> sp.csr_matrix:
        """Probability of every tag on every item, shape (n_items, n_tags), without guesses."""
        return self._tags.tocsr()

    def probability(self, tag: int | tuple[int, ...]) -> NDArray:
        """Return how probable a tag, or all of several tags, is on every item."""
        if isinstance(tag, tuple):
            return np.prod([self.probability(each) for each in tag], axis=0)
        on = self._tags.indptr[tag], self._tags.indptr[tag + 1]
        found = np.zeros(self._tags.shape[0])
        found[self._tags.indices[slice(*on)]] = self._tags.data[slice(*on)]
        if self._embeddings is None or not (self.missing or self._untagged.any()):
            return found
        guess = self._guess(tag)
        odds = guess / np.maximum(1 - guess, 1e-12)
        hidden = np.minimum(self.missing / (1 - self.missing) * odds, 1.0)
        return np.where(self._untagged, guess, np.maximum(found, hidden))

    def tag(self, tag: int | tuple[int, ...], liked: bool) -> NDArray:
        """Return the evidence of a like or a dislike of a tag, or of several meant together."""
        return self._evidence(self.probability(tag), liked)

    def less_than(self, tag: int, item: int) -> NDArray:
        """Return the evidence of "less of this tag than that item has"."""
        probability = self.probability(tag)
        as_much = probability >= max(probability[item], np.finfo(np.float64).tiny)
        return self._evidence(as_much.astype(np.float64), liked=False)

    def rejected(self, item: int) -> NDArray:
        """Return the evidence of "not this": what is near the item is less likely."""
        # The item itself is to leave the candidates, too.
        return self._evidence(self._near(item), liked=False)

    def _evidence(self, probability: NDArray, liked: bool) -> NDArray:
        """Return log P of an answer, less that of an item of probability 0."""
        wrong = self.error_rate if liked else 1 - self.error_rate
        # On most items there is none.
        evidence, on = np.zeros(len(probability)), np.flatnonzero(probability)
        evidence[on] = np.log1p((1 - 2 * wrong) / wrong * probability[on])
        return evidence

    def _near(self, item: int) -> NDArray:
        """Return the cosine of every item with one, at least 0."""
        if self._embeddings is None:
            products = (self._tags @ self._tags[[item]].T).toarray().ravel()
            norms = np.sqrt(np.asarray(self._tags.power(2).sum(axis=1)).ravel())
        else:
            products = self._embeddings @ self._embeddings[item]
            norms = np.linalg.norm(self._embeddings, axis=1)
        lengths = norms * norms[item]
        near = np.divide(products, lengths, out=np.zeros(len(lengths)), where=lengths > 0)
        return np.clip(near, 0.0, 1.0)

    def _guess(self, tag: int) -> NDArray:
        """Return the probability of a tag given embeddings, as items with tags have it."""
        if tag not in self._guesses:
            assert self._embeddings is not None  # noqa: S101 (for mypy; the caller has checked)
            scale = self._embeddings.std() or 1.0
            rows = (self._embeddings - self._embeddings.mean(axis=0)) / scale
            known = ~self._untagged
            on_item = self._tags[:, [tag]].toarray().ravel() > 0
            share = on_item[known].mean() if known.any() else 0.0
            if 0 < share < 1:
                from sklearn.linear_model import LogisticRegression  # takes long to import

                regression = LogisticRegression(C=1.0, max_iter=200)
                regression.fit(rows[known], on_item[known])
                guess = regression.predict_proba(rows)[:, 1]
            else:
                guess = np.full(len(rows), share)
            self._guesses[tag] = guess
        return self._guesses[tag]


def wish_scores(
    scores: NDArray, temperature: float, said: Iterable[tuple[float, NDArray]]
) -> NDArray:
    """Return what items are worth to somebody who said something, shape (n_items,)."""
    # `scores` (n_items,) of any recommender, as refined so far; `temperature` in standard
    # deviations of them; `said`: how much each answer counts, and its evidence. Logarithms of the
    # posterior probability, up to a constant: s_v / tau + sum_k a_k log P(k | v), tau the
    # temperature times the standard deviation of s. Where that is 0, only what was said counts.
    scores = np.asarray(scores, dtype=np.float64)
    total = scores / (temperature * (scores.std() or 1.0))
    for amount, evidence in said:
        total += amount * evidence
    return total
