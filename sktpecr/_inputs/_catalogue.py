"""Who and what is known: users, items, names, and who interacted with what."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from sktpecr._inputs._ids import Ids, check_list, missing_rows, plain
from sktpecr._inputs._numbers import check_flag
from sktpecr._inputs._readable import check_readable
from sktpecr._inputs._tables import difference, is_frame


class Catalogue:
    """Users and items by raw id, item names, and the interactions between them."""

    def __init__(
        self,
        shape: tuple[int, int],
        interactions: sp.csr_matrix | None,
        user_ids: Iterable[Hashable] | None,
        item_ids: Iterable[Hashable] | None,
        item_names: Any,
    ) -> None:
        n_users, n_items = shape
        self.users = Ids("user", user_ids, n_users, "user_ids")
        self.items = Ids("item", item_ids, n_items, "item_tags (its index)")
        for ids in (self.users, self.items):
            if ids.labels is not None:
                check_readable(ids.kind, ids.labels.tolist())
        self.user_ids, self.item_ids = self.users.array(), self.items.array()
        self.item_names = _check_names(item_names, self.item_ids)
        # A copy: what the user does to theirs later must not change anybody's history.
        self.interactions = None if interactions is None else interactions.copy()

    def history(self, row: int) -> NDArray:
        """Return the columns a user interacted with, none if no interactions were given."""
        X = self.interactions
        if X is None:
            return np.empty(0, dtype=np.intp)
        return X.indices[X.indptr[row] : X.indptr[row + 1]]

    @property
    def usual_value(self) -> float:
        """Mean of the positive values of the interactions, for one of which no more is known."""
        X = self.interactions
        liked = np.empty(0) if X is None else X.data[X.data > 0]
        return float(liked.mean()) if len(liked) else 1.0

    @property
    def has_negative(self) -> bool:
        """Whether the interactions have negative values, as centred ratings do."""
        return self.interactions is not None and bool((self.interactions.data < 0).any())

    def active_users(self) -> NDArray:
        """Return which users have interactions; all of them where that cannot be told."""
        if self.interactions is None or not self.interactions.nnz:
            return np.ones(len(self.users), dtype=bool)
        return np.diff(self.interactions.indptr) > 0

    @property
    def row_number_note(self) -> str:
        """Say that users are row numbers, for whoever reads a repr; empty where they have ids."""
        if self.users.labels is not None:
            return ""
        return f", fitted on {len(self.users)} rows (no user ids given)"

    def candidates(
        self,
        history: NDArray | None,
        exclude_seen: bool,
        exclude: Iterable[Hashable] = (),
        among: NDArray | None = None,
    ) -> NDArray:
        """Return which items may be recommended to a user; all, or those `among` columns."""
        allowed = np.full(len(self.items), among is None)
        if among is not None:
            allowed[among] = True
        if check_flag(exclude_seen, "exclude_seen"):
            if history is None:
                raise ValueError(
                    "exclude_seen=True needs interactions, and the explainer was not given any; "
                    "call its fit(interactions) first, or pass exclude_seen=False"
                )
            allowed[history] = False
        allowed[self.items.rows(check_list(exclude, "exclude", "item ids"))] = False
        return allowed

    def listed(self, columns: NDArray, scores: NDArray, **more: NDArray) -> pd.DataFrame:
        """Return a list, best first, as a frame with ids, names and further columns."""
        # All columns at once: pandas takes as long for one that comes later as for these.
        return pd.DataFrame(
            {
                "item": self.item_ids[columns],
                "name": self.item_names[columns],
                "score": scores[columns],
                "rank": np.arange(1, len(columns) + 1),
                **more,
            }
        )


def check_item_ids(item_tags: Any, X: Any) -> list[Any] | None:
    """Return the raw item ids, and make sure that tags and interactions agree on them."""
    labels = list(item_tags.index) if is_frame(item_tags) else None
    columns = list(X.columns) if is_frame(X) else None
    shape: Any = getattr(X, "shape", ())
    if labels is not None and columns is None and len(shape) == 2 and shape[1] != len(labels):
        raise ValueError(
            f"item_tags must have one row per item: interactions have {shape[1]} columns, "
            f"item_tags has {len(labels)} rows; bring them in line with item_tags.reindex(item_ids)"
        )
    if labels is None or columns is None or labels == columns:
        return columns if labels is None else labels
    what, strangers = difference(columns, labels, "columns of X are not in it", "X")
    way_out = "use item_tags.reindex(X.columns)"
    if strangers:
        way_out = "give both the same kind of ids"
    raise ValueError(f"the index of item_tags contradicts the columns of X: {what}; {way_out}")


def _check_names(item_names: Any, item_ids: NDArray) -> NDArray:
    if item_names is None:
        return np.asarray(list(map(str, item_ids.tolist())), dtype=object)
    if hasattr(item_names, "columns"):
        raise ValueError("item_names must be one name per item, got a table; pass one column of it")
    if hasattr(item_names, "reindex"):
        if not item_names.index.is_unique:
            raise ValueError("item_names must have each item id in its index once, some repeat")
        item_names = item_names.reindex(list(item_ids))
    if isinstance(item_names, Mapping):
        item_names = [item_names.get(plain(each)) for each in item_ids]
    elif not isinstance(item_names, str):
        item_names = check_list(item_names, "item_names", "names, one per item", in_order=True)
        item_names = list(getattr(item_names, "to_pylist", item_names.__iter__)())
    names = np.asarray(item_names, dtype=object)
    if names.shape != item_ids.shape:
        raise ValueError(
            f"item_names must have one name per item: expected {len(item_ids)}, "
            f"got shape {names.shape}"
        )
    unnamed = missing_rows(names)
    if len(unnamed):
        raise ValueError(
            f"item_names has no name for {len(unnamed)} items, such as "
            f"{plain(item_ids[unnamed[0]])!r}; the index of a Series, or the keys of a dict, "
            f"must be the item ids"
        )
    return names
