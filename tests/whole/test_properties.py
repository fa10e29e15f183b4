"""What holds of any factors and tags whatever: shapes, scales, ranks, repetitions.

An answer is right, or it is a ValueError that says why there is none. Warnings of NumPy are errors
here as everywhere; those that tell users of tags that are hard to steer are not looked at.
"""

import warnings
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from sktpecr import Conversation, FeedbackRefiner, TPECRExplainer
from sktpecr.attribution import ExactAttribution, ShapleyAttribution

KINDS = (
    "plain",
    "one user",
    "one item",
    "one tag",
    "more tags than factors",
    "users alike",
    "users twice",
    "items twice",
    "tags twice",
    "constant factor",
    "rank one",
    "ill-conditioned",
    "no tastes",
    "no items",
)
SOLVERS = ("auto", "bayesian")


class Case(NamedTuple):
    """What an explainer is fitted on."""

    kind: str
    users: np.ndarray
    items: np.ndarray
    biases: np.ndarray
    tags: np.ndarray
    interactions: np.ndarray
    seed: int

    def fit(self, **params):
        factors = self.users, self.items, self.biases
        names = [f"tag {t}" for t in range(self.tags.shape[1])]
        explainer = TPECRExplainer(factors, self.tags, tag_names=names, **params)
        return explainer.fit(self.interactions)

    @property
    def known(self):
        """Users of whom something can be explained."""
        return np.flatnonzero(self.interactions.any(axis=1))[:3].tolist()

    @property
    def size(self):
        """The largest that a score can be, before anything cancels."""
        users, items, biases = (
            np.abs(each).astype(np.longdouble) for each in (self.users, self.items, self.biases)
        )
        return float((users @ items.T + biases).max())

    @property
    def precision(self):
        return 1e-4 if self.users.dtype == np.float32 else 1e-9


@st.composite
def cases(draw, scales=True, dtypes=(np.float64, np.float32), kinds=KINDS):
    kind, seed = draw(st.sampled_from(kinds)), draw(st.integers(0, 2**31 - 1))
    rng = np.random.RandomState(seed)
    n_users, n_items, n_tags, n_factors = rng.randint(1, (13, 16, 8, 7))
    n_users = 1 if kind == "one user" else n_users
    n_items = 1 if kind == "one item" else n_items
    n_tags = 1 if kind == "one tag" else n_tags
    if kind == "more tags than factors":
        n_tags, n_factors = 12, 2
    users, items = rng.normal(size=(n_users, n_factors)), rng.normal(size=(n_items, n_factors))
    if kind == "users alike":
        users[:] = users[0]
    if kind == "users twice":
        users = users[rng.randint(n_users, size=n_users)]
    if kind == "items twice":
        items = items[rng.randint(n_items, size=n_items)]
    if kind == "constant factor":
        users[:, 0] = 2.5
    if kind == "rank one":
        items = np.outer(items[:, 0], rng.normal(size=n_factors))
    if kind == "ill-conditioned":
        users = users * 10.0 ** -np.linspace(0, rng.randint(4, 14), n_factors)
    if kind == "no tastes":
        users[:] = 0
    if kind == "no items":
        items[:] = 0
    biases = rng.normal(size=n_items) * rng.randint(2)
    tags = (rng.rand(n_items, n_tags) < 0.5) * (1.0 if rng.rand() < 0.7 else rng.rand() + 0.1)
    tags[rng.randint(n_items, size=n_tags), np.arange(n_tags)] = 1.0
    if kind == "tags twice":
        tags[:, -1] = tags[:, 0]
    interactions = (rng.rand(n_users, n_items) < 0.4).astype(float)
    interactions[0, 0] = 1.0  # somebody to learn from
    of_users, of_items = 1.0, 1.0
    if scales and draw(st.booleans()):
        of_users, of_items = (10.0 ** draw(st.integers(-30, 30)) for _ in range(2))
    dtype = draw(st.sampled_from(dtypes))
    with np.errstate(all="ignore"):
        return Case(
            kind,
            (users * of_users).astype(dtype),
            (items * of_items).astype(dtype),
            (biases * of_users * of_items).astype(dtype),
            tags,
            interactions,
            seed,
        )


