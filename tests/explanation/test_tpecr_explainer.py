"""The main path: fit, explain, profile, recommend, score."""

import pickle
import threading

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from implicit.lmf import LogisticMatrixFactorization
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.decomposition import NMF, PCA, TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sktpecr import CVAEGenerator, GaussianGenerator, TagPreferenceExtractor, TPECRExplainer
from sktpecr.attribution import AccountAttribution, ExactAttribution
from sktpecr.datasets import make_tagged_interactions
from sktpecr.evaluation import swap_score


@pytest.fixture(scope="module")
def data():
    return make_tagged_interactions(n_users=120, n_items=150, n_tags=6, random_state=0)


def train(model, interactions):
    model.fit(interactions, show_progress=False)
    return model


@pytest.fixture(scope="module")
def als(data):
    return train(AlternatingLeastSquares(factors=16, random_state=0), data.interactions)


@pytest.fixture(scope="module")
def explainer(als, data):
    return TPECRExplainer(als, item_tags=data.item_tags).fit(
        data.interactions, user_ids=data.user_ids, item_names=data.item_names
    )


MODELS = {
    "als": lambda X: train(AlternatingLeastSquares(factors=8, random_state=0), X),
    "bpr": lambda X: train(
        BayesianPersonalizedRanking(factors=8, random_state=0, num_threads=1), X
    ),
    "lmf": lambda X: train(
        LogisticMatrixFactorization(factors=8, random_state=0, num_threads=1), X
    ),
    "svd": lambda X: TruncatedSVD(8, random_state=0).fit(X),
    "nmf": lambda X: NMF(8, random_state=0, init="nndsvda", max_iter=500, tol=1e-3).fit(X),
    "pca": lambda X: PCA(8, random_state=0).fit(X.toarray()),
    "arrays": lambda X: (
        np.random.RandomState(0).normal(size=(X.shape[0], 8)),
        np.random.RandomState(1).normal(size=(X.shape[1], 8)),
        np.random.RandomState(2).normal(size=X.shape[1]),
    ),
}


def library_scores(model, X):
    """Return all scores as the library itself computes them."""
    if isinstance(model, tuple):
        users, items, biases = model
        return users @ items.T + biases
    if hasattr(model, "user_factors"):
        return model.user_factors @ model.item_factors.T
    dense = X.toarray() if isinstance(model, PCA) else X
    return model.inverse_transform(model.transform(dense))


@pytest.mark.parametrize("name", MODELS)
def test_base_contributions_and_residual_sum_to_the_librarys_own_score(name, data):
    model = MODELS[name](data.interactions)
    explainer = TPECRExplainer(model, data.item_tags).fit(data.interactions)
    scores = library_scores(model, data.interactions)
    for user in range(0, 120, 10):
        for item in range(0, 150, 7):
            explanation = explainer.explain(user, data.item_ids[item])
            parts = explanation.base_value + explanation.contributions.sum() + explanation.residual
            tolerance = 1e-6 * np.abs(scores[user]).max() + 1e-12
            assert abs(parts - scores[user, item]) <= tolerance
            assert explanation.fidelity == 1.0


