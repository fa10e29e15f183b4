"""Tags out of the columns that describe items."""

from __future__ import annotations

import warnings
from itertools import pairwise
from numbers import Integral
from typing import Any, Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.preprocessing import KBinsDiscretizer, MultiLabelBinarizer, OneHotEncoder
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from sktpecr._inputs._readable import readable
from sktpecr._inputs._tables import in_pandas
from sktpecr.datasets._long_tables import check_frame
from sktpecr.datasets._tag_frames import to_frame


@validate_params(
    {
        "n_bins": [Interval(Integral, 2, None, closed="left")],
        "dates": [StrOptions({"decade", "year"})],
    },
    prefer_skip_nested_validation=True,
)
def tags_from_features(
    features: pd.DataFrame, *, n_bins: int = 4, dates: Literal["decade", "year"] = "decade"
) -> pd.DataFrame:
    """Make tags out of the columns that describe items: genres, prices, dates, lists of names.

    What becomes of a column is told by its type; change that first to have another:

    * yes or no (bool): one tag, named as the column;
    * numbers: `n_bins` ranges with as many items each, such as "price: 10 to 20", or a tag per
      number if there are no more than that; numbers that are names, such as codes, become
      categories with ``astype(str)``;
    * dates: a tag per decade or year, such as "released: 1990s";
    * lists, tuples or sets: a tag per name in them, such as "genre: Drama"; text such as
      "Drama|Crime" becomes a list with ``.str.split("|")``;
    * everything else: categories, a tag per text.

    Parameters
    ----------
    features : DataFrame of pandas or polars, of shape (n_items, n_features)
        A row per item, whose id is in the index (with polars, in a column "item"). An item has no
        tag of a column where its value is missing.
    n_bins : int, default=4
        Most ranges to make of a column of numbers.
    dates : {"decade", "year"}, default="decade"
        How dates are put together.

    Returns
    -------
    DataFrame of shape (n_items, n_tags)
        0 or 1, with sparse columns, for ``item_tags`` of :class:`~sktpecr.TPECRExplainer`. Every
        tag has an item.

    Raises
    ------
    TypeError
        If `features` is not a DataFrame.
    ValueError
        If a column has no values, or holds categories of which no two items share one, such as
        titles or ids; or if two tags would have the same name.

    See Also
    --------
    clean_tags : Merge tags and leave out those on few items.
    tags_from_text : Tags out of descriptions.

    Examples
    --------
    >>> import pandas as pd
    >>> from sktpecr.datasets import tags_from_features
    >>> films = pd.DataFrame(
    ...     {
    ...         "genre": [["Crime", "Drama"], ["Comedy"], ["Drama"]],
    ...         "released": pd.to_datetime(["1995-12-15", "1999-03-05", "2004-01-01"]),
    ...         "minutes": [170, 95, 127],
    ...     },
    ...     index=[6, 7, 9],
    ... )
    >>> tags = tags_from_features(films, n_bins=2)
    >>> tags.columns[:5].tolist()
    ['genre: Comedy', 'genre: Crime', 'genre: Drama', 'released: 1990s', 'released: 2000s']
    >>> tags.columns[5:].tolist()
    ['minutes: under 127', 'minutes: 127 and over']
    >>> tags.loc[6][tags.loc[6] == 1].index.tolist()
    ['genre: Crime', 'genre: Drama', 'released: 1990s', 'minutes: 127 and over']
    """
    frame = in_pandas(features, ids="item")
    check_frame(frame, "features", "item")
    blocks, names = [], []
    for place, column in enumerate(frame.columns):
        values = frame.iloc[:, place]
        present = np.flatnonzero(values.notna())
        if not len(present):
            raise ValueError(f"features[{column!r}] has no values; leave the column out")
        block, labels = _tags_of(values.iloc[present].infer_objects(), column, n_bins, dates)
        all_rows = sp.csr_matrix(
            (np.ones(len(present), dtype=np.int8), (present, np.arange(len(present)))),
            shape=(len(frame), len(present)),
        )
        blocks.append(all_rows @ block)
        names += labels
    twice = pd.Index(names)[pd.Index(names).duplicated()]
    if len(twice):
        raise ValueError(f"two tags would be called {twice[0]!r}; rename a column of features")
    weights = sp.hstack(blocks, format="csc", dtype=np.int8)
    used = np.flatnonzero(np.diff(weights.indptr))
    return to_frame(weights[:, used], frame.index, [names[tag] for tag in used], sparse=True)


