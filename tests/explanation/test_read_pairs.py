"""Pairs that somebody else listed, explained."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import LinearRegression

from sktpecr import GaussianGenerator, TPECRExplainer
from sktpecr.attribution import ExactAttribution
from sktpecr.datasets import make_tagged_interactions
from sktpecr.explanation._read_pairs import read_pairs
from sktpecr.recommenders import FactorRecommender

DATA = make_tagged_interactions(n_users=60, n_items=90, n_tags=5, random_state=0)
USERS, ITEMS = DATA.user_ids.tolist(), DATA.item_ids.tolist()


def fitted(**kwargs):
    explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags, **kwargs)
    return explainer.fit(DATA.interactions, user_ids=DATA.user_ids)


EXPLAINERS = {"account": fitted(), "exact": fitted(attribution=ExactAttribution())}


def pairs_of(numbers):
    return pd.DataFrame([(USERS[u], ITEMS[v]) for u, v in numbers], columns=["user", "item"])


PAIRS = st.lists(
    st.tuples(st.integers(0, 59), st.integers(0, 89)), min_size=1, max_size=40, unique=True
).map(pairs_of)


@pytest.mark.parametrize("name", EXPLAINERS)
@settings(max_examples=20, deadline=None)
@given(pairs=PAIRS)
def test_it_joins_back_one_to_one_and_says_what_explain_says(name, pairs):
    explainer = EXPLAINERS[name]
    table = explainer.explain_batch(pairs=pairs, n_tags=2)
    heads = table.drop_duplicates(["user", "item"])
    joined = pairs.merge(heads, on=["user", "item"], how="outer", validate="1:1", indicator=True)
    assert (joined["_merge"] == "both").all()
    for row in heads.itertuples():
        explanation = explainer.explain(row.user, row.item)
        np.testing.assert_allclose(row.score, explanation.score, rtol=1e-5, atol=1e-7)
        if not pd.isna(row.tag):
            told = explanation.to_frame().set_index("tag")["contribution"]
            np.testing.assert_allclose(row.contribution, told[row.tag], rtol=1e-5, atol=1e-7)
    # Users as they come first, their items as they come, ranks by the recommender's scores.
    order = pairs["user"].drop_duplicates().tolist()
    assert heads["user"].drop_duplicates().tolist() == order
    for user, rows in heads.groupby("user"):
        assert rows["item"].tolist() == pairs.loc[pairs["user"] == user, "item"].tolist()
        assert sorted(rows["rank"]) == list(range(1, len(rows) + 1))
        assert (rows.sort_values("rank")["score"].diff().dropna() <= 0).all()


def test_lists_as_pairs_say_the_same():
    table = EXPLAINERS["account"].explain_batch(n_items=4)
    listed = table[["user", "item", "rank"]].drop_duplicates()
    for more in ({}, {"batch_size": 7}):
        found = EXPLAINERS["account"].explain_batch(pairs=listed, **more)
        pd.testing.assert_frame_equal(found, table, rtol=1e-5, atol=1e-7)


def test_ranks_are_those_given_or_by_scores_given():
    pairs = pairs_of([(3, 5), (3, 6), (4, 5), (3, 7)])
    explain = EXPLAINERS["account"].explain_batch
    given_ranks = explain(pairs=pairs.assign(rank=[9, 2, 4, 1]), n_tags=1)
    assert given_ranks["rank"].tolist() == [9, 2, 1, 4]
    given_scores = explain(pairs=pairs.assign(score=[0.1, 0.9, 5.0, 0.5]), n_tags=1)
    assert given_scores["rank"].tolist() == [3, 1, 2, 1]
    pd.testing.assert_series_equal(given_scores["score"], given_ranks["score"])


def test_scores_given_are_explained_as_far_as_the_recommender_reproduces_them():
    rng = np.random.RandomState(0)
    pairs = pairs_of([(u, v) for u in range(6) for v in rng.permutation(90)[:20]] + [(7, 1)])
    explain = EXPLAINERS["account"].explain_batch
    plain = explain(pairs=pairs, n_tags=1)
    own = plain["score"].to_numpy()
    half = own + own.std() * rng.normal(size=len(own))
    for scores in (7 + 3 * own, half, -half, rng.normal(size=len(own))):
        found = explain(pairs=pairs.assign(score=scores), n_tags=1, batch_size=2)
        for user, rows in found.groupby("user"):
            at = (plain["user"] == user).to_numpy()
            share = rows["fidelity"] / plain["fidelity"][at]
            if len(rows) < 3:
                assert share.isna().all()
                continue
            line = LinearRegression().fit(own[at, None], scores[at])
            told = 1 - (1 - line.score(own[at, None], scores[at])) * 19 / 18
            expected = max(told, 0.0) if line.coef_[0] > 0 else 0.0
            np.testing.assert_allclose(share, expected, atol=1e-5)
    equal = explain(pairs=pairs.assign(score=1.0), n_tags=1)
    assert equal["fidelity"].isna().all()


def test_polars_is_taken():
    polars = pytest.importorskip("polars", reason="polars is not installed")
    pairs = pairs_of([(3, 5), (4, 5)])
    explain = EXPLAINERS["account"].explain_batch
    found = explain(pairs=polars.DataFrame(pairs.to_dict("list")))
    pd.testing.assert_frame_equal(found, explain(pairs=pairs))


def test_no_other_item_is_scored(monkeypatch):
    pairs, explainer = pairs_of([(3, 5), (4, 5)]), EXPLAINERS["account"]
    expected = explainer.reasons_batch(pairs=pairs)

    def refuse(*args):
        raise AssertionError("scored")

    monkeypatch.setattr(FactorRecommender, "score_items", refuse)
    pd.testing.assert_frame_equal(explainer.reasons_batch(pairs=pairs), expected)


class Counting:
    """A score that is no dot product, and says which items it was asked for by number."""

    def __init__(self):
        rng = np.random.RandomState(0)
        self.user_embeddings, self.items = rng.normal(size=(60, 4)), rng.normal(size=(90, 4))
        self.asked = []

    def score_items(self, embeddings, items=None):
        self.asked.append(items)
        scores = np.tanh(embeddings @ self.items.T)
        return scores if items is None else scores[:, items]


def test_beyond_the_dot_product_each_users_own_items_are_scored():
    box = Counting()
    explainer = TPECRExplainer(box, DATA.item_tags, generator=GaussianGenerator())
    explainer.fit(DATA.interactions, user_ids=DATA.user_ids)
    pairs = pairs_of([(3, 5), (4, 8), (3, 6)])
    box.asked.clear()
    table = explainer.explain_batch(pairs=pairs).drop_duplicates(["user", "item"])
    assert [each.tolist() for each in box.asked if each is not None] == [[5, 6], [8]]
    scores = np.tanh(box.user_embeddings @ box.items.T)
    np.testing.assert_allclose(table["score"], scores[[3, 3, 4], [5, 6, 8]])


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["a"], "pairs must be a table with columns user and item.*lacks user, item"),
        (pairs_of([(1, 2)]).drop(columns="item"), "it lacks item"),
        (pairs_of([]), "pairs must have at least one row"),
        (pairs_of([(1, 2), (3, 2), (1, 2)]), "got 1 again, such as user 'user_01' and item"),
        (pairs_of([(1, 2)]).assign(user="Bob"), "unknown user 'Bob'"),
        (pairs_of([(1, 2)]).assign(item="Jaws"), "unknown item 'Jaws'"),
        (pairs_of([(1, 2)]).assign(score=np.nan), "a finite number as score in each row, got nan"),
        (pairs_of([(1, 2)]).assign(rank="x"), "a finite number as rank in each row, got 'x'"),
        (pairs_of([(1, 2)]).assign(rank=0), "whole numbers of at least 1 as ranks"),
    ],
)
def test_says_what_is_wrong(pairs, message):
    with pytest.raises(ValueError, match=message):
        EXPLAINERS["account"].explain_batch(pairs=pairs)


def test_pairs_and_lists_are_not_both_given():
    pairs = pairs_of([(1, 2)])
    for more in ({"users": USERS[:2]}, {"items": ITEMS[:2]}):
        with pytest.raises(ValueError, match=r"give pairs or (users|items), not both"):
            EXPLAINERS["account"].explain_batch(pairs=pairs, **more)


def test_users_without_interactions_are_named():
    X = DATA.interactions.tolil(copy=True)
    X[3] = 0
    explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags).fit(X.tocsr())
    with pytest.raises(ValueError, match="user 3 has no interactions"):
        explainer.explain_batch(pairs=pd.DataFrame({"user": [1, 3], "item": ITEMS[:2]}))


def test_pairs_of_each_user_stand_together():
    catalogue = EXPLAINERS["account"].tag_model_.catalogue
    rows, pairs = read_pairs(pairs_of([(7, 5), (2, 6), (7, 4)]), catalogue, "pairs")
    assert rows.tolist() == [7, 2]
    assert pairs.indptr.tolist() == [0, 2, 3]
    assert pairs.items.tolist() == [5, 4, 6]
    last = pairs.of(slice(1, 2))
    assert (last.indptr.tolist(), last.items.tolist()) == ([0, 1], [6])
