"""Beyond the paper: items that the model was not trained on, scored through their tags.

A tenth of the items are taken out of the training interactions, and a model is trained on the rest.
Who of the users interacts with them, in interactions that nothing has learned from, is told by the
scores that their tags suggest, by the mean of the user's preferences for their tags, and, as the
most that there is to reach, by the same model trained on them: the share of pairs of a new item
that the user had and one that the user had not in which the first scores more (AUC).
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from benchmarks.common.rows import Row, mean_row, prefix, row
from benchmarks.common.world import trained, world
from sktpecr import TagPreferenceExtractor
from sktpecr.recommenders import NewItemsRecommender

_SHARE, _USERS = 0.1, 5000


def new_items(
    data_name: str, data_dir: Path | None, model_name: str, figures_dir: Path | None
) -> list[Row]:
    """Return how well new items are told apart, and the share of scores that tags tell."""
    here = world(data_name, data_dir, model_name)
    n_items = here.train.shape[1]
    order = np.random.RandomState(0).permutation(n_items)
    new, old = np.split(order, [int(_SHARE * n_items)])
    tags = here.data.item_tags
    known = tags.iloc[old]
    known = known.loc[:, (known != 0).any()]
    without, _ = trained(model_name, here.train[:, old].tocsr(), known)
    recommender = NewItemsRecommender(without, known, tags.iloc[new][known.columns])
    extractor = TagPreferenceExtractor(without, known).fit(here.train[:, old])
    on_item = tags.iloc[new][known.columns].to_numpy(dtype=np.float64)
    on_item = on_item / np.maximum(on_item.sum(axis=1, keepdims=True), 1)

    numbers = dict(zip(here.data.item_ids[new], range(len(new)), strict=True))
    had: dict[object, list[int]] = defaultdict(list)
    for user, item in [*here.pairs, *here.learn_pairs]:
        if item in numbers:
            had[user].append(numbers[item])
    rows_of = {user: place for place, user in enumerate(here.data.user_ids)}
    found = defaultdict(list)
    for user in list(had)[:_USERS]:
        place = rows_of[user]
        others = np.ones(len(new), dtype=bool)
        others[here.train[place, new].indices] = False  # had in training, of all items
        others[had[user]] = False
        if not others.any():
            continue
        embedding = recommender.user_embeddings[[place]]
        ways = {
            "by tags": recommender.score_items(embedding)[0, len(old) :],
            "by the mean of its tags' preferences": on_item
            @ extractor.tag_preferences(embedding)[0],
            "trained on": here.model.score_items(here.model.user_embeddings[[place]], new)[0],
        }
        for way, scores in ways.items():
            found[way].append(auc(scores[had[user]], scores[others]))
    name = prefix("beyond new-items", data_name, model_name)
    rows = [mean_row(name, f"AUC {way}", values) for way, values in found.items()]
    by_tags, by_mean = (np.array(found[way]) for way in list(found)[:2])
    return [
        *rows,
        mean_row(name, "AUC by tags - by the mean of its tags' preferences", by_tags - by_mean),
        row(name, "share of the variance of scores that tags tell", recommender.r2_),
        row(name, "new items", len(new)),
    ]


def auc(of_had: ArrayLike, of_others: ArrayLike) -> float:
    """Return the share of pairs in which the first scores more; ties count half."""
    had: NDArray = np.asarray(of_had)
    ranks = rankdata(np.concatenate([had, of_others]))
    n_others = len(ranks) - len(had)
    return float((ranks[: len(had)].sum() / len(had) - (len(had) + 1) / 2) / n_others)
