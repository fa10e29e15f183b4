"""Tags that many people typed, made into few."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, validate_params

from sktpecr._inputs._readable import readable
from sktpecr._inputs._tables import in_pandas
from sktpecr.datasets._long_tables import check_frame, encode, label_array, take_weights
from sktpecr.datasets._tag_frames import to_frame, to_matrix


@validate_params(
    {
        "min_items": [Interval(Integral, 1, None, closed="left")],
        "min_weight": [Interval(Real, 0, None, closed="left")],
        "lower": ["boolean"],
        "aliases": [Mapping, None],
        "drop": [list, tuple, set, frozenset],
        "max_tags": [Interval(Integral, 1, None, closed="left"), None],
    },
    prefer_skip_nested_validation=True,
)
def clean_tags(
    item_tags: pd.DataFrame,
    *,
    item: Hashable = "item",
    tag: Hashable = "tag",
    weight: Hashable | None = None,
    min_items: int = 1,
    min_weight: float = 0.0,
    lower: bool = True,
    aliases: Mapping[str, str] | None = None,
    drop: Iterable[str] = (),
    max_tags: int | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Merge tags that mean the same, drop uninformative ones, and report both.

    Tags are brought to one way of writing ("é" is one letter, spaces are single and none stands at
    an end), to lower case if asked, and to the name that `aliases` give; the weights of what is
    one tag then are added up. After that, light pairs go, then the tags in `drop`, then tags on
    few items, then all but the `max_tags` with most items.

    Parameters
    ----------
    item_tags : DataFrame of pandas or polars
        A long table with a row per tag of an item, such as a folksonomy with a row for every time
        that somebody gave a tag; or, if it has no column `tag`, a wide one with a row per item and
        a column per tag, dense or sparse.
    item : hashable, default="item"
        Name of the column of a long table with the item ids.
    tag : hashable, default="tag"
        Name of the column of a long table with the tags.
    weight : hashable, default=None
        Name of the column of a long table with weights of at least 0. Every row is worth 1 by
        default, so that a weight is the number of times a tag was given to an item.
    min_items : int, default=1
        Tags on fewer items are left out.
    min_weight : float, default=0.0
        Pairs of an item and a tag with less weight in all are left out; those of weight 0 always.
    lower : bool, default=True
        Whether tags that differ in case are one, in lower case.
    aliases : mapping of str to str, default=None
        Other names of tags and the name that they get, such as ``{"sci-fi": "science fiction"}``.
    drop : list, tuple or set of str, default=()
        Tags to leave out, such as ``["seen live", "owned"]``.
    max_tags : int, default=None
        Most tags to keep: those with most items, in alphabetical order where as many have them.

    Returns
    -------
    item_tags : DataFrame
        Long, with the columns `item`, `tag` and `weight` ("weight" if None), a row per pair, for
        :meth:`TaggedInteractions.from_frames`; or wide and sparse, with the index as it was and
        the tags in alphabetical order, for :class:`~sktpecr.TPECRExplainer`. As the table given.
    report : DataFrame
        A row for every tag as it came, in the order of appearance, and for every name in `aliases`
        or `drop` that is not there: ``tag``, what it ``became`` ("" if it was left out), on how
        many items it was (``n_items_before``) and what it became is (``n_items``), and ``what``
        was done: "kept", "renamed", "merged", "dropped: ..." with the reason, or "not found".

    Raises
    ------
    TypeError
        If `item_tags` is not a DataFrame.
    ValueError
        If a weight is not a finite number of at least 0, an alias leads to another one, no tag is
        left, or a parameter is out of range.

    See Also
    --------
    tags_from_features : Tags out of the columns that describe items.
    tags_from_text : Tags out of descriptions.

    Examples
    --------
    >>> import pandas as pd
    >>> from sktpecr.datasets import clean_tags
    >>> given = pd.DataFrame(
    ...     {
    ...         "item": [1, 1, 2, 2, 3],
    ...         "tag": ["Rock", "rock ", "ROCK", "seen live", "prog-rock"],
    ...     }
    ... )
    >>> tags, report = clean_tags(given, aliases={"prog-rock": "prog"}, drop=["seen live"])
    >>> tags
       item   tag  weight
    0     1  rock     2.0
    1     2  rock     1.0
    2     3  prog     1.0
    >>> report
             tag became  n_items_before  n_items            what
    0       Rock   rock               1        2          merged
    1      rock    rock               1        2          merged
    2       ROCK   rock               1        2          merged
    3  seen live                      1        0  dropped: named
    4  prog-rock   prog               1        1         renamed
    """
    frame = in_pandas(item_tags)
    check_frame(frame, "item_tags", "(item, tag) pair, or one per item")
    if not isinstance(tag, Hashable):
        raise ValueError(f"tag must be the name of a column, got {tag!r:.80}")
    long = tag in frame.columns
    if long:
        rows, items = encode(frame, item, "item_tags", "item")
        codes, given = encode(frame, tag, "item_tags", "tag")
        weights = np.ones(len(rows))
        if weight is not None:
            weights = take_weights(frame, weight, "item_tags").astype(np.float64)
    else:
        frame = in_pandas(item_tags, ids=str(item))
        items, given = list(frame.index), list(frame.columns)
        rows, codes, weights = _entries(frame)

    def clean(names: Iterable[Any]) -> list[str]:
        return list(map(str.lower, readable(names))) if lower else readable(names)

    aliases = aliases or {}
    renamed = dict(zip(clean(aliases), clean(aliases.values()), strict=True))
    chained = [new for old, new in renamed.items() if renamed.get(new, new) != new]
    if chained:
        raise ValueError(
            f"aliases must lead to names that have none themselves, got {chained[0]!r} on both "
            f"sides; give the last name for each"
        )
    texts = clean(given)
    became = [renamed.get(text, text) for text in texts]
    names = sorted(set(became))
    position = {name: number for number, name in enumerate(names)}
    group = np.array([position[name] for name in became], dtype=np.intp)

    before = sp.csc_matrix((weights, (rows, codes)), shape=(len(items), len(given)))
    before.eliminate_zeros()
    merged = sp.csc_matrix((weights, (rows, group[codes])), shape=(len(items), len(names)))
    merged.data[merged.data < min_weight] = 0
    merged.eliminate_zeros()
    n_items = np.diff(merged.indptr)
    unwanted = set(clean(drop))
    reasons = np.where(n_items < min_items, f"dropped: on fewer than {min_items} items", "")
    reasons = reasons.astype(object)
    reasons[[name in unwanted for name in names]] = "dropped: named"
    reasons[[not name for name in names]] = "dropped: no text"
    left = np.flatnonzero(reasons == "")
    largest = left[np.argsort(-n_items[left], kind="stable")]
    reasons[largest[max_tags or len(left) :]] = f"dropped: not among the {max_tags} largest"
    kept = np.flatnonzero(reasons == "")
    if not len(kept):
        raise ValueError(
            f"no tag is left of {len(given)}: min_items={min_items}, min_weight={min_weight} and "
            f"drop must leave some; lower them (the largest tag is on {n_items.max()} items)"
        )

    sizes = np.bincount(group, minlength=len(names))[group]
    same = [str(old) == new for old, new in zip(given, became, strict=True)]
    what = np.where(sizes > 1, "merged", np.where(same, "kept", "renamed")).astype(object)
    gone = reasons[group] != ""
    what[gone] = reasons[group][gone]
    known, asked = set(texts) | set(became), [*aliases, *drop]
    missing = [name for name, text in zip(asked, clean(asked), strict=True) if text not in known]
    report = pd.DataFrame(
        {
            "tag": label_array([*given, *missing]),
            "became": [*np.where(gone, "", became), *[""] * len(missing)],
            "n_items_before": np.append(np.diff(before.indptr), [0] * len(missing)).astype(int),
            "n_items": np.append(np.where(gone, 0, n_items[group]), [0] * len(missing)).astype(int),
            "what": [*what, *["not found"] * len(missing)],
        }
    )
    tags = [names[number] for number in kept]
    if not long:
        return to_frame(merged[:, kept], items, tags, sparse=True), report
    pairs = merged[:, kept].tocsr().tocoo()
    columns = {item: label_array(items)[pairs.row], tag: label_array(tags)[pairs.col]}
    return pd.DataFrame(columns | {"weight" if weight is None else weight: pairs.data}), report


def _entries(frame: pd.DataFrame) -> tuple[NDArray, NDArray, NDArray]:
    """Return rows, columns and weights of a wide table."""
    try:
        matrix = to_matrix(frame).astype(np.float64).tocoo()
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"item_tags must have a column 'tag' (name it with tag=...) or hold numbers only, a "
            f"column per tag, got columns {', '.join(map(repr, frame.columns[:10]))}: {error}"
        ) from error
    if not (np.isfinite(matrix.data) & (matrix.data >= 0)).all():
        raise ValueError(
            "item_tags must hold finite weights of at least 0; try item_tags.fillna(0), or "
            "item_tags.clip(lower=0)"
        )
    return matrix.row, matrix.col, matrix.data
