"""What each item taken adds to a score: parts that sum to the whole."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.decomposition import TruncatedSVD

from sktpecr import TagPreferenceExtractor
from sktpecr.attribution import AccountAttribution
from sktpecr.attribution._composite import CompositeFunction
from sktpecr.datasets import make_tagged_interactions
from sktpecr.explanation._evidence import EVERYBODY, evidence_table
from sktpecr.recommenders import FactorRecommender, as_recommender
from sktpecr.recommenders._fold_in import RidgeFoldIn
from sktpecr.recommenders._fold_in_parts import fold_in_parts

DATA = make_tagged_interactions(random_state=0)
X = sp.csr_matrix(DATA.interactions).astype(np.float32)
ITEMS = np.random.RandomState(0).normal(size=(X.shape[1], 6)).astype(np.float32)


def als(alpha=1.0):
    from implicit.als import AlternatingLeastSquares

    model = AlternatingLeastSquares(factors=8, alpha=alpha, random_state=0, num_threads=1)
    model.fit(X, show_progress=False)
    return as_recommender(model)


RECOMMENDERS = {
    "ALS": als,
    "ALS, confident": lambda: als(alpha=7.0),
    "SVD": lambda: as_recommender(TruncatedSVD(8, random_state=0).fit(X)),
    "ridge": lambda: FactorRecommender(ITEMS[:5], ITEMS),
    "ridge of a length": lambda: FactorRecommender(
        ITEMS[:5], ITEMS, fold_in=RidgeFoldIn(ITEMS, alpha=10.0, length=2.0)
    ),
}


@pytest.mark.parametrize("name", RECOMMENDERS)
@pytest.mark.parametrize("value", [1.0, 3.0])
def test_parts_sum_to_the_embedding(name, value):
    recommender = RECOMMENDERS[name]()
    for user in (0, 3):
        row = value * X[user]
        parts = fold_in_parts(recommender, row)
        assert parts.shape == (row.nnz, recommender.item_embeddings.shape[1])
        np.testing.assert_allclose(
            parts.sum(axis=0), recommender.fold_in(row)[0], rtol=1e-3, atol=1e-4
        )


def test_no_parts_where_folding_in_is_code():
    assert fold_in_parts(FactorRecommender(ITEMS[:5], ITEMS, fold_in=lambda X: X), X[0]) is None


def test_parts_of_a_linear_fold_in_are_what_is_lost_without_the_item():
    recommender = RECOMMENDERS["SVD"]()
    row = X[0]
    without = row.copy()
    without.data[2] = 0
    without.eliminate_zeros()
    lost = recommender.fold_in(row)[0] - recommender.fold_in(without)[0]
    np.testing.assert_allclose(fold_in_parts(recommender, row)[2], lost, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("level", ["regression", "difference", "none"])
def test_evidence_sums_to_contributions_and_score(level):
    recommender = als()
    extractor = TagPreferenceExtractor(recommender, DATA.item_tags).fit(X)
    users = recommender.user_embeddings.astype(np.float64)
    preferences = extractor.tag_preferences(users)
    account = AccountAttribution(level=level, random_state=0).fit(
        CompositeFunction(recommender, None),
        preferences,
        users,
        item_tags=np.asarray(DATA.item_tags),
        tag_matrix=extractor.tag_matrix_,
    )
    item = int(np.argmax(np.diff(account.weights_.indptr)))
    parts = fold_in_parts(recommender, X[5])
    table = evidence_table(
        account,
        item,
        recommender.item_embeddings[item].astype(np.float64),
        extractor.tag_matrix_,
        users[5] - users.mean(axis=0),
        parts,
        X[5].indices,
        extractor.tag_names_,
    )
    told = account.attribute(preferences[5], users[5], [item])
    tags = account.weights_[item].indices
    assert len(tags) > 1
    np.testing.assert_allclose(
        table.sum(axis=0)[extractor.tag_names_[tags]], told.contributions[0, tags], atol=1e-6
    )
    moved = told.values[0] - account.average_scores_[item]
    assert table.to_numpy().sum() == pytest.approx(moved, abs=1e-5)
    np.testing.assert_allclose(
        table.sum(axis=1).drop(EVERYBODY), parts @ recommender.item_embeddings[item], rtol=1e-5
    )


def test_directions_need_a_dot_product():
    account = AccountAttribution(random_state=0)
    recommender = FactorRecommender(ITEMS[:50], ITEMS)
    preferences = (
        TagPreferenceExtractor(recommender, DATA.item_tags).fit(X).tag_preferences(ITEMS[:50])
    )
    account.fit(
        CompositeFunction(recommender, None),
        preferences,
        ITEMS[:50],
        item_tags=np.asarray(DATA.item_tags),
    )
    with pytest.raises(ValueError, match="directions needs a score that is a dot product"):
        account.directions(0, np.zeros((5, 6)))
