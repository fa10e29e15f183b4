"""How soon a user who talks of tags sees what she looks for."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from sktpecr._inputs._numbers import check_n, finite_number
from sktpecr._utils._ranking import ranks_of, top_items
from sktpecr.evaluation._held_out import (
    as_pairs,
    by_name,
    check_comparable,
    check_unseen,
    measured_rows,
)
from sktpecr.evaluation._summary import summary_or_cases
from sktpecr.explanation._suggest_question import rank_questions
from sktpecr.refinement._feedback_refiner import FeedbackRefiner
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._user import User


def evaluate_conversation(
    refiners: Any,
    pairs: Iterable[tuple[Hashable, Hashable]],
    *,
    policy: str = "most_misjudged",
    noise: float = 0.1,
    max_turns: int = 10,
    strength: float = 1.0,
    k: int = 10,
    n_pairs: int = 500,
    baseline: str | None = None,
    allow_train_users: bool = False,
    random_state: int = 0,
    return_cases: bool = False,
) -> pd.DataFrame:
    r"""Measure conversations of simulated users, each of whom looks for an item.

    Parameters
    ----------
    refiners : FeedbackRefiner or dict of str to FeedbackRefiner
        Fitted on the same users, items and tags. ``sktpecr.Conversation`` uses
        ``FeedbackRefiner(explainer)``.
    pairs : iterable of (user id, item id)
        Interactions that neither the recommender nor the explainer has seen, as
        :func:`split_interactions` holds out; the user then looks for the item.
    policy : {"most_misjudged", "random", "asked"}, default="most_misjudged"
        Of which tag the user speaks: the one that the model, as refined so far, misjudges most;
        any; or the one that :meth:`sktpecr.TPECRExplainer.suggest_question` asks about, each
        once. She says "more" if the item has the tag, "less" if not.
    noise : float, default=0.1
        With this probability she says the contrary, in [0, 1].
    max_turns : int, default=10
        After so many turns she gives up.
    strength : float, default=1.0
        Of every answer, see :meth:`sktpecr.FeedbackRefiner.refine`.
    k : int, default=10
        Length of the list that she looks at.
    n_pairs : int, default=500
        The first so many pairs are measured.
    baseline : str, optional
        Name of the refiner that the others are compared with, pair by pair.
    allow_train_users : bool, default=False
        Whether users that the explainer was fitted on will do.
    random_state : int, default=0
        Seeds what is random about the users; a pair's draws are the same for every refiner.
    return_cases : bool, default=False
        Return a row per method, turn and pair instead of the summary.

    Returns
    -------
    DataFrame
        See :func:`summarize`; by method and turn, of which 0 is before anything was said.

        * "success@k": whether the item is in the list by then; "turns": how many it took, or
          were in vain. Who sees the item, or has nothing to say, stops there, and her last list
          counts for the turns that are left.
        * "rank": the item's, among those that she has not seen, from 1.
        * "overlap@k": share of the first list that is still in the list.
        * "history rank": mean share of all items that stand above an item of her history; NaN
          for who has none.

    Raises
    ------
    ValueError
        If a parameter is none of what it may be, users were learned from, or a pair is among the
        interactions that the explainer was fitted on.

    Notes
    -----
    A tag t is misjudged by :math:`c_{ut} - \bar r_u` if the item does not have it and by
    :math:`\bar r_u - c_{ut}` if it does, :math:`\bar r_u` the user's mean score over all items, as
    in :func:`choose_tag`. Users never speak of tags that nothing can be set against: those on all
    items, and in dislike those on all of the history. Answers are about one tag each, and the
    simulated user knows her mind no better than the item's tags say it: real people are kinder
    and crueller.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import FeedbackRefiner, TPECRExplainer
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> from sktpecr.evaluation import evaluate_conversation, split_interactions
    >>> data = make_tagged_interactions(random_state=0)
    >>> train, held_out = split_interactions(data.interactions, random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> explainer = explainer.fit(train, train_users=range(100))
    >>> pairs = [(user, data.item_ids[item]) for user, item in held_out if user >= 100]
    >>> refiner = FeedbackRefiner(explainer)
    >>> result = evaluate_conversation(refiner, pairs, max_turns=5, n_pairs=50)
    >>> success = result[result["metric"] == "success@10"].set_index("turn")["mean"]
    >>> bool(success[5] > success[0])
    True
    """
    if policy not in _POLICIES:
        raise ValueError(f"policy must be one of {', '.join(map(repr, _POLICIES))}, got {policy!r}")
    noise = finite_number(noise, "noise")
    if not 0 <= noise <= 1:
        raise ValueError(f"noise must be a probability from 0 to 1, got {noise!r}")
    max_turns, k = check_n(max_turns, "max_turns"), check_n(k, "k")
    named = by_name(refiners, FeedbackRefiner, "refiners", baseline)
    tag_models = {name: refiner.tag_model_ for name, refiner in named.items()}
    check_comparable(tag_models)
    catalogue = next(iter(tag_models.values())).catalogue
    looked_for = [
        (catalogue.users.row(user), catalogue.items.row(item))
        for user, item in islice(as_pairs(pairs), check_n(n_pairs, "n_pairs"))
    ]
    if not looked_for:
        raise ValueError("pairs must hold at least one (user id, item id), got none")
    measured_rows(
        tag_models.values(), [catalogue.users[row] for row, _ in looked_for], allow_train_users
    )
    for tag_model in tag_models.values():
        check_unseen(tag_model, looked_for)
    choose = _POLICIES[policy]
    rows = (
        {"method": name, "turn": turn, "case": case, **who, **outcome}
        for name, refiner in named.items()
        for case, pair in enumerate(tqdm(looked_for, desc=name, delay=3, disable=None))
        for who in [{"user": catalogue.users[pair[0]], "item": catalogue.items[pair[1]]}]
        for turn, outcome in enumerate(
            _conversation(
                refiner, pair, choose, [random_state, case], noise, max_turns, strength, k
            )
        )
    )
    return summary_or_cases(rows, return_cases, ("method", "turn"), baseline=baseline)


def _conversation(
    refiner: FeedbackRefiner,
    pair: tuple[int, int],
    choose: Callable[..., int],
    seed: list[int],
    noise: float,
    max_turns: int,
    strength: float,
    k: int,
) -> Iterator[dict[str, Any]]:
    """Yield how one user stands before the first turn and after each."""
    tag_model, rng = refiner.tag_model_, np.random.RandomState(seed)
    row, column = pair
    user = User.at(tag_model, row)
    candidates = tag_model.catalogue.candidates(user.history, user.has_known_history)
    on_item = tag_model.extractor.tags_of(column) > 0
    free = _tags_to_speak_of(tag_model, user)
    said: dict[str, Any] = {"user": user.label}
    embedding, scores, turns = user.embedding, tag_model.scores_of(user.embedding), 0
    first = top_items(scores, candidates, k)
    for turn in range(max_turns + 1):
        listed = top_items(scores, candidates, k)
        found = column in listed
        yield {
            f"success@{k}": float(found),
            "turns": turns,
            "rank": int(ranks_of(np.array([column]), scores, candidates)[0]),
            f"overlap@{k}": np.isin(first, listed).mean(),
            "history rank": _share_above(scores, user.history),
        }
        # Drawn whether they are needed or not: the same for every refiner.
        draw, contrary = rng.uniform(), rng.uniform() < noise
        if found or not free.any() or turn == max_turns:
            continue
        tag = choose(tag_model, embedding, scores, candidates, on_item, np.flatnonzero(free), draw)
        way = "like" if on_item[tag] != contrary else "dislike"
        told: dict[str, Any] = {way: [tag_model.tags[tag]]}
        refined = refiner.sweep(**said, **told, strengths=[strength])[0]
        said, turns = {"after": refined}, turns + 1
        embedding, scores = refined.embedding, refined.scores
        if choose is _asked:
            free[tag] = False


def _tags_to_speak_of(tag_model: TagModel, user: User) -> NDArray:
    """Return the tags that items can be set against, in a like and in a dislike."""
    n_items, items_of = len(tag_model.catalogue.items), tag_model.extractor.items_of
    unseen = np.setdiff1d(np.arange(n_items), user.history)
    free = tag_model.std > 0
    for tag in np.flatnonzero(free):
        for rivals in (unseen, user.history):
            free[tag] &= len(np.setdiff1d(rivals, items_of(int(tag)))) > 0
    return free


def _most_misjudged(
    tag_model: TagModel,
    embedding: NDArray,
    scores: NDArray,
    candidates: NDArray,
    on_item: NDArray,
    tags: NDArray,
    draw: float,
) -> int:
    preferences = tag_model.tag_preferences_of(embedding)
    above = preferences - tag_model.scores_of(embedding).mean()
    return int(tags[np.argmax(np.where(on_item, -above, above)[tags])])


def _random(
    tag_model: TagModel,
    embedding: NDArray,
    scores: NDArray,
    candidates: NDArray,
    on_item: NDArray,
    tags: NDArray,
    draw: float,
) -> int:
    return int(tags[int(draw * len(tags))])


def _asked(
    tag_model: TagModel,
    embedding: NDArray,
    scores: NDArray,
    candidates: NDArray,
    on_item: NDArray,
    tags: NDArray,
    draw: float,
) -> int:
    taste = tag_model.scores_of(embedding)
    questions = rank_questions(tag_model, taste, scores, candidates, tags)["tag"]
    # Where no answer tells anything, one is as good as another.
    return tag_model.tags.row(questions.iloc[0]) if len(questions) else int(tags[0])


_POLICIES = {"most_misjudged": _most_misjudged, "random": _random, "asked": _asked}


def _share_above(scores: NDArray, history: NDArray) -> float:
    """Return the mean share of all items that score above an item of the history."""
    if not len(history):
        return np.nan
    ascending = np.sort(scores)
    above = len(scores) - np.searchsorted(ascending, scores[history], side="right")
    return float(above.mean() / len(scores))
