"""What feedback on one tag does to the list, and to an item that the user would like."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from sktpecr._inputs._numbers import check_choice, check_n
from sktpecr.evaluation._held_out import (
    as_pairs,
    by_name,
    check_comparable,
    check_numbers,
    check_unseen,
    list_lengths,
    measured_rows,
    tag_model_of,
)
from sktpecr.evaluation._summary import CASE, check_cases, check_names, summary_or_cases
from sktpecr.explanation._tpecr_explainer import TPECRExplainer
from sktpecr.metrics import average_precision, rank, ranking, recall
from sktpecr.recommenders._protocol import optional
from sktpecr.refinement._feedback_refiner import FeedbackRefiner
from sktpecr.tags._tag_model import TagModel

_SCENARIOS = ("like", "dislike")


def choose_tag(
    explainer: TPECRExplainer, scenario: str, user: Hashable, item: Hashable
) -> Any:  # a tag name, or None
    """Choose the tag that a user who looks for an item would name, by the paper's rule.

    Parameters
    ----------
    explainer : TPECRExplainer
        Fitted.
    scenario : {"like", "dislike"}
        "like" (PosTag) takes the least liked tag of the item, if the model thinks that the user
        does not like it; "dislike" (NegTag) the most liked tag that is not on the item, if the
        model thinks that the user likes it.
    user : hashable
        Raw user id.
    item : hashable
        Raw item id of what the user looks for.

    Returns
    -------
    tag : hashable or None
        Name of the tag; None if no tag fits.

    Notes
    -----
    Section 4.3.2 of the paper: a tag is liked if its preference is above the user's mean score
    over all items, or, where the recommender predicts tag preferences itself, over all tags.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import TPECRExplainer
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> from sktpecr.evaluation import choose_tag
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> choose_tag(explainer.fit(data.interactions), "dislike", 0, data.item_ids[3])
    'tag_2'
    """
    check_choice(scenario, "scenario", *_SCENARIOS)
    tag_model = tag_model_of(explainer)
    row = tag_model.catalogue.users.row(user)
    tag = _tag_for(tag_model, scenario, row, tag_model.catalogue.items.row(item))
    return None if tag is None else tag_model.tags[tag]


def evaluate_refinement(
    refiners: Any,
    pairs: Iterable[tuple[Hashable, Hashable]],
    scenario: str,
    *,
    strengths: Sequence[float] = (1.0,),
    k: Any = 1000,
    n_pairs: int = 1000,
    baseline: str | None = None,
    allow_train_users: bool = False,
    return_cases: bool = False,
) -> pd.DataFrame:
    """Measure refinement by simulated feedback on one tag: Tables 5 and 6 of the paper.

    Parameters
    ----------
    refiners : FeedbackRefiner or dict of str to FeedbackRefiner
        Fitted on the same users, items and tags. All of them get the same feedback.
    pairs : iterable of (user id, item id)
        Interactions that neither the recommender nor the explainer has seen, as
        :func:`split_interactions` holds out; the user then looks for the item.
    scenario : {"like", "dislike"}
        What the user says, of the tag that :func:`choose_tag` chooses. Pairs for which there is
        no tag, or nothing to set against it (no history outside a disliked tag, nothing unseen
        outside a liked one), are left out.
    strengths : sequence of float, default=(1.0,)
        See :meth:`sktpecr.FeedbackRefiner.refine`.
    k : int, float or sequence of them, default=1000
        How much of the list counts: a number of items, or a share of all items if less than 1.
    n_pairs : int, default=1000
        The first so many usable pairs are measured.
    baseline : str, optional
        Name of the refiner that the others are compared with, pair by pair.
    allow_train_users : bool, default=False
        Whether users that the explainer was fitted on will do.
    return_cases : bool, default=False
        Return a row per method, strength and pair instead of the summary.

    Returns
    -------
    DataFrame
        See :func:`summarize`; by method and strength.

        * "F-MAP@k", "F-Recall@k": of the tag's items, before minus after; negative if they rose.
        * "F-Rank": places by which the item rose; "improved": whether it did; "rank before":
          where it was, 1 for the best.
        * "overlap@k": share of the list that stayed; "history@k": of the items of the user's
          history that were in the list, the share that stayed.
        * "right way": whether the named tag's own preference moved as told.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import FeedbackRefiner, TPECRExplainer
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> from sktpecr.evaluation import evaluate_refinement, split_interactions
    >>> data = make_tagged_interactions(random_state=0)
    >>> train, held_out = split_interactions(data.interactions, random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> explainer = explainer.fit(train, train_users=range(100))
    >>> pairs = [(user, data.item_ids[item]) for user, item in held_out if user >= 100]
    >>> result = evaluate_refinement(FeedbackRefiner(explainer), pairs, "like", k=20)
    >>> float(result.set_index("metric")["mean"]["right way"])
    1.0
    """
    check_choice(scenario, "scenario", *_SCENARIOS)
    named = by_name(refiners, FeedbackRefiner, "refiners", baseline)
    tag_models = {name: refiner.tag_model_ for name, refiner in named.items()}
    check_comparable(tag_models)
    first = next(iter(tag_models.values()))
    lengths = list_lengths(k, len(first.catalogue.items))
    at = check_numbers(strengths, "strengths")
    usable = list(islice(_usable(first, pairs, scenario), check_n(n_pairs, "n_pairs")))
    if not usable:
        raise ValueError(f"pairs must hold one for which there is a tag to {scenario}, got none")
    measured_rows(
        tag_models.values(), [first.catalogue.users[row] for row, *_ in usable], allow_train_users
    )
    for tag_model in tag_models.values():
        check_unseen(tag_model, [(row, column) for row, column, _ in usable])
    rows = (
        {"method": name, **row}
        for name, refiner in named.items()
        for row in _measured(name, refiner, usable, scenario, at, lengths)
    )
    return summary_or_cases(rows, return_cases, ("method", "strength"), baseline=baseline)


def read_at_overlap(cases: pd.DataFrame, overlap: float, column: str | None = None) -> pd.DataFrame:
    """Compare methods at strengths that leave the same share of the list in place.

    Methods differ in how far one and the same strength moves a list, so that they can only be
    compared at equal overlap.

    Parameters
    ----------
    cases : DataFrame
        From :func:`evaluate_refinement` with ``return_cases=True``, over several strengths.
    overlap : float
        Mean overlap over cases to read at.
    column : str, optional
        The overlap to go by; the first column that starts with "overlap" by default.

    Returns
    -------
    DataFrame
        A row per method and case, its numbers linear between the two strengths around the
        overlap; for :func:`summarize`. A method whose strengths do not reach the overlap is left
        out.

    Examples
    --------
    >>> import pandas as pd
    >>> from sktpecr.evaluation import read_at_overlap
    >>> cases = pd.DataFrame({"method": "a", "strength": [1.0, 2.0], "case": 0})
    >>> cases[["F-Rank", "overlap@10"]] = [[10.0, 1.0], [30.0, 0.8]]
    >>> float(read_at_overlap(cases, 0.9)["F-Rank"].iloc[0])
    20.0
    """
    check_cases(cases)
    if column is None:
        column = next((name for name in cases.columns if str(name).startswith("overlap")), None)
    check_names([column], "column")
    if column not in cases.columns or "strength" not in cases.columns:
        raise ValueError(
            f"cases must have the columns 'strength' and {column or 'overlap'!r}, as "
            f"evaluate_refinement with return_cases=True has, got {', '.join(map(str, cases))}"
        )
    ids = [name for name in CASE if name in cases.columns]
    numbers = cases.select_dtypes(["number", "bool"]).columns.difference(ids, sort=False)
    read = []
    for method, group in cases.groupby("method", sort=False):
        by_strength = {
            strength: at.set_index(ids)[numbers].astype(np.float64)
            for strength, at in group.groupby("strength", sort=True)
        }
        means = {strength: at[column].mean() for strength, at in by_strength.items()}
        # The first crossing: a list that comes back at large strengths is not a small change.
        for weaker, stronger in pairwise(means):
            high, low = means[weaker], means[stronger]
            if low <= overlap <= high:
                share = (high - overlap) / (high - low) if high > low else 0.0
                between = (1 - share) * by_strength[weaker] + share * by_strength[stronger]
                read.append(between.reset_index().assign(method=method))
                break
    return pd.concat(read, ignore_index=True) if read else cases.iloc[:0]


def _tag_for(tag_model: TagModel, scenario: str, row: int, column: int) -> int | None:
    embedding = tag_model.user_embeddings[row]
    preferences = tag_model.tag_preferences_of(embedding)
    own_tags = optional(tag_model.recommender, "tag_scores")
    level = (preferences if own_tags else tag_model.scores_of(embedding)).mean()
    on_item = tag_model.extractor.tags_of(column) > 0
    if scenario == "like":
        tags = np.flatnonzero(on_item & (preferences <= level))
        return int(tags[np.argmin(preferences[tags])]) if len(tags) else None
    tags = np.flatnonzero(~on_item & (preferences > level))
    return int(tags[np.argmax(preferences[tags])]) if len(tags) else None


def _usable(
    tag_model: TagModel,
    pairs: Iterable[tuple[Hashable, Hashable]],
    scenario: str,
) -> Iterator[tuple[int, int, int]]:
    """Yield row, column and tag of the pairs that there is something to say about."""
    catalogue = tag_model.catalogue
    everything = np.arange(len(catalogue.items))
    for user, item in as_pairs(pairs):
        row, column = catalogue.users.row(user), catalogue.items.row(item)
        tag = _tag_for(tag_model, scenario, row, column)
        if tag is None or tag_model.std[tag] == 0:
            continue
        items, history = tag_model.extractor.items_of(tag), catalogue.history(row)
        rivals = history if scenario == "dislike" else np.setdiff1d(everything, history)
        if len(np.setdiff1d(rivals, items)):
            yield row, column, tag


def _measured(
    name: str,
    refiner: FeedbackRefiner,
    usable: list[tuple[int, int, int]],
    scenario: str,
    strengths: list[float],
    lengths: dict[str, int],
) -> Iterator[dict[str, Any]]:
    tag_model = refiner.tag_model_
    catalogue = tag_model.catalogue
    way = 1.0 if scenario == "like" else -1.0
    for case, (row, column, tag) in enumerate(tqdm(usable, desc=name, delay=3, disable=None)):
        user, item, tag_name = catalogue.users[row], catalogue.items[column], tag_model.tags[tag]
        said: dict[str, Any] = {scenario: [tag_name]}
        refinements = refiner.sweep(user, **said, strengths=strengths)
        items, history = tag_model.extractor.items_of(tag), catalogue.history(row)
        own = tag_model.tag_preferences_of(tag_model.user_embeddings[row])[tag]
        # The same for all strengths.
        before = ranking(refinements[0].scores_before)
        rank_before = rank(refinements[0].scores_before, column)
        for strength, refined in zip(strengths, refinements, strict=True):
            after = ranking(refined.scores)
            rise = rank_before - rank(refined.scores, column)
            outcome: dict[str, Any] = {
                "F-Rank": rise,
                "improved": float(rise > 0),
                "rank before": rank_before + 1,
            }
            for at, length in lengths.items():
                listed = _listed(before, length)
                kept = listed & _listed(after, length)
                outcome |= {
                    f"F-MAP{at}": average_precision(before, items, length)
                    - average_precision(after, items, length),
                    f"F-Recall{at}": recall(before, items, length) - recall(after, items, length),
                    f"overlap{at}": np.count_nonzero(kept) / min(length, len(before)),
                    f"history{at}": _share(kept[history], listed[history]),
                }
            outcome["right way"] = float(way * (refined.tag_preferences[tag] - own) > 0)
            yield {
                "strength": strength,
                "case": case,
                "user": user,
                "item": item,
                "tag": tag_name,
                **outcome,
            }


def _listed(ranked: NDArray, length: int) -> NDArray:
    """Return which items are at the head of a ranking, shape (n_items,)."""
    mask = np.zeros(len(ranked), dtype=bool)
    mask[ranked[:length]] = True
    return mask


def _share(kept: NDArray, listed: NDArray) -> float:
    """Return which share of what was listed is kept; NaN if nothing was."""
    return np.count_nonzero(kept) / np.count_nonzero(listed) if listed.any() else np.nan
