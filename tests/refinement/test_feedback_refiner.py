"""From feedback to the next recommendations."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, clone
from sklearn.decomposition import TruncatedSVD
from sklearn.exceptions import NotFittedError

from sktpecr import FeedbackRefiner, GaussianGenerator, TPECRExplainer
from sktpecr.attribution import ExactAttribution
from sktpecr.datasets import make_tagged_interactions

DATA = make_tagged_interactions(n_users=120, n_items=150, n_tags=6, random_state=0)
TAGS = list(DATA.item_tags.columns)


def fitted(data=DATA, **kwargs):
    explainer = TPECRExplainer(TruncatedSVD(12, random_state=0), data.item_tags, **kwargs)
    return explainer.fit(data.interactions, user_ids=data.user_ids)


def closed_form(explainer):
    """Return a refiner that makes all of an answer taste; test_answer.py is about the others."""
    return FeedbackRefiner(explainer, solver="closed_form")


EXPLAINER = fitted()
REFINER = closed_form(EXPLAINER)


def scores_of(embedding):
    return EXPLAINER.extractor_.recommender_.score_items(embedding[np.newaxis])[0]


feedback = st.dictionaries(
    st.sampled_from(TAGS),
    st.tuples(st.booleans(), st.floats(0.2, 3.0)),
    min_size=1,
    max_size=3,
).map(
    lambda said: {
        "like": {tag: strength for tag, (likes, strength) in said.items() if likes},
        "dislike": {tag: strength for tag, (likes, strength) in said.items() if not likes},
    }
)


@given(user=st.sampled_from(list(DATA.user_ids)), said=feedback)
@settings(max_examples=150)
def test_every_named_tag_moves_its_way(user, said):
    change = REFINER.refine(user, **said).to_frame().set_index("tag")["change"]
    assert (change[list(said["like"])] > 0).all()
    assert (change[list(said["dislike"])] < 0).all()


@given(user=st.sampled_from(list(DATA.user_ids)), said=feedback, strength=st.floats(0.1, 5.0))
@settings(max_examples=50)
def test_strength_is_the_movement_of_the_list(user, said, strength):
    refined = REFINER.refine(user, **said, strength=strength)
    moved = (refined.scores.astype(float) - refined.scores_before).std()
    strongest = strength * max([*said["like"].values(), *said["dislike"].values()])
    assert moved == pytest.approx(strongest / 5 * refined.scores_before.std(), rel=1e-3)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"like": []},
        {"like": "tag_1", "strength": 0},
        {"like": {"tag_1": 0.0}, "dislike": {"tag_2": 0.0}},
        {"set": {}},
    ],
)
def test_empty_feedback_changes_nothing_exactly(said):
    refined = REFINER.refine("user_003", **said)
    np.testing.assert_array_equal(refined.embedding, EXPLAINER.user_embeddings_[3])
    listed = refined.recommend(20)
    assert (listed["rank"] == listed["rank_before"]).all()
    assert (refined.to_frame()["change"] == 0).all()


def test_strength_is_continuous_down_to_zero():
    before = EXPLAINER.user_embeddings_[3]
    for said in ({"like": "tag_1", "dislike": "tag_2"}, {"dislike": ["tag_0", "tag_4"]}):
        moves = [
            np.linalg.norm(REFINER.refine("user_003", **said, strength=s).embedding - before)
            for s in (1e-3, 1e-6, 1e-9)
        ]
        assert moves[0] == pytest.approx(1e3 * moves[1], rel=1e-3)
        assert moves[2] < 1e-8
    alone = REFINER.refine("user_003", like={"tag_1": 1.0}).embedding
    faint = REFINER.refine("user_003", like={"tag_1": 1.0}, dislike={"tag_2": 1e-7}).embedding
    np.testing.assert_allclose(faint, alone, atol=1e-5 * np.abs(alone).max())


def test_dict_strengths_multiply_with_strength():
    twice = REFINER.refine("user_003", like={"tag_1": 2.0}).embedding
    np.testing.assert_allclose(
        REFINER.refine("user_003", like="tag_1", strength=2.0).embedding, twice
    )


@given(
    user=st.sampled_from(list(DATA.user_ids)),
    wanted=st.dictionaries(st.sampled_from(TAGS), st.floats(-3, 3), min_size=1),
)
@settings(max_examples=50)
def test_set_puts_tags_where_they_were_asked_and_holds_the_others(user, wanted):
    after = REFINER.refine(user, set=wanted).to_frame().set_index("tag")
    for tag in TAGS:
        expected = wanted.get(tag, after["before"][tag])
        assert after["after"][tag] == pytest.approx(expected, abs=1e-4)


def test_set_takes_raw_values():
    refined = REFINER.refine("user_003", set={"tag_2": 0.25}, units="raw")
    assert refined.tag_preferences[2] == pytest.approx(0.25, abs=1e-5)


def test_set_goes_with_likes():
    refined = REFINER.refine("user_003", like="tag_1", set={"tag_2": 0.0}).to_frame()
    refined = refined.set_index("tag")
    assert refined["after"]["tag_2"] == pytest.approx(0.0, abs=1e-4)
    assert refined["change"]["tag_1"] > 0


def test_a_like_adds_the_direction_that_it_asks_for_to_the_embedding():
    tag_model = EXPLAINER._tag_model
    e = EXPLAINER.user_embeddings_[3].astype(float)
    seen = np.flatnonzero(DATA.interactions[3].toarray()[0])
    direction = tag_model.directions(e).combined({1: 1.0}, scores_of(e), seen)
    expected = e + direction / (scores_of(direction)).std() * scores_of(e).std() / 5
    refined = REFINER.refine("user_003", like="tag_1")
    np.testing.assert_allclose(refined.embedding, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(refined.requested, refined.tag_preferences)


def test_many_users_at_once_are_refined_as_one_by_one():
    users = list(DATA.user_ids[:5])
    together = REFINER.refine(users, like="tag_1")
    assert [refined.user for refined in together] == users
    for refined in together:
        alone = REFINER.refine(refined.user, like="tag_1")
        np.testing.assert_array_equal(refined.embedding, alone.embedding)
    assert len(REFINER.refine(DATA.user_ids[:3], dislike="tag_1")) == 3


def test_a_user_without_interactions_can_still_speak():
    X = sp.csr_matrix(DATA.interactions, copy=True).tolil()
    X[3] = 0
    explainer = TPECRExplainer(TruncatedSVD(12, random_state=0), DATA.item_tags).fit(X.tocsr())
    refiner = closed_form(explainer)
    for said in ({"like": "tag_1"}, {"dislike": "tag_1"}):
        refined = refiner.refine(3, **said)
        change = refined.to_frame().set_index("tag")["change"]["tag_1"]
        assert change > 0 if "like" in said else change < 0
        assert refined.scores.std() > 0


def test_fit_fits_a_clone():
    explainer = TPECRExplainer(TruncatedSVD(12, random_state=0), DATA.item_tags)
    refiner = closed_form(explainer)
    with pytest.raises(NotFittedError):
        refiner.refine(0, like="tag_1")
    refiner.fit(DATA.interactions, user_ids=DATA.user_ids)
    assert not hasattr(explainer, "composite_")
    np.testing.assert_allclose(
        refiner.refine("user_003", like="tag_1").embedding,
        REFINER.refine("user_003", like="tag_1").embedding,
    )


def test_a_refitted_explainer_gets_directions_of_its_own():
    other = make_tagged_interactions(n_users=80, n_items=90, n_tags=6, random_state=1)
    explainer = fitted()
    refiner = closed_form(explainer)
    refiner.refine("user_003", like="tag_1")
    explainer.set_params(item_tags=other.item_tags).fit(other.interactions, user_ids=other.user_ids)
    fresh = closed_form(fitted(other)).refine("user_03", like="tag_1")
    np.testing.assert_allclose(
        refiner.refine("user_03", like="tag_1").embedding, fresh.embedding, rtol=1e-6
    )


class Squashed:
    """A recommender that is no dot product, and gives no gradients: scores have a ceiling."""

    def __init__(self):
        factors = EXPLAINER.extractor_.recommender_
        self.user_embeddings = EXPLAINER.user_embeddings_.astype(np.float64)
        self._items = factors.item_embeddings.astype(np.float64)
        self._scale = 0.5 * (self.user_embeddings @ self._items.T).std()

    def score_items(self, embeddings, items=None):
        items = slice(None) if items is None else items
        return np.tanh(np.asarray(embeddings) @ self._items[items].T / self._scale)


SQUASHED = closed_form(
    TPECRExplainer(Squashed(), DATA.item_tags, generator=GaussianGenerator()).fit(
        DATA.interactions, user_ids=DATA.user_ids
    )
)


@pytest.mark.parametrize("strength", [1e-3, 0.5, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("said", [{"like": "tag_1"}, {"dislike": "tag_2"}, {"like": TAGS[:2]}])
def test_without_a_dot_product_the_list_moves_as_far_and_the_tags_their_way(said, strength):
    for user in DATA.user_ids[:5]:
        refined = SQUASHED.refine(user, **said, strength=strength)
        moved = (refined.scores - refined.scores_before).std()
        assert moved == pytest.approx(strength / 5 * refined.scores_before.std(), rel=1e-4)
        change = refined.to_frame().set_index("tag")["change"]
        assert (change[np.ravel(list(said.values()))] * (1 if "like" in said else -1) > 0).all()


def test_without_a_dot_product_more_than_all_is_beyond_the_recommender():
    with pytest.raises(ValueError, match=r"strength is too (large|much) for"):
        SQUASHED.refine("user_003", like="tag_1", strength=1e6)


def test_without_a_dot_product_tags_are_still_set():
    refined = SQUASHED.refine("user_003", like="tag_1", set={"tag_2": 0.5}).to_frame()
    assert refined.set_index("tag")["after"]["tag_2"] == pytest.approx(0.5, abs=1e-3)


def test_an_aggregate_that_is_not_linear_is_no_obstacle():
    explainer = fitted(
        generator=GaussianGenerator(), aggregate=lambda scores: np.median(scores, axis=1)
    )
    for said, way in (({"like": "tag_1"}, 1), ({"dislike": "tag_1"}, -1)):
        refined = closed_form(explainer).refine("user_003", **said)
        assert way * refined.to_frame().set_index("tag")["change"]["tag_1"] > 0


BAD_FEEDBACK = {
    "unknown tag": ({"like": "tag1"}, "unknown tag 'tag1'; did you mean 'tag_1'"),
    "unknown in set": ({"set": {"x": 1}}, "unknown tag 'x'"),
    "contradiction": (
        {"like": "tag_1", "dislike": ["tag_2", "tag_1"]},
        "'tag_1' is in both like and dislike",
    ),
    "like and set": ({"like": "tag_1", "set": {"tag_1": 0}}, "in both like and set"),
    "twice": ({"like": ["tag_1", "tag_1"]}, "like names 'tag_1' twice"),
    "negative": ({"like": "tag_1", "strength": -1}, "strength must be at least 0, got -1"),
    "negative in dict": ({"dislike": {"tag_1": -0.5}}, r"dislike\['tag_1'\] must be at least 0"),
    "nan": ({"like": "tag_1", "strength": np.nan}, "strength must be a finite number, got nan"),
    "inf": ({"set": {"tag_1": np.inf}}, r"set\['tag_1'\] must be a finite number, got inf"),
    "text": ({"like": {"tag_1": "much"}}, r"like\['tag_1'\] must be a finite number, got 'much'"),
    "set a list": ({"set": ["tag_1"]}, "set must be a dict of tag to value, got list"),
    "units": ({"set": {"tag_1": 1}, "units": "z"}, "units must be 'std' or 'raw', got 'z'"),
}


@pytest.mark.parametrize("name", BAD_FEEDBACK)
def test_bad_feedback_says_what_is_wrong(name):
    said, message = BAD_FEEDBACK[name]
    with pytest.raises(ValueError, match=message):
        REFINER.refine("user_003", **said)


def test_bad_users_say_what_is_wrong():
    with pytest.raises(ValueError, match="unknown user 'user_0'; known are"):
        REFINER.refine("user_0", like="tag_1")
    with pytest.raises(ValueError, match="unknown user 'nobody'"):
        REFINER.refine(["user_003", "nobody"], like="tag_1")


def test_a_dislike_without_interactions_says_so():
    users = np.random.RandomState(0).normal(size=(30, 4))
    items = np.random.RandomState(1).normal(size=(150, 4))
    refiner = closed_form(TPECRExplainer((users, items), DATA.item_tags))
    with pytest.raises(ValueError, match="dislike needs the user's history"):
        refiner.refine(0, dislike="tag_1")
    change = refiner.refine(0, like="tag_1").to_frame().set_index("tag")["change"]
    assert change["tag_1"] > 0


def test_feedback_that_nothing_can_meet_says_so():
    tags = DATA.item_tags.assign(alias=DATA.item_tags["tag_1"])
    explainer = TPECRExplainer(TruncatedSVD(12, random_state=0), tags).fit(DATA.interactions)
    with pytest.raises(ValueError, match="feedback cannot be met"):
        closed_form(explainer).refine(0, like="tag_1", dislike="alias")


def test_items_that_are_all_alike_cannot_be_told_apart():
    explainer = TPECRExplainer((np.eye(3), np.ones((4, 3))), np.eye(4)).fit(np.ones((3, 4)))
    with pytest.raises(ValueError, match="it scores all items alike"):
        closed_form(explainer).refine(0, like="tag_1")


def test_a_wrong_explainer_is_refused():
    with pytest.raises(ValueError, match="'explainer' parameter of FeedbackRefiner"):
        FeedbackRefiner("explainer").refine(0)
    with pytest.raises(ValueError, match="'solver' parameter of FeedbackRefiner"):
        clone(REFINER).set_params(solver="magic").refine(0)


def many_tags(n_tags=40, n_factors=8):
    random = np.random.RandomState(0)
    users, items = random.normal(size=(100, n_factors)), random.normal(size=(150, n_factors))
    tags = (random.uniform(size=(150, n_tags)) < 0.1).astype(float)
    tags[:n_tags] += np.eye(n_tags)
    return TPECRExplainer((users, items), tags).fit(np.eye(100, 150))


@pytest.mark.filterwarnings("ignore:the list does not show")
def test_set_is_met_with_more_tags_than_factors():
    explainer = many_tags()
    for wanted in ({"tag_3": 2.0}, {"tag_3": 2.0, "tag_9": -1.0, "tag_20": 0.0}):
        refined = closed_form(explainer).refine(5, set=wanted)
        frame = refined.to_frame().set_index("tag")
        for tag, value in wanted.items():
            assert frame["requested"][tag] == pytest.approx(value)
            assert frame["after"][tag] == pytest.approx(value, abs=1e-3)


def test_a_set_that_contradicts_itself_says_so():
    tags = DATA.item_tags.assign(alias=DATA.item_tags["tag_1"])
    explainer = TPECRExplainer(TruncatedSVD(12, random_state=0), tags).fit(DATA.interactions)
    refiner = closed_form(explainer)
    frame = refiner.refine(0, set={"tag_1": 2.0, "alias": 2.0}).to_frame().set_index("tag")
    assert frame["after"]["tag_1"] == pytest.approx(2.0, abs=1e-3)
    with pytest.raises(ValueError, match=r"set cannot be met: .* Set fewer tags"):
        refiner.refine(0, set={"tag_1": 2.0, "alias": -2.0})


class Saturating(GaussianGenerator):
    """A generator that is not linear: moves are squashed to a length below 1."""

    @property
    def gain_(self):
        raise AttributeError("no gain: not linear")

    @gain_.setter
    def gain_(self, value):
        self._gain = value

    def generate(self, tag_preferences, embeddings):
        own = np.asarray(embeddings) @ self.tag_matrix_.T
        centre = self.tag_preference_mean_ - self.embedding_mean_ @ self.tag_matrix_.T
        move = (np.asarray(tag_preferences) - own - centre) @ self._gain.T
        return embeddings + 0.02 + move / (1 + np.linalg.norm(move, axis=1, keepdims=True))


class Flat(ExactAttribution):
    """An attribution for it."""

    def fit(self, composite, tag_preferences, embeddings):
        self.scale_ = np.ones(tag_preferences.shape[1])
        return self


def test_set_is_met_by_a_generator_that_is_not_linear():
    explainer = fitted(generator=Saturating(), attribution=Flat())
    frame = closed_form(explainer).refine("user_003", set={"tag_1": 0.5}).to_frame()
    assert frame.set_index("tag")["after"]["tag_1"] == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("scale", [1e-6, 1e3, 1e6, 1e8])
def test_the_scale_of_the_factors_does_not_matter(scale):
    random = np.random.RandomState(0)
    users, items = random.normal(size=(100, 5)), random.normal(size=(150, 5))
    explainer = TPECRExplainer((users * scale, items * scale), DATA.item_tags)
    refined = closed_form(explainer.fit(np.eye(100, 150))).refine(7, like="tag_1")
    moved = (refined.scores - refined.scores_before).std()
    assert moved == pytest.approx(0.2 * refined.scores_before.std(), rel=1e-6)
    change = refined.to_frame().set_index("tag")["change"]
    plain = TPECRExplainer((users, items), DATA.item_tags).fit(np.eye(100, 150))
    expected = closed_form(plain).refine(7, like="tag_1").to_frame().set_index("tag")["change"]
    np.testing.assert_allclose(change[expected.index], expected, rtol=1e-4, atol=1e-6)


def test_a_strength_that_numbers_cannot_hold_is_refused():
    users, items = np.random.RandomState(0).normal(size=(2, 150, 4)).astype(np.float32)
    refiner = closed_form(TPECRExplainer((users, items), DATA.item_tags))
    with (
        pytest.raises(ValueError, match="too large for floating-point numbers"),
        np.errstate(all="ignore"),
    ):
        refiner.refine(3, like="tag_1", strength=1e60)


def test_tags_and_users_come_in_many_containers():
    names = pd.MultiIndex.from_tuples([("g", t) for t in range(6)])
    tags = DATA.item_tags.set_axis(names, axis=1)
    explainer = TPECRExplainer(TruncatedSVD(12, random_state=0), tags).fit(DATA.interactions)
    refiner = closed_form(explainer)
    one = refiner.refine(3, like=("g", 1))
    assert str(one.feedback) == "more ('g', 1)"
    several = refiner.refine(pd.Series([3, 4]), like=[("g", 1)])
    np.testing.assert_array_equal(several[0].embedding, one.embedding)
    np.testing.assert_array_equal(
        refiner.refine(np.array(3), like=("g", 1)).embedding, one.embedding
    )


def same(refined, expected, rtol=0.0):
    np.testing.assert_allclose(refined.embedding, expected.embedding, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(refined.requested, expected.requested, rtol=rtol, atol=rtol)
    assert (refined.user, str(refined.feedback)) == (expected.user, str(expected.feedback))
    assert refined.feedback == expected.feedback


SAID = [
    {"like": "tag_1"},
    {"dislike": ["tag_2"]},
    {"like": {"tag_1": 2.0, "tag_3": 0.5, "tag_4": 0.0}, "dislike": "tag_2"},
]


@pytest.mark.parametrize("said", SAID, ids=str)
@pytest.mark.parametrize("solver", ["auto", "closed_form", "online", "embedding"])
def test_a_sweep_is_a_refinement_at_each_strength(solver, said):
    refiner = FeedbackRefiner(EXPLAINER, solver=solver)
    strengths = [0.5, 0, 2.0, 1e-3, 0.0, 1]
    swept = refiner.sweep("user_003", **said, strengths=iter(strengths))
    assert len(swept) == len(strengths)
    for strength, refined in zip(strengths, swept, strict=True):
        same(refined, refiner.refine("user_003", **said, strength=strength), rtol=1e-9)
        if not strength:
            np.testing.assert_array_equal(refined.embedding, EXPLAINER.user_embeddings_[3])
    moved = [np.linalg.norm(each.embedding - swept[1].embedding) for each in swept]
    assert moved[2] > moved[5] > moved[0] > moved[3] > moved[1] == moved[4] == 0


def test_a_sweep_of_nothing_but_zeros_and_of_no_strengths():
    for solver in ("closed_form", "online", "embedding"):
        refiner = FeedbackRefiner(EXPLAINER, solver=solver)
        assert refiner.sweep("user_003", like="tag_1", strengths=[]) == []
        for refined in refiner.sweep("user_003", like="tag_1", strengths=[0, 0.0]):
            np.testing.assert_array_equal(refined.embedding, EXPLAINER.user_embeddings_[3])
        for refined in refiner.sweep("user_003", strengths=[1, 2]):
            np.testing.assert_array_equal(refined.embedding, EXPLAINER.user_embeddings_[3])


class Doubles(BaseEstimator):
    """Somebody's own solver, with a solve and nothing else."""

    def __init__(self):
        self.seen = []

    def solve(self, tag_model, user, feedback, values):
        self.seen.append(feedback.strength)
        embedding = user.embedding * (1.0 + feedback.strength)
        return embedding, tag_model.tag_preferences_of(embedding)


