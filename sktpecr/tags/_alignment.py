"""Whether a model knows the rows and columns that it is explained on."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sktpecr._utils._blocks import let_go
from sktpecr.recommenders._protocol import (
    fold_in,
    is_dot_product,
    is_unfitted_estimator,
    item_biases_of,
    optional,
)

# Users that are looked at, and how many it takes to accuse an order and to doubt a model.
_SAMPLE, _ENOUGH_TO_ACCUSE, _ENOUGH_TO_DOUBT = 300, 30, 200
# Rows of a file that are read before memory is given back.
_ROWS_AT_ONCE = 20
# With a larger standard error a weak model is not told from one that knows nothing.
_TOO_VAGUE = 0.02
# Above this, and so many standard errors above one half. Of 54 models of films, MovieLens-1M and
# goodbooks with rows or columns permuted the best had .52. The right order has .54 to .65 with two
# factors or after one epoch, later .63 to .92, and .50 where nothing was learned.
_CLEAR, _CLEAR_ERRORS = 0.53, 4.0
# From halves of rows, items in any other order than the columns reached .55 at most.
_COLUMNS_FIT = 0.6


class Auc(NamedTuple):
    """How often a user's own item has the higher score, over pairs of users."""

    value: float
    error: float  # Its standard error
    n_users: int

    @property
    def is_clear(self) -> bool:
        """Whether it is above one half by no accident."""
        least = max(_CLEAR, 0.5 + _CLEAR_ERRORS * self.error)
        return self.n_users >= _ENOUGH_TO_ACCUSE and self.value > least

    @property
    def may_be_chance(self) -> bool:
        """Whether it is near one half."""
        return self.value < max(_CLEAR, 0.5 + 2 * self.error)

    def is_beaten_by(self, other: Auc) -> bool:
        """Whether the other is no accident, and far above this."""
        apart = _CLEAR_ERRORS * float(np.hypot(self.error, other.error))
        return other.is_clear and other.value - self.value > apart


def alignment_of(
    model: Any,
    recommender: Any,
    embeddings: NDArray,
    X: sp.csr_matrix,
    rows: NDArray,
    user_ids: Any = None,
    item_ids: Any = None,
) -> float:
    """Return how well a model knows rows of X, and say where it does not; NaN if it learned X."""
    # `embeddings` (n_users, n_factors); `rows` (n_users,), the model's own user or -1.
    if is_unfitted_estimator(model):
        return np.nan
    own = rows >= 0
    if own.all():
        return _of_own_users(recommender, embeddings, X, user_ids, item_ids)
    if own.any():
        return _of_own_users(recommender, embeddings[own], X[own], None, item_ids)
    return _of_new_users(recommender, X)


def _of_own_users(
    recommender: Any, embeddings: NDArray, X: sp.csr_matrix, user_ids: Any, item_ids: Any
) -> float:
    """Return the AUC of stored users on their rows of X, or say that the two do not go together."""
    # Of everybody no more is read than a sample: embeddings may be a file larger than memory.
    rows = _sample(X)
    some, sample = X[rows], _read(embeddings, rows)
    found = own_item_auc(recommender, sample.__getitem__, some)
    if found.n_users < _ENOUGH_TO_ACCUSE:
        return found.value
    said = (
        f"the recommender does not tell what users took from what others took: AUC "
        f"{found.value:.2f} over {found.n_users} users, where .5 is chance"
    )
    others = _off_by_one(some)  # where ids that are neighbours are alike it is far from chance
    if found.may_be_chance:
        others = chain(others, _other_orders(recommender, X, rows, user_ids, item_ids))
    for what, other in others:
        better = own_item_auc(recommender, sample.__getitem__, other)
        if found.is_beaten_by(better):
            raise ValueError(f"{said}; with {what} it is {better.value:.2f}: pass that")
    if found.is_clear:
        return found.value
    halves = _tells_halves(recommender, some)
    if found.may_be_chance and found.is_beaten_by(halves) and halves.value > _COLUMNS_FIT:
        raise ValueError(
            f"{said}. Its items fit the columns of X (from half of a row, embedded anew, it tells "
            f"the other half with {halves.value:.2f}), so the rows of X are in another order than "
            f"its users: bring them into the order that it was trained on, or pass "
            f"users='fold_in' to embed the rows anew"
        )
    _doubt(said, found)
    return found.value


def _of_new_users(recommender: Any, X: sp.csr_matrix) -> float:
    """Return the AUC of embedding half of a row on the other half, and doubt a poor one."""
    found = _tells_halves(recommender, X)
    if not found.is_clear:
        _doubt(
            f"the recommender does not tell half of what users took from the other half: AUC "
            f"{found.value:.2f} over {found.n_users} users, where .5 is chance",
            found,
        )
    return found.value


