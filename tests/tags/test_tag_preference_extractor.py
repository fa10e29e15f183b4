"""From scores to tag preferences."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.decomposition import NMF, TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktpecr import TagPreferenceExtractor
from sktpecr.datasets import make_tagged_interactions
from sktpecr.recommenders import AdapterError
from sktpecr.tags import _tag_preference_extractor

N_USERS, N_ITEMS, N_TAGS = 9, 12, 4


class TanhRecommender:
    """Scores that are no dot product."""

    def __init__(self, users, items):
        self.user_embeddings = users
        self._items = items

    def score_items(self, embeddings, items=None):
        scores = np.tanh(embeddings @ self._items.T)
        return scores if items is None else scores[:, items]


@pytest.fixture
def factors():
    rng = np.random.RandomState(0)
    return rng.normal(size=(N_USERS, 3)), rng.normal(size=(N_ITEMS, 3)), rng.normal(size=N_ITEMS)


@pytest.fixture
def tags():
    """Binary tags; the last item has none, the first tag is on a single item."""
    tags = np.zeros((N_ITEMS, N_TAGS))
    tags[3, 0] = 1
    tags[[0, 2, 4, 5], 1] = 1
    tags[[1, 2, 3, 6, 7, 8], 2] = 1
    tags[: N_ITEMS - 1, 3] = 1
    return tags


@pytest.fixture
def X():
    return np.random.RandomState(1).randint(0, 2, size=(N_USERS, N_ITEMS)).astype(float)


def loop_over_items_of_each_tag(scores, tags, aggregate="mean"):
    preferences = np.zeros((len(scores), tags.shape[1]))
    for u, t in np.ndindex(preferences.shape):
        total = weight = 0.0
        for v in range(len(tags)):
            total += tags[v, t] * scores[u, v]
            weight += tags[v, t]
        if aggregate == "shrunk":
            # Scaled so that weights add up to the number of equal weights they are worth.
            worth = weight / sum(w**2 for w in tags[:, t])
            total, weight = total * worth, weight * worth
            for _ in range(10):
                total += sum(scores[u]) / len(scores[u])
                weight += 1.0
        preferences[u, t] = total / weight
    return preferences


@pytest.mark.parametrize("aggregate", ["mean", "shrunk"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dot_product", [True, False])
def test_tag_preference_is_the_mean_score_of_the_tags_items(
    factors, tags, X, aggregate, weighted, dot_product
):
    users, items, biases = factors
    if weighted:
        tags = tags * np.random.RandomState(2).uniform(0.1, 5.0, size=tags.shape)
    if dot_product:
        model, scores = factors, users @ items.T + biases
    else:
        model, scores = TanhRecommender(users, items), np.tanh(users @ items.T)
    extractor = TagPreferenceExtractor(model, tags, aggregate=aggregate).fit(X)
    expected = loop_over_items_of_each_tag(scores, tags, aggregate)
    np.testing.assert_allclose(extractor.tag_preferences(users), expected, rtol=1e-10)
    assert (extractor.tag_matrix_ is not None) == dot_product


def test_transform_folds_rows_in_and_reads_their_tag_preferences(tags, X):
    svd = TruncatedSVD(3, random_state=0).fit(X)
    scores = svd.inverse_transform(svd.transform(X[:4]))
    found = TagPreferenceExtractor(svd, tags).fit(X).transform(X[:4])
    np.testing.assert_allclose(found, loop_over_items_of_each_tag(scores, tags), rtol=1e-8)


def test_linear_map_is_the_mean_item_embedding_and_bias_of_each_tag(factors, tags, X):
    _, items, biases = factors
    extractor = TagPreferenceExtractor(factors, tags).fit(X)
    for t in range(N_TAGS):
        on = tags[:, t] == 1
        np.testing.assert_allclose(extractor.tag_matrix_[t], items[on].mean(axis=0))
        np.testing.assert_allclose(extractor.tag_offsets_[t], biases[on].mean())


@pytest.mark.parametrize("model", ["dot product", "tanh"])
def test_aggregate_may_be_a_function_of_the_scores_of_the_tags_items(factors, tags, X, model):
    users, items, biases = factors
    scores = users @ items.T + biases if model == "dot product" else np.tanh(users @ items.T)
    recommender = factors if model == "dot product" else TanhRecommender(users, items)
    extractor = TagPreferenceExtractor(recommender, tags, aggregate=lambda s: np.median(s, axis=1))
    found = extractor.fit(X).tag_preferences(users)
    for t in range(N_TAGS):
        np.testing.assert_allclose(found[:, t], np.median(scores[:, tags[:, t] == 1], axis=1))
    assert extractor.tag_matrix_ is None


@pytest.mark.parametrize("aggregate", ["mean", "shrunk", lambda scores: scores.max(axis=1)])
@pytest.mark.parametrize("block_scores", [1, 2 * N_ITEMS, 4 * N_ITEMS + 5])
def test_streaming_in_blocks_changes_nothing(
    factors, tags, X, aggregate, block_scores, monkeypatch
):
    users, items, _ = factors
    sizes = []

    class Watched(TanhRecommender):
        def score_items(self, embeddings, items=None):
            sizes.append(len(embeddings))
            return super().score_items(embeddings, items)

    extractor = TagPreferenceExtractor(Watched(users, items), tags, aggregate=aggregate).fit(X)
    sizes.clear()  # fit tries one user, to see how many items there are
    at_once = extractor.tag_preferences(users)
    assert sizes == [N_USERS]
    sizes.clear()
    monkeypatch.setattr(_tag_preference_extractor, "_BLOCK_SCORES", block_scores)
    in_blocks = extractor.tag_preferences(users)
    np.testing.assert_allclose(in_blocks, at_once, rtol=1e-13)
    assert max(sizes) == max(1, block_scores // N_ITEMS)
    assert sum(sizes) == N_USERS


def test_scores_of_a_dot_product_are_never_formed(factors, tags, X):
    class NeverScored:
        user_embeddings, item_embeddings, item_biases = factors

        fitted = False

        def score_items(self, embeddings, items=None):
            # fit tries three users, to see that this is a dot product
            assert not self.fitted, "the scores were formed"
            assert len(embeddings) == 3
            return embeddings @ self.item_embeddings.T + self.item_biases

    users, items, biases = factors
    model = NeverScored()
    extractor = TagPreferenceExtractor(model, tags).fit(X)
    model.fitted = True
    found = extractor.tag_preferences(users)
    expected = loop_over_items_of_each_tag(users @ items.T + biases, tags)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_without_item_tags_every_item_is_its_own_tag(factors, X):
    users, items, biases = factors
    extractor = TagPreferenceExtractor(factors).fit(X)
    np.testing.assert_allclose(extractor.tag_preferences(users), users @ items.T + biases)
    assert list(extractor.tag_names_) == [f"tag_{v}" for v in range(N_ITEMS)]


@pytest.mark.parametrize("aggregate", ["mean", lambda scores: scores.mean(axis=1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_of_embeddings_is_kept(factors, tags, X, aggregate, dtype):
    extractor = TagPreferenceExtractor(factors, tags, aggregate=aggregate).fit(X)
    found = extractor.tag_preferences(factors[0].astype(dtype))
    assert found.dtype == dtype
    exact = extractor.tag_preferences(factors[0])
    np.testing.assert_allclose(found, exact, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("aggregate", ["mean", lambda scores: scores.mean(axis=1)])
def test_whole_numbers_as_embeddings_are_not_rounded(factors, tags, X, aggregate):
    extractor = TagPreferenceExtractor(factors, tags, aggregate=aggregate).fit(X)
    found = extractor.tag_preferences([[1, 0, 2]])
    np.testing.assert_allclose(found, extractor.tag_preferences([[1.0, 0.0, 2.0]]), rtol=1e-12)
    assert not np.allclose(found, np.round(found))


def test_transform_keeps_float32(tags, X):
    X = X.astype(np.float32)
    extractor = TagPreferenceExtractor(TruncatedSVD(3, random_state=0), tags).fit(X)
    assert extractor.transform(X).dtype == np.float32
    assert extractor.transform(sp.csr_matrix(X)).dtype == np.float32


def test_rows_are_independent(tags, X):
    extractor = TagPreferenceExtractor(TruncatedSVD(3, random_state=0), tags).fit(X)
    together = extractor.transform(X)
    alone = np.vstack([extractor.transform(X[[row]]) for row in range(N_USERS)])
    np.testing.assert_allclose(together, alone, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "container",
    [
        lambda tags: tags.tolist(),
        lambda tags: tags.astype(bool),
        lambda tags: tags.astype(np.int8),
        sp.csr_matrix,
        sp.csc_matrix,
        sp.coo_matrix,
        sp.csr_array,
        lambda tags: pd.DataFrame(tags, columns=[f"tag_{t}" for t in range(N_TAGS)]),
        lambda tags: pd.DataFrame(tags.astype(bool)).assign(**{"3": tags[:, 3]}).drop(columns=3),
        lambda tags: pd.DataFrame(tags).astype(pd.SparseDtype(float, 0.0)),
    ],
)
def test_tags_may_come_in_any_container(factors, tags, X, container):
    expected = TagPreferenceExtractor(factors, tags).fit(X).tag_preferences(factors[0])
    found = TagPreferenceExtractor(factors, container(tags)).fit(X).tag_preferences(factors[0])
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("container", [np.asarray, sp.csr_matrix, sp.csr_array, pd.DataFrame])
def test_interactions_may_come_in_any_container(tags, X, container):
    expected = TagPreferenceExtractor(TruncatedSVD(3, random_state=0), tags).fit_transform(X)
    given = container(X)
    if isinstance(given, pd.DataFrame):
        given.columns = [f"item {v}" for v in range(N_ITEMS)]
    found = TagPreferenceExtractor(TruncatedSVD(3, random_state=0), tags).fit_transform(given)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)


def test_tags_of_an_item_are_its_weights(factors, tags, X):
    weighted = tags * np.arange(1, N_TAGS + 1)
    extractor = TagPreferenceExtractor(factors, weighted).fit(X)
    for item in range(N_ITEMS):
        np.testing.assert_array_equal(extractor.tags_of(item), weighted[item])


def test_output_can_be_a_frame_with_the_names_of_the_tags(tags, X):
    named = pd.DataFrame(tags, columns=["noir", "war", "love", 1984])
    extractor = TagPreferenceExtractor(TruncatedSVD(3, random_state=0), named).fit(X)
    assert list(extractor.get_feature_names_out()) == ["noir", "war", "love", "1984"]
    plain = extractor.transform(X)
    frame = extractor.set_output(transform="pandas").transform(X)
    assert list(frame.columns) == ["noir", "war", "love", "1984"]
    np.testing.assert_array_equal(frame.to_numpy(), plain)
    assert list(clone(extractor).fit(X).transform(X).columns) == list(frame.columns)


def test_given_tag_names_come_first(factors, tags, X):
    named = pd.DataFrame(tags, columns=list("abcd"))
    extractor = TagPreferenceExtractor(factors, named, tag_names=["w", "x", "y", "z"]).fit(X)
    assert list(extractor.tag_names_) == ["w", "x", "y", "z"]


def test_clone_shares_a_fitted_recommender_and_the_tags(tags, X):
    svd = TruncatedSVD(3).fit(X)
    extractor = TagPreferenceExtractor(svd, tags, tag_names=list("abcd"), aggregate="shrunk")
    copied = clone(extractor)
    assert copied is not extractor
    assert copied.recommender is svd
    assert copied.item_tags is tags
    assert copied.get_params()["aggregate"] == "shrunk"
    assert list(copied.tag_names) == list("abcd")


def test_clone_copies_an_unfitted_recommender(tags):
    svd = TruncatedSVD(3)
    copied = clone(TagPreferenceExtractor(svd, tags))
    assert copied.recommender is not svd
    assert copied.recommender.n_components == 3
    assert copied.item_tags is tags


def test_fitted_recommender_is_not_refitted(tags, X):
    svd = TruncatedSVD(3, random_state=0).fit(X)
    components = svd.components_.copy()
    TagPreferenceExtractor(svd, tags).fit(X[::-1] * 3.0)
    np.testing.assert_array_equal(svd.components_, components)


def test_unfitted_recommender_is_cloned_and_fitted(tags, X):
    svd = TruncatedSVD(3, random_state=0)
    extractor = TagPreferenceExtractor(svd, tags).fit(X)
    assert not hasattr(svd, "components_")
    by_hand = TagPreferenceExtractor(TruncatedSVD(3, random_state=0).fit(X), tags).fit(X)
    np.testing.assert_array_equal(extractor.transform(X), by_hand.transform(X))


def test_parameters_of_the_recommender_can_be_set(tags, X):
    extractor = TagPreferenceExtractor(TruncatedSVD(3, random_state=0), tags)
    extractor.set_params(recommender__n_components=2).fit(X)
    assert extractor.tag_matrix_.shape == (N_TAGS, 2)


def test_pickled_extractor_transforms_identically(tags, X):
    extractor = TagPreferenceExtractor(TruncatedSVD(3, random_state=0), tags).fit(X)
    again = pickle.loads(pickle.dumps(extractor))
    np.testing.assert_allclose(again.transform(X), extractor.transform(X), rtol=1e-12)


def test_trained_als_model_is_read_as_it_is(data):
    als = AlternatingLeastSquares(factors=4, random_state=0)
    als.fit(data.interactions, show_progress=False)
    extractor = TagPreferenceExtractor(als, data.item_tags).fit(data.interactions)
    scores = als.user_factors @ als.item_factors.T
    expected = loop_over_items_of_each_tag(scores.astype(float), data.item_tags.to_numpy())
    found = extractor.tag_preferences(als.user_factors)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_tag_preferences_are_features_for_clustering():
    data = make_tagged_interactions(150, 120, 5, random_state=0)
    pipeline = make_pipeline(
        TagPreferenceExtractor(TruncatedSVD(64, random_state=0), data.item_tags),
        StandardScaler(),
        KMeans(8, n_init=1, random_state=0),
    )
    clusters = pipeline.fit_predict(data.interactions)
    assert clusters.shape == (150,)
    assert set(clusters) == set(range(8))
    np.testing.assert_array_equal(pipeline.predict(data.interactions), clusters)


def test_nothing_given_is_modified(factors, tags, X):
    stored_zero = sp.csc_matrix(tags)
    stored_zero.data[1] = 0.0
    rows = sp.csr_matrix(X)
    rows.data[0] = 0.0
    before = [array.copy() for array in (stored_zero.data, stored_zero.indices, rows.data, X)]
    TagPreferenceExtractor(factors, stored_zero).fit(rows).transform(rows)
    TagPreferenceExtractor(NMF(2, init="nndsvda", max_iter=2000), tags).fit_transform(X)
    after = [stored_zero.data, stored_zero.indices, rows.data, X]
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tags: tags[:-2], "interactions have 12 columns, item_tags has 10 rows"),
        (lambda tags: tags * [1, 0, 1, 0], r"2 of 4 tags have no items \('b', 'd'\)"),
        (
            lambda tags: np.where(tags, np.nan, 0),
            "22 NaN or infinite weights, the first on tag 'a'",
        ),
        (lambda tags: np.where(tags, [1, 1, np.inf, 1], 0), "6 NaN or infinite .* on tag 'c'"),
        (lambda tags: tags * [1, -1, 1, 1], "4 negative weights, the first on tag 'b'"),
        (lambda tags: np.where(tags, "yes", "no"), "must hold numbers"),
        (lambda tags: tags[:, 0], "must be 2-d, items by tags; got 1 dimensions"),
    ],
)
def test_impossible_tags_are_named(factors, tags, X, change, message):
    wrong = change(tags)
    with pytest.raises(ValueError, match=message):
        TagPreferenceExtractor(factors, wrong, tag_names=list("abcd")).fit(X)


def test_tags_with_the_same_name_are_named(factors, tags, X):
    twice = pd.DataFrame(tags, columns=["noir", "war", "war", "love"])
    with pytest.raises(ValueError, match="must be unique, got 1 duplicate ids: 'war'"):
        TagPreferenceExtractor(factors, twice).fit(X)


def test_no_tags_at_all_are_refused(factors, X):
    with pytest.raises(ValueError, match="item_tags has no tags"):
        TagPreferenceExtractor(factors, pd.DataFrame(index=range(N_ITEMS))).fit(X)


@pytest.mark.parametrize("names", [["a", "b"], ["a", "b", "c", None], ["a", "b", "c", "a"]])
def test_names_that_do_not_fit_the_tags_are_refused(factors, tags, X, names):
    with pytest.raises(ValueError, match="tag_names"):
        TagPreferenceExtractor(factors, tags, tag_names=names).fit(X)


def test_columns_of_interactions_must_be_the_recommenders_items(factors, tags, X):
    with pytest.raises(ValueError, match="X has 11 columns, but the recommender knows 12 items"):
        TagPreferenceExtractor(factors, tags[:-1]).fit(X[:, :-1])
    extractor = TagPreferenceExtractor(factors, tags).fit(X)
    with pytest.raises(ValueError, match="X has 11 features"):
        extractor.transform(X[:, :-1])


@pytest.mark.parametrize(
    ("model", "what"), [(None, "None"), (TruncatedSVD, "the class TruncatedSVD")]
)
def test_a_model_must_be_passed(tags, X, model, what):
    with pytest.raises(AdapterError, match=f"recommender must be a model, got {what}"):
        TagPreferenceExtractor(model, tags).fit(X)


def test_unknown_aggregate_is_refused(factors, tags, X):
    with pytest.raises(ValueError, match="'aggregate' parameter"):
        TagPreferenceExtractor(factors, tags, aggregate="median").fit(X)


def test_unfitted_extractor_says_so(factors, tags, X):
    extractor = TagPreferenceExtractor(factors, tags)
    for use in (
        lambda: extractor.transform(X),
        lambda: extractor.tag_preferences(factors[0]),
        lambda: extractor.tags_of(0),
        extractor.get_feature_names_out,
    ):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            use()


class Predicts:
    """A recommender that predicts tag preferences itself, by any function of embeddings."""

    tag_names_ = np.array(["a", "b", "c", "d"], dtype=object)

    def __init__(self, factors, predict):
        self.user_embeddings, self.item_embeddings, _ = factors
        self._predict = predict

    def score_items(self, embeddings, items=None):
        scores = embeddings @ self.item_embeddings.T
        return scores if items is None else scores[:, items]

    def tag_scores(self, embeddings):
        return self._predict(np.asarray(embeddings))


class TestPredictedTags:
    MAP = np.random.RandomState(3).normal(size=(3, N_TAGS))

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("offset", [0.0, 2.5])
    def test_linear_ones_are_found_and_kept_as_a_matrix(self, factors, tags, dtype, offset):
        recommender = Predicts(
            [part.astype(dtype) for part in factors],
            lambda e: e.astype(dtype) @ self.MAP.astype(dtype) + dtype(offset),
        )
        extractor = TagPreferenceExtractor(recommender, tags).fit(np.eye(2, N_ITEMS))
        tolerance = 1e-5 if dtype == np.float32 else 1e-12
        np.testing.assert_allclose(
            extractor.tag_matrix_, self.MAP.T, rtol=tolerance, atol=tolerance
        )
        np.testing.assert_allclose(extractor.tag_offsets_, offset, rtol=tolerance)
        users = recommender.user_embeddings
        np.testing.assert_allclose(
            extractor.tag_preferences(users), users @ self.MAP + offset, rtol=1e-4, atol=1e-5
        )

    def test_others_are_asked_as_they_are(self, factors, tags):
        recommender = Predicts(factors, lambda e: np.tanh(e @ self.MAP))
        extractor = TagPreferenceExtractor(recommender, tags).fit(np.eye(2, N_ITEMS))
        assert extractor.tag_matrix_ is None
        users = recommender.user_embeddings
        np.testing.assert_array_equal(extractor.tag_preferences(users), np.tanh(users @ self.MAP))
        assert extractor.tag_preferences(users.astype(np.float32)).dtype == np.float32
        assert extractor.items_of(0).tolist() == np.flatnonzero(tags[:, 0]).tolist()

    @pytest.mark.parametrize("aggregate", ["shrunk", lambda scores: scores.mean(axis=1)])
    def test_leave_nothing_to_aggregate(self, factors, tags, aggregate):
        recommender = Predicts(factors, lambda e: e @ self.MAP)
        with pytest.raises(ValueError, match=r"aggregate must be 'mean', .* predicts tag pref"):
            TagPreferenceExtractor(recommender, tags, aggregate=aggregate).fit(np.eye(2, N_ITEMS))

    def test_must_be_those_of_item_tags(self, factors, tags):
        recommender = Predicts(factors, lambda e: e @ self.MAP)
        X = np.eye(2, N_ITEMS)
        with pytest.raises(ValueError, match=r"shape \(1, 3\).* got shape \(1, 4\); pass the item"):
            TagPreferenceExtractor(recommender, tags[:, 1:]).fit(X)
        with pytest.raises(ValueError, match="column 1 is 'c', but was 'b' in training"):
            TagPreferenceExtractor(recommender, tags, tag_names=list("acbd")).fit(X)
        named = pd.DataFrame(tags, columns=list("abcd"))
        assert TagPreferenceExtractor(recommender, named).fit(X).tag_names_.tolist() == list("abcd")

    def test_must_be_finite(self, factors, tags):
        recommender = Predicts(factors, lambda e: e @ self.MAP * np.nan)
        with pytest.raises(ValueError, match="tag_scores of Predicts must return finite numbers"):
            TagPreferenceExtractor(recommender, tags).fit(np.eye(2, N_ITEMS))

    def test_none_takes_the_tags_of_the_recommender_where_it_has_some(self, factors, tags):
        recommender = Predicts(factors, lambda e: e @ self.MAP)
        recommender.item_tags = pd.DataFrame(tags, columns=list("abcd"))
        extractor = TagPreferenceExtractor(recommender).fit(np.eye(2, N_ITEMS))
        assert extractor.tag_names_.tolist() == list("abcd")
