"""The search for an edit of tag preferences that moves one item of one user."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from sktpecr._utils._ranking import ranks_of
from sktpecr.explanation._smallest_edit import smallest_edit
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._user import User

# By how much the item must pass a rival, in units of the range of the scores. The first that
# survives the rounding of the recommender's own scores is taken.
_MARGINS = (1e-6, 1e-5, 1e-4, 1e-3)
# Seconds to prove that no edit is smaller; the best one known by then is taken.
_SECONDS = 10.0
# Where scores are not linear: rounds of making them so, and the step of differences, in sd.
_ROUNDS, _STEP = 10, 0.1
# ... and the move, in sd, below which another round would find the same.
_SETTLED = 1e-3
# Of more tags not all are tried: the programme would take minutes.
_MOST_TAGS = 200
# Changes below this many standard deviations are rounding of the solver.
_NO_CHANGE = 1e-9


def edited_embeddings(tag_model: TagModel, embedding: NDArray, changes: NDArray) -> NDArray:
    """Return what becomes of a user whose tag preferences are edited."""
    # `embedding` (n_factors,); `changes` (n, n_tags); returns (n, n_factors).
    own = embedding.astype(np.float64)
    preferences = tag_model.tag_preferences_of(own)
    asked = preferences + np.vstack([np.zeros_like(preferences), changes * tag_model.std])
    generated = tag_model.generator.generate(asked, np.tile(own, (len(asked), 1)))
    return own + generated[1:] - generated[0]


class EditSearch:
    """Search for an edit of a user's tag preferences that moves an item."""

    def __init__(
        self,
        tag_model: TagModel,
        user: User,
        column: int,
        goal: str,
        k: int,
        candidates: NDArray,
        tags: NDArray,
        max_change: float,
    ) -> None:
        self.tag_model = tag_model
        self.user = user
        self.column = column
        self.goal = goal
        self.k = k
        self.candidates = candidates.copy()
        self.candidates[column] = False
        self.rivals = np.flatnonzero(self.candidates)
        # A tag that is the same for everybody has no standard deviation to move by.
        self.tags = self._telling(tags[tag_model.std[tags] > 0])
        self.max_change = max_change
        self.scores = tag_model.scores_of(self.user.embedding)
        self.rank_before = self._rank(self.scores)

    def _telling(self, tags: NDArray) -> NDArray:
        """Return the tags that may be edited: of very many those that move the item furthest."""
        self.is_bounded = len(tags) > _MOST_TAGS
        if not self.is_bounded:
            return tags
        if self.tag_model.composite.is_linear:
            items = np.asarray(self.tag_model.recommender.item_embeddings, dtype=np.float64)
            apart = items[self.column] - items[self.rivals].mean(axis=0)
            moves = np.abs(apart @ self.tag_model.generator.gain_[:, tags])
            moves *= self.tag_model.std[tags]
        else:
            moves = self.tag_model.extractor.tags_of(self.column)[tags]
        return np.sort(tags[np.argsort(-moves, kind="stable")[:_MOST_TAGS]])

    def reached(self, rank: int) -> bool:
        """Tell whether a rank is what is wanted."""
        return (rank <= self.k) == (self.goal == "enter")

    def rank(self, changes: NDArray) -> int:
        """Return the rank of the item after an edit."""
        return self._rank(self._scores_after(changes[np.newaxis])[0])

    def spread_kept(self, changes: NDArray) -> float:
        """Return the spread of the scores of what may be listed after an edit over that before."""
        listed = np.append(self.rivals, self.column)
        before = self.scores[listed].astype(np.float64).std()
        after = self._scores_after(changes[np.newaxis])[0][listed].std()
        return float(after / before) if before > 0 else 1.0

    def linear(self) -> tuple[NDArray | None, bool]:
        """Return the smallest edit where scores are linear, and whether that is proven."""
        weights = self.tag_model.composite.tag_weights(np.arange(len(self.scores)), self.tags)
        weights = weights * self.tag_model.std[self.tags]
        deadline = time.monotonic() + _SECONDS
        for margin in _MARGINS:
            changes, proven = self._smallest(self.scores, weights, margin, deadline)
            if changes is None:
                return None, proven and margin == _MARGINS[0]
            if self.reached(self.rank(changes)):
                return changes, proven
        return None, False

    def not_linear(self) -> NDArray | None:
        """Return a small edit where scores are not linear, by making them so again and again."""
        best, here = None, np.zeros(len(self.tag_model.std))
        for _ in range(_ROUNDS):
            scores, slopes = self._linearised(here)
            deadline = time.monotonic() + _SECONDS / _ROUNDS
            # The smallest edit by a line that is only near needs a margin; shrinking takes it back.
            changes, _proven = self._smallest(scores, slopes, _MARGINS[-1], deadline)
            if changes is None or np.abs(changes - here).sum() <= _SETTLED:
                break
            here = changes
            if self.reached(self.rank(changes)):
                here = self._shrunk(changes)
                if best is None or np.abs(here).sum() < np.abs(best).sum():
                    best = here
        return best

    def _smallest(
        self, scores: NDArray, weights: NDArray, margin: float, deadline: float
    ) -> tuple[NDArray | None, bool]:
        """Return the smallest edit if scores were linear, given them without one."""
        enters = self.goal == "enter"
        sign = 1.0 if enters else -1.0
        scores = scores.astype(np.float64)
        ahead = scores[self.rivals] - scores[self.column]
        rows = sign * (weights[self.column] - weights[self.rivals])
        steepest = np.abs(rows).max(axis=1, initial=0.0)
        # An item like this one to the tags stays on its side of it.
        moves = steepest > _NO_CHANGE * np.abs(weights).max(initial=0.0)
        above = (ahead > 0) | ((ahead == 0) & (self.rivals < self.column))
        n_spare = self.k - 1 if enters else len(self.rivals) - self.k
        n_spare -= int(np.count_nonzero(~moves & (above == enters)))
        rows, steepest = rows[moves], steepest[moves]
        margins = margin * np.maximum(np.ptp(np.append(ahead, 0.0)), steepest)
        edit, proven = smallest_edit(
            rows / steepest[:, np.newaxis],
            (sign * ahead[moves] + margins) / steepest,
            n_spare,
            self.max_change,
            deadline,
        )
        if edit is None:
            return None, proven
        changes = np.zeros(len(self.tag_model.std))
        changes[self.tags] = np.where(np.abs(edit) > _NO_CHANGE, edit, 0.0)
        return changes, proven

    def _linearised(self, here: NDArray) -> tuple[NDArray, NDArray]:
        """Return scores at no edit and slopes per tag of the line through an edit."""
        steps = np.zeros((1 + len(self.tags), len(here)))
        steps[1 + np.arange(len(self.tags)), self.tags] = _STEP
        scores = self._scores_after(here + steps)
        slopes = (scores[1:] - scores[0]).T / _STEP
        return scores[0] - slopes @ here[self.tags], slopes

    def _shrunk(self, changes: NDArray) -> NDArray:
        """Return the smallest share of an edit that still does it, by bisection."""
        too_little, enough = 0.0, 1.0
        for _ in range(20):
            middle = (too_little + enough) / 2
            if self.reached(self.rank(middle * changes)):
                enough = middle
            else:
                too_little = middle
        return enough * changes

    def _scores_after(self, changes: NDArray) -> NDArray:
        edited = edited_embeddings(self.tag_model, self.user.embedding, changes)
        return np.stack([self.tag_model.scores_of(each) for each in edited]).astype(np.float64)

    def _rank(self, scores: NDArray) -> int:
        return int(ranks_of(np.array([self.column]), scores, self.candidates)[0])
