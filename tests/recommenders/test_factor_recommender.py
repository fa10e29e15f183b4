"""The recommender whose score is a dot product."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.linear_model import Ridge

from sktpecr.recommenders import FactorRecommender
from sktpecr.recommenders._factor_recommender import check_factors
from sktpecr.recommenders._fold_in import RidgeFoldIn


@pytest.fixture
def factors():
    rng = np.random.RandomState(0)
    return rng.normal(size=(7, 3)), rng.normal(size=(5, 3)), rng.normal(size=5)


def test_scores_are_dot_products_plus_biases(factors):
    users, items, biases = factors
    scores = FactorRecommender(*factors).score_items(users)
    assert scores.shape == (7, 5)
    for u in range(7):
        for v in range(5):
            expected = sum(users[u, k] * items[v, k] for k in range(3)) + biases[v]
            assert scores[u, v] == pytest.approx(expected, rel=1e-12)


def test_biases_are_zero_by_default(factors):
    users, items, _ = factors
    recommender = FactorRecommender(users, items)
    np.testing.assert_array_equal(recommender.item_biases, np.zeros(5))
    np.testing.assert_allclose(recommender.score_items(users), users @ items.T, rtol=1e-12)


@pytest.mark.parametrize("items", [[3], [4, 0, 0], np.array([2, 1]), range(5), []])
def test_some_items_score_as_they_do_among_all(factors, items):
    recommender = FactorRecommender(*factors)
    items = np.asarray(items, dtype=int)
    some = recommender.score_items(factors[0], items)
    everything = recommender.score_items(factors[0])
    assert some.shape == (7, len(items))
    np.testing.assert_allclose(some, everything[:, items], rtol=1e-12)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (np.float16, np.float32),
        (np.float32, np.float32),
        (np.float64, np.float64),
        (np.int64, np.float64),
        (np.uint8, np.float64),
        (bool, np.float64),
    ],
)
def test_float32_and_float64_are_kept_and_the_rest_becomes_one_of_them(given, kept):
    users = np.array([[1, 0], [1, 1], [0, 1]]).astype(given)
    items = np.array([[0, 1], [1, 1]]).astype(given)
    recommender = FactorRecommender(users, items)
    for array in (recommender.user_embeddings, recommender.item_embeddings):
        assert array.dtype == kept
    scores = recommender.score_items(recommender.user_embeddings)
    assert scores.dtype == kept
    np.testing.assert_array_equal(scores, [[0, 1], [1, 2], [1, 1]])
    assert recommender.fold_in(np.eye(1, 2)).dtype == kept


def test_lists_do_as_well_as_arrays():
    recommender = FactorRecommender([[1, 2]], [[3, 4], [5, 6]], [0.5, -0.5])
    np.testing.assert_array_equal(recommender.score_items([[1, 2]]), [[11.5, 16.5]])


def test_no_user_need_be_known():
    recommender = FactorRecommender(np.empty((0, 2)), np.eye(3, 2))
    assert recommender.score_items(recommender.user_embeddings).shape == (0, 3)
    assert recommender.fold_in(np.eye(2, 3)).shape == (2, 2)


def test_repr_says_how_large_it_is(factors):
    assert repr(FactorRecommender(*factors)) == "FactorRecommender(7 users, 5 items, 3 factors)"


@pytest.mark.parametrize(
    ("users", "items", "biases", "message"),
    [
        (np.ones((2, 3)), np.ones((3, 7)), None, "got 3 and 7; is one of them transposed"),
        (
            np.ones(3),
            np.ones((5, 3)),
            None,
            r"user_factors must be a 2-d array .* got shape \(3,\)",
        ),
        (np.ones((2, 3)), np.ones((1, 5, 3)), None, "item_factors must be a 2-d array"),
        (np.ones((2, 3)), np.ones((5, 3)), np.ones(4), r"one value per item \(5\), got 4"),
        (np.ones((2, 3)), np.ones((5, 3)), np.ones((5, 1)), "item_biases must be a 1-d array"),
        ([["a", "b"]], np.ones((5, 2)), None, "user_factors must be a 2-d array of numbers"),
        (None, np.ones((5, 2)), None, "user_factors must be a 2-d array of numbers"),
        (1j * np.ones((2, 2)), np.ones((5, 2)), None, "user_factors must be real"),
    ],
)
def test_factors_that_do_not_fit_are_named(users, items, biases, message):
    with pytest.raises(ValueError, match=message):
        FactorRecommender(users, items, biases)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_nan_and_infinite_factors_are_counted_and_located(factors, bad, which):
    damaged = [array.copy() for array in factors]
    damaged[which][2:4] = bad
    name = ("user_factors", "item_factors", "item_biases")[which]
    n_bad, first = (2, r"\(2,\)") if which == 2 else (6, r"\(2, 0\)")
    with pytest.raises(ValueError, match=rf"{name} has {n_bad} NaN .* the first at {first}"):
        FactorRecommender(*damaged)


def test_what_lies_on_a_gpu_is_brought_to_the_host():
    class Matrix:
        def to_numpy(self):
            return np.arange(6, dtype=np.float32).reshape(2, 3)

    array = check_factors(Matrix(), "factors", ndim=2)
    assert type(array) is np.ndarray
    np.testing.assert_array_equal(array, [[0, 1, 2], [3, 4, 5]])


def test_fold_in_is_ridge_regression_on_the_item_factors(factors):
    _, items, _ = factors
    X = sp.random(4, 5, density=0.6, random_state=0, format="csr")
    alpha = 1e-2 * np.trace(items.T @ items) / 3
    expected = Ridge(alpha, fit_intercept=False).fit(items, X.toarray().T).coef_
    recommender = FactorRecommender(*factors)
    np.testing.assert_allclose(recommender.fold_in(X), expected, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(recommender.fold_in(X.toarray()), expected, rtol=1e-8, atol=1e-12)


def test_fold_in_embeds_rows_independently_and_empty_rows_at_zero(factors):
    X = sp.random(4, 5, density=0.6, random_state=0, format="lil")
    X[2] = 0
    recommender = FactorRecommender(*factors)
    together = recommender.fold_in(X.tocsr())
    alone = np.vstack([recommender.fold_in(X.tocsr()[row]) for row in range(4)])
    np.testing.assert_allclose(together, alone, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(together[2], np.zeros(3))
    assert recommender.fold_in(X.tocsr()[:0]).shape == (0, 3)


def test_fold_in_finds_the_user_behind_a_row_of_scores():
    rng = np.random.RandomState(1)
    users, items = rng.normal(size=(4, 3)), rng.normal(size=(50, 3))
    found = RidgeFoldIn(items, alpha=1e-10)(sp.csr_matrix(users @ items.T))
    np.testing.assert_allclose(found, users, rtol=1e-7)


def test_fold_in_survives_item_factors_that_are_all_zero():
    found = RidgeFoldIn(np.zeros((5, 3)))(sp.csr_matrix(np.ones((2, 5))))
    np.testing.assert_array_equal(found, np.zeros((2, 3)))


def test_fold_in_can_give_every_active_user_the_same_length(factors):
    _, items, _ = factors
    X = sp.csr_matrix(np.array([[1.0, 0, 2, 0, 0], [0, 0, 0, 0, 0], [0, 1, 1, 1, 3]]))
    plain = RidgeFoldIn(items, alpha=10.0)(X)
    scaled = RidgeFoldIn(items, alpha=10.0, length=2.5)(X)
    np.testing.assert_allclose(np.linalg.norm(scaled, axis=1), [2.5, 0.0, 2.5])
    for row in (0, 2):
        cosine = plain[row] @ scaled[row] / np.linalg.norm(plain[row]) / 2.5
        assert cosine == pytest.approx(1.0)


def test_a_model_may_bring_its_own_fold_in(factors):
    seen = []

    def fold_in(X):
        seen.append(X)
        return X.toarray()[:, :3].astype(np.float64)

    users, items, biases = (array.astype(np.float32) for array in factors)
    recommender = FactorRecommender(users, items, biases, fold_in=fold_in)
    X = np.arange(10.0).reshape(2, 5)
    embeddings = recommender.fold_in(X)
    assert sp.issparse(seen[0])
    assert seen[0].format == "csr"
    assert embeddings.dtype == np.float32
    np.testing.assert_array_equal(embeddings, X[:, :3])
