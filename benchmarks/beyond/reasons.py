"""Reasons that people read: today's importances against the account, on trained models.

    python benchmarks/experiments/reasons.py --data-dir DIR
    python benchmarks/experiments/reasons.py --data-dir DIR --data goodbooks --tags shelves-300

For users drawn by seed and the first ten of their lists: what each method would name, and whether
it holds. "today" is ExactAttribution with what its text names (at most three own tags for and three
against, two others each way); "account" is AccountAttribution with `select_reasons`. Trainings
are the same model with another seed, and with another seed on 98 % of the interactions.

* odd sign, off item: shares of the tags named.
* claims true: the tag's share of the user's own history lies on the side of the average share that
  was claimed. The account words a liking for a tag that nothing taken carries as the model's
  belief, which is no such claim; "beliefs too" counts them.
* less obeyed: "less X", X the tag named with the largest contribution for the item, closed form,
  strength 1, lowers the item's score against the mean of the user's first hundred.
* same top, Spearman, top 3 kept: of own tags' contributions, between trainings.
* wrong belief: see `poisoned`.
* none: pairs without any tag named. more than chance: items whose own tags tell of their scores
  what dealt tags do not.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments.data import load
from experiments.planted_world import Planted, Rung

from sktpecr import FeedbackRefiner, GaussianGenerator, TagPreferenceExtractor, TPECRExplainer
from sktpecr.attribution import AccountAttribution
from sktpecr.attribution._composite import CompositeFunction
from sktpecr.explanation import Reason
from sktpecr.explanation._reasons import OwnTags, select_reasons
from sktpecr.explanation._words import worth_saying
from sktpecr.metrics import (
    claims_true,
    contribution_stability,
    lowered_in_list,
    same_top_tag,
    sign_sense,
    tags_on_item,
)
from sktpecr.recommenders import as_recommender
from sktpecr.recommenders._protocol import fold_in

_MEMORY = joblib.Memory(os.environ.get("SKTPECR_BENCHMARK_CACHE"), verbose=0)
N_USERS, N_LISTED, N_ASKED, N_BESIDE, FEWEST = 300, 10, 300, 100, 5
_DISLIKED = 0.5  # below the average taste by so many standard deviations
# Items of a disliked tag that are added for each item of a history.
_DOSES = (0.5, 1.0)
# Seeds of the trainings, and the share of interactions that each leaves out.
TRAININGS = ((0, 0.0), (1, 0.0), (2, 0.02))


class Tagged(NamedTuple):
    """Interactions (n_users, n_items), item tags (n_items, n_tags), and names of the tags."""

    interactions: sp.csr_matrix
    item_tags: sp.csr_matrix
    tag_names: NDArray


class Told(NamedTuple):
    """What a method says of pairs.

    Contributions of own tags (n_pairs, n_tags); what it names: pairs, tags, contributions and
    likings, shape (n_named,); and seconds of its fit.
    """

    own: sp.csr_matrix
    pairs: NDArray
    tags: NDArray
    contributions: NDArray
    likings: NDArray
    fit_seconds: float


@_MEMORY.cache
def trained(name: str, X: sp.csr_matrix, seed: int, left_out: float) -> Any:
    kept = X.copy()
    kept.data[np.random.RandomState(seed).random_sample(X.nnz) < left_out] = 0
    kept.eliminate_zeros()
    makes = {"als": AlternatingLeastSquares, "bpr": BayesianPersonalizedRanking}
    model = makes[name](factors=64, random_state=seed, num_threads=1)
    model.fit(kept, show_progress=False)
    return as_recommender(model)


def tagged(data_name: str, data_dir: Path, kind: str) -> Tagged:
    data = load(data_name, data_dir)
    X = data.interactions.tocsr().astype(np.float32)
    if kind == "genres":
        return Tagged(
            X,
            sp.csr_matrix(data.item_tags.to_numpy(dtype=np.float64)),
            np.asarray(data.item_tags.columns),
        )
    shelves = pd.read_parquet(data_dir / "goodbooks-10k" / "item_tags.parquet")
    names = shelves["tag"].value_counts().index[: int(kind.removeprefix("shelves-"))]
    rows, columns = (
        index.get_indexer(shelves[column])
        for index, column in ((pd.Index(data.item_ids), "item_id"), (names, "tag"))
    )
    known = (rows >= 0) & (columns >= 0)
    cells = np.ones(known.sum()), (rows[known], columns[known])
    return Tagged(X, sp.csr_matrix(cells, shape=(X.shape[1], len(names))), np.asarray(names))


def tell_today(recommender: Any, data: Tagged, pairs: NDArray) -> Told:
    """Say what the exact attribution's text names."""
    extractor = TagPreferenceExtractor(recommender, data.item_tags).fit(data.interactions)
    embeddings = recommender.user_embeddings.astype(np.float64)
    preferences = extractor.tag_preferences(embeddings)
    start = time.perf_counter()
    generator = GaussianGenerator().fit(preferences, embeddings, tag_matrix=extractor.tag_matrix_)
    weights = recommender.item_embeddings.astype(np.float64) @ generator.gain_
    seconds = time.perf_counter() - start
    std = preferences.std(axis=0)
    moved = preferences[pairs[:, 0]] - preferences.mean(axis=0)
    contributions = weights[pairs[:, 1]] * moved
    likings = moved / np.where(std > 0, std, np.inf)
    on_item = data.item_tags[pairs[:, 1]]
    named = [
        (row, tag)
        for row, each in enumerate(contributions)
        for tag in _text_names(each, on_item[row].indices)
    ]
    rows, tags = np.array(named, dtype=np.intp).reshape(-1, 2).T
    own = on_item.copy()
    own.data = contributions[np.repeat(np.arange(len(pairs)), np.diff(own.indptr)), own.indices]
    return Told(own, rows, tags, contributions[rows, tags], likings[rows, tags], seconds)