def test_a_solver_of_ones_own_needs_no_sweep():
    refiner = FeedbackRefiner(EXPLAINER, solver=Doubles())
    swept = refiner.sweep("user_003", like="tag_1", strengths=[2, 0, 1])
    assert refiner.solver.seen == [2, 1]
    for strength, refined in zip([2, 0, 1], swept, strict=True):
        same(refined, refiner.refine("user_003", like="tag_1", strength=strength))
        expected = EXPLAINER.user_embeddings_[3] * (1.0 + strength)
        np.testing.assert_allclose(refined.embedding, expected)


BAD_SWEEPS = {
    "negative": ({"strengths": [1, -1]}, "strength must be at least 0, got -1"),
    "nan": ({"strengths": [np.nan]}, "strength must be a finite number, got nan"),
    "one": ({"strengths": 1.0}, "strengths and amounts must be lists, got 1.0"),
    "text": ({"strengths": "1"}, "strengths and amounts must be lists, got '1'"),
    "amount": (
        {"strengths": None, "amounts": ["more"]},
        "amount, until, together and less_than need solver='auto'",
    ),
    "one amount": (
        {"strengths": None, "amounts": "more"},
        "strengths and amounts must be lists, got 'more'",
    ),
    "both": ({"amounts": ["more"]}, "give either strengths or amounts"),
    "neither": ({"strengths": None}, "give either strengths or amounts"),
    "tag": ({"like": "tag1"}, "unknown tag 'tag1'; did you mean 'tag_1'"),
    "contradiction": ({"dislike": "tag_1"}, "'tag_1' is in both like and dislike"),
    "user": ({"user": "user_0"}, "unknown user 'user_0'"),
    "users": ({"user": ["user_003", "user_004"]}, "expected one user id, got list"),
}


