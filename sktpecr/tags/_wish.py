"""What somebody asks for now, as evidence on items: for any recommender, without a generator."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import expit

from sktpecr._utils._array_api import beside, is_tensor
from sktpecr._utils._lazily import lazily
from sktpecr.tags._temperature import temperature_of

# Chosen among .1, .05 and .02 in simulated critiques on MovieLens-1M, latest-small and goodbooks:
# no better with .1 where one answer in ten is wrong, and worse where none is.
ERROR_RATE = 0.05
# Of more items that have tags a sample is learned from.
_LEARNED_FROM = 10_000


# With p_vt the probability that tag t is on item v, P(like t | v) = (1 - eps) p_vt + eps (1 -
# p_vt), and P(dislike t | v) is the rest; eps is `error_rate`. A weight of `item_tags` (n_items,
# n_tags) is a probability of weight / largest weight of the tag. An item without any tag has them
# by a logistic regression of the tag, over the items that have tags, on `item_embeddings`
# (n_items, n_factors): it is fitted when the tag is first spoken of, as all of ten thousand tags
# would take minutes. Without embeddings nothing is guessed. A guess is evidence and no more:
# nobody is told that the item has the tag, and who asks for a number of a tag's items gets those
# that have it (`guess=False`).
# Evidence, shape (n_items,), is log P less that of an item which does not have the tag for certain,
# so that it is 0 on most items. Add it up, each times how much it is to count: see `worth`.
class Wish:
    """How likely every item makes what somebody said about the one that she looks for."""

    def __init__(
        self,
        item_tags: Any,
        error_rate: float = ERROR_RATE,
        item_embeddings: NDArray | None = None,
    ) -> None:
        if not 0 < error_rate < 0.5:
            raise ValueError(f"error_rate must be above 0 and below 0.5, got {error_rate!r}")
        tags = sp.csc_matrix(item_tags, dtype=np.float64, copy=True)
        tags.eliminate_zeros()
        if not (np.isfinite(tags.data).all() and (tags.data >= 0).all()):
            raise ValueError("item_tags must hold finite weights from 0; leave the others out")
        if item_embeddings is not None and len(item_embeddings) != tags.shape[0]:
            raise ValueError(
                f"item_embeddings must have a row for each of the {tags.shape[0]} items of "
                f"item_tags, got {len(item_embeddings)}"
            )
        self.error_rate = error_rate
        largest = np.asarray(tags.max(axis=0).todense()).ravel()
        self._tags = tags @ sp.diags(1 / np.where(largest > 0, largest, 1.0), format="csc")
        self._embeddings: Any = item_embeddings
        untagged = np.asarray(tags.getnnz(axis=1) == 0)
        self._tagged, self._untagged = np.flatnonzero(~untagged), np.flatnonzero(untagged)
        self._guesses: dict[int, tuple[NDArray, float]] = {}

    @lazily
    def probabilities(self) -> sp.csr_matrix:
        """Probability of every tag on every item, shape (n_items, n_tags), without guesses."""
        return self._tags.tocsr()

    def probability(self, tag: int | tuple[int, ...], guess: bool = True) -> NDArray:
        """Return how probable a tag, or all of several tags, is on every item."""
        if isinstance(tag, tuple):
            return np.prod([self.probability(each, guess) for each in tag], axis=0)
        on = slice(self._tags.indptr[tag], self._tags.indptr[tag + 1])
        found = np.zeros(self._tags.shape[0])
        found[self._tags.indices[on]] = self._tags.data[on]
        if guess and self._embeddings is not None and len(self._untagged):
            found[self._untagged] = self._guessed(tag)
        return found

    def tag(self, tag: int | tuple[int, ...], liked: bool, guess: bool = True) -> NDArray:
        """Return the evidence of a like or a dislike of a tag, or of several meant together."""
        return self._evidence(self.probability(tag, guess), liked)

    def less_than(self, tag: int, item: int) -> NDArray:
        """Return the evidence of "less of this tag than that item has"."""
        probability = self.probability(tag, guess=False)
        as_much = probability >= max(probability[item], np.finfo(np.float64).tiny)
        return self._evidence(as_much.astype(np.float64), liked=False)

    def _evidence(self, probability: NDArray, liked: bool) -> NDArray:
        """Return log P of an answer, less that of an item of probability 0."""
        wrong = self.error_rate if liked else 1 - self.error_rate
        # On most items there is none.
        evidence, on = np.zeros(len(probability)), np.flatnonzero(probability)
        evidence[on] = np.log1p((1 - 2 * wrong) / wrong * probability[on])
        return evidence

    @lazily
    def _scaled(self) -> tuple[NDArray, NDArray, NDArray]:
        """Items to learn from, their embeddings, and those of the untagged items; both scaled."""
        known = self._tagged
        if len(known) > _LEARNED_FROM:
            known = np.random.RandomState(0).choice(known, _LEARNED_FROM, replace=False)
        learned, others = (
            np.asarray(self._embeddings[rows], dtype=np.float64) for rows in (known, self._untagged)
        )
        mean, scale = learned.mean(axis=0), learned.std() or 1.0
        return known, (learned - mean) / scale, (others - mean) / scale

    def _guessed(self, tag: int) -> NDArray:
        """Return how probable a tag is on items without tags, by those that have some."""
        known, learned, others = self._scaled
        if tag not in self._guesses:
            on_item = self._tags[:, [tag]].toarray()[known, 0] > 0
            if on_item.all() or not on_item.any():
                fitted = np.zeros(learned.shape[1]), np.inf if on_item.any() else -np.inf
            else:
                from sklearn.linear_model import LogisticRegression  # takes long to import

                regression = LogisticRegression(max_iter=200).fit(learned, on_item)
                fitted = regression.coef_[0], float(regression.intercept_[0])
            self._guesses[tag] = fitted
        slope, intercept = self._guesses[tag]
        return expit(others @ slope + intercept)


def worth(scores: Any, wish: Any) -> Any:
    """Return what items are worth to users who said something, in units of the score."""
    # `scores` and `wish`, the evidence, (..., n_items), of arrays or tensors. Logarithms of the
    # posterior probability, up to a constant, times the temperature: s_v + tau sum_k a_k log P(k |
    # v). Where all scores are the same, only what was said counts.
    if wish is None:
        return scores
    base = scores if is_tensor(scores) else scores.astype(np.float64)
    return base + temperature_of(scores)[..., None] * beside(wish, scores)
