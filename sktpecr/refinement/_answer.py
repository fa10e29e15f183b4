"""What an answer makes of a user: a share of it for good, and all of it for now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sktpecr._inputs._feedback import Feedback
from sktpecr._utils._ranking import top_items
from sktpecr.explanation._followed import followed
from sktpecr.refinement._spared import spared
from sktpecr.solvers import ClosedFormSolver
from sktpecr.tags._amount import enough, wanted_count
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._temperature import temperature_of
from sktpecr.tags._user import User
from sktpecr.tags._wish import worth

# What is met, in standard deviations.
_MET = 1e-6
# How often taste is halved that would cost too much of the list.
_HALVINGS = 6


Tag = int | tuple[int, ...]  # or several that are meant together


@dataclass(frozen=True, eq=False)
class Listing:
    """The list that answers are judged by."""

    candidates: NDArray  # Which items may be listed, shape (n_items,)
    n: int = 10  # Its length
    keep: float = 0.5  # Share of it that an amount must leave

    def of(self, scores: NDArray) -> NDArray:
        """Return the columns that are listed, best first."""
        return top_items(scores, self.candidates, self.n)

    def enough(
        self, base: NDArray, moves: NDArray, wanted: Sequence[int], first: NDArray
    ) -> list[NDArray]:
        """Return as much of what an answer adds to scores as brings each number wanted."""
        return enough(base, moves, self.candidates, wanted, self.n, self.keep, first)


def answers(
    tag_model: TagModel,
    user: User,
    feedbacks: Sequence[Feedback],
    values: dict[int, float],
    long_term: float,
    listing: Listing,
    hold: Collection[int] | None = (),
) -> Iterator[tuple[NDArray, NDArray, dict[str, Any]]]:
    """Yield for each feedback the refined embedding, what was asked, and what is only for now."""
    first = listing.of(user.scores(tag_model))
    taken = [_directed(tag_model, feedback, first, listing.n) for feedback in feedbacks]
    # Amounts of the same feedback differ in what is only for now.
    for _, some in groupby(taken, key=lambda each: (each[0].like, each[0].dislike)):
        together = list(some)
        said = together[0][0]
        taste = said.scaled(long_term)
        if not user.has_known_history:
            # In the embedding a dislike keeps what else is in the history; the items need none.
            taste = replace(taste, dislike={})
        embedding, asked = _taste(tag_model, user, taste, values, hold)
        scores = tag_model.scores_of(embedding)
        if together[0][1] and not values:
            is_met = _is_met(tag_model, [wanted for _, wanted in together], listing, first)
            sparing = _sparing(tag_model, user, embedding, scores, listing, first, is_met)
            if sparing is not None:
                embedding, scores = sparing
                asked = tag_model.tag_preferences_of(embedding)
        # Who keeps nothing of the list has what the population's way makes of it, and no more.
        shows = bool(values and hold is not None and listing.keep)
        if shows and hold is not None:
            where = listing.candidates, 2 * listing.n, (1 + listing.keep) / 2
            tags = [*values, *hold]
            embedding, scores = spared(tag_model, user, embedding, scores, tags, *where)
        counts = [wanted for _, wanted in together]
        wishes: Sequence[NDArray | None] = [user.wish] * len(together)
        if said.is_for_now or shows:
            evidence = _for_now(tag_model, scores, said, counts, user.wish, listing, first)
            if shows:
                evidence = [
                    _seen(tag_model, user, scores, each, values, listing) for each in evidence
                ]
            wishes = evidence
        known = {"taste": scores, "first": first}
        for count, wish in zip(counts, wishes, strict=True):
            yield embedding, asked, {"wish": wish, "wanted": count, **known}


def _taste(
    tag_model: TagModel,
    user: User,
    taste: Feedback,
    values: dict[int, float],
    hold: Collection[int] | None,
) -> tuple[NDArray, NDArray]:
    """Return the refined embedding, and the tag preferences that were asked for."""
    embedding = user.embedding.astype(np.float64)
    # What is set moves the others as the population does, but for those that are to be held.
    held = values if hold is None else {}
    if taste.wishes or held:
        embedding, asked = ClosedFormSolver().solve(tag_model, user, taste, held)
    else:
        asked = tag_model.tag_preferences_of(embedding)
    if hold is not None and values:
        embedding, asked = followed(tag_model, embedding, values, hold)
    return embedding, asked


def _is_met(
    tag_model: TagModel, several: Iterable[dict[Tag, int]], listing: Listing, first: NDArray
) -> bool:
    """Tell whether a list has all that it can have of what is asked for, in each choice."""
    for tag, number in {pair for wanted in several for pair in wanted.items()}:
        before = count_of(tag_model, tag, first)
        if number > before:
            number = min(number, int(listing.candidates[items_of(tag_model, tag)].sum()))
        if number != before:
            return False
    return True


def _sparing(
    tag_model: TagModel,
    user: User,
    embedding: NDArray,
    scores: NDArray,
    listing: Listing,
    first: NDArray,
    is_met: bool,
) -> tuple[NDArray, NDArray] | None:
    """Return so much of a move of taste that the list keeps enough of it; None for all of it."""
    # Half of what the list may lose is for what is to be seen: where lists are close calls, taste
    # alone would have cost all of it, and nothing that was asked for would come. Where nothing is
    # left to be seen, nothing of the list is lost either.
    own, least = user.embedding.astype(np.float64), (1 + listing.keep) / 2 * len(first)
    least = len(first) if is_met else least
    before, spared = set(first.tolist()), None
    for halved in range(_HALVINGS + is_met):
        if len(before.intersection(listing.of(worth(scores, user.wish)).tolist())) >= least:
            break
        embedding = own if halved == _HALVINGS else (own + embedding) / 2
        scores = tag_model.scores_of(embedding)
        spared = embedding, scores
    return spared


def _for_now(
    tag_model: TagModel,
    scores: NDArray,
    said: Feedback,
    wanted: Sequence[dict[Tag, int]],
    wish: NDArray | None,
    listing: Listing,
    first: NDArray,
) -> list[NDArray]:
    """Return the evidence on items after likes and dislikes, for each choice of how many."""
    temperature, prior = temperature_of(scores), scores.astype(np.float64)
    if not np.isfinite(temperature):
        raise ValueError(
            "the spread of the user's scores is too large for floating-point numbers; scale "
            "the recommender's embeddings or the interactions down"
        )
    start = np.zeros(len(prior)) if wish is None else wish
    wishes = [start] * len(wanted)
    named: Any  # a tag, or several together
    for liked, named in ((False, said.dislike), (True, said.like), (True, said.together)):
        for tag, strength in named.items():
            # Who asks for a number of a tag's items gets those that have it, not guesses.
            evidence = tag_model.wish.tag(tag, liked, guess=tag not in wanted[0])
            if tag not in wanted[0]:
                wishes = [each + strength * evidence for each in wishes]
                continue
            counts = [each[tag] for each in wanted]
            # What was said of other tags has come to different wishes already, or to the same.
            alike = all(each is wishes[0] for each in wishes)
            ways = [(wishes[0], counts)] if alike else list(zip(wishes, zip(counts), strict=True))
            wishes = [
                each + moves / temperature
                for each, some in ways
                for moves in listing.enough(
                    prior + temperature * each, temperature * evidence, some, first
                )
            ]
    for tag, item in said.less_than.items():
        wishes = [each + tag_model.wish.less_than(tag, item) for each in wishes]
    return wishes


def _seen(
    tag_model: TagModel,
    user: User,
    scores: NDArray,
    wish: NDArray,
    values: dict[int, float],
    listing: Listing,
) -> NDArray:
    """Return evidence on items with what it takes that the list shows which tags were set."""
    # One item more or fewer for each standard deviation, or part of one, that the tag is to move,
    # of the list and of one twice as long; most of them have come with the embedding. Who lowers a
    # tag and leaves it above the average still wants it: as many as before.
    temperature, prior = temperature_of(scores), scores.astype(np.float64)
    own, before = tag_model.tag_preferences_of(user.embedding), user.scores(tag_model)
    for tag, value in values.items():
        change = float(tag_model.in_std(np.asarray(value - own[tag]), tag))
        step, liked = np.sign(change) * np.ceil(abs(change) - _MET), change > 0
        if not step:
            continue
        if step < 0 and value > tag_model.mean[tag]:
            step, liked = 0, True
        for n in (listing.n, 2 * listing.n):
            longer = replace(listing, n=n)
            wanted = int(np.clip(count_of(tag_model, tag, longer.of(before)) + step, 0, n))
            base = prior + temperature * wish
            evidence = temperature * tag_model.wish.tag(tag, liked, guess=False)
            # Of the list that the embedding makes, which may be far from the first.
            (moves,) = longer.enough(base, evidence, [wanted], longer.of(base))
            wish = wish + moves / temperature
    return wish


def _directed(
    tag_model: TagModel, feedback: Feedback, first: NDArray, n: int
) -> tuple[Feedback, dict[Tag, int]]:
    """Return likes and dislikes, and how many of a tag are asked for where that is said."""

    def before(tag: Tag) -> int:
        return count_of(tag_model, tag, first)

    wanted: dict[Tag, int] = {}
    if feedback.amount is not None:
        tags: list[Tag] = [*feedback.wishes, *feedback.together]
        wanted = {
            tag: wanted_count(feedback.amount, before(tag), n, tag not in feedback.dislike)
            for tag in tags
        }
    like, dislike = dict(feedback.like), dict(feedback.dislike)
    for tag, count in feedback.until.items():
        wanted[tag] = count
        if count > before(tag):
            like[tag] = 1.0
        elif count < before(tag):
            dislike[tag] = 1.0
    return replace(feedback, like=like, dislike=dislike), wanted


def items_of(tag_model: TagModel, tag: Tag) -> NDArray:
    """Return the columns of the items that have a tag, or all of several tags."""
    several = tag if isinstance(tag, tuple) else (tag,)
    return reduce(np.intersect1d, [tag_model.extractor.items_of(each) for each in several])


def count_of(tag_model: TagModel, tag: Tag, columns: NDArray) -> int:
    """Return how many of some items have a tag, or all of several tags."""
    items = items_of(tag_model, tag)
    places = np.searchsorted(items, columns)
    return int((items[np.minimum(places, len(items) - 1)] == columns).sum()) if len(items) else 0
