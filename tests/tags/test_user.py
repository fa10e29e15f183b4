"""Somebody known to the recommender, somebody with interactions, somebody described by tags."""

import json

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import LinearRegression

from sktpecr import CVAEGenerator, FeedbackRefiner, TPECRExplainer
from sktpecr.attribution import ExactAttribution
from sktpecr.datasets import make_tagged_interactions
from sktpecr.recommenders import FactorRecommender
from sktpecr.tags._user import User

DATA = make_tagged_interactions(n_users=80, n_items=60, n_tags=5, random_state=0)
X, ITEMS, USERS = DATA.interactions, DATA.item_ids, DATA.user_ids
EXPLAINER = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags).fit(X, user_ids=USERS)
REFINER = FeedbackRefiner(EXPLAINER)
TAGS = EXPLAINER.tag_names_.tolist()
POPULATION = EXPLAINER._tag_model
ROW = 7
KNOWN = USERS[ROW]
NEW = {"interactions": X[ROW]}


def factors(n_factors=4, dtype=np.float64):
    rng = np.random.RandomState(1)
    return (
        rng.normal(size=(80, n_factors)).astype(dtype),
        rng.normal(size=(60, n_factors)).astype(dtype),
    )


def assert_frames_alike(one, other, **tolerance):
    pd.testing.assert_frame_equal(one, other, check_dtype=False, **(tolerance or {"rtol": 1e-6}))


# Somebody with interactions


def test_interactions_of_a_known_user_say_what_her_id_says_where_folding_in_is_exact():
    for item in ITEMS[:5]:
        known, new = EXPLAINER.explain(KNOWN, item), EXPLAINER.explain(item=item, **NEW)
        assert_frames_alike(known.to_frame(), new.to_frame())
        assert new.score == pytest.approx(known.score)
        assert new.residual == pytest.approx(known.residual, abs=1e-9)
        assert vars(new.certificate) == pytest.approx(
            vars(known.certificate), abs=1e-8, nan_ok=True
        )
        assert new.to_text() == known.to_text()
    assert_frames_alike(EXPLAINER.profile(KNOWN), EXPLAINER.profile(**NEW))
    for exclude_seen in (True, False):
        seen = {"exclude_seen": exclude_seen}
        assert_frames_alike(
            EXPLAINER.recommend(KNOWN, 60, **seen), EXPLAINER.recommend(n=60, **NEW, **seen)
        )
    first, second = ITEMS[3], ITEMS[9]
    assert (
        EXPLAINER.contrast(item=first, other=second, **NEW).to_text()
        == EXPLAINER.contrast(KNOWN, first, second).to_text()
    )
    assert (
        EXPLAINER.counterfactual(item=first, k=3, among=TAGS[1:], **NEW).to_text()
        == EXPLAINER.counterfactual(KNOWN, first, k=3, among=TAGS[1:]).to_text()
    )
    assert_frames_alike(
        EXPLAINER.suggest_question(n=3, **NEW), EXPLAINER.suggest_question(KNOWN, n=3)
    )


