"""Beyond the paper: users who are described by tags alone, and have no interactions.

Users who were held out are described by where they stand, in the model's view of their training
interactions, on the 1, 3 or 5 tags that set them most apart from the others, or on all tags: the
most that they could say. The lists that they get are held against those of their own
embeddings, and against the most popular items, by interactions that nothing has learned from;
what a user had in training is left out of all lists.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.common.rows import Row, mean_row, prefix
from benchmarks.common.world import world

_LENGTH, _USERS = 10, 1000
_TAGS = (1, 3, 5)
_GAINS = 1 / np.log2(np.arange(2, 2 + _LENGTH))


def tags_only(
    data_name: str, data_dir: Path | None, model_name: str, figures_dir: Path | None
) -> list[Row]:
    """Return NDCG@10 by what is known of a user, and how far tags lead popularity."""
    here = world(data_name, data_dir, model_name)
    explainer = here.explainer("Gaussian" if here.exact else "Inversion")
    n_tags = len(explainer.tag_names_)
    popular = pd.Series(np.asarray((here.train > 0).sum(axis=0)).ravel(), here.data.item_ids)
    popular = popular.sort_values(ascending=False, kind="stable").index.to_numpy()
    held_out: dict[Any, set[Any]] = defaultdict(set)
    for user, item in here.pairs:
        held_out[user].add(item)
    rows_of = {user: row for row, user in enumerate(here.data.user_ids)}
    columns = defaultdict(list)
    for user in [user for user in here.test if user in held_out][:_USERS]:
        seen = here.data.item_ids[here.train[rows_of[user]].indices]
        shown: dict[str, Any] = {"n": _LENGTH, "exclude_seen": False, "exclude": seen}
        state = explainer.profile(user).set_index("tag")["vs_population"]
        state = state.sort_values(key=np.abs, ascending=False, kind="stable")
        lists = {
            "popular items": popular[~np.isin(popular, seen)][:_LENGTH],
            "own embedding": explainer.recommend(user, **shown)["item"],
            "no tag": explainer.recommend(tags={}, **shown)["item"],
            **{
                _tags(k): explainer.recommend(tags=dict(state[:k]), **shown)["item"]
                for k in (*(k for k in _TAGS if k < n_tags), n_tags)
            },
        }
        for name, listed in lists.items():
            columns[f"NDCG@{_LENGTH} {name}"].append(ndcg(listed, held_out[user]))
    found = {name: np.array(values) for name, values in columns.items()}
    base = found[f"NDCG@{_LENGTH} popular items"]
    name = prefix("beyond newcomers", data_name, model_name)
    rows = [mean_row(name, column, values) for column, values in found.items()]
    return rows + [
        mean_row(name, f"{column} - popular items", values - base)
        for column, values in found.items()
        if "tag" in column
    ]


def ndcg(listed: Iterable[Any], wanted: set[Any]) -> float:
    """Return the discounted gain of a list, each item wanted counting the same."""
    hits: NDArray = np.array([item in wanted for item in listed], dtype=float)
    return float(hits @ _GAINS[: len(hits)] / _GAINS[: len(wanted)].sum())


def _tags(k: int) -> str:
    return "1 tag" if k == 1 else f"{k} tags"
