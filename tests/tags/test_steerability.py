"""What feedback on tags can steer."""

import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import lstsq
from scipy.sparse.csgraph import connected_components
from sklearn.exceptions import NotFittedError

from sktpecr import FeedbackRefiner, TagPreferenceExtractor, TPECRExplainer
from sktpecr.tags import _steerability

N_USERS, N_ITEMS, N_FACTORS = 90, 60, 5


class TanhRecommender:
    """Scores that are no dot product."""

    def __init__(self, users, items):
        self.user_embeddings = users
        self._items = items

    def score_items(self, embeddings, items=None):
        scores = np.tanh(embeddings @ self._items.T)
        return scores if items is None else scores[:, items]


def factors(dtype=np.float64, seed=0, n_users=N_USERS):
    random = np.random.RandomState(seed)
    axes = random.normal(size=(N_FACTORS, N_FACTORS))  # users vary more along some of them
    users = random.normal(size=(n_users, N_FACTORS)) @ axes + 1.0
    return users.astype(dtype), random.normal(size=(N_ITEMS, N_FACTORS)).astype(dtype)


def random_tags(n_tags, seed=0):
    tags = (np.random.RandomState(seed).uniform(size=(N_ITEMS, n_tags)) < 0.15).astype(float)
    tags[np.arange(n_tags) % N_ITEMS, np.arange(n_tags)] = 1.0
    return tags


def extractor_of(model, tags, **params):
    n_users = len(getattr(model, "user_embeddings", model[0] if isinstance(model, tuple) else ()))
    return TagPreferenceExtractor(model, tags, **params).fit(np.ones((n_users, len(tags))))


def measured(model, tags, **params):
    return extractor_of(model, tags, **params).steerability()


def standardised_matrix(model, tags):
    """M with rows divided by the standard deviations of tag preferences, from their definition."""
    users, items = (np.asarray(part, dtype=np.float64) for part in model)
    M = (tags / tags.sum(axis=0)).T @ items
    return M / (users @ M.T).std(axis=0)[:, np.newaxis]


def realised_by_least_squares(Mz):
    return np.array([(Mz @ lstsq(Mz, edit)[0])[t] for t, edit in enumerate(np.eye(len(Mz)))])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_tags", [1, 3, 5, 6, 20])
def test_attainable_is_what_least_squares_realises(n_tags, dtype):
    model, tags = factors(dtype), random_tags(n_tags)
    steerability = measured(model, tags)
    expected = realised_by_least_squares(standardised_matrix(model, tags))
    np.testing.assert_allclose(steerability.attainable, expected, rtol=1e-4)
    assert steerability.rank == min(n_tags, N_FACTORS)
    assert steerability.exact
    if n_tags <= N_FACTORS:
        np.testing.assert_allclose(steerability.attainable, 1.0)
    assert steerability.attainable.sum() == pytest.approx(steerability.rank)
    np.testing.assert_array_equal(steerability.n_items, (tags > 0).sum(axis=0))


@pytest.mark.parametrize(("n_tags", "length"), [(300, 0.46), (1128, 0.24)])
def test_lengths_of_edits_are_those_of_the_method_page(n_tags, length):
    random = np.random.RandomState(0)
    users, matrix = random.normal(size=(500, 64)), random.normal(size=(n_tags, 64))
    attainable = measured((users, matrix), np.eye(n_tags)).attainable
    assert np.sqrt(attainable).mean() == pytest.approx(length, abs=0.005)
    assert attainable.mean() == pytest.approx(64 / n_tags)


def test_pressing_a_tag_to_its_value_moves_the_others_by_what_is_said():
    """Shortest of all attainable changes with 1 on the tag: length sqrt(1 / P_tt) by Lagrange."""
    model, tags = factors(), random_tags(12)
    Mz = standardised_matrix(model, tags)
    for tag, share in enumerate(measured(model, tags).attainable):
        inverse = np.linalg.inv(Mz.T @ Mz)
        shortest = Mz @ (inverse @ Mz[tag]) / (Mz[tag] @ inverse @ Mz[tag])
        others = np.linalg.norm(np.delete(shortest, tag))
        assert shortest[tag] == pytest.approx(1.0)
        assert others == pytest.approx(np.sqrt(1 / share - 1))


