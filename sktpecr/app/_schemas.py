"""What requests must say and what answers hold, checked by pydantic and described by FastAPI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr

Label = StrictStr | StrictInt
Amount = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Kind = Literal["user", "item"]
Text = Annotated[str, Field(max_length=200)]
Strength = Annotated[Amount, Field(ge=0, le=10)]


# Requests. A description is also what `complaint` says that a value must be.


class Begin(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [{"required": [name]} for name in ("user", "tags", "items", "document")]
        }
    )
    user: Label | None = Field(None, description="a string or a whole number: a known user's id")
    tags: dict[str, Amount] | None = Field(
        None, description="an object of tags and numbers: standard deviations, for somebody new"
    )
    items: list[Label] | None = Field(
        None, description="a list of strings or whole numbers: ids of items that somebody new took"
    )
    document: dict[str, Any] | None = Field(
        None, description="an object: a conversation that was exported"
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


class Two(Item):
    other: Label = Field(description="a string or a whole number: another item's id")


class Spoken(BaseModel):
    # Another window may have spoken since.
    version: StrictStr | None = Field(
        None, description="a string: the version of the state that is answered"
    )
    turn: StrictInt | None = Field(
        None, description="a whole number: how many turns that state has, where no version is kept"
    )
    look: Label | None = Field(
        None, description="a string or a whole number: id of the item to be explained in the answer"
    )


class Say(Feedback, Spoken):
    action: Literal["say"]


class Reject(Item, Spoken):
    action: Literal["reject"]


class Hide(Spoken):
    action: Literal["hide"]
    tag: StrictStr = Field(description="a string: a tag")


class Remove(Spoken):
    action: Literal["remove"]
    at: StrictInt = Field(ge=0, description="a whole number from 0: which turn to take back")


class Step(Spoken):
    action: Literal["undo", "redo", "reset", "not_these", "forget"]


Action = Annotated[Say | Reject | Hide | Remove | Step, Field(discriminator="action")]


# Answers.


class Film(BaseModel):
    item: str
    name: str
    title: str
    year: str


class Person(BaseModel):
    user: str
    name: str
    taste: list[str]
    took: list[str] = Field(description="titles of items that the user took")
    next: list[str] = Field(description="titles of the first items of the list")


class Model(BaseModel):
    n_users: int
    n_items: int
    tags: list[str] = Field(description="the one on most items first")
    labels: dict[str, str] = Field(description="how tags are written, where that differs")
    people: list[Person] = Field(description="a few users, to begin with")
    films: list[Film] = Field(description="what many took, for somebody new to choose from")
    words: dict[str, str] = Field(description="what the page says")


class Found(BaseModel):
    id: str
    name: str
    note: str


class Listed(Film):
    rank: int
    rank_before: int = Field(description="before the last turn")
    rank_first: int = Field(description="before the first turn")
    tags: list[str]
    reason: str
    color: str | None = Field(description="the tag that stands for it")


class Change(BaseModel):
    item: str
    name: str
    title: str
    rank_before: int | None
    rank: int | None
    change: Literal["enters", "stays", "leaves"]


class Turn(BaseModel):
    words: str
    text: str = Field(description="what was said, what came, what left, and what that cost")
    notes: list[str] = Field(description="what of an amount could not be reached")
    kept: float = Field(description="share of the list that stays")
    items: list[Change]


class Reason(BaseModel):
    tag: str
    on_item: bool
    vs_population: float
    contribution: float


class Explanation(Film):
    text: str
    told: float | None = Field(description="share of what sets people's scores apart, by its tags")
    told_by_chance: float | None
    score: float
    base_value: float
    activity: float = Field(description="what of base_value is this user's level")
    residual: float
    asked: float = Field(description="what answers add for now, beyond the score")
    rank: int | None = Field(description="null where it is not to be listed")
    n_ranked: int
    tags: list[Reason] = Field(description="those on it, and others with a contribution")


class Said(BaseModel):
    words: str
    hides: str | None = Field(description="a tag, if the turn hid one")


class State(BaseModel):
    id: str
    user: str | None = Field(description="null for somebody new")
    name: str
    read_only: bool
    turn: int
    version: str = Field(description="another one whenever anything was said or taken back")
    can_redo: bool
    list: Sequence[Listed]
    turns: Sequence[Said]
    last: Turn | None
    questions: Sequence[str] = Field(description="tags to ask about, the best one first")
    left_out: Sequence[str] = Field(description="what was said of things unknown to this model")
    look: Explanation | None = Field(description="the item that was asked for, or the first one")


class Preview(BaseModel):
    amount: str
    came: list[str] = Field(description="titles")
    left: list[str] = Field(description="titles")


class Answer(BaseModel):
    like: list[str]
    dislike: list[str]
    amount: str
    words: str
    rank: int = Field(description="of the item after this answer")
    came: list[str] = Field(description="titles that it would bring into the list")
    left: list[str] = Field(description="titles that it would take out")


class WhyNot(BaseModel):
    item: Explanation
    is_seen: bool
    is_rejected: bool
    other: str | None = Field(description="title of the last item of the list")
    text: str | None = Field(description="what puts that above the item")
    answers: list[Answer]


class Comparison(BaseModel):
    text: str
    base_value: float
    residual: float
    asked: float
    difference: float
    tags: list[Reason]


class Shared(BaseModel):
    id: str


class Error(BaseModel):
    error: str


class Stale(Error):
    state: State


_FIELDS = {
    name: field
    for body in (Begin, Say, Reject, Hide, Remove, Two)
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
