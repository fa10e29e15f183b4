"""Everybody's list: explained, or with the reasons for it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sktpecr._inputs._ids import check_list, listing
from sktpecr._inputs._numbers import check_flag, check_n
from sktpecr._utils._blocks import let_go
from sktpecr._utils._resumable_parts import run_parts
from sktpecr.attribution import AccountAttribution
from sktpecr.explanation._batch_work import BatchWork
from sktpecr.explanation._filed_pairs import FiledPairs, pairs_of
from sktpecr.explanation._fingerprint import fingerprints, hashed
from sktpecr.explanation._list_explainer import ListExplainer
from sktpecr.explanation._reasons_batch import ReasonsTeller
from sktpecr.explanation._some_users import GivenPairs, SomeUsers
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._user import User

_USERS_A_PART = 2048


def explain_batch(
    tag_model: TagModel, n_items: int, n_tags: int, lists: Mapping[str, Any], **how: Any
) -> Any:
    """Explain the lists of many users, in parts."""
    told = {"n_tags": check_n(n_tags, "n_tags")}
    return _run(tag_model, ListExplainer, n_items, told, lists, "explained", **how)


def reasons_batch(
    tag_model: TagModel, n_items: int, k: int, lists: Mapping[str, Any], **how: Any
) -> Any:
    """Give the reasons for the lists of many users, in parts."""
    told = {"k": check_n(k, "k")}
    # Workers have no users to fit an account on.
    accounted = replace(tag_model, attribution=tag_model.account)
    return _run(accounted, ReasonsTeller, n_items, told, lists, "told", **how)


def _run(
    tag_model: TagModel,
    kind: type[BatchWork],
    n_items: int,
    told: dict[str, int],
    lists: Mapping[str, Any],
    progress: str,
    *,
    to: str | os.PathLike[str] | None,
    n_jobs: int | None,
    batch_size: int | str,
    resume: bool,
) -> Any:
    """Tell something of lists, in parts; `lists` are the arguments that say which lists."""
    catalogue = tag_model.catalogue
    n_items = check_n(n_items, "n_items")
    is_auto = isinstance(batch_size, str) and batch_size == "auto"
    size = check_n(_USERS_A_PART if is_auto else batch_size, "batch_size")
    listed = np.ones(len(catalogue.items), dtype=bool)
    exclude_seen = check_flag(lists["exclude_seen"], "exclude_seen")
    users = lists["users"]
    pairs: GivenPairs | FiledPairs | None = None
    given: Any = None
    if lists["pairs"] is not None:
        for name in ("users", "items"):
            if lists[name] is not None:
                raise ValueError(f"give pairs or {name}, not both: pairs say what is explained")
        rows, pairs, given = pairs_of(lists["pairs"], catalogue)
        exclude_seen = False
        _check_known(tag_model, rows)
    else:
        rows = _rows_to_explain(tag_model, users)
        if exclude_seen:  # has to know
            catalogue.candidates(User.at(tag_model, int(rows[0])).known_history, True)
        if lists["items"] is not None:
            listed[:] = False
            listed[catalogue.items.rows(lists["items"])] = True
    ids, X = catalogue.users.array(), catalogue.interactions
    needs_history = kind is ReasonsTeller

    def known_of(part: slice) -> SomeUsers:
        own = rows[part]
        embeddings = tag_model.user_embeddings[own]
        let_go(tag_model.user_embeddings)
        taken = X[own] if X is not None and (exclude_seen or needs_history) else None
        return SomeUsers(
            ids[own],
            embeddings,
            seen=taken if exclude_seen else None,
            history=taken if needs_history else None,
            pairs=None if pairs is None else pairs.of(part),
            kept=_kept(tag_model, own),
        )

    if to is not None:
        _warn_of_no_seed(tag_model)
    names = catalogue.item_names
    return run_parts(
        kind(tag_model, catalogue.item_ids, names, listed, n_items, *told.values()),
        [slice(start, start + size) for start in range(0, len(rows), size)],
        known_of,
        lambda part: listing(ids[rows[part]].tolist()),
        to=to,
        job=lambda: {
            "of": progress,
            "n_items": n_items,
            **told,
            "exclude_seen": exclude_seen,
            "batch_size": size,
            **fingerprints(tag_model),
            "lists": hashed([rows, listed, given]),
        },
        n_jobs=n_jobs,
        resume=resume,
        progress=progress,
    )


def contributions_of(
    tag_model: TagModel, users: Iterable[Hashable], items: Iterable[Hashable]
) -> NDArray:
    """Return what the tags contribute to the scores of pairs, shape (n_pairs, n_tags)."""
    users, items = (
        check_list(given, name, f"{name[:-1]} ids, one for each pair", in_order=True)
        for given, name in ((users, "users"), (items, "items"))
    )
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


def _warn_of_no_seed(tag_model: TagModel) -> None:
    """Warn who begins a batch that nobody can go on with but this very explainer."""
    unseeded = [
        type(each).__name__
        for each in (tag_model.generator, tag_model.attribution)
        if each.get_params().get("random_state", 0) is None
    ]
    if unseeded:
        warnings.warn(
            f"{' and '.join(unseeded)} had no seed: an explainer that is fitted anew is another, "
            f"and cannot go on with this folder; save this one (explainer.save), or fit with a "
            f"random_state",
            UserWarning,
            stacklevel=4,
        )


def _kept(tag_model: TagModel, rows: NDArray) -> NDArray | None:
    """Return what folding in kept of the scores of each user, None where nobody was folded in."""
    folded = tag_model.folded[rows]
    if not folded.any() or tag_model.fold_in_fidelity == 1:
        return None
    return np.where(folded, tag_model.fold_in_fidelity, 1.0)


def _rows_to_explain(tag_model: TagModel, users: Any) -> NDArray:
    catalogue = tag_model.catalogue
    if users is None:
        return np.flatnonzero(catalogue.active_users())
    rows = catalogue.users.rows(check_list(users, "users", "user ids"))
    if not len(rows):
        raise ValueError("users must name at least one user, got none")
    _check_known(tag_model, rows)
    return rows


def _check_known(tag_model: TagModel, rows: NDArray) -> None:
    """Make sure that users have interactions, where interactions are known."""
    for row in rows[~tag_model.catalogue.active_users()[rows]][:1]:
        User.at(tag_model, int(row)).to_explain()  # says what is wrong with this one
