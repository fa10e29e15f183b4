"""A conversation as the page shows it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sktpecr._inputs._ids import plain
from sktpecr.app import _schemas as schemas
from sktpecr.app._directory import Directory
from sktpecr.app._why_not import answers_for
from sktpecr.conversation._conversation import Conversation
from sktpecr.conversation._conversation_turn import ConversationTurn
from sktpecr.explanation._contrast import Contrast
from sktpecr.explanation._explanation import Explanation
from sktpecr.explanation._words import by_size, complete_words

_N_QUESTIONS = 12


class View:
    """Make of conversations what goes out: plain values, ids as text, sentences in words."""

    def __init__(
        self, directory: Directory, words: Mapping[str, str], tile_words: Mapping[str, str]
    ) -> None:
        self.directory, self.words, self._tile_words = directory, words, tile_words
        self._all_words = complete_words(words)

    def state(
        self, id: str, conversation: Conversation, look: Hashable | None, *, read_only: bool
    ) -> schemas.State:
        """Return where a conversation stands, and one item of it explained."""
        history, listed = conversation.history, conversation.recommend(conversation.n)
        last = self.turn(history[-1]) if history else None
        ranks = {row.item: row.rank_before for row in last.items} if last else {}
        explained: dict[Hashable, Explanation | None] = {
            item: _explained(conversation, item) for item in listed["item"]
        }
        if look is None and len(listed):
            look = listed["item"].iloc[0]
        rows = []
        for row in listed.to_dict("records"):
            film = self._film(row["item"])
            told = explained[row["item"]]
            before = ranks.get(film["item"], row["rank"])
            rows.append(
                schemas.Listed(
                    **film,
                    **self._told(told, conversation),
                    rank=row["rank"],
                    rank_before=row["rank"] if before is None else before,
                    rank_first=row["rank_first"],
                )
            )
        asked = conversation.suggest_question(_N_QUESTIONS)["tag"]
        user = conversation.user
        known = user if user in self.directory.catalogue.users else None
        replay = conversation.replay
        return schemas.State(
            id=id,
            user=None if known is None else self.directory.users.text(known),
            name=self.directory.name_of(known),
            read_only=read_only,
            turn=len(history),
            version=version_of(conversation),
            can_redo=bool(conversation.undone),
            list=rows,
            turns=[self._said(turn) for turn in history],
            last=last,
            questions=[self.directory.tags.text(tag) for tag in asked],
            left_out=replay.left_out if replay is not None else (),
            look=None if look is None else self.explanation(conversation, look, explained),
        )

    def turn(self, turn: ConversationTurn) -> schemas.Turn:
        """Return what a turn changed."""
        items = [
            schemas.Change(
                **{key: film[key] for key in ("item", "name", "title")},
                rank_before=_rank(row["rank_before"]),
                rank=_rank(row["rank"]),
                change=row["change"],
            )
            for row in turn.items.to_dict("records")
            for film in (self._film(row["item"]),)
        ]
        return schemas.Turn(
            words=self._said(turn).words,
            text=turn.to_text(self.words),
            notes=turn.shortfalls(self.words),
            kept=turn.kept,
            items=items,
        )

    def titles(self, turn: ConversationTurn, change: str) -> list[str]:
        """Return the titles of items that a turn changed in one way."""
        items = turn.items
        return [self._film(item)["title"] for item in items["item"][items["change"] == change]]

    def explanation(
        self,
        conversation: Conversation,
        item: Hashable,
        explained: Mapping[Hashable, Explanation | None] | None = None,
    ) -> schemas.Explanation | None:
        """Return why an item gets its score; None for somebody of whom nothing is known."""
        known = (explained or {}).get(item)
        found = known if known is not None else _explained(conversation, item)
        if found is None:
            return None
        # What the certificate says of the item alone: the whole of it takes a quarter of a turn.
        account = self.directory.tag_model.account
        column = self.directory.catalogue.items.row(item)
        rank, n_ranked, asked = standing(conversation, item)
        return schemas.Explanation(
            **self._film(item),
            text=found.to_text(self.words),
            told=_or_none(account.explained_[column]),
            told_by_chance=_or_none(account.explained_by_chance_[column]),
            score=found.score,
            base_value=found.base_value,
            activity=found.activity,
            residual=found.residual,
            asked=asked,
            rank=rank,
            n_ranked=n_ranked,
            tags=self._reasons(found, found.item_tags > 0),
        )

    def why_not(self, conversation: Conversation, item: Hashable) -> schemas.WhyNot:
        """Return what stands between an item and the list, and answers that would bring it in."""
        explained = self.explanation(conversation, item)
        if explained is None:
            raise ValueError("nothing is known of this user that could be explained; answer first")
        state = conversation.state
        column = self.directory.catalogue.items.row(item)
        listed, other, text, answers = state.listed(conversation.n).tolist(), None, None, []
        if explained.rank is not None and column not in listed and listed:
            last = self.directory.catalogue.items[listed[-1]]
            other = self.directory.titles[listed[-1]]
            if state.user.is_known:  # of nobody else is there anything to tell
                text = self._above(conversation, last, item)
            answers = [
                schemas.Answer(
                    like=list(map(self.directory.tags.text, each.like)),
                    dislike=list(map(self.directory.tags.text, each.dislike)),
                    amount=each.amount,
                    words=self._said(each.turn).words,
                    rank=each.rank,
                    came=self.titles(each.turn, "enters"),
                    left=self.titles(each.turn, "leaves"),
                )
                for each in answers_for(conversation, item)
            ]
        is_rejected = column in state.rejected
        return schemas.WhyNot(
            item=explained,
            is_seen=explained.rank is None and not is_rejected,
            is_rejected=is_rejected,
            other=other,
            text=text,
            answers=answers,
        )

    def comparison(
        self, conversation: Conversation, item: Hashable, other: Hashable
    ) -> schemas.Comparison:
        """Return what puts one item above another, the answers given included."""
        contrast = conversation.contrast(item, other)
        asked = standing(conversation, item)[2] - standing(conversation, other)[2]
        first, second = (item, other) if contrast.score + asked >= 0 else (other, item)
        return schemas.Comparison(
            text=self._above(conversation, first, second),
            base_value=contrast.base_value,
            residual=contrast.residual,
            asked=asked,
            difference=contrast.score + asked,
            tags=self._reasons(contrast, contrast.on_item),
        )

    def _above(self, conversation: Conversation, item: Hashable, other: Hashable) -> str:
        """Say why an item stands above another: by tags, or by what was asked for only now."""
        contrast = conversation.contrast(item, other)
        names = [self._film(each)["title"] for each in (item, other)]
        if contrast.score < 0:
            page = self.directory.page
            return page["page_by_asked"].format(item=names[0], other=names[1])
        told = replace(contrast, item_name=names[0], other_name=names[1])
        return told.to_text(self.words)

    def _reasons(self, found: Explanation | Contrast, on_item: NDArray) -> list[schemas.Reason]:
        """Return the tags on an item and all that contribute, the largest contribution first."""
        text, contributions = self.directory.tags.text, found.contributions
        order = by_size(contributions)
        return [
            schemas.Reason(
                tag=text(plain(found.tag_names[tag])),
                on_item=on_item[tag],
                vs_population=found.vs_population[tag],
                contribution=contributions[tag],
            )
            for tag in order[on_item[order] | (contributions[order] != 0)]
        ]

    def _film(self, item: Hashable) -> dict[str, Any]:
        return self.directory.named(self.directory.catalogue.items.row(item))

    def _told(self, told: Explanation | None, conversation: Conversation) -> dict[str, Any]:
        """Return tags, a short reason, and the tag that stands for the item."""
        if told is None:
            return {"tags": [], "reason": "", "color": None}
        hidden, directory = set(conversation.hidden), self.directory
        column = directory.catalogue.items.row(told.item)
        names = [directory.tag_model.tags[tag] for tag in directory.tags_of(column)]
        tags = [directory.tags.text(tag) for tag in names if tag not in hidden]
        leads = [directory.tags.text(each.tag) for each in told.reasons if each.speaks_for]
        color = next(iter([*leads, *tags]), None)
        return {"tags": tags, "reason": told.to_text(self._tile_words), "color": color}

    def _said(self, turn: ConversationTurn) -> schemas.Said:
        said, directory = turn.said, self.directory
        items = directory.catalogue.items
        names = {item: directory.titles[items.row(item)] for item in said.items if item in items}
        hides = None if said.hide is None else directory.tags.text(said.hide)
        return schemas.Said(words=said.to_text(self._all_words, names), hides=hides)


def version_of(conversation: Conversation) -> str:
    """Return a token of what was said and what is listed, another one for anything else."""
    return hashlib.sha256(conversation.to_json().encode()).hexdigest()[:16]


def standing(conversation: Conversation, item: Hashable) -> tuple[int | None, int, float]:
    """Return an item's rank, among how many, and what answers add to its score for now."""
    state, model = conversation.state, conversation.state.tag_model
    column = model.catalogue.items.row(item)
    rank = state.ranks(np.array([column]))[0]
    taste = model.scores_of(state.refinement.embedding)[column]
    asked = float(state.refinement.scores[column] - taste)
    return _rank(rank), int(state.candidates.sum()), asked


def _explained(conversation: Conversation, item: Hashable) -> Explanation | None:
    try:
        return conversation.explain(item)
    except ValueError:  # there is nothing to explain of somebody without history
        return None


def _rank(value: Any) -> int | None:
    return None if value is None or value != value or str(value) == "<NA>" else int(value)


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