@pytest.mark.parametrize(
    "said",
    [
        {"like": "tag_1"},
        {"dislike": "tag_2"},
        {"set": {"tag_0": 0.0}},
        {"like": "tag_1", "set": {"tag_3": 1.0}},
        {},
    ],
    ids=str,
)
def test_refining_pulls_to_the_interactions_given(said):
    known, new = REFINER.refine(KNOWN, **said), REFINER.refine(**said, **NEW)
    np.testing.assert_allclose(new.embedding, known.embedding, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(new.requested, known.requested, rtol=1e-6, atol=1e-9)
    assert_frames_alike(new.recommend(60), known.recommend(60))
    assert not set(new.recommend(60)["item"]) & set(ITEMS[X[ROW].indices])
    assert new.rank(ITEMS[4]) == known.rank(ITEMS[4])
    assert_frames_alike(new.explain(ITEMS[4]).to_frame(), known.explain(ITEMS[4]).to_frame())
    assert_frames_alike(new.to_frame(), known.to_frame(), atol=1e-8, rtol=1e-6)
    assert_frames_alike(REFINER.preview(**said, **NEW), REFINER.preview(KNOWN, **said))


@pytest.mark.parametrize("solver", ["online", "embedding"])
def test_gradient_solvers_take_somebody_new(solver):
    refiner = FeedbackRefiner(EXPLAINER, solver=solver)
    for said in ({"like": "tag_1"}, {"dislike": "tag_2"}):
        known = refiner.sweep(KNOWN, **said, strengths=[0.5, 2])
        new = refiner.sweep(**said, **NEW, strengths=[0.5, 2])
        for one, other in zip(known, new, strict=True):
            np.testing.assert_allclose(one.embedding, other.embedding, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("recommender", [TruncatedSVD(8, random_state=0), factors()], ids=str)
def test_folds_in_as_transform_does(recommender):
    explainer = TPECRExplainer(recommender, DATA.item_tags).fit(X)
    expected = explainer.transform(X)
    for row in range(10):
        profile = explainer.profile(interactions=X[row]).set_index("tag")["preference"]
        np.testing.assert_allclose(profile[TAGS], expected[row], rtol=1e-6, atol=1e-7)
        explanation = explainer.explain(item=ITEMS[0], interactions=X[row])
        np.testing.assert_allclose(explanation.tag_preferences, expected[row], rtol=1e-6, atol=1e-7)


def test_a_row_can_be_sparse_or_an_array():
    dense = X[ROW].toarray()
    expected = EXPLAINER.explain(item=ITEMS[0], **NEW).tag_preferences
    with_zeros = sp.csr_matrix((dense[0], np.arange(60), [0, 60]), shape=(1, 60))
    for row in (
        dense,
        dense[0],
        dense[0] > 0,
        dense[0].astype(np.int8),
        sp.csc_matrix(dense),
        sp.coo_array(dense),
        with_zeros,
    ):
        found = EXPLAINER.explain(item=ITEMS[0], interactions=row).tag_preferences
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    single = User.of(POPULATION, interactions=dense[0].astype(np.float32))
    np.testing.assert_allclose(
        single.embedding, EXPLAINER.user_embeddings_[ROW], rtol=1e-4, atol=1e-5
    )


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from(ITEMS.tolist()), min_size=1, max_size=20), st.randoms())
def test_a_list_is_a_set_of_items(ids, random):
    row = np.zeros(60)
    row[[ITEMS.tolist().index(each) for each in ids]] = 1.0
    expected = User.of(POPULATION, interactions=row)
    shuffled = [*ids, ids[0]]
    random.shuffle(shuffled)
    for given_ids in (ids, shuffled, tuple(ids), set(ids), (each for each in ids)):
        user = User.of(POPULATION, interactions=given_ids)
        np.testing.assert_array_equal(user.embedding, expected.embedding)
        assert user.history.tolist() == expected.history.tolist() == sorted(user.history)
        assert user.label == expected.label


def test_items_of_a_list_get_the_mean_value_of_the_interactions():
    ratings = X.copy()
    ratings.data = np.random.RandomState(0).randint(1, 6, size=ratings.nnz).astype(float)
    explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags).fit(ratings)
    row = np.zeros(60)
    row[[3, 5]] = ratings.data.mean()
    np.testing.assert_allclose(
        explainer.profile(interactions=ITEMS[[3, 5]].tolist())["preference"],
        explainer.profile(interactions=row)["preference"],
    )


def test_item_numbers_where_there_are_no_ids():
    explainer = TPECRExplainer(factors(), DATA.item_tags.to_numpy()).fit(X)
    columns = X[ROW].indices.tolist()
    np.testing.assert_allclose(
        explainer.profile(interactions=columns)["preference"],
        explainer.profile(interactions=X[ROW])["preference"],
    )


def test_an_explainer_without_interactions_takes_them_for_one_user():
    explainer = TPECRExplainer(factors(), DATA.item_tags)
    listed = explainer.recommend(n=60, interactions=ITEMS[:20].tolist())
    assert set(listed["item"]) == set(ITEMS[20:])
    refiner = FeedbackRefiner(explainer, solver="closed_form")
    with pytest.raises(ValueError, match="the explainer was fitted without interactions"):
        refiner.refine(3, dislike="tag_1")
    refined = refiner.refine(interactions=ITEMS[:20].tolist(), dislike="tag_1")
    assert refined.to_frame().set_index("tag")["change"]["tag_1"] < 0
    assert len(str(refined).splitlines()) == 12


