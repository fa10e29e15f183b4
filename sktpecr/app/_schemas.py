"""What requests must say and what answers hold, checked by pydantic and described by FastAPI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr

Label = StrictStr | StrictInt
Amount = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Strength = Annotated[Amount, Field(ge=0, le=10)]


# Requests. A description is also what `complaint` says that a value must be.


class Begin(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["user"]}, {"required": ["tags"]}]}
    )
    user: Label | None = Field(None, description="a string or a whole number: a known user's id")
    tags: dict[str, Amount] | None = Field(
        None, description="an object of tags and numbers: standard deviations, for somebody new"
    )


class Feedback(BaseModel):
    like: dict[str, Strength] = Field(
        {}, description="an object of tags and numbers between 0 and 10: how much more to show"
    )
    dislike: dict[str, Strength] = Field(
        {}, description="an object of tags and numbers between 0 and 10: how much less to show"
    )
    set: dict[str, Amount] = Field(
        {}, description="an object of tags and numbers: standard deviations to stand at"
    )
    amount: Literal["a bit", "more", "a lot"] | None = Field(
        None, description="'a bit', 'more' or 'a lot': how much is to be seen, whatever the numbers"
    )


class Item(BaseModel):
    item: Label = Field(description="a string or a whole number: an item's id")


class Spoken(BaseModel):
    # Another window may have spoken since.
    turn: StrictInt = Field(description="the number of turns so far")


class Say(Feedback, Spoken):
    action: Literal["say"]


class Reject(Item, Spoken):
    action: Literal["reject"]


class Hide(Spoken):
    action: Literal["hide"]
    tag: StrictStr = Field(description="a string: a tag")


class Step(Spoken):
    action: Literal["undo", "redo", "reset", "not_these", "forget"]


Action = Annotated[Say | Reject | Hide | Step, Field(discriminator="action")]


# Answers.


class Model(BaseModel):
    n_users: int
    n_items: int
    tags: list[str]
    users: list[Label] = Field(description="the first ones")


class Listed(BaseModel):
    item: Label
    name: str
    rank: int
    rank_before: int = Field(description="before the last turn")
    rank_first: int = Field(description="before the first turn")
    tags: list[str]


class Turn(BaseModel):
    words: str
    text: str = Field(description="what was said, what came, what left, and what that cost")
    kept: float = Field(description="share of the list that stays")
    items: list[dict[str, Any]]
    tags: list[dict[str, Any]]


class State(BaseModel):
    id: str
    user: Label
    turn: int
    can_redo: bool
    list: Sequence[Listed]
    turns: Sequence[str]
    last: Turn | None
    hidden: Sequence[str]
    rejected: Sequence[Label]
    left_out: Sequence[str] = Field(description="what was said of things unknown to this model")


class Reason(BaseModel):
    tag: str
    on_item: bool
    vs_population: float
    contribution: float


class Explanation(BaseModel):
    item: Label
    name: str
    text: str
    certificate: str
    score: float
    base_value: float
    residual: float
    tags: list[Reason]


class Question(BaseModel):
    tag: str | None = Field(description="null when all were spoken of")


class Error(BaseModel):
    error: str


class Stale(Error):
    state: State


_FIELDS = {
    name: field
    for body in (Begin, Say, Reject, Hide)
    for name, field in body.model_fields.items()
    if field.description
}


def complaint(error: Mapping[str, Any]) -> str:
    """Say what is wrong with a body, from an error of pydantic."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "json_invalid":
        return "the body is not JSON"
    if kind == "union_tag_not_found":
        return "action is missing"
    if kind == "union_tag_invalid":
        return f"action must be one of {context['expected_tags']}, got {context['tag']!r:.80}"
    name = next((part for part in error["loc"] if part in _FIELDS), None)
    if name is None:
        return "the body must be a JSON object"
    if kind == "missing":
        return f"{name} is missing"
    return f"{name} must be {_FIELDS[name].description}, got {error['input']!r:.80}"
