"""Who and what is measured on: nothing that was learned from."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from sktpecr._population import Population


def split_interactions(
    X: Any, test_size: float = 0.2, *, random_state: int | np.random.RandomState | None = None
) -> tuple[sp.csr_matrix, NDArray]:
    """Hold out some interactions of every user.

    Parameters
    ----------
    X : sparse matrix or array-like of shape (n_users, n_items)
        Interactions.
    test_size : float, default=0.2
        Share of the interactions to hold out, in (0, 1).
    random_state : int, RandomState instance or None, default=None
        Draws them.

    Returns
    -------
    train : csr_matrix of shape (n_users, n_items)
        The interactions that stay: what the recommender and the explainer are fitted on.
    held_out : ndarray of shape (n_held_out, 2)
        Row and column number of each that was held out, in random order.

    Examples
    --------
    >>> import numpy as np
    >>> from sktpecr.evaluation import split_interactions
    >>> train, held_out = split_interactions(np.ones((4, 50)), random_state=0)
    >>> train.nnz + len(held_out)
    200
    """
    if not 0 < test_size < 1:
        raise ValueError(f"test_size must be between 0 and 1, got {test_size!r}")
    rng = check_random_state(random_state)
    X = sp.csr_matrix(X, copy=True)
    X.sum_duplicates()
    X.eliminate_zeros()
    X = X.tocoo()
    test = rng.uniform(size=X.nnz) < test_size
    train = sp.csr_matrix((X.data[~test], (X.row[~test], X.col[~test])), shape=X.shape)
    return train, rng.permutation(np.column_stack([X.row, X.col])[test])


def by_name(given: Any, kind: type) -> dict[str, Any]:
    """Return one estimator, or several by name, as a dict."""
    named = dict(given) if isinstance(given, Mapping) else {kind.__name__: given}
    wrong = {name: value for name, value in named.items() if not isinstance(value, kind)}
    if wrong or not named:
        got = type(next(iter(wrong.values()))).__name__ if wrong else "an empty dict"
        raise ValueError(f"expected a {kind.__name__}, or a dict of name to {kind.__name__}: {got}")
    return named


def measured_rows(
    population: Population, users: Iterable[Hashable] | None, allow_train_users: bool
) -> NDArray:
    """Return the rows of the users to measure on, or say that they were learned from.

    Parameters
    ----------
    population : Population
        What an explainer learned.
    users : iterable of hashable or None
        Raw ids; None for all with interactions that were not learned from.
    allow_train_users : bool
        Whether users that were learned from will do.

    Returns
    -------
    ndarray of int
        Rows.
    """
    way_out = (
        "fit the explainer with train_users= and measure on others, or pass "
        "allow_train_users=True and say so beside the result"
    )
    if users is None:
        active = population.catalogue.active_users()
        rows = np.flatnonzero(active if allow_train_users else active & ~population.learners)
        if not len(rows):
            raise ValueError(f"the explainer learned from every user; {way_out}")
        return rows
    rows = population.catalogue.users.rows(users)
    if not len(rows):
        raise ValueError("users must name at least one user, got none")
    learned = rows[population.learners[rows]]
    if len(learned) and not allow_train_users:
        user = population.catalogue.users[learned[0]]
        raise ValueError(
            f"the explainer learned from {len(learned)} of the {len(rows)} users, such as "
            f"{user!r}; {way_out}"
        )
    return rows


def list_lengths(k: Any, n_items: int) -> dict[str, int]:
    """Return what to call lists of these lengths, and how many items they have.

    Parameters
    ----------
    k : int, float or iterable of them
        A number of items, or a share of all items if less than 1.
    n_items : int
        How many items there are.

    Returns
    -------
    dict of str to int
        Such as ``{"@1000": 1000, "@14%": 519}``.
    """
    lengths = {}
    for each in [k] if isinstance(k, int | float | np.number) else list(k):
        if not each > 0 or (each >= 1 and each != int(each)):
            raise ValueError(
                f"k must be a number of items, or a share of them between 0 and 1, got {each!r}"
            )
        name = f"@{100 * each:g}%" if each < 1 else f"@{int(each)}"
        lengths[name] = max(1, round(each * n_items)) if each < 1 else int(each)
    return lengths
