"""Interactions, the tags of their items, and all ids and names that belong to them."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, validate_params

from sktpecr._inputs._numbers import check_choice
from sktpecr._inputs._tables import in_pandas
from sktpecr.datasets._long_tables import (
    Coded,
    check_common,
    check_frame,
    check_names,
    encode,
    label_array,
    matrix_of,
    merge,
    take_numbers,
    take_weights,
)
from sktpecr.datasets._tag_frames import is_sparse, to_frame, to_matrix


@dataclass(frozen=True, eq=False, repr=False)
class TaggedInteractions:
    """Hold interactions with the tags of the items, and all ids and names.

    The fields are what the estimators of this library take: ``fit(data.interactions,
    user_ids=data.user_ids, item_names=data.item_names)`` and ``item_tags=data.item_tags``. The
    object is frozen, the arrays in it are not: they belong to whoever asked for them.

    Parameters
    ----------
    interactions : csr_matrix or csr_array of shape (n_users, n_items), dtype float32
        Values of the interactions, such as ratings or counts, in canonical form: sorted, and no
        entry twice.
    item_tags : DataFrame of shape (n_items, n_tags)
        Weights of tags on items, 0 where an item does not have the tag; the index holds the item
        ids in the order of the columns of `interactions`, the columns are named by the tags.
    user_ids : ndarray of shape (n_users,)
        Raw ids of the users.
    item_ids : ndarray of shape (n_items,)
        Raw ids of the items.
    item_names : ndarray of shape (n_items,), default=None
        What to call the items; need not be unique. By default the ids as strings.

    Raises
    ------
    ValueError
        If the shapes do not fit each other, the index of `item_tags` is not `item_ids`, or
        `interactions` is not in canonical form.

    Examples
    --------
    >>> import pandas as pd
    >>> from sktpecr.datasets import TaggedInteractions
    >>> watched = pd.DataFrame({"user": ["ann", "ann", "bob"], "item": [7, 5, 7]})
    >>> genres = pd.DataFrame({"item": [5, 7, 7], "tag": ["Drama", "Comedy", "Crime"]})
    >>> data = TaggedInteractions.from_frames(watched, genres, item_names={7: "Fargo"})
    >>> data
    TaggedInteractions(2 users, 2 items, 3 tags; 3 interactions, density 75%)
    >>> data.interactions.toarray()
    array([[1., 1.],
           [0., 1.]], dtype=float32)
    >>> data.item_names
    array(['5', 'Fargo'], dtype=object)
    >>> data.item_tags
       Comedy  Crime  Drama
    5       0      0      1
    7       1      1      0
    """

    interactions: sp.csr_matrix | sp.csr_array
    item_tags: pd.DataFrame
    user_ids: NDArray
    item_ids: NDArray
    item_names: NDArray | None = None

    def __post_init__(self) -> None:
        """Fill in names, and refuse parts that do not belong together."""
        for parameter in ("user_ids", "item_ids"):
            if not isinstance(getattr(self, parameter), np.ndarray):
                raise ValueError(
                    f"{parameter} must be an array, got {type(getattr(self, parameter)).__name__}"
                )
        if not isinstance(self.item_tags, pd.DataFrame):
            raise ValueError(f"item_tags must be a DataFrame, got {type(self.item_tags).__name__}")
        names = self.item_names
        if names is not None and (sp.issparse(names) or not hasattr(names, "__len__")):
            raise ValueError(f"item_names must be an array, got {type(names).__name__}")
        if names is None:
            names = label_array([str(item) for item in self.item_ids.tolist()])
            object.__setattr__(self, "item_names", names)
        if not (sp.issparse(self.interactions) and self.interactions.format == "csr"):
            raise ValueError(
                f"interactions must be a CSR matrix, got {type(self.interactions).__name__}; "
                f"convert it with scipy.sparse.csr_matrix(interactions)"
            )
        if not self.interactions.has_canonical_format:
            raise ValueError(
                "interactions must be in canonical form, got unsorted or repeated entries; call "
                "interactions.sum_duplicates()"
            )
        n_users, n_items = self.interactions.shape
        for parameter, part, expected, axis in (
            ("user_ids", self.user_ids, n_users, "row"),
            ("item_ids", self.item_ids, n_items, "column"),
            ("item_names", names, n_items, "column"),
            ("item_tags", self.item_tags, n_items, "column"),
        ):
            if len(part) != expected:
                raise ValueError(
                    f"{parameter} must have one entry per {axis} of interactions: expected "
                    f"{expected}, got {len(part)}"
                )
        if list(self.item_tags.index) != self.item_ids.tolist():
            raise ValueError(
                "the index of item_tags must be item_ids in the same order; bring it in line with "
                "item_tags.reindex(item_ids)"
            )

    def __repr__(self) -> str:
        """Tell the counts."""
        users, items, tags, n = self.counts().values()
        return (
            f"{type(self).__name__}({users} users, {items} items, {tags} tags; {n} interactions, "
            f"density {100 * n / max(1, users * items):.3g}%)"
        )

    def counts(self) -> dict[str, int]:
        """Count users, items, tags and interactions, as papers report their data.

        Returns
        -------
        dict of str to int
            With the keys "users", "items", "tags" and "interactions".

        Examples
        --------
        >>> from sktpecr.datasets import load_movielens
        >>> load_movielens().counts()
        {'users': 671, 'items': 9066, 'tags': 19, 'interactions': 100004}
        """
        n_users, n_items = self.interactions.shape
        n_tags, n = self.item_tags.shape[1], self.interactions.nnz
        return {"users": n_users, "items": n_items, "tags": n_tags, "interactions": n}

    @validate_params(
        {
            "min_item_interactions": [Interval(Integral, 0, None, closed="left")],
            "min_user_interactions": [Interval(Integral, 0, None, closed="left")],
        },
        prefer_skip_nested_validation=True,
    )
    def drop_rare(
        self, *, min_item_interactions: int = 5, min_user_interactions: int = 10
    ) -> TaggedInteractions:
        """Leave out items, then users, with few interactions.

        First go the items with few interactions, then the users with few of what is left, and
        last the items and tags that are left with nothing at all. That is one pass: where users
        went, an item may again have fewer interactions than was asked. Call it until the counts
        stay the same where every item and every user has to have enough.

        Parameters
        ----------
        min_item_interactions : int, default=5
            Items with fewer interactions are left out. With 0 every item stays, also one that
            nobody interacted with. The default is the paper's.
        min_user_interactions : int, default=10
            Users with fewer interactions with the items that are left are left out. The default
            is the paper's.

        Returns
        -------
        TaggedInteractions
            What is left, in the same order, in new objects.

        Raises
        ------
        ValueError
            If no interaction is left, or a parameter is out of range.

        Examples
        --------
        >>> from sktpecr.datasets import load_movielens
        >>> load_movielens().drop_rare()
        TaggedInteractions(671 users, 3496 items, 19 tags; 90072 interactions, density 3.84%)
        """
        matrix = self.interactions
        items = np.flatnonzero(_per_item(matrix) >= min_item_interactions)
        matrix = matrix[:, items]
        users = np.flatnonzero(np.diff(matrix.indptr) >= min_user_interactions)
        matrix = matrix[users]
        left = np.flatnonzero(_per_item(matrix) >= min(1, min_item_interactions))
        matrix, items = matrix[:, left], items[left]
        if not matrix.nnz:
            n_users, n_items = self.interactions.shape
            raise ValueError(
                f"min_item_interactions={min_item_interactions} and "
                f"min_user_interactions={min_user_interactions} must leave interactions, got none "
                f"left of {self.interactions.nnz} between {n_users} users and {n_items} items; "
                f"lower them"
            )
        item_tags = self.item_tags
        weights = to_matrix(item_tags)[items]
        tags = np.flatnonzero(np.diff((weights != 0).tocsc().indptr))
        if is_sparse(item_tags):  # by their matrix: column for column would take minutes
            index, columns = item_tags.index[items], item_tags.columns[tags]
            item_tags = to_frame(weights[:, tags], index, columns, sparse=True)
        else:
            item_tags = item_tags.iloc[items, tags]
        names = self.item_names
        return type(self)(
            interactions=matrix,
            item_tags=item_tags,
            user_ids=self.user_ids[users],
            item_ids=self.item_ids[items],
            item_names=None if names is None else names[items],
        )

    @classmethod
    def from_frames(
        cls,
        interactions: pd.DataFrame,
        item_tags: pd.DataFrame,
        *,
        user: Hashable = "user",
        item: Hashable = "item",
        value: Hashable | None = None,
        tag: Hashable = "tag",
        weight: Hashable | None = None,
        item_names: Mapping[Any, str] | pd.Series | None = None,
        repeated: Literal["last", "sum"] | None = None,
    ) -> TaggedInteractions:
        """Build the matrices from long tables with any kind of ids.

        Ids may be anything hashable. Users, items and tags come out sorted; a kind whose ids
        cannot be compared with each other, such as numbers mixed with strings, keeps the order of
        first appearance: in `interactions`, then `item_tags`, then `item_names`. Ids that look the
        same to a reader are refused: 1 and "1", two ways to write "é", a space at the end; and
        tags that differ in case only, which :func:`sktpecr.datasets.clean_tags` merges.

        Parameters
        ----------
        interactions : DataFrame of pandas or polars
            One row per interaction of a user with an item. A value of 0 says that there is none:
            user and item are kept, the entry is not stored.
        item_tags : DataFrame of pandas or polars
            One row per tag of an item. A weight of 0 says that the item does not have the tag; a
            tag that is left without items is dropped.
        user : hashable, default="user"
            Name of the column of `interactions` with the user ids.
        item : hashable, default="item"
            Name of the column with the item ids, in both tables.
        value : hashable, default=None
            Name of the column of `interactions` with the values, of any sign. Every interaction
            is worth 1.0 by default.
        tag : hashable, default="tag"
            Name of the column of `item_tags` with the tags.
        weight : hashable, default=None
            Name of the column of `item_tags` with weights of at least 0. By default, an item has
            a tag or has not, and the result is 0 or 1 of type int8; with weights it is float32.
        item_names : mapping or Series, default=None
            Names by item id. An item without a name is called by its id, as a string.
        repeated : {"last", "sum"}, default=None
            What counts where a (user, item) pair comes more than once: the value of its last row,
            or the sum of all, such as the number of plays where `value` is left out. The same for
            the weights of (item, tag) pairs. By default the last row, and a warning says how many
            others were left out.

        Returns
        -------
        TaggedInteractions
            Its users are those of `interactions`. Its items are all that occur anywhere: in
            `interactions`, `item_tags` or `item_names`. So an item may have no interactions (a
            column of zeros) or no tags (a row of zeros). With more than 33 million pairs of an
            item and a tag, the columns of its `item_tags` are sparse (``pandas.SparseDtype``).

        Raises
        ------
        TypeError
            If a table is not a DataFrame, or the names are no mapping.
        ValueError
            If a table is empty, lacks a column, has missing ids, or numbers that are not finite;
            if a weight is negative; if no tags are left; if the tables have no item in common; if
            two ids look the same, or a tag is several ("Action|Crime").

        Warns
        -----
        UserWarning
            If an interaction or a weight comes more than once and `repeated` does not say what
            counts.

        Examples
        --------
        >>> import pandas as pd
        >>> from sktpecr.datasets import TaggedInteractions
        >>> rated = pd.DataFrame({"who": ["ann", "bob"], "film": [7, 5], "stars": [4.5, 2.0]})
        >>> genres = pd.DataFrame({"film": [5, 7], "genre": ["Drama", "Comedy"]})
        >>> data = TaggedInteractions.from_frames(
        ...     rated, genres, user="who", item="film", value="stars", tag="genre"
        ... )
        >>> data.interactions.toarray()
        array([[0. , 4.5],
               [2. , 0. ]], dtype=float32)
        >>> TaggedInteractions.from_frames(rated, genres, user="who", item="film")
        Traceback (most recent call last):
            ...
        ValueError: item_tags has no column 'tag' (parameter tag), only 'film', 'genre'; name the
        right one with tag=...
        """
        check_choice(repeated, "repeated", "last", "sum", None)
        interactions, item_tags = in_pandas(interactions), in_pandas(item_tags)
        check_frame(interactions, "interactions", "(user, item) pair")
        check_frame(item_tags, "item_tags", "(item, tag) pair")
        users, (rows,) = merge("user", encode(interactions, user, "interactions", "user"))
        seen = encode(interactions, item, "interactions", "item")
        tagged = encode(item_tags, item, "item_tags", "item")
        tags, (tag_columns,) = merge("tag", encode(item_tags, tag, "item_tags", "tag"))
        if "|" in "".join(map(str, tags)):
            joined = next(text for text in map(str, tags) if "|" in text)
            raise ValueError(
                f"item_tags[{tag!r}] (parameter tag) must hold one tag a row, got {joined!r}; "
                f"split them: item_tags.assign(**{{{tag!r}: item_tags[{tag!r}].str.split('|')}})"
                f".explode({tag!r})"
            )
        check_common(seen, tagged, "item_tags", "interactions")
        names = check_names(item_names)
        named: Coded = np.arange(len(names)), list(names)
        if names:
            check_common((seen[0], seen[1] + tagged[1]), named, "item_names", "the tables")
        items, (columns, tag_rows, _) = merge("item", seen, tagged, named)

        values = np.ones(len(rows), dtype=np.float32)
        if value is not None:
            values = take_numbers(interactions, value, "interactions", "value")
        add, shape = repeated == "sum", (len(users), len(items))
        matrix, n_repeated = matrix_of(rows, columns, values, shape, add)
        if not matrix.nnz:
            raise ValueError(
                f"interactions[{value!r}] (parameter value) must not be 0 everywhere: 0 says that "
                f"there is no interaction; leave value out to count every row as 1.0"
            )

        weights = np.ones(len(tag_rows), dtype=np.int8)
        if weight is not None:
            weights = take_weights(item_tags, weight, "item_tags")
        add, shape = add and weight is not None, (len(items), len(tags))
        table, n_tags_repeated = matrix_of(tag_rows, tag_columns, weights, shape, add)
        used = np.flatnonzero(np.diff(table.tocsc().indptr))
        if not len(used):
            raise ValueError(
                f"item_tags[{weight!r}] (parameter weight) must leave tags, got only weights of 0; "
                f"leave weight out to count every row as 1"
            )
        again = {"interactions": n_repeated, "item_tags": 0 if weight is None else n_tags_repeated}
        if repeated is None and any(again.values()):
            warnings.warn(
                f"{' and '.join(f'{n} rows of {table}' for table, n in again.items() if n)} have a "
                f"pair that comes again further down: the last row of each pair counts; say so "
                f"with repeated='last', or add them up with repeated='sum'",
                stacklevel=2,
            )
        called = dict(zip(items, map(str, items), strict=True))
        called.update((label, name) for label, name in names.items() if name)
        return cls(
            interactions=matrix,
            item_tags=to_frame(table[:, used], items, map(tags.__getitem__, used)),
            user_ids=label_array(users),
            item_ids=label_array(items),
            item_names=label_array(map(called.__getitem__, items)),
        )


def _per_item(matrix: sp.csr_matrix | sp.csr_array) -> NDArray:
    return np.bincount(matrix.indices, minlength=matrix.shape[1])
