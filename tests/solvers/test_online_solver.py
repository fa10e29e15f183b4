"""The paper's online update and its baseline."""

import numpy as np
import pytest
import torch

from sktpecr import CVAEGenerator, FeedbackRefiner, TPECRExplainer
from sktpecr._inputs._feedback import Feedback
from sktpecr.datasets import make_tagged_interactions
from sktpecr.recommenders import FactorRecommender
from sktpecr.solvers import EmbeddingSolver, OnlineSolver
from sktpecr.solvers._pairs import Batch, Pairs
from sktpecr.tags._user import User

DATA = make_tagged_interactions(n_users=150, n_items=120, n_tags=5, random_state=0)
RANDOM = np.random.RandomState(0)
# A recommender that knows the data: singular vectors of the interactions.
LEFT, S, RIGHT = np.linalg.svd(DATA.interactions.toarray().astype(float), full_matrices=False)
USERS, ITEMS = LEFT[:, :10] * S[:10], RIGHT[:10].T * 3.0


def recommender(loss):
    made = FactorRecommender(USERS, ITEMS)
    made.feedback_loss = loss
    return made


class Described:
    """A CVAE is linear in nothing: explain what it explains by an attribution of zeros."""

    name, unit = "none", "none"

    def fit(self, composite, tag_preferences, embeddings):
        return self

    def get_params(self, deep=True):
        return {}

    def attribute(self, tag_preferences, embedding, items):
        raise AssertionError("not asked for here")


def fitted(loss="bpr", generator=None):
    return TPECRExplainer(
        recommender(loss),
        DATA.item_tags,
        generator=generator,
        attribution=None if generator is None else Described(),
    ).fit(DATA.interactions)


CVAE = CVAEGenerator(hidden_dims=(16,), latent_dim=8, max_epochs=40, batch_size=32, random_state=0)
EXPLAINERS = {
    (loss, kind): fitted(loss, generator)
    for loss in ("bpr", "bce")
    for kind, generator in (("gaussian", None), ("cvae", CVAE))
}
IN_TAG = DATA.item_tags.to_numpy() > 0


def feedback(explainer, **said):
    said = {"like": None, "dislike": None, "set": None, "strength": 1.0, **said}
    return Feedback.parse(explainer._tag_model.tags, **said)


def pairs_of(explainer, user, loss, **said):
    parsed = feedback(explainer, **said)
    somebody = User.at(explainer._tag_model, user)
    return Pairs(explainer._tag_model, somebody, parsed, loss, np.random.RandomState(0))


def epoch_of(loss, user=3, **said):
    explainer = EXPLAINERS[loss, "gaussian"]
    pairs = pairs_of(explainer, user, loss, **said)
    return np.concatenate([batch.rows for batch in pairs.batches(16)]), pairs


def history(user):
    return DATA.interactions[user].indices


def test_positive_pairs_are_the_tags_items_against_unrelated_unseen_ones():
    rows, pairs = epoch_of("bpr", like="tag_1")
    inside = np.flatnonzero(IN_TAG[:, 1])
    assert sorted(rows[:, 0]) == list(inside)
    assert not np.isin(rows[:, 1], inside).any()
    assert not np.isin(rows[:, 1], history(3)).any()
    again = np.concatenate([batch.rows for batch in pairs.batches(16)])
    assert sorted(again[:, 0]) == list(inside)
    assert (again[np.argsort(again[:, 0]), 1] != rows[np.argsort(rows[:, 0]), 1]).any()


def test_negative_pairs_are_the_history_outside_the_tag_against_the_tags_items():
    rows, _ = epoch_of("bpr", dislike="tag_1")
    inside = np.flatnonzero(IN_TAG[:, 1])
    assert sorted(rows[:, 1]) == list(inside)
    assert np.isin(rows[:, 0], np.setdiff1d(history(3), inside)).all()


def test_cross_entropy_rows_have_four_negatives_for_a_like_and_one_positive_for_a_dislike():
    inside = np.flatnonzero(IN_TAG[:, 1])
    liked, _ = epoch_of("bce", like="tag_1")
    assert sorted(liked[liked[:, 1] == 1, 0]) == list(inside)
    assert (liked[:, 1] == 0).sum() == 4 * len(inside)
    assert not np.isin(liked[liked[:, 1] == 0, 0], np.union1d(inside, history(3))).any()
    disliked, _ = epoch_of("bce", dislike="tag_1")
    assert sorted(disliked[disliked[:, 1] == 0, 0]) == list(inside)
    assert (disliked[:, 1] == 1).sum() == len(inside)
    assert np.isin(disliked[disliked[:, 1] == 1, 0], np.setdiff1d(history(3), inside)).all()


