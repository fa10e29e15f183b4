"""The lists of some users, explained: a row for each tag that is told of an item."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sktpecr.attribution import AccountAttribution
from sktpecr.explanation._batch_work import BatchWork, Listed
from sktpecr.explanation._some_users import SomeUsers


@dataclass(frozen=True, eq=False)
class ListExplainer(BatchWork):
    """Explain the lists of users who bring along what is known of them."""

    n_tags: int  # See :meth:`TPECRExplainer.explain_batch`

    def _block(self, users: SomeUsers) -> tuple[Listed, dict[str, NDArray]]:
        attribution, lists = self.tag_model.attribution, self._lists(users)
        extractor, embeddings = self.tag_model.extractor, users.embeddings
        preferences = extractor.tag_preferences(embeddings.astype(np.float64))
        if isinstance(attribution, AccountAttribution):
            rows = self._accounted(attribution, preferences, embeddings, lists)
        else:
            rows = self._attributed(preferences, embeddings, lists)
        if users.kept is not None:
            rows["fidelity"] = rows["fidelity"] * users.kept[lists.users[rows["pair"]]]
        if users.pairs is not None and users.pairs.scores is not None:
            shares = _reproduced(lists.users, lists.scores, users.pairs.scores)
            rows["fidelity"] = rows["fidelity"] * shares[lists.users[rows["pair"]]]
        return lists, rows

    def _table(self, user_ids: NDArray, lists: Listed, rows: dict[str, NDArray]) -> pd.DataFrame:
        pair, tags = rows["pair"], pd.Index(self.tag_model.tags.array())
        return pd.DataFrame(
            {
                **self._whose(user_ids, lists, pair),
                "score": lists.scores[pair],
                # Numbers and one list of names: half the memory of the names themselves.
                "tag": pd.Categorical.from_codes(rows["tag"], categories=tags),
                "on_item": rows["on_item"],
                "importance": rows["importance"],
                "contribution": rows["contribution"],
                "fidelity": rows["fidelity"],
            }
        )

    def _accounted(
        self,
        account: AccountAttribution,
        preferences: NDArray,
        embeddings: NDArray,
        lists: Listed,
    ) -> dict[str, NDArray]:
        """Return columns for the item's own tags that count, and one row where none does."""
        tastes = account.tastes(preferences, embeddings)
        told = account.contributions(tastes, lists.users, lists.items)
        n_own = np.diff(told.indptr)
        pair = np.repeat(np.arange(len(lists.items)), n_own)
        order = np.lexsort([-np.abs(told.data), pair])
        order = order[_places(told.indptr, pair[order]) < self.n_tags]
        none = np.flatnonzero(n_own == 0)
        # Where each missing row goes among the others, which are in order of pairs already.
        at = np.searchsorted(pair[order], none)
        tags = told.indices[order]
        weights = account.weights_[lists.items].data[order] * account.scale_[tags]
        pairs = np.insert(pair[order], at, none)
        return {
            "pair": pairs,
            "tag": np.insert(tags, at, -1).astype(np.int32),
            "on_item": np.insert(np.ones(len(order), dtype=bool), at, False),
            "importance": np.insert(weights, at, 0.0),
            "contribution": np.insert(told.data[order], at, 0.0),
            "fidelity": self._fidelity(account.fidelity_[lists.items], lists)[pairs],
        }

    def _attributed(
        self, preferences: NDArray, embeddings: NDArray, lists: Listed
    ) -> dict[str, NDArray]:
        """Return columns for `n_tags` tags of each pair, the item's own before the others."""
        importances, contributions, fidelity = self._all_tags(preferences, embeddings, lists)
        on_item = self.tag_model.item_tags[lists.items].toarray() != 0
        tags = np.lexsort([-np.abs(contributions), ~on_item])[:, : self.n_tags]
        pairs = np.repeat(np.arange(len(tags)), tags.shape[1])
        return {
            "pair": pairs,
            "tag": tags.ravel().astype(np.int32),
            **{
                name: np.take_along_axis(values, tags, axis=1).ravel()
                for name, values in (
                    ("on_item", on_item),
                    ("importance", importances),
                    ("contribution", contributions),
                )
            },
            "fidelity": self._fidelity(fidelity, lists)[pairs],
        }

    def _fidelity(self, told: NDArray, lists: Listed) -> NDArray:
        return told * self.tag_model.fidelity(lists.items)

    def _all_tags(
        self, preferences: NDArray, embeddings: NDArray, lists: Listed
    ) -> tuple[NDArray, NDArray, NDArray]:
        """Return importances, contributions (n_pairs, n_tags) and fidelity of all pairs."""
        attribution, vs_mean = self.tag_model.attribution, self.tag_model.vs_mean(preferences)
        if hasattr(attribution, "importances"):  # the same for every user, and exact
            once, of_pair = np.unique(lists.items, return_inverse=True)
            importances = attribution.importances(once)[of_pair]
            return importances, importances * vs_mean[lists.users], np.ones(len(of_pair))
        of_user = np.split(lists.items, np.searchsorted(lists.users, np.arange(1, len(embeddings))))
        found = [
            attribution.attribute(*each)
            for each in zip(preferences, embeddings, of_user, strict=True)
        ]
        told = [each.told(own)[0] for each, own in zip(found, vs_mean, strict=True)]
        return (
            np.concatenate([each.importances for each in found], axis=0),
            np.concatenate(told, axis=0),
            np.concatenate([each.fidelity for each in found]),
        )


def _reproduced(users: NDArray, own: NDArray, given: NDArray) -> NDArray:
    """Return how much of the variance of each user's given scores the recommender's own tell."""
    # R^2 of a line through the user's pairs, adjusted for its slope; NaN where it says nothing.
    n = np.bincount(users)
    ours, theirs = (
        scores - (np.bincount(users, scores) / n)[users] for scores in (own.astype("f8"), given)
    )
    products = [np.bincount(users, each) for each in (ours * theirs, ours**2, theirs**2)]
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = products[0] / np.sqrt(products[1] * products[2])
        left = (1 - correlation**2) * (n - 1) / (n - 2)
    known = (n > 2) & ~np.isnan(correlation)
    return np.where(known, np.where(correlation > 0, np.clip(1 - left, 0, 1), 0.0), np.nan)


def _places(indptr: NDArray, rows: NDArray) -> NDArray:
    """Return the place of each entry in its row, entries being in order of rows."""
    return np.arange(len(rows)) - indptr[rows]
