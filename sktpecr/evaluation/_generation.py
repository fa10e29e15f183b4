"""How well a generator meets the tag preferences it is asked for."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from sktpecr.evaluation._held_out import measured_rows, tag_models_of
from sktpecr.evaluation._summary import summary_or_cases
from sktpecr.tags._tag_model import TagModel

_UNEDITED = "unedited"


def evaluate_generation(
    explainers: Any,
    users: Iterable[Hashable] | None = None,
    *,
    edit: float = 1.0,
    random_state: int = 0,
    allow_train_users: bool = False,
    return_cases: bool = False,
) -> pd.DataFrame:
    r"""Measure how well embeddings are generated: Table 4 of the paper, and single edits.

    Parameters
    ----------
    explainers : TPECRExplainer or dict of str to TPECRExplainer
        Fitted on the same users, items and tags, over the same recommender.
    users : iterable of hashable, optional
        Raw ids. By default all users that no explainer was fitted on.
    edit : float, default=1.0
        Size of the single edits, in standard deviations of the tag.
    random_state : int, default=0
        Pairs the users, and draws the tag and the sign of the single edits.
    allow_train_users : bool, default=False
        Whether users that the generator was fitted on will do.
    return_cases : bool, default=False
        Return a row per method and user instead of the summary.

    Returns
    -------
    DataFrame
        See :func:`summarize`; one row per method and metric, paired with the method "unedited",
        the user's own embedding.

        * Every user asks for the tag preferences of another: "MSE" and "MAPE" (a fraction) of
          what the generated embedding has, "MSE / unedited" in units of the mean error of the
          unedited one. MAPE is NaN where a preference of 0 is asked for.
        * Every user asks for one tag to change: "hit" is the share of the change that came
          about, "leak" the root mean square change of the other tags, in standard deviations,
          relative to the change asked for.
        * "distance": squared Mahalanobis distance of the swapped embedding from the users that
          the explainer was fitted on, divided by the number of factors: 1 for real users.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import TPECRExplainer
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> from sktpecr.evaluation import evaluate_generation
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> explainer = explainer.fit(data.interactions, train_users=range(150))
    >>> result = evaluate_generation(explainer).set_index(["method", "metric"])["mean"]
    >>> bool(result["TPECRExplainer", "MSE / unedited"] < 1e-10)
    True
    """
    if not isinstance(edit, Real) or not 0 < edit < np.inf:
        raise ValueError(f"edit must be a finite number above 0, got {edit!r}")
    tag_models = tag_models_of(explainers)
    if _UNEDITED in tag_models:
        raise ValueError(f"explainers must not use the name {_UNEDITED!r}; give it another")
    first, *others = tag_models
    for other in others:
        ours, theirs = tag_models[first].tag_preferences, tag_models[other].tag_preferences
        if not np.allclose(ours, theirs):
            raise ValueError(
                f"explainers must explain the same recommender, with the same aggregate, got "
                f"other tag preferences from {other!r} than from {first!r}"
            )
    measured = measured_rows(tag_models.values(), users, allow_train_users)
    rows = (
        row
        for name, tag_model in tag_models.items()
        for row in _measured(name, tag_model, measured, edit, random_state)
    )
    # "unedited" comes with each; the distances of the first are kept.
    unique: dict[Any, dict[str, Any]] = {}
    for row in rows:
        unique.setdefault((row["method"], row["case"]), row)
    metrics = ["MSE", "MSE / unedited", "MAPE", "hit", "leak", "distance"]
    return summary_or_cases(unique.values(), return_cases, metrics=metrics, baseline=_UNEDITED)


def _measured(
    name: str, tag_model: TagModel, measured: NDArray, edit: float, random_state: int
) -> Iterator[dict[str, Any]]:
    if len(measured) < 2:
        raise ValueError("users must name at least two users to swap among, got one")
    own_embeddings = tag_model.user_embeddings[measured].astype(np.float64)
    swap = tag_model.swapped(own_embeddings, check_random_state(random_state))
    unedited = float(np.mean((swap.own - swap.wanted) ** 2))
    varied = np.flatnonzero(tag_model.std > 0)
    if not unedited or not len(varied):
        raise ValueError(
            "users must differ in tag preferences, those to swap among and those that the "
            "explainer was fitted on, got users who are all alike"
        )
    rng = check_random_state(random_state)
    tags = rng.choice(varied, size=len(measured))
    change = edit * rng.choice([-1.0, 1.0], size=len(measured))
    asked = swap.own.copy()
    everyone = np.arange(len(measured))
    asked[everyone, tags] += change * tag_model.std[tags]
    edited = tag_model.generator.generate(asked, own_embeddings)
    n_others = max(1, asked.shape[1] - 1)
    metrics = {
        _UNEDITED: (swap.own, own_embeddings, swap.own),
        name: (swap.met, swap.generated, tag_model.extractor.tag_preferences(edited)),
    }
    sizes = np.where(swap.wanted == 0, np.nan, np.abs(swap.wanted))
    for method, (met, generated, met_edit) in metrics.items():
        squared = np.mean((met - swap.wanted) ** 2, axis=1)
        moved = tag_model.vs_mean(met_edit) - tag_model.vs_mean(swap.own)
        hit = moved[everyone, tags] / change
        moved[everyone, tags] = 0.0
        columns = {
            "MSE": squared,
            "MSE / unedited": squared / unedited,
            "MAPE": np.mean(np.abs(met - swap.wanted) / sizes, axis=1),
            "hit": hit,
            "leak": np.sqrt(np.square(moved).sum(axis=1) / n_others) / edit,
            "distance": _distance(generated, tag_model),
        }
        for case, row in enumerate(measured):
            yield {
                "method": method,
                "case": case,
                "user": tag_model.catalogue.users[row],
                **{metric: float(values[case]) for metric, values in columns.items()},
            }


def _distance(embeddings: NDArray, tag_model: TagModel) -> NDArray:
    """Return squared Mahalanobis distances from the population, per factor."""
    learned = tag_model.user_embeddings[tag_model.learners].astype(np.float64)
    away = embeddings - learned.mean(axis=0)
    precision = np.linalg.pinv(np.atleast_2d(np.cov(learned.T, bias=True)), hermitian=True)
    return np.einsum("ij,jk,ik->i", away, precision, away) / embeddings.shape[1]
