"""Everybody's list, explained."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from sktpecr._inputs._ids import listing
from sktpecr._inputs._numbers import check_n
from sktpecr._utils._blocks import blocks, let_go
from sktpecr._utils._resumable_parts import run_parts
from sktpecr.attribution import AccountAttribution
from sktpecr.explanation._list_explainer import ListExplainer, SomeUsers
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._user import User

_USERS_A_PART = 2048


def explain_batch(
    tag_model: TagModel,
    users: Iterable[Hashable] | None,
    n_items: int,
    n_tags: int,
    items: Iterable[Hashable] | None,
    to: str | os.PathLike[str] | None,
    n_jobs: int | None,
    batch_size: int | str,
    resume: bool,
    exclude_seen: bool,
) -> Any:
    """Explain the lists of many users, in parts."""
    catalogue = tag_model.catalogue
    settings: dict[str, Any] = {
        "n_items": check_n(n_items, "n_items"),
        "n_tags": check_n(n_tags, "n_tags"),
    }
    rows = _rows_to_explain(tag_model, users)
    if exclude_seen:
        catalogue.candidates(User.at(tag_model, int(rows[0])).known_history, True)  # has to know
    listed = np.ones(len(catalogue.items), dtype=bool)
    if items is not None:
        listed[:] = False
        listed[catalogue.items.rows(items)] = True
    size = check_n(_USERS_A_PART if batch_size == "auto" else batch_size, "batch_size")
    ids = catalogue.users.array()

    def known_of(part: NDArray) -> SomeUsers:
        X = catalogue.interactions
        seen = X[part] if exclude_seen and X is not None else None
        embeddings = tag_model.user_embeddings[part]
        let_go(tag_model.user_embeddings)
        return SomeUsers(ids[part], embeddings, seen)

    return run_parts(
        ListExplainer(tag_model, catalogue.item_ids, listed, **settings),
        [rows[start : start + size] for start in range(0, len(rows), size)],
        known_of,
        lambda part: listing(ids[part].tolist()),
        to=to,
        job=lambda: {
            **settings,
            "exclude_seen": bool(exclude_seen),
            "batch_size": size,
            "made of": _fingerprint(tag_model, rows, listed),
        },
        n_jobs=n_jobs,
        resume=resume,
        progress="explained",
    )


def contributions_of(
    tag_model: TagModel, users: Iterable[Hashable], items: Iterable[Hashable]
) -> NDArray:
    """Return what the tags contribute to the scores of pairs, shape (n_pairs, n_tags)."""
    rows = _rows_to_explain(tag_model, users)
    columns = tag_model.catalogue.items.rows(items)
    if len(rows) != len(columns):
        raise ValueError(
            f"users and items must be as many, one of each for a pair; got {len(rows)} and "
            f"{len(columns)}"
        )
    who, of_user = np.unique(rows, return_inverse=True)
    embeddings = tag_model.user_embeddings[who]
    preferences = tag_model.extractor.tag_preferences(embeddings.astype(np.float64))
    if isinstance(tag_model.attribution, AccountAttribution):
        tastes = tag_model.attribution.tastes(preferences, embeddings)
        return tag_model.attribution.contributions(tastes, of_user, columns).toarray()
    standings = tag_model.vs_mean(preferences)
    if hasattr(tag_model.attribution, "importances"):  # the same for every user
        what, of_item = np.unique(columns, return_inverse=True)
        return tag_model.attribution.importances(what)[of_item] * standings[of_user]
    found = np.empty((len(rows), standings.shape[1]))
    for place in range(len(who)):
        pairs = np.flatnonzero(of_user == place)
        attributed = tag_model.attribution.attribute(
            preferences[place], embeddings[place], columns[pairs]
        )
        found[pairs] = attributed.told(standings[place])[0]
    return found


def _rows_to_explain(tag_model: TagModel, users: Any) -> NDArray:
    catalogue = tag_model.catalogue
    active = catalogue.active_users()
    if users is None:
        return np.flatnonzero(active)
    if isinstance(users, str | bytes) or not hasattr(users, "__iter__"):
        raise ValueError(f"users must be a list of user ids, got {users!r}")
    rows = catalogue.users.rows(users)
    if not len(rows):
        raise ValueError("users must name at least one user, got none")
    for row in rows[~active[rows]][:1]:
        User.at(tag_model, int(row)).to_explain()  # says what is wrong with this one
    return rows


def _fingerprint(tag_model: TagModel, rows: NDArray, listed: NDArray) -> str:
    """Return what tells one job from another: model, explainer, users and items."""
    some = tag_model.user_embeddings[rows[:1]]
    return joblib.hash(
        [
            tag_model.method,
            *(joblib.hash(block) for block in blocks(tag_model.user_embeddings)),
            tag_model.extractor.tag_preferences(some),
            (tag_model.mean, tag_model.std),
            tag_model.tags.array().tolist(),
            tag_model.recommender.score_items(some),
            tag_model.generator.generate(tag_model.mean[np.newaxis], some.astype(np.float64)),
            rows,
            listed,
        ]
    )