# Somebody described by tags


def regression(explainer, values):
    """Return where the other tags are expected, by regressing them on those that are known."""
    C = explainer.tag_preferences_.astype(float)
    mean, std = C.mean(axis=0), C.std(axis=0)
    named = [TAGS.index(tag) for tag in values]
    asked = mean[named] + np.array(list(values.values())) * std[named]
    return LinearRegression().fit(C[:, named], C).predict(asked[np.newaxis])[0]


@settings(deadline=None, max_examples=30)
@given(st.dictionaries(st.sampled_from(TAGS), st.floats(-3, 3), min_size=1, max_size=len(TAGS)))
def test_tags_not_named_are_what_regression_expects(values):
    """And the embedding has the tag preferences: the generator is exact here."""
    expected = regression(EXPLAINER, values)
    scale = EXPLAINER.population_std_.max()
    found = EXPLAINER.profile(tags=values).set_index("tag")
    np.testing.assert_allclose(found["preference"][TAGS], expected, atol=1e-5 * scale)
    for tag, value in values.items():
        assert found["vs_population"][tag] == pytest.approx(value, abs=1e-5)
    K, mean = EXPLAINER.generator_.gain_, EXPLAINER.population_mean_
    np.testing.assert_allclose(
        User.of(POPULATION, tags=values).embedding,
        POPULATION.average_user + K @ (expected - mean),
        atol=1e-6,
    )


def test_no_tags_are_the_average_user():
    user = User.of(POPULATION, tags={})
    np.testing.assert_allclose(user.embedding, POPULATION.average_user, atol=1e-12)
    assert not user.history.size
    explanation = EXPLAINER.explain(tags={}, item=ITEMS[0])
    np.testing.assert_allclose(explanation.contributions, 0, atol=1e-7)
    assert explanation.reasons == []
    assert explanation.to_text().startswith("No tag is the reason here")


def test_her_own_standing_on_all_tags_describes_a_user():
    own = EXPLAINER.profile(KNOWN)
    described = EXPLAINER.profile(tags=dict(zip(own["tag"], own["vs_population"], strict=True)))
    assert_frames_alike(
        own[["tag", "preference", "vs_population"]],
        described[["tag", "preference", "vs_population"]],
        rtol=1e-5,
    )


def test_all_that_is_asked_of_a_user_is_asked_of_one_described():
    described = {"tags": {"tag_1": 1.5, "tag_2": -1.0}}
    assert len(EXPLAINER.recommend(n=60, **described)) == 60  # nothing was seen
    explanation = EXPLAINER.explain(item=ITEMS[2], **described)
    total = explanation.base_value + explanation.contributions.sum() + explanation.residual
    assert total == pytest.approx(explanation.score)
    assert explanation.certificate.completeness_error < 1e-6
    assert EXPLAINER.contrast(item=ITEMS[2], other=ITEMS[3], **described).score == pytest.approx(
        explanation.score - EXPLAINER.explain(item=ITEMS[3], **described).score
    )
    best = EXPLAINER.recommend(n=1, **described)["item"][0]
    assert EXPLAINER.counterfactual(item=best, **described).rank_before == 1
    assert len(EXPLAINER.suggest_question(n=9, among=["tag_3"], **described)) == 1
    refined = REFINER.refine(like="tag_3", dislike="tag_1", **described)
    change = refined.to_frame().set_index("tag")["change"]
    assert change["tag_3"] > 0 > change["tag_1"]
    swept = REFINER.sweep(like="tag_3", strengths=[0, 1], **described)
    np.testing.assert_array_equal(swept[0].scores, swept[0].scores_before)
    assert set(REFINER.preview(like="tag_3", **described)["change"]) >= {"stays"}


def test_a_tag_that_is_the_same_for_everybody_describes_nobody():
    tags = DATA.item_tags.assign(flat=np.arange(60) == 7)
    users, items = factors()
    items[7] = 0  # so that everybody likes it the same
    explainer = TPECRExplainer((users, items), tags).fit(X)
    assert explainer.population_std_[5] == 0
    for rest in ({}, {"tag_1": 1.0}):
        np.testing.assert_allclose(
            User.of(explainer._tag_model, tags={"flat": 3.0, **rest}).embedding,
            User.of(explainer._tag_model, tags=rest).embedding,
            atol=1e-9,
        )