def test_parts_equal_the_formulas_of_the_method(als, data):
    """Brute force: w = K^T e_v, residual = e_v^T (I - K M)(e_u - mean)."""
    explainer = TPECRExplainer(
        als,
        data.item_tags,
        generator=GaussianGenerator(shrinkage=0.0),
        attribution=ExactAttribution(),
    ).fit(data.interactions)
    E, V = als.user_factors.astype(float), als.item_factors.astype(float)
    A = data.item_tags.to_numpy(dtype=float)
    M = (A / A.sum(axis=0)).T @ V
    S = np.cov(E.T, bias=True)
    MSM = M @ S @ M.T
    K = S @ M.T @ np.linalg.inv(MSM + 1e-8 * np.trace(MSM) / len(MSM) * np.eye(len(MSM)))
    for user, item in ((0, 3), (17, 99), (119, 0)):
        explanation = explainer.explain(user, data.item_ids[item])
        moved = E[user] - E.mean(axis=0)
        assert explanation.base_value == pytest.approx(E.mean(axis=0) @ V[item], rel=1e-5)
        np.testing.assert_allclose(explanation.tag_preferences, M @ E[user], rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(
            explanation.contributions, (K.T @ V[item]) * (M @ moved), rtol=1e-3, atol=1e-5
        )
        residual = V[item] @ (np.eye(len(K)) - K @ M) @ moved
        assert explanation.residual == pytest.approx(residual, abs=1e-5)


def test_importances_are_what_a_standard_deviation_more_of_the_tag_does(als, data):
    explainer = TPECRExplainer(als, data.item_tags, attribution=ExactAttribution())
    explainer.fit(data.interactions, user_ids=data.user_ids)
    explanation = explainer.explain(data.user_ids[5], data.item_ids[8])
    own = explainer.user_embeddings_[[5]]
    for t, importance in enumerate(explanation.importances):
        edited = explanation.tag_preferences.copy()
        edited[t] += explainer.population_std_[t]
        moved = explainer.composite_([edited], own, [8])[0, 0]
        assert moved - explanation.prediction == pytest.approx(importance, abs=1e-5)


def test_swapped_tag_preferences_are_met(explainer, data):
    """Table 4's protocol, bar of 1e-10 on the raw mean squared error."""
    E, C = explainer.user_embeddings_, explainer.tag_preferences_
    wanted = np.roll(C, 1, axis=0)
    met = explainer.extractor_.tag_preferences(explainer.generator_.generate(wanted, E))
    assert np.mean((met - wanted) ** 2) <= 1e-10
    assert swap_score(explainer, data.interactions) > 1 - 1e-9


def test_raw_ids_go_in_and_names_come_out(als, data):
    names = pd.Series([f"Film {i}" for i in range(150)], index=data.item_ids)
    explainer = TPECRExplainer(als, item_tags=data.item_tags).fit(
        data.interactions, user_ids=data.user_ids, item_names=names
    )
    explanation = explainer.explain(data.user_ids[3], data.item_ids[11])
    assert explanation.user == data.user_ids[3]
    assert explanation.item == data.item_ids[11]
    assert explanation.item_name == "Film 11"
    listed = explainer.recommend(data.user_ids[3], 5)
    assert list(listed.columns) == ["item", "name", "score", "rank"]
    assert (listed["name"] == names[listed["item"]].to_numpy()).all()


def test_fit_may_be_left_out_for_a_model_that_stores_its_users(als, data, explainer):
    unfitted = TPECRExplainer(als, item_tags=data.item_tags)
    explanation = unfitted.explain(7, data.item_ids[11])
    assert explanation.score == explainer.explain(data.user_ids[7], data.item_ids[11]).score
    by_number = TPECRExplainer(als, item_tags=data.item_tags.to_numpy()).explain(7, 11)
    np.testing.assert_array_equal(by_number.contributions, explanation.contributions)


def test_fitting_itself_once_is_safe_between_threads(als, data):
    explainer = TPECRExplainer(als, item_tags=data.item_tags)
    seen, errors = [], []

    def work():
        try:
            explainer.explain(0, data.item_ids[0])
            seen.append(explainer.generator_)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len({id(generator) for generator in seen}) == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda data: TPECRExplainer(TruncatedSVD(4)),
        lambda data: TPECRExplainer(TruncatedSVD(4).fit(data.interactions)),
        lambda data: TPECRExplainer(AlternatingLeastSquares(factors=4)),
        lambda data: TPECRExplainer(
            MODELS["als"](data.interactions), generator=GaussianGenerator()
        ),
        lambda data: TPECRExplainer("no model"),
    ],
)
def test_everything_else_unfitted_says_so(make, data):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        make(data).explain(0, 0)


def test_clone_and_grid_search_share_the_model_and_never_refit_it(als, data, monkeypatch):
    monkeypatch.setattr(als, "fit", lambda *_, **__: pytest.fail("the model was refitted"))
    before = als.user_factors.copy(), als.item_factors.copy()
    explainer = TPECRExplainer(als, data.item_tags, generator=GaussianGenerator())
    copied = clone(explainer)
    assert copied.recommender is als
    assert copied.item_tags is data.item_tags
    assert copied.generator is not explainer.generator
    search = GridSearchCV(explainer, {"generator__regularization": [1e-8, 1e6]}, cv=3)
    search.fit(data.interactions, users="fold_in")
    assert search.best_params_ == {"generator__regularization": 1e-8}
    assert search.best_estimator_.recommender is als
    np.testing.assert_array_equal(before[0], als.user_factors)
    np.testing.assert_array_equal(before[1], als.item_factors)


def test_clone_and_pickle_explain_identically(explainer, data):
    first = explainer.explain(data.user_ids[2], data.item_ids[3])
    cloned = clone(explainer).fit(data.interactions, user_ids=data.user_ids)
    pickled = pickle.loads(pickle.dumps(explainer))
    for other in (cloned, pickled):
        again = other.explain(data.user_ids[2], data.item_ids[3])
        np.testing.assert_array_equal(again.contributions, first.contributions)
        np.testing.assert_array_equal(again.importances, first.importances)
        assert (again.score, again.residual) == (first.score, first.residual)


