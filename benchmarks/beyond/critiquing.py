"""Beyond the paper: critiques by the field's protocol, against its updates and trivial rivals.

Settings of all methods were chosen on the first sessions of each data set; none of the users of
those is measured here. The engine stays with the benchmarks, and is no part of
``evaluate_conversation``: it holds ways to score items against each other, most of which are not
this library's and none of which a user of it could put in.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from benchmarks.beyond.critiquing_protocol import simulate_critiques
from benchmarks.beyond.critiquing_rivals import (
    BAC,
    BKVAE,
    UAC,
    Boost,
    ClosedForm,
    Combined,
    Critics,
    FewestContradictions,
    KeepWhatFits,
    LLCRank,
    LLCScore,
    NoAnswer,
    PlainStep,
)
from benchmarks.common.rows import Row, mean_row, prefix
from benchmarks.common.world import world
from sktpecr import FeedbackRefiner, TPECRExplainer
from sktpecr.tags._temperature import fit_temperature
from sktpecr.tags._wish import ERROR_RATE, Wish

N_CALIBRATED = 500
_N_SESSIONS = 150
_DEFAULT = "wish + closed form .5"
_MISSING, _NOISE = (0.0, 0.3), (0.0, 0.1, 0.2)
_POLICIES = (("most_telling", "positive"), ("popular", "positive"), ("random", "both"))


def critiquing(
    data_name: str, data_dir: Path | None, model_name: str, figures_dir: Path | None
) -> list[Row]:
    """Return success and turns of all methods, and what the default has ahead of each."""
    here = world(data_name, data_dir, model_name)
    tags = sp.csr_matrix(here.data.item_tags.to_numpy(dtype=float))
    pairs, known = (
        list(
            zip(
                pd.Index(here.data.user_ids).get_indexer([user for user, _ in each]),
                pd.Index(here.data.item_ids).get_indexer([item for _, item in each]),
                strict=True,
            )
        )
        for each in (here.pairs, here.learn_pairs[:N_CALIBRATED])
    )
    pairs = unused([(user, item) for user, item in pairs if tags[[item]].nnz])[:_N_SESSIONS]
    rows = []
    for missing in _MISSING:
        told = critics(here.model, here.train, without_tags(tags, missing), known)
        for noise, take_out, (policy, answers) in product(_NOISE, (False, True), _POLICIES):
            cases = simulate_critiques(
                methods(told),
                pairs,
                tags,
                here.train,
                policy=policy,
                answers=answers,
                noise=noise,
                take_out=take_out,
            )
            where = prefix("beyond critiquing", data_name, model_name)
            where += f" {policy} {answers} wrong {noise:g} missing {missing:g}"
            rows += _compared(f"{where} taken out" if take_out else where, cases)
    return rows


def _compared(where: str, cases: pd.DataFrame) -> list[Row]:
    by_method = {name: each.set_index("case") for name, each in cases.groupby("method")}
    rows = [
        mean_row(where, f"{metric} {name}", each[metric])
        for name, each in by_method.items()
        for metric in ("success@1", "success@5", "success@10", "success@20", "turns")
    ]
    ours = by_method[_DEFAULT]["success@10"]
    return rows + [
        mean_row(where, f"success@10 {_DEFAULT} - {name}", ours - each["success@10"])
        for name, each in by_method.items()
        if name != _DEFAULT
    ]


def unused(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return pairs in random order, without users of those that settings were chosen on."""
    chosen_on = {user for user, _ in pairs[:_N_SESSIONS]}
    left = [pair for pair in pairs if pair[0] not in chosen_on]
    return [left[place] for place in np.random.RandomState(7).permutation(len(left))]


def without_tags(item_tags: sp.csr_matrix, share: float, seed: int = 0) -> sp.csr_matrix:
    """Return tags of which a share of the items have lost all."""
    kept = np.random.RandomState(seed).uniform(size=item_tags.shape[0]) >= share
    return sp.csr_matrix(sp.diags(kept.astype(float)) @ item_tags)


def critics(
    model: Any,
    train: sp.csr_matrix,
    tags: sp.csr_matrix,
    held_out: list[tuple[int, int]],
    *,
    error_rate: float = ERROR_RATE,
    guess: bool = True,
    missing: float = 0.0,
) -> Critics:
    """Return what methods know of a factor model, the temperature fitted on pairs held out."""
    tags = sp.csr_matrix(tags)
    on_something = np.asarray(tags.sum(axis=0)).ravel() > 0
    if not on_something.all():
        raise ValueError("every tag must be on an item")
    explainer = TPECRExplainer(model, tags).fit(train)
    users, items = np.array(held_out[:N_CALIBRATED]).T
    embeddings = np.asarray(model.user_embeddings, dtype=np.float64)
    scores = np.asarray(model.score_items(embeddings[users]))
    free = train[users].toarray() == 0
    biases = getattr(model, "item_biases", None)
    vectors = np.asarray(model.item_embeddings, dtype=np.float64)
    return Critics(
        refiner=FeedbackRefiner(explainer, solver="closed_form"),
        users=embeddings,
        items=vectors,
        biases=np.zeros(len(vectors)) if biases is None else np.asarray(biases),
        tags=tags,
        interactions=train,
        temperature=fit_temperature(scores, items, free),
        wish=Wish(tags, error_rate, vectors if guess else None, missing),
    )


def methods(here: Critics) -> dict[str, Any]:
    """Return all methods, by name."""
    makers: dict[str, tuple[Any, dict[str, Any]]] = {
        "no answer": (NoAnswer, {}),
        "keep what fits": (KeepWhatFits, {}),
        "fewest contradictions": (FewestContradictions, {}),
        "boost": (Boost, {}),
        "plain step": (PlainStep, {}),
        "UAC": (UAC, {}),
        "BAC": (BAC, {}),
        "LLC-Score": (LLCScore, {}),
        "LLC-Rank": (LLCRank, {}),
        "BK-VAE": (BKVAE, {}),
        "closed form": (ClosedForm, {}),
        "closed form 4": (ClosedForm, {"strength": 4.0}),
        "wish": (Combined, {"strength": 0.0}),
        "wish + closed form .5": (Combined, {"strength": 0.5}),
        "wish + closed form 1": (Combined, {"strength": 1.0}),
        "wish + closed form 4": (Combined, {"strength": 4.0}),
    }
    return {
        name: (lambda user, kind=kind, given=given: kind(here, user, **given))
        for name, (kind, given) in makers.items()
    }
