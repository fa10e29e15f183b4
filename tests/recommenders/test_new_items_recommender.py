"""Items that came after training, scored through their tags."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import Ridge

from sktpecr import ENGLISH, FeedbackRefiner, TagPreferenceExtractor, TPECRExplainer
from sktpecr.datasets import make_tagged_interactions
from sktpecr.recommenders import (
    AdapterError,
    DistilledRecommender,
    FactorRecommender,
    NewItemsRecommender,
)

DATA = make_tagged_interactions(n_users=60, n_items=50, n_tags=6, random_state=0)
TAGS = DATA.item_tags
SVD = TruncatedSVD(6, random_state=0).fit(DATA.interactions)
RNG = np.random.RandomState(0)
# Items that their tags tell much of, but not all.
BOX = (
    RNG.normal(size=(60, 8)),
    TAGS.to_numpy() @ RNG.normal(size=(6, 8)) + 0.7 * RNG.normal(size=(50, 8)),
)
NEW = pd.DataFrame(
    [[1, 0, 1, 0, 0, 0], [0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0]],
    index=["a", "b", "c"],
    columns=TAGS.columns,
)


def wide(X=DATA.interactions, n=3):
    X = X.copy()
    X.resize(X.shape[0], X.shape[1] + n)
    return X


@pytest.fixture
def recommender():
    return NewItemsRecommender(BOX, TAGS, NEW)


@pytest.fixture
def explainer(recommender):
    return TPECRExplainer(recommender).fit(wide(), user_ids=DATA.user_ids)


def test_trained_items_score_as_before(recommender):
    before = FactorRecommender(*BOX)
    users = before.user_embeddings
    assert_array_equal(recommender.score_items(users)[:, :50], before.score_items(users))
    assert recommender.n_trained == 50
    assert list(recommender.item_ids[50:]) == ["a", "b", "c"]


def test_new_items_score_by_a_ridge_regression_on_tags(recommender):
    users, tags = recommender.user_embeddings, TAGS.to_numpy(dtype=float)
    scores = users @ recommender.item_embeddings[:50].T
    # A regression of each user's own scores says the same, for some penalty.
    new = recommender.score_items(users)[:, 50:]
    fits = [
        np.abs(Ridge(alpha).fit(tags, scores.T).predict(NEW.to_numpy(dtype=float)).T - new).max()
        for alpha in np.logspace(-2, 5, 15)
    ]
    assert min(fits) < 1e-6 * np.abs(new).max()


def test_r2_is_that_of_items_left_out_in_turn(recommender):
    users, tags = recommender.user_embeddings, TAGS.to_numpy(dtype=float)
    scores = (users @ recommender.item_embeddings[:50].T).T
    shares = []
    for alpha in np.logspace(-2, 5, 15):
        left = 0.0
        for item in range(50):
            others = np.arange(50) != item
            guess = Ridge(alpha).fit(tags[others], scores[others]).predict(tags[[item]])
            left += np.square(guess - scores[item]).sum()
        shares.append(1 - left / np.square(scores - scores.mean(axis=0)).sum())
    assert recommender.r2_ == pytest.approx(max(shares), abs=1e-6)
    assert 0.1 < recommender.r2_ < 1


def test_biases_are_told_by_tags_too():
    rng = np.random.RandomState(0)
    biases = TAGS.to_numpy(dtype=float) @ np.arange(6.0)
    box = FactorRecommender(rng.normal(size=(60, 4)), 0.01 * rng.normal(size=(50, 4)), biases)
    recommender = NewItemsRecommender(box, TAGS, NEW)
    assert_allclose(recommender.item_biases[50:], [2.0, 1.0, 0.0], atol=0.2)
    assert recommender.r2_ > 0.95


def test_tag_preferences_are_those_of_the_trained_items(recommender):
    for aggregate in ("mean", "shrunk", lambda scores: np.median(scores, axis=1)):
        before = TagPreferenceExtractor(BOX, TAGS, aggregate=aggregate).fit(DATA.interactions)
        after = TagPreferenceExtractor(recommender, aggregate=aggregate).fit(wide())
        users = recommender.user_embeddings
        assert_array_equal(after.tag_preferences(users), before.tag_preferences(users))


def test_a_new_item_is_listed_explained_and_refined(explainer, recommender):
    user = DATA.user_ids[3]
    ranks = explainer.recommend(user, 53).set_index("item")["rank"]
    assert {"a", "b", "c"} <= set(ranks.index)
    explanation = explainer.explain(user, "a")
    assert explanation.scored_by_tags
    assert ENGLISH["by_tags"] in explanation.to_text()
    assert explanation.fidelity == pytest.approx(recommender.r2_)
    total = explanation.base_value + explanation.contributions.sum() + explanation.residual
    assert total == pytest.approx(explanation.score)
    tag = TAGS.columns[0]
    liked = FeedbackRefiner(explainer).refine(user, like=tag).recommend(53).set_index("item")
    assert liked.loc["a", "rank"] < liked.loc["a", "rank_before"]


def test_a_trained_item_is_not_flagged(explainer):
    explanation = explainer.explain(DATA.user_ids[3], DATA.item_ids[0])
    assert not explanation.scored_by_tags
    assert ENGLISH["by_tags"] not in explanation.to_text()
    assert explanation.fidelity == 1.0


def test_a_table_of_everybody_has_the_fidelity_of_each_item(explainer, recommender):
    table = explainer.explain_batch(n_items=53, n_tags=1)
    new = table["item"].isin(["a", "b", "c"])
    assert new.sum() == 3 * 60
    assert_allclose(table.loc[new, "fidelity"], recommender.r2_)
    assert (table.loc[~new, "fidelity"] == 1).all()


def test_users_are_embedded_by_trained_items_alone(recommender):
    X = wide().tolil()
    X[0, 51] = 1
    expected = FactorRecommender(*BOX).fold_in(DATA.interactions)
    assert_allclose(recommender.fold_in(X.tocsr()), expected, rtol=1e-6)
    with pytest.warns(UserWarning, match="do not predict their scores"):  # and there are no users
        own_way = NewItemsRecommender(SVD, TAGS, NEW)
    assert_allclose(own_way.fold_in(X.tocsr()), SVD.transform(DATA.interactions), rtol=1e-6)


def test_a_new_item_in_the_history_is_not_listed(recommender):
    X = wide().tolil()
    X[0, 51] = 1
    explainer = TPECRExplainer(recommender).fit(X.tocsr())
    assert "b" not in set(explainer.recommend(0, 53)["item"])
    assert "a" in set(explainer.recommend(0, 53)["item"])


def test_arrays_say_the_same_as_tables(recommender):
    for dense in (True, False):
        old, new = TAGS.to_numpy(), NEW.to_numpy()
        some = (old, new) if dense else (sp.csr_matrix(old), sp.csc_matrix(new))
        other = NewItemsRecommender(BOX, *some)
        assert_array_equal(other.item_embeddings, recommender.item_embeddings)
        assert other.item_ids is None
        explainer = TPECRExplainer(other).fit(wide())
        assert explainer.explain(0, 50).scored_by_tags


def test_columns_are_matched_by_name(recommender):
    some = NEW.drop(columns=TAGS.columns[3]).iloc[:, ::-1]
    other = NewItemsRecommender(BOX, TAGS, some)
    assert_array_equal(other.item_embeddings, recommender.item_embeddings)


def test_float32_factors_stay_so():
    users, items = (factors.astype(np.float32) for factors in BOX)
    recommender = NewItemsRecommender((users, items), TAGS, NEW)
    assert recommender.item_embeddings.dtype == recommender.item_biases.dtype == np.float32
    assert recommender.score_items(users).dtype == np.float32


def test_of_a_copy_of_a_box_both_shares_are_lost():
    users, items = BOX
    scores = users @ items.T
    box = DistilledRecommender(lambda users, items: scores[users, items], n_factors=5, budget=1.0)
    box.fit(DATA.interactions)
    assert 0.6 < box.fidelity < 0.99
    recommender = NewItemsRecommender(box, TAGS, NEW)
    assert_allclose(recommender.fidelity[:50], box.fidelity)
    assert_allclose(recommender.fidelity[50:], box.fidelity * max(recommender.r2_, 0))


def test_without_users_and_with_items_all_alike():
    box = FactorRecommender(np.zeros((0, 4)), np.ones((50, 4)))
    with pytest.warns(UserWarning, match="do not predict their scores"):
        recommender = NewItemsRecommender(box, TAGS, NEW)
    assert recommender.r2_ == 0
    assert_allclose(recommender.item_embeddings, 1)


class OwnScore:
    user_embeddings = np.zeros((3, 4))

    def score_items(self, embeddings, items=None):
        return np.zeros((len(embeddings), 50))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((SVD, TAGS.iloc[:-1], NEW), "one row per item: interactions have 50"),
        ((SVD, TAGS, NEW.iloc[:, :-1].to_numpy()), "both DataFrames or both arrays"),
        ((SVD, TAGS.to_numpy(), NEW.to_numpy()[:, :-1]), "6 columns, as item_tags has, got"),
        ((SVD, TAGS.to_numpy(), NEW.to_numpy()[:0]), "a row for each new item"),
        ((SVD, TAGS, NEW.rename(columns={"tag_1": "tgu_1"})), "unknown tag 'tgu_1'; did you mean"),
        ((SVD, TAGS, TAGS.iloc[:2]), "items that are not new"),
        ((SVD, TAGS, -NEW), "finite and not negative"),
        ((SVD, TAGS, NEW.astype(float).replace(1, np.nan)), "finite and not negative"),
        ((SVD, TAGS.assign(tag_1=0), NEW), "tags have no items"),
    ],
)
def test_what_does_not_fit_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        NewItemsRecommender(*arguments)


def test_a_score_that_is_no_dot_product_is_refused():
    with pytest.raises(AdapterError, match="DistilledRecommender"):
        NewItemsRecommender(OwnScore(), TAGS, NEW)


def test_ids_that_the_model_was_trained_on_are_kept_to():
    rng = np.random.RandomState(0)
    factors = rng.normal(size=(9, 4)), rng.normal(size=(50, 4))
    named = FactorRecommender(*factors, item_ids=TAGS.index[::-1])
    with pytest.raises(ValueError, match="reindex"):
        NewItemsRecommender(named, TAGS, NEW)
    with pytest.raises(ValueError, match="must be DataFrames"):
        NewItemsRecommender(named, TAGS.to_numpy(), NEW.to_numpy())
    with pytest.warns(UserWarning, match="do not predict"):  # factors are drawn at random
        recommender = NewItemsRecommender(named, TAGS.iloc[::-1], NEW)
    assert list(recommender.item_ids[:2]) == list(TAGS.index[:-3:-1])