@contextmanager
def only_our_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def fit_or_none(case, **params):
    """Fit, or make sure that what was refused is beyond what numbers can hold."""
    try:
        return case.fit(**params)
    except ValueError as error:
        refusal = str(error)
    with np.errstate(all="ignore"):
        sizes = [float(np.abs(each).max()) for each in (case.users, case.items, case.biases)]
    sizes = [size for size in (*sizes, sizes[0] * sizes[1]) if size]
    assert case.users.dtype == np.float32, refusal
    assert any(not 1e-16 < size < 1e16 for size in sizes), refusal
    return None


def refined(explainer, user, solver="auto", **said):
    """Refine, or return None where that is said to be impossible."""
    try:
        return FeedbackRefiner(explainer, solver=solver).refine(user, **said)
    except ValueError as error:
        refusal = str(error)
    assert "cannot" in refusal or "beyond" in refusal
    return None


@given(case=cases())
def test_explanations_are_complete_and_score_is_the_score(case):
    explainer = fit_or_none(case)
    for user in case.known if explainer else ():
        item = case.seed % len(case.items)
        found = explainer.explain(user, item)
        recommender = explainer.extractor_.recommender_
        vector = recommender.user_embeddings[user].astype(np.longdouble)
        expected = vector @ recommender.item_embeddings[item] + recommender.item_biases[item]
        assert abs(found.score - float(expected)) <= case.precision * case.size
        parts = found.base_value, found.residual, *found.contributions
        assert np.isfinite(parts).all()
        largest = max(map(abs, parts))
        assert abs(sum(parts) - found.score) <= case.precision * max(case.size, largest)


@given(case=cases(scales=False, dtypes=(np.float64,)))
def test_shapley_values_are_the_exact_contributions(case):
    exact = case.fit(attribution=ExactAttribution())
    shapley = case.fit(attribution=ShapleyAttribution())
    for user in case.known:
        one, other = (each.explain(user, 0).contributions for each in (exact, shapley))
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9 * case.size)


@given(case=cases())
def test_lists_are_sorted_and_scores_are_the_scores(case):
    explainer = fit_or_none(case)
    if explainer:
        listed = explainer.recommend(0, n=50, exclude_seen=False)
        scores = listed["score"].to_numpy()
        assert (np.diff(scores) <= 0).all()
        assert sorted(listed["item"]) == list(range(len(case.items)))
        recommender = explainer.extractor_.recommender_
        own = recommender.score_items(recommender.user_embeddings[:1])[0]
        np.testing.assert_array_equal(scores, own[listed["item"].to_numpy()])


@given(case=cases(), solver=st.sampled_from(SOLVERS))
def test_named_tags_move_their_way(case, solver):
    explainer = fit_or_none(case)
    tag = case.seed % case.tags.shape[1]
    with only_our_warnings():
        for user in case.known if explainer else ():
            for said, sign in (("like", 1), ("dislike", -1)):
                found = refined(explainer, user, solver, **{said: [f"tag {tag}"]})
                if found is None:
                    continue
                assert np.isfinite(found.embedding).all()
                assert np.isfinite(found.scores).all()
                before, after = (
                    explainer._tag_model.tag_preferences_of(each)[tag]
                    for each in (explainer.user_embeddings_[user].astype(float), found.embedding)
                )
                assert sign * (after - before) > 0