def test_what_two_names_of_a_tag_contradict_is_met_half_way():
    tags = DATA.item_tags[["tag_0", "tag_1"]].assign(again=DATA.item_tags["tag_0"])
    explainer = TPECRExplainer(factors(), tags).fit(X)

    def state(tags):
        return explainer.profile(tags=tags).set_index("tag")["vs_population"]

    assert state({"tag_0": 2.0, "again": 0.0})["tag_0"] == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_allclose(
        state({"tag_0": 1.5, "again": 1.5}), state({"tag_0": 1.5}), atol=1e-6
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_factors", [1, 3])
def test_more_tags_than_factors(n_factors, dtype):
    """More is said than an embedding can be: it comes as near as least squares."""
    explainer = TPECRExplainer(factors(n_factors, dtype), DATA.item_tags).fit(X)
    C = explainer.tag_preferences_.astype(float)
    mean, std = C.mean(axis=0), C.std(axis=0)
    Z = (C - mean) / std
    said = np.array([1.0, -0.5, 0.0, 2.0, 0.3])
    axes = np.linalg.svd(Z, full_matrices=False)[2][:n_factors]
    expected = axes.T @ axes @ said
    found = explainer._tag_model.vs_mean(
        explainer.profile(tags=dict(zip(TAGS, said, strict=True)))
        .set_index("tag")["preference"][TAGS]
        .to_numpy()
    )
    np.testing.assert_allclose(found, expected, atol=1e-3 if dtype == np.float32 else 1e-5)


def test_one_tag_and_one_user():
    explainer = TPECRExplainer(factors(), DATA.item_tags[["tag_2"]]).fit(X)
    state = explainer.profile(tags={"tag_2": 1.25})["vs_population"]
    assert state.tolist() == pytest.approx([1.25], abs=1e-5)
    users, items = factors()
    alone = TPECRExplainer((users[:1], items), DATA.item_tags).fit(X[:1])
    np.testing.assert_allclose(
        User.of(alone._tag_model, tags={"tag_1": 1.0}).embedding, users[0], atol=1e-9
    )


def test_an_explainer_that_never_saw_interactions_takes_tags():
    explainer = TPECRExplainer(factors(), DATA.item_tags)
    assert len(explainer.recommend(n=60, tags={"tag_1": 1.0})) == 60
    refined = FeedbackRefiner(explainer).refine(tags={"tag_1": 1.0}, dislike="tag_0")
    assert refined.to_frame().set_index("tag")["change"]["tag_0"] < 0


def test_a_generator_that_is_not_linear_predicts():
    cvae = CVAEGenerator(hidden_dims=(16,), latent_dim=4, max_epochs=20, random_state=0)
    explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags, generator=cvae)
    tag_model = explainer.fit(X)._tag_model
    values = {"tag_1": 1.0, "tag_4": -0.5}
    expected = explainer.generator_.predict(regression(explainer, values)[np.newaxis])[0]
    np.testing.assert_allclose(User.of(tag_model, tags=values).embedding, expected, atol=1e-5)


# What they are called, and what may not be given


def test_somebody_new_has_a_few_words_for_a_name():
    several = {"tag_0": 1.0, "tag_1": -0.25, "tag_2": 1e-3, "tag_3": 2.0}
    for given_as, label in (
        ({"interactions": ITEMS[:2].tolist()}, "a new user (2 items)"),
        ({"interactions": [ITEMS[0]]}, "a new user (1 item)"),
        ({"tags": {}}, "a new user"),
        ({"tags": {"tag_3": 2}}, "a new user (tag_3 +2)"),
        ({"tags": several}, "a new user (tag_0 +1, tag_1 -0.25, tag_2 +0.001, ...)"),
    ):
        explanation = EXPLAINER.explain(item=ITEMS[0], **given_as)
        assert explanation.user == label
        assert json.loads(json.dumps(explanation.to_dict()["user"])) == label
        refined = REFINER.refine(like="tag_1", **given_as)
        assert refined.user == refined.explain(ITEMS[0]).user == label
        assert repr(refined) == f"Refinement(user={label!r}, feedback='more tag_1')"
        counterfactual = EXPLAINER.counterfactual(item=ITEMS[0], among=["tag_1"], **given_as)
        contrast = EXPLAINER.contrast(item=ITEMS[0], other=ITEMS[1], **given_as)
        assert counterfactual.user == contrast.user == label


