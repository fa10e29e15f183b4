"""Whether feedback does what explanations promise of it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sktpecr._inputs._feedback import Feedback
from sktpecr._inputs._numbers import check_n
from sktpecr.attribution import AccountAttribution
from sktpecr.evaluation._explanations import attributed, checked_pairs
from sktpecr.evaluation._held_out import as_pairs, check_comparable, tag_models_of
from sktpecr.evaluation._summary import summary_or_cases
from sktpecr.explanation._faithfulness import agreement
from sktpecr.metrics import rank
from sktpecr.refinement._feedback_refiner import FeedbackRefiner
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._user import User


def evaluate_calibration(
    explainers: Any,
    refiner: FeedbackRefiner,
    pairs: Iterable[tuple[Hashable, Hashable]],
    *,
    n_tags: int = 5,
    edit: float = 1.0,
    baseline: str | None = None,
    allow_train_users: bool = False,
    return_cases: bool = False,
) -> pd.DataFrame:
    """Measure whether importances come true: explained tags are applied as feedback.

    Parameters
    ----------
    explainers : TPECRExplainer or dict of str to TPECRExplainer
        Fitted on the same users, items and tags; their importances are what is promised: those of
        :class:`~sktpecr.attribution.ExactAttribution` are promises with all other tags held. The
        account makes none: what it names is tried by :func:`evaluate_explanations`.
    refiner : FeedbackRefiner
        What is done; its explainer knows the same users, items and tags.
    pairs : iterable of (user id, item id)
        What to explain.
    n_tags : int, default=5
        Each pair's tags with the largest importances in size; fewer if there are no more.
    edit : float, default=1.0
        Each of them is set so many standard deviations above where it is, and as many below.
    baseline : str, optional
        Name of the explainer that the others are compared with, pair by pair.
    allow_train_users : bool, default=False
        Whether users that the explainers were fitted on will do.
    return_cases : bool, default=False
        Return a row per method and pair instead of the summary.

    Returns
    -------
    DataFrame
        See :func:`summarize`; by method, a case is a pair. NaN where something is not defined.

        * "sign right": share of the edits after which the item's score moved as promised.
        * "slope", "correlation": of the change of the score on the promise (importance times
          edit), through the origin. A calibrated explanation has slope 1; importances in another
          unit than the score have that unit in their slope.
        * "rank: sign right": of the edits that moved the item's rank, the share that moved it as
          promised; "rank: Spearman": correlation of promises with places that the item rose by.
        * "tag reached": share of the edit that the tag's own preference took on.
        * "refused": share of the edits that the refiner cannot do; they count nowhere else.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import FeedbackRefiner, TPECRExplainer
    >>> from sktpecr.attribution import ExactAttribution
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> from sktpecr.evaluation import evaluate_calibration
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(
    ...     TruncatedSVD(8, random_state=0), data.item_tags, attribution=ExactAttribution()
    ... )
    >>> explainer = explainer.fit(data.interactions, train_users=range(150))
    >>> pairs = [(160, item) for item in data.item_ids[:5]]
    >>> result = evaluate_calibration(explainer, FeedbackRefiner(explainer), pairs)
    >>> result.set_index("metric")["mean"][["sign right", "slope"]].round(6).tolist()
    [1.0, 1.0]
    """
    if not isinstance(edit, Real) or not 0 < edit < np.inf:
        raise ValueError(f"edit must be a finite number above 0, got {edit!r}")
    if not isinstance(refiner, FeedbackRefiner):
        raise ValueError(f"refiner must be a FeedbackRefiner, got {type(refiner).__name__}")
    n_tags = check_n(n_tags, "n_tags")
    tag_models, pairs = tag_models_of(explainers, baseline), list(as_pairs(pairs))
    for name, tag_model in tag_models.items():
        if isinstance(tag_model.attribution, AccountAttribution):
            raise ValueError(
                f"explainers: {name!r} has the account for its attribution, which promises nothing "
                f"of a tag that moves with the others held; give "
                f"TPECRExplainer(attribution=ExactAttribution()), or see 'named: less obeyed' of "
                f"evaluate_explanations"
            )
    first = next(iter(tag_models))
    check_comparable({first: tag_models[first], "refiner": refiner.tag_model_})
    rows = [
        {"method": name, **row}
        for name, tag_model in tag_models.items()
        for row in _measured(tag_model, refiner, pairs, n_tags, edit, allow_train_users)
    ]
    if all(row["refused"] == 1.0 for row in rows):
        raise ValueError(
            "the refiner refuses every edit; try one with refiner.refine(user, set={tag: 1.0}) to "
            "see why"
        )
    return summary_or_cases(rows, return_cases, baseline=baseline)


def _measured(
    tag_model: TagModel,
    refiner: FeedbackRefiner,
    pairs: list[tuple[Hashable, Hashable]],
    n_tags: int,
    edit: float,
    allow_train_users: bool,
) -> Iterator[dict[str, Any]]:
    checked = checked_pairs(tag_model, pairs, allow_train_users)
    outcomes = {}
    for case, row, column, importances in attributed(tag_model, tag_model.attribution, checked):
        usable = np.flatnonzero(tag_model.std > 0)
        order = usable[np.argsort(-np.abs(importances[usable]), kind="stable")][:n_tags]
        done = [
            (change * importances[tag], *_done(refiner, row, column, tag, change))
            for tag in order
            for change in (edit, -edit)
        ]
        promised, moved, rise, reached = np.array(done).T
        outcomes[case] = _outcome(promised, moved, rise, reached / edit)
    for case, (user, item) in enumerate(pairs):
        yield {"case": case, "user": user, "item": item, **outcomes[case]}


def _done(
    refiner: FeedbackRefiner, row: int, column: int, tag: int, change: float
) -> tuple[float, float, float]:
    """Return what an edit of one tag did to the item's score, its rank, and the tag itself."""
    tag_model = refiner.tag_model_
    user = User.at(tag_model, row)
    own = tag_model.vs_mean(tag_model.tag_preferences_of(user.embedding))[tag]
    feedback = Feedback.parse(tag_model.tags, None, None, {tag_model.tags[tag]: own + change}, 1)
    try:
        # Not by refine: what is hard to steer is measured here, and needs no warning each time.
        # The promise is of this tag alone: the others are held.
        values = tag_model.in_units_of_score(feedback.set)
        refined = refiner._refine(tag_model, user, [feedback], values, hold=None)[0]
    except ValueError:  # beyond this recommender, or this solver
        return np.nan, np.nan, np.nan
    before, after = refined.scores_before, refined.scores
    reached = tag_model.vs_mean(refined.tag_preferences)[tag] - own
    return (
        float(after[column]) - float(before[column]),
        rank(before, column) - rank(after, column),
        float(reached * np.sign(change)),
    )


def _outcome(
    promised: NDArray, moved: NDArray, rise: NDArray, reached: NDArray
) -> dict[str, float]:
    could = ~np.isnan(moved)
    promised, moved, rise, reached = promised[could], moved[could], rise[could], reached[could]
    said, ranked = promised != 0, (promised != 0) & (rise != 0)
    varied = len(promised) > 1 and np.ptp(promised) > 0 and np.ptp(moved) > 0
    return {
        "sign right": _mean((promised * moved > 0)[said]),
        "slope": float(promised @ moved / (promised @ promised)) if said.any() else np.nan,
        "correlation": float(np.corrcoef(promised, moved)[0, 1]) if varied else np.nan,
        "rank: sign right": _mean((promised * rise > 0)[ranked]),
        "rank: Spearman": agreement(promised, rise)[0] if len(promised) > 1 else np.nan,
        "tag reached": _mean(reached),
        "refused": 1.0 - float(could.mean()) if len(could) else np.nan,
    }


def _mean(values: NDArray) -> float:
    return float(values.mean()) if len(values) else np.nan
