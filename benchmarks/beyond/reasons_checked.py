"""Reasons where the truth is known: beliefs that were put in, and tastes that were planted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from benchmarks.beyond.planted_world import Planted, Rung
from benchmarks.beyond.reasons_named import (
    FEWEST,
    N_LISTED,
    N_USERS,
    Tagged,
    account_reasons,
    fitted_account,
    tell_today,
)
from sktpecr import TagPreferenceExtractor
from sktpecr.attribution import AccountAttribution
from sktpecr.recommenders import as_recommender
from sktpecr.recommenders._protocol import fold_in

_DISLIKED = 0.5  # below the average taste by so many standard deviations


def poisoned(
    recommender: Any, account: AccountAttribution, tastes: NDArray, data: Tagged, dose: float
) -> dict[str, float]:
    """Add items of a tag that users dislike to their histories, and see whether reasons say so.

    So many for each item of the history, at least five. Counted are the items of the tag that are
    new in the list, and whether a reason for them names the tag: of three reasons, and of two.
    """
    X, rng = data.interactions, np.random.RandomState(0)
    enough = np.flatnonzero(np.diff(X.indptr) >= 2 * FEWEST)
    extractor = TagPreferenceExtractor(recommender, data.item_tags).fit(X)
    carried = data.item_tags.tocsc()
    named: dict[int, list[bool]] = {2: [], 3: []}
    for user in rng.permutation(enough)[:N_USERS]:
        likings = tastes[user] / account.scale_
        disliked = np.flatnonzero((likings < -_DISLIKED) & account.used_)
        if not len(disliked):
            continue
        tag = int(rng.choice(disliked))
        of_tag = carried.indices[carried.indptr[tag] : carried.indptr[tag + 1]]
        history = X[user].indices
        wrong = rng.permutation(np.setdiff1d(of_tag, history))[
            : max(FEWEST, int(dose * len(history)))
        ]
        row = X[user].tolil()
        row[0, wrong] = X[user].data.mean()
        before, after = (
            fold_in(recommender, sp.csr_matrix(each)).astype(np.float64) for each in (X[user], row)
        )
        lists = []
        for embedding in (before, after):
            scores = recommender.score_items(embedding)[0]
            scores[np.append(history, wrong)] = -np.inf
            lists.append(np.argsort(-scores, kind="stable")[:N_LISTED])
        new = np.setdiff1d(np.intersect1d(lists[1], of_tag), lists[0])
        now = account.tastes(extractor.tag_preferences(after), after)
        for item in new:
            own = account.contributions(now, [0], [item])
            for k in named:
                reasons = account_reasons(account, own, 0, item, now[0], k) if len(own.data) else []
                says = account.says_more_than_chance([item])[0]
                tags = [t for each in reasons if each.speaks_for for t in each.tags]
                named[k].append(bool(says and tag in tags))
    return {
        f"wrong belief {dose} named, k={k}": float(np.mean(each)) if each else float("nan")
        for k, each in named.items()
    } | {f"wrong items {dose} listed": float(len(named[3]))}


def planted() -> pd.DataFrame:
    """Return how often the tag that truly did most is named first, of items that get a reason."""
    table = {}
    for trained_by, unseen in ((None, False), (None, True), ("ALS", False), ("ALS", True)):
        for correlation in (0.3, 0.6, 0.9):
            right: dict[str, list[bool]] = {"today": [], "account": []}
            for seed in (1, 2, 3):
                rung = Rung("", unseen=unseen, correlation=correlation, trained=trained_by)
                _planted_cases(Planted(rung, seed), np.random.RandomState(seed), right)
            what = f"{trained_by or 'given'}{', unseen taste' if unseen else ''}, {correlation}"
            table[what] = {name: np.mean(each) for name, each in right.items()}
    return pd.DataFrame(table).T


def _planted_cases(
    world: Planted, rng: np.random.RandomState, right: dict[str, list[bool]]
) -> None:
    given, X = world.recommender()
    recommender, item_tags = as_recommender(given), sp.csr_matrix(world.item_tags, dtype=float)
    data = Tagged(sp.csr_matrix(X), item_tags, np.arange(item_tags.shape[1]))
    account, tastes, _ = fitted_account(recommender, data)
    for user in rng.permutation(len(tastes))[:50]:
        items = rng.permutation(item_tags.shape[0])[:20]
        first = np.abs(world.truth(user, items)[0]).argmax(axis=1)
        pairs = np.column_stack([np.full(len(items), user), items])
        own = account.contributions(tastes, pairs[:, 0], items)
        says = account.says_more_than_chance(items)
        for row in np.flatnonzero(says):
            reasons = account_reasons(account, own, row, items[row], tastes[user], 3)
            if reasons:
                largest = max(reasons, key=lambda each: abs(each.contribution))
                right["account"].append(first[row] in largest.tags)
        today = tell_today(recommender, data, pairs)
        for row in np.unique(today.pairs):
            places = np.flatnonzero(today.pairs == row)
            largest_place = places[np.abs(today.contributions[places]).argmax()]
            right["today"].append(first[row] == today.tags[largest_place])