@pytest.mark.parametrize("name", BAD_SWEEPS)
def test_bad_sweeps_say_what_is_wrong(name):
    changes, message = BAD_SWEEPS[name]
    with pytest.raises(ValueError, match=message):
        REFINER.sweep(**{"user": "user_003", "like": "tag_1", "strengths": [1.0], **changes})


def test_a_sweep_says_which_strength_is_too_much_and_that_dislikes_need_interactions():
    users, items = np.random.RandomState(0).normal(size=(2, 150, 4)).astype(np.float32)
    refiner = closed_form(TPECRExplainer((users, items), DATA.item_tags))
    message = r"strength 1e\+60 is too large for floating-point numbers"
    with pytest.raises(ValueError, match=message), np.errstate(all="ignore"):
        refiner.sweep(3, like="tag_1", strengths=[1, 1e60])
    with pytest.raises(ValueError, match="dislike needs the user's history"):
        refiner.sweep(3, dislike="tag_1", strengths=[0, 1])


def with_twin():
    tags = DATA.item_tags.assign(alias=DATA.item_tags["tag_1"])
    explainer = TPECRExplainer(TruncatedSVD(12, random_state=0), tags).fit(DATA.interactions)
    return closed_form(explainer)


@pytest.mark.parametrize("users", [5, [5, 6, 7]])
def test_a_tag_that_cannot_be_steered_alone_warns_once_per_call(users):
    refiner = closed_form(many_tags())
    shares = refiner.explainer.extractor_.steerability().attainable
    assert shares[9] < 0.5
    with pytest.warns(UserWarning, match="these tags cannot be changed alone") as warned:
        refiner.refine(users, like=["tag_9", "tag_3"], strength=1e-3)
    assert len(warned) == 1
    message = str(warned[0].message)
    assert f"'tag_9' gets {100 * shares[9]:.0f} % of an edit that holds the tags not" in message
    assert "'tag_3' gets" in message
    assert "steerability(explainer.user_embeddings_).suggested" in message
    assert warned[0].filename == __file__


