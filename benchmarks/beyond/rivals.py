"""Beyond the paper: likes and dislikes of one tag, against five rivals at equal overlap.

Rivals: the plain step on the embedding (for a like from the other items' mean to the tag's, for a
dislike from the tag's to that of the rest of the history), the same in the metric of the
population's covariance, gradient steps on the embedding, the paper's on tag preferences through its
CVAE, and a bonus on the tag's items. "Ours" is the closed form, beside this library's default.
Strengths at which to read a method are chosen on pairs of users that are not tested on; gradient
steps are read along one descent each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from benchmarks.common.rows import Row, mean_row, prefix, row
from benchmarks.common.world import World, world
from benchmarks.paper.refinement import _refiners
from sktpecr import FeedbackRefiner
from sktpecr.evaluation import evaluate_refinement, read_at_overlap
from sktpecr.recommenders._protocol import item_gradients
from sktpecr.solvers import EmbeddingSolver, OnlineSolver

_SCENARIOS = ("like", "dislike")
_OVERLAPS = (0.95, 0.90)
# Read so near to them that a straight line between does, and a few more for the curve.
_READ = (0.99, 0.97, 0.955, 0.945, 0.925, 0.905, 0.895, 0.87)
_PAST = 0.005
_N_PILOT, _N_PAIRS = 60, 1000
# Fewer where a thousand take hours: a network scores ten thousand items at every step.
_FEWER, _TOO_MANY_SCORES = 4, 5000
# Strengths, and shares of a descent, that are tried on the pilot's pairs.
_STRENGTHS = tuple(2.0 ** np.arange(-7, 2, 0.5))
_SHARES = tuple(2.0 ** np.arange(-7, 0.5, 0.5))
# A descent goes as many times as fast as published as lists need to lose enough of themselves, and
# no faster: the first step alone is not to take it past the first overlap.
_SLOWEST, _FASTEST = 1 / 16, 4096
_HARDLY_MOVED = 0.97


class PlainStep(BaseEstimator):
    """The mean item of each tag less another mean, as far as strength says.

    Parameters
    ----------
    in_metric : bool, default=False
        Multiply by the covariance of the population's embeddings.
    """

    def __init__(self, in_metric: bool = False) -> None:
        self.in_metric = in_metric

    def solve(
        self, tag_model: Any, user: Any, feedback: Any, values: Any
    ) -> tuple[NDArray, NDArray]:
        """Return the refined embedding and its tag preferences."""
        embedding = user.embedding.astype(np.float64)
        items = item_gradients(tag_model.recommender, embedding)
        directions = tag_model.directions(embedding)
        total = np.zeros(len(embedding))
        for tag, wish in feedback.wishes.items():
            inside = tag_model.extractor.items_of(tag)
            if wish > 0:
                seen = np.union1d(inside, user.history)
                others = np.setdiff1d(np.arange(len(items)), seen)
            else:
                others = np.setdiff1d(user.history, inside)
            direction = items[inside].mean(axis=0) - items[others].mean(axis=0)
            if self.in_metric:
                direction = self._covariance(tag_model) @ direction
            total += wish / directions.movement(direction) * direction
        spread = tag_model.scores_of(embedding).std() / directions.movement(total)
        refined = embedding + feedback.strength / 5 * spread * total
        return refined, tag_model.tag_preferences_of(refined)

    @staticmethod
    @cache
    def _covariance(tag_model: Any) -> NDArray:
        return np.cov(tag_model.user_embeddings[tag_model.learners].astype(np.float64).T)


class _Iterates:
    """Read a descent along the way: strength 1 is its end, strength s the iterate at share s."""

    times = 1.0  # as fast as published

    def _descend(
        self,
        tag_model: Any,
        user: Any,
        feedback: Any,
        start: NDArray,
        published: Any,
        variance: float,
        embed: Callable[[NDArray], tuple[NDArray, Callable[[NDArray], NDArray]]],
    ) -> NDArray:
        self.path: list[NDArray] = []

        def recorded(value: NDArray) -> tuple[NDArray, Callable[[NDArray], NDArray]]:
            embedding, pull = embed(value)
            self.path.append(np.array(embedding))
            return embedding, pull

        published = {
            loss: each._replace(learning_rate=each.learning_rate * self.times)
            for loss, each in published.items()
        }
        return super()._descend(  # type: ignore[misc]
            tag_model, user, feedback, start, published, variance, recorded
        )

    def sweep(
        self, tag_model: Any, user: Any, feedbacks: Sequence[Any], values: Any
    ) -> list[tuple[NDArray, NDArray]]:
        super().sweep(tag_model, user, feedbacks, values)  # type: ignore[misc]
        last = len(self.path) - 1
        read = [self.path[round(feedback.strength * last)] for feedback in feedbacks]
        return [(each, tag_model.tag_preferences_of(each)) for each in read]


class _EmbeddingIterates(_Iterates, EmbeddingSolver):
    pass


class _OnlineIterates(_Iterates, OnlineSolver):
    pass


def rivals(
    data_name: str, data_dir: Path | None, model_name: str, figures_dir: Path | None
) -> list[Row]:
    """Compare feedback on one tag with four rivals, at equal overlap with the list before."""
    here = world(data_name, data_dir, model_name)
    is_slow = not here.exact and len(here.data.item_ids) > _TOO_MANY_SCORES
    n_pairs = _N_PAIRS // _FEWER if is_slow else _N_PAIRS
    rows = []
    for scenario in _SCENARIOS:
        where = f"{prefix('beyond rivals', data_name, model_name)} {scenario}"
        cases = measured(here, scenario, here.pairs, n_pairs)
        rows += _curves(where, cases)
        for overlap in _OVERLAPS:
            rows += compared(f"{where} {overlap:.2f}", read_at_overlap(cases, overlap))
    return rows


def measured(here: World, scenario: str, pairs: Any, n_pairs: int) -> pd.DataFrame:
    """Return the cases of all methods, each at strengths of its own."""
    found = []
    for name, refiner in _methods(here, scenario).items():
        refiner, strengths = _paced(here, scenario, refiner)
        cases = evaluate_refinement(
            {name: refiner},
            pairs,
            scenario,
            strengths=strengths,
            n_pairs=n_pairs,
            allow_train_users=True,
            return_cases=True,
        )
        found.append(cases)
    return pd.concat(found, ignore_index=True)


def compared(where: str, cases: pd.DataFrame) -> list[Row]:
    """Return what the methods reach at one overlap, and ours less each of the others."""
    methods = {name: each.set_index("case") for name, each in cases.groupby("method", sort=False)}
    rows = [row(where, "pairs", len(methods["ours"]))]
    for name, each in methods.items():
        rows += [
            mean_row(where, f"{metric} {name}", each[metric])
            for metric in ("improved", "F-Rank", "right way")
        ]
    ours = methods.pop("ours")
    for name, each in methods.items():
        for metric in ("improved", "F-Rank"):
            found = mean_row(where, f"{metric} ours - {name}", ours[metric] - each[metric])
            if metric == "improved":
                found = replace(found, holds=found.high is not None and found.high >= 0)
            rows.append(found)
    return rows


def _methods(here: World, scenario: str) -> dict[str, FeedbackRefiner]:
    published = _refiners(here)
    explainer = here.explainer("Gaussian")
    return {
        "ours": FeedbackRefiner(explainer, solver="closed_form"),
        "default": FeedbackRefiner(explainer),
        # Nothing for good is a bonus on the tag's items, and no more.
        "boost": FeedbackRefiner(explainer, long_term=0.0),
        "plain": FeedbackRefiner(explainer, solver=PlainStep()),
        "plain S": FeedbackRefiner(explainer, solver=PlainStep(in_metric=True)),
        "e_u": _iterates(published["e_u"], _EmbeddingIterates),
        "c_u": _iterates(published["c_u"], _OnlineIterates),
    }


def _iterates(refiner: FeedbackRefiner, kind: Any) -> FeedbackRefiner:
    return FeedbackRefiner(refiner.explainer, solver=kind(**refiner.solver.get_params()))


def _paced(
    here: World, scenario: str, refiner: FeedbackRefiner
) -> tuple[FeedbackRefiner, list[float]]:
    """Return strengths to read at, and a descent so fast that it gets there."""
    solver = refiner.solver
    if not isinstance(solver, _Iterates):
        overlaps = _pilot(here, scenario, refiner, _STRENGTHS)
        return refiner, _strengths(overlaps)
    rate, times, best = solver.learning_rate, _SLOWEST, None
    while times <= _FASTEST:
        solver.times, solver.learning_rate = times, rate and rate * times
        try:
            overlaps = _pilot(here, scenario, refiner, _SHARES)
        except ValueError:  # diverged: the last that did not is as fast as it goes
            break
        best = solver.times, solver.learning_rate, _strengths(overlaps)
        least = min(overlaps.values())
        if least <= min(_OVERLAPS) - _PAST:
            break
        times *= 8 if least > _HARDLY_MOVED else 2
    if best is None:
        raise ValueError(f"{solver} diverges at the published rate")
    solver.times, solver.learning_rate, strengths = best
    return refiner, strengths


def _pilot(here: World, scenario: str, refiner: Any, strengths: Any) -> dict[float, float]:
    """Return the mean overlap at every strength, for pairs of users who are not tested on."""
    cases = evaluate_refinement(
        {"pilot": refiner},
        here.learn_pairs,
        scenario,
        strengths=strengths,
        n_pairs=_N_PILOT,
        allow_train_users=True,
        return_cases=True,
    )
    return cases.groupby("strength")["overlap@1000"].mean().to_dict()


def _strengths(overlaps: dict[float, float]) -> list[float]:
    """Return the strengths at which a method has the overlaps to read at, as the pilot saw it."""
    strengths = np.array(sorted(overlaps))
    # The first crossing counts, as read_at_overlap has it.
    falling = np.minimum.accumulate([overlaps[strength] for strength in strengths])
    read = np.interp(_READ, falling[::-1], np.log(strengths)[::-1])
    return sorted(set(np.exp(read).round(6).tolist()))


def _curves(where: str, cases: pd.DataFrame) -> list[Row]:
    means = cases.groupby(["method", "strength"], sort=False)[["overlap@1000", "improved"]].mean()
    return [
        row(f"{where} curve", f"{method} {number} {metric}", value)
        for method, each in means.groupby("method", sort=False)
        for number, line in enumerate(each.itertuples())
        for metric, value in (("overlap", line[1]), ("improved", line[2]))
    ]
