"""What each method names of lists, for :mod:`benchmarks.beyond.reasons`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from numpy.typing import NDArray

from benchmarks.common.data import load
from sktpecr import GaussianGenerator, TagPreferenceExtractor
from sktpecr.attribution import AccountAttribution
from sktpecr.attribution._composite import CompositeFunction
from sktpecr.explanation import Reason
from sktpecr.explanation._reasons import OwnTags, select_reasons
from sktpecr.explanation._reasons_of_pairs import reasons_of_pairs
from sktpecr.explanation._words import worth_saying
from sktpecr.recommenders import (
    MatrixFactorization,
    NeuralCollaborativeFiltering,
    as_recommender,
)

_MEMORY = joblib.Memory(os.environ.get("SKTPECR_BENCHMARK_CACHE"), verbose=0)
# Users are drawn of those with as many interactions.
N_USERS, N_LISTED, FEWEST = 300, 10, 5
# Users and items that the variance told by what is named is measured on.
_R2_USERS, _R2_ITEMS = 5000, 200


class Tagged(NamedTuple):
    """Interactions (n_users, n_items), item tags (n_items, n_tags), and names of the tags."""

    interactions: sp.csr_matrix
    item_tags: sp.csr_matrix
    tag_names: NDArray


class Told(NamedTuple):
    """What a method says of pairs.

    Contributions of own tags (n_pairs, n_tags); what it names: pairs, tags, contributions and
    likings, shape (n_named,); and seconds of its fit.
    """

    own: sp.csr_matrix
    pairs: NDArray
    tags: NDArray
    contributions: NDArray
    likings: NDArray
    fit_seconds: float


@_MEMORY.cache
def trained(name: str, X: sp.csr_matrix, seed: int, left_out: float) -> Any:
    kept = X.copy()
    kept.data[np.random.RandomState(seed).random_sample(X.nnz) < left_out] = 0
    kept.eliminate_zeros()
    implicit = {"als": AlternatingLeastSquares, "bpr": BayesianPersonalizedRanking}
    if name in implicit:
        model = implicit[name](factors=64, random_state=seed, num_threads=1)
        model.fit(kept, show_progress=False)
        return as_recommender(model)
    own = {"mf": MatrixFactorization, "ncf": NeuralCollaborativeFiltering}
    return own[name](random_state=seed, device="cpu").fit(kept)


def tagged(data_name: str, data_dir: Path, kind: str) -> Tagged:
    data = load(data_name, data_dir)
    X = data.interactions.tocsr().astype(np.float32)
    if kind == "genres":
        return Tagged(
            X,
            sp.csr_matrix(data.item_tags.to_numpy(dtype=np.float64)),
            np.asarray(data.item_tags.columns),
        )
    shelves = pd.read_parquet(data_dir / "goodbooks-10k" / "item_tags.parquet")
    names = shelves["tag"].value_counts().index[: int(kind.removeprefix("shelves-"))]
    rows, columns = (
        index.get_indexer(shelves[column])
        for index, column in ((pd.Index(data.item_ids), "item_id"), (names, "tag"))
    )
    known = (rows >= 0) & (columns >= 0)
    # How many readers filed it so, of those who filed it the most common way.
    counts = shelves["count"][known] / shelves.groupby("item_id")["count"].transform("max")[known]
    cells = counts.to_numpy(np.float64), (rows[known], columns[known])
    return Tagged(X, sp.csr_matrix(cells, shape=(X.shape[1], len(names))), np.asarray(names))


def tell_importances(recommender: Any, data: Tagged, pairs: NDArray) -> Told:
    """Say what the exact attribution's text names."""
    extractor = TagPreferenceExtractor(recommender, data.item_tags).fit(data.interactions)
    embeddings = recommender.user_embeddings.astype(np.float64)
    preferences = extractor.tag_preferences(embeddings)
    start = time.perf_counter()
    generator = GaussianGenerator().fit(preferences, embeddings, tag_matrix=extractor.tag_matrix_)
    weights = recommender.item_embeddings.astype(np.float64) @ generator.gain_
    seconds = time.perf_counter() - start
    std = preferences.std(axis=0)
    moved = preferences[pairs[:, 0]] - preferences.mean(axis=0)
    contributions = weights[pairs[:, 1]] * moved
    likings = moved / np.where(std > 0, std, np.inf)
    on_item = data.item_tags[pairs[:, 1]]
    named = [
        (row, tag)
        for row, each in enumerate(contributions)
        for tag in _text_names(each, on_item[row].indices)
    ]
    rows, tags = np.array(named, dtype=np.intp).reshape(-1, 2).T
    own = on_item.copy()
    own.data = contributions[np.repeat(np.arange(len(pairs)), np.diff(own.indptr)), own.indices]
    return Told(own, rows, tags, contributions[rows, tags], likings[rows, tags], seconds)


def _text_names(contributions: NDArray, own: NDArray) -> Iterator[int]:
    on_item = np.isin(np.arange(len(contributions)), own)
    tags = worth_saying(contributions)
    for mask, most in ((on_item[tags], 3), (~on_item[tags], 2)):
        for sign in (1, -1):
            yield from tags[mask & (sign * contributions[tags] > 0)][:most]