def test_suggested_tags_can_be_fitted_and_steered_without_a_warning():
    explainer = many_tags()
    suggested = explainer.extractor_.steerability(explainer.user_embeddings_).suggested
    tags = explainer.item_tags[:, [int(name.removeprefix("tag_")) for name in suggested]]
    narrower = TPECRExplainer(explainer.recommender, tags, tag_names=suggested)
    refiner = FeedbackRefiner(narrower.fit(np.eye(100, 150)))
    for tag in suggested:
        assert refiner.refine(5, set={tag: 1.0}).to_frame().set_index("tag")["after"][
            tag
        ] == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(
    "said",
    [
        {"like": "tag_1"},
        {"dislike": "alias"},
        {"like": "tag_1", "dislike": "tag_2"},
    ],
    ids=str,
)
def test_half_a_pair_of_aliases_warns_where_the_list_stays_as_it_is(said):
    with pytest.warns(UserWarning, match="'(tag_1|alias)' cannot be told from '(alias|tag_1)'"):
        with_twin().refine(3, **said, strength=1e-3)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"like": "tag_2"},
        {"like": ["tag_1", "alias"]},
        {"dislike": {"tag_1": 1.0, "alias": 0.5}},
        {"set": {"tag_1": 1.0, "alias": 1.0, "tag_2": 0.0}},
        {"like": {"tag_1": 0.0}},
    ],
    ids=str,
)
def test_aliases_named_together_do_not_warn(said):
    with_twin().refine(3, **said)


