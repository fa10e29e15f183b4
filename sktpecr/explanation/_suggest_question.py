"""Which tag to ask a user about next."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sktpecr._inputs._numbers import check_n
from sktpecr._utils._ranking import top_items
from sktpecr.explanation._edit_search import edited_embeddings
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._user import User


def rank_questions(
    tag_model: TagModel, embedding: NDArray, candidates: NDArray, k: int, tags: NDArray
) -> pd.DataFrame:
    """Rank tags by how much of a user's list the answer about each is expected to change."""
    # `embedding` (n_factors,).
    tags = tags[tag_model.std[tags] > 0]
    # What is learned of one tag is learned of those that go with it: one standard deviation of it
    # moves each other tag by its correlation with it.
    loadings = tag_model.steerability.loadings
    answers = loadings[tags] @ loadings.T
    edited = edited_embeddings(tag_model, embedding, np.vstack([answers, -answers]))
    listed = top_items(tag_model.scores_of(embedding), candidates, k)
    stayed = [
        np.isin(listed, top_items(tag_model.scores_of(each), candidates, k)).sum()
        for each in edited
    ]
    if_more, if_less = 1.0 - np.reshape(stayed, (2, -1)) / max(len(listed), 1)
    frame = pd.DataFrame(
        {
            "tag": tag_model.tags.array()[tags],
            "expected_change": (if_more + if_less) / 2,
            "if_more": if_more,
            "if_less": if_less,
        }
    )
    return frame.sort_values("expected_change", ascending=False, kind="stable", ignore_index=True)


def suggest_question(
    tag_model: TagModel, user: User, n: int, k: int, among: Iterable[Hashable] | None
) -> pd.DataFrame:
    """Return the n best questions to a user; one of whom nothing is known is asked as the mean."""
    embedding = user.embedding if user.is_known else tag_model.average_user
    candidates = tag_model.catalogue.candidates(user.history, user.has_known_history)
    columns = tag_model.tag_columns(among)
    n, k = check_n(n), check_n(k, "k")
    return rank_questions(tag_model, embedding, candidates, k, columns).head(n)
