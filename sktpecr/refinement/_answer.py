"""What an answer makes of a user: a share of it for good, and all of it for now."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sktpecr._inputs._feedback import Feedback
from sktpecr._utils._ranking import top_items
from sktpecr.explanation._edit_search import edited_embeddings
from sktpecr.refinement._amount import by_taste, solve_amount, wanted_count
from sktpecr.solvers import ClosedFormSolver
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._temperature import temperature_of
from sktpecr.tags._user import ANSWERS_A_DEVIATION, User

# Where tag preferences are not linear: rounds of setting tags, and what is met, in sd.
_ROUNDS, _MET = 8, 1e-6


@dataclass(frozen=True, eq=False)
class Listing:
    """The list that answers are judged by."""

    candidates: NDArray  # Which items may be listed, shape (n_items,)
    n: int = 10  # Its length
    keep: float = 0.5  # Share of it that an amount must leave

    def of(self, scores: NDArray) -> NDArray:
        """Return the columns that are listed, best first."""
        return top_items(scores, self.candidates, self.n)


def answer(
    tag_model: TagModel,
    user: User,
    feedback: Feedback,
    values: dict[int, float],
    long_term: float,
    listing: Listing,
    hold: Collection[int] | None = (),
) -> tuple[NDArray, NDArray, dict[str, Any]]:
    """Return the refined embedding, what was asked of tags, and what is only for now."""
    first = listing.of(user.scores(tag_model))
    said, wanted = _directed(tag_model, feedback, first, listing.n)
    taste = said.scaled(long_term)
    if not user.has_known_history:
        # In the embedding a dislike keeps what else is in the history; the items need none.
        taste = replace(taste, dislike={})
    embedding = user.embedding.astype(np.float64)
    asked = tag_model.tag_preferences_of(embedding)
    # What is set moves the others as the population does, but for those that are to be held.
    held = values if hold is None else {}
    if taste.wishes or held:
        embedding, asked = ClosedFormSolver().solve(tag_model, user, taste, held)
    if hold is not None and values:
        embedding, asked = _followed(tag_model, embedding, values, hold)
    wish = user.wish
    if said.wishes or (values and hold is not None):
        prior = tag_model.scores_of(embedding)
        temperature, prior = temperature_of(prior), prior.astype(np.float64)
        if not np.isfinite(temperature):
            raise ValueError(
                "the spread of the user's scores is too large for floating-point numbers; scale "
                "the recommender's embeddings or the interactions down"
            )
        wish = np.zeros(len(prior)) if wish is None else wish
        for liked, tags in ((False, said.dislike), (True, said.like)):
            for tag, strength in tags.items():
                evidence = tag_model.wish.tag(tag, liked)
                if tag in wanted:
                    base, moves = prior + temperature * wish, temperature * evidence
                    moves = _enough(base, moves, wanted[tag], listing, first)
                    wish = wish + moves / temperature
                else:
                    wish = wish + strength * evidence
        if hold is not None:
            # As of somebody new who is described by tags.
            for tag, value in values.items():
                stands = float(tag_model.in_std(np.asarray(value) - tag_model.mean[tag], tag))
                evidence = tag_model.wish.tag(tag, stands > 0)
                wish = wish + ANSWERS_A_DEVIATION * abs(stands) * evidence
    return embedding, asked, {"wish": wish, "wanted": wanted}


def _followed(
    tag_model: TagModel, embedding: NDArray, values: dict[int, float], hold: Collection[int]
) -> tuple[NDArray, NDArray]:
    """Return the embedding with tags set, others as the population has them with these."""
    start = tag_model.tag_preferences_of(embedding)
    wanted = {**{tag: float(start[tag]) for tag in hold}, **values}
    unmoved = [tag for tag in values if not tag_model.std[tag]]
    if unmoved:
        raise ValueError(
            f"set cannot be met: the recommender gives all users the same preference for "
            f"{tag_model.tags[unmoved[0]]!r}, so it cannot change; leave it out"
        )
    asked = start
    for _ in range(_ROUNDS):
        own = tag_model.tag_preferences_of(embedding)
        left = tag_model.in_std(np.array(list(wanted.values())) - own[list(wanted)], list(wanted))
        if np.abs(left).max() < _MET:
            break
        changes = tag_model.followed(dict(zip(wanted, left, strict=True)))
        asked = own + tag_model.std * changes
        if not np.isfinite(asked).all():
            raise ValueError("set is too large for floating-point numbers; ask for less")
        embedding = edited_embeddings(tag_model, embedding, changes[np.newaxis])[0]
    return embedding, asked


def _directed(
    tag_model: TagModel, feedback: Feedback, first: NDArray, n: int
) -> tuple[Feedback, dict[int, int]]:
    """Return likes and dislikes, and how many of a tag are asked for where that is said."""

    def before(tag: int) -> int:
        return count_of(tag_model, tag, first)

    wanted: dict[int, int] = {}
    if feedback.amount is not None:
        wanted = {
            tag: wanted_count(feedback.amount, before(tag), n, tag in feedback.like)
            for tag in feedback.wishes
        }
    like, dislike = dict(feedback.like), dict(feedback.dislike)
    for tag, count in feedback.until.items():
        wanted[tag] = count
        if count > before(tag):
            like[tag] = 1.0
        elif count < before(tag):
            dislike[tag] = 1.0
    return replace(feedback, like=like, dislike=dislike), wanted


def count_of(tag_model: TagModel, tag: int, columns: NDArray) -> int:
    """Return how many of some items have a tag."""
    items = tag_model.extractor.items_of(tag)
    places = np.searchsorted(items, columns)
    return int((items[np.minimum(places, len(items) - 1)] == columns).sum()) if len(items) else 0


def _enough(
    base: NDArray, moves: NDArray, wanted: int, listing: Listing, first: NDArray
) -> NDArray:
    """Return as much of what an answer adds to scores as brings the number of items wanted."""
    candidates, n = listing.candidates, listing.n
    if not moves.any():
        return moves
    if (moves > 0).any():
        moves = by_taste(moves, base, candidates, n)
    return solve_amount(base, moves, candidates, wanted, n, listing.keep, first).strength * moves