def test_a_warning_names_five_tags_and_no_more():
    with pytest.warns(UserWarning, match="and more. Give feedback on such tags together") as warned:
        closed_form(many_tags()).refine(5, set={f"tag_{tag}": 0.0 for tag in range(12)})
    assert str(warned[0].message).count(" gets ") == 5


def test_what_can_be_steered_is_not_asked_without_feedback_nor_in_a_sweep(monkeypatch):
    refiner = closed_form(many_tags())

    def ask(*args):
        raise AssertionError("measured for nothing")

    monkeypatch.setattr("sktpecr.tags._tag_model.Steerability.of", ask)
    for said in ({}, {"like": "tag_3", "strength": 0}):
        refiner.refine(5, **said)
    assert len(refiner.sweep(5, like="tag_3", strengths=[1, 2])) == 2
    with pytest.raises(AssertionError, match="measured for nothing"):
        refiner.refine(5, like="tag_3")


def test_preview_lists_what_comes_and_goes_and_keeps_nothing():
    before = EXPLAINER.recommend("user_003", 8)
    preview = REFINER.preview("user_003", like="tag_1", dislike="tag_2", n=8, strength=2.0)
    refined = REFINER.refine("user_003", like="tag_1", dislike="tag_2", strength=2.0)
    after = refined.recommend(8).set_index("item")
    old = dict(zip(before["item"], before["rank"], strict=True))
    assert list(preview.columns) == ["item", "name", "rank_before", "rank", "change"]
    assert set(preview["item"]) == set(old) | set(after.index)
    assert preview["rank"].is_monotonic_increasing
    for row in preview.itertuples():
        expected = {(True, True): "stays", (True, False): "leaves", (False, True): "enters"}
        assert row.change == expected[row.item in old, row.item in after.index]
        assert row.rank_before == old.get(row.item, row.rank_before)
        if row.item in after.index:
            assert (row.rank, row.rank_before) == tuple(
                after.loc[row.item, ["rank", "rank_before"]]
            )
    assert set(preview["change"]) == {"stays", "enters", "leaves"}
    pd.testing.assert_frame_equal(EXPLAINER.recommend("user_003", 8), before)


def test_preview_is_of_one_user():
    assert (REFINER.preview("user_003", n=5)["change"] == "stays").all()
    with pytest.raises(ValueError, match="user must be one user id, got list"):
        REFINER.preview(["user_003"], like="tag_1")
