"""Each kind of input that was once taken for something else, and what is said of it now."""

import datetime as dt
import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from sktpecr import TagPreferenceExtractor, TPECRExplainer
from sktpecr._inputs._readable import check_readable
from sktpecr._inputs._tables import check_interactions, widened
from sktpecr.datasets import make_tagged_interactions
from sktpecr.recommenders import FactorRecommender, MatrixFactorization

DATA = make_tagged_interactions(60, 40, 4, density=0.15, random_state=0)
RNG = np.random.RandomState(0)
X, TAGS = DATA.interactions, DATA.item_tags
FACTORS = RNG.normal(size=(60, 5)), RNG.normal(size=(40, 5))
N_ITEMS = len(TAGS)


def fit(tags=TAGS, X=X, factors=FACTORS, **given):
    return TPECRExplainer(factors, tags).fit(X, **given)


def renamed(*first):
    return TAGS.set_axis([*first, *TAGS.columns[len(first) :]], axis=1)


@pytest.mark.parametrize(
    ("first", "second"),
    [("caf\u00e9", "cafe\u0301"), ("Rock", "rock "), ("Rock", "ROCK"), ("1", 1), ("a b", "a  b")],
)
def test_tags_that_look_the_same(first, second):
    with pytest.raises(ValueError, match=r"tag ids must look different.*clean_tags"):
        fit(renamed(first, second))


@pytest.mark.parametrize("first", [[1, "1"], ["a", "a "], ["caf\u00e9", "cafe\u0301"]])
def test_ids_that_look_the_same(first):
    items, users = ([*first, *range(5, n + 3)] for n in (N_ITEMS, 60))
    with pytest.raises(ValueError, match="item ids must look different to a reader"):
        fit(TAGS.set_axis(items))
    with pytest.raises(ValueError, match="user ids must look different to a reader"):
        fit(user_ids=users)


@pytest.mark.parametrize("kind", ["user", "item"])
def test_ids_that_differ_in_case_alone_are_two(kind):
    check_readable(kind, ["a", "A", "b"])
    check_readable(kind, ["r\u00e9sum\u00e9", "resume"])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("2011-01-01", "column 'new' holds dates, .*tags_from_features"),
        ("1.12.2011", "column 'new' holds dates"),
        (dt.date(2011, 1, 1), "column 'new' holds dates"),
        (pd.Period("2011-01"), "column 'new' holds dates"),
        (["Drama"], r"column 'new' holds lists, such as \['Drama'\].*tags_from_features"),
        ("Toy Story", "column 'new' holds text, such as 'Toy Story', which is no tag"),
        ("A|B", r"column 'new' holds text, .* split it: item_tags\['new'\].str.get_dummies"),
    ],
)
def test_columns_that_hold_no_numbers_are_named(value, message):
    column = pd.Series([value] * N_ITEMS, index=TAGS.index, dtype=object)
    with pytest.raises(ValueError, match=message):
        fit(TAGS.assign(new=column))


def test_dates_are_no_interactions():
    frame = pd.DataFrame(X.toarray(), columns=DATA.item_ids)
    frame[DATA.item_ids[3]] = pd.Timestamp("2020-01-01")
    with pytest.raises(ValueError, match=f"X must hold numbers, got datetime.*{DATA.item_ids[3]}"):
        fit(X=frame)
    for dtype in ("M8[D]", "m8[s]"):
        with pytest.raises(ValueError, match="X must hold numbers"):
            fit(X=np.zeros(X.shape, dtype=dtype))
        with pytest.raises(ValueError, match="item_tags must hold numbers"):
            fit(np.ones(TAGS.shape).astype(dtype))


@pytest.mark.parametrize(
    "call",
    [
        lambda: fit(user_ids=set(DATA.user_ids)),
        lambda: fit(item_names=set(DATA.item_names)),
        lambda: TPECRExplainer(FACTORS, TAGS, tag_names=set(TAGS)).fit(X),
        lambda: FactorRecommender(*FACTORS, item_ids=frozenset(DATA.item_ids)),
        lambda: fit().contributions({1, 2}, DATA.item_ids[:2]),
    ],
)
def test_a_set_has_no_order(call):
    with pytest.raises(ValueError, match=r"must be a list of .*set, which has no order"):
        call()


@pytest.mark.parametrize("tag", [-1, len(TAGS.columns)])
def test_positions_outside_are_none(tag):
    with pytest.raises(ValueError, match=f"tag must be a column number from 0 to 3, got {tag}"):
        fit().extractor_.items_of(tag)