def _text_names(contributions: NDArray, own: NDArray) -> Iterator[int]:
    on_item = np.isin(np.arange(len(contributions)), own)
    tags = worth_saying(contributions)
    for mask, most in ((on_item[tags], 3), (~on_item[tags], 2)):
        for sign in (1, -1):
            yield from tags[mask & (sign * contributions[tags] > 0)][:most]


def fitted_account(
    recommender: Any, data: Tagged, **params: Any
) -> tuple[AccountAttribution, NDArray, float]:
    """Return the account, everybody's tastes and how long fitting took."""
    extractor = TagPreferenceExtractor(recommender, data.item_tags).fit(data.interactions)
    embeddings = recommender.user_embeddings.astype(np.float64)
    preferences = extractor.tag_preferences(embeddings)
    start = time.perf_counter()
    account = AccountAttribution(random_state=0, **params).fit(
        CompositeFunction(recommender, None),
        preferences,
        embeddings,
        item_tags=data.item_tags,
        tag_matrix=extractor.tag_matrix_,
        interactions=data.interactions,
    )
    seconds = time.perf_counter() - start
    return account, account.tastes(preferences, embeddings), seconds


def tell_account(
    account: AccountAttribution, tastes: NDArray, seconds: float, data: Tagged, pairs: NDArray
) -> Told:
    """Say what the account names."""
    own = account.contributions(tastes, pairs[:, 0], pairs[:, 1])
    says = account.says_more_than_chance(pairs[:, 1])
    named = []
    for row in np.flatnonzero(says):
        named += [
            (row, reason.tag, reason.contribution, reason.liking)
            for reason in _reasons(account, own, row, tastes[pairs[row, 0]], 3)
        ]
    table = np.array(named).reshape(-1, 4)
    rows, columns = table[:, :2].astype(np.intp).T
    return Told(own, rows, columns, table[:, 2], table[:, 3], seconds)


def listed_pairs(recommender: Any, X: sp.csr_matrix) -> NDArray:
    """Draw users, and return them with the first ten unseen items of each (n_pairs, 2)."""
    enough = np.flatnonzero(np.diff(X.indptr) >= FEWEST)
    users = np.random.RandomState(0).permutation(enough)[:N_USERS]
    scores = recommender.score_items(recommender.user_embeddings[users])
    for row, user in enumerate(users):
        scores[row, X[user].indices] = -np.inf
    items = np.argsort(-scores, axis=1, kind="stable")[:, :N_LISTED]
    return np.column_stack([np.repeat(users, N_LISTED), items.ravel()])