def test_works_in_pipelines(data):
    tags = data.item_tags
    clusters = make_pipeline(
        TagPreferenceExtractor(TruncatedSVD(64, random_state=0), tags),
        StandardScaler(),
        KMeans(8, n_init=1, random_state=0),
    ).fit_predict(data.interactions)
    assert len(set(clusters)) == 8
    last = make_pipeline(FunctionTransformer(), TPECRExplainer(TruncatedSVD(8), tags))
    last.fit(data.interactions)
    assert last.transform(data.interactions).shape == (120, 6)
    assert last[-1].explain(0, data.item_ids[0]).fidelity == 1.0


def test_rows_are_folded_in_where_that_is_asked_for(als, data):
    some = data.interactions[:50]
    explainer = TPECRExplainer(als, data.item_tags).fit(some, users="fold_in")
    expected = als.recalculate_user(np.arange(50), some)
    np.testing.assert_allclose(explainer.user_embeddings_, expected, rtol=1e-5, atol=1e-6)


def test_dataframe_interactions_bring_their_ids(data):
    frame = pd.DataFrame(
        data.interactions.toarray(), index=data.user_ids, columns=[str(i) for i in data.item_ids]
    )
    explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags).fit(frame)
    assert explainer.explain(data.user_ids[0], data.item_ids[0]).user == data.user_ids[0]
    assert list(explainer.feature_names_in_) == list(frame.columns)
    with pytest.raises(ValueError, match="contradicts the columns of X: they are the same ids"):
        explainer.fit(frame[frame.columns[::-1]])
    with pytest.raises(ValueError, match=r"contradicts the columns of X: 1 columns .*'other'"):
        explainer.fit(frame.rename(columns={frame.columns[4]: "other"}))
    # A fit that failed changed nothing.
    assert explainer.explain(data.user_ids[0], data.item_ids[0]).user == data.user_ids[0]


def test_recommend_lists_the_models_best_unseen_items(explainer, als, data):
    listed = explainer.recommend(data.user_ids[9], 12)
    ids, scores = als.recommend(9, data.interactions[9], N=12)
    np.testing.assert_array_equal(listed["item"], np.asarray(data.item_ids)[ids])
    np.testing.assert_allclose(listed["score"], scores, rtol=1e-5)
    assert list(listed["rank"]) == list(range(1, 13))
    without = explainer.recommend(data.user_ids[9], 11, exclude=[listed["item"][0]])
    np.testing.assert_array_equal(without["item"], listed["item"][1:])
    everything = explainer.recommend(data.user_ids[9], 1000)
    assert len(everything) == 150 - data.interactions[9].nnz


def test_profile_stands_against_the_population(explainer, data):
    profile = explainer.profile(data.user_ids[4]).set_index("tag")
    C = explainer.tag_preferences_.astype(float)
    z = (C[4] - C.mean(axis=0)) / C.std(axis=0)
    np.testing.assert_allclose(
        profile.loc[explainer.tag_names_, "vs_population"], z, rtol=1e-4, atol=1e-5
    )
    assert profile["vs_population"].is_monotonic_decreasing
    mean_score = explainer.recommend(data.user_ids[4], 150, exclude_seen=False)["score"].mean()
    np.testing.assert_allclose(
        profile["preference"] - profile["vs_own_average"], mean_score, rtol=1e-4
    )


def test_users_without_interactions_are_no_part_of_the_population(als, data):
    X = sp.csr_matrix(data.interactions, copy=True).tolil()
    X[3] = 0
    explainer = TPECRExplainer(als, data.item_tags).fit(X.tocsr())
    others = np.arange(120) != 3
    np.testing.assert_allclose(
        explainer.population_mean_, explainer.tag_preferences_[others].mean(axis=0), rtol=1e-5
    )
    with pytest.raises(ValueError, match="user 3 has no interactions"):
        explainer.explain(3, data.item_ids[0])


