"""Where a conversation stands."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sktpecr._inputs._feedback import AMOUNTS
from sktpecr._utils._lazily import lazily
from sktpecr._utils._ranking import ranks_of, top_items
from sktpecr.conversation._statement import Statement
from sktpecr.explanation._suggest_question import rank_questions, taste_and_scores
from sktpecr.refinement._feedback_refiner import FeedbackRefiner
from sktpecr.refinement._refinement import Refinement
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._user import User


@dataclass(frozen=True, eq=False)
class ConversationState:
    """Where a conversation stands between two turns."""

    tag_model: TagModel  # What the explainer learned
    refinement: Refinement  # The user's recommendations after all that was said
    rejected: frozenset[int] = frozenset()  # Columns of the items that are not to be listed
    hidden: frozenset[int] = frozenset()  # Columns of the tags that are not to be shown

    @lazily
    def user(self) -> User:
        """The user as refined."""
        return self.refinement.refined_user_for(self.tag_model)

    @lazily
    def candidates(self) -> NDArray:
        """Which items may be listed, shape (n_items,): not seen, not rejected."""
        user = self.user
        allowed = user.candidates(self.tag_model.catalogue, user.has_known_history)
        allowed[list(self.rejected)] = False
        return allowed

    def listed(self, n: int) -> NDArray:
        """Return the columns of the n best items, best first."""
        return top_items(self.refinement.scores, self.candidates, n)

    def ranks(self, columns: NDArray) -> NDArray:
        """Return the ranks of items, from 1; NaN for those that may not be listed."""
        ranks = ranks_of(columns, self.refinement.scores, self.candidates)
        return np.where(self.candidates[columns], ranks, np.nan)

    @lazily
    def shown(self) -> NDArray:
        """Which tags may be shown, shape (n_tags,)."""
        mask = np.ones(len(self.tag_model.tags), dtype=bool)
        mask[list(self.hidden)] = False
        return mask

    @property
    def nbytes(self) -> int:
        """Bytes of what is kept for every item."""
        kept = vars(self).get("candidates", np.empty(0))
        return self.refinement.nbytes + kept.nbytes

    def rest(self) -> None:
        """Let go of what can be computed again, until it is asked for."""
        for name in ("user", "candidates"):
            vars(self).pop(name, None)
        self.refinement.rest()

    def questions(self) -> pd.DataFrame:
        """Rank what can be asked of the user: no tag that is hidden or was spoken of."""
        tag_model, user, turns = self.tag_model, self.user, self.refinement.turns
        free = self.shown.copy()
        for feedback in turns:
            free[feedback.named] = False
        # Somebody of whom nothing is known, and who said nothing, is asked as the average user.
        believed = taste_and_scores(tag_model, user, user.is_known or any(turns))
        return rank_questions(tag_model, *believed, self.candidates, np.flatnonzero(free))

    def refined(
        self,
        refiner: FeedbackRefiner,
        n: int,
        *,
        units: str = "std",
        keep: float = 0.5,
        **feedback: Any,
    ) -> tuple[Statement, ConversationState]:
        """Return what feedback says, and where the conversation stands after it."""
        feedback |= {"units": units, "n": n, "keep": keep, "exclude": self._excluded}
        return self._after(refiner.refine(after=self.refinement, **feedback), units, keep)

    def refined_amounts(
        self, refiner: FeedbackRefiner, n: int, like: Any, dislike: Any, keep: float
    ) -> list[tuple[Statement, ConversationState]]:
        """Return for each amount of the same feedback what it says, and where that leads."""
        shown: dict[str, Any] = {"n": n, "keep": keep, "exclude": self._excluded}
        somebody: dict[str, Any] = {"after": self.refinement, "amounts": AMOUNTS}
        several = refiner.sweep(like=like, dislike=dislike, **somebody, **shown)
        return [self._after(refined, "std", keep) for refined in several]

    @property
    def _excluded(self) -> list[Hashable]:
        items = self.tag_model.catalogue.items
        return [items[column] for column in self.rejected]

    def _after(
        self, refined: Refinement, units: str, keep: float
    ) -> tuple[Statement, ConversationState]:
        said = Statement.of(refined.feedback, units, keep)
        for tag in said.tags:
            if self.tag_model.tags.row(tag) in self.hidden:
                raise ValueError(
                    f"tag {tag!r} is hidden in this conversation; undo turns until it is shown"
                )
        return said, replace(self, refinement=refined)

    def passing(self, columns: NDArray) -> tuple[Statement, ConversationState]:
        """Return the statement that items are not to be listed again, and where that leads."""
        items = self.tag_model.catalogue.items
        said = Statement(not_these=tuple(items[column] for column in columns.tolist()))
        return said, replace(self, rejected=self.rejected | set(columns.tolist()))

    def forgetting(self) -> tuple[Statement, ConversationState]:
        """Return the statement that what was only for now ends, and where that leads."""
        return Statement(forget=True), replace(self, refinement=self.refinement.forget())

    def rejecting(self, item: Hashable) -> tuple[Statement, ConversationState]:
        """Return the statement that an item is not to be listed, and where that leads."""
        column = self.tag_model.catalogue.items.row(item)
        said = Statement(reject=self.tag_model.catalogue.items[column])
        return said, replace(self, rejected=self.rejected | {column})

    def hiding(self, tag: Hashable) -> tuple[Statement, ConversationState]:
        """Return the statement that a tag is not to be shown, and where that leads."""
        column = self.tag_model.tags.row(tag)
        said = Statement(hide=self.tag_model.tags[column])
        return said, replace(self, hidden=self.hidden | {column})

    def repeating(
        self, refiner: FeedbackRefiner, n: int, said: Statement
    ) -> tuple[Statement, ConversationState]:
        """Return a statement said again, and where it leads."""
        if said.reject is not None:
            return self.rejecting(said.reject)
        if said.hide is not None:
            return self.hiding(said.hide)
        if said.not_these:
            return self.passing(self.tag_model.catalogue.items.rows(said.not_these))
        if said.forget:
            return self.forgetting()
        return self.refined(refiner, n, **said.feedback)
