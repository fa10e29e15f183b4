"""Answers that would bring an item into the list."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np

from sktpecr._inputs._feedback import AMOUNTS
from sktpecr.conversation._conversation import Conversation
from sktpecr.conversation._conversation_turn import ConversationTurn

# An item may have hundreds of tags: so many of its own are tried, and of those that it lacks, alone
# and two at a time.
_N_OWN, _N_FOREIGN, _N_PAIRED = 6, 3, 4
_N_ANSWERS = 3
# An answer that leaves the item further down than so many lists is no way to it.
_NEAR = 5


class Bringing(NamedTuple):
    """An answer that brings an item in: the rank that it then has, and what the answer does."""

    like: tuple[Hashable, ...]
    dislike: tuple[Hashable, ...]
    amount: str
    rank: int
    turn: ConversationTurn


def answers_for(conversation: Conversation, item: Hashable) -> list[Bringing]:
    """Return the smallest answers that bring an item in, or the one that comes closest."""
    tags = list(_tags_to_say(conversation, item))
    tried: list[Bringing] = []
    for answers in ([(each,) for each in tags], combinations(tags[:_N_PAIRED], 2)):
        tried += [each for answer in answers for each in _tried(conversation, item, answer)]
        for amount in AMOUNTS:
            found = [
                each for each in tried if each.amount == amount and each.rank <= conversation.n
            ]
            if found:  # what takes more than this does is not offered beside it
                return sorted(found, key=lambda each: -each.turn.kept)[:_N_ANSWERS]
    column = conversation.state.tag_model.catalogue.items.row(item)
    now = conversation.state.ranks(np.array([column]))[0]
    closest = min(tried, key=lambda each: each.rank, default=None)
    return [closest] if closest and closest.rank < min(now, _NEAR * conversation.n) else []


def _tried(
    conversation: Conversation, item: Hashable, answer: Iterable[tuple[str, Hashable]]
) -> Iterator[Bringing]:
    """Yield what each amount of an answer does."""
    like, dislike = (
        tuple(tag for kind, tag in answer if kind == wanted) for wanted in ("like", "dislike")
    )
    for amount, turn in conversation.preview_amounts(list(like), list(dislike)).items():
        column = turn.after.tag_model.catalogue.items.row(item)
        rank = int(turn.after.ranks(np.array([column]))[0])
        yield Bringing(like, dislike, amount, rank, turn)


def _tags_to_say(conversation: Conversation, item: Hashable) -> Iterator[tuple[str, Hashable]]:
    """Yield tags of the item to ask for, the rarest first, and those of the list that it lacks."""
    state, model = conversation.state, conversation.state.tag_model
    own = model.extractor.tags_of(model.catalogue.items.row(item)) > 0
    listed = np.array(
        [model.extractor.tags_of(column) > 0 for column in state.listed(conversation.n)]
    ).sum(axis=0)
    rarest = np.argsort(np.where(own & state.shown, model.n_tagged, np.inf), kind="stable")
    for tag in rarest[:_N_OWN]:
        if own[tag] and state.shown[tag]:
            yield "like", model.tags[tag]
    counts = np.where(~own & state.shown, listed, 0)
    for tag in np.argsort(-counts, kind="stable")[:_N_FOREIGN]:
        if counts[tag]:
            yield "dislike", model.tags[tag]