@given(case=cases())
def test_tags_that_are_set_are_there(case):
    explainer = fit_or_none(case)
    tag = case.seed % case.tags.shape[1]
    with only_our_warnings():
        for user in case.known if explainer else ():
            for solver in SOLVERS:
                found = refined(explainer, user, solver, set={f"tag {tag}": 1.0})
                if found is None:
                    continue
                tag_model = explainer._tag_model
                asked = tag_model.mean[tag] + tag_model.std[tag]
                met = tag_model.tag_preferences_of(found.embedding)[tag]
                before = tag_model.tag_preferences_of(explainer.user_embeddings_[user])[tag]
                far = max(abs(asked - before), tag_model.std[tag])
                assert abs(met - asked) <= 2e-4 * far + 1e-14 * case.size


@given(case=cases(), solver=st.sampled_from((*SOLVERS, "online", "embedding")))
def test_nothing_said_changes_nothing(case, solver):
    explainer = fit_or_none(case)
    for user in case.known if explainer else ():
        found = refined(explainer, user, solver)
        own = explainer.user_embeddings_[user].astype(np.float64)
        assert found.embedding.tobytes() == own.tobytes()
        zero = refined(explainer, user, solver, like={"tag 0": 0.0})
        assert zero.embedding.tobytes() == own.tobytes()


@given(case=cases(scales=False), solver=st.sampled_from(SOLVERS))
def test_the_same_twice_and_after_undo(case, solver):
    explainer, again = case.fit(), case.fit()
    with only_our_warnings():
        for user in case.known:
            one, other = (
                refined(each, user, solver, like=["tag 0"]) for each in (explainer, again)
            )
            if one is None:
                assert other is None
                continue
            assert one.embedding.tobytes() == other.embedding.tobytes()
            conversation = Conversation(explainer, user, solver=solver)
            start = conversation.refinement.embedding.tobytes()
            conversation.say(like=["tag 0"])
            there = conversation.refinement.embedding.tobytes()
            conversation.undo()
            assert conversation.refinement.embedding.tobytes() == start
            conversation.redo()
            assert conversation.refinement.embedding.tobytes() == there


@given(case=cases(scales=False))
def test_contradictions_are_told(case):
    explainer = case.fit()
    refiner = FeedbackRefiner(explainer)
    for said in (
        {"like": ["tag 0"], "dislike": ["tag 0"]},
        {"like": ["tag 0"], "set": {"tag 0": 1.0}},
        {"dislike": ["tag 0"], "set": {"tag 0": 1.0}},
        {"like": ["tag 0", "tag 0"]},
    ):
        with pytest.raises(ValueError, match=r"contradicts itself|twice"):
            refiner.refine(0, **said)


@given(case=cases(kinds=("tags twice",)), solver=st.sampled_from(SOLVERS))
def test_equal_tags_cannot_part(case, solver):
    explainer = fit_or_none(case)
    n_tags = case.tags.shape[1]
    if explainer and n_tags > 1:
        with only_our_warnings():
            for user in case.known:
                said = {"like": ["tag 0"], "dislike": [f"tag {n_tags - 1}"]}
                if solver == "auto":
                    assert refined(explainer, user, solver, **said) is None


@given(case=cases(scales=False))
def test_rows_are_embedded_alone(case):
    explainer = case.fit()
    together = explainer.transform(case.interactions)
    alone = np.vstack([explainer.transform(row[np.newaxis]) for row in case.interactions])
    atol = case.precision * max(np.abs(together).max(), 1e-30)
    np.testing.assert_allclose(alone, together, rtol=0, atol=atol)
    for matrix in (sp.csr_matrix, sp.csc_matrix, sp.coo_matrix, sp.csr_array):
        assert (explainer.transform(matrix(case.interactions)) == together).all()


def permuted(case, which):
    """Return a case with users, items or tags in another order, and that order."""
    n = {"users": len(case.users), "items": len(case.items), "tags": case.tags.shape[1]}[which]
    order = np.random.RandomState(case.seed).permutation(n)
    if which == "users":
        other = case._replace(users=case.users[order], interactions=case.interactions[order])
    elif which == "items":
        other = case._replace(
            items=case.items[order],
            biases=case.biases[order],
            tags=case.tags[order],
            interactions=case.interactions[:, order],
        )
    else:
        other = case._replace(tags=case.tags[:, order])
    return other, order