def measure(
    data: Tagged,
    told: list[Told],
    pairs: NDArray,
    refiner: FeedbackRefiner,
    aliases: NDArray,
    beliefs: bool,
) -> dict[str, float]:
    """Return the figures of one method, told of the same pairs after each training."""
    first, other, fewer = told
    n_tags = first.own.shape[1]
    groups = sp.csr_matrix((np.ones(n_tags), (np.arange(n_tags), aliases)), shape=(n_tags, n_tags))
    X = data.interactions
    carried = (data.item_tags > 0).astype(np.float64)
    shares = sp.diags(1.0 / np.maximum(1, np.diff(X.indptr))) @ ((X > 0).astype(float) @ carried)
    users, items = pairs[first.pairs].T
    own_shares = np.asarray(shares[users, first.tags]).ravel()
    # Of a tag that nothing taken carries, the account says that the model believes it.
    claimed = (first.likings < 0) | (own_shares > 0) if beliefs else np.ones(len(users), bool)
    usual = np.asarray(shares.mean(axis=0)).ravel()
    return {
        "odd sign": 1 - sign_sense(first.contributions, first.likings),
        "off item": 1 - tags_on_item(data.item_tags, items, first.tags),
        "claims true": claims_true(
            first.likings[claimed], own_shares[claimed], usual[first.tags][claimed]
        ),
        "claims true, beliefs too": claims_true(first.likings, own_shares, usual[first.tags]),
        "less obeyed": _obeyed(first, pairs, refiner, X),
        "same top": same_top_tag(first.own, other.own),
        "same top, aliases as one": same_top_tag(first.own @ groups, other.own @ groups),
        "Spearman": contribution_stability(first.own, other.own),
        "top 3 kept": _kept(first.own, fewer.own),
        "none": 1 - len(np.unique(first.pairs)) / len(pairs),
        "named": len(first.pairs) / len(pairs),
        "fit s": first.fit_seconds,
    }


def _kept(first: sp.csr_matrix, second: sp.csr_matrix) -> float:
    """Return which share of the first three own tags for the item stay among them."""
    kept = []
    for row in range(first.shape[0]):
        tops = []
        for each in (first, second):
            part = slice(each.indptr[row], each.indptr[row + 1])
            order = np.argsort(-each.data[part], kind="stable")[:3]
            tops.append(set(each.indices[part][order][each.data[part][order] > 0].tolist()))
        if tops[0]:
            kept.append(len(tops[0] & tops[1]) / len(tops[0]))
    return float(np.mean(kept))


def _obeyed(told: Told, pairs: NDArray, refiner: FeedbackRefiner, X: sp.csr_matrix) -> float:
    """Return how often "less" of the tag that speaks most for an item lowers it in its list."""
    side = np.flatnonzero(told.contributions > 0)
    side = side[np.argsort(-told.contributions[side], kind="stable")]
    rows, places = np.unique(told.pairs[side], return_index=True)
    tags = told.tags[side][places]
    some = np.random.RandomState(0).permutation(len(rows))[:N_ASKED]
    extractor = refiner.explainer.extractor_
    recommender = extractor.recommender_
    fell = []
    for (user, item), tag in zip(pairs[rows[some]], tags[some], strict=True):
        with warnings.catch_warnings():
            # Of what is asked of many tags, much cannot be steered alone; it counts all the same.
            warnings.simplefilter("ignore", UserWarning)
            after = refiner.refine(int(user), dislike=extractor.tag_names_[tag]).embedding
        scores = recommender.score_items(np.stack([recommender.user_embeddings[user], after]))
        shown = scores[0].copy()
        shown[X[user].indices] = -np.inf
        others = np.setdiff1d(np.argsort(-shown, kind="stable")[:N_BESIDE], [item])
        fell.append(lowered_in_list(scores[0], scores[1], item, others))
    return float(np.mean(fell)) if fell else float("nan")