def test_only_train_users_are_learned_from(als, data):
    some = list(data.user_ids[:50])
    explainer = TPECRExplainer(als, data.item_tags)
    explainer.fit(data.interactions, user_ids=data.user_ids, train_users=some)
    C = explainer.tag_preferences_[:50].astype(float)
    np.testing.assert_allclose(explainer.population_mean_, C.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(explainer.population_std_, C.std(axis=0), rtol=1e-5)
    generator = GaussianGenerator().fit(
        C, als.user_factors[:50].astype(float), tag_matrix=explainer.extractor_.tag_matrix_
    )
    np.testing.assert_allclose(explainer.generator_.gain_, generator.gain_, rtol=1e-6, atol=1e-9)
    assert explainer.explain(data.user_ids[110], data.item_ids[0]).fidelity == 1.0
    # Another fit learns from all again.
    explainer.fit(data.interactions, user_ids=data.user_ids)
    np.testing.assert_allclose(
        explainer.population_mean_, explainer.tag_preferences_.mean(axis=0), rtol=1e-5
    )


def test_transform_always_folds_in(explainer, als, data):
    folded = als.recalculate_user(np.arange(120), data.interactions)
    np.testing.assert_allclose(
        explainer.transform(data.interactions),
        explainer.extractor_.tag_preferences(folded),
        rtol=1e-5,
        atol=1e-6,
    )
    names = explainer.get_feature_names_out()
    assert list(names) == list(data.item_tags.columns)
    as_frame = clone(explainer).set_output(transform="pandas").fit_transform(data.interactions)
    assert list(as_frame.columns) == list(names)


def test_refit_forgets_the_earlier_fit(als, data):
    explainer = TPECRExplainer(TruncatedSVD(4, random_state=0))
    explainer.fit(pd.DataFrame(np.eye(8), columns=list("abcdefgh")))
    assert hasattr(explainer, "feature_names_in_")
    explainer.fit(np.eye(9))
    assert not hasattr(explainer, "feature_names_in_")
    assert explainer.explain(8, 8).item == 8


def test_one_user_one_item_one_tag():
    explainer = TPECRExplainer((np.ones((1, 2)), np.ones((1, 2))), [[1]]).fit([[1.0]])
    explanation = explainer.explain(0, 0)
    assert explanation.score == pytest.approx(2.0)
    assert explanation.contributions.sum() == 0  # no population to differ from
    assert explanation.to_text() == "No tag is the reason here."


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_matrix, sp.csr_array, sp.csc_matrix])
def test_any_container_gives_the_same_explanation(als, data, explainer, dtype, container):
    X = container(data.interactions.toarray().astype(dtype))
    other = TPECRExplainer(als, data.item_tags).fit(X, user_ids=data.user_ids)
    np.testing.assert_array_equal(
        other.explain(data.user_ids[1], data.item_ids[1]).contributions,
        explainer.explain(data.user_ids[1], data.item_ids[1]).contributions,
    )


BAD_CALLS = {
    "unknown user": (lambda e: e.explain("user_00", "item_001"), "unknown user 'user_00'; known"),
    "unknown item": (lambda e: e.explain("user_001", "item_01"), "unknown item 'item_01'; did"),
    "unhashable": (lambda e: e.explain(["user_001"], "item_001"), "expected one user id, got list"),
    "n": (lambda e: e.recommend("user_001", -1), "n must be a whole number of at least 1"),
    "fraction": (lambda e: e.recommend("user_001", 2.5), "n must be a whole number"),
    "exclude": (lambda e: e.recommend("user_001", exclude="item_001"), "exclude must be a list"),
    "excluded": (lambda e: e.recommend("user_001", exclude=["x"]), "unknown item 'x'"),
    "profile": (lambda e: e.profile(3), "unknown user 3"),
    "columns": (lambda e: e.transform(np.ones((2, 3))), "X has 3 features"),
    "swap": (lambda e: e.score(np.ones((1, 150))), "at least 2 users to swap among"),
}


@pytest.mark.parametrize("name", BAD_CALLS)
def test_bad_calls_say_what_is_wrong(name, explainer):
    call, message = BAD_CALLS[name]
    with pytest.raises(ValueError, match=message):
        call(explainer)


@pytest.mark.parametrize("user", [-1, 120, 1.5, True, "3"])
def test_bad_row_numbers_say_what_is_wrong(user, als, data):
    explainer = TPECRExplainer(als, data.item_tags).fit(data.interactions)
    with pytest.raises(ValueError, match="row number"):
        explainer.explain(user, data.item_ids[0])


def with_nan(data):
    X = data.interactions.copy()
    X.data[5] = np.nan
    return X