def own_item_auc(recommender: Any, embed: Callable[[NDArray], NDArray], X: sp.csr_matrix) -> Auc:
    """Compare scores of items that one user took and another did not with those the other way."""
    # Nothing else is compared, so that how popular an item is speaks for neither side: a model
    # that says the same to everybody has .5, and so have rows in any other order.
    liked = X
    if (X.data <= 0).any():
        liked = sp.csr_matrix((X.data > 0, X.indices, X.indptr), shape=X.shape, copy=True)
        liked.eliminate_zeros()
    some = _sample(liked)
    embeddings, found = embed(some), []
    marked = np.zeros(X.shape[1], dtype=bool)
    for embedding, one, other in zip(embeddings, some, np.roll(some, 1), strict=True):
        taken, others = (liked.indices[slice(*liked.indptr[[i, i + 1]])] for i in (one, other))
        only_taken, only_others = _without(taken, others, marked), _without(others, taken, marked)
        if len(only_taken) and len(only_others):
            columns = np.concatenate([only_taken, only_others])
            scores = _scores(recommender, embedding, columns)
            own, theirs = scores[: len(only_taken)], np.sort(scores[len(only_taken) :])
            # So many pairs are won; of a pair with equal scores one half.
            won = sum(theirs.searchsorted(own, side).sum() for side in ("left", "right")) / 2
            found.append(won / (len(own) * len(theirs)))
    if not found:
        return Auc(np.nan, np.nan, 0)
    return Auc(float(np.mean(found)), float(np.std(found) / len(found) ** 0.5), len(found))


def _without(some: NDArray, others: NDArray, marked: NDArray) -> NDArray:
    """Return some columns but for others; `marked` (n_items,) is False all over, and stays so."""
    marked[others] = True
    found = some[~marked[some]]
    marked[others] = False
    return found


def _read(embeddings: NDArray, rows: NDArray) -> NDArray:
    """Return some rows; of a file a row brings in megabytes, which are given back."""
    found = np.empty((len(rows), embeddings.shape[1]), dtype=embeddings.dtype)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        some = slice(start, start + _ROWS_AT_ONCE)
        found[some] = embeddings[rows[some]]
        let_go(embeddings)
    return found


def _sample(X: sp.csr_matrix) -> NDArray:
    """Return some rows that are not empty, in any order."""
    return np.random.RandomState(0).permutation(np.flatnonzero(np.diff(X.indptr)))[:_SAMPLE]


def _scores(recommender: Any, embedding: NDArray, columns: NDArray) -> NDArray:
    # Numbers too large to be scored are refused when the recommender is read.
    with np.errstate(over="ignore", invalid="ignore"):
        if is_dot_product(recommender):
            items, biases = recommender.item_embeddings, item_biases_of(recommender)
            return np.asarray(items)[columns] @ embedding + biases[columns]
        return np.asarray(recommender.score_items(embedding[np.newaxis], columns))[0]


def _off_by_one(X: sp.csr_matrix) -> Iterator[tuple[str, sp.csr_matrix]]:
    """Yield X with its columns moved by one, as where ids were counted from 1 and from 0."""
    for step, where in ((1, "right"), (-1, "left")):
        columns = (X.indices + step) % X.shape[1]
        moved = sp.csr_matrix((X.data, columns, X.indptr), shape=X.shape)
        yield f"all columns of X moved by one to the {where}", moved


def _other_orders(
    recommender: Any, X: sp.csr_matrix, rows: NDArray, user_ids: Any, item_ids: Any
) -> Iterator[tuple[str, sp.csr_matrix]]:
    """Yield some rows of X in orders that happen, with what they are."""
    if X.shape[0] == X.shape[1]:
        yield "X transposed (rows are users, columns are items)", sp.csr_matrix(X.T)[rows]
    for kind, ids, line in (("user", user_ids, "rows"), ("item", item_ids, "columns")):
        if ids is None or optional(recommender, f"{kind}_ids") is not None:
            continue  # of its own ids the order is known
        for how, keys in (("sorted", list(ids)), ("sorted as text", list(map(str, ids)))):
            try:
                order = sorted(range(len(keys)), key=keys.__getitem__)
            except TypeError:  # ids of several kinds have no order
                continue
            if order != list(range(len(keys))):
                moved = X[np.array(order)[rows]] if kind == "user" else X[rows][:, order]
                yield f"the {line} of X in the order of the {kind} ids {how}", sp.csr_matrix(moved)


def _tells_halves(recommender: Any, X: sp.csr_matrix) -> Auc:
    """Return how well a half of a row, embedded anew, tells the other half."""
    if optional(recommender, "fold_in") is None and not is_dot_product(recommender):
        return Auc(np.nan, np.nan, 0)
    random_state = np.random.RandomState(0)
    rows = random_state.permutation(np.flatnonzero(np.diff(X.indptr) > 1))[:_SAMPLE]
    known, asked = X[rows], X[rows]
    is_known = random_state.uniform(size=known.nnz) < 0.5
    known.data[~is_known] = 0
    asked.data[is_known] = 0
    known.eliminate_zeros()
    asked.eliminate_zeros()
    try:
        return own_item_auc(recommender, lambda some: fold_in(recommender, known[some]), asked)
    except ValueError:  # it says so when it cannot embed rows
        return Auc(np.nan, np.nan, 0)


def _doubt(said: str, found: Auc) -> None:
    if found.n_users >= _ENOUGH_TO_DOUBT and found.error < _TOO_VAGUE:
        warnings.warn(
            f"{said}. Either it says nearly the same to everybody, or the rows or columns of X "
            f"are in another order than those it was trained on: compare their ids",
            UserWarning,
            stacklevel=2,
        )