def cell(data_name: str, model_name: str, kind: str, data_dir: Path) -> pd.DataFrame:
    """Return a column of figures for each method."""
    data = tagged(data_name, data_dir, kind)
    recommenders = [trained(model_name, data.interactions, *each) for each in TRAININGS]
    pairs = listed_pairs(recommenders[0], data.interactions)
    explainer = TPECRExplainer(recommenders[0], data.item_tags, tag_names=data.tag_names)
    refiner = FeedbackRefiner(explainer.fit(data.interactions), solver="closed_form")
    accounts = [fitted_account(each, data) for each in recommenders]
    aliases = accounts[0][0].aliases_
    today = [tell_today(each, data, pairs) for each in recommenders]
    account = [tell_account(*each, data, pairs) for each in accounts]
    columns = {
        "today": measure(data, today, pairs, refiner, aliases, False),
        "account": measure(data, account, pairs, refiner, aliases, True),
    }
    one = accounts[0][0]
    columns["account"] |= _told(one)
    for dose in _DOSES:
        columns["account"] |= poisoned(recommenders[0], *accounts[0][:2], data, dose)
    dealt = data._replace(
        item_tags=data.item_tags[np.random.RandomState(0).permutation(data.item_tags.shape[0])]
    )
    by_chance = fitted_account(recommenders[0], dealt)
    random = tell_account(*by_chance, dealt, pairs)
    columns["account, tags dealt"] = _told(by_chance[0]) | {
        "none": 1 - len(np.unique(random.pairs)) / len(pairs),
        "named": len(random.pairs) / len(pairs),
    }
    print(f"\n{data_name} {model_name} {kind}: level {one.level_} of {one.level_agreement_}")
    print(pd.DataFrame(columns).round(3).to_string(na_rep="-"), flush=True)
    return pd.DataFrame(columns)


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
                reasons = _reasons(account, own, 0, now[0], k) if len(own.data) else []
                says = account.says_more_than_chance([item])[0]
                tags = [t for each in reasons if each.speaks_for for t in each.tags]
                named[k].append(bool(says and tag in tags))
    return {
        f"wrong belief {dose} named, k={k}": float(np.mean(each)) if each else float("nan")
        for k, each in named.items()
    } | {f"wrong items {dose} listed": float(len(named[3]))}


def _reasons(
    account: AccountAttribution, own: sp.csr_matrix, row: int, tastes: NDArray, k: int
) -> list[Reason]:
    part = slice(own.indptr[row], own.indptr[row + 1])
    columns = own.indices[part]
    likings = tastes[columns] / account.scale_[columns]
    tags = OwnTags(columns, own.data[part], likings, account.aliases_[columns])
    return select_reasons(tags, np.arange(own.shape[1]), k=k)


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
            reasons = _reasons(account, own, row, tastes[user], 3)
            if reasons:
                largest = max(reasons, key=lambda each: abs(each.contribution))
                right["account"].append(first[row] in largest.tags)
        today = tell_today(recommender, data, pairs)
        for row in np.unique(today.pairs):
            places = np.flatnonzero(today.pairs == row)
            largest_place = places[np.abs(today.contributions[places]).argmax()]
            right["today"].append(first[row] == today.tags[largest_place])


def _told(account: AccountAttribution) -> dict[str, float]:
    items = np.arange(len(account.explained_))
    return {
        "explained": account.explained_.mean(),
        "explained by chance": account.explained_by_chance_.mean(),
        "more than chance": account.says_more_than_chance(items).mean(),
        "tags used": account.used_.mean(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--data", nargs="+", default=["movielens-1m", "goodbooks"])
    parser.add_argument("--model", nargs="+", default=["als", "bpr"])
    parser.add_argument("--tags", nargs="+", default=["genres"])
    given = parser.parse_args()
    for data_name in given.data:
        for model_name in given.model:
            for kind in given.tags:
                cell(data_name, model_name, kind, given.data_dir)
    print(f"\nplanted: largest named right\n{planted().round(3)}")


if __name__ == "__main__":
    main()
