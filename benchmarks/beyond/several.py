"""Beyond the paper: feedback on two tags at once, at equal overlap.

A user looks for an item that was held out. She likes the two tags of it that she likes least,
dislikes the two that she likes most and that it lacks, or does one of each. The rival is the plain
step, for both tags together, each scaled to move the list equally far.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.beyond.rivals import _N_PILOT, _OVERLAPS, _STRENGTHS, PlainStep, _strengths
from benchmarks.common.rows import Row, mean_row, prefix, row
from benchmarks.common.world import World, world
from sktpecr import FeedbackRefiner
from sktpecr.evaluation import read_at_overlap
from sktpecr.metrics import list_overlap, rank

_KINDS = {"two likes": (2, 0), "two dislikes": (0, 2), "one of each": (1, 1)}
_N_PAIRS = 500


def several(
    data_name: str, data_dir: Path | None, model_name: str, figures_dir: Path | None
) -> list[Row]:
    """Compare feedback on two tags by its directions, by all turns together, and by plain steps."""
    here = world(data_name, data_dir, model_name)
    explainer = here.explainer("Gaussian")
    refiners = {
        "ours": FeedbackRefiner(explainer, solver="closed_form"),
        "Bayesian": FeedbackRefiner(explainer, solver="bayesian"),
        "plain": FeedbackRefiner(explainer, solver=PlainStep()),
        "plain S": FeedbackRefiner(explainer, solver=PlainStep(in_metric=True)),
    }
    rows = []
    for kind in _KINDS:
        where = f"{prefix('beyond several', data_name, model_name)} {kind}"
        cases = pd.concat([_measured(here, kind, *each) for each in refiners.items()])
        for at in _OVERLAPS:
            read = read_at_overlap(cases, at).groupby("method", sort=False)
            methods = {name: each.set_index("case") for name, each in read}
            name = f"{where} {at:.2f}"
            rows.append(row(name, "pairs", len(methods["ours"])))
            for method, each in methods.items():
                rows += [
                    mean_row(name, f"{metric} {method}", each[metric])
                    for metric in ("improved", "F-Rank", "right way")
                ]
            rows += [
                mean_row(name, f"improved ours - {method}", methods["ours"]["improved"] - each)
                for method, each in ((m, c["improved"]) for m, c in methods.items() if m != "ours")
            ]
    return rows


def _measured(here: World, kind: str, method: str, refiner: FeedbackRefiner) -> pd.DataFrame:
    """Return the cases of one method, at strengths that a pilot on other users chooses."""
    pilot = pd.DataFrame(_cases(refiner, here.learn_pairs, kind, _STRENGTHS, _N_PILOT))
    strengths = _strengths(pilot.groupby("strength")["overlap@1000"].mean().to_dict())
    cases = pd.DataFrame(_cases(refiner, here.pairs, kind, strengths, _N_PAIRS))
    return cases.assign(method=method)


def _cases(
    refiner: FeedbackRefiner, pairs: Any, kind: str, strengths: Any, n_pairs: int
) -> Iterator[dict[str, Any]]:
    tag_model = refiner.explainer.tag_model_
    told = ((user, item, _tags(tag_model, user, item, kind)) for user, item in pairs)
    usable = ((user, item, tags) for user, item, tags in told if tags is not None)
    for case, (user, item, (liked, disliked)) in enumerate(islice(usable, n_pairs)):
        column = tag_model.catalogue.items.row(item)
        names = [[tag_model.tags[tag] for tag in tags] for tags in (liked, disliked)]
        refinements = refiner.sweep(user, *names, strengths=strengths)
        before = refinements[0].scores_before
        own = tag_model.tag_preferences_of(refinements[0]._user.embedding)
        for strength, refined in zip(strengths, refinements, strict=True):
            rise = rank(before, column) - rank(refined.scores, column)
            change = refined.tag_preferences - own
            yield {
                "case": case,
                "strength": strength,
                "F-Rank": rise,
                "improved": float(rise > 0),
                "overlap@1000": list_overlap(before, refined.scores, 1000),
                "right way": float((change[liked] > 0).all() and (change[disliked] < 0).all()),
            }


def _tags(tag_model: Any, user: Any, item: Any, kind: str) -> tuple[list[int], list[int]] | None:
    """Return the tags to like and to dislike, as the paper's rule for one tag has it."""
    row, column = tag_model.catalogue.users.row(user), tag_model.catalogue.items.row(item)
    embedding = tag_model.user_embeddings[row]
    preferences = tag_model.tag_preferences_of(embedding)
    level = tag_model.scores_of(embedding).mean()
    on_item = tag_model.extractor.tags_of(column) > 0
    varies = tag_model.std > 0
    n_liked, n_disliked = _KINDS[kind]
    liked = np.flatnonzero(on_item & varies & (preferences <= level))
    disliked = np.flatnonzero(~on_item & varies & (preferences > level))
    history, items_of = tag_model.catalogue.history(row), tag_model.extractor.items_of
    rest = [len(np.setdiff1d(history, items_of(tag))) for tag in disliked]
    disliked = disliked[np.array(rest, dtype=int) > 0]
    if len(liked) < n_liked or len(disliked) < n_disliked:
        return None
    liked = liked[np.argsort(preferences[liked])][:n_liked]
    disliked = disliked[np.argsort(-preferences[disliked])][:n_disliked]
    return liked.tolist(), disliked.tolist()
