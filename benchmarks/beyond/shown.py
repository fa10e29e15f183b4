"""Beyond the paper: whether answers show in the list, and what they leave of it.

For users and tags of at least 30 items, drawn at random: how many of the tag's items come with each
amount, what a tag that is set does to its items, what newcomers get who name a tag, and what is
left of a history after a session that is forgotten. No model learns from any of it.
"""

from __future__ import annotations

import time
import warnings
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.rows import Row, mean_row, prefix, row
from benchmarks.common.world import world
from sktpecr import Conversation, FeedbackRefiner, TPECRExplainer
from sktpecr._inputs._feedback import AMOUNTS

LEAST_ITEMS = 30
_USERS, _TAGS, _SESSIONS, _TURNS = 40, 60, 40, 10
_LIST, _TOP = 10, 100
_SET_LIST, _REMEMBERED = 20, 1_000


def shown(
    data_name: str, data_dir: Path | None, model_name: str, figures_dir: Path | None
) -> list[Row]:
    """Return what comes of answers, each beside its bar."""
    here = world(data_name, data_dir, model_name)
    # By its defaults, as a reader of the manual has it.
    explainer = TPECRExplainer(here.model, here.data.item_tags)
    explainer.fit(here.train, user_ids=here.data.user_ids)
    tag_model = explainer.tag_model_
    tags = np.flatnonzero(tag_model.n_tagged >= LEAST_ITEMS)
    rng = np.random.RandomState(0)
    active = np.flatnonzero(np.diff(here.train.indptr))
    users = rng.choice(active, size=min(_USERS, len(active)), replace=False)
    rows = []
    name = prefix("beyond shown", data_name, model_name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        some = rng.permutation(tags)[:_TAGS]
        for measure in (_amounts, _set_tags):
            rows += _by_user(name, explainer, users, some, measure)
        rows += _newcomers(name, explainer, tags)
        rows += _forgotten(name, explainer, users[:_SESSIONS], tags)
        rows += _questions(name, explainer, users)
    return rows


# What is measured, which side of the bar is good, and the bar.
_BARS: dict[str, tuple[float, float]] = {
    "a bit: one more": (1, 0.99),
    "more: two more": (1, 0.95),
    "more: first hundred kept, median": (1, 0.85),
    "less: halved": (1, 0.95),
    "set +1 sd: share of the tag falls": (-1, 0.02),
    "set +1 sd: list kept": (1, 0.7),
    "newcomers: tags with three of ten": (1, 1.0),
    "forgotten: history in the first thousand, of before": (1, 0.94),
}


def _by_user(
    name: str, explainer: TPECRExplainer, users: NDArray, tags: NDArray, measure: Callable[..., Any]
) -> list[Row]:
    """Return means over users of what is measured with all tags."""
    found: dict[str, list[list[float]]] = defaultdict(list)
    refiner = FeedbackRefiner(explainer)
    for user in users:
        of_user: dict[str, list[float]] = defaultdict(list)
        for tag in tags:
            for what, value in measure(explainer, refiner, int(user), int(tag)):
                of_user[what].append(value)
        for what, values in of_user.items():
            found[what].append(values)
    rows = []
    for what, several in found.items():
        if what.endswith("median"):
            value = float(np.median(np.concatenate(several)))
            rows.append(row(name, what, value, holds=_holds(what, value)))
        else:
            means = [float(np.mean(values)) for values in several]
            rows.append(mean_row(name, what, means, holds=_holds(what, float(np.mean(means)))))
    return rows


def _holds(what: str, value: float) -> bool | None:
    sign, bar = _BARS.get(what, (0, 0.0))
    return sign * (value - bar) >= 0 if sign else None


def _amounts(explainer: TPECRExplainer, refiner: FeedbackRefiner, user: int, tag: int) -> Any:
    tag_model = explainer.tag_model_
    somebody, named = tag_model.catalogue.users[user], tag_model.tags[tag]
    on = np.zeros(len(tag_model.catalogue.items), dtype=bool)
    on[tag_model.extractor.items_of(tag)] = True
    likes = dict(zip(AMOUNTS, refiner.sweep(somebody, like=named, amounts=AMOUNTS), strict=True))
    first = likes["more"]._listing.of(likes["more"].scores_before)
    before, free = on[first].sum(), int((on & likes["more"]._listing.candidates).sum())
    for amount, step, what in (("a bit", 1, "a bit: one more"), ("more", 2, "more: two more")):
        refined = likes[amount]
        after = on[refined._listing.of(refined.scores)].sum()
        # A list that is full of the tag, or has all of it, has nothing more to show.
        yield what, float(after >= min(before + step, _LIST, free))
    hundred = _kept(likes["more"], _TOP)
    yield "more: first hundred kept, median", hundred
    if before:
        less = refiner.refine(somebody, dislike=named, amount="more")
        yield "less: halved", float(on[less._listing.of(less.scores)].sum() <= before / 2)


def _kept(refined: Any, n: int) -> float:
    before, after = (
        set(scores_best(scores, refined._listing.candidates, n))
        for scores in (refined.scores_before, refined.scores)
    )
    return len(before & after) / n


def scores_best(scores: NDArray, candidates: NDArray, n: int) -> list[int]:
    """Return the columns of the n best candidates."""
    return np.argsort(-np.where(candidates, scores, -np.inf), kind="stable")[:n].tolist()


def _set_tags(explainer: TPECRExplainer, refiner: FeedbackRefiner, user: int, tag: int) -> Any:
    tag_model = explainer.tag_model_
    own = tag_model.vs_mean(tag_model.tag_preferences_of(tag_model.user_embeddings[user]))
    refined = refiner.refine(
        tag_model.catalogue.users[user],
        set={tag_model.tags[tag]: float(own[tag]) + 1.0},
    )
    on = set(tag_model.extractor.items_of(tag).tolist())
    before, after = (
        scores_best(scores, refined._listing.candidates, _SET_LIST)
        for scores in (refined.scores_before, refined.scores)
    )
    yield "set +1 sd: share of the tag falls", float(len(on & set(after)) < len(on & set(before)))
    yield "set +1 sd: list kept", len(set(before) & set(after)) / _SET_LIST


def _newcomers(name: str, explainer: TPECRExplainer, tags: NDArray) -> list[Row]:
    tag_model, enough = explainer.tag_model_, []
    for tag in tags:
        listed = explainer.recommend(tags={tag_model.tags[tag]: 2.0}, exclude_seen=False, n=_LIST)
        rows = tag_model.catalogue.items.rows(listed["item"])
        enough.append(float(np.isin(rows, tag_model.extractor.items_of(int(tag))).sum() >= 3))
    what = "newcomers: tags with three of ten"
    return [mean_row(name, what, enough, holds=_holds(what, float(np.mean(enough))))]


def _forgotten(name: str, explainer: TPECRExplainer, users: NDArray, tags: NDArray) -> list[Row]:
    """Return how much of histories that were in the first thousand is there after random turns."""
    tag_model, rng = explainer.tag_model_, np.random.RandomState(1)
    refiner = FeedbackRefiner(explainer)
    shares: dict[str, list[float]] = {"in force": [], "forgotten": []}
    everything = np.ones(len(tag_model.catalogue.items), dtype=bool)
    for user in users:
        history = set(tag_model.catalogue.history(int(user)).tolist())
        refined = refiner.refine(tag_model.catalogue.users[int(user)])
        first = history & set(scores_best(refined.scores, everything, _REMEMBERED))
        if not first:
            continue
        for tag in rng.choice(tags, size=_TURNS):
            kind = "like" if rng.uniform() < 0.5 else "dislike"
            refined = refiner.refine(after=refined, **{kind: tag_model.tags[int(tag)]})
        for when, scores in (("in force", refined.scores), ("forgotten", refined.forget().scores)):
            left = first & set(scores_best(scores, everything, _REMEMBERED))
            shares[when].append(len(left) / len(first))
    rows = []
    for when, values in shares.items():
        what = f"{when}: history in the first thousand, of before"
        rows.append(mean_row(name, what, values, holds=_holds(what, float(np.mean(values)))))
    return rows


def _questions(name: str, explainer: TPECRExplainer, users: NDArray) -> list[Row]:
    """Return how long a question takes within a conversation."""
    seconds = []
    for user in users:
        conversation = Conversation(explainer, user=explainer.tag_model_.catalogue.users[int(user)])
        conversation.suggest_question()
        start = time.thread_time()
        conversation.suggest_question()
        seconds.append(time.thread_time() - start)
    median = 1e3 * float(np.median(seconds))
    return [row(name, "ms a question, median", median, holds=median < 5)]
