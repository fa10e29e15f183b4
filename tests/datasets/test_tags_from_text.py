"""tags_from_text: weights are the vectoriser's own, terms those that a plain loop chooses."""

import numpy as np
import pandas as pd
import pytest
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from sktpecr import TPECRExplainer
from sktpecr.datasets import tags_from_text

KINDS = [
    "A detective and the bank robbers play cat and mouse",
    "A space ship lands; aliens leave the space ship",
    "Two lovers meet on a night train and talk",
]


def plots(n=60, seed=0):
    """Three kinds of plots, each with words of its own and words at random."""
    rng = np.random.RandomState(seed)
    words = [f"word{number}" for number in range(60)]
    return pd.Series(
        [f"{KINDS[item % 3]} {' '.join(rng.choice(words, 6))}" for item in range(n)],
        index=[f"film_{item}" for item in range(n)],
    )


def by_plain_loops(texts, max_tags, min_items, max_share, vectorizer):
    """Return the terms in order."""
    weights = vectorizer.fit_transform(texts).toarray().astype(float)
    terms = vectorizer.get_feature_names_out()
    has = [set(np.flatnonzero(column)) for column in weights.T]
    order = sorted(
        range(len(terms)), key=lambda t: (-weights[:, t].var().round(9), -len(terms[t]), terms[t])
    )
    chosen = []
    for term in order:
        rare = not min_items <= len(has[term]) <= max_share * len(texts)
        alike = any(
            len(has[term] & has[other]) > len(has[term] | has[other]) / 2 for other in chosen
        )
        if not rare and not alike and len(chosen) < max_tags:
            chosen.append(term)
    return terms[chosen].tolist()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("max_tags", "min_items", "max_share"), [(5, 2, 0.5), (100, 8, 0.3)])
def test_terms_are_those_of_plain_loops(seed, max_tags, min_items, max_share):
    how = {"max_tags": max_tags, "min_items": min_items, "max_share": max_share}
    vectorizer = TfidfVectorizer(stop_words="english", dtype=np.float64)
    texts = plots(seed=seed)
    tags = tags_from_text(texts, **how, vectorizer=vectorizer)
    assert not hasattr(vectorizer, "vocabulary_")  # a clone was fitted
    assert tags.columns.tolist() == by_plain_loops(texts, **how, vectorizer=vectorizer)


def test_weights_are_the_vectorizers_own():
    texts = plots()
    vectorizer = CountVectorizer()
    tags = tags_from_text(texts, vectorizer=vectorizer)
    counts = vectorizer.fit_transform(texts)
    for term in tags.columns:
        column = counts[:, vectorizer.vocabulary_[term]].toarray().ravel()
        assert tags[term].tolist() == column.tolist()
    assert all(isinstance(dtype, pd.SparseDtype) for dtype in tags.dtypes)
    assert tags.index.tolist() == texts.index.tolist()


def test_phrases_stand_for_their_words():
    tags = tags_from_text(plots(), min_items=20, max_share=0.4, max_tags=3)
    of_kinds = [tags.to_numpy()[kind::3].mean(axis=0) > 0 for kind in range(3)]
    assert np.sum(of_kinds, axis=0).tolist() == [1, 1, 1]  # a term per kind of plot
    assert all(" " in term for term in tags.columns)
    assert "ship" in " ".join(tags.columns)


def test_texts_may_come_without_ids_and_be_missing():
    texts = [*plots().tolist(), None, float("nan"), ""]
    tags = tags_from_text(texts)
    assert tags.index.tolist() == list(range(63))
    assert not tags.to_numpy()[60:].any()
    again = tags_from_text(dict(enumerate(texts)))
    pd.testing.assert_frame_equal(tags, again)


def test_the_explainer_takes_the_tags():
    tags = tags_from_text(plots(), max_tags=6)
    rng = np.random.RandomState(0)
    factors = rng.normal(size=(30, 3)), rng.normal(size=(60, 3))
    X = (rng.rand(30, 60) < 0.2).astype(float)
    assert TPECRExplainer(factors, tags).fit(X).tag_names_.tolist() == tags.columns.tolist()


@pytest.mark.parametrize(
    ("texts", "how", "message"),
    [
        ("one text", {}, "texts must hold a text per item, got 'one text'"),
        (pd.DataFrame({"plot": ["a"]}), {}, "texts must hold a text per item"),
        (3, {}, "texts must hold a text per item, got 3"),
        (["a", 3], {}, r"texts must hold strings, got 3 \(int\)"),
        (["some plot", "other story"], {}, "no term is in the texts of at least min_items=5"),
        (["a", "b"], {"max_tags": 0}, "'max_tags' parameter of tags_from_text must be"),
        (["a", "b"], {"vectorizer": 3}, "'vectorizer' parameter of tags_from_text must be"),
        ([], {}, "empty vocabulary"),
    ],
)
def test_says_what_is_wrong(texts, how, message):
    with pytest.raises(ValueError, match=message):
        tags_from_text(texts, **how)
