"""Whose recommendations are explained or refined."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sktpecr._inputs._catalogue import Catalogue
from sktpecr._inputs._feedback import Feedback
from sktpecr._inputs._ids import check_list
from sktpecr._inputs._numbers import finite_number
from sktpecr._inputs._tables import (
    canonical,
    check_columns_of,
    frame_values,
    in_pandas,
    is_frame,
    widened,
)
from sktpecr.recommenders._protocol import fold_in
from sktpecr.tags._described import wish_of
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._wish import worth

# A label names so many tags, and no more.
_NAMED = 3
# Products with smaller numbers may be 0 in float32.
_VANISHING = 1e-17


class Turn(NamedTuple):
    """Where a user stood, and what she said; `values` are the tags set, in units of the score."""

    embedding: NDArray
    feedback: Feedback
    values: dict[int, float]
    wish: NDArray | None = None


@dataclass(frozen=True, eq=False)
class User:
    """Somebody whose recommendations are explained or refined."""

    label: Any  # Raw id, or a few words for a user who has none
    embedding: NDArray  # The user's embedding
    history: NDArray
    is_known: bool = True
    has_known_history: bool = True  # Whether `history` is all of it
    row: int | None = None  # In the catalogue; None for somebody new
    is_folded: bool = False  # Whether the embedding was made of interactions, and is not stored
    turns: tuple[Turn, ...] = ()  # What the user said before; that is in the embedding already
    wish: NDArray | None = None  # What is asked for now: evidence on items, shape (n_items,)
    described: tuple[int, ...] = ()  # Tags that somebody new is described as liking
    among: NDArray | None = None  # Columns of what may be listed; None for all items
    # A turn asks for them several times, and each time is a pass over all items.
    _taste: NDArray | None = field(default=None, init=False, repr=False)

    @classmethod
    def of(
        cls,
        tag_model: TagModel,
        user: Hashable | None = None,
        interactions: Any = None,
        tags: Mapping[Hashable, float] | None = None,
        after: Any = None,
    ) -> User:
        """Return a user of the population, or somebody new."""
        # `interactions` (n_items,).
        given = {"user": user, "interactions": interactions, "tags": tags}
        if after is not None:
            given["after"] = after
        names = [name for name, value in given.items() if value is not None]
        if len(names) != 1:
            raise ValueError(
                f"give exactly one of user, interactions and tags, got "
                f"{' and '.join(names) or 'none of them'}"
            )
        if after is not None:
            if not hasattr(after, "refined_user_for"):
                raise ValueError(f"after must be a Refinement, got {type(after).__name__}")
            return after.refined_user_for(tag_model)
        if user is not None:
            return cls.at(tag_model, tag_model.catalogue.users.row(user))
        # What overflows on the way is looked for at the end.
        with np.errstate(over="ignore", invalid="ignore"):
            if tags is not None:
                somebody = cls._described(tag_model, tags)
            else:
                row = one_row(tag_model.catalogue, interactions)
                label = f"a new user ({row.nnz} {'item' if row.nnz == 1 else 'items'})"
                somebody = cls(
                    label, fold_in(tag_model.recommender, row)[0], row.indices, is_folded=True
                )
            embedding = somebody.embedding
            if not (np.isfinite(embedding).all() and np.isfinite(somebody.scores(tag_model)).all()):
                raise ValueError(
                    f"{names[0]} has values so large that scores of them are beyond what "
                    f"{embedding.dtype} can hold"
                )
        return somebody

    @classmethod
    def at(cls, tag_model: TagModel, row: int) -> User:
        """Return a user of the population by row."""
        catalogue = tag_model.catalogue
        history, has_interactions = catalogue.history(row), catalogue.interactions is not None
        return cls(
            label=catalogue.users[row],
            embedding=tag_model.user_embeddings[row],
            history=history,
            is_known=bool(history.size) or not has_interactions,
            has_known_history=has_interactions,
            row=row,
            is_folded=bool(tag_model.folded[row]),
        )

    @classmethod
    def _described(cls, tag_model: TagModel, tags: Any) -> User:
        if not isinstance(tags, Mapping):
            raise ValueError(
                f"tags must be a dict of tag to value, in standard deviations from the "
                f"population's mean, got {type(tags).__name__}"
            )
        values = {
            tag_model.tags.row(tag): finite_number(value, f"tags[{tag!r}]")
            for tag, value in tags.items()
        }
        if not hasattr(tag_model.generator, "predict"):
            raise ValueError(
                f"tags needs a generator that has predict(tag_preferences), for users who have no "
                f"embedding, and {type(tag_model.generator).__name__} has none; give interactions"
            )
        embedding = tag_model.generator.predict(tag_model.expected(values)[np.newaxis])[0]
        words = [f"{tag_model.tags[tag]} {value:+g}" for tag, value in values.items()]
        if len(words) > _NAMED:
            words[_NAMED:] = ["..."]
        label = f"a new user ({', '.join(words)})" if words else "a new user"
        likes = tuple(tag for tag, value in values.items() if value > 0)
        user = cls(label, embedding, np.empty(0, dtype=np.intp), described=likes)
        return replace(user, wish=wish_of(tag_model, user.taste(tag_model), values))

    def taste(self, tag_model: TagModel) -> NDArray:
        """Return the scores of the embedding, computed once."""
        taste = self._taste
        if taste is None:
            taste = tag_model.scores_of(self.embedding)
            object.__setattr__(self, "_taste", taste)
        return taste

    @property
    def kept_taste(self) -> NDArray | None:
        """The scores of the embedding, if they were asked for."""
        return self._taste

    def rest(self) -> None:
        """Let go of what can be computed again, until it is asked for."""
        object.__setattr__(self, "_taste", None)

    def refined(
        self,
        said: Feedback,
        values: dict[int, float],
        embedding: NDArray,
        wish: NDArray | None,
        taste: NDArray | None = None,
    ) -> User:
        """Return the user after feedback; `taste` are the scores of the embedding, if known."""
        # Of the wishes the first alone is asked for again: each has a number for every item.
        wished = None if self.turns else self.wish
        turns = *self.turns, Turn(self.embedding, said, values, wished)
        user = replace(self, embedding=embedding, turns=turns, wish=wish)
        object.__setattr__(user, "_taste", taste)
        return user

    def is_row_number(self, tag_model: TagModel) -> bool:
        """Return whether the label is the number of a row, as no ids were given."""
        return tag_model.catalogue.users.labels is None and not isinstance(self.label, str)

    def scores(self, tag_model: TagModel) -> NDArray:
        """Return what all items are worth to the user: taste, and what is asked for now."""
        return worth(self.taste(tag_model), self.wish)

    def listed_among(self, catalogue: Catalogue, items: Iterable[Hashable] | None) -> User:
        """Return the user, who from now on is listed these items alone; None for no change."""
        if items is None:
            return self
        among = catalogue.items.rows(check_list(items, "candidates", "item ids"))
        if not len(among):
            raise ValueError(
                "candidates must have at least one item id, got none; leave them out for all items"
            )
        return replace(self, among=among)

    def candidates(
        self, catalogue: Catalogue, exclude_seen: bool, exclude: Iterable[Hashable] = ()
    ) -> NDArray:
        """Return which items may be listed for the user, shape (n_items,)."""
        return catalogue.candidates(self.known_history, exclude_seen, exclude, self.among)

    @property
    def known_history(self) -> NDArray | None:
        """Columns of the items that the user interacted with; None where that is not known."""
        return self.history if self.has_known_history else None

    @property
    def own_embedding(self) -> NDArray:
        """The embedding before anything was said, shape (n_factors,)."""
        return self.turns[0].embedding if self.turns else self.embedding

    @property
    def own_wish(self) -> NDArray | None:
        """What the user was described by, as evidence on items; all that outlives the session."""
        return self.turns[0].wish if self.turns else self.wish

    @property
    def asked(self) -> dict[int, bool]:
        """Tags that are asked for now, and whether for more of each; the last word on it counts."""
        asked = dict.fromkeys(self.described, True)
        if self.wish is self.own_wish:
            return asked
        for _, said, *_ in self.turns:
            if not said:  # forgotten
                asked = dict.fromkeys(self.described, True)
            asked.update(dict.fromkeys(said.like, True))
            asked.update(dict.fromkeys(said.dislike, False))
            asked.update({tag: count > 0 for tag, count in said.until.items()})
        return asked

    def to_explain(self) -> User:
        """Return the user, or say that there is nothing to explain of one without history."""
        if not self.is_known:
            raise ValueError(
                f"user {self.label!r} has no interactions, so the recommender knows nothing of "
                f"this user that could be explained; refine from feedback on tags, or describe the "
                f"user by tags, instead"
            )
        return self


def one_row(catalogue: Catalogue, interactions: Any) -> sp.csr_matrix:
    """Return the interactions of somebody new, shape (1, n_items)."""
    interactions = in_pandas(interactions)
    if is_frame(interactions):
        check_columns_of(interactions, catalogue.items.array().tolist(), "interactions")
        interactions = frame_values(interactions)
    has_values = sp.issparse(interactions) or isinstance(interactions, np.ndarray)
    row = _by_values(interactions, catalogue) if has_values else _by_ids(interactions, catalogue)
    negative = (row.data < 0) & (not catalogue.has_negative)
    for wrong, what in ((~np.isfinite(row.data), "NaN or infinite"), (negative, "negative")):
        if wrong.any():
            raise ValueError(
                f"interactions must be finite, and at least 0 as those of fit are, got "
                f"{wrong.sum()} {what} values, the first for item "
                f"{catalogue.items[row.indices[wrong][0]]!r}; leave out what the user did not "
                f"interact with"
            )
    if row.nnz and np.abs(row.data).max() < _VANISHING:
        raise ValueError(
            f"interactions has no value above {np.abs(row.data).max():.1g} in size, of which "
            f"nothing may be left in single precision; give them times a constant"
        )
    if not row.nnz:
        raise ValueError(
            "interactions has no items, so nothing is known about the user; give tags instead "
            "({} is the average user)"
        )
    return row


def _by_values(values: Any, catalogue: Catalogue) -> sp.csr_matrix:
    n_items = len(catalogue.items)
    if values.shape not in ((n_items,), (1, n_items)) or values.dtype.kind not in "biuf":
        raise ValueError(
            f"interactions, where it is an array or sparse, must be one row of {n_items} numbers, "
            f"one for each item, got shape {values.shape} and dtype {values.dtype}; ids of items "
            f"go into a list"
        )
    dtype = np.float32 if values.dtype == np.float32 else np.float64
    return canonical(sp.csr_matrix(widened(values.reshape(1, n_items)), dtype=dtype))


def _by_ids(ids: Any, catalogue: Catalogue) -> sp.csr_matrix:
    # The labels of a Series could be meant as well as its values.
    ambiguous = isinstance(ids, str | bytes | Mapping) or hasattr(ids, "to_numpy")
    if ambiguous or not hasattr(ids, "__iter__"):
        raise ValueError(
            f"interactions must be a list of item ids, or an array, sparse row or table of one row "
            f"with a value for each item, got {type(ids).__name__}"
        )
    columns = np.unique(catalogue.items.rows(ids))
    values = np.full(len(columns), catalogue.usual_value)
    return sp.csr_matrix((values, columns, [0, len(columns)]), shape=(1, len(catalogue.items)))
