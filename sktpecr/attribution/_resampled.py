"""What the account would say of an item, had it learned from other users."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sktpecr._utils._rounding import square_root
from sktpecr.attribution._account_fit import own_weights
from sktpecr.attribution._account_rows import Rows, without_level

_SPLITS = 5


class Half(NamedTuple):
    """Half of the users: their mean embedding (d,), and rows whose products are covariances."""

    mean: NDArray
    root: NDArray


def halves_of(users: NDArray) -> list[Half]:
    """Split users (n_users, d) at random in two, a few times; none where they are too few."""
    found, rng, size = [], np.random.RandomState(0), len(users) // 2
    for _ in range(_SPLITS if size > 1 else 0):
        order = rng.permutation(len(users))
        for part in (order[:size], order[size : 2 * size]):
            mean = users[part].mean(axis=0)
            centred = users[part] - mean
            found.append(Half(mean, square_root(centred.T @ centred / size).T))
    return found


def contributions_by(
    half: Half,
    embedding: NDArray,
    item: NDArray,
    tag_matrix: NDArray,
    average_item: NDArray,
    level: str,
    ridge: float,
) -> NDArray:
    """Return the contributions (n_own,) to a dot product that the account of these users has."""
    # `item` (d,), `tag_matrix` (n_own, d) of its own tags, `average_item` (d,).
    rows = Rows(half.root @ item[:, np.newaxis], half.root @ tag_matrix.T, half.root @ average_item)
    levelled, away = without_level(rows, level), embedding - half.mean
    tags = sp.csr_matrix(np.ones((1, len(tag_matrix))))
    weights = own_weights(levelled.scores, levelled.tastes, tags, ridge).weights.toarray()[0]
    return weights * (tag_matrix @ away - levelled.gamma * (average_item @ away))