def test_generator_and_refiner_realise_the_share():
    """Where all standard deviations are 1, the generator counts as the report does."""
    random = np.random.RandomState(0)
    users = random.normal(size=(200, 6))
    users = np.linalg.qr(users - users.mean(axis=0))[0] * np.sqrt(200)
    matrix = random.normal(size=(15, 6))
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    explainer = TPECRExplainer((users, matrix), np.eye(15)).fit(np.ones((200, 15)))
    np.testing.assert_allclose(explainer.population_std_, 1.0)
    shares = explainer.extractor_.steerability().attainable
    own = explainer.tag_preferences_[7]
    for tag, share in enumerate(shares):
        edited = explainer.generator_.generate([own + np.eye(15)[tag]], users[[7]])
        change = explainer.extractor_.tag_preferences(edited)[0] - own
        assert change[tag] == pytest.approx(share, abs=1e-6)
        assert np.linalg.norm(change) == pytest.approx(np.sqrt(share), abs=1e-6)
    hardest = int(np.argmin(shares))
    wanted = {f"tag_{hardest}": own[hardest] + 1}
    refined = FeedbackRefiner(explainer).refine(7, set=wanted, units="raw", hold="all")
    change = refined.tag_preferences - own
    assert change[hardest] == pytest.approx(1.0, abs=1e-3)
    others = np.linalg.norm(np.delete(change, hardest))
    assert others == pytest.approx(np.sqrt(1 / shares[hardest] - 1), rel=1e-3)


