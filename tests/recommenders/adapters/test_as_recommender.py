"""Models of other libraries, met by duck type."""

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from implicit.lmf import LogisticMatrixFactorization
from sklearn.decomposition import NMF, PCA, FactorAnalysis, IncrementalPCA, KernelPCA, TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, Normalizer, StandardScaler
from skorch import NeuralNetRegressor

from sktpecr import TPECRExplainer
from sktpecr.datasets import make_tagged_interactions
from sktpecr.recommenders import AdapterError, FactorRecommender, as_recommender

X = make_tagged_interactions(60, 50, 4, density=0.1, random_state=0).interactions
IMPLICIT = {
    "als": lambda: AlternatingLeastSquares(factors=6, random_state=0),
    "als64": lambda: AlternatingLeastSquares(factors=6, dtype=np.float64, random_state=0),
    "bpr": lambda: BayesianPersonalizedRanking(factors=6, random_state=0, num_threads=1),
    "lmf": lambda: LogisticMatrixFactorization(factors=6, random_state=0, num_threads=1),
}


@pytest.fixture(scope="module")
def trained():
    models = {name: make() for name, make in IMPLICIT.items()}
    for model in models.values():
        model.fit(X, show_progress=False)
    return models


class TestImplicit:
    @pytest.mark.parametrize("name", IMPLICIT)
    def test_recommended_scores_equal_the_librarys_own(self, trained, name):
        ids, expected = trained[name].recommend(3, X[3], N=5)
        recommender = as_recommender(trained[name])
        scores = recommender.score_items(recommender.user_embeddings[[3]], ids)[0]
        np.testing.assert_allclose(scores, expected, rtol=1e-5)
        assert scores.dtype == trained[name].user_factors.dtype

    @pytest.mark.parametrize("name", IMPLICIT)
    def test_rows_are_folded_in_independently_and_finitely(self, trained, name):
        recommender = as_recommender(trained[name])
        rows = sp.vstack([X[:5], sp.csr_matrix((1, 50))]).tocsr()
        together = recommender.fold_in(rows)
        assert together.shape == (6, recommender.user_embeddings.shape[1])
        assert np.isfinite(together).all()
        np.testing.assert_allclose(
            recommender.fold_in(rows[3]), together[[3]], rtol=1e-3, atol=1e-5
        )
        np.testing.assert_array_equal(together[5], np.zeros(together.shape[1]))

    @pytest.mark.parametrize("name", IMPLICIT)
    def test_model_stays_as_it_is(self, trained, name):
        model = trained[name]
        users, items = model.user_factors.copy(), model.item_factors.copy()
        as_recommender(model).fold_in(X)
        np.testing.assert_array_equal(model.user_factors, users)
        np.testing.assert_array_equal(model.item_factors, items)

    @pytest.mark.parametrize("name", IMPLICIT)
    def test_unfitted_model_says_so(self, name):
        with pytest.raises(NotFittedError, match="is not fitted; call its fit"):
            as_recommender(IMPLICIT[name]())

    def test_biases_of_bpr_are_split_off_with_the_constant_in_front_of_them(self, trained):
        model = trained["bpr"]
        assert (model.user_factors[:, -1] == 1).all()
        recommender = as_recommender(model)
        np.testing.assert_array_equal(recommender.user_embeddings, model.user_factors[:, :-1])
        np.testing.assert_array_equal(recommender.item_embeddings, model.item_factors[:, :-1])
        np.testing.assert_array_equal(recommender.item_biases, model.item_factors[:, -1])

    def test_item_biases_of_lmf_are_split_off_and_user_biases_stay_a_factor(self, trained):
        model = trained["lmf"]
        assert (model.user_factors[:, -2] == 1).all()
        recommender = as_recommender(model)
        assert recommender.user_embeddings.shape == (60, 7)
        np.testing.assert_array_equal(recommender.user_embeddings[:, -1], model.user_factors[:, -1])
        np.testing.assert_array_equal(recommender.item_embeddings[:, -1], np.ones(50))
        np.testing.assert_array_equal(recommender.item_biases, model.item_factors[:, -2])

    def test_als_has_nothing_to_split_off(self, trained):
        recommender = as_recommender(trained["als"])
        np.testing.assert_array_equal(recommender.user_embeddings, trained["als"].user_factors)
        np.testing.assert_array_equal(recommender.item_biases, np.zeros(50))

    def test_als_folds_in_as_the_library_recalculates(self, trained):
        rows = X[5:15]
        expected = trained["als"].recalculate_user(np.arange(10), rows)
        found = as_recommender(trained["als"]).fold_in(rows)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)  # it solves in float32
        assert np.abs(found).max() > 0.1
        assert as_recommender(trained["als"]).fold_in(rows[:0]).shape == (0, 6)

    def test_als_fold_in_keeps_no_second_copy_of_the_users(self, trained):
        recommender = as_recommender(trained["als"])
        assert recommender._fold_in.item_factors is recommender.item_embeddings
        assert not hasattr(recommender._fold_in, "user_factors")

    def test_bpr_folds_users_in_near_where_training_left_them(self, trained):
        recommender = as_recommender(trained["bpr"])
        known = recommender.user_embeddings
        found = recommender.fold_in(X)
        rms = np.sqrt(np.mean(np.sum(known.astype(float) ** 2, axis=1)))
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), rms, rtol=1e-4)
        cosines = np.sum(found * known, axis=1) / rms / np.linalg.norm(known, axis=1)
        assert np.median(cosines) > 0.5


