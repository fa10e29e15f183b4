"""The reasons for the lists of some users: a row for each reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sktpecr.explanation._batch_work import BatchWork, Listed
from sktpecr.explanation._evidence_of_pairs import N_EVIDENCE, evidence_of_pairs
from sktpecr.explanation._reasons import BELIEVED
from sktpecr.explanation._reasons_of_pairs import PairReasons, reasons_of_pairs
from sktpecr.explanation._some_users import SomeUsers
from sktpecr.explanation._words import STRENGTH_BOUNDS, STRENGTHS, joined


@dataclass(frozen=True, eq=False)
class ReasonsTeller(BatchWork):
    """Give the reasons for the lists of users who bring along what is known of them."""

    k: int  # See :meth:`TPECRExplainer.reasons_batch`

    def _block(self, users: SomeUsers) -> tuple[Listed, dict[str, NDArray]]:
        tag_model, lists = self.tag_model, self._lists(users)
        account, extractor = tag_model.attribution, tag_model.extractor
        preferences = extractor.tag_preferences(users.embeddings.astype(np.float64))
        tastes = account.tastes(preferences, users.embeddings)
        reasons = reasons_of_pairs(account, tastes, lists.users, lists.items, self.k)
        evidence = np.full((N_EVIDENCE, len(reasons.pair)), -1)
        if users.history is not None:
            evidence = evidence_of_pairs(
                account,
                reasons,
                lists.users,
                lists.items,
                users.history,
                are_unseen=users.seen is not None,
            )
        kept = (evidence[0] >= 0) | (reasons.contribution < 0) | (reasons.liking >= BELIEVED)
        # One row for an item without any: where it goes among the others, in order of pairs.
        named = reasons.pair[kept]
        none = np.flatnonzero(np.bincount(named, minlength=len(lists.items)) == 0)
        at = np.searchsorted(named, none)
        pair = np.insert(named, at, none)
        is_reason = np.insert(np.ones(len(named), dtype=bool), at, False)
        told = {
            "tag": (reasons.tag.astype(np.int32), -1),
            "liking": (reasons.liking, np.nan),
            "contribution": (reasons.contribution, np.nan),
            **{f"evidence_{n + 1}": (column, -1) for n, column in enumerate(evidence)},
        }
        columns = {
            name: _spread(values[kept], missing, is_reason)
            for name, (values, missing) in told.items()
        }
        joined_texts, is_joined = self._joined(reasons, kept)
        columns["is_joined"] = _spread(is_joined, False, is_reason)
        return lists, {"pair": pair, **columns, "joined": joined_texts}

    def _joined(self, reasons: PairReasons, kept: NDArray) -> tuple[NDArray, NDArray]:
        """Return the texts of kept reasons that are of tags which are one, and which these are."""
        is_joined = kept & (np.diff(reasons.indptr) > 1)
        names = self.tag_model.tags.array()
        known: dict[tuple[int, ...], str] = {}
        texts = np.empty(np.count_nonzero(is_joined), dtype=object)
        for place, at in enumerate(np.flatnonzero(is_joined).tolist()):
            tags = tuple(reasons.tags[reasons.indptr[at] : reasons.indptr[at + 1]].tolist())
            if tags not in known:
                known[tags] = joined([str(names[tag]) for tag in tags])
            texts[place] = known[tags]
        return texts, is_joined[kept]

    def _table(self, user_ids: NDArray, lists: Listed, rows: dict[str, NDArray]) -> pd.DataFrame:
        tags = pd.Index(self.tag_model.tags.array())
        is_reason, speaks_for = rows["tag"] >= 0, rows["contribution"] > 0
        strength = np.searchsorted(STRENGTH_BOUNDS, rows["liking"], side="right")
        strength = np.where(is_reason, np.where(speaks_for, strength, len(STRENGTHS)), -1)
        words = pd.Index([*STRENGTHS, "less"])
        own_items = pd.array(self.item_ids)
        # Of each text once, not for every row.
        codes, others = pd.factorize(rows["joined"])
        texts, of_row = pd.array([*map(str, tags), *others], dtype="string"), rows["tag"].copy()
        of_row[rows["is_joined"]] = len(tags) + codes
        return pd.DataFrame(
            {
                **self._whose(user_ids, lists, rows["pair"]),
                "reason": texts.take(of_row, allow_fill=True),
                "tag": pd.Categorical.from_codes(rows["tag"], categories=tags),
                "speaks_for": pd.arrays.BooleanArray(speaks_for, ~is_reason),
                "strength": pd.Categorical.from_codes(strength, categories=words),
                "liking": rows["liking"],
                "contribution": rows["contribution"],
                **{
                    name: own_items.take(rows[name], allow_fill=True)
                    for name in rows
                    if name.startswith("evidence")
                },
            }
        )


def _spread(values: NDArray, missing: Any, is_reason: NDArray) -> NDArray:
    """Return the values in the rows that are reasons, `missing` in the others."""
    column = np.full(len(is_reason), missing, dtype=values.dtype)
    column[is_reason] = values
    return column