WRONG = {
    "none": ({}, "give exactly one of user, interactions and tags, got none of them"),
    "two": ({"user": KNOWN, **NEW}, "exactly one of .* got user and interactions"),
    "also empty": ({"interactions": [], "tags": {}}, "got interactions and tags"),
    "all": ({"user": KNOWN, **NEW, "tags": {}}, "got user and interactions and tags"),
    "user": ({"user": "user_7"}, "unknown user 'user_7'; known are"),
    "id": ({"interactions": ["item_001"]}, "unknown item 'item_001'; did you mean 'item_"),
    "nested": ({"interactions": [["item_001"]]}, "expected one item id, got list"),
    "no items": ({"interactions": []}, "interactions has no items, .* give tags instead"),
    "zeros": ({"interactions": np.zeros(60)}, "interactions has no items"),
    "length": ({"interactions": np.ones(59)}, r"one row of 60 numbers.* got shape \(59,\)"),
    "rows": ({"interactions": X[:2]}, r"one row of 60 numbers.* got shape \(2, 60\)"),
    "column": ({"interactions": np.ones((60, 1))}, r"got shape \(60, 1\)"),
    "array of ids": ({"interactions": ITEMS}, "dtype .*; ids of items go into a list"),
    "complex": ({"interactions": np.ones(60) * 1j}, "dtype complex128"),
    "nan": (
        {"interactions": np.where(np.arange(60) == 3, np.nan, 1.0)},
        "got 1 NaN or infinite values, the first for item 'item_03'",
    ),
    "infinite": ({"interactions": np.full(60, np.inf)}, "got 60 NaN or infinite values"),
    "negative": (
        {"interactions": sp.csr_matrix(([-1.0, 2.0], ([0, 0], [5, 2])), shape=(1, 60))},
        "got 1 negative values, the first for item 'item_05'",
    ),
    "text": ({"interactions": "item_001"}, "must be a list of item ids, .* got str"),
    "number": ({"interactions": 3}, "must be a list of item ids, .* got int"),
    "series": ({"interactions": pd.Series(["item_001"])}, "got Series"),
    "frame": (
        {"interactions": pd.DataFrame(np.ones((1, 60)))},
        "the columns of interactions contradict those of fit",
    ),
    "dict": ({"interactions": {"item_001": 1.0}}, "got dict"),
    "tag": ({"tags": {"tag1": 1.0}}, "unknown tag 'tag1'; did you mean 'tag_1'"),
    "tag list": ({"tags": ["tag_1"]}, "tags must be a dict of tag to value, .* got list"),
    "tag nan": ({"tags": {"tag_1": np.nan}}, r"tags\['tag_1'\] must be a finite number, got nan"),
    "tag text": ({"tags": {"tag_1": "high"}}, r"tags\['tag_1'\] must be a finite number"),
}


@pytest.mark.parametrize(("given_as", "message"), WRONG.values(), ids=WRONG)
def test_says_what_is_wrong(given_as, message):
    for ask in (
        lambda **user: EXPLAINER.explain(item=ITEMS[0], **user),
        EXPLAINER.recommend,
        EXPLAINER.profile,
        lambda **user: EXPLAINER.counterfactual(item=ITEMS[0], **user),
        lambda **user: EXPLAINER.contrast(item=ITEMS[0], other=ITEMS[1], **user),
        EXPLAINER.suggest_question,
        lambda **user: REFINER.refine(like="tag_1", **user),
        lambda **user: REFINER.preview(like="tag_1", **user),
        lambda **user: REFINER.sweep(like="tag_1", strengths=[1], **user),
    ):
        with pytest.raises(ValueError, match=message):
            ask(**given_as)


def test_a_list_of_users_is_not_given_beside_somebody_new():
    assert len(REFINER.refine(USERS[:3].tolist(), like="tag_1")) == 3
    with pytest.raises(ValueError, match="got user and interactions"):
        REFINER.refine(USERS[:3].tolist(), like="tag_1", **NEW)


def test_the_item_is_missed():
    with pytest.raises(ValueError, match="item must be the id of what is to be explained"):
        EXPLAINER.explain(**NEW)


