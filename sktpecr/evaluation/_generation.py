"""How well a generator meets the tag preferences it is asked for."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from sktpecr._population import Population
from sktpecr._tpecr_explainer import TPECRExplainer
from sktpecr.evaluation._held_out import by_name, measured_rows
from sktpecr.evaluation._summary import summary_or_cases

if TYPE_CHECKING:
    import pandas as pd


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
        Fitted, over the same recommender.
    users : iterable of hashable, optional
        Raw ids. By default all users that the explainer was not fitted on.
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
          unedited one.
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
    rows = (
        row
        for name, explainer in by_name(explainers, TPECRExplainer).items()
        for row in _measured(
            name, explainer._fitted_population(), users, edit, random_state, allow_train_users
        )
    )
    unique = {(row["method"], row["case"]): row for row in rows}  # "unedited" comes with each
    metrics = ["MSE", "MSE / unedited", "MAPE", "hit", "leak", "distance"]
    return summary_or_cases(unique.values(), return_cases, metrics=metrics, baseline="unedited")


def _measured(
    name: str,
    population: Population,
    users: Iterable[Hashable] | None,
    edit: float,
    random_state: int,
    allow_train_users: bool,
) -> Iterator[dict[str, Any]]:
    measured = measured_rows(population, users, allow_train_users)
    if len(measured) < 2:
        raise ValueError("users must name at least two users to swap among, got one")
    own_embeddings = population.user_embeddings[measured].astype(np.float64)
    swap = population.swapped(own_embeddings, check_random_state(random_state))
    rng = check_random_state(random_state)
    tags = rng.choice(np.flatnonzero(population.std > 0), size=len(measured))
    change = edit * rng.choice([-1.0, 1.0], size=len(measured))
    asked = swap.own.copy()
    everyone = np.arange(len(measured))
    asked[everyone, tags] += change * population.std[tags]
    edited = population.generator.generate(asked, own_embeddings)
    unedited = float(np.mean((swap.own - swap.wanted) ** 2))
    metrics = {
        "unedited": (swap.own, own_embeddings, swap.own),
        name: (swap.met, swap.generated, population.extractor.tag_preferences(edited)),
    }
    for method, (met, generated, met_edit) in metrics.items():
        squared = np.mean((met - swap.wanted) ** 2, axis=1)
        moved = population.vs_mean(met_edit) - population.vs_mean(swap.own)
        hit = moved[everyone, tags] / change
        moved[everyone, tags] = 0.0
        columns = {
            "MSE": squared,
            "MSE / unedited": squared / unedited,
            "MAPE": np.mean(np.abs(met - swap.wanted) / np.abs(swap.wanted), axis=1),
            "hit": hit,
            "leak": np.sqrt(np.square(moved).mean(axis=1)) / abs(edit),
            "distance": _distance(generated, population),
        }
        for case, row in enumerate(measured):
            yield {
                "method": method,
                "case": case,
                "user": population.catalogue.users[row],
                **{metric: float(values[case]) for metric, values in columns.items()},
            }


def _distance(embeddings: NDArray, population: Population) -> NDArray:
    """Return squared Mahalanobis distances from the population, per factor."""
    learned = population.user_embeddings[population.learners].astype(np.float64)
    away = embeddings - learned.mean(axis=0)
    precision = np.linalg.pinv(np.atleast_2d(np.cov(learned.T, bias=True)), hermitian=True)
    return np.einsum("ij,jk,ik->i", away, precision, away) / embeddings.shape[1]
