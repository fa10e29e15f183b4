"""Tags out of descriptions of items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils._param_validation import HasMethods, Interval, validate_params

from sktpecr.datasets._tag_frames import to_frame


@validate_params(
    {
        "max_tags": [Interval(Integral, 1, None, closed="left")],
        "min_items": [Interval(Integral, 1, None, closed="left")],
        "max_share": [Interval(Real, 0, 1, closed="right")],
        "vectorizer": [HasMethods(["fit_transform", "get_feature_names_out"]), None],
    },
    prefer_skip_nested_validation=True,
)
def tags_from_text(
    texts: pd.Series | Mapping[Any, str] | Iterable[str],
    *,
    max_tags: int = 100,
    min_items: int = 5,
    max_share: float = 0.3,
    vectorizer: Any = None,
) -> pd.DataFrame:
    """Make tags out of descriptions: the words and pairs of words that tell items apart.

    A term is the more informative, the more its TF-IDF weight differs between the texts. Terms
    are taken in that order, and one is passed over if more than half of the items with it or a
    term before it have both: "science fiction" stands for "science" and "fiction".

    Parameters
    ----------
    texts : Series, mapping, or iterable of str, of shape (n_items,)
        A text per item; the ids are the index or the keys, else row numbers. A missing text (None
        or NaN) is an empty one.
    max_tags : int, default=100
        Most terms to take.
    min_items : int, default=5
        Terms in the texts of fewer items are left out.
    max_share : float, default=0.3
        Terms in the texts of a larger share of the items are left out.
    vectorizer : scikit-learn vectorizer, default=None
        What makes weights of terms out of texts; a clone of it is fitted. By default a
        ``TfidfVectorizer`` of words and pairs of words without English stop words; pass one with
        other `stop_words` for another language.

    Returns
    -------
    DataFrame of shape (n_items, n_tags)
        Weights of the terms in sparse columns, the most informative term first, for ``item_tags``
        of :class:`~sktpecr.TPECRExplainer`. A text may be left without tags.

    Raises
    ------
    ValueError
        If what is given is no texts, no term is left, or a parameter is out of range.

    See Also
    --------
    clean_tags : Merge tags and leave out those on few items.
    tags_from_features : Tags out of the columns that describe items.

    Examples
    --------
    >>> from sktpecr.datasets import tags_from_text
    >>> plots = {
    ...     6: "A detective hunts a gang of bank robbers.",
    ...     9: "Bank robbers take a detective along.",
    ...     13: "Two lovers meet on a train.",
    ...     50: "The lovers miss their train.",
    ... }
    >>> tags = tags_from_text(plots, min_items=2, max_share=0.5)
    >>> (tags > 0).astype(int)
        lovers  bank robbers
    6        0             1
    9        0             1
    13       1             0
    50       1             0
    """
    if isinstance(texts, str | pd.DataFrame) or not hasattr(texts, "__iter__"):
        raise ValueError(f"texts must hold a text per item, got {texts!r:.60}")
    pairs = list(texts.items() if isinstance(texts, Mapping | pd.Series) else enumerate(texts))
    ids, listed = zip(*pairs, strict=True) if pairs else ((), ())
    missing = pd.isna(np.fromiter(listed, dtype=object, count=len(listed)))
    documents = ["" if gone else text for gone, text in zip(missing, listed, strict=True)]
    wrong = next((text for text in documents if not isinstance(text, str)), None)
    if wrong is not None:
        raise ValueError(f"texts must hold strings, got {wrong!r:.60} ({type(wrong).__name__})")
    if vectorizer is None:
        vectorizer = TfidfVectorizer(stop_words="english", ngram_range=(1, 2), dtype=np.float32)
    vectorizer = clone(vectorizer)
    try:
        weights = sp.csc_matrix(vectorizer.fit_transform(documents))
    except ValueError as error:
        raise ValueError(f"texts hold no words that could be tags: {error}") from error
    weights.eliminate_zeros()
    terms = vectorizer.get_feature_names_out()
    n_items = np.diff(weights.indptr)
    common = np.flatnonzero((n_items >= min_items) & (n_items <= max_share * len(documents)))
    if not len(common):
        raise ValueError(
            f"no term is in the texts of at least min_items={min_items} and at most "
            f"max_share={max_share:g} of {len(documents)} items; lower the one or raise the other"
        )
    weights, terms = weights[:, common], terms[common]
    chosen = _informative(weights, np.array(list(map(len, terms))), max_tags)
    return to_frame(weights[:, chosen], ids, terms[chosen].tolist(), sparse=True)


def _informative(weights: sp.csc_matrix, lengths: NDArray, max_tags: int) -> NDArray:
    """Return the columns that vary most, less those that are much the same as one before."""
    squares = np.asarray(weights.multiply(weights).mean(axis=0)).ravel()
    variance = squares - np.asarray(weights.mean(axis=0)).ravel() ** 2
    has = (weights > 0).astype(np.float32)
    n_items = np.diff(has.indptr)
    chosen: list[int] = []
    passed = np.zeros(len(n_items), dtype=bool)
    # Of terms that vary alike, as those of one phrase do, the longest.
    for term in np.lexsort((-lengths, -variance.round(9))):
        if len(chosen) == max_tags:
            break
        if not passed[term]:
            chosen.append(term)
            shared = has.T @ has[:, [term]].toarray().ravel()
            passed |= shared > (n_items + n_items[term] - shared) / 2
    return np.array(chosen, dtype=np.intp)
