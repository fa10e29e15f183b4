"""What the server does with conversations: plain values in, plain values out."""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

import numpy as np

from sktpecr._inputs._ids import Ids, plain
from sktpecr.app import _schemas as schemas
from sktpecr.app._store import ConversationStore
from sktpecr.conversation._conversation import Conversation
from sktpecr.explanation._tpecr_explainer import TPECRExplainer
from sktpecr.refinement._feedback_refiner import FeedbackRefiner

_IN_MEMORY = 256
# Threads that wait for each other's conversations: more than a server has workers.
_N_LOCKS = 64
_N_USERS_SHOWN = 200
_NUMBERS = ("score", "base_value", "residual")


class UnknownConversationError(LookupError):
    """There is no such conversation, or no more."""


class StaleTurnError(ValueError):
    """Somebody else spoke in between; the message says so, `state` is what there is now."""

    def __init__(self, state: schemas.State) -> None:
        super().__init__("the conversation has moved on in another window; here is where it is")
        self.state = state


class Talks:
    """All conversations over a fitted explainer; the public methods are the routes of the app."""

    def __init__(self, explainer: TPECRExplainer, store: ConversationStore) -> None:
        self.explainer, self.store = explainer, store
        self._recent: OrderedDict[str, Conversation] = OrderedDict()
        self._recent_lock = threading.Lock()
        self._locks = [threading.Lock() for _ in range(_N_LOCKS)]
        # Fails here, rather than in the first request, if the explainer is not fitted.
        self._tag_model = FeedbackRefiner(explainer).tag_model_
        catalogue = self._tag_model.catalogue
        _check_ids(catalogue.users, (str, int))
        _check_ids(catalogue.items, (str, int))
        # They are the keys of JSON objects.
        _check_ids(self._tag_model.tags, (str,))

    def model(self) -> schemas.Model:
        """Return what there is to talk about: tags, how much of everything, the first users."""
        users, items = self._tag_model.catalogue.users, self._tag_model.catalogue.items
        return schemas.Model(
            n_users=len(users),
            n_items=len(items),
            tags=self._tag_model.tags.array().tolist(),
            users=[users[row] for row in range(min(len(users), _N_USERS_SHOWN))],
        )

    def begin(self, said: schemas.Begin) -> schemas.State:
        """Begin a conversation with a user, or with somebody new who likes some tags."""
        who = said.model_dump(exclude_none=True)
        if len(who) != 1:
            raise ValueError("give a user, or tags for somebody new")
        if "user" in who:
            who["user"] = _as_typed(self._tag_model.catalogue.users, who["user"])
        conversation = Conversation(self.explainer, **who)
        id = self.store.create(conversation.to_json())
        self._remember(id, conversation)
        return self._state(id, conversation)

    def state(self, id: str) -> schemas.State:
        """Return where a conversation stands."""
        with self._lock(id):
            return self._state(id, self._conversation(id))

    def speak(self, id: str, said: schemas.Action) -> schemas.State:
        """Take a turn, or take one back; nothing changes if it fails."""
        with self._lock(id):
            conversation = self._conversation(id)
            if said.turn != len(conversation.history):
                raise StaleTurnError(self._state(id, conversation))
            changed = conversation.fork()
            match said:
                case schemas.Say():
                    changed.say(**_feedback(said))
                case schemas.Reject():
                    changed.reject(self._item(said))
                case schemas.Hide():
                    changed.hide(said.tag)
                case _:
                    getattr(changed, said.action)()
            self.store.save(id, changed.to_json())
            self._remember(id, changed)
            return self._state(id, changed)

    def preview(self, id: str, said: schemas.Feedback) -> schemas.Turn:
        """Return what a turn would change."""
        with self._lock(id):
            turn = self._conversation(id).preview(**_feedback(said))
        return schemas.Turn.model_validate(turn.to_dict())

    def explain(self, id: str, said: schemas.Item) -> schemas.Explanation:
        """Return why an item gets its score as things stand."""
        with self._lock(id):
            explanation = self._conversation(id).explain(self._item(said))
        return schemas.Explanation.model_validate(
            {
                "item": plain(explanation.item),
                "name": str(explanation.item_name),
                "text": explanation.to_text(),
                "certificate": str(explanation.certificate),
                "tags": explanation.to_frame().to_dict("records"),
                **{key: float(getattr(explanation, key)) for key in _NUMBERS},
            }
        )

    def question(self, id: str) -> schemas.Question:
        """Return the tag to ask about next; null when all were spoken of."""
        with self._lock(id):
            asked = self._conversation(id).suggest_question(1)
        return schemas.Question(tag=plain(asked["tag"].iloc[0]) if len(asked) else None)

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

    def _state(self, id: str, conversation: Conversation) -> schemas.State:
        history, hidden = conversation.history, set(conversation.hidden)
        ranks: dict[Hashable, int] = {}
        if history:
            last = history[-1].items
            ranks = dict(zip(last["item"], last["rank_before"].tolist(), strict=True))
        rows = []
        for row in conversation.recommend(conversation.n).to_dict("records"):
            item = row["item"]
            tags = [tag for tag in self._tags_of(item) if tag not in hidden]
            moved = {"name": str(row["name"]), "rank_before": ranks.get(item, row["rank"])}
            rows.append(row | moved | {"tags": tags})
        replay = conversation.replay
        return schemas.State.model_validate(
            {
                "id": id,
                "user": plain(conversation.user),
                "turn": len(history),
                "can_redo": bool(conversation.undone),
                "list": rows,
                "turns": [str(turn.said) for turn in history],
                "last": history[-1].to_dict() if history else None,
                "hidden": conversation.hidden,
                "rejected": [plain(item) for item in conversation.rejected],
                "left_out": replay.left_out if replay is not None else (),
            }
        )

    def _lock(self, id: str) -> threading.Lock:
        return self._locks[hash(id) % _N_LOCKS]

    def _conversation(self, id: str) -> Conversation:
        with self._recent_lock:
            if id in self._recent:
                self._recent.move_to_end(id)
                return self._recent[id]
        document = self.store.load(id)
        if document is None:
            raise UnknownConversationError("there is no such conversation, or no more")
        conversation = Conversation.from_json(document, self.explainer)
        self._remember(id, conversation)
        return conversation

    def _remember(self, id: str, conversation: Conversation) -> None:
        with self._recent_lock:
            self._recent[id] = conversation
            self._recent.move_to_end(id)
            while len(self._recent) > _IN_MEMORY:
                self._recent.popitem(last=False)

    def _tags_of(self, item: Hashable) -> list[str]:
        tag_model = self._tag_model
        weights = tag_model.extractor.tags_of(tag_model.catalogue.items.row(item))
        return [tag_model.tags[tag] for tag in np.flatnonzero(weights).tolist()]

    def _item(self, said: schemas.Item) -> Hashable:
        return _as_typed(self._tag_model.catalogue.items, said.item)


def _as_typed(ids: Ids, label: Any) -> Any:
    """Return an id that was typed: the number 42 where "42" is none of the ids."""
    if isinstance(label, str) and label not in ids and re.fullmatch(r"\s*-?\d{1,18}\s*", label):
        return int(label)
    return label


def _check_ids(ids: Ids, kinds: tuple[type, ...]) -> None:
    """Refuse ids that JSON has no way to say."""
    for kind in set(map(type, ids.array().tolist())):
        if not issubclass(kind, kinds) or kind is bool:
            wanted = " or ".join(each.__name__ for each in kinds)
            raise ValueError(
                f"the app needs {ids.kind} ids of type {wanted}, got {kind.__name__}; "
                f"fit the explainer with such ids"
            )


def _feedback(said: schemas.Feedback) -> dict[str, Any]:
    """Return what like, dislike and set say, for Conversation.say."""
    found = said.model_dump(include={"like", "dislike", "set"}, exclude_unset=True)
    if not any(found.values()):
        raise ValueError("say what to like, dislike or set: an object of tags and numbers")
    return found | {"amount": said.amount}
