"""Beyond the paper: critiques by the field's protocol, against its updates and trivial rivals.

This library's default is measured as it comes. Rivals with a setting are tuned for every cell, on
sessions of their own: none of the users of those is measured here. The engine stays with the
benchmarks, and is no part of ``evaluate_conversation``: it holds ways to score items against each
other, most of which are not this library's and none of which a user of it could put in.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp

from benchmarks.beyond.critiquing_protocol import Method, simulate_critiques
from benchmarks.beyond.critiquing_rivals import (
    BAC,
    BKVAE,
    UAC,
    AskedByChange,
    Boost,
    ClosedForm,
    Critics,
    Default,
    FewestContradictions,
    KeepWhatFits,
    LLCRank,
    LLCScore,
    NoAnswer,
    PlainStep,
)
from benchmarks.beyond.temperature import fit_temperature
from benchmarks.common.rows import Row, mean_row, prefix, row
from benchmarks.common.world import World, world
from sktpecr import TPECRExplainer

_N_SESSIONS, _N_TUNED = 100, 40
_DEFAULT = "default"
SHARES = (0.0, 0.3)
_NOISE = (0.0, 0.1)
_POLICIES = (("most_telling", "positive"), ("popular", "positive"), ("random", "both"))


class Tuned(NamedTuple):
    """A method, the setting of it that is tuned, and what is tried."""

    kind: Callable[..., Any]
    setting: str
    values: tuple[float, ...]


# With what is published, or what a reader of the manual has, among what is tried.
TUNED = {
    "boost": Tuned(Boost, "size", (0.5, 1.0, 2.0, 4.0)),
    "plain step": Tuned(PlainStep, "size", (0.25, 0.5, 1.0, 2.0)),
    "BK-VAE": Tuned(BKVAE, "precision", (0.3, 1.0, 3.0)),
    "closed form": Tuned(ClosedForm, "strength", (1.0, 4.0)),
}
FIXED: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "default": (Default, {}),
    "no answer": (NoAnswer, {}),
    "keep what fits": (KeepWhatFits, {}),
    "fewest contradictions": (FewestContradictions, {}),
    "UAC": (UAC, {}),
    "BAC": (BAC, {}),
    "LLC-Score": (LLCScore, {}),
    "LLC-Rank": (LLCRank, {}),
}

# The slowest, and the farthest behind: they run with one data set and model.
PUBLISHED = ("BK-VAE", "UAC", "BAC", "LLC-Score", "LLC-Rank")
_WITH_PUBLISHED = ("movielens-1m", "als")


def critiquing(
    data_name: str, data_dir: Path | None, model_name: str, figures_dir: Path | None
) -> list[Row]:
    """Return success and turns of all methods, and what the default has ahead of each."""
    here = world(data_name, data_dir, model_name)
    tags, chosen_on, measured = sessions(here)
    name = prefix("beyond critiquing", data_name, model_name)
    rows = [row(name, "temperature", _temperature(here.model, here.train, chosen_on))]
    for missing in SHARES:
        told = critics(here.model, here.train, without_tags(tags, missing))
        for how in ways():
            where = f"{name} {how['policy']} {how['answers']} wrong {how['noise']:g}"
            where += f" missing {missing:g}" + " taken out" * how["take_out"]
            rows += cell(where, told, chosen_on, measured, (tags, here.train, how), names(here))
        rows += asked(f"{name} missing {missing:g}", told, measured, tags, here.train)
    return rows


def sessions(here: World) -> tuple[sp.csr_matrix, list[tuple[int, int]], list[tuple[int, int]]]:
    """Return tags, and whom settings are chosen on and who is measured: rows and columns."""
    tags = sp.csr_matrix(here.data.item_tags.to_numpy(dtype=float))
    pairs = [
        (int(user), int(item))
        for user, item in zip(
            pd.Index(here.data.user_ids).get_indexer([user for user, _ in here.pairs]),
            pd.Index(here.data.item_ids).get_indexer([item for _, item in here.pairs]),
            strict=True,
        )
    ]
    pairs = [pair for pair in pairs if tags[[pair[1]]].nnz]
    chosen_on, measured = apart(pairs, _N_TUNED)
    return tags, chosen_on, measured[:_N_SESSIONS]


def names(here: World) -> list[str]:
    """Return which methods are run."""
    with_them = (here.data_name, here.model_name) == _WITH_PUBLISHED
    return [name for name in [*FIXED, *TUNED] if with_them or name not in PUBLISHED]


def ways() -> list[dict[str, Any]]:
    """Return how users talk, as `simulate_critiques` takes it."""
    return [
        {"policy": policy, "answers": answers, "noise": noise, "take_out": take_out}
        for noise, take_out, (policy, answers) in product(_NOISE, (False, True), _POLICIES)
    ]


def cell(
    where: str,
    told: Critics,
    chosen_on: list[tuple[int, int]],
    measured: list[tuple[int, int]],
    talk: tuple[sp.csr_matrix, sp.csr_matrix, dict[str, Any]],
    some: list[str],
) -> list[Row]:
    """Return what comes of one way to talk, rivals tuned for it."""
    tags, train, how = talk
    best = {each: tuned(told, each, chosen_on, *talk) for each in TUNED if each in some}
    rows = [row(where, f"{TUNED[each].setting} of {each}", value) for each, value in best.items()]
    tried = {name: each for name, each in methods(told, best).items() if name in some}
    cases = simulate_critiques(tried, measured, tags, train, **how)
    return rows + _compared(where, cases)


def _compared(where: str, cases: pd.DataFrame) -> list[Row]:
    by_method = {name: each.set_index("case") for name, each in cases.groupby("method")}
    rows = [
        mean_row(where, f"{metric} {name}", each[metric].dropna())
        for name, each in by_method.items()
        for metric in ("success@10", "turns", "history rank")
    ]
    rows += [
        mean_row(where, f"{metric} {_DEFAULT}", by_method[_DEFAULT][metric])
        for metric in ("success@1", "success@5", "success@20")
    ]
    ours = by_method[_DEFAULT]["success@10"]
    return rows + [
        mean_row(where, f"success@10 {_DEFAULT} - {name}", ours - each["success@10"])
        for name, each in by_method.items()
        if name != _DEFAULT
    ]


def asked(
    where: str, told: Critics, pairs: list[tuple[int, int]], tags: sp.csr_matrix, train: Any
) -> list[Row]:
    """Compare questions with those of the rule before, and with the most telling critique."""
    rows = []
    for take_out in (False, True):
        how: dict[str, Any] = {"noise": 0.1, "take_out": take_out}
        ways: tuple[tuple[str, Any, dict[str, Any]], ...] = (
            ("by information", Default, {"policy": "asked", "answers": "both"}),
            ("by change", AskedByChange, {"policy": "asked", "answers": "both"}),
            ("most telling critique", Default, {"policy": "most_telling"}),
        )
        found = {
            name: simulate_critiques(
                {name: lambda user, kind=kind: kind(told, user)}, pairs, tags, train, **way, **how
            )
            for name, kind, way in ways
        }
        name = f"{where} asked wrong 0.1" + " taken out" * take_out
        ours = found["by information"]
        for metric in ("success@10", "turns"):
            for way, each in found.items():
                rows.append(mean_row(name, f"{metric} {way}", each[metric]))
                if each is not ours:
                    ahead = ours[metric] - each[metric]
                    rows.append(mean_row(name, f"{metric} by information - {way}", ahead))
    return rows


def apart(pairs: list[tuple[int, int]], n: int) -> tuple[list[tuple[int, int]], ...]:
    """Return n pairs in random order, and all pairs of other users than theirs."""
    order = np.random.RandomState(7).permutation(len(pairs))
    mixed = [pairs[place] for place in order]
    users = {user for user, _ in mixed[:n]}
    return mixed[:n], [pair for pair in mixed[n:] if pair[0] not in users]


def without_tags(item_tags: sp.csr_matrix, share: float, seed: int = 0) -> sp.csr_matrix:
    """Return tags of which a share of the items have lost all."""
    kept = np.random.RandomState(seed).uniform(size=item_tags.shape[0]) >= share
    return sp.csr_matrix(sp.diags(kept.astype(float)) @ item_tags)


def critics(model: Any, train: sp.csr_matrix, tags: sp.csr_matrix) -> Critics:
    """Return what methods know of a factor model, and of the tags that are to be seen."""
    tags = sp.csr_matrix(tags)
    tags.eliminate_zeros()
    on_something = np.asarray(tags.sum(axis=0)).ravel() > 0
    if not on_something.all():
        raise ValueError("every tag must be on an item")
    biases = getattr(model, "item_biases", None)
    vectors = np.asarray(model.item_embeddings, dtype=np.float64)
    return Critics(
        explainer=TPECRExplainer(model, tags).fit(train),
        users=np.asarray(model.user_embeddings, dtype=np.float64),
        items=vectors,
        biases=np.zeros(len(vectors)) if biases is None else np.asarray(biases),
        tags=tags,
        interactions=train,
    )


def methods(here: Critics, settings: dict[str, float]) -> dict[str, Method]:
    """Return all methods by name, those that are tuned with these settings."""
    makers = dict(FIXED)
    for name, value in settings.items():
        makers[name] = TUNED[name].kind, {TUNED[name].setting: value}
    return {
        name: (lambda user, kind=kind, given=given: kind(here, user, **given))
        for name, (kind, given) in makers.items()
    }


def tuned(
    here: Critics,
    name: str,
    pairs: list[tuple[int, int]],
    tags: sp.csr_matrix,
    train: sp.csr_matrix,
    how: dict[str, Any],
) -> float:
    """Return the setting of a method with the most success, in the fewest turns."""
    kind, setting, values = TUNED[name]
    tried: dict[str, Method] = {
        repr(value): (lambda user, value=value: kind(here, user, **{setting: value}))
        for value in values
    }
    found = simulate_critiques(tried, pairs, tags, train, **how).groupby("method")
    means = found[["success@10", "turns"]].mean()
    best = means.sort_values(["success@10", "turns"], ascending=[False, True], kind="stable")
    return float(best.index[0])


def _temperature(model: Any, train: sp.csr_matrix, pairs: list[tuple[int, int]]) -> float:
    users, items = np.array(pairs).T
    scores = np.asarray(model.score_items(np.asarray(model.user_embeddings)[users]))
    return fit_temperature(scores, items, train[users].toarray() == 0)