BAD_FITS = {
    "short tags": (
        lambda d: {},
        lambda d: d.item_tags.iloc[:-1],
        "interactions have 150 columns, item_tags has 149 rows",
    ),
    "no tags": (lambda d: {}, lambda d: d.item_tags.iloc[:, :0], "item_tags has no tags"),
    "empty tag": (lambda d: {}, lambda d: d.item_tags.assign(rare=0), "have no items .*'rare'"),
    "nan tags": (lambda d: {}, lambda d: d.item_tags.mask(d.item_tags > 0), "NaN or infinite"),
    "same tag": (
        lambda d: {},
        lambda d: pd.concat([d.item_tags, d.item_tags[["tag_1"]]], axis=1),
        "tag_names must be unique.*'tag_1'",
    ),
    "same item": (
        lambda d: {},
        lambda d: d.item_tags.rename(index={"item_001": "item_000"}),
        "must be unique, got 1 duplicate ids: 'item_000'",
    ),
    "same user": (
        lambda d: {"user_ids": [*d.user_ids[:-1], d.user_ids[0]]},
        lambda d: d.item_tags,
        "user_ids must be unique, got 1 duplicate ids",
    ),
    "few user ids": (
        lambda d: {"user_ids": d.user_ids[:-1]},
        lambda d: d.item_tags,
        "user_ids must have one id per user: expected 120, got 119",
    ),
    "few names": (
        lambda d: {"item_names": ["a"]},
        lambda d: d.item_tags,
        "item_names must have one name per item: expected 150",
    ),
    "nan": (lambda d: {"X": with_nan(d)}, lambda d: d.item_tags, "contains NaN"),
    "train users": (
        lambda d: {"user_ids": d.user_ids, "train_users": ["user_001", "user_00"]},
        lambda d: d.item_tags,
        "unknown user 'user_00'; known are",
    ),
    "no train users": (
        lambda d: {"train_users": []},
        lambda d: d.item_tags,
        "train_users must name a user with interactions, got none",
    ),
    "one train user": (
        lambda d: {"train_users": "user_001"},
        lambda d: d.item_tags,
        "train_users must be a list of user ids, got 'user_001'",
    ),
    "mask of train users": (
        lambda d: {"train_users": d.interactions.getnnz(axis=1) > 5},
        lambda d: d.item_tags,
        "expected user ids, got a mask of True and False; .*: user_ids\\[mask\\]",
    ),
    "train user number": (
        lambda d: {"train_users": 3},
        lambda d: d.item_tags,
        "train_users must be a list of user ids, got 3",
    ),
    "width": (
        lambda d: {"X": d.interactions[:, :-1]},
        lambda d: d.item_tags.iloc[:-1],
        "X has 149 columns, but the recommender knows 150 items",
    ),
}


@pytest.mark.parametrize("name", BAD_FITS)
def test_bad_fits_say_what_is_wrong_and_change_nothing(name, als, data):
    kwargs, tags, message = BAD_FITS[name]
    explainer = TPECRExplainer(als, data.item_tags)
    explainer.fit(data.interactions, user_ids=data.user_ids)
    before = explainer.explain("user_001", "item_001")
    explainer.item_tags = tags(data)
    arguments = {"X": data.interactions, **kwargs(data)}
    with pytest.raises(ValueError, match=message):
        explainer.fit(arguments.pop("X"), **arguments)
    after = explainer.explain("user_001", "item_001")
    np.testing.assert_array_equal(after.contributions, before.contributions)


def test_what_needs_interactions_says_so(als, data):
    explainer = TPECRExplainer(als, data.item_tags)
    with pytest.raises(ValueError, match="exclude_seen=True needs interactions"):
        explainer.recommend(0)
    assert len(explainer.recommend(0, exclude_seen=False)) == 10


def test_a_composite_that_is_not_linear_is_refused_by_the_exact_attribution(als, data):
    class Copies(GaussianGenerator):
        """A generator without a gain."""

        def fit(self, X, y):
            self.n_features_in_ = X.shape[1]
            return self

        def generate(self, tag_preferences, embeddings):
            return embeddings

    with pytest.raises(ValueError, match=r"attribution: the exact one needs .* got .*Copies"):
        TPECRExplainer(als, data.item_tags, generator=Copies(), attribution=ExactAttribution()).fit(
            data.interactions
        )
    by_default = TPECRExplainer(als, data.item_tags, generator=Copies()).fit(data.interactions)
    assert isinstance(by_default.attribution_, AccountAttribution)


def test_a_callable_aggregate_gets_the_cvae(als, data):
    explainer = TPECRExplainer(
        als, data.item_tags, aggregate=lambda scores: scores.max(axis=1), random_state=0
    )
    with pytest.raises(NotFittedError):
        explainer.explain(0, data.item_ids[0])
    explainer.fit(data.interactions)
    assert isinstance(explainer.generator_, CVAEGenerator)
    assert isinstance(explainer.attribution_, AccountAttribution)
    V = als.item_factors[data.item_tags["tag_2"].to_numpy() > 0]
    np.testing.assert_allclose(
        explainer.tag_preferences_[:, 2], (als.user_factors @ V.T).max(axis=1), rtol=1e-5
    )
