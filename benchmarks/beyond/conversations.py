"""Beyond the paper: users who look for an item and talk until they see it.

Simulated users, with the paper's two updates for rivals. Methods move lists by different amounts,
so they are compared as they come and where the first list keeps as much of itself; strengths
around that come from users who are not tested on.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.common.rows import Row, mean_row, prefix, row
from benchmarks.common.world import World, world
from benchmarks.paper.refinement import _refiners as published_refiners
from sktpecr import Conversation, FeedbackRefiner
from sktpecr.evaluation import evaluate_conversation, read_at_overlap

_POLICIES = ("most_misjudged", "random", "asked")
_N_PAIRS, _N_TURNS = 400, 5
_OVERLAP = 0.5
_STRENGTHS = tuple(2.0**power for power in range(-1, 9))
_N_PILOT = 40
_N_USERS, _N_RANDOM_TURNS = 200, 10
# Above which share of the items the history may come to stand in the mean.
_HISTORY_BOUND = 0.2


def conversations(
    data_name: str, data_dir: Path | None, model_name: str, figures_dir: Path | None
) -> list[Row]:
    """Compare conversations with the paper's updates, and measure what ten random turns cost."""
    here = world(data_name, data_dir, model_name)
    name = prefix("beyond conversations", data_name, model_name)
    return [
        *(each for policy in _POLICIES for each in success(here, name, policy)),
        *random_turns(here, name),
    ]


def success(here: World, name: str, policy: str) -> list[Row]:
    """Return how many users of a policy saw what they looked for after five turns."""
    explainer = here.explainer("Gaussian")
    published = published_refiners(here)
    refiners = {
        "ours": FeedbackRefiner(explainer, solver="closed_form"),
        "Bayesian": FeedbackRefiner(explainer, solver="bayesian"),
        "e_u": published["e_u"],
        "c_u": published["c_u"],
    }
    cases = pd.concat([_swept(here, policy, *each) for each in refiners.items()])
    first = cases[(cases["turn"] == 0) & (cases["strength"] == 1) & (cases["method"] == "ours")]
    rows = [mean_row(f"{name} {policy}", "success@10 before", first["success@10"])]
    by_turn = cases[(cases["strength"] == 1) & (cases["method"] == "ours")].groupby("turn")
    rows += [
        mean_row(f"{name} {policy}", f"success@10 ours turn {turn}", each["success@10"])
        for turn, each in by_turn
        if turn
    ]
    last = cases[cases["turn"] == _N_TURNS].drop(columns="turn")
    rows += _compared(f"{name} {policy}", last[last["strength"] == 1])
    at_overlap = read_at_overlap(last, _OVERLAP, "overlap@10")
    return rows + _compared(f"{name} {policy} equal overlap", at_overlap)


def random_turns(here: World, name: str) -> list[Row]:
    """Return where histories stand after ten random turns, and how long a turn takes."""
    explainer = here.explainer("Gaussian")
    tags = here.data.item_tags.columns.tolist()
    shares, kept, seconds = [], [], []
    for number, user in enumerate(here.test[:_N_USERS]):
        rng = np.random.RandomState(number)
        conversation = Conversation(explainer, user=user)
        history = explainer.tag_model_.catalogue.history(
            explainer.tag_model_.catalogue.users.row(user)
        )
        before = conversation.refinement.scores
        for _ in range(_N_RANDOM_TURNS):
            tag, way = tags[rng.randint(len(tags))], rng.choice(["like", "dislike"])
            start = time.perf_counter()
            conversation.say(**{way: [tag]})
            conversation.recommend(10)
            seconds.append(time.perf_counter() - start)
        after = conversation.refinement.scores
        shares.append([_share_above(scores, history) for scores in (before, after)])
        length = len(history)
        old, new = (set(np.argsort(-scores)[:1000]) & set(history) for scores in (before, after))
        kept.append(len(old & new) / len(old) if length and old else np.nan)
    first, last = np.transpose(shares)
    where = f"{name} ten random turns"
    return [
        mean_row(where, "history rank before", first),
        mean_row(where, "history rank after", last, holds=last.mean() <= _HISTORY_BOUND),
        mean_row(where, "history kept in top 1000", np.array(kept)[~np.isnan(kept)]),
        row(where, "ms a turn, median", 1000 * float(np.median(seconds))),
        row(where, "ms a turn, 95th percentile", 1000 * float(np.percentile(seconds, 95))),
    ]


def _swept(here: World, policy: str, method: str, refiner: FeedbackRefiner) -> pd.DataFrame:
    """Return cases at strength 1, and at two strengths around the overlap to read at."""
    settings = {"policy": policy, "max_turns": _N_TURNS, "return_cases": True}
    pilot = {}
    for strength in _STRENGTHS:
        tried = evaluate_conversation(
            refiner,
            here.learn_pairs,
            strength=strength,
            n_pairs=_N_PILOT,
            allow_train_users=True,
            **settings,
        )
        pilot[strength] = tried.loc[tried["turn"] == _N_TURNS, "overlap@10"].mean()
        if pilot[strength] < 0.8 * _OVERLAP:
            break
    above = [strength for strength, overlap in pilot.items() if overlap > 1.1 * _OVERLAP]
    around = {1.0, max(above, default=min(pilot)), max(pilot)}
    return pd.concat(
        evaluate_conversation(
            refiner, here.pairs, strength=strength, n_pairs=_N_PAIRS, **settings
        ).assign(strength=strength, method=method)
        for strength in sorted(around)
    )


def _compared(name: str, cases: pd.DataFrame) -> list[Row]:
    methods = {
        method: each.set_index("case") for method, each in cases.groupby("method", sort=False)
    }
    rows = [row(name, "pairs", len(methods["ours"]))]
    for method, each in methods.items():
        rows += [
            mean_row(name, f"{metric} {method}", each[metric].dropna())
            for metric in ("success@10", "turns", "overlap@10", "history rank")
        ]
    for method, each in methods.items():
        if method != "ours":
            less = methods["ours"]["success@10"] - each["success@10"]
            holds = None if method == "Bayesian" else less.mean() > 0
            rows.append(mean_row(name, f"success@10 ours - {method}", less, holds=holds))
    return rows


def _share_above(scores: np.ndarray, history: np.ndarray) -> float:
    return float(np.mean([np.mean(scores > scores[item]) for item in history]))
