"""Which rows are a recommender's users, and what the others are embedded as."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from sktpecr import TPECRExplainer
from sktpecr.recommenders import FactorRecommender
from sktpecr.recommenders._own_rows import embeddings_of_rows, own_rows

RNG = np.random.RandomState(0)
USERS, ITEMS = RNG.normal(size=(6, 3)), RNG.normal(size=(8, 3))
X = sp.csr_matrix((RNG.uniform(size=(7, 8)) < 0.5) * 1.0)
IDS = list("abcdef")
TAGS = np.eye(2)[np.arange(8) % 2]


def test_with_ids_on_both_sides_known_users_keep_their_embeddings():
    recommender = FactorRecommender(USERS, ITEMS, user_ids=IDS)
    given = ["f", "new", "a", "c", "d", "e", "b"]
    explainer = TPECRExplainer(recommender, TAGS).fit(X, user_ids=given)
    for row, user in enumerate(given):
        expected = recommender.fold_in(X[row])[0] if user == "new" else USERS[IDS.index(user)]
        np.testing.assert_allclose(explainer.user_embeddings_[row], expected)
    assert (explainer.recommender.user_embeddings == USERS).all()


def test_fewer_rows_with_ids_are_found_as_well():
    recommender = FactorRecommender(USERS, ITEMS, user_ids=IDS)
    explainer = TPECRExplainer(recommender, TAGS).fit(X[:2], user_ids=["e", "b"])
    np.testing.assert_array_equal(explainer.user_embeddings_, USERS[[4, 1]])


@pytest.mark.parametrize("n_rows", [5, 7])
def test_another_number_of_rows_without_ids_of_the_model_is_an_error(n_rows):
    explainer = TPECRExplainer(FactorRecommender(USERS, ITEMS), TAGS)
    message = f"X has {n_rows} rows, .* stores 6 users.*user_ids= .*, or users='fold_in'"
    for user_ids in (range(n_rows), None):
        with pytest.raises(ValueError, match=message):
            explainer.fit(X[:n_rows], user_ids=user_ids)
    expected = FactorRecommender(USERS, ITEMS).fold_in(X[:n_rows])
    explainer.fit(X[:n_rows], user_ids=range(n_rows), users="fold_in")
    np.testing.assert_array_equal(explainer.user_embeddings_, expected)
    copied = clone(explainer)
    with pytest.warns(UserWarning, match=message):  # as in cross-validation, which asks for nobody
        copied.fit(X[:n_rows])
    np.testing.assert_array_equal(copied.user_embeddings_, expected)
    with pytest.raises(ValueError, match=message):
        copied.fit(X[:n_rows], user_ids=range(n_rows))
    with pytest.raises(ValueError, match=message):  # what was fitted is no clone of its clone
        explainer.fit(X[:n_rows])


def test_parts_of_a_cross_validation_need_no_ids():
    explainer = TPECRExplainer(FactorRecommender(USERS, ITEMS), TAGS)
    with pytest.warns(UserWarning, match="stores 6 users"):
        assert np.isfinite(cross_val_score(explainer, X[:6], cv=2, error_score="raise")).all()


def test_fold_in_is_for_all_rows_whoever_they_are():
    recommender = FactorRecommender(USERS, ITEMS, user_ids=IDS)
    found = TPECRExplainer(recommender, TAGS).fit(X[:6], user_ids=IDS, users="fold_in")
    np.testing.assert_array_equal(found.user_embeddings_, recommender.fold_in(X[:6]))


def by_hand(recommender, rows):
    """Share of the variance over items that is left, of all users together."""
    scores, folded = USERS[rows] @ ITEMS.T, recommender.fold_in(X[rows]) @ ITEMS.T
    left, total = (
        np.square(each - each.mean(axis=1, keepdims=True)).sum()
        for each in (scores - folded, scores)
    )
    return 1 - left / total


def test_what_folding_in_costs_is_in_the_fidelity_of_who_was_folded_in():
    near = USERS + RNG.normal(size=USERS.shape) / 5
    lookup = {X[row].toarray().tobytes(): near[row] for row in range(6)}

    def fold_in(rows):
        return np.array([lookup.get(row.toarray().tobytes(), USERS[0]) for row in rows])

    recommender = FactorRecommender(USERS, ITEMS, user_ids=IDS, fold_in=fold_in)
    explainer = TPECRExplainer(recommender, TAGS).fit(X, user_ids=[*IDS, "new"])
    kept = by_hand(recommender, range(6))
    assert 0.5 < kept < 1
    assert explainer.explain("a", 0).fidelity == 1
    for folded in (explainer.explain("new", 0), explainer.explain(interactions=[1, 2], item=0)):
        assert folded.fidelity == pytest.approx(kept)
    assert explainer.contrast("new", 0, 1).fidelity == pytest.approx(kept)
    assert explainer.contrast("a", 0, 1).fidelity == 1
    table = explainer.explain_batch(["a", "new"], 2, 1).groupby("user")["fidelity"].first()
    assert table["a"] == 1
    assert table["new"] == pytest.approx(kept)


def test_where_nobody_is_stored_folding_in_is_the_model_and_costs_nothing():
    explainer = TPECRExplainer(FactorRecommender(USERS[:0], ITEMS), TAGS).fit(X)
    assert explainer.explain(3, 0).fidelity == 1
    assert explainer.explain(interactions=[1, 2], item=0).fidelity == 1


def test_stored_users_in_order_are_not_copied():
    recommender = FactorRecommender(USERS, ITEMS)
    rows = own_rows(recommender, 6, None, None)
    assert embeddings_of_rows(recommender, X[:6], rows) is recommender.user_embeddings


def test_says_what_is_wrong():
    recommender = FactorRecommender(USERS, ITEMS, user_ids=IDS)
    with pytest.raises(ValueError, match="user_ids has none of the 6 user ids"):
        own_rows(recommender, 6, range(6), None)
    with pytest.raises(ValueError, match="users must be None or 'fold_in', got 'stored'"):
        own_rows(recommender, 6, None, "stored")
