"""The feedback of many users, and everybody's next list."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd

from sktpecr._inputs._catalogue import Catalogue
from sktpecr._inputs._feedback import Feedback
from sktpecr._inputs._ids import listing
from sktpecr._inputs._numbers import check_flag, check_n
from sktpecr._inputs._tables import in_pandas
from sktpecr._utils._resumable_parts import run_parts
from sktpecr.explanation._filed_pairs import pairs_of
from sktpecr.explanation._fingerprint import fingerprints, hashed
from sktpecr.refinement._many_turns import many_turns

_COLUMNS = ("user", "tag", "feedback")
_KINDS = ("like", "dislike", "set")


def refine_batch(
    refiner: Any,
    feedback: Any,
    n_items: int,
    candidates: Any,
    *,
    to: str | os.PathLike[str] | None,
    n_jobs: int | None,
    batch_size: int,
    resume: bool,
    exclude_seen: bool,
) -> Any:
    """Refine many users' recommendations, each by feedback of their own, in parts."""
    tag_model = refiner.tag_model_
    n_items, size = check_n(n_items, "n_items"), check_n(batch_size, "batch_size")
    by_user = _checked(feedback, tag_model)
    listable = None if candidates is None else _Candidates.of(candidates, tag_model.catalogue)
    users = list(by_user) if listable is None else listable.in_order(by_user)
    parts = [
        {user: by_user[user] for user in users[start : start + size]}
        for start in range(0, len(users), size)
    ]
    settings: dict[str, Any] = {
        "n_items": n_items,
        "exclude_seen": check_flag(exclude_seen, "exclude_seen"),
    }

    def job() -> dict[str, Any]:
        said = [(user, sorted(kinds.items())) for user, kinds in by_user.items()]
        solver = f"{refiner.solver}, {refiner.long_term:g}"
        made_of = {**fingerprints(tag_model), "said": joblib.hash([solver, said])}
        if listable is not None:
            made_of["candidates"] = hashed(listable.identity)
        return {"of": "refined", **settings, "batch_size": size, **made_of}

    return run_parts(
        partial(_refined, refiner, **settings),
        parts,
        lambda part: part if listable is None else listable.added_to(part),
        lambda part: listing(list(part)),
        to=to,
        job=job,
        n_jobs=n_jobs,
        resume=resume,
        progress="refined",
    )


Said = dict[str, Any]  # "like", "dislike" and "set", each tag to number; and "candidates"


class _Candidates(NamedTuple):
    """What each user may be listed."""

    catalogue: Catalogue
    places: dict[int, int]  # Row of a user to the place among those who have candidates
    pairs: Any  # Has `of` some of these users
    identity: Any  # What tells them from others

    @classmethod
    def of(cls, given: Any, catalogue: Catalogue) -> _Candidates:
        rows, pairs, identity = pairs_of(given, catalogue, "candidates")
        places = dict(zip(rows.tolist(), range(len(rows)), strict=True))
        return cls(catalogue, places, pairs, [rows, identity])

    def in_order(self, users: Iterable[Any]) -> list[Any]:
        """Return users as they come in the candidates: files are then read in one go."""
        rows = {user: self.catalogue.users.row(user) for user in users}
        without = [user for user, row in rows.items() if row not in self.places]
        if without:
            raise ValueError(
                f"candidates must have items for each user who gives feedback, and lack "
                f"{len(without)} of them, such as {without[0]!r}"
            )
        return sorted(rows, key=lambda user: self.places[rows[user]])

    def added_to(self, part: dict[Any, Said]) -> dict[Any, Said]:
        """Return what users said with the items that each may be listed."""
        found = {}
        for user, said in part.items():
            place = self.places[self.catalogue.users.row(user)]
            items = self.pairs.of(slice(place, place + 1)).items
            found[user] = {**said, "candidates": self.catalogue.item_ids[items]}
        return found


def _refined(
    refiner: Any, part: dict[Any, Said], *, n_items: int, exclude_seen: bool
) -> pd.DataFrame:
    """Return the lists of some users, as one frame: one for each would take most of the time."""
    users: list[Any] = []
    lists = []
    for user, (columns, scores, before) in many_turns(refiner, part, n_items, exclude_seen):
        users += [user] * len(columns)
        lists.append((np.arange(1, len(columns) + 1), columns, scores, before))
    rank, columns, score, before = map(np.concatenate, zip(*lists, strict=True))
    item = refiner.tag_model_.catalogue.item_ids[columns]
    return pd.DataFrame(
        {"user": users, "rank": rank, "item": item, "score": score, "rank_before": before}
    )


def _checked(feedback: Any, tag_model: Any) -> dict[Any, Said]:
    """Return what each user says."""
    feedback = in_pandas(feedback)
    missing = [name for name in _COLUMNS if name not in getattr(feedback, "columns", ())]
    if missing:
        raise ValueError(
            f"feedback must be a DataFrame with columns user, tag and feedback, and value if there "
            f"are strengths; it lacks {', '.join(missing)}"
        )
    if not len(feedback):
        raise ValueError("feedback must have a row for each tag that a user speaks of, got none")
    said: dict[Any, Said] = {}
    for user, tag, kind, value in _lines(feedback):
        if kind not in _KINDS:
            raise ValueError(f"feedback must be 'like', 'dislike' or 'set', got {kind!r}")
        tag_model.catalogue.users.row(user)
        tag_model.tags.row(tag)
        of_kind = said.setdefault(user, {}).setdefault(kind, {})
        if tag in of_kind:
            raise ValueError(
                f"feedback of user {user!r} names {tag!r} twice as {kind}; once will do"
            )
        if kind == "set" and value is None:
            raise ValueError(f"feedback sets {tag!r} of user {user!r} to no value; give one")
        of_kind[tag] = 1.0 if value is None else value
    # Before anything is computed: one user's contradiction is not to cost the others their part.
    for user, kinds in said.items():
        try:
            like, dislike, put = (kinds.get(kind) for kind in _KINDS)
            Feedback.parse(tag_model.tags, like, dislike, put, strength=1.0)
        except ValueError as error:
            raise ValueError(f"user {user!r}: {error}") from None
    return said


def _lines(feedback: pd.DataFrame) -> Iterator[tuple[Any, Any, Any, float | None]]:
    """Yield user, tag, kind and value; None where there is none."""
    columns = [feedback[name].tolist() for name in _COLUMNS]
    values = [None] * len(feedback)
    if "value" in feedback.columns:
        numbers, there = feedback["value"].tolist(), feedback["value"].notna().tolist()
        values = [
            number if is_there else None for number, is_there in zip(numbers, there, strict=True)
        ]
    yield from zip(*columns, values, strict=True)
