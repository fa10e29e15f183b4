"""What the server does with conversations: plain values in, plain values out."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from sktpecr._inputs._ids import plain
from sktpecr.app._store import ConversationStore
from sktpecr.conversation._conversation import Conversation
from sktpecr.explanation._tpecr_explainer import TPECRExplainer
from sktpecr.refinement._feedback_refiner import FeedbackRefiner

_IN_MEMORY = 256
# Threads that wait for each other's conversations: more than a server has workers.
_N_LOCKS = 64
_MAX_STRENGTH = 10.0
_SHOWN_OF_TAGS = ("tag", "on_item", "vs_population", "contribution")
_N_USERS_SHOWN = 200


class UnknownConversationError(LookupError):
    """There is no such conversation, or no more."""


class StaleTurnError(ValueError):
    """Somebody else spoke in between; the message says so, `state` is what there is now."""

    def __init__(self, state: dict[str, Any]) -> None:
        super().__init__("the conversation has moved on in another window; here is where it is")
        self.state = state


class Talks:
    """All conversations over one explainer.

    Parameters
    ----------
    explainer : TPECRExplainer
        Fitted.
    store : ConversationStore
        Where conversations are kept.
    """

    def __init__(self, explainer: TPECRExplainer, store: ConversationStore) -> None:
        self.explainer, self.store = explainer, store
        self._recent: OrderedDict[str, Conversation] = OrderedDict()
        self._recent_lock = threading.Lock()
        self._locks = [threading.Lock() for _ in range(_N_LOCKS)]
        # Fails here, rather than in the first request, if the explainer is not fitted.
        self._tag_model = FeedbackRefiner(explainer).tag_model_

    def model(self) -> dict[str, Any]:
        """Return what there is to talk about: tags, how much of everything, some users."""
        catalogue = self._tag_model.catalogue
        return {
            "n_users": len(catalogue.users),
            "n_items": len(catalogue.items),
            "tags": [plain(tag) for tag in self._tag_model.tags.array()],
            "users": [
                plain(catalogue.users[row])
                for row in range(min(len(catalogue.users), _N_USERS_SHOWN))
            ],
        }

    def begin(self, said: dict[str, Any]) -> dict[str, Any]:
        """Begin a conversation with a user, or with somebody new who likes some tags."""
        if ("user" in said) == ("tags" in said):
            raise ValueError("give a user, or tags for somebody new")
        if "user" in said:
            conversation = Conversation(self.explainer, user=self._user(said["user"]))
        else:
            conversation = Conversation(self.explainer, tags=_numbers("tags", said["tags"]))
        name = self.store.create(conversation.to_json())
        self._remember(name, conversation)
        return self._state(name, conversation)

    def state(self, name: str) -> dict[str, Any]:
        """Return where a conversation is."""
        with self._lock(name):
            return self._state(name, self._conversation(name))

    def speak(self, name: str, action: str, turn: int, said: dict[str, Any]) -> dict[str, Any]:
        """Take a turn, or take one back; nothing changes if it fails.

        `turn` is how many turns the speaker saw: another window may have spoken since.
        """
        with self._lock(name):
            conversation = self._conversation(name)
            if turn != len(conversation.history):
                raise StaleTurnError(self._state(name, conversation))
            changed = conversation.fork()
            if action == "reject":
                changed.reject(self._item(needed(said, "item")))
            else:
                _ACTIONS[action](changed, said)
            self.store.save(name, changed.to_json())
            self._remember(name, changed)
            return self._state(name, changed)

    def preview(self, name: str, said: dict[str, Any]) -> dict[str, Any]:
        """Return what a turn would change."""
        with self._lock(name):
            return self._conversation(name).preview(**_feedback(said)).to_dict()

    def explain(self, name: str, item: Any) -> dict[str, Any]:
        """Return why an item gets its score as things stand."""
        with self._lock(name):
            explanation = self._conversation(name).explain(self._item(item))
        return {
            "item": plain(explanation.item),
            "name": str(explanation.item_name),
            "text": explanation.to_text(),
            "certificate": str(explanation.certificate),
            "score": float(explanation.score),
            "base_value": float(explanation.base_value),
            "residual": float(explanation.residual),
            "tags": [
                {
                    key: plain(row[key])
                    for key in ("tag", "on_item", "vs_population", "contribution")
                }
                for row in explanation.to_frame().to_dict("records")
            ],
        }

    def question(self, name: str) -> dict[str, Any]:
        """Return the tag to ask about next; None when all were spoken of."""
        with self._lock(name):
            asked = self._conversation(name).suggest_question(1)
        return {"tag": plain(asked["tag"].iloc[0]) if len(asked) else None}

    def export(self, name: str) -> str:
        """Return a conversation as the JSON that `Conversation.from_json` reads."""
        with self._lock(name):
            return self._conversation(name).to_json()

    def forget(self, name: str) -> None:
        """Delete a conversation, if it is there."""
        with self._lock(name):
            self.store.delete(name)
            with self._recent_lock:
                self._recent.pop(name, None)

    def _state(self, name: str, conversation: Conversation) -> dict[str, Any]:
        listed = conversation.recommend(conversation.n)
        history = conversation.history
        moves: dict[Any, Any] = {}
        if history:
            last = history[-1].items
            moves = dict(zip(last["item"], last["rank_before"].tolist(), strict=True))
        tag_model, hidden = self._tag_model, set(conversation.hidden)
        rows = []
        for row in listed.to_dict("records"):
            column = tag_model.catalogue.items.row(row["item"])
            carried = np.flatnonzero(tag_model.extractor.tags_of(column)).tolist()
            names = [plain(tag_model.tags[tag]) for tag in carried]
            before = moves.get(row["item"], row["rank"])
            rows.append(
                {
                    "item": plain(row["item"]),
                    "name": str(row["name"]),
                    "rank": int(row["rank"]),
                    "rank_before": int(before),
                    "rank_first": int(row["rank_first"]),
                    "tags": [tag for tag in names if tag not in hidden],
                }
            )
        replay = conversation.replay
        return {
            "id": name,
            "user": plain(conversation.user),
            "turn": len(history),
            "can_redo": bool(conversation.undone),
            "list": rows,
            "turns": [str(turn.said) for turn in history],
            "last": history[-1].to_dict() if history else None,
            "hidden": [plain(tag) for tag in conversation.hidden],
            "rejected": [plain(item) for item in conversation.rejected],
            "left_out": list(replay.left_out) if replay is not None else [],
        }

    def _lock(self, name: str) -> threading.Lock:
        return self._locks[hash(name) % _N_LOCKS]

    def _conversation(self, name: str) -> Conversation:
        with self._recent_lock:
            if name in self._recent:
                self._recent.move_to_end(name)
                return self._recent[name]
        document = self.store.load(name)
        if document is None:
            raise UnknownConversationError("there is no such conversation, or no more")
        conversation = Conversation.from_json(document, self.explainer)
        self._remember(name, conversation)
        return conversation

    def _remember(self, name: str, conversation: Conversation) -> None:
        with self._recent_lock:
            self._recent[name] = conversation
            self._recent.move_to_end(name)
            while len(self._recent) > _IN_MEMORY:
                self._recent.popitem(last=False)

    def _user(self, user: Any) -> Hashable:
        return _as_typed(self._tag_model.catalogue.users, user)

    def _item(self, item: Any) -> Hashable:
        return _as_typed(self._tag_model.catalogue.items, item)


def _as_typed(ids: Any, label: Any) -> Hashable:
    """Return an id that was typed: the number 42 where "42" is none of the ids."""
    if isinstance(label, str) and label not in ids and label.strip().lstrip("-").isdecimal():
        return int(label)
    if not isinstance(label, str | int) or isinstance(label, bool):
        raise ValueError(f"{ids.kind} must be a string or a whole number, got {label!r:.80}")
    return label


def _numbers(name: str, given: Any) -> dict[Hashable, float]:
    if not isinstance(given, dict) or not all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in given.values()
    ):
        raise ValueError(f"{name} must be an object of tags and numbers, got {given!r:.80}")
    return given


def _feedback(said: dict[str, Any]) -> dict[str, Any]:
    """Return what like, dislike and set say, for Conversation.say."""
    found: dict[str, Any] = {
        kind: _numbers(kind, said[kind]) for kind in ("like", "dislike", "set") if kind in said
    }
    for kind in ("like", "dislike"):
        if any(not 0 <= strength <= _MAX_STRENGTH for strength in found.get(kind, {}).values()):
            raise ValueError(f"{kind}: a strength must lie between 0 and {_MAX_STRENGTH:g}")
    if not any(found.values()):
        raise ValueError("say what to like, dislike or set: an object of tags and numbers")
    return found


def needed(said: dict[str, Any], name: str) -> Any:
    """Return what a request must say."""
    if name not in said:
        raise ValueError(f"{name} is missing")
    return said[name]


_ACTIONS: dict[str, Callable[[Conversation, dict[str, Any]], Any]] = {
    "say": lambda conversation, said: conversation.say(**_feedback(said)),
    "hide": lambda conversation, said: conversation.hide(needed(said, "tag")),
    "undo": lambda conversation, said: conversation.undo(),
    "redo": lambda conversation, said: conversation.redo(),
    "reset": lambda conversation, said: conversation.reset(),
}
ACTIONS = (*_ACTIONS, "reject")
