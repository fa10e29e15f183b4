"""Tags of items that have two tags."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from sktpecr._inputs._ids import Ids, check_list, listing
from sktpecr._inputs._item_tags import check_item_tags, is_frame
from sktpecr._inputs._numbers import check_n
from sktpecr._inputs._tables import in_pandas


def pair_tags(
    item_tags: pd.DataFrame,
    pairs: Iterable[tuple[Hashable, Hashable]] | None = None,
    *,
    min_items: int = 20,
    max_pairs: int | None = None,
    separator: str = " & ",
) -> pd.DataFrame:
    """Add tags for the items that have two tags, such as "Comedy & Drama".

    An explainer that is given them tells a taste for what is both from a taste for either, and
    feedback can name it.

    Parameters
    ----------
    item_tags : DataFrame of shape (n_items, n_tags)
        Tags of the items, 0/1 or weights >= 0, such as ``item_tags`` of
        :class:`TaggedInteractions`.
    pairs : iterable of (tag, tag), optional
        Names of the tags to pair. By default the `max_pairs` with most items, of those that have
        at least `min_items` and less than each of their tags: where all items of a tag have the
        other, the pair is that tag once more.
    min_items : int, default=20
        Least number of items with both tags, where `pairs` are not given.
    max_pairs : int, optional
        Most pairs, where they are not given. As many as there are tags by default.
    separator : str, default=" & "
        What stands between the names of the two tags in the name of the pair.

    Returns
    -------
    DataFrame of shape (n_items, n_tags + n_pairs)
        The tags as they were, and the pairs behind them, in the order of `pairs` or of the tags.
        An item has a pair by the smaller one of its two weights.

    Raises
    ------
    ValueError
        If `item_tags` is no table of tags, a tag is unknown, a pair is not two tags, has no items
        or is there already, or `min_items` or `max_pairs` is no whole number of at least 1.

    Notes
    -----
    Named in the paper [1]_ as future work. Tag preferences of a pair overlap with those of its
    tags; :meth:`~sktpecr.TagPreferenceExtractor.steerability` says what of it can be steered alone.

    References
    ----------
    .. [1] Xu et al., "A Tag-Based Post-Hoc Framework for Explainable Conversational
       Recommendation", ICTIR 2022.

    Examples
    --------
    >>> from sktpecr.datasets import load_movielens, pair_tags
    >>> tags = load_movielens().item_tags
    >>> pair_tags(tags, [("Comedy", "Drama")]).columns[-2:].tolist()
    ['Western', 'Comedy & Drama']
    >>> pair_tags(tags, max_pairs=3).columns[-3:].tolist()
    ['Comedy & Drama', 'Comedy & Romance', 'Drama & Romance']
    """
    item_tags = in_pandas(item_tags, ids="item")
    if not is_frame(item_tags):
        raise ValueError(
            f"item_tags must be a DataFrame, whose columns name the tags, got "
            f"{type(item_tags).__name__}; pass pandas.DataFrame(item_tags, item_ids, tag_names)"
        )
    weights, names = check_item_tags(item_tags, None, len(item_tags), None)
    if pairs is None:
        n_pairs = len(names) if max_pairs is None else check_n(max_pairs, "max_pairs")
        columns = _most_common(weights, check_n(min_items, "min_items"), n_pairs)
    else:
        columns = _named(Ids("tag", names, len(names), "item_tags"), pairs)
    new_names = [f"{names[a]}{separator}{names[b]}" for a, b in columns]
    clash = [name for name in new_names if name in set(names) or new_names.count(name) > 1]
    if clash:
        raise ValueError(
            f"a pair must have a name of its own, got {clash[0]!r} for two tags; name each pair "
            f"once, and not one that is in item_tags already, or use another separator"
        )
    both = pd.DataFrame(
        {
            name: np.minimum(item_tags.iloc[:, a], item_tags.iloc[:, b])
            for name, (a, b) in zip(new_names, columns, strict=True)
        },
        index=item_tags.index,
    )
    without = [name for name in new_names if not both[name].any()]
    if without:
        raise ValueError(f"no item has both tags of {listing(without)}; leave such pairs out")
    return pd.concat([item_tags, both], axis=1)


def _named(tags: Ids, pairs: Any) -> NDArray:
    """Return the columns of named pairs, shape (n_pairs, 2)."""
    columns = []
    for pair in check_list(pairs, "pairs", "pairs of tag names"):
        two = [] if isinstance(pair, str | bytes) or not hasattr(pair, "__iter__") else list(pair)
        if len(two) != 2:
            raise ValueError(f"pairs must hold two tag names each, got {pair!r}")
        columns.append([tags.row(tag) for tag in two])
        if columns[-1][0] == columns[-1][1]:
            raise ValueError(f"pairs must hold two different tags each, got {two[0]!r} twice")
    return np.array(columns, dtype=np.intp).reshape(-1, 2)


def _most_common(weights: sp.csc_matrix, min_items: int, n_pairs: int) -> NDArray:
    """Return the columns of the pairs with most items, in order, shape (n_pairs, 2)."""
    has = (weights > 0).astype(np.int64)
    shared = sp.triu(has.T @ has, k=1).tocoo()
    n_items = np.diff(has.indptr)
    of_its_own = shared.data < np.minimum(n_items[shared.row], n_items[shared.col])
    usable = np.flatnonzero(of_its_own & (shared.data >= min_items))
    usable = usable[np.lexsort((shared.col[usable], shared.row[usable]))]
    largest = np.argsort(-shared.data[usable], kind="stable")[:n_pairs]
    chosen = usable[np.sort(largest)]
    return np.column_stack([shared.row[chosen], shared.col[chosen]])
