"""Likes and dislikes of many users, where scores are dot products: in blocks of users."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sktpecr._inputs._feedback import Feedback
from sktpecr._utils._ranking import ranks_of, top_items
from sktpecr._utils._rounding import deviation
from sktpecr.solvers import ClosedFormSolver
from sktpecr.solvers._closed_form import NO_MOVEMENT
from sktpecr.solvers._targets import MOVEMENT_AT_STRENGTH_ONE
from sktpecr.tags._directions_of_many import combined_of_many
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._user import User

# Numbers of scores in a block, 8 MB in single precision; of fewer users one by one is as quick.
_NUMBERS, _FEWEST = 2**21, 8

Listed = tuple[NDArray, NDArray, NDArray]  # Columns, what they are worth, their ranks before


def many_turns(
    refiner: Any, part: dict[Any, dict[str, Any]], n_items: int, exclude_seen: bool
) -> Iterator[tuple[Any, Listed]]:
    """Yield each user's list after feedback, to rounding the one that `refine` leads to."""
    tag_model = refiner.tag_model_
    users = list(part)
    size = _NUMBERS // len(tag_model.catalogue.items)
    in_blocks = tag_model.extractor.tag_matrix_ is not None and (
        refiner.solver in ("auto", "closed_form") or type(refiner.solver) is ClosedFormSolver
    )
    if not in_blocks or size < _FEWEST:
        size = len(users)
    for start in range(0, len(users), size):
        some = {user: part[user] for user in users[start : start + size]}
        lists: dict[Any, Listed] = {}
        if in_blocks:
            plain = {user: said for user, said in some.items() if not said.get("set")}
            if len(plain) >= _FEWEST:
                lists = _in_a_block(refiner, tag_model, plain, n_items, exclude_seen)
        for user, said in some.items():
            yield user, lists.get(user) or _one(refiner, user, said, n_items, exclude_seen)


def _one(refiner: Any, user: Any, said: dict[str, Any], n_items: int, exclude_seen: bool) -> Listed:
    refined = refiner.refine(user, **said)
    columns, before = refined._best(n_items, exclude_seen)
    return columns, refined.scores[columns], before


def _in_a_block(
    refiner: Any, tag_model: TagModel, part: dict[Any, Any], n_items: int, exclude_seen: bool
) -> dict[Any, Listed]:
    """Return the lists of those users who need not be looked at one by one."""
    catalogue, is_auto = tag_model.catalogue, refiner.solver == "auto"
    users: dict[Any, User] = {}
    feedbacks = []
    for label, said in part.items():
        user = User.of(tag_model, label).listed_among(catalogue, said.get("candidates"))
        # Checked already, before anything was computed.
        like, dislike = (
            {
                tag_model.tags.row(tag): float(value)
                for tag, value in said.get(kind, {}).items()
                if value
            }
            for kind in ("like", "dislike")
        )
        feedback = Feedback(like, dislike, {}, tag_model.tags)
        if user.has_known_history or is_auto or not feedback.dislike:
            users[label] = user
            feedbacks.append(feedback)
    tastes = [
        # In the embedding a dislike keeps what else is in the history.
        each if user.has_known_history else replace(each, dislike={})
        for user, each in zip(
            users.values(),
            [each.scaled(refiner.long_term) for each in feedbacks] if is_auto else feedbacks,
            strict=True,
        )
    ]
    own = np.stack([user.embedding for user in users.values()])
    before = tag_model.recommender.score_items(own)
    embeddings = _moved(tag_model, list(users.values()), tastes, own.astype(np.float64), before)
    found = np.isfinite(embeddings).all(axis=1)
    after = tag_model.recommender.score_items(np.where(found[:, np.newaxis], embeddings, own))
    if is_auto:
        after = _worth(tag_model, after, feedbacks)
    lists = {}
    for row, (label, user) in enumerate(users.items()):
        if not found[row]:
            continue
        scores = after[row]
        if np.isfinite(scores).all():
            candidates = user.candidates(catalogue, exclude_seen)
            columns = top_items(scores, candidates, n_items)
            ranks = ranks_of(columns, before[row], candidates)
            lists[label] = columns, scores[columns], ranks
    return lists


def _worth(tag_model: TagModel, scores: NDArray, feedbacks: Sequence[Feedback]) -> NDArray:
    """Return what items are worth to users with likes and dislikes, shape (n_users, n_items)."""
    places: dict[tuple[int, bool], int] = {}
    entries = [
        (strength, row, places.setdefault((tag, liked), len(places)))
        for row, said in enumerate(feedbacks)
        for liked, named in ((False, said.dislike), (True, said.like))
        for tag, strength in named.items()
    ]
    strengths, rows, columns = zip(*entries, strict=True) if entries else ((), (), ())
    amounts = sp.csr_matrix((strengths, (rows, columns)), (len(feedbacks), len(places)))
    return tag_model.worth(scores, amounts, tag_model.evidence(places))


def _moved(
    tag_model: TagModel,
    users: Sequence[User],
    tastes: Sequence[Feedback],
    embeddings: NDArray,
    scores: NDArray,
) -> NDArray:
    """Return the embeddings that likes and dislikes ask for, NaN where one by one has to tell."""
    moving = [row for row, taste in enumerate(tastes) if taste.strength]
    if not moving:
        return embeddings
    directions = tag_model.directions(embeddings[0])
    wishes = [tastes[row].wishes for row in moving]
    histories = [users[row].history for row in moving]
    rows = scores if len(moving) == len(scores) else scores[moving]
    spreads = [_spread(own) for own in rows]
    found = combined_of_many(directions, wishes, rows, spreads, histories)
    for row, direction, spread in zip(moving, found, spreads, strict=True):
        movement = directions.movement(direction)
        if spread and movement > NO_MOVEMENT:
            target = MOVEMENT_AT_STRENGTH_ONE * spread
            embeddings[row] += tastes[row].strength * target / movement * direction
        else:
            embeddings[row] = np.nan
    return embeddings


def _spread(scores: NDArray) -> float:
    """Return the standard deviation of a user's scores, 0 where all of them are alike."""
    return deviation(scores) if np.ptp(scores) else 0.0  # and not what rounding makes of it
