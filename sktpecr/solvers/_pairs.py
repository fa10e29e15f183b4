"""The items that feedback sets against each other, as the paper samples them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from sktpecr._inputs._feedback import Feedback
from sktpecr.solvers._gradients import margins_and_pullback, scores_and_pullback
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._user import User

# Negatives beside each liked item under binary cross-entropy, as the authors draw them.
_NEGATIVES = 4


# Rows are (better item, worse item) under BPR, (item, label) under cross-entropy; weights say how
# much the tag behind a row counts.
class Batch(NamedTuple):
    """What one step compares."""

    rows: NDArray
    weights: NDArray

    def loss(self, recommender: Any, embedding: NDArray, loss: str) -> float:
        """Return the feedback loss at an embedding."""
        items = self.rows[:, 0] if loss == "bce" else self.rows.T.ravel()
        scores = np.asarray(recommender.score_items(embedding[np.newaxis], items))[0]
        scores = scores.astype(np.float64)
        if loss == "bce":
            each = np.logaddexp(0.0, scores) - self.rows[:, 1] * scores
            return float(self.weights @ each) / len(each)
        better, worse = scores.reshape(2, -1)
        return float(self.weights @ np.logaddexp(0.0, worse - better))

    def gradient(self, recommender: Any, embedding: NDArray, loss: str) -> NDArray:
        """Return the gradient of the feedback loss at an embedding."""
        if loss == "bce":
            items, labels = self.rows.T
            scores, pullback = scores_and_pullback(recommender, embedding, items)
            return pullback(self.weights * (expit(scores) - labels) / len(scores))
        margins, pullback = margins_and_pullback(recommender, embedding, self.rows)
        return pullback(-self.weights * expit(-margins))


class Pairs:
    """Draw the items that feedback sets against each other, anew in every epoch."""

    def __init__(
        self,
        tag_model: TagModel,
        user: User,
        feedback: Feedback,
        loss: str,
        random_state: np.random.RandomState,
    ) -> None:
        self._loss = loss
        self._random_state = random_state
        self._tags: list[tuple[NDArray, NDArray, bool, float]] = []
        n_items = len(tag_model.catalogue.items)
        history = user.history
        for said, likes in ((feedback.like, True), (feedback.dislike, False)):
            for tag, strength in said.items():
                inside = tag_model.extractor.items_of(tag)
                beside = np.full(n_items, likes)
                beside[history] = not likes
                beside[inside] = False
                others = np.flatnonzero(beside)
                what = "no item is outside the user's history and the tag"
                if not likes:
                    what = "no item of the user's history is outside the tag"
                if not len(others):
                    raise ValueError(
                        f"{'like' if likes else 'dislike'}: {what} {feedback.tags[tag]!r}, so "
                        f"there is nothing to set against it; use set=, or another solver"
                    )
                self._tags.append((inside, others, likes, strength / feedback.strength))

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """Yield the batches of one epoch."""
        rows, weights = [], []
        for inside, others, likes, weight in self._tags:
            if self._loss == "bce":
                n_drawn = len(inside) * (_NEGATIVES if likes else 1)
                drawn = self._random_state.choice(others, size=n_drawn)
                labels = np.repeat([likes, not likes], [len(inside), n_drawn])
                pairs = np.column_stack([np.concatenate([inside, drawn]), labels])
            else:
                drawn = self._random_state.choice(others, size=len(inside))
                pairs = np.column_stack([inside, drawn] if likes else [drawn, inside])
            rows.append(pairs)
            weights.append(np.full(len(pairs), weight))
        everything, weight_of = np.concatenate(rows), np.concatenate(weights)
        order = self._random_state.permutation(len(everything))
        for start in range(0, len(order), batch_size):
            picked = order[start : start + batch_size]
            yield Batch(everything[picked], weight_of[picked])
