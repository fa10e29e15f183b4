"""Whether explanations name the item's own tags, hold true, and come out alike twice."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from tqdm.auto import tqdm

from sktpecr.evaluation._held_out import (
    as_pairs,
    measured_rows,
    tag_model_of,
    tag_models_of,
)
from sktpecr.evaluation._named_tags import NamedTags
from sktpecr.evaluation._summary import summary_or_cases
from sktpecr.explanation._faithfulness import agreement, faithfulness, random_changes, redrawn
from sktpecr.explanation._tpecr_explainer import TPECRExplainer
from sktpecr.tags._tag_model import TagModel

# Random orders that insertion and deletion are compared with.
_ORDERS = 10


def explained_tags(
    explainer: TPECRExplainer,
    pairs: Iterable[tuple[Hashable, Hashable]],
    *,
    allow_train_users: bool = False,
) -> pd.DataFrame:
    """List the importances of all tags for some users and items: Figure 5 of the paper.

    Parameters
    ----------
    explainer : TPECRExplainer
        Fitted.
    pairs : iterable of (user id, item id)
        What to explain.
    allow_train_users : bool, default=False
        Whether users that the explainer was fitted on will do (the paper's Figure 5 takes them).

    Returns
    -------
    DataFrame
        A row per pair and tag: case, user, item, tag, importance, related (whether the tag is
        on the item).

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import TPECRExplainer
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> from sktpecr.evaluation import explained_tags
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> explainer = explainer.fit(data.interactions, train_users=range(150))
    >>> tags = explained_tags(explainer, [(160, item) for item in data.item_ids])
    >>> importance = tags.groupby("related")["importance"].mean()
    >>> bool(importance[True] > importance[False])
    True
    """
    tag_model = tag_model_of(explainer)
    tags = tag_model.tags.array()
    frames = []
    for case, row, column, importances in attributed(
        tag_model, tag_model.attribution, checked_pairs(tag_model, pairs, allow_train_users)
    ):
        frames.append(
            pd.DataFrame(
                {
                    "case": case,
                    "user": tag_model.catalogue.users[row],
                    "item": tag_model.catalogue.items[column],
                    "tag": tags,
                    "importance": importances,
                    "related": tag_model.extractor.tags_of(column) > 0,
                }
            )
        )
    return pd.concat(frames).sort_values("case", kind="stable", ignore_index=True)


def evaluate_explanations(
    explainers: Any,
    pairs: Iterable[tuple[Hashable, Hashable]],
    *,
    n_seeds: int = 3,
    random_state: int = 0,
    baseline: str | None = None,
    allow_train_users: bool = False,
    return_cases: bool = False,
) -> pd.DataFrame:
    """Measure whether explanations are to the point, faithful and stable.

    Parameters
    ----------
    explainers : TPECRExplainer or dict of str to TPECRExplainer
        Fitted on the same users, items and tags.
    pairs : iterable of (user id, item id)
        What to explain.
    n_seeds : int, default=3
        How often sampled attributions are drawn again, at least 2.
    random_state : int, default=0
        Seeds the trials of faithfulness; the first of the seeds of sampled attributions.
    baseline : str, optional
        Name of the explainer that the others are compared with, pair by pair.
    allow_train_users : bool, default=False
        Whether users that the explainer was fitted on will do.
    return_cases : bool, default=False
        Return a row per method and pair instead of the summary.

    Returns
    -------
    DataFrame
        See :func:`summarize`; by method, a case is a pair. NaN where something is not defined.

        * "related", "related | >= 0", "related | < 0": share of tags that are on the item, among
          all, among those with importances of at least 0, and among the others (Figure 5).
        * "top is related": whether the tag of the largest importance is on the item.
        * "faithfulness": squared correlation of what the importances predict with what the
          composite function does, over random changes of all tags around the user. 1 for
          :class:`~sktpecr.attribution.ExactAttribution` where the composite function is linear; the
          account makes no such prediction, and is not to be judged by it.
        * "insertion", "deletion": how much faster the composite function's score rises when tags
          are put where the user has them, largest contribution first, and falls when they are put
          where the average user has them, than in random order: mean over the way, in standard
          deviations of the user's scores. 0 is no better than chance.
        * "seeds: Spearman", "seeds: top 5", "seeds: sign flips": agreement of importances
          between two seeds: rank correlation, Jaccard overlap of the five largest in size, share
          of signs that differ. 1, 1, 0 for what is not sampled.
        * "named": how many tags are named to a person: the reasons of the account, for other
          attributions the three largest contributions. "named: sign", "named: on item": share of
          them whose contribution has the sign of the liking, and that the item carries. "named:
          true of history": share whose part in the user's own history lies on the side of the
          average that was claimed. "named: less obeyed": whether "less" of the first that speaks
          for the item lowers it against the user's first hundred.
        * "exact: Spearman", "exact: sign flips": agreement with the exact weights, where the
          composite function is linear.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import TPECRExplainer
    >>> from sktpecr.attribution import ExactAttribution
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> from sktpecr.evaluation import evaluate_explanations
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(
    ...     TruncatedSVD(8, random_state=0), data.item_tags, attribution=ExactAttribution()
    ... )
    >>> explainer = explainer.fit(data.interactions, train_users=range(150))
    >>> result = evaluate_explanations(explainer, [(160, item) for item in data.item_ids[:5]])
    >>> float(result.set_index("metric")["mean"]["faithfulness"].round(6))
    1.0
    """
    if not isinstance(n_seeds, Integral) or n_seeds < 2:
        raise ValueError(
            f"n_seeds must be a whole number of at least 2, to compare seeds, got {n_seeds!r}"
        )
    tag_models, pairs = tag_models_of(explainers, baseline), list(as_pairs(pairs))
    rows = (
        {"method": name, **row}
        for name, tag_model in tag_models.items()
        for row in _measured(tag_model, pairs, n_seeds, random_state, allow_train_users)
    )
    return summary_or_cases(rows, return_cases, baseline=baseline)


def checked_pairs(
    tag_model: TagModel, pairs: Iterable[tuple[Hashable, Hashable]], allow_train_users: bool
) -> NDArray:
    """Return rows and columns of pairs of raw ids, shape (n_pairs, 2)."""
    pairs = list(as_pairs(pairs))
    if not pairs:
        raise ValueError("pairs must have at least one (user id, item id), got none")
    users, items = zip(*pairs, strict=True)
    measured_rows([tag_model], users, allow_train_users)
    catalogue = tag_model.catalogue
    return np.column_stack([catalogue.users.rows(users), catalogue.items.rows(items)])


def attributed(
    tag_model: TagModel, attribution: Any, pairs: NDArray
) -> Iterator[tuple[int, int, int, NDArray]]:
    """Yield case, row, column and importances; users one by one, all their items at once."""
    order = np.argsort(pairs[:, 0], kind="stable")
    starts = np.flatnonzero(np.diff(pairs[order, 0], prepend=-1))
    by_user = np.split(order, starts[1:])
    for cases in tqdm(by_user, desc="explanations", delay=3, disable=None):
        row = int(pairs[cases[0], 0])
        embedding = tag_model.user_embeddings[row].astype(np.float64)
        columns = pairs[cases, 1]
        importances = attribution.attribute(
            tag_model.tag_preferences_of(embedding), embedding, columns
        ).importances
        for case, column, weights in zip(cases, columns, importances, strict=True):
            yield int(case), row, int(column), weights


def _measured(
    tag_model: TagModel,
    pairs: list[tuple[Hashable, Hashable]],
    n_seeds: int,
    random_state: int,
    allow_train_users: bool,
) -> Iterator[dict[str, Any]]:
    checked = checked_pairs(tag_model, pairs, allow_train_users)
    importances = [
        _importances(tag_model, attribution, checked)
        for attribution in list(redrawn(tag_model, range(random_state, random_state + n_seeds)))
        or [tag_model.attribution]
    ]
    exact = None
    if tag_model.composite.is_linear:
        exact = tag_model.composite.tag_weights(checked[:, 1]) * tag_model.std
    named, rng = NamedTags(tag_model), check_random_state(random_state)
    changes = random_changes(rng, len(tag_model.tags))
    orders = np.array([rng.permutation(len(tag_model.tags)) for _ in range(_ORDERS)])
    for case, (row, column) in enumerate(checked):
        weights = [each[case] for each in importances]
        related = tag_model.extractor.tags_of(int(column)) > 0
        positive = weights[0] >= 0
        between = np.array(
            [
                agreement(weights[i], weights[j])
                for i in range(len(weights))
                for j in range(i + 1, len(weights))
            ]
            or [(1.0, 1.0, 0.0)]
        )
        spearman, top, flips = (_nanmean(column) for column in between.T)
        outcome = {
            "case": case,
            "user": pairs[case][0],
            "item": pairs[case][1],
            "related": related.mean(),
            "related | >= 0": related[positive].mean() if positive.any() else np.nan,
            "related | < 0": related[~positive].mean() if not positive.all() else np.nan,
            "top is related": float(related[np.argmax(weights[0])]),
            "faithfulness": faithfulness(
                tag_model, tag_model.user_embeddings[row], column, weights[0], changes
            ),
            **_curves(tag_model, row, column, weights[0], orders),
            "seeds: Spearman": spearman,
            "seeds: top 5": top,
            "seeds: sign flips": flips,
            **named.measured(int(row), int(column)),
        }
        if exact is not None:
            spearman, _, flips = agreement(weights[0], exact[case])
            outcome |= {"exact: Spearman": spearman, "exact: sign flips": flips}
        yield outcome


def _curves(
    tag_model: TagModel, row: int, column: int, weights: NDArray, orders: NDArray
) -> dict[str, float]:
    """Return how much faster the score changes in order of contributions than in other orders."""
    own_embedding = tag_model.user_embeddings[row].astype(np.float64)
    own = tag_model.tag_preferences_of(own_embedding)
    best_first = np.argsort(-weights * tag_model.vs_mean(own), kind="stable")
    spread_of_scores = float(tag_model.scores_of(own_embedding).std())
    steps = np.arange(len(own) + 1)[:, np.newaxis]
    curves = {}
    for name, start, end in (
        ("insertion", tag_model.mean, own),
        ("deletion", own, tag_model.mean),
    ):
        gains = []
        for order in (best_first, *orders):
            place = np.empty_like(order)
            place[order] = np.arange(len(order))
            rows = np.where(place < steps, end, start)
            scores = tag_model.composite(rows, own_embedding[np.newaxis], [column])[:, 0]
            gains.append(np.mean(scores - scores[0]))
        faster = gains[0] - np.mean(gains[1:])
        sign = 1.0 if name == "insertion" else -1.0
        curves[name] = sign * faster / spread_of_scores if spread_of_scores else np.nan
    return curves


def _importances(tag_model: TagModel, attribution: Any, pairs: NDArray) -> NDArray:
    importances = np.empty((len(pairs), len(tag_model.tags)))
    for case, _, _, weights in attributed(tag_model, attribution, pairs):
        importances[case] = weights
    return importances


def _nanmean(values: NDArray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan
