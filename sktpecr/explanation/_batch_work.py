"""What a worker of a batch does whatever it tells of lists, and all it has to know."""

from __future__ import annotations

from copy import copy, deepcopy
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sktpecr._inputs._catalogue import Catalogue
from sktpecr._utils._lazily import lazily
from sktpecr._utils._top_lists import products_of_pairs
from sktpecr.explanation._some_users import GivenPairs, SomeUsers
from sktpecr.recommenders._factor_recommender import FactorRecommender
from sktpecr.recommenders._protocol import is_dot_product, item_biases_of
from sktpecr.tags._tag_model import TagModel

# Scores, or contributions, of so many at a time: 16 MB in single precision.
_NUMBERS_A_BLOCK = 2**22


class Listed(NamedTuple):
    """Pairs of user and item in the order of the table; all of shape (n_pairs,)."""

    users: NDArray  # Rows of the users in their block
    items: NDArray
    ranks: NDArray
    scores: NDArray


# A pure function. Sent to another process, it leaves behind whatever there is of users: what is
# sent is as large as items and tags make it, however many users there are.
@dataclass(frozen=True, eq=False)
class BatchWork:
    """Tell something of the lists of users who bring along what is known of them."""

    tag_model: TagModel  # What an explainer learned
    item_ids: NDArray  # Raw ids of all items
    item_names: NDArray  # Names of all items
    listed: NDArray  # Which items may be recommended
    n_items: int  # Length of each list

    def __call__(self, users: SomeUsers) -> pd.DataFrame:
        """Return the part of the table that is of some users."""
        size = max(1, _NUMBERS_A_BLOCK // self._widest(users))
        lists: list[Listed] = []
        told: list[dict[str, NDArray]] = []
        n_pairs = 0
        for start in range(0, len(users.ids), size):
            some, rows = self._block(users.of(slice(start, start + size)))
            rows["pair"] = (rows["pair"] + n_pairs).astype(np.int32)
            lists.append(some._replace(users=(some.users + start).astype(np.int32)))
            told.append(rows)
            n_pairs += len(some.items)
        # A column at a time, and what it was made from is let go.
        rows = {name: np.concatenate([block.pop(name) for block in told]) for name in [*told[0]]}
        return self._table(
            users.ids,
            Listed(*(np.concatenate(column) for column in zip(*lists, strict=True))),
            rows,
        )

    def _block(self, users: SomeUsers) -> tuple[Listed, dict[str, NDArray]]:
        """Return the lists of few users, and columns of rows, of which "pair" says whose."""
        raise NotImplementedError

    def _table(self, user_ids: NDArray, lists: Listed, rows: dict[str, NDArray]) -> pd.DataFrame:
        """Return the lists, and what is told of them, as a table."""
        raise NotImplementedError

    def _whose(self, user_ids: NDArray, lists: Listed, pair: NDArray) -> dict[str, Any]:
        """Return the columns that say whose row it is, and of what."""
        # In the form that pandas gives to ids, from then on: once for each id that is listed, not
        # for every row, nor for all items, of which there may be a million.
        once, place = np.unique(lists.items, return_inverse=True)
        ids, item_ids, names = (
            pd.Series(each).array for each in (user_ids, self.item_ids[once], self.item_names[once])
        )
        return {
            "user": ids.take(lists.users[pair]),
            "rank": lists.ranks[pair],
            "item": item_ids.take(place[pair]),
            "name": names.take(place[pair]),
        }

    def _widest(self, users: SomeUsers) -> int:
        """Return how many numbers one user takes."""
        n_tags = len(self.tag_model.tags)
        n_listed = self.n_items
        if users.pairs is not None:
            n_listed = int(np.diff(users.pairs.indptr).max(initial=1))
        n_scored = 1 if is_dot_product(self.tag_model.recommender) else len(self.listed)
        return max(n_scored, n_listed * n_tags)

    def _lists(self, users: SomeUsers) -> Listed:
        """Return the list of each user: the pairs that were given, else the best items."""
        if users.pairs is not None:
            return self._given(users.embeddings, users.pairs)
        known = self.n_items, self.listed, users.seen
        n_listed, items, scores = self.tag_model.top_lists(users.embeddings, *known)
        places = np.repeat(np.arange(len(n_listed)), n_listed)
        ranks = np.arange(1, len(items) + 1) - np.repeat(np.cumsum(n_listed) - n_listed, n_listed)
        return Listed(places, items, ranks.astype(np.int32), scores)

    def _given(self, embeddings: NDArray, pairs: GivenPairs) -> Listed:
        """Return the pairs that were given, scored; of a dot product no other item is scored."""
        recommender, (indptr, items, ranks, given_scores) = self.tag_model.recommender, pairs
        n_listed = np.diff(indptr)
        places = np.repeat(np.arange(len(n_listed)), n_listed)
        if is_dot_product(recommender):
            factors = np.asarray(recommender.item_embeddings)
            scores = products_of_pairs(embeddings, factors, places, items)
            scores = scores + item_biases_of(recommender)[items].astype(scores.dtype)
        else:
            scores = np.concatenate(
                [
                    np.asarray(recommender.score_items(embeddings[[place]], items[start:stop]))[0]
                    for place, (start, stop) in enumerate(pairwise(indptr))
                ]
            )
        if ranks is None:
            order = np.lexsort([-(scores if given_scores is None else given_scores), places])
            ranks = np.empty(len(items), dtype=np.int32)
            ranks[order] = np.arange(1, len(items) + 1) - indptr[places]
        return Listed(places, items, ranks, scores)

    @lazily
    def _tag_model_without_users(self) -> TagModel:
        whole, recommender = self.tag_model, self.tag_model.recommender
        nobody = replace(
            whole,
            catalogue=Catalogue((0, 0), None, None, None, None),
            user_embeddings=_none_of(whole.user_embeddings),
            learners=_none_of(whole.learners),
            folded=_none_of(whole.folded),
        )
        # What is in the memo is taken for copied already, wherever it turns up.
        given = whole.extractor.item_tags
        memo: dict[int, Any] = {} if given is None else {id(given): given}
        if isinstance(recommender, FactorRecommender):
            bare = copy(recommender)
            bare.user_embeddings, bare._fold_in = _none_of(bare.user_embeddings), None
            memo[id(recommender)] = bare
        else:
            users = recommender.user_embeddings
            memo[id(users)] = _none_of(users)
        return deepcopy(nobody, memo)

    def __getstate__(self) -> dict[str, Any]:
        # The same arrays every time: joblib then writes them to its shared memory once.
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**given, "tag_model": self._tag_model_without_users}


def _none_of(rows: NDArray) -> NDArray:
    """Return no rows, in memory of their own: a view would bring the others along."""
    return np.empty((0, *rows.shape[1:]), dtype=rows.dtype)
