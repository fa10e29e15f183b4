"""Reasons that people read: today's importances against the account, on trained models.

    python -m benchmarks.beyond.reasons --data-dir DIR
    python -m benchmarks.beyond.reasons --data-dir DIR --data goodbooks --tags shelves-300
    python -m benchmarks.beyond.reasons --data synthetic --json FILE

For users drawn by seed and the first ten of their lists: what each method would name, and whether
it holds. "account" is AccountAttribution with `select_reasons`, "importances" is ExactAttribution
with what its text names (at most three own tags for and three against, two others each way).
"history" names the three own tags whose share of the user's history is farthest from the average
share, and asks no model. With "tags dealt", items have the tags of other items, drawn at random.
Trainings are the same model with another seed, and with another seed on 98 % of the interactions.
On synthetic data, tastes are planted.

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
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from benchmarks.beyond.reasons_checked import planted, poisoned
from benchmarks.beyond.reasons_named import (
    Tagged,
    Told,
    fitted_account,
    history_shares,
    listed_pairs,
    named_r2,
    tagged,
    tell_account,
    tell_history,
    tell_importances,
    trained,
)
from benchmarks.common import results
from benchmarks.common.rows import Row, prefix, row
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
    named = {
        "none": 1 - len(np.unique(first.pairs)) / len(pairs),
        "named": len(first.pairs) / len(pairs),
        "fit s": first.fit_seconds,
    }
    if not len(first.pairs):
        return named
    n_tags = first.own.shape[1]
    groups = sp.csr_matrix((np.ones(n_tags), (np.arange(n_tags), aliases)), shape=(n_tags, n_tags))
    shares = history_shares(data)
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
        "less obeyed": _obeyed(first, pairs, refiner, data.interactions),
        "same top": same_top_tag(first.own, other.own),
        "same top, aliases as one": same_top_tag(first.own @ groups, other.own @ groups),
        "Spearman": contribution_stability(first.own, other.own),
        "top 3 kept": _kept(first.own, fewer.own),
        **named,
    }


def _kept(first: sp.csr_matrix, second: sp.csr_matrix) -> float:
    """Return which share of the first three own tags for the item stay among them."""
    kept = []
    for pair in range(first.shape[0]):
        tops = []
        for each in (first, second):
            part = slice(each.indptr[pair], each.indptr[pair + 1])
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


def cell(data_name: str, model_name: str, kind: str, data_dir: Path) -> list[Row]:
    """Return the figures of each method."""
    data = tagged(data_name, data_dir, kind)
    recommenders = [trained(model_name, data.interactions, *each) for each in TRAININGS]
    pairs = listed_pairs(recommenders[0], data.interactions)
    refiner = _refiner(recommenders[0], data)
    account, aliases = _account(recommenders, data, pairs, refiner)
    own = [tell_history(data, pairs)] * len(TRAININGS)
    figures = {"account": account, "history": measure(data, own, pairs, refiner, aliases, False)}
    order = np.random.RandomState(0).permutation(data.item_tags.shape[0])
    dealt = data._replace(item_tags=data.item_tags[order])
    dealt_refiner = _refiner(recommenders[0], dealt)
    if is_dot_product(recommenders[0]):
        for what, given, asked in (("", data, refiner), (", tags dealt", dealt, dealt_refiner)):
            told = [tell_importances(each, given, pairs) for each in recommenders]
            figures[f"importances{what}"] = measure(given, told, pairs, asked, aliases, False)
    figures["account, tags dealt"] = _account(recommenders, dealt, pairs, dealt_refiner)[0]
    name = prefix("beyond reasons", data_name, f"{model_name} {kind}")
    return [
        row(f"{name} {method}", figure, value)
        for method, each in figures.items()
        for figure, value in each.items()
    ]


def _refiner(recommender: Any, data: Tagged) -> FeedbackRefiner:
    warnings.filterwarnings("ignore", "item_tags explain the scores no better than random")
    explainer = TPECRExplainer(recommender, data.item_tags, tag_names=data.tag_names)
    solver = "closed_form" if is_dot_product(recommender) else "auto"
    return FeedbackRefiner(explainer.fit(data.interactions), solver=solver)


def _account(
    recommenders: list[Any], data: Tagged, pairs: NDArray, refiner: FeedbackRefiner
) -> tuple[dict[str, float], NDArray]:
    """Return the figures of the account, and which tags it cannot tell apart."""
    accounts = [fitted_account(each, data) for each in recommenders]
    account, tastes, _ = accounts[0]
    told = [tell_account(*each, data, pairs) for each in accounts]
    shares = named_r2(account, tastes, recommenders[0])
    figures = measure(data, told, pairs, refiner, account.aliases_, True)
    figures |= {
        "R2 named": shares.mean() if len(shares) else np.nan,
        "R2 named below 0": (shares < 0).mean() if len(shares) else np.nan,
        **_told(account),
    }
    for dose in _DOSES:
        figures |= poisoned(recommenders[0], account, tastes, data, dose)
    return figures, account.aliases_


def _told(account: AccountAttribution) -> dict[str, float]:
    items = np.arange(len(account.explained_))
    return {
        "explained": account.explained_.mean(),
        "explained by chance": account.explained_by_chance_.mean(),
        "more than chance": account.says_more_than_chance(items).mean(),
        "tags used": account.used_.mean(),
    }


def _planted() -> list[Row]:
    """Return how often the largest reason is right, by the world."""
    return [
        row(f"beyond reasons synthetic {world}", f"largest named right | {method}", share)
        for world, shares in planted().iterrows()
        for method, share in shares.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, metavar="FOLDER")
    parser.add_argument("--data", nargs="+", default=["movielens-1m", "goodbooks", "synthetic"])
    parser.add_argument("--model", nargs="+", default=["als", "bpr"])
    parser.add_argument("--tags", nargs="+", default=["genres"])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to this file")
    given = parser.parse_args()
    command = "python -m benchmarks.beyond.reasons --data "
    for data in given.data:
        if data == "synthetic":
            how = f"{command}{data}"
            results.measure(_planted, given.json, "beyond reasons", data, command=how)
            continue
        for model in given.model:
            for kind in given.tags:
                how = f"{command}{data} --model {model} --tags {kind} --data-dir FOLDER"
                find = partial(cell, data, model, kind, given.data_dir)
                where = data, f"{model} {kind}"
                results.measure(find, given.json, "beyond reasons", *where, command=how)


if __name__ == "__main__":
    main()
