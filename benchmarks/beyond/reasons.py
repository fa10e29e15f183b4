"""Reasons that people read: today's importances against the account, on trained models.

    python -m benchmarks.beyond.reasons --data-dir DIR
    python -m benchmarks.beyond.reasons --data-dir DIR --data goodbooks --tags shelves-300

For users drawn by seed and the first ten of their lists: what each method would name, and whether
it holds. "today" is ExactAttribution with what its text names (at most three own tags for and three
against, two others each way); "account" is AccountAttribution with `select_reasons`. Trainings
are the same model with another seed, and with another seed on 98 % of the interactions.

Shelves weigh what readers who filed a book so are to those who filed it the most common way.

* odd sign, off item: shares of the tags named.
* claims true: the tag's share of the user's own history lies on the side of the average share that
  was claimed. The account words a liking for a tag that nothing taken carries as the model's
  belief, which is no such claim; "beliefs too" counts them.
* less obeyed: "less X", X the tag named with the largest contribution for the item, closed form,
  strength 1, lowers the item's score against the mean of the user's first hundred.
* same top, Spearman, top 3 kept: of own tags' contributions, between trainings.
* wrong belief: see :mod:`benchmarks.beyond.reasons_checked`.
* R2 named: share of the variance over users of an item's score, less the level, that what its
  sentence names tells, mean over items; and the share of items where it is below 0.
* none: pairs without any tag named. more than chance: items whose own tags tell of their scores
  what dealt tags do not.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from benchmarks.beyond.reasons_checked import planted, poisoned
from benchmarks.beyond.reasons_named import (
    Tagged,
    Told,
    fitted_account,
    listed_pairs,
    named_r2,
    tagged,
    tell_account,
    tell_today,
    trained,
)
from sktpecr import FeedbackRefiner, TPECRExplainer
from sktpecr.attribution import AccountAttribution
from sktpecr.metrics import (
    claims_true,
    contribution_stability,
    lowered_in_list,
    same_top_tag,
    sign_sense,
    tags_on_item,
)
from sktpecr.recommenders._protocol import is_dot_product

N_ASKED, N_BESIDE = 300, 100
# Items of a disliked tag that are added for each item of a history.
_DOSES = (0.5, 1.0)
# Seeds of the trainings, and the share of interactions that each leaves out.
TRAININGS = ((0, 0.0), (1, 0.0), (2, 0.02))


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
    is_linear = is_dot_product(recommenders[0])
    solver = "closed_form" if is_linear else "auto"
    refiner = FeedbackRefiner(explainer.fit(data.interactions), solver=solver)
    accounts = [fitted_account(each, data) for each in recommenders]
    aliases = accounts[0][0].aliases_
    account = [tell_account(*each, data, pairs) for each in accounts]
    columns = {}
    if is_linear:
        today = [tell_today(each, data, pairs) for each in recommenders]
        columns["today"] = measure(data, today, pairs, refiner, aliases, False)
    columns["account"] = measure(data, account, pairs, refiner, aliases, True)
    one = accounts[0][0]
    shares = named_r2(*accounts[0][:2], recommenders[0])
    columns["account"] |= _told(one) | {
        "R2 named": shares.mean(),
        "R2 named below 0": (shares < 0).mean(),
    }
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