STEADY = tuple(kind for kind in KINDS if kind not in ("ill-conditioned", "no tastes", "no items"))


@pytest.mark.parametrize("which", ["users", "items", "tags"])
@given(case=cases(scales=False, dtypes=(np.float64,), kinds=STEADY))
def test_another_order_is_another_order_of_the_answer(which, case):
    other, order = permuted(case, which)
    one, two = case.fit(), other.fit()
    place = np.argsort(order)
    user, item, tag = case.known[0], case.seed % len(case.items), 0
    there = (place[user] if which == "users" else user, place[item] if which == "items" else item)
    mine, yours = one.explain(user, item), two.explain(*map(int, there))
    kept = order if which == "tags" else np.arange(len(mine.contributions))
    size = max(case.size, np.abs(mine.contributions).max())
    np.testing.assert_allclose(
        mine.contributions[kept], yours.contributions, rtol=1e-5, atol=1e-7 * size
    )
    assert abs(mine.score - yours.score) <= 1e-9 * size
    tag_there = int(place[tag]) if which == "tags" else tag
    with only_our_warnings():
        for solver in SOLVERS:
            mine = refined(one, user, solver, like=[f"tag {tag}"])
            yours = refined(two, int(there[0]), solver, like=[f"tag {tag_there}"])
            assert (mine is None) == (yours is None)
            if mine is not None:
                step = np.abs(mine.embedding - case.users[user]).max()
                np.testing.assert_allclose(
                    mine.embedding, yours.embedding, rtol=0, atol=1e-5 * step
                )


@given(
    case=cases(scales=False, dtypes=(np.float64,), kinds=STEADY),
    power=st.integers(-60, 60),
    shift=st.integers(-60, 60),
)
def test_other_units_are_other_units_of_the_answer(case, power, shift):
    """Scores times a constant; and factors in other units of which the scores are the same."""
    # Powers of two are exact: what differs afterwards is a number of ours that has a unit.
    of_scores, of_users = 2.0**power, 2.0**shift
    other = case._replace(
        users=case.users * of_users,
        items=case.items * of_scores / of_users,
        biases=case.biases * of_scores,
    )
    one, two = case.fit(), other.fit()
    user, item = case.known[0], case.seed % len(case.items)
    mine, yours = one.explain(user, item), two.explain(user, item)
    size = max(case.size, np.abs(mine.contributions).max())
    for name in ("contributions", "importances", "tag_preferences"):
        np.testing.assert_allclose(
            getattr(mine, name) * of_scores,
            getattr(yours, name),
            rtol=1e-5,
            atol=1e-7 * size * of_scores,
        )
    listed = [each.recommend(user, exclude_seen=False)["item"].tolist() for each in (one, two)]
    assert listed[0] == listed[1]
    with only_our_warnings():
        for solver in SOLVERS:
            for said in ({"like": ["tag 0"]}, {"dislike": ["tag 0"]}, {"set": {"tag 0": 0.5}}):
                mine, yours = (refined(each, user, solver, **said) for each in (one, two))
                assert (mine is None) == (yours is None)
                if mine is not None:
                    step = np.abs(mine.embedding - case.users[user]).max()
                    np.testing.assert_allclose(
                        mine.embedding * of_users,
                        yours.embedding,
                        rtol=0,
                        atol=max(1e-5 * step, 1e-9 * np.abs(case.users).max()) * of_users,
                    )


