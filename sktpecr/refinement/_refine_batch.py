"""The feedback of many users, and everybody's next list."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import joblib
import numpy as np
import pandas as pd

from sktpecr._inputs._feedback import Feedback
from sktpecr._inputs._ids import listing
from sktpecr._inputs._numbers import check_n
from sktpecr._inputs._tables import in_pandas
from sktpecr._utils._resumable_parts import run_parts
from sktpecr.explanation._fingerprint import fingerprints

_COLUMNS = ("user", "tag", "feedback")
_KINDS = ("like", "dislike", "set")


def refine_batch(
    refiner: Any,
    feedback: Any,
    n_items: int,
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
    users = list(by_user)
    parts = [
        {user: by_user[user] for user in users[start : start + size]}
        for start in range(0, len(users), size)
    ]
    settings: dict[str, Any] = {"n_items": n_items, "exclude_seen": bool(exclude_seen)}

    def job() -> dict[str, Any]:
        said = [(user, sorted(kinds.items())) for user, kinds in by_user.items()]
        solver = f"{refiner.solver}, {refiner.long_term:g}"
        made_of = {**fingerprints(tag_model), "said": joblib.hash([solver, said])}
        return {"of": "refined", **settings, "batch_size": size, **made_of}

    return run_parts(
        partial(_refined, refiner, **settings),
        parts,
        lambda part: part,
        lambda part: listing(list(part)),
        to=to,
        job=job,
        n_jobs=n_jobs,
        resume=resume,
        progress="refined",
    )


Said = dict[str, dict[Any, float]]  # "like", "dislike" and "set", each tag to number


def _refined(
    refiner: Any, part: dict[Any, Said], *, n_items: int, exclude_seen: bool
) -> pd.DataFrame:
    """Return the lists of some users, as one frame: one for each would take most of the time."""
    users: list[Any] = []
    lists = []
    for user, said in part.items():
        refined = refiner.refine(user, **said)
        columns, before = refined._best(n_items, exclude_seen)
        users += [user] * len(columns)
        lists.append((np.arange(1, len(columns) + 1), columns, refined.scores[columns], before))
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
