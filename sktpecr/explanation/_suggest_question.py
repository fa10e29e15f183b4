"""Which tag to ask a user about next."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from sktpecr._inputs._numbers import check_n
from sktpecr.explanation._information_gain import information_gain
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._temperature import tail_scale
from sktpecr.tags._user import User

# Answers that tell less, in bits, are rounding: of tags on all items that can be listed, or none.
_NOTHING = 1e-9
# In units of the scale of the scores' upper tail: where held-out interactions are likeliest.
_CALIBRATED = 1.2


def rank_questions(
    tag_model: TagModel, taste: NDArray, scores: NDArray, candidates: NDArray, tags: NDArray
) -> pd.DataFrame:
    """Rank tags by how much the answer about each is expected to tell of the item sought."""
    # `scores` (n_items,) is what items are worth after the answers so far, `taste` (n_items,) the
    # scores of the embedding alone: answers spread items out, and make nobody less sure.
    posterior = np.zeros(len(scores))
    if candidates.any():
        posterior[candidates] = softmax(scores[candidates] / (_CALIBRATED * tail_scale(taste)))
    else:
        tags = tags[:0]  # nothing is sought
    wish = tag_model.wish
    bits = information_gain(posterior, wish.probabilities, wish.error_rate)[tags] / np.log(2)
    frame = pd.DataFrame(
        {
            "tag": tag_model.tags.array()[tags],
            "information": bits,
            "probability": (wish.probabilities.T @ posterior)[tags],
        }
    )[bits > _NOTHING]
    return frame.sort_values("information", ascending=False, kind="stable", ignore_index=True)


def suggest_question(
    tag_model: TagModel, user: User, n: int, among: Iterable[Hashable] | None
) -> pd.DataFrame:
    """Return the n best questions to a user; one of whom nothing is known is asked as the mean."""
    believed = taste_and_scores(tag_model, user, user.is_known)
    candidates = user.candidates(tag_model.catalogue, user.has_known_history)
    columns = tag_model.tag_columns(among)
    return rank_questions(tag_model, *believed, candidates, columns).head(check_n(n))


def taste_and_scores(tag_model: TagModel, user: User, is_known: bool) -> tuple[NDArray, NDArray]:
    """Return what `rank_questions` asks by; of one of whom nothing is known, the average user's."""
    if is_known:
        return user.taste(tag_model), user.scores(tag_model)
    average = tag_model.scores_of(tag_model.average_user)
    return average, average