class TestFoundHere:
    """What was wrong before these properties were written down, one example each."""

    RNG = np.random.RandomState(0)
    USERS, ITEMS = RNG.normal(size=(6, 4)), RNG.normal(size=(9, 4))
    TAGS = (RNG.rand(9, 3) < 0.5).astype(float)
    TAGS[[0, 1, 2], [0, 1, 2]] = 1.0

    def fit(self, users=USERS, items=ITEMS, tags=TAGS, interactions=None):
        interactions = np.eye(len(users), len(items)) if interactions is None else interactions
        return TPECRExplainer((users, items), tags).fit(interactions)

    def test_small_scores_were_called_met_where_they_stood(self):
        tags = (np.random.RandomState(1).rand(9, 7) < 0.5).astype(float)
        explainer = self.fit(self.USERS * 1e-10, self.ITEMS * 1e-10, tags)
        with only_our_warnings():
            found = FeedbackRefiner(explainer).refine(0, set={"tag_1": 2.0})
        assert found.to_frame().set_index("tag")["after"]["tag_1"] == pytest.approx(2.0, rel=1e-3)

    def test_one_item_left_had_no_scatter_but_rounding(self):
        interactions = np.ones((6, 9))
        interactions[:, 4] = 0
        for seed in range(5):
            rng = np.random.RandomState(seed)
            factors = (rng.normal(size=(n, 5)).astype(np.float32) for n in (6, 9))
            explainer = self.fit(*factors, interactions=interactions)
            with only_our_warnings():
                for tag in explainer.tag_names_:
                    refined(explainer, 0, like=[tag])
                    refined(explainer, 0, dislike=[tag])

    def test_who_has_seen_everything_was_pulled_along_by_rounding(self):
        everything, order = np.ones((6, 9)), np.arange(9)[::-1]
        one = self.fit(interactions=everything)
        other = self.fit(items=self.ITEMS[order], tags=self.TAGS[order], interactions=everything)
        found = [FeedbackRefiner(each).refine(0, like=["tag_1"]).embedding for each in (one, other)]
        np.testing.assert_allclose(*found, rtol=1e-9)

    @pytest.mark.parametrize("solver", SOLVERS)
    def test_a_population_without_tastes_was_moved_by_nothing_or_nan(self, solver):
        explainer = self.fit(users=np.zeros((6, 4)))
        with only_our_warnings(), pytest.raises(ValueError, match="scores all items alike"):
            FeedbackRefiner(explainer, solver=solver).refine(0, like=["tag_1"])

    @pytest.mark.parametrize(
        ("of_users", "of_items", "what"),
        [
            (1e-25, 1.0, "user embeddings"),
            (1.0, 1e25, "item embeddings"),
            (1e-12, 1e-12, "scores"),
            (1e12, 1e12, "scores"),
        ],
    )
    def test_numbers_whose_squares_are_none_were_taken(self, of_users, of_items, what):
        factors = (self.USERS * of_users, self.ITEMS * of_items)
        self.fit(*factors)
        single = [each.astype(np.float32) for each in factors]
        with pytest.raises(ValueError, match=rf"the {what} of .* float32 cannot hold .* float64"):
            self.fit(*single)
        with pytest.raises(ValueError, match="float64 cannot hold"):
            self.fit(self.USERS * 1e150)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_infinite_scores_were_answered(self, dtype):
        explainer = self.fit(self.USERS.astype(dtype), self.ITEMS.astype(dtype))
        refiner = FeedbackRefiner(explainer)
        bayesian = FeedbackRefiner(explainer, solver="bayesian")
        row = np.zeros(9)
        row[3] = 1e300
        largest = 1e308 if dtype == np.float64 else 1e200
        asked = [
            lambda: refiner.refine(0, set={"tag_1": largest}),
            lambda: bayesian.refine(0, like=["tag_1"], strength=largest),
            lambda: refiner.refine(interactions=row, like=["tag_1"]),
        ]
        if dtype == np.float32:
            asked += [
                lambda: explainer.explain(interactions=row, item=2),
                lambda: explainer.transform(row[np.newaxis]),
                lambda: explainer.recommend(tags={"tag_1": largest}, exclude_seen=False),
                lambda: refiner.refine(0, like=["tag_1"], strength=largest),
            ]
        for ask in asked:
            with only_our_warnings(), pytest.raises(ValueError, match=r"too large for|beyond what"):
                ask()