@pytest.mark.parametrize("loss", ["bpr", "bce"])
def test_gradient_of_a_batch_equals_finite_differences_of_the_plain_loss(loss):
    rows = np.array([[3, 1], [5, 0], [3, 0], [9, 1]])
    if loss == "bpr":
        rows[:, 1] += 40
    weights = np.array([1.0, 0.5, 1.0, 2.0])

    def plain(e):
        scores = ITEMS @ e
        if loss == "bpr":
            return (weights * np.log1p(np.exp(scores[rows[:, 1]] - scores[rows[:, 0]]))).sum()
        p = 1 / (1 + np.exp(-scores[rows[:, 0]]))
        y = rows[:, 1]
        return -(weights * (y * np.log(p) + (1 - y) * np.log(1 - p))).mean()

    batch = Batch(rows, weights)
    assert batch.loss(recommender(loss), USERS[3], loss) == pytest.approx(plain(USERS[3]))
    found = batch.gradient(recommender(loss), USERS[3], loss)
    for k in range(10):
        step = np.eye(10)[k] * 1e-6
        slope = (plain(USERS[3] + step) - plain(USERS[3] - step)) / 2e-6
        assert found[k] == pytest.approx(slope, rel=1e-5, abs=1e-8)


def torch_generator(generator):
    """Return G(c; e) of a fitted CVAE as plain torch operations."""

    def network(layers, X):
        for W, b in layers[:-1]:
            X = torch.nn.functional.leaky_relu(X @ torch.from_numpy(W) + torch.from_numpy(b), 0.01)
        W, b = layers[-1]
        return X @ torch.from_numpy(W) + torch.from_numpy(b)

    def generate(c, e):
        z = network(generator._encoder, torch.cat([e, c]))[: generator.latent_dim]
        return network(generator._decoder, torch.cat([z, c]))

    return generate


@pytest.mark.parametrize("loss", ["bpr", "bce"])
@pytest.mark.parametrize("said", [{"like": "tag_1"}, {"dislike": "tag_1"}], ids=str)
def test_iterates_equal_a_plain_implementation_with_autograd(loss, said):
    """The same pairs through torch from end to end: loss, regulariser, generator, optimiser."""
    explainer, user = EXPLAINERS[loss, "cvae"], 3
    settings = {"learning_rate": 0.02, "n_epochs": 3, "batch_size": 16, "regularization": 0.7}
    optimizer = {"bpr": torch.optim.SGD, "bce": torch.optim.Adam}[loss]
    own = torch.from_numpy(USERS[user])
    items = torch.from_numpy(ITEMS)
    c = torch.tensor(explainer.tag_preferences_[user], requires_grad=True)
    step, generate = optimizer([c], lr=0.02), torch_generator(explainer.generator_)
    pairs = pairs_of(explainer, user, loss, **said)
    for _ in range(3):
        for batch in pairs.batches(16):
            step.zero_grad()
            e = generate(c, own)
            first, second = torch.from_numpy(batch.rows.T)
            if loss == "bpr":
                value = -torch.nn.functional.logsigmoid((items[first] - items[second]) @ e).sum()
                value = value + 0.7 * (e - own).square().sum()
            else:
                value = torch.nn.functional.binary_cross_entropy_with_logits(
                    items[first] @ e, second.double()
                )
                value = value + 0.7 * (e - own).square().mean()
            value.backward()
            step.step()
    refined = FeedbackRefiner(explainer, solver=OnlineSolver(**settings)).refine(user, **said)
    np.testing.assert_allclose(refined.requested, c.detach().numpy(), rtol=1e-8, atol=1e-10)
    with torch.no_grad():
        np.testing.assert_allclose(refined.embedding, generate(c, own).numpy(), rtol=1e-8)


@pytest.mark.parametrize("loss", ["bpr", "bce"])
def test_default_settings_move_the_named_tag_its_way(loss):
    key = loss, "gaussian"
    refiner = FeedbackRefiner(EXPLAINERS[key], solver="online")
    liked = disliked = 0
    with_more_than_the_tag = [u for u in range(150) if not IN_TAG[history(u), 1].all()]
    for user in with_more_than_the_tag[:20]:
        for said, sign in (({"like": "tag_1"}, 1), ({"dislike": "tag_1"}, -1)):
            refined = refiner.refine(user, **said)
            asked = refined.requested[1] - EXPLAINERS[key].tag_preferences_[user, 1]
            if sign > 0:
                liked += asked > 0
            else:
                disliked += asked < 0
    assert liked == 20
    # A dislike also pulls towards the rest of the history, which can outweigh it: the paper's way.
    assert disliked >= 10


