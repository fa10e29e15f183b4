"""Whether what an explanation names to a person holds: signs, tags, histories, answers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sktpecr._inputs._feedback import Feedback
from sktpecr._utils._ranking import top_items
from sktpecr.attribution import AccountAttribution
from sktpecr.explanation._reasons import tell
from sktpecr.explanation._words import by_size
from sktpecr.metrics import claims_true, lowered_in_list, sign_sense
from sktpecr.solvers import ClosedFormSolver
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._user import User

# An attribution that finds no reasons names so many tags, those of the largest contributions.
_NAMED = 3
# "Less" is held against so many items of the user's list.
_LIST = 100


class NamedTags:
    """Measure what is named for pairs of user and item, against all users' histories."""

    def __init__(self, tag_model: TagModel) -> None:
        self._model = tag_model
        X = tag_model.catalogue.interactions
        self._has_histories = X is not None
        if X is not None:
            counts = np.maximum(np.diff(X.indptr), 1)[:, np.newaxis]
            carried = (tag_model.item_tags > 0).astype(np.float64)
            self._shares = np.asarray(((X != 0) @ carried).todense()) / counts
            self._usual = self._shares[tag_model.learners].mean(axis=0)

    def measured(self, row: int, column: int) -> dict[str, float]:
        """Return what holds of the tags named for an item, by name of the measure."""
        model, user = self._model, User.at(self._model, row)
        preferences = model.tag_preferences_of(user.embedding)
        attributed = model.attribution.attribute(preferences, user.embedding, [column])
        told, likings = attributed.told(model.vs_mean(preferences))
        contributions = told[0]
        if isinstance(model.attribution, AccountAttribution):
            names = [reason.tag for reason in tell(model, user, column).reasons]
            tags = model.tags.rows(names) if names else np.empty(0, dtype=np.intp)
        else:
            tags = by_size(contributions)[:_NAMED]
        on_item = model.extractor.tags_of(column)[tags] > 0
        found = {
            "named": float(len(tags)),
            "named: sign": sign_sense(contributions[tags], likings[tags]),
            "named: on item": float(on_item.mean()) if len(tags) else np.nan,
        }
        if self._has_histories:
            own = self._shares[row, tags]
            # Liking a tag that nothing taken carries is worded as a belief, and no claim.
            claimed = tags[(likings[tags] < 0) | (own > 0)]
            found["named: true of history"] = claims_true(
                likings[claimed], self._shares[row, claimed], self._usual[claimed]
            )
            found["named: less obeyed"] = self._obeyed(user, column, tags, contributions)
        return found

    def _obeyed(self, user: User, column: int, tags: NDArray, contributions: NDArray) -> float:
        """Return whether "less" of the first tag for the item lowers it against the list."""
        speaking = tags[contributions[tags] > 0]
        if not len(speaking):
            return np.nan
        names = self._model.tags
        less = Feedback.parse(names, None, names[int(speaking[0])], None, strength=1.0)
        embedding, _ = ClosedFormSolver().solve(self._model, user, less, {})
        before, after = (self._model.scores_of(each) for each in (user.embedding, embedding))
        candidates = self._model.catalogue.candidates(user.history, True)
        listed = top_items(before, candidates, _LIST)
        return float(lowered_in_list(before, after, column, listed[listed != column]))