class DeviceMatrix:
    """A matrix on a GPU: it can be brought to the host, and do nothing else."""

    def __init__(self, array):
        self._array = array

    def to_numpy(self):
        return self._array.copy()

    def __array__(self, *args, **kwargs):
        raise AssertionError("read through to_numpy")

    def __reduce__(self):
        raise AssertionError("what lies on a GPU must not be pickled")


class DeviceModel:
    def __init__(self, host):
        self.host = host
        self.user_factors = DeviceMatrix(host.user_factors)
        self.item_factors = DeviceMatrix(host.item_factors)


class DeviceModelWithCPU(DeviceModel):
    def to_cpu(self):
        return self.host


@pytest.mark.parametrize("kind", [DeviceModel, DeviceModelWithCPU])
@pytest.mark.parametrize("name", ["als", "bpr"])
def test_gpu_model_is_read_into_what_loads_without_a_gpu(trained, kind, name):
    host = as_recommender(trained[name])
    recommender = pickle.loads(pickle.dumps(as_recommender(kind(trained[name]))))
    assert type(recommender.user_embeddings) is np.ndarray
    np.testing.assert_array_equal(recommender.user_embeddings, host.user_embeddings)
    np.testing.assert_array_equal(recommender.item_embeddings, host.item_embeddings)
    np.testing.assert_array_equal(recommender.item_biases, host.item_biases)
    if kind is DeviceModelWithCPU or name == "bpr":
        np.testing.assert_array_equal(recommender.fold_in(X), host.fold_in(X))
    assert np.isfinite(recommender.fold_in(X)).all()


DECOMPOSITIONS = {
    "svd": lambda: TruncatedSVD(5, random_state=0),
    "nmf": lambda: NMF(4, init="nndsvda", max_iter=1000, tol=1e-3),
    "pca": lambda: PCA(5, random_state=0),
    "whitened pca": lambda: PCA(5, whiten=True, random_state=0),
    "incremental pca": lambda: IncrementalPCA(5),
    "linear kernel": lambda: KernelPCA(5, kernel="linear", fit_inverse_transform=True),
    "scaled svd": lambda: make_pipeline(MaxAbsScaler(), TruncatedSVD(5, random_state=0)),
    "scaled pca": lambda: make_pipeline(StandardScaler(), PCA(5, random_state=0)),
    "svd then pca": lambda: make_pipeline(TruncatedSVD(9, random_state=0), PCA(4, whiten=True)),
    "svd then scaler": lambda: make_pipeline(TruncatedSVD(5, random_state=0), StandardScaler()),
    "svd then nothing": lambda: make_pipeline(TruncatedSVD(5, random_state=0), "passthrough"),
}


@pytest.fixture(scope="module", params=DECOMPOSITIONS)
def decomposition(request):
    return DECOMPOSITIONS[request.param]().fit(X.toarray().astype(np.float64))


