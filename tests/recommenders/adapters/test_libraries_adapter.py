"""Models of Surprise, LightFM, Spark and RecTools, by what they have; `installed` has the real.

The factors are those of a model that is trained here, so that histories say what users like.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from sklearn.exceptions import NotFittedError

from sktpecr import TPECRExplainer
from sktpecr.datasets import make_tagged_interactions
from sktpecr.recommenders import AdapterError, FactorRecommender, as_recommender
from sktpecr.recommenders._fold_in import RatingsFoldIn
from sktpecr.testing import RecommenderContract

DATA = make_tagged_interactions(60, 50, 4, density=0.15, random_state=0)
X = DATA.interactions
ALS = AlternatingLeastSquares(factors=6, random_state=0)
ALS.fit(X, show_progress=False)
USERS, ITEMS = ALS.user_factors, ALS.item_factors
RNG = np.random.RandomState(0)
USER_BIASES, ITEM_BIASES = RNG.normal(scale=0.1, size=60), RNG.normal(scale=0.1, size=50)


class Trainset:
    global_mean = 0.25

    def __init__(self):
        self.ur = {u: [(v, 5.0) for v in X[u].indices] for u in range(60)}

    def to_raw_uid(self, row):
        return f"u{59 - row}"

    def to_raw_iid(self, row):
        return f"i{49 - row}"


class SurpriseSVD:
    """Attributes of surprise.SVD after fit; in fit it only gets the train set."""

    def __init__(self, biased=True, yj=None):
        self.bsl_options, self.biased, self.reg_pu = {}, biased, 0.02
        if yj is not None:
            self.yj = yj

    def fit(self, trainset):
        self.trainset = trainset
        self.pu, self.qi = USERS.astype(float), ITEMS.astype(float)
        self.bu, self.bi = USER_BIASES, ITEM_BIASES
        return self

    def estimate(self, u, i):
        vector = self.pu[u]
        if hasattr(self, "yj"):
            rated = [item for item, _ in self.trainset.ur[u]]
            vector = vector + sum(self.yj[item] for item in rated) / np.sqrt(len(rated))
        if not self.biased:
            return vector @ self.qi[i]
        return self.trainset.global_mean + self.bu[u] + self.bi[i] + vector @ self.qi[i]


class OfSurprise(RecommenderContract):
    def make(self):
        model = self.untrained().fit(Trainset())
        return model, X, [[model.estimate(u, i) for i in range(50)] for u in range(60)]


class TestSVD(OfSurprise):
    def untrained(self):
        return SurpriseSVD()


class TestSVDWithoutBiases(OfSurprise):
    def untrained(self):
        return SurpriseSVD(biased=False)


class TestSVDpp(OfSurprise):
    def untrained(self):
        return SurpriseSVD(yj=RNG.normal(scale=0.01, size=(50, 6)))


class LightFM:
    item_embeddings = None

    def fit(self):
        self.item_embeddings = ITEMS
        return self

    def get_user_representations(self, features=None):
        return USER_BIASES.astype(np.float32), USERS

    def get_item_representations(self, features=None):
        return ITEM_BIASES.astype(np.float32), ITEMS


class TestLightFM(RecommenderContract):
    def make(self):
        return LightFM().fit(), X, USERS @ ITEMS.T + USER_BIASES[:, None] + ITEM_BIASES


class WithFeatures:
    """As LightFM with features: a vector of each, and those of whoever has several are added up."""

    item_embeddings = np.ones((8, 6))

    def __init__(self):
        rng = np.random.RandomState(1)
        self.users, self.items = rng.normal(size=(9, 6)), rng.normal(size=(8, 6))
        self.user_biases, self.item_biases = rng.normal(size=9), rng.normal(size=8)

    def get_user_representations(self, features=None):
        features = np.eye(9) if features is None else features
        return features @ self.user_biases, features @ self.users

    def get_item_representations(self, features=None):
        features = np.eye(8) if features is None else features
        return features @ self.item_biases, features @ self.items


def test_lightfm_with_features():
    model, rng = WithFeatures(), np.random.RandomState(2)
    of_users = (rng.uniform(size=(X.shape[0], 9)) < 0.5) * 1.0
    of_items = sp.csr_matrix(rng.uniform(size=(X.shape[1], 8)) < 0.5)
    recommender = as_recommender(model, user_features=of_users, item_features=of_items)
    expected = (of_users @ model.users) @ (of_items @ model.items).T
    expected = expected + (of_users @ model.user_biases)[:, None] + of_items @ model.item_biases
    found = recommender.score_items(recommender.user_embeddings)
    np.testing.assert_allclose(found, expected)
    tags = np.eye(2)[np.arange(X.shape[1]) % 2]
    with pytest.raises(ValueError, match=r"as_recommender\(model, user_features=\.\.\.\)"):
        TPECRExplainer(model, tags).fit(X)
    with pytest.raises(ValueError, match=r"item_features must have .* 8 item features"):
        as_recommender(model, item_features=of_users)
    with pytest.raises(ValueError, match="user_features and item_features are for LightFM, got"):
        as_recommender((USERS, ITEMS), user_features=of_users)


class SparkTable:
    def __init__(self, ids, factors):
        self.rows = [{"id": i, "features": f.tolist()} for i, f in zip(ids, factors, strict=True)]

    def collect(self):
        return self.rows


# Spark gives rows in the order of its partitions.
SHUFFLED = RNG.permutation(60), RNG.permutation(50)
SPARK = SimpleNamespace(
    rank=6,
    userFactors=SparkTable(1000 + SHUFFLED[0], USERS[SHUFFLED[0]]),
    itemFactors=SparkTable(5000 + SHUFFLED[1], ITEMS[SHUFFLED[1]]),
)


class TestSpark(RecommenderContract):
    def make(self):
        return SPARK, X, USERS @ ITEMS.T


def test_spark_that_was_trained_on_ratings_embeds_by_ratings():
    """The model does not say it, but its scores do: 3 on average, not nearly 0."""
    ones = np.ones((60, 1)), np.full((50, 1), 3.0)
    tables = [
        SparkTable(range(n), np.hstack(pair))
        for n, *pair in ((60, USERS, ones[0]), (50, ITEMS, ones[1]))
    ]
    recommender = as_recommender(SimpleNamespace(userFactors=tables[0], itemFactors=tables[1]))
    assert isinstance(recommender._fold_in, RatingsFoldIn)
    rows = X[:5].copy()
    rows.data[:] = 5.0
    level = recommender.score_items(recommender.fold_in(rows)).mean()
    assert 3 < level < 5
    assert as_recommender(SPARK)._fold_in is None


class RecTools:
    is_fitted = True

    def get_vectors(self):
        ones = np.ones((60, 1))
        return np.hstack([ones, USERS]), np.column_stack([ITEM_BIASES, ITEMS])


class TestRecTools(RecommenderContract):
    def make(self):
        return RecTools(), X, USERS @ ITEMS.T + ITEM_BIASES


def test_rectools_with_factors_of_its_own_is_read_by_its_vectors():
    """PureSVDModel has user_factors and item_factors: not those of a model trained on ranks."""
    model = RecTools()
    model.user_factors, model.item_factors = USERS, ITEMS
    recommender = as_recommender(model)
    np.testing.assert_allclose(recommender.item_biases, ITEM_BIASES)
    assert recommender._fold_in is None


def test_rectools_that_asks_for_its_dataset_is_told_how_to_go_on():
    class LightFMWrapperModel:
        is_fitted = True

        def get_vectors(self, dataset, add_biases=True):
            raise AssertionError("not called")

    with pytest.raises(AdapterError, match=r"asks for the dataset; give the two arrays .*user_id_"):
        as_recommender(LightFMWrapperModel())


def test_surprise_without_factors_is_told_how_to_go_on():
    neighbours = SimpleNamespace(bsl_options={}, estimate=None, trainset=Trainset())
    with pytest.raises(AdapterError, match=r"has no factors; give DistilledRecommender a function"):
        as_recommender(neighbours)


@pytest.mark.parametrize("unfitted", [SurpriseSVD(), LightFM()])
def test_unfitted_models_say_so(unfitted):
    with pytest.raises(NotFittedError, match=rf"{type(unfitted).__name__} is not fitted; call its"):
        as_recommender(unfitted)


def test_unfitted_rectools_says_so():
    model = RecTools()
    model.is_fitted = False
    with pytest.raises(NotFittedError, match="RecTools is not fitted; call its fit"):
        as_recommender(model)


def test_ids_of_the_library_explain():
    model = SurpriseSVD().fit(Trainset())
    explainer = TPECRExplainer(model, DATA.item_tags.to_numpy()).fit(X)
    explanation = explainer.explain("u56", "i47")
    assert explanation.score == pytest.approx(model.estimate(3, 2))
    assert explainer.recommend("u56", 1)["item"].iloc[0] in explainer.item_ids_
    with pytest.raises(ValueError, match="unknown user 'u560'; known are"):
        explainer.explain("u560", "i47")


def test_ids_of_the_library_explain_without_interactions():
    explainer = TPECRExplainer(SPARK, DATA.item_tags.to_numpy())
    score = explainer.explain(1007, 5011).score
    assert score == pytest.approx(float(USERS[7] @ ITEMS[11]), rel=1e-5)


def test_tags_in_another_order_than_the_librarys_items_are_refused():
    model = SurpriseSVD().fit(Trainset())
    own = as_recommender(model).item_ids
    tags = DATA.item_tags.set_axis(own)
    assert TPECRExplainer(model, tags).fit(X).explain("u3", "i4").item == "i4"
    for wrong, message in (
        (tags[::-1], r"same ids in another order; bring columns of X and the index of item_tags"),
        (DATA.item_tags, r"50 of them are not among those, such as .*; give the same kind of ids"),
    ):
        with pytest.raises(ValueError, match=message):
            TPECRExplainer(model, wrong).fit(X)
        with pytest.raises(ValueError, match=message):
            TPECRExplainer(model, wrong).explain("u3", "i4")


def test_users_are_found_by_the_librarys_ids_in_whatever_order():
    model = SurpriseSVD().fit(Trainset())
    own, tags = as_recommender(model).user_ids, DATA.item_tags.to_numpy()
    expected = TPECRExplainer(model, tags).fit(X, user_ids=own).explain("u3", "i4")
    assert expected.user == "u3"
    other = TPECRExplainer(model, tags).fit(X[::-1], user_ids=own[::-1]).explain("u3", "i4")
    assert other.score == expected.score
    with pytest.raises(
        ValueError, match=r"none of the .* give the same kind of ids, or pass users="
    ):
        TPECRExplainer(model, tags).fit(X, user_ids=range(X.shape[0]))
    # Rows that are not the model's users are anybody's.
    new = TPECRExplainer(model, tags).fit(X[:20], users="fold_in")
    assert new.explain(3, "i4").user == 3


def test_the_same_factors_are_explained_alike_through_implicit_spark_and_arrays():
    arrays = USERS, ITEMS
    tags = DATA.item_tags.to_numpy()
    by_number = [TPECRExplainer(model, tags).fit(X) for model in (ALS, arrays)]
    found = [explainer.explain(7, 11) for explainer in by_number]
    found.append(TPECRExplainer(SPARK, tags).fit(X).explain(1007, 5011))
    for other in found[1:]:
        np.testing.assert_allclose(other.importances, found[0].importances, atol=1e-6)
        np.testing.assert_allclose(other.contributions, found[0].contributions, atol=1e-6)


def test_saved_explainers_keep_the_librarys_ids_and_its_way_to_embed(tmp_path):
    model = SurpriseSVD().fit(Trainset())
    explainer = TPECRExplainer(model, DATA.item_tags.to_numpy()).fit(X)
    loaded = TPECRExplainer.load(explainer.save(tmp_path / "kept"))
    np.testing.assert_array_equal(loaded.item_ids_, explainer.item_ids_)
    np.testing.assert_array_equal(loaded.recommender.item_ids, as_recommender(model).item_ids)
    rows = [
        explainer.explain(interactions=["i4", "i9"], item="i3") for explainer in (explainer, loaded)
    ]
    assert rows[0].score == rows[1].score


def test_ratings_are_regressed_by_the_closed_form():
    row = X[[5]]
    items = row.indices
    fold_in = RatingsFoldIn(ITEMS, ITEM_BIASES, alpha=0.1)
    embedding = fold_in(row)[0]
    residual = row.data - ITEM_BIASES[items] - ITEMS[items] @ embedding
    # The gradient of the loss vanishes.
    np.testing.assert_allclose(ITEMS[items].T @ residual, 0.1 * len(items) * embedding, atol=1e-6)
    np.testing.assert_array_equal(fold_in(X[:0]), np.empty((0, 6)))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ({"user_ids": ["a", "b"]}, r"user_ids must have one id per user: expected 3, got 2"),
        ({"item_ids": [1, 1]}, "item_ids must be unique"),
        ({"item_ids": [1, None]}, "item_ids has 1 missing ids"),
    ],
)
def test_ids_that_cannot_be_are_named(ids, message):
    with pytest.raises(ValueError, match=message):
        FactorRecommender(np.eye(3, 2), np.eye(2), **ids)
