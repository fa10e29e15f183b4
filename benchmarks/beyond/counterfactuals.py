"""Beyond the paper: what users would have to like for an item to enter their list, and rivals.

Of users and items at ranks 11 to 200, drawn at random: whether an answer is found, how many tags it
names, by how many standard deviations they change, how much of the first ten stays, and whether all
that is promised holds when it is given as feedback. The rivals raise one tag of the item until it
enters, the one that the list has least of: by `set`, or by a like that is given more and more
strength.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.rows import Row, mean_row, prefix, row
from benchmarks.common.world import world
from sktpecr import FeedbackRefiner, TPECRExplainer

_PAIRS, _K, _LAST = 200, 10, 200
_STRENGTHS = 2.0 ** np.arange(-2, 7)

Answer = dict[str, float] | None


def counterfactuals(
    data_name: str, data_dir: Path | None, model_name: str, figures_dir: Path | None
) -> list[Row]:
    """Return how often each succeeds, and what it takes."""
    here = world(data_name, data_dir, model_name)
    explainer = TPECRExplainer(here.model, here.data.item_tags)
    explainer.fit(here.train, user_ids=here.data.user_ids)
    refiner, rng = FeedbackRefiner(explainer), np.random.RandomState(0)
    active = here.data.user_ids[np.flatnonzero(np.diff(here.train.indptr))]
    answers: dict[str, list[Answer]] = {}
    seconds = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tags that are hard to steer
        for _ in range(_PAIRS):
            user = active[rng.randint(len(active))]
            listed = explainer.recommend(user, rng.randint(_K + 1, _LAST + 1))["item"]
            item, first = listed.iloc[-1], set(listed[:_K])
            start = time.thread_time()
            found = explainer.counterfactual(user, item, k=_K)
            seconds.append(time.thread_time() - start)
            answers.setdefault("three tags", []).append(_applied(refiner, found, first))
            tag = _telling(explainer, item, list(first))
            alone = explainer.counterfactual(user, item, k=_K, among=[tag], max_tags=1)
            raised = _applied(refiner, alone, first) if alone.changes.sum() > 0 else None
            answers.setdefault("own tag set", []).append(raised)
            liked = _liked(refiner, user, item, tag, first)
            answers.setdefault("own tag liked", []).append(liked)
    name = prefix("beyond counterfactuals", data_name, model_name)
    rows = [row(name, "ms, median", 1e3 * float(np.median(seconds)))]
    for method, given in answers.items():
        rows.append(mean_row(name, f"{method}: found", [float(bool(each)) for each in given]))
        some = [each for each in given if each]
        for what in some[0] if some else ():
            values = [each[what] for each in some]
            rows.append(
                row(name, f"{method}: wrong", sum(values), holds=not sum(values))
                if what == "wrong"
                else mean_row(name, f"{method}: {what}", values)
            )
    for method in ("own tag set", "own tag liked"):
        both = [
            (ours, theirs)
            for ours, theirs in zip(answers["three tags"], answers[method], strict=True)
            if ours and theirs
        ]
        for what in ("change", "kept"):
            apart = [ours[what] - theirs[what] for ours, theirs in both]
            rows.append(mean_row(name, f"three tags - {method}: {what}, where both succeed", apart))
    return rows


def _applied(refiner: FeedbackRefiner, found: Any, first: set[Hashable]) -> Answer:
    """Return what an answer is worth once it is given as feedback."""
    if not found.found:
        return None
    refined = refiner.refine(found.user, set=found.values, keep=0)
    listed = set(refined.recommend(found.k)["item"])
    promised = (
        (found.item in listed) == (found.goal == "enter"),
        refined.rank(found.item) == found.rank_after,
        len(first & listed) == found.n_kept,
        np.abs(found.changes).max() <= found.max_change * (1 + 1e-9),
        len(found.named) <= found.max_tags,
    )
    return {
        "tags": len(found.named),
        "change": found.size,
        "kept": len(first & listed) / len(first),
        "wrong": float(not all(promised)),
    }


def _telling(explainer: TPECRExplainer, item: Hashable, listed: list[Hashable]) -> Hashable:
    """Return the tag of an item that fewest of a list have, of several the rarest."""
    tag_model = explainer.tag_model_
    columns = tag_model.catalogue.items.rows([item, *listed])
    own, *others = (tag_model.extractor.tags_of(column) > 0 for column in columns)
    order = np.lexsort((tag_model.n_tagged, np.sum(others, axis=0), ~own))
    return tag_model.tags[order[0]]


def _liked(
    refiner: FeedbackRefiner, user: Hashable, item: Hashable, tag: Hashable, first: set[Hashable]
) -> Answer:
    """Return what comes of the smallest strength of a like at which the item enters."""
    for strength in _STRENGTHS:
        refined = refiner.refine(user, like={tag: float(strength)})
        listed = set(refined.recommend(_K)["item"])
        if item in listed:
            change = refined.to_frame().set_index("tag")["change"][tag]
            return {"tags": 1, "change": abs(change), "kept": len(first & listed) / len(first)}
    return None