class TestDecompositions:
    def test_scores_are_the_inverse_transform_of_the_transform(self, decomposition):
        dense = X.toarray().astype(np.float64)
        expected = decomposition.inverse_transform(decomposition.transform(dense))
        recommender = as_recommender(decomposition)
        for rows in (X, sp.csr_array(X), dense):
            scores = recommender.score_items(recommender.fold_in(rows))
            np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-9)

    def test_no_user_is_known_and_shapes_agree(self, decomposition):
        recommender = as_recommender(decomposition)
        n_factors = recommender.item_embeddings.shape[1]
        assert recommender.user_embeddings.shape == (0, n_factors)
        assert recommender.item_embeddings.shape == (50, n_factors)
        assert recommender.fold_in(X[:3]).shape == (3, n_factors)


@pytest.mark.parametrize("name", ["svd", "nmf", "pca"])
def test_decomposition_of_float32_stays_float32(name):
    model = DECOMPOSITIONS[name]()
    if name == "nmf":
        model.set_params(tol=1e-2)
    dense = X.toarray()
    assert dense.dtype == np.float32
    model.fit(dense)
    recommender = as_recommender(model)
    assert recommender.item_embeddings.dtype == np.float32
    assert recommender.fold_in(X).dtype == np.float32
    scores = recommender.score_items(recommender.fold_in(X.astype(np.float64)))
    expected = model.inverse_transform(model.transform(dense))
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)


def test_means_of_pca_are_the_item_biases():
    model = PCA(5, random_state=0).fit(X.toarray().astype(float))
    np.testing.assert_allclose(as_recommender(model).item_biases, model.mean_, atol=1e-12)


@pytest.mark.parametrize("name", DECOMPOSITIONS)
def test_unfitted_decomposition_says_so(name):
    with pytest.raises(NotFittedError, match="not fitted"):
        as_recommender(DECOMPOSITIONS[name]())


def test_inverse_transform_that_is_not_affine_is_refused():
    model = KernelPCA(4, kernel="rbf", fit_inverse_transform=True).fit(X.toarray())
    with pytest.raises(AdapterError, match="inverse_transform of KernelPCA is not affine"):
        as_recommender(model)


class TestArrays:
    def test_two_arrays_are_user_and_item_factors(self):
        rng = np.random.RandomState(0)
        users, items = rng.normal(size=(4, 3)), rng.normal(size=(6, 3))
        recommender = as_recommender((users, items))
        assert isinstance(recommender, FactorRecommender)
        scores = recommender.score_items(recommender.user_embeddings)
        np.testing.assert_allclose(scores, users @ items.T, rtol=1e-12)

    def test_a_third_array_is_item_biases(self):
        rng = np.random.RandomState(0)
        users, items, biases = rng.normal(size=(4, 3)), rng.normal(size=(6, 3)), rng.normal(size=6)
        recommender = as_recommender((users, items, biases))
        scores = recommender.score_items(recommender.user_embeddings)
        np.testing.assert_allclose(scores, users @ items.T + biases, rtol=1e-12)

    def test_constant_user_columns_join_the_biases(self):
        rng = np.random.RandomState(0)
        users, items, biases = rng.normal(size=(4, 4)), rng.normal(size=(6, 4)), rng.normal(size=6)
        users[:, [0, 2]] = 1.0
        recommender = as_recommender((users, items, biases))
        np.testing.assert_array_equal(recommender.user_embeddings, users[:, [1, 3]])
        np.testing.assert_allclose(recommender.item_biases, biases + items[:, 0] + items[:, 2])
        scores = recommender.score_items(recommender.user_embeddings)
        np.testing.assert_allclose(scores, users @ items.T + biases, rtol=1e-12)

    @pytest.mark.parametrize("n_users", [0, 3])
    def test_no_column_is_split_off_where_none_would_be_left_or_nobody_is_known(self, n_users):
        recommender = as_recommender((np.ones((n_users, 2)), np.eye(3, 2)))
        assert recommender.user_embeddings.shape == (n_users, 2)
        np.testing.assert_array_equal(recommender.item_biases, np.zeros(3))

    @pytest.mark.parametrize(
        ("given", "kept"),
        [(np.float16, np.float32), (np.float32, np.float32), (np.float64, np.float64)],
    )
    def test_precision_is_kept(self, given, kept):
        arrays = tuple(
            np.random.RandomState(0).normal(size=shape).astype(given)
            for shape in ((4, 3), (6, 3), 6)
        )
        recommender = as_recommender(arrays)
        scores = recommender.score_items(recommender.user_embeddings)
        assert scores.dtype == kept
        users, items, biases = (array.astype(float) for array in arrays)
        np.testing.assert_allclose(scores, users @ items.T + biases, rtol=1e-4, atol=1e-5)

    def test_lists_of_lists_do_as_well(self):
        recommender = as_recommender(([[1, 2], [3, 4]], [[1, 0], [0, 1], [2, 2]], [0, 0, 1]))
        scores = recommender.score_items(recommender.user_embeddings)
        np.testing.assert_array_equal(scores, [[1, 2, 7], [3, 4, 15]])

    @pytest.mark.parametrize(
        ("model", "message"),
        [
            ((np.ones((2, 3)), np.ones((3, 7))), "got 3 and 7; is one of them transposed"),
            ((np.eye(2), np.ones((4, 2)), np.ones(3)), r"one value per item \(4\), got 3"),
            ((np.array([[np.nan, 1.0]]), np.ones((4, 2))), "user_factors has 1 NaN or infinite"),
            ((np.eye(2), np.full((4, 2), np.inf)), "item_factors has 8 NaN or infinite"),
            ((np.eye(2), np.eye(2), np.array([0.0, np.nan])), "item_biases has 1 NaN or infinite"),
        ],
    )
    def test_arrays_that_cannot_be_factors_are_named(self, model, message):
        with pytest.raises(ValueError, match=message):
            as_recommender(model)