def _tags_of(
    values: pd.Series, column: Any, n_bins: int, dates: str
) -> tuple[sp.csr_matrix, list[str]]:
    """Return which of the values has which tag, and what the tags are called."""
    kinds = pd.api.types
    if kinds.is_bool_dtype(values.dtype):
        return sp.csr_matrix(values.to_numpy(dtype=np.int8)[:, np.newaxis]), [str(column)]
    are_lists = [isinstance(cell, list | tuple | set | frozenset | np.ndarray) for cell in values]
    if any(are_lists):
        if not all(are_lists):
            other = values.iloc[are_lists.index(False)]
            raise ValueError(
                f"features[{column!r}] must hold a list in every cell, got {other!r:.60}; make it "
                f"one, or missing"
            )
        lists = MultiLabelBinarizer(sparse_output=True)
        block = lists.fit_transform([set(readable(cell)) for cell in values])
        return block, [f"{column}: {name}" for name in lists.classes_]
    if kinds.is_numeric_dtype(values.dtype):
        numbers = values.to_numpy(dtype=np.float64)[:, np.newaxis]
        if not np.isfinite(numbers).all():
            raise ValueError(
                f"features[{column!r}] must hold finite numbers, got infinite ones; make them "
                f"missing with .replace([np.inf, -np.inf], np.nan)"
            )
        if values.nunique() > n_bins:
            return _ranges(numbers, column, n_bins)
        texts = np.array([f"{number:.15g}" for number in numbers[:, 0]], dtype=object)
    elif kinds.is_datetime64_any_dtype(values.dtype) or isinstance(values.dtype, pd.PeriodDtype):
        years = values.dt.year.to_numpy()
        texts = (years if dates == "year" else years // 10 * 10).astype(str).astype(object)
        texts = texts if dates == "year" else texts + "s"
    else:
        texts = np.array(readable(values), dtype=object)
        if len(set(texts)) == len(texts) > 1:
            raise ValueError(
                f"features[{column!r}] must have values that items share, got a different one for "
                f"each of {len(texts)}, such as {texts[0]!r}; leave out ids and names, make dates "
                f"with pandas.to_datetime, and tags of texts with tags_from_text"
            )
    categories = OneHotEncoder(dtype=np.int8)
    block = categories.fit_transform(texts[:, np.newaxis])
    return block, [f"{column}: {name}" for name in categories.categories_[0]]


def _ranges(numbers: NDArray, column: Any, n_bins: int) -> tuple[sp.csr_matrix, list[str]]:
    """Return which number is in which range, and what the ranges are called."""
    bins = KBinsDiscretizer(n_bins, strategy="quantile", quantile_method="averaged_inverted_cdf")
    with warnings.catch_warnings():  # of edges that fall together: there are fewer ranges then
        warnings.filterwarnings("ignore", message="Bins whose width are too small")
        block = bins.fit_transform(numbers)
    inner = bins.bin_edges_[0][1:-1]
    texts = [f"{edge:.15g}" for edge in inner]
    for digits in (4, 6, 9):  # as many as tell the edges apart
        short = [f"{edge:.{digits}g}" for edge in inner]
        if len(set(short)) == len(inner) and "e" not in "".join(short):
            texts = short
            break
    if not texts:
        raise ValueError(
            f"features[{column!r}] has nearly one value only, {np.median(numbers):.6g}, and no "
            f"ranges can be made of it; leave it out, or make it yes or no, such as (column > 0)"
        )
    middle = [f"{one} to {other}" for one, other in pairwise(texts)]
    names = [f"under {texts[0]}", *middle, f"{texts[-1]} and over"]
    return block, [f"{column}: {name}" for name in names]