def test_refined_embedding_is_the_generated_one_as_published():
    explainer = EXPLAINERS["bpr", "cvae"]
    refined = FeedbackRefiner(explainer, solver="online").refine(3, like="tag_1")
    expected = explainer.generator_.generate(refined.requested[None], USERS[[3]])[0]
    np.testing.assert_allclose(refined.embedding, expected)


@pytest.mark.parametrize("solver", [OnlineSolver(), EmbeddingSolver()], ids=repr)
def test_strength_scales_the_update_and_zero_changes_nothing(solver):
    explainer = EXPLAINERS["bpr", "gaussian"]
    refiner = FeedbackRefiner(explainer, solver=solver)
    moves = [
        refiner.refine(3, like="tag_1", strength=s).embedding - USERS[3] for s in (0, 0.5, 1, 2)
    ]
    assert (moves[0] == 0).all()
    np.testing.assert_allclose(moves[2], 2 * moves[1], rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(moves[3], 2 * moves[2], rtol=1e-6, atol=1e-12)


def test_a_heavier_regulariser_keeps_the_user_closer():
    explainer = EXPLAINERS["bpr", "gaussian"]
    distances = [
        np.linalg.norm(
            FeedbackRefiner(
                explainer,
                solver=OnlineSolver(
                    regularization=weight, learning_rate=1e-3, n_epochs=30, batch_size=16
                ),
            )
            .refine(3, like="tag_1")
            .embedding
            - USERS[3]
        )
        for weight in (0.0, 0.3, 3.0)
    ]
    assert distances[0] > distances[1] > distances[2] > 0


def test_set_stays_where_it_was_put_while_the_rest_moves():
    refiner = FeedbackRefiner(EXPLAINERS["bpr", "gaussian"], solver="online")
    frame = refiner.refine(3, like="tag_1", set={"tag_2": 0.5}).to_frame().set_index("tag")
    assert frame["requested"]["tag_2"] == pytest.approx(0.5, abs=1e-6)
    assert frame["change"]["tag_1"] > 0
    with pytest.raises(ValueError, match="set= needs a generator, and solver='embedding'"):
        FeedbackRefiner(EXPLAINERS["bpr", "gaussian"], solver="embedding").refine(
            3, set={"tag_2": 0.5}
        )


def test_equal_calls_are_equal_and_no_global_state_is_touched():
    refiner = FeedbackRefiner(EXPLAINERS["bpr", "cvae"], solver="online")
    state = torch.get_rng_state()
    first = refiner.refine(3, like="tag_1").embedding
    refiner.refine(4, like="tag_2")
    np.testing.assert_array_equal(refiner.refine(3, like="tag_1").embedding, first)
    assert torch.equal(state, torch.get_rng_state())


def test_embedding_baseline_moves_only_this_users_embedding():
    explainer = EXPLAINERS["bce", "gaussian"]
    before = USERS.copy(), ITEMS.copy()
    refined = FeedbackRefiner(explainer, solver="embedding").refine(3, like="tag_1")
    assert (refined.embedding != USERS[3]).any()
    np.testing.assert_array_equal(USERS, before[0])
    np.testing.assert_array_equal(ITEMS, before[1])


def test_divergence_is_an_error_that_names_the_rate():
    refiner = FeedbackRefiner(
        EXPLAINERS["bpr", "gaussian"],
        solver=OnlineSolver(learning_rate=1e6, regularization=1e6, n_epochs=50),
    )
    with pytest.raises(ValueError, match=r"diverged with learning_rate=1e\+06; pass a smaller"):
        refiner.refine(3, like="tag_1")


@pytest.mark.parametrize("solver", ["online", "embedding"])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 1e3])
def test_no_scale_of_factors_diverges_at_defaults(solver, scale):
    # Unlike lengths of factors and tags that go together make steps overshoot in some directions.
    lengths = scale * np.geomspace(1.0, 30.0, USERS.shape[1])
    unscaled = FactorRecommender(USERS * lengths, ITEMS * lengths)
    explainer = TPECRExplainer(unscaled, DATA.item_tags)
    refiner = FeedbackRefiner(explainer.fit(DATA.interactions), solver=solver)
    inside = IN_TAG[:, 1]

    def loss(scores, others):
        return np.logaddexp(0.0, scores[others] - scores[inside][:, np.newaxis]).mean()

    for user in range(4):
        refined = refiner.refine(user, like="tag_1")
        others = np.setdiff1d(np.flatnonzero(~inside), history(user))
        assert loss(refined.scores, others) < loss(refined.scores_before, others)


