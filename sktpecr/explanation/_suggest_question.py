"""Which tag to ask a user about next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sktpecr.explanation._edit_search import edited_embeddings
from sktpecr._utils._ranking import top_items

if TYPE_CHECKING:
    import pandas as pd

    from sktpecr.tags._tag_model import Population


def rank_questions(
    population: Population, embedding: NDArray, candidates: NDArray, k: int, tags: NDArray
) -> pd.DataFrame:
    r"""Rank tags by how much of a user's list the answer about each is expected to change.

    Parameters
    ----------
    population : Population
        What an explainer learned.
    embedding : ndarray of shape (n_factors,)
        The user's embedding.
    candidates : ndarray of bool, shape (n_items,)
        Which items may be listed.
    k : int
        Length of the list.
    tags : ndarray of int
        Columns of the tags to choose from. Those that are the same for everybody are left out.

    Returns
    -------
    DataFrame
        Columns tag, expected_change, if_more, if_less; the largest expected change first.
    """
    import pandas as pd

    tags = tags[population.std[tags] > 0]
    # What is learned of one tag is learned of those that go with it: one standard deviation of it
    # moves each other tag by its correlation with it.
    loadings = population.steerability.loadings
    answers = loadings[tags] @ loadings.T
    edited = edited_embeddings(population, embedding, np.vstack([answers, -answers]))
    listed = top_items(population.scores_of(embedding), candidates, k)
    stayed = [
        np.isin(listed, top_items(population.scores_of(each), candidates, k)).sum()
        for each in edited
    ]
    if_more, if_less = 1.0 - np.reshape(stayed, (2, -1)) / max(len(listed), 1)
    frame = pd.DataFrame(
        {
            "tag": population.tags.array()[tags],
            "expected_change": (if_more + if_less) / 2,
            "if_more": if_more,
            "if_less": if_less,
        }
    )
    return frame.sort_values("expected_change", ascending=False, kind="stable", ignore_index=True)
