"""The account: against brute force, and what must hold of every catalogue."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from sktpecr import TagPreferenceExtractor
from sktpecr.attribution import AccountAttribution, _account_fit
from sktpecr.attribution._account_fit import alias_groups, own_tags, own_weights
from sktpecr.attribution._composite import CompositeFunction
from sktpecr.recommenders import FactorRecommender

LEVELS = ("regression", "difference", "none")


def world(seed=0, n_users=300, n_items=60, n_tags=6, n_factors=5, density=0.4):
    """Draw tastes for tags, items that are made of their tags, and who took what."""
    rng = np.random.RandomState(seed)
    tags = (rng.random_sample((n_items, n_tags)) < density).astype(float)
    tags[np.arange(n_tags), np.arange(n_tags)] = 1.0
    tags[-1] = 0.0
    of_tags = rng.normal(size=(n_tags, n_factors))
    items = tags @ of_tags + 0.5 * rng.normal(size=(n_items, n_factors)) + 0.4
    users = rng.normal(size=(n_users, n_factors)) + 0.3
    biases = rng.normal(size=n_items)
    scores = users @ items.T + biases
    X = sp.csr_matrix((scores > np.quantile(scores, 0.9, axis=1)[:, np.newaxis]).astype(float))
    return FactorRecommender(users, items, biases), sp.csr_matrix(tags), X


class SameScores:
    """A recommender of the same scores that does not say how they are made."""

    def __init__(self, recommender):
        self.user_embeddings = recommender.user_embeddings
        self.score_items = recommender.score_items


def fitted(recommender, tags, X=None, closed_form=True, **params):
    extractor = TagPreferenceExtractor(recommender, tags).fit(np.zeros(X.shape))
    matrix = extractor.tag_matrix_ if closed_form else None
    recommender = recommender if closed_form else SameScores(recommender)
    users = recommender.user_embeddings
    preferences = extractor.tag_preferences(users)
    account = AccountAttribution(random_state=0, **params).fit(
        CompositeFunction(recommender, None),
        preferences,
        users,
        item_tags=tags,
        tag_matrix=matrix,
        interactions=X,
    )
    return account, preferences, users


def by_hand(recommender, tags, level, ridge, used):
    """Return weights and R^2 of every item from the scores of all users, one item at a time."""
    scores = recommender.score_items(recommender.user_embeddings)
    shares = tags.toarray() / tags.toarray().sum(axis=0)
    preferences = scores @ shares
    scores, preferences = scores - scores.mean(axis=0), preferences - preferences.mean(axis=0)
    mean = scores.mean(axis=1)
    slopes = {
        "regression": (mean @ scores / (mean @ mean), mean @ preferences / (mean @ mean)),
        "difference": (np.ones(scores.shape[1]), np.ones(preferences.shape[1])),
        "none": (np.zeros(scores.shape[1]), np.zeros(preferences.shape[1])),
    }[level]
    scores, tastes = scores - np.outer(mean, slopes[0]), preferences - np.outer(mean, slopes[1])
    weights, explained = np.zeros(tags.shape), np.zeros(len(shares))
    for item in range(len(shares)):
        own = np.flatnonzero((tags[item].toarray().ravel() > 0) & used)
        if not len(own):
            continue
        design = tastes[:, own]
        penalty = np.diag(np.sqrt(ridge) * np.sqrt(np.square(design).sum(axis=0)))
        found = nnls(np.vstack([design, penalty]), np.append(scores[:, item], 0 * own))[0]
        told = design @ found
        if not told.any():
            continue
        found = found * (told @ scores[:, item]) / (told @ told)
        weights[item, own] = found
        left = scores[:, item] - design @ found
        explained[item] = 1 - left @ left / (scores[:, item] @ scores[:, item])
    return weights, explained


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("ridge", [1e-6, 0.3, 5.0])
def test_closed_form_equals_nnls_on_all_users(level, ridge):
    recommender, tags, X = world()
    account, _, _ = fitted(recommender, tags, X, level=level, ridge=ridge)
    weights, explained = by_hand(recommender, tags, level, ridge, account.used_)
    np.testing.assert_allclose(account.weights_.toarray(), weights, atol=1e-8)
    np.testing.assert_allclose(account.explained_, explained, atol=1e-8)
    assert (weights == 0).any(axis=1).all()
    assert (weights > 0).sum() > 20


@pytest.mark.parametrize("level", LEVELS)
def test_sampled_scores_of_everybody_give_the_closed_form(level):
    recommender, tags, X = world()
    exact, preferences, users = fitted(recommender, tags, X, level=level)
    sampled, _, _ = fitted(recommender, tags, X, closed_form=False, level=level)
    np.testing.assert_allclose(
        sampled.weights_.toarray(), exact.weights_.toarray(), rtol=1e-3, atol=1e-5
    )
    told, other = (each.attribute(preferences[3], users[3], [0, 5]) for each in (exact, sampled))
    np.testing.assert_allclose(other.contributions, told.contributions, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(other.base_values, told.base_values, rtol=1e-3, atol=1e-4)
    assert (told.fidelity == 1).all()
    assert ((other.fidelity < 1) & (other.fidelity > 0)).all()


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31 - 1),
    n_tags=st.integers(1, 9),
    level=st.sampled_from(("auto", *LEVELS)),
    user=st.integers(0, 299),
)
def test_what_holds_of_every_catalogue(seed, n_tags, level, user):
    recommender, tags, X = world(seed, n_tags=n_tags)
    account, preferences, users = fitted(recommender, tags, X, level=level)
    items = np.arange(tags.shape[0])
    told = account.attribute(preferences[user], users[user], items)
    assert (account.weights_.data > 0).all()
    assert (tags.toarray()[told.contributions != 0] > 0).all()
    # A contribution has the sign of the taste.
    named = told.contributions != 0
    signs = np.broadcast_to(np.sign(told.tastes), named.shape)
    assert (np.sign(told.contributions)[named] == signs[named]).all()
    # The sum: what tags add is what the weights say, and the rest is linear in the embedding.
    np.testing.assert_allclose(
        told.contributions, told.importances * told.tastes, rtol=1e-9, atol=1e-12
    )
    np.testing.assert_allclose(told.values, recommender.score_items(users[[user]])[0])
    everybody = account.contributions(
        account.tastes(preferences, users), [user] * len(items), items
    )
    np.testing.assert_allclose(everybody.toarray(), told.contributions, rtol=1e-9, atol=1e-12)
    assert ((account.explained_ >= 0) & (account.explained_ <= 1 + 1e-9)).all()


def test_parts_average_to_nothing_over_the_population():
    recommender, tags, X = world()
    account, preferences, users = fitted(recommender, tags, X)
    items = np.arange(tags.shape[0])
    scores = recommender.score_items(users)
    tastes, activity = account.tastes(preferences, users), account.activity(users, items)
    by_tags = tastes @ account.weights_.toarray().T
    rest = scores - account.average_scores_ - activity - by_tags
    for part in (tastes, activity, by_tags, rest):
        np.testing.assert_allclose(part.mean(axis=0), 0, atol=1e-9)
    # One least-squares factor: what tags add and the rest have nothing in common.
    np.testing.assert_allclose((by_tags * rest).mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(tastes.std(axis=0), account.scale_)


def test_order_of_users_items_and_tags_does_not_matter():
    recommender, tags, X = world()
    rng = np.random.RandomState(1)
    rows, columns, order = (rng.permutation(n) for n in (X.shape[0], X.shape[1], tags.shape[1]))
    moved = FactorRecommender(
        recommender.user_embeddings[rows],
        recommender.item_embeddings[columns],
        recommender.item_biases[columns],
    )
    first, _, _ = fitted(recommender, tags, X)
    second, _, _ = fitted(moved, tags[columns][:, order], X[rows][:, columns])
    assert second.level_ == first.level_
    # The threshold is drawn, strengths are not.
    np.testing.assert_allclose(second.strength_, first.strength_[order])
    np.testing.assert_array_equal(second.used_, first.used_[order])
    np.testing.assert_allclose(
        second.weights_.toarray(), first.weights_.toarray()[columns][:, order], atol=1e-9
    )


def test_tags_dealt_out_at_random_weigh_nothing():
    recommender, tags, X = world(n_items=400, n_tags=12, n_users=400)
    dealt = tags[np.random.RandomState(3).permutation(tags.shape[0])]
    real, _, _ = fitted(recommender, tags, X)
    random, _, _ = fitted(recommender, dealt, X)
    items = np.arange(tags.shape[0])
    assert real.used_.all()
    assert real.says_more_than_chance(items).mean() > 0.8
    assert random.used_.mean() <= 0.1
    assert random.says_more_than_chance(items).mean() <= 0.1
    assert abs(real.explained_by_chance_.mean() - random.explained_by_chance_.mean()) < 0.1


def test_strength_by_chance_is_that_of_random_items():
    recommender, tags, X = world(n_items=200)
    account, _, _ = fitted(recommender, tags, X, level="difference")
    scores = recommender.score_items(recommender.user_embeddings)
    scores = scores - scores.mean(axis=1, keepdims=True)
    scores -= scores.mean(axis=0)
    rng, n_own = np.random.RandomState(0), int(tags[:, 0].sum())
    drawn = [scores[:, rng.permutation(200)[:n_own]].mean(axis=1).var() for _ in range(4000)]
    own = scores[:, tags[:, 0].toarray().ravel() > 0].mean(axis=1).var()
    assert account.strength_[0] == pytest.approx(own / np.mean(drawn), rel=0.05)


def test_auto_takes_the_level_that_histories_agree_with():
    recommender, tags, X = world()
    chosen, preferences, users = fitted(recommender, tags, X)
    mean = recommender.score_items(users).mean(axis=1)
    mean -= mean.mean()
    shares = (X @ tags).toarray() / np.diff(X.indptr)[:, np.newaxis]
    for level in LEVELS:
        one, _, _ = fitted(recommender, tags, X, level=level)
        tastes = preferences - np.outer(mean, one.gamma_)
        wanted = np.mean(
            [np.corrcoef(tastes[:, t], shares[:, t])[0, 1] for t in range(tags.shape[1])]
        )
        assert chosen.level_agreement_[level] == pytest.approx(wanted)
    assert chosen.level_ == max(LEVELS, key=chosen.level_agreement_.get)


def test_aliases_are_the_largest_tag_of_nearly_the_same_taste():
    recommender, tags, X = world()
    doubled = np.hstack([tags.toarray(), tags[:, [2]].toarray()])
    missing = np.flatnonzero(doubled[:-1, 6] == 0)[0]
    doubled[missing, 6] = 1.0
    account, _, _ = fitted(recommender, sp.csr_matrix(doubled), X)
    assert account.aliases_[6] == account.aliases_[2] == 6
    assert len(np.unique(account.aliases_)) < 7


def test_loadings_correlate_scores():
    recommender, tags, X = world()
    account, _, users = fitted(recommender, tags, X, level="regression")
    scores = recommender.score_items(users)
    level = scores.mean(axis=1) - scores.mean()
    scores = scores - scores.mean(axis=0)
    scores -= np.outer(level, level @ scores / (level @ level))
    np.testing.assert_allclose(
        account.loadings_ @ account.loadings_.T, np.corrcoef(scores.T), atol=1e-5
    )


@pytest.mark.parametrize("closed_form", [True, False])
def test_nobody_differs(closed_form):
    recommender, tags, X = world()
    alike = FactorRecommender(
        np.tile(recommender.user_embeddings[:1], (300, 1)),
        recommender.item_embeddings,
        recommender.item_biases,
    )
    account, preferences, users = fitted(alike, tags, X, closed_form)
    told = account.attribute(preferences[0], users[0], np.arange(60))
    assert np.isfinite(told.contributions).all()
    np.testing.assert_allclose(told.base_values, told.values, rtol=1e-5)
    assert not account.says_more_than_chance(np.arange(60)).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"item_tags": np.ones((60, 3))}, "item_tags must have a column for each of the 6 tag"),
        ({"interactions": sp.csr_matrix((2, 60))}, "interactions must have shape .300, 60."),
        ({"embeddings": np.ones((3, 5))}, "must have a row for each user, got 300 and 3 rows"),
    ],
)
def test_what_does_not_belong_together(change, message):
    recommender, tags, X = world()
    users = recommender.user_embeddings
    given = {"item_tags": tags, "interactions": X, "embeddings": users} | change
    with pytest.raises(ValueError, match=message):
        AccountAttribution().fit(CompositeFunction(recommender, None), np.ones((300, 6)), **given)
    with pytest.raises(ValueError, match="ridge"):
        AccountAttribution(ridge=0).fit(
            CompositeFunction(recommender, None), np.ones((300, 6)), users, item_tags=tags
        )


def test_without_an_array_of_all_pairs_of_tags_the_numbers_are_the_same(monkeypatch):
    rng = np.random.RandomState(0)
    scores, tastes = rng.normal(size=(6, 30)), rng.normal(size=(6, 12))
    tastes[:, 7] = tastes[:, 2] * 3
    tags = sp.random(30, 12, 0.3, format="csr", random_state=0)
    sizes = np.diff(tags.tocsc().indptr)
    whole, groups = own_weights(scores, tastes, tags, 0.1), alias_groups(tastes, sizes)
    monkeypatch.setattr(_account_fit, "_NUMBERS_A_BLOCK", 20)
    some = own_weights(scores, tastes, tags, 0.1)
    np.testing.assert_allclose(some.weights.toarray(), whole.weights.toarray())
    np.testing.assert_allclose(some.explained, whole.explained)
    np.testing.assert_array_equal(alias_groups(tastes, sizes), groups)
    assert groups[7] == groups[2]


@given(st.integers(0, 2**31 - 1))
def test_own_tags_are_no_traces_and_not_on_most_items(seed):
    rng = np.random.RandomState(seed)
    table = rng.uniform(0, 1, size=(9, 7)) ** 4 * rng.binomial(1, 0.6, size=(9, 7))
    kept = own_tags(sp.csr_matrix(table)).toarray()
    is_own = table >= 0.1 * table.max(axis=1, keepdims=True)
    is_own[:, (table > 0).sum(axis=0) > 0.75 * 9] = False
    np.testing.assert_array_equal(kept, np.where(is_own, table, 0))


def test_traces_and_tags_on_most_items_are_no_own_tags():
    recommender, tags, X = world()
    weights = tags.toarray()
    weights[:, 0] *= 0.05  # beside any other tag a trace
    weights[:46, 1] = 1.0  # on more than three quarters of sixty
    account, *_ = fitted(recommender, sp.csr_matrix(weights), X)
    alone = np.flatnonzero((weights[:, 0] > 0) & (weights[:, 1:].sum(axis=1) == 0))
    assert set(account.carried_[:, 0].nonzero()[0]) == set(alone)
    assert set(account.weights_[:, 0].nonzero()[0]) <= set(alone)
    assert account.n_items_[1] == account.weights_[:, 1].nnz == 0


def test_whole_tags_are_no_copy():
    _, tags, _ = world()
    assert own_tags(tags) is tags