def test_a_model_that_diverged_is_named():
    model = AlternatingLeastSquares(factors=2)
    model.user_factors, model.item_factors = np.eye(2), np.array([[1.0, np.nan]])
    with pytest.raises(ValueError, match=r"AlternatingLeastSquares\.item_factors has 1 NaN"):
        as_recommender(model)


def test_a_recommender_passes_through():
    class Own:
        user_embeddings = np.eye(2)

        def score_items(self, embeddings, items=None):
            return np.tanh(embeddings)

    own = Own()
    assert as_recommender(own) is own
    factors = FactorRecommender(np.eye(2), np.eye(2))
    assert as_recommender(factors) is factors


def one_way():
    return FactorAnalysis(2).fit(X.toarray())


def test_half_precision_becomes_single():
    model = SimpleNamespace(
        user_factors=np.eye(3, 2, dtype=np.float16), item_factors=np.ones((4, 2), dtype=np.float16)
    )
    assert as_recommender(model).user_embeddings.dtype == np.float32
    assert as_recommender(model).score_items([[1, 2]]).dtype == np.float32


def test_a_net_of_skorch_is_told_both_ways_out():
    net = NeuralNetRegressor(torch.nn.Linear, module__in_features=50, module__out_features=50)
    with pytest.raises(
        AdapterError, match="net of skorch, which does not say what of it is a user"
    ) as caught:
        as_recommender(net.initialize())
    assert "TorchRecommender(score, user_embeddings, item_vectors)" in str(caught.value)
    assert "DistilledRecommender(net)" in str(caught.value)


def test_a_net_of_skorch_that_scores_rows_is_distilled():
    """What the second way out promises, and what an explainer does by itself."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = NeuralNetRegressor(
            torch.nn.Linear, module__in_features=50, module__out_features=50, verbose=0,
            train_split=None, max_epochs=20, lr=0.5,
        )  # fmt: skip
        rows = X.toarray().astype(np.float32)
        net.fit(rows, rows)
    explainer = TPECRExplainer(net, np.eye(50, 4) + 0.1).fit(rows)
    assert explainer.explain(0, 1).fidelity > 0.9


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("a model", "str"),
        (None, "NoneType"),
        (3, "int"),
        ((np.eye(2),), "tuple"),
        ((np.eye(2),) * 4, "tuple"),
        ([np.eye(2), np.eye(2)], "list"),
        (one_way(), "FactorAnalysis"),
        (make_pipeline(Normalizer(), TruncatedSVD(2)).fit(X), "Pipeline"),
    ],
)
def test_unknown_model_is_told_what_it_lacks_and_the_way_out(model, name):
    with pytest.raises(AdapterError, match="has neither") as caught:
        as_recommender(model)
    message = str(caught.value)
    assert message.startswith(f"{name} has neither user_factors and item_factors, nor transform")
    assert "wrap it in FactorRecommender(user_factors, item_factors)" in message
    assert isinstance(caught.value, TypeError)
