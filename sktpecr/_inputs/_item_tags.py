"""Item tags as users bring them, checked and turned into one sparse matrix."""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from sktpecr._inputs._ids import Ids
from sktpecr._inputs._readable import check_readable
from sktpecr._inputs._tables import frame_values, is_frame, widened

# Whole numbers between these on most items are years.
_YEARS = 1000, 2999
_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}\b|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}\b")


def check_item_tags(
    item_tags: Any,
    tag_names: Iterable[Any] | None,
    n_items: int,
    feature_names: NDArray | None,
) -> tuple[sp.csc_matrix, NDArray]:
    """Return the item-tag weights and the tag names, or say what is wrong."""
    # `item_tags` (n_items, n_tags); `tag_names` (n_tags,); `feature_names` (n_items,).
    if item_tags is None:
        weights = sp.identity(n_items, format="csc")
        if tag_names is None:
            tag_names = feature_names
    else:
        if tag_names is None and hasattr(item_tags, "columns"):
            tag_names = list(item_tags.columns)
        weights = _as_sparse(item_tags)
    n_rows, n_tags = weights.shape
    if n_rows != n_items:
        raise ValueError(
            f"item_tags must have one row per item: interactions have {n_items} columns, "
            f"item_tags has {n_rows} rows; bring them in line with item_tags.reindex(item_ids)"
        )
    if n_tags == 0:
        raise ValueError("item_tags has no tags (no columns); there is nothing to explain by")
    if tag_names is None:
        tag_names = [f"tag_{t}" for t in range(n_tags)]
    names = Ids("tag", tag_names, n_tags, "tag_names").array().astype(object)
    check_readable("tag", names.tolist())
    _check_weights(weights, names)
    if is_frame(item_tags):
        _check_columns_are_tags(weights, names)
    names.flags.writeable = False  # it is handed out with every explanation
    return weights, names


def _as_sparse(item_tags: Any) -> sp.csc_matrix:
    given = item_tags
    if is_frame(item_tags):
        _check_types(item_tags)
        # Values that are not stored have to be zeros.
        sparse = len(item_tags.dtypes) > 0 and all(
            isinstance(dtype, pd.SparseDtype) and dtype.fill_value == 0
            for dtype in item_tags.dtypes
        )
        item_tags = item_tags.sparse.to_coo() if sparse else frame_values(item_tags)
    if not sp.issparse(item_tags):
        item_tags = np.asarray(item_tags)
        if item_tags.ndim != 2:
            raise ValueError(
                f"item_tags must be 2-d, items by tags; got {item_tags.ndim} dimensions"
            )
    if np.iscomplexobj(item_tags):
        raise ValueError("item_tags must be real, got complex numbers")
    try:
        if item_tags.dtype.kind in "mM":
            raise ValueError
        # A copy: what follows works in place, and the matrix may be the user's own.
        weights = sp.csc_matrix(widened(item_tags), dtype=np.float64, copy=True)
    except (TypeError, ValueError) as error:
        if is_frame(given):
            _name_what_is_no_number(given)
        raise ValueError(
            f"item_tags must hold numbers, got dtype {item_tags.dtype}; turn a column of names "
            f"into one column per tag, for example with pandas.get_dummies"
        ) from error
    weights.sum_duplicates()
    weights.eliminate_zeros()
    return weights


def _check_types(frame: Any) -> None:
    """Refuse columns of dates and durations by name; they would be taken for large numbers."""
    for name, dtype in zip(frame.columns, frame.dtypes, strict=True):
        if getattr(dtype, "kind", "") in "mM":
            raise ValueError(f"item_tags: column {name!r} holds dates, {_no_tag(name)}")


def _name_what_is_no_number(frame: Any) -> None:
    """Say which column holds dates, lists or text, and the way out."""
    for name in frame.columns:
        column = frame[name]
        for value in column[column.notna()] if column.dtype.kind not in "biuf" else ():
            text = value if isinstance(value, str) else ""
            if isinstance(value, date | pd.Period) or _DATE.match(text):
                raise ValueError(f"item_tags: column {name!r} holds dates, {_no_tag(name)}")
            if isinstance(value, list | tuple | Set):
                raise ValueError(
                    f"item_tags: column {name!r} holds lists, such as {value!r:.60}; make a column "
                    f"of each tag: sktpecr.datasets.tags_from_features, which explodes them"
                )
            try:
                float(value)
            except (TypeError, ValueError):
                split = f", or split it: item_tags[{name!r}].str.get_dummies('|')"
                raise ValueError(
                    f"item_tags must hold numbers: column {name!r} holds text, such as "
                    f"{value!r:.60}, {_no_tag(name)} or pandas.get_dummies"
                    f"{split if '|' in text else ''}"
                ) from None


def _check_columns_are_tags(weights: sp.csc_matrix, names: NDArray) -> None:
    """Refuse columns of ids, years, prices and other numbers by name."""
    n_items, counts = weights.shape[0], np.diff(weights.indptr)
    if not weights.nnz:
        return
    largest = weights.max(axis=0).toarray().ravel()
    among_flags = (largest == 1).mean() > 0.5  # the others are 0 or 1, or shares
    for column in np.flatnonzero((largest > 1) & (2 * counts > n_items)):
        values = weights.data[weights.indptr[column] : weights.indptr[column + 1]]
        whole = (values == np.rint(values)).all()
        what = None
        if (
            whole
            and counts[column] >= max(3, n_items - 1)
            and len(np.unique(values)) == len(values)
        ):
            what = "a number of its own for every item, as ids are"
        elif whole and values.min() >= _YEARS[0] and values.max() <= _YEARS[1]:
            what = "years"
        elif among_flags and np.median(values) > 1:
            what = f"numbers up to {values.max():g} on {counts[column]} of {n_items} items"
        if what is not None:
            name = names[column]
            raise ValueError(f"item_tags: column {name!r} holds {what}, {_no_tag(name)}")


def _no_tag(name: Any) -> str:
    return (
        f"which is no tag: leave it out (item_tags.drop(columns={name!r}), or set_index where it "
        f"is the id), or make tags of it with sktpecr.datasets.tags_from_features"
    )


def _check_weights(weights: sp.csc_matrix, names: NDArray) -> None:
    column = np.repeat(np.arange(weights.shape[1]), np.diff(weights.indptr))
    for wrong, what, way_out in (
        (~np.isfinite(weights.data), "NaN or infinite weights", "item_tags.fillna(0)"),
        (weights.data < 0, "negative weights", "item_tags.clip(lower=0)"),
    ):
        if wrong.any():
            raise ValueError(
                f"item_tags has {int(wrong.sum())} {what}, the first on tag "
                f"{names[column[wrong][0]]!r}; try {way_out}"
            )
    empty = names[np.diff(weights.indptr) == 0]
    if len(empty):
        raise ValueError(
            f"item_tags: {len(empty)} of {len(names)} tags have no items "
            f"({', '.join(map(repr, empty[:5]))}{', ...' if len(empty) > 5 else ''}), so nobody's "
            f"preference for them can be told; drop them with "
            f"item_tags.loc[:, (item_tags != 0).any()]"
        )
