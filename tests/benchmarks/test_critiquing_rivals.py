"""Rivals in critiquing: what their papers' formulae say, on a model small enough to check."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.decomposition import TruncatedSVD

from benchmarks.beyond import critiquing
from benchmarks.beyond import critiquing_rivals as rivals
from benchmarks.beyond.critiquing_protocol import simulate_critiques
from sktpecr.datasets import make_tagged_interactions
from sktpecr.evaluation import split_interactions
from sktpecr.recommenders import FactorRecommender


@pytest.fixture(scope="module")
def world():
    data = make_tagged_interactions(random_state=0)
    train, held_out = split_interactions(data.interactions, random_state=0)
    tags = sp.csr_matrix(np.asarray(data.item_tags, dtype=float))
    svd = TruncatedSVD(8, random_state=0).fit(train)
    model = FactorRecommender(svd.transform(train), svd.components_.T)
    here = critiquing.critics(model, train, tags)
    return here, tags, train, [tuple(pair) for pair in held_out[:25]]


def told(kind, here, answers, **given):
    session = kind(here, 3, **given)
    for tag, liked in answers:
        session.answer(tag, liked)
    return session


def test_every_method_talks(world):
    here, tags, train, pairs = world
    how = {"answers": "both", "max_turns": 3}
    best = {
        name: critiquing.tuned(here, name, pairs[:3], tags, train, how) for name in critiquing.TUNED
    }
    assert all(best[name] in each.values for name, each in critiquing.TUNED.items())
    found = simulate_critiques(critiquing.methods(here, best), pairs[:6], tags, train, **how)
    assert found.groupby("method").size().eq(6).all()
    assert found["method"].nunique() == len(critiquing.FIXED) + len(critiquing.TUNED)
    assert np.isfinite(found.filter(like="success")).all(axis=None)


def test_a_setting_is_tuned_to_what_succeeds(world):
    here, tags, train, pairs = world
    how = {"answers": "positive", "max_turns": 3}
    best = critiquing.tuned(here, "boost", pairs, tags, train, how)
    tried = {
        value: simulate_critiques(
            {"boost": lambda user, value=value: rivals.Boost(here, user, size=value)},
            pairs,
            tags,
            train,
            **how,
        )["success@10"].mean()
        for value in critiquing.TUNED["boost"].values
    }
    assert tried[best] == max(tried.values())


@pytest.mark.parametrize("kind", [rivals.Default, rivals.AskedByChange])
def test_questions_are_among_the_tags_that_are_left(world, kind):
    here, _, _, _ = world
    left, everything = np.array([0, 2]), np.ones(len(here.items), dtype=bool)
    session = kind(here, 3)
    assert session.question(left, everything) in left
    session.answer(0, True)
    assert session.question(left[1:], everything) == 2


def test_what_fits_comes_first_and_the_rest_by_its_score(world):
    here, tags, _, _ = world
    session = told(rivals.KeepWhatFits, here, [(0, True), (1, False)])
    dense = tags.toarray()
    fits = (dense[:, 0] > 0) & (dense[:, 1] == 0)
    order = np.argsort(-session.scores())
    assert fits[order[: fits.sum()]].all()
    assert (np.diff(session.own[order[: fits.sum()]]) <= 0).all()
    fewest = told(rivals.FewestContradictions, here, [(0, True), (1, False)])
    contradictions = (dense[:, 0] == 0).astype(int) + (dense[:, 1] > 0)
    assert (np.diff(contradictions[np.argsort(-fewest.scores())]) >= 0).all()


def test_uac_averages_uniformly_and_bac_halves(world):
    here, tags, train, _ = world
    answers = [(0, True), (2, False)]
    counts = (train @ tags).toarray()
    W = np.linalg.lstsq(counts, here.users, rcond=None)[0]
    each = [
        sign * max(counts[3, tag], counts[3][counts[3] > 0].mean()) * (here.items @ W[tag])
        for tag, sign in ((0, 1), (2, -1))
    ]
    own = here.scored(here.users[3])
    uac = (own + each[0] + each[1]) / 3
    bac = own / 2 + (each[0] + each[1]) / 4
    assert np.corrcoef(told(rivals.UAC, here, answers).scores(), uac)[0, 1] > 0.99
    assert np.corrcoef(told(rivals.BAC, here, answers).scores(), bac)[0, 1] > 0.99


@pytest.mark.parametrize("kind", [rivals.Boost, rivals.PlainStep, rivals.ClosedForm])
@pytest.mark.parametrize(("liked", "way"), [(True, 1), (False, -1)])
def test_the_tag_moves_its_way(world, kind, liked, way):
    here, _, _, _ = world
    session = told(kind, here, [(1, liked)])
    moved, on = session.scores() - session.own, here.of_tag(1)
    assert way * (moved[on].mean() - moved[~on].mean()) > 0


def test_llc_rank_keeps_what_its_programme_asks(world):
    here, _, _, _ = world
    session = told(rivals.LLCRank, here, [(0, False)])
    before, after = session.own, session.scores()
    against = np.argsort(-before)[(session.contradictions() > 0)[np.argsort(-before)]][:10]
    others = np.argsort(-before)[(session.contradictions() == 0)[np.argsort(-before)]][:10]
    assert (after - before)[others].mean() > (after - before)[against].mean()


def test_bk_vae_is_bayesian_linear_regression(world):
    here, _, _, _ = world
    x, mean = here.regressed(0), here.users[3]
    covariance = np.cov(here.users.T)
    goal = (here.normals @ mean).max()
    # One observation of noise Var(x . z): the Kalman gain is a half of what is missing.
    expected = mean + covariance @ x / (2 * x @ covariance @ x) * (goal - x @ mean)
    found = told(rivals.BKVAE, here, [(0, True)]).scores()
    np.testing.assert_allclose(found, here.scored(expected), rtol=1e-5, atol=1e-6)


def test_items_lose_all_their_tags_or_none(world):
    _, tags, _, _ = world
    left = critiquing.without_tags(tags, 0.3)
    counts, before = left.getnnz(axis=1), tags.getnnz(axis=1)
    left.eliminate_zeros()
    counts = left.getnnz(axis=1)
    assert ((counts == 0) | (counts == before)).all()
    assert 0.5 < (counts > 0).sum() / (before > 0).sum() < 0.9


def test_nobody_is_measured_on_whom_settings_were_chosen():
    pairs = [(user, item) for user in range(60) for item in range(5)]
    chosen_on, left = critiquing.apart(pairs, 20)
    users = {user for user, _ in chosen_on}
    assert len(chosen_on) == 20
    assert sorted(left) == [pair for pair in pairs if pair[0] not in users]
    assert left != sorted(left)
