"""Whether a tag that is turned up or down takes its items along."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from tqdm.auto import tqdm

from sktpecr._inputs._numbers import check_choice, check_n
from sktpecr.evaluation._held_out import (
    check_numbers,
    list_lengths,
    measured_rows,
    tag_models_of,
)
from sktpecr.evaluation._summary import summary_or_cases
from sktpecr.metrics import average_precision, ranking, recall
from sktpecr.tags._tag_model import TagModel


def evaluate_control(
    explainers: Any,
    users: Iterable[Hashable] | None = None,
    *,
    d: Sequence[float] = (-1.0, -0.5, 0.0, 0.5, 1.0),
    units: str = "std",
    k: Any = 1000,
    n_cases: int = 1000,
    random_state: int = 0,
    allow_train_users: bool = False,
    return_cases: bool = False,
) -> pd.DataFrame:
    """Measure how lists follow a tag preference that is raised or lowered: the paper's Figure 4.

    Parameters
    ----------
    explainers : TPECRExplainer or dict of str to TPECRExplainer
        Fitted on the same users, items and tags.
    users : iterable of hashable, optional
        Raw ids. By default all users that no explainer was fitted on.
    d : sequence of float, default=(-1, -.5, 0, .5, 1)
        What is added to the preference for one tag.
    units : {"std", "raw"}, default="std"
        Unit of `d`: standard deviations of the tag, or units of the score.
    k : int, float or sequence of them, default=1000
        How much of the list counts: a number of items, or a share of all items if less than 1.
    n_cases : int, default=1000
        Number of users, each with one tag; all of them if there are fewer.
    random_state : int, default=0
        Draws users and tags.
    allow_train_users : bool, default=False
        Whether users that the generator was fitted on will do.
    return_cases : bool, default=False
        Return a row per method, tag, d and user instead of the summary.

    Returns
    -------
    DataFrame
        See :func:`summarize`; metrics "F-MAP@k" and "F-Recall@k", before minus after, by method,
        d, and tag: "changed", or "other", another tag drawn at random. Before is the user's own
        embedding, after is :math:`G(c')`, so that 0 at d = 0 is the generator's merit.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import TPECRExplainer
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> from sktpecr.evaluation import evaluate_control
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> explainer = explainer.fit(data.interactions, train_users=range(150))
    >>> result = evaluate_control(explainer, d=[-1, 0, 1], k=20)
    >>> result = result[(result["tag"] == "changed") & (result["metric"] == "F-MAP@20")]
    >>> bool(result["mean"].is_monotonic_decreasing)
    True
    """
    check_choice(units, "units", "std", "raw")
    shifts, n_cases = check_numbers(d, "d"), check_n(n_cases, "n_cases")
    tag_models = tag_models_of(explainers)
    first = next(iter(tag_models.values()))
    if len(first.tags) < 2:
        raise ValueError("explainers must know at least two tags, one to change and another, got 1")
    lengths = list_lengths(k, len(first.catalogue.items))
    measured = measured_rows(tag_models.values(), users, allow_train_users)
    rows = (
        {"method": name, **row}
        for name, tag_model in tag_models.items()
        for row in _measured(tag_model, measured, shifts, units, lengths, n_cases, random_state)
    )
    return summary_or_cases(rows, return_cases, ("method", "tag", "d"))


def _measured(
    tag_model: TagModel,
    measured: NDArray,
    d: list[float],
    units: str,
    lengths: dict[str, int],
    n_cases: int,
    random_state: int,
) -> Iterator[dict[str, Any]]:
    rng = check_random_state(random_state)
    n_tags = len(tag_model.tags)
    unit = tag_model.std if units == "std" else np.ones(n_tags)
    for case, row in enumerate(
        tqdm(rng.permutation(measured)[:n_cases], desc="control", delay=3, disable=None)
    ):
        changed, other = rng.choice(n_tags, size=2, replace=False)
        own = tag_model.user_embeddings[row].astype(np.float64)
        asked = np.tile(tag_model.tag_preferences_of(own), (len(d), 1))
        asked[:, changed] += np.multiply(d, unit[changed])
        embeddings = tag_model.generator.generate(asked, own[np.newaxis])
        before = ranking(tag_model.scores_of(own))
        items = {
            which: tag_model.extractor.items_of(tag)
            for which, tag in (("changed", changed), ("other", other))
        }
        start = {
            (which, metric, at): measure(before, items[which], length)
            for which in items
            for at, length in lengths.items()
            for metric, measure in _METRICS.items()
        }
        for each, scores in zip(d, tag_model.recommender.score_items(embeddings), strict=True):
            after = ranking(scores)
            for which in items:
                yield {
                    "tag": which,
                    "d": each,
                    "case": case,
                    "user": tag_model.catalogue.users[row],
                    **{
                        f"F-{metric}{at}": start[which, metric, at]
                        - measure(after, items[which], length)
                        for at, length in lengths.items()
                        for metric, measure in _METRICS.items()
                    },
                }


_METRICS = {"MAP": average_precision, "Recall": recall}