def history_shares(data: Tagged) -> sp.csr_matrix:
    """Return which share of each user's history carries each tag (n_users, n_tags)."""
    X = data.interactions
    carried = (data.item_tags > 0).astype(np.float64)
    return sp.diags(1.0 / np.maximum(1, np.diff(X.indptr))) @ ((X > 0).astype(float) @ carried)


def tell_history(data: Tagged, pairs: NDArray) -> Told:
    """Name the three own tags that the history holds most above or below the average share."""
    shares = history_shares(data)
    away = shares[pairs[:, 0]].toarray() - np.asarray(shares.mean(axis=0))
    own = (data.item_tags[pairs[:, 1]] > 0).astype(np.float64).tocsr()
    own.data = away[np.repeat(np.arange(len(pairs)), np.diff(own.indptr)), own.indices]
    firsts = [
        part.start + np.argsort(-np.abs(own.data[part]), kind="stable")[:3]
        for part in map(slice, own.indptr[:-1], own.indptr[1:])
    ]
    rows = np.repeat(np.arange(len(pairs)), [len(each) for each in firsts])
    cells = np.hstack(firsts)
    amounts = own.data[cells]
    return Told(own, rows, own.indices[cells], amounts, amounts, 0.0)


def fitted_account(
    recommender: Any, data: Tagged, **params: Any
) -> tuple[AccountAttribution, NDArray, float]:
    """Return the account, everybody's tastes and how long fitting took."""
    extractor = TagPreferenceExtractor(recommender, data.item_tags).fit(data.interactions)
    embeddings = recommender.user_embeddings.astype(np.float64)
    preferences = extractor.tag_preferences(embeddings)
    start = time.perf_counter()
    account = AccountAttribution(random_state=0, **params).fit(
        CompositeFunction(recommender, None),
        preferences,
        embeddings,
        item_tags=data.item_tags,
        tag_matrix=extractor.tag_matrix_,
        interactions=data.interactions,
    )
    seconds = time.perf_counter() - start
    return account, account.tastes(preferences, embeddings), seconds


def tell_account(
    account: AccountAttribution, tastes: NDArray, seconds: float, data: Tagged, pairs: NDArray
) -> Told:
    """Say what the account names."""
    own = account.contributions(tastes, pairs[:, 0], pairs[:, 1])
    says = account.says_more_than_chance(pairs[:, 1])
    named = []
    for row in np.flatnonzero(says):
        named += [
            (row, reason.tag, reason.contribution, reason.liking)
            for reason in account_reasons(
                account, own, row, pairs[row, 1], tastes[pairs[row, 0]], 3
            )
        ]
    table = np.array(named).reshape(-1, 4)
    rows, columns = table[:, :2].astype(np.intp).T
    return Told(own, rows, columns, table[:, 2], table[:, 3], seconds)


def named_r2(account: AccountAttribution, tastes: NDArray, recommender: Any) -> NDArray:
    """Return how much of the variance over users of an item's score what is named tells."""
    # The level taken off; of items whose own tags say more than chance, and some of either.
    rng = np.random.RandomState(0)
    users = rng.permutation(len(tastes))[:_R2_USERS]
    items = rng.permutation(np.flatnonzero(account.says_more_than_chance(_every(account))))
    items = items[:_R2_ITEMS]
    embeddings = recommender.user_embeddings[users]
    away = recommender.score_items(embeddings)[:, items] - account.activity(embeddings, items)
    pairs = np.repeat(np.arange(len(users)), len(items)), np.tile(items, len(users))
    told = reasons_of_pairs(account, tastes[users], *pairs, 3)
    named = np.bincount(told.pair, weights=told.contribution, minlength=len(pairs[0]))
    left = away - named.reshape(away.shape)
    return 1.0 - left.var(axis=0) / away.var(axis=0)


def _every(account: AccountAttribution) -> NDArray:
    return np.arange(len(account.explained_))


def account_reasons(
    account: AccountAttribution,
    own: sp.csr_matrix,
    row: int,
    item: int,
    tastes: NDArray,
    k: int,
) -> list[Reason]:
    part = slice(own.indptr[row], own.indptr[row + 1])
    columns = own.indices[part]
    likings = tastes[columns] / account.scale_[columns]
    tags = OwnTags.of(account, item, columns, own.data[part], likings)
    return select_reasons(tags, np.arange(own.shape[1]), k=k)


def listed_pairs(recommender: Any, X: sp.csr_matrix) -> NDArray:
    """Draw users, and return them with the first ten unseen items of each (n_pairs, 2)."""
    enough = np.flatnonzero(np.diff(X.indptr) >= FEWEST)
    users = np.random.RandomState(0).permutation(enough)[:N_USERS]
    scores = recommender.score_items(recommender.user_embeddings[users])
    for row, user in enumerate(users):
        scores[row, X[user].indices] = -np.inf
    items = np.argsort(-scores, axis=1, kind="stable")[:, :N_LISTED]
    return np.column_stack([np.repeat(users, N_LISTED), items.ravel()])
