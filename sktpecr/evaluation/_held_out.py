"""Who and what is measured on: nothing that was learned from."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from numbers import Real
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils import check_array, check_random_state

from sktpecr._inputs._ids import check_list
from sktpecr._inputs._numbers import check_flag, check_seed
from sktpecr._inputs._tables import canonical
from sktpecr.explanation._tpecr_explainer import TPECRExplainer
from sktpecr.tags._tag_model import TagModel


def split_interactions(
    X: Any, test_size: float = 0.2, *, random_state: int | np.random.RandomState | None = None
) -> tuple[sp.csr_matrix, NDArray]:
    """Hold out interactions, each with the same probability.

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
        The interactions that stay: what the recommender and the explainer are fitted on. A user
        with few of them may keep all, or none.
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
    if not isinstance(test_size, Real) or not 0 < test_size < 1:
        raise ValueError(f"test_size must be between 0 and 1, got {test_size!r}")
    rng = check_random_state(check_seed(random_state))
    X = canonical(sp.csr_matrix(check_array(X, accept_sparse="csr", input_name="X"))).tocoo()
    test = rng.uniform(size=X.nnz) < test_size
    train = sp.csr_matrix((X.data[~test], (X.row[~test], X.col[~test])), shape=X.shape)
    return train, rng.permutation(np.column_stack([X.row, X.col])[test])


def by_name(given: Any, kind: type, parameter: str, baseline: str | None = None) -> dict[str, Any]:
    """Return one estimator, or several by name, as a dict."""
    named = dict(given) if isinstance(given, Mapping) else {kind.__name__: given}
    wrong = [type(value).__name__ for value in named.values() if not isinstance(value, kind)]
    if wrong or not named:
        raise ValueError(
            f"{parameter} must be a {kind.__name__}, or a dict of name to {kind.__name__}, got "
            f"{wrong[0] if wrong else 'an empty dict'}"
        )
    if baseline is not None and baseline not in named:
        raise ValueError(
            f"baseline must be a name in {parameter}, one of {', '.join(map(repr, named))}, got "
            f"{baseline!r}"
        )
    return named


def tag_model_of(explainer: Any) -> TagModel:
    """Return what an explainer learned."""
    if not isinstance(explainer, TPECRExplainer):
        raise ValueError(f"explainer must be a TPECRExplainer, got {type(explainer).__name__}")
    return explainer.tag_model_


def tag_models_of(explainers: Any, baseline: str | None = None) -> dict[str, TagModel]:
    """Return what one explainer learned, or several by name, of the same users, items and tags."""
    named = by_name(explainers, TPECRExplainer, "explainers", baseline)
    tag_models = {name: explainer.tag_model_ for name, explainer in named.items()}
    check_comparable(tag_models)
    return tag_models


def check_comparable(tag_models: Mapping[str, TagModel]) -> None:
    """Make sure that users, items and tags are the same ones for all methods."""
    labels = {
        name: {
            "users": tag_model.catalogue.user_ids.tolist(),
            "items": tag_model.catalogue.item_ids.tolist(),
            "tags": tag_model.tags.array().tolist(),
        }
        for name, tag_model in tag_models.items()
    }
    first, *others = labels
    for other in others:
        for what in labels[first]:
            if labels[first][what] != labels[other][what]:
                raise ValueError(
                    f"{first!r} and {other!r} must know the same {what} in the same order, to be "
                    f"compared case by case; fit both on the same interactions and item_tags"
                )


def as_pairs(pairs: Iterable[tuple[Hashable, Hashable]]) -> Iterator[tuple[Hashable, Hashable]]:
    """Yield user and item of each pair, or say that it is none."""
    if not hasattr(pairs, "__iter__") or sp.issparse(pairs):
        raise ValueError(f"pairs must be a list of (user id, item id), got {type(pairs).__name__}")
    for pair in pairs:
        if isinstance(pair, str | bytes) or not hasattr(pair, "__len__") or len(pair) != 2:
            raise ValueError(f"pairs must hold (user id, item id) each time, got {pair!r}")
        yield pair[0], pair[1]


def measured_rows(
    tag_models: Iterable[TagModel], users: Iterable[Hashable] | None, allow_train_users: bool
) -> NDArray:
    """Return the rows of the users to measure on, or say that they were learned from."""
    allow_train_users = check_flag(allow_train_users, "allow_train_users")
    tag_models = list(tag_models)
    catalogue = tag_models[0].catalogue
    learners = np.any([tag_model.learners for tag_model in tag_models], axis=0)
    way_out = (
        "fit the explainer with train_users= and measure on others, or pass "
        "allow_train_users=True and say so beside the result"
    )
    if users is None:
        active = catalogue.active_users()
        rows = np.flatnonzero(active if allow_train_users else active & ~learners)
        if not len(rows):
            raise ValueError(f"the explainer learned from every user; {way_out}")
        return rows
    rows = np.unique(catalogue.users.rows(check_list(users, "users", "user ids")))
    if not len(rows):
        raise ValueError("users must name at least one user, got none")
    learned = rows[learners[rows]]
    if len(learned) and not allow_train_users:
        user = catalogue.users[learned[0]]
        raise ValueError(
            f"the explainer learned from {len(learned)} of the {len(rows)} users, such as "
            f"{user!r}; {way_out}"
        )
    return rows


def check_unseen(tag_model: TagModel, pairs: Iterable[tuple[int, int]]) -> None:
    """Make sure that the explainer was not fitted on what is looked for: rows and columns."""
    catalogue = tag_model.catalogue
    for row, column in pairs:
        if column in catalogue.history(row):
            raise ValueError(
                f"pairs must be interactions that the explainer was not fitted on, and user "
                f"{catalogue.users[row]!r} has item {catalogue.items[column]!r} in it; see "
                f"split_interactions"
            )


def check_numbers(values: Any, parameter: str) -> list[float]:
    """Return a list of different numbers as floats, or say what it is instead."""
    numbers = [float(value) for value in check_list(values, parameter, "numbers")]
    if not numbers or not np.isfinite(numbers).all() or len(set(numbers)) < len(numbers):
        raise ValueError(
            f"{parameter} must hold at least one number, all finite and different, got {numbers}"
        )
    return numbers


def list_lengths(k: Any, n_items: int) -> dict[str, int]:
    """Return what to call lists of these lengths, and how many items they have."""
    lengths: dict[str, int] = {}
    is_one = isinstance(k, str) or not hasattr(k, "__iter__") or (hasattr(k, "ndim") and not k.ndim)
    given = [k] if is_one else list(k)
    if not given:
        raise ValueError("k must hold at least one length of a list, got none")
    for each in given:
        is_number = isinstance(each, int | float | np.number) and not isinstance(each, bool)
        if not is_number or not 0 < each < np.inf or (each >= 1 and each != int(each)):
            raise ValueError(
                f"k must be a number of items, or a share of them between 0 and 1, got {each!r}"
            )
        name = f"@{100 * each:g}%" if each < 1 else f"@{int(each)}"
        lengths[name] = max(1, round(each * n_items)) if each < 1 else int(each)
    return lengths