class Generates(BaseEstimator):
    """A generator for known users alone."""

    def fit(self, X, y):
        return self

    def generate(self, tag_preferences, embeddings):
        return np.asarray(embeddings)


class Nothing(ExactAttribution):
    """Attributes nothing, which needs no gain of the generator."""

    def fit(self, composite, tag_preferences, embeddings):
        return self


def test_tags_need_a_generator_that_predicts():
    explainer = TPECRExplainer(
        factors(), DATA.item_tags, generator=Generates(), attribution=Nothing()
    ).fit(X)
    assert len(explainer.recommend(interactions=X[ROW])) == 10
    with pytest.raises(ValueError, match="and Generates has none; give interactions"):
        explainer.recommend(tags={"tag_1": 1.0})


def test_a_recommender_that_cannot_fold_in_says_so():
    class Known:
        user_embeddings = factors()[0]

        def score_items(self, embeddings, items=None):
            scores = np.tanh(embeddings @ factors()[1].T)
            return scores if items is None else scores[:, items]

    explainer = TPECRExplainer(
        Known(), DATA.item_tags, generator=Generates(), attribution=Nothing()
    ).fit(X)
    with pytest.raises(ValueError, match=r"Known cannot embed .* has no fold_in\(X\)"):
        explainer.recommend(interactions=X[ROW])


def test_users_of_the_population_by_row():
    empty = X.copy().tolil()
    empty[4] = 0
    explainer = TPECRExplainer(FactorRecommender(*factors()), DATA.item_tags)
    explainer.fit(sp.csr_matrix(empty), user_ids=USERS)
    somebody, nobody = (User.at(explainer._tag_model, row) for row in (ROW, 4))
    assert (somebody.label, nobody.label) == (USERS[ROW], USERS[4])
    assert somebody.history.tolist() == X[ROW].indices.tolist()
    assert (somebody.is_known, nobody.is_known) == (True, False)
    assert somebody.to_explain() is somebody
    with pytest.raises(ValueError, match="has no interactions, so the recommender knows nothing"):
        nobody.to_explain()
    unfitted = TPECRExplainer(FactorRecommender(*factors()), DATA.item_tags)
    user = User.at(unfitted.tag_model_, ROW)
    assert (user.label, user.is_known, user.has_known_history) == (ROW, True, False)


def signed_explainer():
    values = np.random.RandomState(0).uniform(-2, 2, X.nnz)
    signed = sp.csr_matrix((values, X.indices, X.indptr), shape=X.shape)
    model = FactorRecommender(*factors())
    return signed, TPECRExplainer(model, DATA.item_tags).fit(signed)


def test_an_item_of_a_list_is_worth_the_mean_of_what_is_liked():
    signed, explainer = signed_explainer()
    row = sp.csr_matrix(
        (np.full(2, signed.data[signed.data > 0].mean()), ([0, 0], [3, 8])), (1, 60)
    )
    expected = explainer.recommend(interactions=row, n=5)
    pd.testing.assert_frame_equal(
        explainer.recommend(interactions=[ITEMS[3], ITEMS[8]], n=5), expected
    )


def test_negative_values_are_taken_where_fit_took_them():
    signed, explainer = signed_explainer()
    row = signed[ROW]
    assert (row.data < 0).any()
    found = User.of(explainer.tag_model_, interactions=row)
    np.testing.assert_allclose(found.embedding, explainer.recommender.fold_in(row)[0])
    with pytest.raises(ValueError, match="at least 0 as those of fit are"):
        EXPLAINER.recommend(interactions=row)


@pytest.mark.parametrize("kind", [sp.csr_array, sp.csc_array, sp.coo_array, sp.coo_matrix])
def test_sparse_arrays_are_as_good_as_matrices(kind):
    again = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags).fit(
        kind(X), user_ids=USERS
    )
    np.testing.assert_array_equal(again.user_embeddings_, EXPLAINER.user_embeddings_)
    np.testing.assert_array_equal(again.transform(kind(X)), EXPLAINER.transform(X))
    expected = EXPLAINER.recommend(n=5, **NEW)
    pd.testing.assert_frame_equal(again.recommend(n=5, interactions=kind(X[ROW])), expected)
