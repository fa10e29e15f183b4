"""The closed-form generator."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.covariance import ledoit_wolf
from sklearn.decomposition import TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline

from sktpecr import GaussianGenerator, TagPreferenceExtractor


def linear_data(seed=0, n_users=200, n_factors=6, n_tags=3, noise=0.0):
    """Return tag preferences, correlated embeddings, and the map from one to the other."""
    rng = np.random.RandomState(seed)
    E = rng.normal(size=(n_users, n_factors)) @ rng.normal(size=(n_factors, n_factors))
    E += rng.normal(size=n_factors)
    M = rng.normal(size=(n_tags, n_factors))
    C = E @ M.T + rng.normal(size=n_tags)
    return C + noise * rng.normal(size=C.shape), E, M


@pytest.mark.parametrize("noise", [0.0, 2.0])
def test_gain_is_the_population_regression_without_shrinkage(noise):
    C, E, _ = linear_data(noise=noise)
    generator = GaussianGenerator(shrinkage=0.0, regularization=0.0).fit(C, E)
    np.testing.assert_allclose(generator.gain_, LinearRegression().fit(C, E).coef_, rtol=1e-8)
    centred = np.linalg.lstsq(C - C.mean(axis=0), E - E.mean(axis=0), rcond=None)[0].T
    np.testing.assert_allclose(generator.gain_, centred, rtol=1e-8)


def test_prediction_is_the_population_regression_without_shrinkage():
    C, E, _ = linear_data(noise=1.0)
    generator = GaussianGenerator(shrinkage=0.0, regularization=0.0).fit(C, E)
    expected = LinearRegression().fit(C, E).predict(C[:20])
    np.testing.assert_allclose(generator.predict(C[:20]), expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("shrinkage", ["ledoit-wolf", 0.0, 0.5, 1.0])
def test_swapped_tag_preferences_are_met(shrinkage):
    C, E, M = linear_data()
    generator = GaussianGenerator(shrinkage=shrinkage).fit(C, E)
    wanted = np.roll(C, 1, axis=0)
    met = C + (generator.generate(wanted, E) - E) @ M.T
    assert np.mean((wanted - C) ** 2) > 1.0
    assert np.mean((met - wanted) ** 2) <= 1e-10


def test_what_is_generated_is_nearest_to_the_users_own_embedding():
    """KKT conditions of: least Mahalanobis distance to e such that M e' = M e + c' - c."""
    C, E, M = linear_data()
    generator = GaussianGenerator(regularization=0.0).fit(C, E)
    precision = np.linalg.inv(ledoit_wolf(E)[0])
    wanted = np.random.RandomState(1).normal(size=(5, 3))
    system = np.block([[precision, M.T], [M, np.zeros((3, 3))]])
    for e, own, c in zip(E[:5], C[:5], wanted, strict=True):
        goal = np.concatenate([precision @ e, M @ e + c - own])
        expected = np.linalg.solve(system, goal)[:6]
        np.testing.assert_allclose(generator.generate([c], [e])[0], expected, rtol=1e-7, atol=1e-8)


def test_no_search_finds_a_nearer_embedding():
    C, E, M = linear_data(n_factors=4, n_tags=2)
    generator = GaussianGenerator(shrinkage=0.0).fit(C, E)
    precision = np.linalg.inv(np.cov(E.T, bias=True))
    e, wanted = E[0], C[1]
    found = minimize(
        lambda x: (x - e) @ precision @ (x - e),
        np.zeros(4),
        method="SLSQP",
        constraints={"type": "eq", "fun": lambda x: M @ (x - e) - (wanted - C[0])},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert found.success
    np.testing.assert_allclose(generator.generate([wanted], [e])[0], found.x, rtol=1e-4, atol=1e-5)


def test_noise_is_conditioned_on_as_in_the_textbook():
    """Bishop 2.81: E[e | c] = mean_e + S_ec S_cc^-1 (c - mean_c), of the joint covariance."""
    C, E, _ = linear_data(noise=1.5)
    joint = np.cov(np.hstack([E, C]).T, bias=True)
    S_ee, S_ec, S_cc = joint[:6, :6], joint[:6, 6:], joint[6:, 6:]
    generator = GaussianGenerator(shrinkage=0.0, regularization=0.0).fit(C, E)
    wanted = np.random.RandomState(1).normal(size=(4, 3))
    expected = E.mean(axis=0) + (wanted - C.mean(axis=0)) @ np.linalg.inv(S_cc).T @ S_ec.T
    np.testing.assert_allclose(generator.predict(wanted), expected, rtol=1e-8)
    M = S_ec.T @ np.linalg.inv(S_ee)
    np.testing.assert_allclose(generator.tag_matrix_, M, rtol=1e-8)
    own = C.mean(axis=0) + (E[:4] - E.mean(axis=0)) @ M.T
    moved = E[:4] + (wanted - own) @ np.linalg.inv(S_cc).T @ S_ec.T
    np.testing.assert_allclose(generator.generate(wanted, E[:4]), moved, rtol=1e-8)


def test_noise_makes_moves_smaller():
    C, E, M = linear_data()
    noisy, *_ = linear_data(noise=5.0)
    exact = GaussianGenerator(shrinkage=0.0).fit(C, E, tag_matrix=M)
    careful = GaussianGenerator(shrinkage=0.0).fit(noisy, E)
    assert careful.linearity_ < 0.9 < exact.linearity_ == 1.0
    assert np.linalg.norm(careful.gain_) < 0.9 * np.linalg.norm(exact.gain_)


def test_more_tags_than_factors_give_the_same_gain_by_the_smaller_system():
    random = np.random.RandomState(0)
    E, M = random.normal(size=(300, 5)), random.normal(size=(12, 5))
    C = E @ M.T
    generator = GaussianGenerator(regularization=1e-3).fit(C, E, tag_matrix=M)
    centred = E - E.mean(axis=0)
    S, _ = ledoit_wolf(centred, assume_centered=True)
    MSM = M @ S @ M.T
    ridge = 1e-3 * np.trace(MSM) / 12 * np.eye(12)
    expected = S @ M.T @ np.linalg.inv(MSM + ridge)
    np.testing.assert_allclose(generator.gain_, expected, rtol=1e-6, atol=1e-9)


def test_shrinkage_is_ledoit_and_wolfs():
    C, E, M = linear_data(n_users=15)
    covariance, shrinkage = ledoit_wolf(E)
    generator = GaussianGenerator(regularization=0.0).fit(C, E, tag_matrix=M)
    assert 0 < shrinkage < 1
    assert generator.shrinkage_ == pytest.approx(shrinkage, rel=1e-10)
    gain = covariance @ M.T @ np.linalg.inv(M @ covariance @ M.T)
    np.testing.assert_allclose(generator.gain_, gain, rtol=1e-7)


def test_full_shrinkage_is_the_pseudo_inverse():
    C, E, M = linear_data()
    generator = GaussianGenerator(shrinkage=1.0, regularization=0.0).fit(C, E)
    np.testing.assert_allclose(generator.gain_, np.linalg.pinv(M), rtol=1e-8)
    assert generator.shrinkage_ == 1.0


def test_regularization_is_relative_to_the_mean_variance_of_tag_preferences():
    C, E, M = linear_data()
    S = np.cov(E.T, bias=True)
    MSM = M @ S @ M.T
    gain = S @ M.T @ np.linalg.inv(MSM + 0.3 * np.trace(MSM) / 3 * np.eye(3))
    generator = GaussianGenerator(shrinkage=0.0, regularization=0.3).fit(C, E)
    np.testing.assert_allclose(generator.gain_, gain, rtol=1e-8)
    scaled = GaussianGenerator(shrinkage=0.0, regularization=0.3).fit(1000 * C, E)
    np.testing.assert_allclose(scaled.gain_, gain / 1000, rtol=1e-8)


def test_few_users_meet_any_tag_preferences_where_the_map_is_known():
    C, E, M = linear_data(n_users=4, n_factors=10, n_tags=6)
    generator = GaussianGenerator().fit(C, E, tag_matrix=M)
    wanted = np.random.RandomState(1).normal(size=C.shape)
    met = C + (generator.generate(wanted, E) - E) @ M.T
    np.testing.assert_allclose(met, wanted, atol=1e-5)
    assert generator.linearity_ == pytest.approx(1.0)


def test_few_users_without_the_map_still_keep_what_they_have():
    C, E, _ = linear_data(n_users=4, n_factors=10, n_tags=6)
    generator = GaussianGenerator().fit(C, E)
    np.testing.assert_allclose(generator.generate(C, E), E, rtol=1e-9)


def test_one_user_has_no_population_to_move_in():
    C, E, M = linear_data(n_users=1)
    generator = GaussianGenerator().fit(C, E, tag_matrix=M)
    np.testing.assert_array_equal(generator.gain_, np.zeros((6, 3)))
    np.testing.assert_array_equal(generator.generate(C + 1.0, E), E)
    np.testing.assert_array_equal(generator.predict(C + 1.0), E)


def test_one_tag_is_enough():
    C, E, M = linear_data(n_tags=1)
    generator = GaussianGenerator().fit(C, E)
    met = C + (generator.generate(C + 2.0, E) - E) @ M.T
    np.testing.assert_allclose(met, C + 2.0, rtol=1e-6, atol=1e-6)


def test_one_factor_is_enough():
    C, E, M = linear_data(n_factors=1, n_tags=1)
    generator = GaussianGenerator().fit(C, E)
    np.testing.assert_allclose(generator.gain_, 1 / M, rtol=1e-6)
    assert generator.shrinkage_ == 0.0


@pytest.mark.parametrize("regularization", [0.0, 1e-8])
def test_the_same_tag_twice_is_met_twice(regularization):
    C, E, M = linear_data()
    twice = [0, 0, 1]
    generator = GaussianGenerator(regularization=regularization).fit(C[:, twice], E)
    wanted = np.random.RandomState(1).normal(size=C.shape)[:, twice]
    met = C[:, twice] + (generator.generate(wanted, E) - E) @ M[twice].T
    np.testing.assert_allclose(met, wanted, atol=1e-6)
    np.testing.assert_allclose(generator.gain_[:, 0], generator.gain_[:, 1], rtol=1e-5, atol=1e-9)


def test_more_tags_than_factors_are_met_where_embeddings_reach():
    C, E, _ = linear_data(n_factors=3, n_tags=8)
    generator = GaussianGenerator().fit(C, E)
    other = np.roll(E, 1, axis=0)
    found = generator.generate(np.roll(C, 1, axis=0), E)
    np.testing.assert_allclose(found, other, atol=1e-5)


def test_a_tag_that_nobody_differs_on_moves_nobody():
    C, E, _ = linear_data()
    C[:, 1] = 4.0
    generator = GaussianGenerator().fit(C, E)
    np.testing.assert_allclose(generator.gain_[:, 1], np.zeros(6), atol=1e-6)
    edited = C.copy()
    edited[:, 1] += 1.0
    np.testing.assert_allclose(generator.generate(edited, E), E, atol=1e-6)


def test_users_who_are_all_alike_move_nowhere():
    generator = GaussianGenerator().fit(np.full((9, 2), 3.0), np.full((9, 4), 2.0))
    np.testing.assert_array_equal(generator.predict([[0.0, 9.0]]), np.full((1, 4), 2.0))
    assert generator.linearity_ == 1.0


def test_linearity_is_1_where_tag_preferences_are_linear():
    C, E, M = linear_data()
    assert GaussianGenerator().fit(C, E).linearity_ == pytest.approx(1.0, abs=1e-12)
    assert GaussianGenerator().fit(C, E, tag_matrix=M).linearity_ == pytest.approx(1.0, abs=1e-12)


def test_linearity_is_the_r2_of_the_regression_on_embeddings():
    C, E, _ = linear_data()
    C = np.tanh(C)
    fitted = LinearRegression().fit(E, C).predict(E)
    expected = r2_score(C, fitted, multioutput="variance_weighted")
    assert expected < 0.99
    assert GaussianGenerator().fit(C, E).linearity_ == pytest.approx(expected, rel=1e-10)


def test_prediction_is_what_the_average_user_would_get():
    C, E, _ = linear_data(noise=0.5)
    generator = GaussianGenerator().fit(C, E)
    average = np.tile(E.mean(axis=0), (10, 1))
    np.testing.assert_allclose(generator.predict(C[:10]), generator.generate(C[:10], average))
    np.testing.assert_allclose(generator.predict([C.mean(axis=0)])[0], E.mean(axis=0))


def test_float32_gives_the_same_up_to_its_precision():
    C, E, M = linear_data()
    exact = GaussianGenerator().fit(C, E, tag_matrix=M)
    rounded = GaussianGenerator().fit(C.astype(np.float32), E.astype(np.float32), tag_matrix=M)
    np.testing.assert_allclose(rounded.gain_, exact.gain_, rtol=1e-4, atol=1e-5)
    wanted = np.roll(C, 1, axis=0).astype(np.float32)
    found = rounded.generate(wanted, E.astype(np.float32))
    np.testing.assert_allclose(found, exact.generate(wanted, E), rtol=1e-3, atol=1e-3)


def test_one_dimensional_target_gives_one_dimensional_predictions():
    C, E, _ = linear_data()
    flat = GaussianGenerator().fit(C, E[:, 0]).predict(C)
    assert flat.shape == (200,)
    np.testing.assert_array_equal(flat, GaussianGenerator().fit(C, E[:, :1]).predict(C)[:, 0])


def test_last_step_of_a_pipeline_predicts_embeddings(data):
    svd = TruncatedSVD(6, random_state=0).fit(data.interactions)
    E = svd.transform(data.interactions)
    pipeline = make_pipeline(TagPreferenceExtractor(svd, data.item_tags), GaussianGenerator())
    found = pipeline.fit(data.interactions, E).predict(data.interactions)
    C = E @ pipeline[0].tag_matrix_.T
    expected = GaussianGenerator().fit(C, E).predict(C)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    assert pipeline.score(data.interactions, E) > 0.2


def test_pickled_generator_generates_identically():
    C, E, _ = linear_data()
    generator = GaussianGenerator().fit(C, E)
    again = pickle.loads(pickle.dumps(generator))
    np.testing.assert_array_equal(again.generate(C[::-1], E), generator.generate(C[::-1], E))


def test_nothing_given_is_modified():
    C, E, M = linear_data()
    before = C.copy(), E.copy(), M.copy()
    GaussianGenerator().fit(C, E, tag_matrix=M).generate(C, E)
    for old, new in zip(before, (C, E, M), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"regularization": -1.0}, "'regularization' parameter"),
        ({"shrinkage": 1.5}, "'shrinkage' parameter"),
        ({"shrinkage": "oas"}, "'shrinkage' parameter"),
    ],
)
def test_impossible_parameters_are_refused(parameters, message):
    C, E, _ = linear_data()
    with pytest.raises(ValueError, match=message):
        GaussianGenerator(**parameters).fit(C, E)


def test_impossible_data_is_refused():
    C, E, M = linear_data()
    with pytest.raises(ValueError, match="contains NaN"):
        GaussianGenerator().fit(np.where(C > 0, C, np.nan), E)
    with pytest.raises(ValueError, match="contains NaN"):
        GaussianGenerator().fit(C, np.where(E > 0, E, np.nan))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        GaussianGenerator().fit(C, E[:-1])
    for wrong in (M.T, M[:1], M[:, :1]):
        with pytest.raises(ValueError, match=r"tag_matrix must have shape .* = \(3, 6\), got"):
            GaussianGenerator().fit(C, E, tag_matrix=wrong)


@pytest.mark.parametrize("n_columns", [1, 2, 4])
def test_tag_preferences_of_another_number_of_tags_are_refused(n_columns):
    C, E, _ = linear_data()
    generator = GaussianGenerator().fit(C, E)
    with pytest.raises(ValueError, match="must have 3 columns, one per tag of fit"):
        generator.generate(np.ones((200, n_columns)), E)
    with pytest.raises(ValueError, match="expecting 3 features"):
        generator.predict(np.ones((200, n_columns)))


def test_unfitted_generator_says_so():
    C, E, _ = linear_data()
    with pytest.raises(NotFittedError, match="not fitted yet"):
        GaussianGenerator().predict(C)
    with pytest.raises(NotFittedError, match="not fitted yet"):
        GaussianGenerator().generate(C, E)


SEEDS = st.integers(0, 2**32 - 1)
SIZES = st.integers(1, 6)


@given(seed=SEEDS, n_users=st.integers(1, 30), n_factors=SIZES, n_tags=SIZES)
def test_own_tag_preferences_give_the_own_embedding(seed, n_users, n_factors, n_tags):
    C, E, M = linear_data(seed, n_users, n_factors, n_tags)
    generator = GaussianGenerator().fit(C, E, tag_matrix=M)
    tolerance = 1e-6 * (1.0 + np.abs(E).max())
    np.testing.assert_allclose(generator.generate(C, E), E, atol=tolerance, rtol=0)


@given(seed=SEEDS, share=st.floats(-2, 3), noise=st.sampled_from([0.0, 1.0]))
def test_what_is_generated_is_affine_in_tag_preferences(seed, share, noise):
    C, E, _ = linear_data(seed, n_users=12, noise=noise)
    generator = GaussianGenerator().fit(C, E)
    first, second = C[::-1], np.roll(C, 3, axis=0)
    mixed = generator.generate(share * first + (1 - share) * second, E)
    expected = share * generator.generate(first, E) + (1 - share) * generator.generate(second, E)
    np.testing.assert_allclose(mixed, expected, atol=1e-6 * (1.0 + np.abs(expected).max()))


@given(seed=SEEDS, order=st.permutations(range(4)), noise=st.sampled_from([0.0, 1.0]))
def test_order_of_tags_does_not_matter(seed, order, noise):
    C, E, _ = linear_data(seed, n_users=40, n_tags=4, noise=noise)
    gain = GaussianGenerator(regularization=1e-3).fit(C, E).gain_
    permuted = GaussianGenerator(regularization=1e-3).fit(C[:, order], E).gain_
    np.testing.assert_allclose(permuted, gain[:, order], rtol=1e-6, atol=1e-8)