LABELS = {
    "numbers": np.arange(N_ITEMS) * 10,
    "dates": pd.date_range("2020-01-01", periods=N_ITEMS),
    "text": [f"item {i}" for i in range(N_ITEMS)],
}


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("with_ids", [True, False], ids=["tags with ids", "tags without"])
def test_columns_in_another_order_or_of_other_names(kind, with_ids):
    frame = pd.DataFrame(X.toarray(), columns=LABELS[kind])
    tags = TAGS.set_axis(frame.columns) if with_ids else TAGS.to_numpy()
    explainer = TPECRExplainer(FACTORS, tags).fit(frame)
    extractor = TagPreferenceExtractor(FACTORS, tags).fit(frame)
    strange = {"numbers": 7, "dates": pd.Timestamp("1999-01-01"), "text": "another"}[kind]
    calls = (
        explainer.transform,
        explainer.score,
        extractor.transform,
        lambda other: explainer.recommend(interactions=other.iloc[[3]]),
    )
    for other in (frame.iloc[:, ::-1], frame.set_axis([strange, *frame][:-1], axis=1)):
        for call in calls:
            with pytest.raises(ValueError, match=r"contradict|should match|in another order"):
                call(other)
    row = explainer.recommend(interactions=frame.iloc[[3]])
    assert row.equals(explainer.recommend(interactions=X[3]))
    np.testing.assert_array_equal(explainer.transform(frame), extractor.transform(frame))


def test_a_recommender_looks_at_its_columns_too():
    frame = pd.DataFrame(X.toarray(), columns=LABELS["numbers"])
    model = MatrixFactorization(2, max_epochs=1, validation_fraction=0, random_state=0).fit(frame)
    np.testing.assert_array_equal(model.fold_in(frame), model.fold_in(X))
    with pytest.raises(ValueError, match="same ids in another order"):
        model.fold_in(frame.iloc[:, ::-1])


@pytest.mark.parametrize("make", [sp.coo_matrix, sp.coo_array])
def test_small_whole_numbers_that_repeat_are_added_up(make):
    again = np.zeros(200, dtype=np.int32), np.ones(200, dtype=np.int32)
    one = np.ones(200, dtype=np.int8)
    read = check_interactions(TPECRExplainer(FACTORS), make((one, again), shape=X.shape))
    assert read[0, 1] == 200
    every = np.arange(N_ITEMS)
    rows = np.concatenate([again[0], every]), np.concatenate([again[1], every % 4])
    tags = make((np.ones(200 + N_ITEMS, dtype=np.int8), rows), shape=TAGS.shape)
    assert fit(tags).extractor_.tags_of(0)[1] == 200
    row = make((one, again), shape=(1, N_ITEMS))
    once = sp.csr_matrix(([200.0], ([0], [1])), shape=(1, N_ITEMS))
    explainer = fit()
    assert explainer.recommend(interactions=row).equals(explainer.recommend(interactions=once))
    flags = make((one.astype(bool), again), shape=X.shape)
    assert widened(flags) is flags


def test_scale_is_checked_in_the_type_that_computes():
    users, items = FACTORS
    small = items.astype(np.float32)
    for one, other in ((1e-35, 1e-9), (1e30, 1e10)):
        with pytest.raises(ValueError, match="float32 cannot hold"):
            fit(factors=(users * one, (small * other).astype(np.float32)))
    explainer = fit(factors=(users, small))
    row = sp.csr_matrix(X[3], dtype=np.float64)
    with pytest.raises(ValueError, match=r"no value above .* nothing may be left in single"):
        explainer.recommend(interactions=row * 1e-200)
    with pytest.raises(ValueError, match="values so large"):
        explainer.recommend(interactions=row * 1e300)


def test_one_row_too_few_is_told_the_way_out():
    message = re.escape("item_tags.reindex(item_ids)")
    with pytest.raises(ValueError, match=f"40 columns, item_tags has 39 rows; .*{message}"):
        fit(TAGS.iloc[1:])


def test_tables_of_pyarrow():
    pa = pytest.importorskip("pyarrow")
    tags = pa.Table.from_pandas(TAGS.rename_axis("item").reset_index())
    frame = pd.DataFrame(X.toarray(), columns=DATA.item_ids).assign(user=DATA.user_ids)
    explainer = fit(tags, pa.Table.from_pandas(frame), item_names=pa.array(map(str, range(40))))
    assert explainer.user_ids_.tolist() == list(DATA.user_ids)
    assert explainer.item_ids_.tolist() == list(DATA.item_ids)
    assert explainer.item_names_[1] == "1"
