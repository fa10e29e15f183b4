"""Several turns as noisy observations, and what stays uncertain."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import TruncatedSVD

from sktpecr import FeedbackRefiner, GaussianGenerator, TPECRExplainer
from sktpecr.datasets import make_tagged_interactions
from sktpecr.solvers import BayesianSolver

DATA = make_tagged_interactions(n_users=120, n_items=150, n_tags=6, random_state=0)
TAGS = list(DATA.item_tags.columns)
USER = 3


def fitted(**kwargs):
    return TPECRExplainer(TruncatedSVD(12, random_state=0), DATA.item_tags, **kwargs).fit(
        DATA.interactions
    )


EXPLAINER = fitted()
REFINER = FeedbackRefiner(EXPLAINER, solver="bayesian")
OWN = EXPLAINER.user_embeddings_[USER].astype(float)
M = EXPLAINER.extractor_.tag_matrix_


def after(turns, refiner=REFINER):
    """Return the refinement after several turns, each a dict of what refine takes."""
    refined = refiner.refine(USER, **turns[0])
    for said in turns[1:]:
        refined = refiner.refine(after=refined, **said)
    return refined


def conditioned(turns, noise=0.5):
    """Condition the joint normal of the embedding and all answers, as a textbook does."""
    tag_model = EXPLAINER._tag_model
    directions = tag_model.directions(OWN)
    scores = tag_model.scores_of(OWN).astype(float)
    history = tag_model.catalogue.history(USER)
    prior = np.linalg.inv(directions.scatter(scores, history)) * (scores.std() / 5) ** 2
    rows, answers, noises = [], [], []
    for said in turns:
        for way, sign in (("like", 1), ("dislike", -1)):
            for tag, strength in said.get(way, {}).items():
                contrast = directions.contrast(TAGS.index(tag), scores, history)
                variance = contrast @ prior @ contrast
                rows.append(contrast)
                answers.append(sign * strength * (1 + noise**2) * np.sqrt(variance))
                noises.append(noise**2 * variance)
    G, y, R = np.array(rows), np.array(answers), np.diag(noises)
    gain = prior @ G.T @ np.linalg.inv(G @ prior @ G.T + R)
    return gain @ y, prior - gain @ G @ prior


def keeps_its_words(move, turns):
    """Tell whether a move needs no correction for the tags that are named."""
    wishes = {}
    for said in turns:
        for way, sign in (("like", 1), ("dislike", -1)):
            for tag, strength in said.get(way, {}).items():
                wishes[tag] = wishes.get(tag, 0) + sign * strength
    V = EXPLAINER.extractor_.recommender_.item_embeddings
    return all(
        np.sign(wish) * (M[TAGS.index(tag)] @ move) > 0.2 * (V @ move).std()
        for tag, wish in wishes.items()
        if wish
    )


TURNS = st.lists(
    st.dictionaries(
        st.sampled_from(TAGS), st.tuples(st.booleans(), st.floats(0.2, 2)), min_size=1, max_size=2
    ).map(
        lambda said: {
            "like": {tag: strength for tag, (liked, strength) in said.items() if liked},
            "dislike": {tag: strength for tag, (liked, strength) in said.items() if not liked},
        }
    ),
    min_size=1,
    max_size=4,
)


@given(turns=TURNS)
@settings(max_examples=60)
def test_the_posterior_is_that_of_the_joint_normal(turns):
    move, covariance = conditioned(turns)
    try:
        refined = after(turns)
    except ValueError as error:
        if "feedback cannot be met" not in str(error):  # two ways at once
            raise
        return
    np.testing.assert_allclose(refined.covariance, covariance, rtol=1e-5, atol=1e-9)
    if keeps_its_words(move, turns):
        np.testing.assert_allclose(refined.embedding, OWN + move, rtol=1e-4, atol=1e-6)


def test_most_turns_need_no_correction():
    """Without this, the test above could compare nothing."""
    kept = [
        keeps_its_words(conditioned(turns)[0], turns)
        for turns in ([{way: {tag: 1.0}}] for way in ("like", "dislike") for tag in TAGS)
    ]
    assert np.mean(kept) > 0.5


def test_one_answer_moves_what_is_to_the_users_taste_as_far_as_strength_says():
    tag_model = EXPLAINER._tag_model
    scores = tag_model.scores_of(OWN).astype(float)
    scatter = tag_model.directions(OWN).scatter(scores, tag_model.catalogue.history(USER))
    for noise in (0.1, 0.5, 3.0):
        move, _ = conditioned([{"like": {"tag_1": 0.7}}], noise)
        assert keeps_its_words(move, [{"like": {"tag_1": 0.7}}])
        refiner = FeedbackRefiner(EXPLAINER, solver=BayesianSolver(noise=noise))
        moved = refiner.refine(USER, like={"tag_1": 0.7}).embedding - OWN
        assert np.sqrt(moved @ scatter @ moved) == pytest.approx(0.7 * scores.std() / 5, rel=1e-6)


def test_the_order_of_likes_and_dislikes_does_not_matter():
    said = [{"like": {"tag_1": 1.0}}, {"dislike": {"tag_2": 0.5}}, {"like": {"tag_1": 0.3}}]
    first, *others = (after(turns) for turns in itertools.permutations(said))
    for other in others:
        np.testing.assert_allclose(other.embedding, first.embedding, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(other.covariance, first.covariance, rtol=1e-9, atol=1e-15)
    together = REFINER.refine(USER, like={"tag_1": 1.0}, dislike={"tag_2": 0.5})
    split = after([{"like": {"tag_1": 1.0}}, {"dislike": {"tag_2": 0.5}}])
    np.testing.assert_allclose(split.embedding, together.embedding, rtol=1e-9)


def test_saying_it_again_makes_sure_of_it_and_does_not_run_away():
    turns = [{"like": "tag_1"}]
    moves, stds = [], []
    for _ in range(20):
        refined = after(turns)
        moves.append(np.linalg.norm(refined.embedding - OWN))
        stds.append(refined.to_frame().set_index("tag")["std"]["tag_1"])
        turns.append(turns[0])
    assert (np.diff(moves) > 0).all()
    assert (np.diff(stds) < 0).all()
    assert moves[-1] < 1.25 * moves[0]  # never farther than the answer itself


def test_an_answer_taken_back_by_its_contrary_moves_nobody():
    refined = after([{"like": "tag_1"}, {"dislike": "tag_1"}])
    np.testing.assert_allclose(refined.embedding, OWN, rtol=1e-9, atol=1e-12)


@given(turns=TURNS)
@settings(max_examples=40)
def test_every_tag_moves_the_way_that_was_said_of_it_on_the_whole(turns):
    total = {}
    for said in turns:
        for way, sign in (("like", 1), ("dislike", -1)):
            for tag, strength in said[way].items():
                total[tag] = total.get(tag, 0.0) + sign * strength
    strongest = max(map(abs, total.values()))
    try:
        refined = after(turns)
    except ValueError as error:
        if "feedback cannot be met" not in str(error):
            raise
        return
    moved = M @ (refined.embedding - OWN)
    for tag, wish in total.items():
        if abs(wish) >= 0.1 * strongest > 0.02:
            assert np.sign(wish) * moved[TAGS.index(tag)] > 0


def test_a_tag_that_is_set_is_known_and_the_last_time_counts():
    refined = after([{"set": {"tag_2": 2.0}}, {"like": "tag_1"}, {"set": {"tag_2": 0.5}}])
    frame = refined.to_frame().set_index("tag")
    assert frame["after"]["tag_2"] == pytest.approx(0.5, abs=1e-4)
    assert frame["requested"]["tag_2"] == pytest.approx(0.5, abs=1e-9)
    assert frame["std"]["tag_2"] == pytest.approx(0.0, abs=1e-6)
    assert (frame["std"].drop("tag_2") > 0).all()


def test_beyond_linear_scores_answers_go_their_way_and_set_is_met():
    class Squashed:
        user_embeddings = EXPLAINER.user_embeddings_.astype(float)
        _items = EXPLAINER.extractor_.recommender_.item_embeddings.astype(float)
        _scale = (user_embeddings @ _items.T).std()

        def score_items(self, embeddings, items=None):
            items = slice(None) if items is None else items
            return np.tanh(np.asarray(embeddings) @ self._items[items].T / self._scale)

    explainer = TPECRExplainer(Squashed(), DATA.item_tags, generator=GaussianGenerator())
    refiner = FeedbackRefiner(explainer.fit(DATA.interactions), solver="bayesian")
    refined = after([{"like": "tag_1"}, {"set": {"tag_2": 0.3}}], refiner).to_frame()
    before = explainer.profile(USER).set_index("tag")["vs_population"]
    refined = refined.set_index("tag")
    assert refined["after"]["tag_2"] == pytest.approx(0.3, abs=1e-3)
    assert refined["after"]["tag_1"] > before["tag_1"]


@pytest.mark.parametrize("solver", ["auto", "bayesian", "online", "embedding"])
def test_every_solver_goes_on_from_an_earlier_turn(solver):
    refiner = FeedbackRefiner(EXPLAINER, solver=solver)
    first = refiner.refine(USER, like="tag_1")
    second = refiner.refine(after=first, dislike="tag_2")
    assert [str(said) for said in second.turns] == ["more tag_1", "less tag_2"]
    assert second.user == first.user
    np.testing.assert_array_equal(second.scores_before, first.scores)
    silent = refiner.refine(after=first)
    np.testing.assert_array_equal(silent.embedding, first.embedding)
    listed = refiner.preview(after=first, dislike="tag_2", n=5)
    assert set(listed.loc[listed["change"] != "leaves", "item"]) == set(second.recommend(5)["item"])
    (swept,) = refiner.sweep(after=first, dislike="tag_2", strengths=[1.0])
    np.testing.assert_allclose(swept.embedding, second.embedding)
    assert second.explain(DATA.item_ids[7]).user == USER


def test_bad_turns_say_what_is_wrong():
    first = REFINER.refine(USER, like="tag_1")
    with pytest.raises(ValueError, match="give exactly one of user, interactions and tags, got"):
        REFINER.refine(USER, after=first)
    with pytest.raises(ValueError, match="after must be a Refinement of this explainer"):
        FeedbackRefiner(fitted(), solver="bayesian").refine(after=first, like="tag_1")
    with pytest.raises(ValueError, match="after must be a Refinement, got str"):
        REFINER.refine(after="tag_1")
    with pytest.raises(ValueError, match="'noise' parameter of BayesianSolver"):
        FeedbackRefiner(EXPLAINER, solver=BayesianSolver(noise=0)).refine(USER, like="tag_1")