def test_nothing_to_set_against_a_tag_is_an_error():
    everything = np.ones((120, 2))
    everything[:, 1] = IN_TAG[:, 1]
    explainer = TPECRExplainer(recommender("bpr"), everything).fit(DATA.interactions)
    refiner = FeedbackRefiner(explainer, solver="online")
    with pytest.raises(ValueError, match="like: no item is outside the user's history and"):
        refiner.refine(3, like="tag_0")
    with pytest.raises(ValueError, match=r"dislike: no item of the user's history .* 'tag_0'"):
        refiner.refine(3, dislike="tag_0")


def test_bad_settings_say_what_is_wrong():
    with pytest.raises(ValueError, match="'learning_rate' parameter of OnlineSolver"):
        FeedbackRefiner(EXPLAINERS["bpr", "gaussian"], solver=OnlineSolver(learning_rate=0)).refine(
            3, like="tag_1"
        )


def test_an_unknown_feedback_loss_is_named():
    explainer = TPECRExplainer(recommender("hinge"), DATA.item_tags).fit(DATA.interactions)
    with pytest.raises(ValueError, match=r"feedback_loss of FactorRecommender .* got 'hinge'"):
        FeedbackRefiner(explainer, solver="online").refine(3, like="tag_1")


def test_users_all_alike_are_named():
    explainer = TPECRExplainer((USERS[:1], ITEMS), DATA.item_tags).fit(DATA.interactions[:1])
    for solver in ("online", "embedding"):
        with pytest.raises(ValueError, match="needs users who differ"):
            FeedbackRefiner(explainer, solver=solver).refine(0, like="tag_1")


def test_divergence_in_the_only_step_is_an_error_too():
    solver = OnlineSolver(learning_rate=1e12, n_epochs=1, batch_size=10**6)
    with pytest.raises(ValueError, match="diverged with learning_rate"):
        FeedbackRefiner(EXPLAINERS["bpr", "gaussian"], solver=solver).refine(3, like="tag_1")


@pytest.mark.parametrize("said", [{"like": "tag_1"}, {"dislike": {"tag_1": 1.0, "tag_2": 0.3}}])
@pytest.mark.parametrize("key", EXPLAINERS, ids="-".join)
@pytest.mark.parametrize("solver", [OnlineSolver(), EmbeddingSolver()], ids=repr)
def test_a_sweep_is_a_refinement_at_each_strength(solver, key, said):
    refiner = FeedbackRefiner(EXPLAINERS[key], solver=solver)
    strengths = [0.25, 0, 3.0, 1]
    for strength, refined in zip(
        strengths, refiner.sweep(3, **said, strengths=strengths), strict=True
    ):
        expected = refiner.refine(3, **said, strength=strength)
        np.testing.assert_allclose(refined.embedding, expected.embedding, rtol=1e-8, atol=1e-11)
        np.testing.assert_allclose(refined.requested, expected.requested, rtol=1e-8, atol=1e-11)


@pytest.mark.parametrize("solver", [OnlineSolver(), EmbeddingSolver()], ids=repr)
def test_a_sweep_descends_once_and_not_at_all_for_nothing(solver, monkeypatch):
    descents = []

    class Counted(Pairs):
        def __init__(self, *args):
            descents.append(args[2].strength)
            super().__init__(*args)

    monkeypatch.setattr("sktpecr.solvers._online.Pairs", Counted)
    refiner = FeedbackRefiner(EXPLAINERS["bpr", "cvae"], solver=solver)
    refiner.sweep(3, like="tag_1", strengths=[0, 0.5, 2, 1])
    assert descents == [2]
    refiner.sweep(3, like="tag_1", strengths=[0, 0])
    refiner.sweep(3, like="tag_1", strengths=[])
    assert descents == [2]


def test_feedback_is_solved_for_around_what_was_set():
    """The same values at all strengths, and none of them moved."""
    tag_model = EXPLAINERS["bpr", "gaussian"]._tag_model
    said = [feedback(EXPLAINERS["bpr", "gaussian"], like="tag_1", strength=s) for s in (1, 2)]
    values = {2: 0.25, 4: -0.1}
    user = User.at(tag_model, 3)
    swept = OnlineSolver().sweep(tag_model, user, said, values)
    for each, (embedding, requested) in zip(said, swept, strict=True):
        assert (requested[2], requested[4]) == (0.25, -0.1)
        alone = OnlineSolver().solve(tag_model, user, each, values)
        np.testing.assert_allclose(embedding, alone[0], rtol=1e-9)
        np.testing.assert_allclose(requested, alone[1], rtol=1e-9)
    assert swept[1][1][1] > swept[0][1][1]
