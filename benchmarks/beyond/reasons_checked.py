"""Reasons where the truth is known: beliefs that were put in, and tastes that were planted."""

from __future__ import annotations

from collections.abc import Iterator
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
    Told,
    account_reasons,
    fitted_account,
    tell_importances,
)
from sktpecr import TagPreferenceExtractor
from sktpecr.attribution import AccountAttribution
from sktpecr.recommenders import as_recommender
from sktpecr.recommenders._protocol import fold_in

# A list of ten shows a belief in a tag that so many of its items are new in.
_MORE_LISTED = 3
_DISLIKED = 0.5  # below the average taste by so many standard deviations


def poisoned(
    recommender: Any, account: AccountAttribution, tastes: NDArray, data: Tagged, dose: float
) -> dict[str, float]:
    """Add items of a tag that users dislike to their histories, and see whether reasons say so.

    The protocol. A user whose taste for a tag is half a standard deviation below the average, or
    more, gets `dose` items of the tag, drawn at random, for each item of the history, at least
    five, as if she had taken them; the model folds her in again. The model holds the wrong belief
    where the tag has at least three items more in her list of ten, none of them the added ones. It
    is spotted where a reason printed for a new one names the tag, or one that users' tastes do not
    tell from it (its alias), as liked: what a reader of the list sees. Beside it, of each item of
    the tag that is new in a list, whether its own reasons do ("named"). Reasons are at most three
    (k=3), or two.
    """
    X, rng = data.interactions, np.random.RandomState(0)
    enough = np.flatnonzero(np.diff(X.indptr) >= 2 * FEWEST)
    extractor = TagPreferenceExtractor(recommender, data.item_tags).fit(X)
    carried = account.carried_.tocsc()
    named: dict[int, list[bool]] = {2: [], 3: []}
    spotted: dict[int, list[bool]] = {2: [], 3: []}
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
        counts = [np.isin(each, of_tag).sum() for each in lists]
        first_new = len(named[3])
        for item in new:
            own = account.contributions(now, [0], [item])
            for k in named:
                reasons = account_reasons(account, own, 0, item, now[0], k) if len(own.data) else []
                says = account.says_more_than_chance([item])[0]
                tags = [t for each in reasons if each.speaks_for for t in each.tags]
                aliases = {int(account.aliases_[each]) for each in tags}
                named[k].append(bool(says and account.aliases_[tag] in aliases))
        if counts[1] >= counts[0] + _MORE_LISTED:
            for k in named:
                spotted[k].append(any(named[k][first_new:]))
    shares = {
        f"wrong belief {dose} spotted, k={k}": float(np.mean(each)) if each else float("nan")
        for k, each in spotted.items()
    }
    shares[f"wrong beliefs {dose} held"] = float(len(spotted[3]))
    return (
        shares
        | {
            f"wrong belief {dose} named, k={k}": float(np.mean(each)) if each else float("nan")
            for k, each in named.items()
        }
        | {f"wrong items {dose} listed": float(len(named[3]))}
    )


def planted() -> pd.DataFrame:
    """Return how often the tag that truly did most is named first, of items that get a reason.

    The world is `planted_world`'s: 1,000 users, 300 items of one to four tags out of eight, which
    come in pairs that correlate in users' tastes and on items; a score is the sum of a user's
    tastes for an item's tags, each times what the tag weighs on this item, and popularity, and in
    half of the worlds four tastes that no tag tells of. "given": the model is these factors.
    "trained": ALS learns from a tenth of the cells, drawn with odds that rise with the score.

    What truly did most is the weight times the taste, without what lifts all of a user's scores, as
    the account tells it ("beyond the level"), or with it. "oracle" has the true weights and reads
    the true tastes off the model's embeddings, by regression over users: what it misses, the model
    has not learned.
    """
    table = {}
    for trained_by, unseen in ((None, False), (None, True), ("ALS", False), ("ALS", True)):
        for correlation in (0.3, 0.6, 0.9):
            right: dict[str, list[bool]] = {}
            for seed in (1, 2, 3):
                rung = Rung("", unseen=unseen, correlation=correlation, trained=trained_by)
                for name, found in _planted_cases(Planted(rung, seed), seed):
                    right.setdefault(name, []).append(found)
            made = "trained" if trained_by else "given"
            what = f"{made}{', unseen taste' if unseen else ''}, {correlation}"
            table[what] = {name: np.mean(each) for name, each in right.items()}
    return pd.DataFrame(table).T


def _planted_cases(world: Planted, seed: int) -> Iterator[tuple[str, bool]]:
    given, X = world.recommender()
    recommender, item_tags = as_recommender(given), sp.csr_matrix(world.item_tags, dtype=float)
    data = Tagged(sp.csr_matrix(X), item_tags, np.arange(item_tags.shape[1]))
    account, tastes, _ = fitted_account(recommender, data)
    away = world.tastes - world.tastes.mean(axis=0)
    level = world.scores.mean(axis=1) - world.scores.mean()
    beyond = away - np.outer(level, level @ away / (level @ level))
    embeddings = np.column_stack([recommender.user_embeddings, np.ones(len(tastes))])
    read = embeddings @ np.linalg.lstsq(embeddings, beyond, rcond=None)[0]
    rng = np.random.RandomState(seed)
    users = np.repeat(rng.permutation(len(tastes))[:50], 20)
    items = np.concatenate([rng.permutation(item_tags.shape[0])[:20] for _ in range(50)])
    weights = world.weights[items]
    truths = {
        "": np.abs(weights * beyond[users]).argmax(axis=1),
        ", with the level": np.abs(weights * away[users]).argmax(axis=1),
    }
    guesses = np.abs(weights * read[users]).argmax(axis=1)
    named = _largest(tell_importances(recommender, data, np.column_stack([users, items])))
    own = account.contributions(tastes, users, items)
    for row in np.flatnonzero(account.says_more_than_chance(items)):
        reasons = account_reasons(account, own, row, items[row], tastes[users[row]], 3)
        if not reasons:
            continue
        tags = max(reasons, key=lambda each: abs(each.contribution)).tags
        yield "oracle", bool(guesses[row] == truths[""][row])
        for name, truth in truths.items():
            yield f"account{name}", truth[row] in tags
            yield f"importances{name}", truth[row] == named.get(row)


def _largest(told: Told) -> dict[int, int]:
    """Return the tag that is named with the largest contribution, of each pair."""
    order = np.argsort(np.abs(told.contributions), kind="stable")
    return dict(zip(told.pairs[order].tolist(), told.tags[order].tolist(), strict=True))
