"""What requests must say and what answers hold, checked by pydantic and described by FastAPI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr

_MAX_STRENGTH = 10
_AMOUNTS = "an object of tags and numbers"
_STRENGTHS = f"{_AMOUNTS} between 0 and {_MAX_STRENGTH}"
_ID = "a string or a whole number"
# What each value of a body must be, for whoever sent something else.
_EXPECTED = {
    "user": _ID,
    "item": _ID,
    "tag": "a string",
    "tags": _AMOUNTS,
    "like": _STRENGTHS,
    "dislike": _STRENGTHS,
    "set": _AMOUNTS,
    "action": "one of say, reject, hide, undo, redo, reset",
    "turn": "the number of turns so far",
}

Label = StrictStr | StrictInt
Amount = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Strength = Annotated[Amount, Field(ge=0, le=_MAX_STRENGTH)]
Row = dict[str, Any]


class Begin(BaseModel):
    """A user, or tags for somebody new."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["user"]}, {"required": ["tags"]}]}
    )
    user: Label | None = Field(None, description="A user that the model knows.")
    tags: dict[str, Amount] | None = Field(
        None, description="Somebody new: tags, in standard deviations."
    )


class Feedback(BaseModel):
    """What to like, dislike or set."""

    like: dict[str, Strength] = Field({}, description="Tags to show more of, and how much more.")
    dislike: dict[str, Strength] = Field({}, description="Tags to show less of.")
    set: dict[str, Amount] = Field(
        {}, description="Where tags should stand, in standard deviations of the population."
    )


class Item(BaseModel):
    """An item."""

    item: Label


class Seen(BaseModel):
    """How many turns the speaker saw: another window may have spoken since."""

    turn: StrictInt = Field(description="How many turns the speaker saw.")


class Say(Feedback, Seen):
    """Like, dislike or set tags."""

    action: Literal["say"]


class Reject(Item, Seen):
    """Never list an item again."""

    action: Literal["reject"]


class Hide(Seen):
    """Never use a tag to explain."""

    action: Literal["hide"]
    tag: StrictStr


class Step(Seen):
    """Take one turn back, take it again, or take all of them back."""

    action: Literal["undo", "redo", "reset"]


Spoken = Annotated[Say | Reject | Hide | Step, Field(discriminator="action")]


class Model(BaseModel):
    """What there is to talk about."""

    n_users: int
    n_items: int
    tags: list[str]
    users: list[Label] = Field(description="The first ones.")


class Listed(BaseModel):
    """An item of the list, and where it stood before the last turn and before the first."""

    item: Label
    name: str
    rank: int
    rank_before: int
    rank_first: int
    tags: list[str]


class Turn(BaseModel):
    """What a turn changed, or would change."""

    words: str
    kept: float = Field(description="Share of the list that stays.")
    items: list[Row]
    tags: list[Row]


class State(BaseModel):
    """Where a conversation stands."""

    id: str
    user: Label
    turn: int
    can_redo: bool
    list: Sequence[Listed]
    turns: Sequence[str]
    last: Turn | None
    hidden: Sequence[str]
    rejected: Sequence[Label]
    left_out: Sequence[str] = Field(
        description="What was said of things that this model does not know."
    )


class Reason(BaseModel):
    """What a tag adds to the score of an item."""

    tag: str
    on_item: bool
    vs_population: float
    contribution: float


class Explanation(BaseModel):
    """Why an item gets its score, in words and by tags."""

    item: Label
    name: str
    text: str
    certificate: str
    score: float
    base_value: float
    residual: float
    tags: list[Reason]


class Question(BaseModel):
    """The tag to ask about next, or null when all were spoken of."""

    tag: str | None


class Error(BaseModel):
    """What is wrong with a request."""

    error: str


class Stale(Error):
    """Another window spoke in between; this is where the conversation stands."""

    state: State


def complaint(error: Mapping[str, Any]) -> str:
    """Say what is wrong with a body, from an error of pydantic."""
    kind, place = error["type"], error["loc"]
    if kind == "json_invalid":
        return "the body is not JSON"
    tagged = kind.startswith("union_tag")
    name = "action" if tagged else next((part for part in place if part in _EXPECTED), None)
    if name is None:
        return "the body must be a JSON object"
    if kind in ("missing", "union_tag_not_found"):
        return f"{name} is missing"
    return f"{name} must be {_EXPECTED[name]}, got {error['input']!r:.80}"
