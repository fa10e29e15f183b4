"""What the server does with conversations: plain values in, plain values out."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from typing import Any

from sktpecr.app import _schemas as schemas
from sktpecr.app._directory import Directory
from sktpecr.app._page_words import all_words, tile_words
from sktpecr.app._store import ConversationStore
from sktpecr.app._view import View, version_of
from sktpecr.conversation._conversation import Conversation
from sktpecr.explanation._tpecr_explainer import TPECRExplainer

# Conversations at hand, and bytes of what they keep for every item; others are read again.
_IN_MEMORY, _BYTES_IN_MEMORY = 256, 2**28
# Threads that wait for each other's conversations: more than a server has workers.
_N_LOCKS = 64
# What a shared id begins with, and no other: tokens have no such character.
_SHARED = "~"


class UnknownConversationError(LookupError):
    """There is no such conversation, or no more."""


class SharedConversationError(ValueError):
    """A conversation that was shared can be looked at, and no more."""

    def __init__(self) -> None:
        super().__init__("this conversation was shared to be looked at; go on in a copy of it")


class StaleTurnError(ValueError):
    """Somebody else spoke in between; the message says so, `state` is what there is now."""

    def __init__(self, state: schemas.State) -> None:
        super().__init__("the conversation has moved on in another window; here is where it is")
        self.state = state


class Talks:
    """All conversations over a fitted explainer; the public methods are the routes of the app."""

    def __init__(
        self,
        explainer: TPECRExplainer,
        store: ConversationStore,
        words: Mapping[str, str] | None = None,
    ) -> None:
        self.explainer, self.store = explainer, store
        self._recent: OrderedDict[str, tuple[str, Conversation]] = OrderedDict()
        self._recent_lock = threading.Lock()
        self._locks = [threading.Lock() for _ in range(_N_LOCKS)]
        said, self.page = all_words(words)
        # Fails here, rather than in the first request, if the explainer is not fitted.
        self._directory = Directory(explainer, self.page)
        self._view = View(self._directory, said, tile_words(said, self.page))

    def model(self) -> schemas.Model:
        """Return what there is to talk about: tags, example people, and the words of the page."""
        return self._directory.model

    def search(self, kind: schemas.Kind, q: schemas.Text) -> list[schemas.Found]:
        """Return the first users or items in whose names a text is found."""
        return self._directory.search(kind, q)

    def begin(self, said: schemas.Begin) -> schemas.State:
        """Begin a conversation: with a user, with somebody new, or where another one stood."""
        who = said.model_dump(exclude_none=True)
        if not who or (len(who) > 1 and who.keys() != {"items", "tags"}):
            raise ValueError(
                "give a user, items or tags or both for somebody new, or the document of a "
                "conversation"
            )
        conversation = self._begun(who)
        document = conversation.to_json()
        id = self.store.create(document)
        self._remember(id, document, conversation)
        return self._state(id, conversation)

    def state(self, id: str, look: str | None = None) -> schemas.State:
        """Return where a conversation stands, and one item explained."""
        with self._lock(id):
            return self._state(id, self._conversation(id), look)

    def speak(self, id: str, said: schemas.Action) -> schemas.State:
        """Take a turn, or take one back; nothing changes if it fails."""
        if id.startswith(_SHARED):
            raise SharedConversationError
        with self._lock(id):
            conversation = self._conversation(id)
            # What was said, not how often: another answer after an undo is as many turns.
            if not _is_of_now(said, conversation):
                raise StaleTurnError(self._state(id, conversation, said.look))
            changed = conversation.fork()
            match said:
                case schemas.Say():
                    changed.say(**self._feedback(said))
                case schemas.Reject():
                    changed.reject(self._directory.items.label(said.item))
                case schemas.Hide():
                    changed.hide(self._directory.tags.label(said.tag))
                case schemas.Remove():
                    changed = self._without(changed, said.at)
                case _:
                    getattr(changed, said.action)()
            answer = self._state(id, changed, said.look)
            document = changed.to_json()
            self.store.save(id, document)
            self._remember(id, document, changed)
            return answer

    def preview(self, id: str, said: schemas.Feedback) -> schemas.Turn:
        """Return what a turn would change."""
        with self._lock(id):
            turn = self._conversation(id).preview(**self._feedback(said))
        return self._view.turn(turn)

    def amounts(self, id: str, said: schemas.Feedback) -> list[schemas.Preview]:
        """Return what each amount of an answer would bring into the list, and take out of it."""
        feedback = self._feedback(said)
        with self._lock(id):
            turns = self._conversation(id).preview_amounts(
                feedback.get("like"), feedback.get("dislike")
            )
        return [
            schemas.Preview(
                amount=amount,
                came=self._view.titles(turn, "enters"),
                left=self._view.titles(turn, "leaves"),
            )
            for amount, turn in turns.items()
        ]

    def explain(self, id: str, said: schemas.Item) -> schemas.Explanation:
        """Return why an item gets its score as things stand."""
        item = self._directory.items.label(said.item)
        with self._lock(id):
            found = self._view.explanation(self._conversation(id), item)
        if found is None:
            raise ValueError("nothing is known of this user that could be explained; answer first")
        return found

    def why_not(self, id: str, said: schemas.Item) -> schemas.WhyNot:
        """Return what stands between an item and the list, and answers that would bring it in."""
        item = self._directory.items.label(said.item)
        with self._lock(id):
            return self._view.why_not(self._conversation(id), item)

    def compare(self, id: str, said: schemas.Two) -> schemas.Comparison:
        """Return what puts one item above another."""
        item, other = map(self._directory.items.label, (said.item, said.other))
        with self._lock(id):
            return self._view.comparison(self._conversation(id), item, other)

    def share(self, id: str) -> schemas.Shared:
        """Keep a copy of a conversation as it is now, which can be looked at and not changed."""
        with self._lock(id):
            document = self._conversation(id).to_json()
        return schemas.Shared(id=self.store.create(document, _SHARED))

    def export(self, id: str) -> dict[str, Any]:
        """Return a conversation as the JSON that `Conversation.from_json` reads."""
        with self._lock(id):
            document: dict[str, Any] = json.loads(self._conversation(id).to_json())
        return document

    def forget(self, id: str) -> None:
        """Delete a conversation, if it is there."""
        with self._lock(id):
            self.store.delete(id)
            with self._recent_lock:
                self._recent.pop(id, None)

    def _begun(self, who: dict[str, Any]) -> Conversation:
        directory = self._directory
        if "document" in who:
            return Conversation.from_json(json.dumps(who["document"]), self.explainer)
        if "user" in who:
            return Conversation(self.explainer, directory.users.label(who["user"]))
        tags = {directory.tags.label(tag): value for tag, value in who.get("tags", {}).items()}
        if "items" not in who:
            return Conversation(self.explainer, tags=tags)
        items = list(map(directory.items.label, who["items"]))
        conversation = Conversation(self.explainer, interactions=items)
        if tags:  # who is known by items can only answer
            conversation.like(list(tags), amount="a lot")
        return conversation

    def _without(self, conversation: Conversation, at: int) -> Conversation:
        """Return the conversation as if a turn had not been; `redo` says it again."""
        document = json.loads(conversation.to_json())
        turns = document["turns"][: document["position"]]
        if at >= len(turns):
            raise ValueError(f"at must be one of {len(turns)} turns, counted from 0, got {at}")
        document["position"] = len(turns) - 1
        gone = turns.pop(at)
        for again in ([gone], []):  # what is hidden by now cannot be said again
            try:
                text = json.dumps(document | {"turns": turns + again})
                return Conversation.from_json(text, self.explainer)
            except ValueError:
                if not again:
                    raise
        raise AssertionError

    def _feedback(self, said: schemas.Feedback) -> dict[str, Any]:
        """Return what like, dislike and set say, for Conversation.say."""
        found = said.model_dump(include={"like", "dislike", "set"}, exclude_unset=True)
        if not any(found.values()):
            raise ValueError("say what to like, dislike or set: an object of tags and numbers")
        label = self._directory.tags.label
        named = {kind: {label(tag): n for tag, n in tags.items()} for kind, tags in found.items()}
        return named | {"amount": said.amount}

    def _state(
        self, id: str, conversation: Conversation, look: str | int | None = None
    ) -> schemas.State:
        item: Hashable | None = None if look is None else self._directory.items.label(look)
        return self._view.state(id, conversation, item, read_only=id.startswith(_SHARED))

    def _lock(self, id: str) -> threading.Lock:
        return self._locks[hash(id) % _N_LOCKS]

    def _conversation(self, id: str) -> Conversation:
        # The store is asked each time: it knows what expired, and what another process wrote.
        document = self.store.load(id)
        with self._recent_lock:
            kept = self._recent.pop(id, None)
        if document is None:
            raise UnknownConversationError("there is no such conversation, or no more")
        if kept is None or kept[0] != document:
            kept = document, Conversation.from_json(document, self.explainer)
        self._remember(id, *kept)
        return kept[1]

    def _remember(self, id: str, document: str, conversation: Conversation) -> None:
        with self._recent_lock:
            self._recent[id] = document, conversation
            self._recent.move_to_end(id)
            held = sum(each.nbytes for _, each in self._recent.values())
            while len(self._recent) > _IN_MEMORY or (
                held > _BYTES_IN_MEMORY and len(self._recent) > 1
            ):
                _, (_, old) = self._recent.popitem(last=False)
                held -= old.nbytes


def _is_of_now(said: schemas.Spoken, conversation: Conversation) -> bool:
    """Return whether a turn answers what there is now."""
    if said.version is None and said.turn is None:
        raise ValueError("version is missing: that of the state that is answered")
    if said.version is None:
        return said.turn == len(conversation.history)
    return said.version == version_of(conversation)
