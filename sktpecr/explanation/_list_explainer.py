"""The lists of some users, explained: what a worker of a batch does, and all it has to know."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy, deepcopy
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from sktpecr._inputs._catalogue import Catalogue
from sktpecr._utils._ranking import top_items
from sktpecr.attribution import AccountAttribution
from sktpecr.recommenders._factor_recommender import FactorRecommender
from sktpecr.tags._tag_model import TagModel

# Scores, or contributions, of so many at a time: 16 MB in single precision.
_NUMBERS_A_BLOCK = 2**22


# Raw ids, shape (n,); embeddings, shape (n, n_factors); and what not to list, shape (n, n_items),
# None if nothing is to be left out.
class SomeUsers(NamedTuple):
    """What is known of some users: all that a worker is given of them."""

    ids: NDArray
    embeddings: NDArray
    seen: sp.csr_matrix | None

    def seen_by(self, place: int) -> NDArray:
        """Return the columns of what one of them is not to be listed."""
        if self.seen is None:
            return np.empty(0, dtype=np.intp)
        return self.seen.indices[self.seen.indptr[place] : self.seen.indptr[place + 1]]


# A pure function. Sent to another process, it leaves behind whatever there is of users: what is
# sent is as large as items and tags make it, however many users there are.
@dataclass(frozen=True, eq=False)
class ListExplainer:
    """Explain the lists of users who bring along what is known of them."""

    tag_model: TagModel  # What an explainer learned
    item_ids: NDArray  # Raw ids of all items
    listed: NDArray  # Which items may be recommended
    n_items: int  # See :meth:`ExplainBatch.explain_batch`
    n_tags: int  # See :meth:`ExplainBatch.explain_batch`

    def __call__(self, users: SomeUsers) -> pd.DataFrame:
        """Return the part of the table that is of some users."""
        n_tags = len(self.tag_model.tags)
        widest = max(len(self.listed), self.n_items * n_tags)
        size = max(1, _NUMBERS_A_BLOCK // widest)
        blocks = [
            self._block(users, slice(start, start + size))
            for start in range(0, len(users.ids), size)
        ]
        table = {
            name: np.concatenate([block[name] for block in blocks], axis=0) for name in blocks[0]
        }
        each = table["tag"].shape[1]
        tags = pd.Index(self.tag_model.tags.array())
        # In the form that pandas gives to ids, from then on: of each id once, not for every row.
        ids, item_ids = pd.Series(users.ids).array, pd.Series(self.item_ids).array
        return pd.DataFrame(
            {
                "user": ids.take(np.repeat(table["user"], each)),
                "rank": np.repeat(table["rank"], each),
                "item": item_ids.take(np.repeat(table["item"], each)),
                "score": np.repeat(table["score"], each),
                # Numbers and one list of names: half the memory of the names themselves.
                "tag": pd.Categorical.from_codes(table["tag"].ravel(), categories=tags),
                "importance": table["importance"].ravel(),
                "contribution": table["contribution"].ravel(),
                "fidelity": np.repeat(table["fidelity"], each),
            }
        )

    def _block(self, users: SomeUsers, block: slice) -> dict[str, NDArray]:
        """Return columns of so few users that what is computed on the way has room."""
        # Shape (n_pairs,), pairs of user and item in the order of the table, and (n_pairs, n_tags)
        # for what is said of tags.
        tag_model, embeddings = self.tag_model, users.embeddings[block]
        scores = tag_model.recommender.score_items(embeddings)
        lists = [
            top_items(scores[place], allowed, self.n_items)
            for place, allowed in enumerate(self._allowed(users, block))
        ]
        places = np.repeat(np.arange(len(lists)), [len(each) for each in lists])
        items = np.concatenate(lists)
        preferences = tag_model.extractor.tag_preferences(embeddings.astype(np.float64))
        importances, contributions, fidelity = self._attributed(preferences, embeddings, lists)
        tags = np.argsort(-np.abs(contributions), axis=1, kind="stable")[:, : self.n_tags]
        ranks = [np.arange(1, len(each) + 1, dtype=np.int32) for each in lists]
        return {
            "user": places + block.start,
            "rank": np.concatenate(ranks),
            "item": items,
            "score": scores[places, items],
            "fidelity": fidelity * tag_model.fidelity(items),
            "tag": tags.astype(np.int32),
            "importance": np.take_along_axis(importances, tags, axis=1),
            "contribution": np.take_along_axis(contributions, tags, axis=1),
        }

    def _allowed(self, users: SomeUsers, block: slice) -> Iterator[NDArray]:
        """Yield which items each user may be recommended; not to be kept by who asks."""
        allowed = self.listed.copy()
        for place in range(*block.indices(len(users.ids))):
            own = users.seen_by(place)
            allowed[own] = False
            yield allowed
            allowed[own] = self.listed[own]

    def _attributed(
        self, preferences: NDArray, embeddings: NDArray, lists: list[NDArray]
    ) -> tuple[NDArray, NDArray, NDArray]:
        """Return importances, contributions and fidelity of all pairs, one list after another."""
        attribution, vs_mean = self.tag_model.attribution, self.tag_model.vs_mean(preferences)
        places = np.repeat(np.arange(len(lists)), [len(each) for each in lists])
        items = np.concatenate(lists)
        if isinstance(attribution, AccountAttribution):
            tastes = attribution.tastes(preferences, embeddings)
            contributions = attribution.contributions(tastes, places, items).toarray()
            importances = attribution.weights_[items].toarray() * attribution.scale_
            return importances, contributions, attribution.fidelity_[items]
        if hasattr(attribution, "importances"):  # the same for every user, and exact
            once, of_pair = np.unique(items, return_inverse=True)
            importances = attribution.importances(once)[of_pair]
            return importances, importances * vs_mean[places], np.ones(len(of_pair))
        found = [
            attribution.attribute(*of_user)
            for of_user in zip(preferences, embeddings, lists, strict=True)
        ]
        told = [each.told(own)[0] for each, own in zip(found, vs_mean, strict=True)]
        return (
            np.concatenate([each.importances for each in found], axis=0),
            np.concatenate(told, axis=0),
            np.concatenate([each.fidelity for each in found]),
        )

    @cached_property
    def _tag_model_without_users(self) -> TagModel:
        whole, recommender = self.tag_model, self.tag_model.recommender
        nobody = replace(
            whole,
            catalogue=Catalogue((0, 0), None, None, None, None),
            user_embeddings=_none_of(whole.user_embeddings),
            learners=_none_of(whole.learners),
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