@given(st.permutations(range(9)), st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_the_order_of_tags_does_not_matter(order, seed):
    # Each on another number of items, but for the twins 2 and 4.
    ranks = np.random.RandomState(seed).uniform(size=(N_ITEMS, 9)).argsort(axis=0)
    tags = (ranks < 4 + 3 * np.arange(9)).astype(float)
    tags[:, 4] = tags[:, 2]
    straight = measured(factors(), tags).to_frame().set_index("tag")
    names = [f"tag_{tag}" for tag in order]
    permuted = measured(factors(), tags[:, order], tag_names=names)
    assert permuted.tag_names.tolist() == names
    frame = permuted.to_frame().set_index("tag").loc[straight.index]
    np.testing.assert_allclose(frame["attainable"], straight["attainable"])
    assert [set(each) for each in frame["alias"]] == [set(each) for each in straight["alias"]]
    frame, straight = frame["suggested"], straight["suggested"]
    assert frame["tag_2"] + frame["tag_4"] == straight["tag_2"] + straight["tag_4"]
    twins = ["tag_2", "tag_4"]
    assert frame.drop(twins).tolist() == straight.drop(twins).tolist()


@pytest.mark.parametrize("n_tags", [4, 12])
def test_units_and_axes_of_the_embeddings_do_not_matter(n_tags):
    (users, items), tags = factors(), random_tags(n_tags)
    plain = measured((users, items), tags)
    axes = np.random.RandomState(1).normal(size=(N_FACTORS, N_FACTORS)) * 1e3
    for other in ((users * 1e-3, items), (users, 1e6 * items), (1e4 * users, 1e4 * items)):
        assert_same(measured(other, tags), plain)
    # The same scores on other axes: e A . A^-1 v.
    assert_same(measured((users @ axes, items @ np.linalg.inv(axes).T), tags), plain)
    assert_same(extractor_of((users, items), tags).steerability(users - 5.0), plain)


def assert_same(one, other, rtol=1e-6):
    np.testing.assert_allclose(one.attainable, other.attainable, rtol=rtol)
    np.testing.assert_allclose(one.condition_number, other.condition_number, rtol=rtol)
    assert one.alias == other.alias
    assert one.suggested == other.suggested
    assert one.rank == other.rank


@pytest.mark.parametrize("copies", [2, 3])
def test_tags_on_the_same_items_are_aliases_and_share_what_one_would_get(copies):
    tags = random_tags(3)
    tags = np.hstack([tags, np.repeat(tags[:, :1], copies - 1, axis=1)])
    steerability = measured(factors(), tags)
    twins = [0, *range(3, 2 + copies)]
    for tag, alias in enumerate(steerability.alias):
        expected = [f"tag_{twin}" for twin in twins if twin != tag] if tag in twins else []
        assert list(alias) == expected
    shares = np.where(np.isin(np.arange(2 + copies), twins), 1 / copies, 1.0)
    np.testing.assert_allclose(steerability.attainable, shares)
    np.testing.assert_allclose(steerability.attainable_together(twins), 1.0)
    assert steerability.condition_number == np.inf
    assert steerability.suggested == ["tag_0", "tag_1", "tag_2"]


@pytest.mark.parametrize("block", [1, 2, 256])
def test_aliases_are_connected_components_of_high_correlations(block, monkeypatch):
    """Directions 6 degrees apart correlate by .9945, 12 degrees apart by .978."""
    monkeypatch.setattr(_steerability, "_BLOCK", block)
    random = np.random.RandomState(0)
    users = random.normal(size=(80, 3))
    users = np.linalg.qr(users - users.mean(axis=0))[0]
    angles = np.deg2rad([0, 40, 6, 90, 12, 46, 130, 180])
    matrix = np.column_stack([np.cos(angles), np.sin(angles), np.zeros(8)])
    extractor = extractor_of((users, matrix), np.eye(8))
    near = np.corrcoef(extractor.tag_preferences(users).T) > 0.99
    groups = connected_components(near)[1]
    steerability = extractor.steerability()
    for tag in range(8):
        expected = [other for other in np.flatnonzero(groups == groups[tag]) if other != tag]
        assert steerability.aliases_of(tag).tolist() == expected
        assert steerability.alias[tag] == tuple(f"tag_{other}" for other in expected)
    assert steerability.alias[0] == ("tag_2", "tag_4")
    assert steerability.alias[7] == ()  # the opposite can be told apart


@given(
    named=st.lists(st.integers(0, 7), min_size=1, max_size=6, unique=True), seed=st.integers(0, 9)
)
@settings(max_examples=60, deadline=None)
def test_named_tags_are_not_held(named, seed):
    """Brute force: the share of a tag in the matrix without the rows of the other named tags."""
    model, tags = factors(seed=seed), random_tags(8, seed)
    tags[:, 6] = tags[:, 1]
    Mz = standardised_matrix(model, tags)
    shares = measured(model, tags).attainable_together(named)
    for tag, share in zip(named, shares, strict=True):
        kept = [row for row in range(8) if row == tag or row not in named]
        expected = realised_by_least_squares(Mz[kept])[kept.index(tag)]
        assert share == pytest.approx(expected, abs=1e-8)


def test_condition_number_is_that_of_the_correlations():
    model, tags = factors(), random_tags(4)
    extractor = extractor_of(model, tags)
    values = np.linalg.eigvalsh(np.corrcoef(extractor.tag_preferences(model[0]).T))
    expected = np.sqrt(values[-1] / values[0])
    assert extractor.steerability().condition_number == pytest.approx(expected)
    assert measured(model, random_tags(1)).condition_number == pytest.approx(1.0)
    assert measured(model, random_tags(6)).condition_number == np.inf


@pytest.mark.parametrize("n_tags", [3, 5, 8, 30])
def test_suggested_tags_have_spread_of_their_own_and_the_others_follow_from_them(n_tags):
    model, tags = factors(), random_tags(n_tags)
    extractor = extractor_of(model, tags)
    steerability = extractor.steerability()
    names = [f"tag_{tag}" for tag in range(n_tags)]
    suggested = [names.index(name) for name in steerability.suggested]
    assert suggested == sorted(suggested)
    Z = extractor.tag_preferences(model[0])
    Z = (Z - Z.mean(axis=0)) / Z.std(axis=0)
    for tag in set(range(n_tags)) - set(suggested):
        fit = Z[:, suggested] @ lstsq(Z[:, suggested], Z[:, tag])[0]
        assert (Z[:, tag] - fit).std() < 0.2 + 1e-9
    alone = measured(model, tags[:, suggested])
    np.testing.assert_allclose(alone.attainable, 1.0)
    assert alone.condition_number == pytest.approx(steerability.suggested_condition_number)
    assert alone.condition_number < 25
    assert len(alone.suggested) == len(suggested)


def test_of_tags_that_say_the_same_the_one_on_more_items_is_suggested():
    users, items = factors()
    items[10:20] = items[5]
    tags = np.zeros((N_ITEMS, 3))
    tags[5, 0] = tags[10:20, 1] = tags[40:, 2] = 1.0
    assert measured((users, items), tags).suggested == ["tag_1", "tag_2"]


def test_tags_that_everybody_likes_the_same_cannot_be_steered():
    users, items = factors()
    items[:5] = 0.0
    users[:, 2] = 3.0  # and nobody differs along this axis
    items[5:10] = np.eye(N_FACTORS)[2]
    tags = np.zeros((N_ITEMS, 4))
    tags[:5, 0] = tags[5:10, 1] = tags[10:30, 2] = tags[20:50, 3] = 1.0
    steerability = measured((users, items), tags)
    np.testing.assert_allclose(steerability.attainable, [0, 0, 1, 1], atol=1e-15)
    assert steerability.alias == [()] * 4
    assert steerability.suggested == ["tag_2", "tag_3"]
    assert steerability.condition_number == np.inf
    assert steerability.rank == 2


def test_one_user_has_nothing_to_compare_with():
    steerability = measured(factors(n_users=1), random_tags(3))
    assert steerability.rank == 0
    np.testing.assert_array_equal(steerability.attainable, 0.0)
    np.testing.assert_array_equal(steerability.attainable_together([0, 2]), 0.0)
    assert steerability.suggested == []
    assert np.isnan(steerability.suggested_condition_number)
    assert "0 directions" in str(steerability)


def test_few_users_leave_open_what_correlates_and_not_what_can_be_attained():
    steerability = measured(factors(n_users=3), random_tags(4))
    np.testing.assert_allclose(steerability.attainable, 1.0)
    assert steerability.condition_number == np.inf
    assert len(steerability.suggested) <= 2


@pytest.mark.parametrize("n_tags", [1, 4, 12])
def test_linear_preferences_give_the_same_without_their_matrix(n_tags):
    model, tags = factors(), random_tags(n_tags)
    by_hand = measured(model, tags, aggregate=lambda scores: scores.mean(axis=1))
    assert not by_hand.exact
    assert_same(by_hand, measured(model, tags))


@pytest.mark.parametrize("seed", range(3))
def test_curved_preferences_are_as_steerable_as_their_derivatives_say(seed):
    users, items = factors(seed=seed)
    users = 0.03 * users
    extractor = extractor_of(TanhRecommender(users, items), random_tags(12, seed))
    steerability = extractor.steerability()
    std, step = extractor.tag_preferences(users).std(axis=0), 1e-6
    shares = []
    for user in users:
        ahead, behind = (
            extractor.tag_preferences(user + way * step * np.eye(N_FACTORS)) for way in (1, -1)
        )
        shares.append(realised_by_least_squares((ahead - behind).T / (2 * step) / std[:, None]))
    shares = np.array(shares)
    assert steerability.rank == N_FACTORS
    assert not steerability.exact
    np.testing.assert_allclose(steerability.attainable, shares.mean(axis=0), atol=0.1)
    assert np.corrcoef(steerability.attainable, shares.mean(axis=0))[0, 1] > 0.95
    assert "an estimate" in str(steerability)
    assert len(steerability.suggested) <= N_FACTORS
    preferences = extractor.tag_preferences(users)
    np.testing.assert_allclose(
        steerability.loadings @ steerability.loadings.T, np.corrcoef(preferences.T), atol=1e-9
    )


def test_learners_of_an_explainer_are_its_population():
    model, tags = factors(), random_tags(12)
    explainer = TPECRExplainer(model, tags).fit(np.ones((N_USERS, N_ITEMS)), train_users=range(30))
    learned = explainer._tag_model.steerability
    assert_same(learned, explainer.extractor_.steerability(model[0][:30]))
    assert not np.allclose(learned.attainable, explainer.extractor_.steerability().attainable)
    assert_same(pickle.loads(pickle.dumps(explainer))._tag_model.steerability, learned)


def test_thousands_of_tags_need_no_table_of_their_pairs():
    random = np.random.RandomState(0)
    n_items = 6000
    model = random.normal(size=(50, 4)), random.normal(size=(n_items, 4))
    explainer = TPECRExplainer(model)
    explainer.profile(0)
    tracemalloc.start()
    clauses = explainer._tag_model.steerability.caveats({7: "like"}, [7])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert clauses[0] == "'tag_7' gets 0 % of an edit that holds the tags not named"
    assert peak < n_items**2 * 8 / 20


def test_caveats_name_the_tag_its_share_and_its_aliases():
    tags = random_tags(3)
    tags = np.hstack([tags, tags[:, [0, 0]]])
    steerability = measured(factors(), tags, tag_names=["a", "b", "c", "d", "e"])
    assert steerability.caveats({1: "like", 2: 0.5}, [1, 2]) == []
    assert steerability.caveats({0: "like"}, [0]) == [
        "'a' gets 33 % of an edit that holds the tags not named",
        "'a' cannot be told from 'd' and 'e'",
    ]
    # Beside one twin the other still holds it back, half and half.
    assert steerability.caveats({0: "like", 3: "like"}, [0, 3]) == [
        "'a' cannot be told from 'e'",
        "'d' cannot be told from 'e'",
    ]
    assert steerability.caveats({0: "like", 3: "like", 4: "like"}, [0, 3, 4]) == []
    assert steerability.caveats({0: 1.0, 3: 1.0, 4: 1.0}, [0, 3, 4]) == []
    assert steerability.caveats({0: "like", 3: "like", 4: "dislike"}, [0, 3, 4])[-1] == (
        "'e' cannot be told from 'a' and 'd'"
    )


def test_report_says_it_in_sentences_and_in_a_table():
    easy, hard = measured(factors(), random_tags(3)), measured(factors(), random_tags(20))
    assert "3 directions, and there are 3 tags. Each of them can be edited alone." in str(easy)
    assert "An edit of one alone gets 25 % of what it asks on average" in str(hard)
    assert f"'{hard.tag_names[np.argmin(hard.attainable)]}'" in str(hard)
    tags = random_tags(3)
    twins = measured(factors(), np.hstack([tags, tags[:, :1]]), tag_names=["a", "50%", "c", "d"])
    assert "2 tags cannot be told from others" in str(twins)
    assert "gets 75 % of what it asks on average, and 50 % for" in str(twins)
    frame = twins.to_frame()
    assert list(frame.columns) == ["tag", "n_items", "attainable", "alias", "suggested"]
    assert frame["tag"][frame["suggested"]].tolist() == twins.suggested
    assert frame["alias"].tolist() == [("d",), (), (), ("a",)]


def test_what_cannot_be_measured_says_so():
    extractor = extractor_of(factors(), random_tags(3))
    with pytest.raises(ValueError, match=r"embeddings must be finite .* got 0 users; pass the"):
        extractor.steerability(np.empty((0, N_FACTORS)))
    with pytest.raises(ValueError, match="embeddings must be finite"):
        extractor.steerability(np.full((2, N_FACTORS), np.nan))
    with pytest.raises(ValueError, match=r"embeddings must have shape \(n, 5\), got \(2, 4\)"):
        extractor.steerability(np.ones((2, 4)))
    with pytest.raises(NotFittedError):
        TagPreferenceExtractor(factors(), random_tags(3)).steerability()
