"""Which own tags are named as reasons."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from sktpecr import TagPreferenceExtractor
from sktpecr.attribution import AccountAttribution
from sktpecr.attribution._composite import CompositeFunction
from sktpecr.explanation._reasons import History, OwnTags, _carries, reasons_of, select_reasons
from sktpecr.recommenders import FactorRecommender

NAMES = np.array(list("abcdefgh"))


def own(contributions, likings=None, aliases=None, n_items=None, spread=0.0):
    contributions = np.asarray(contributions, dtype=float)
    columns = np.arange(len(contributions))
    return OwnTags(
        columns,
        contributions,
        np.sign(contributions) if likings is None else np.asarray(likings, dtype=float),
        columns if aliases is None else np.asarray(aliases),
        np.ones(len(columns)) if n_items is None else np.asarray(n_items),
        spread,
    )


def told(reasons):
    return [(reason.tag, reason.speaks_for) for reason in reasons]


def test_for_before_against_largest_first():
    reasons = select_reasons(own([0.3, 0.5, -0.6, -0.7, 0.4]), NAMES)
    assert told(reasons) == [("b", True), ("e", True), ("d", False)]


def test_three_speak_for_where_nothing_speaks_against():
    reasons = select_reasons(own([0.3, 0.5, 0.6, 0.4]), NAMES)
    assert told(reasons) == [("c", True), ("b", True), ("d", True)]


def test_one_reason_never_speaks_against():
    assert told(select_reasons(own([0.1, -0.3]), NAMES, k=1)) == [("a", True)]


def test_no_reason_near_the_average_taste_or_of_small_share():
    near = own([0.5, 0.4], likings=[0.24, 0.25])
    assert told(select_reasons(near, NAMES)) == [("b", True)]
    small = own([0.5, 0.099, 0.1])
    assert told(select_reasons(small, NAMES)) == [("a", True), ("c", True)]
    assert select_reasons(own([]), NAMES) == []


def test_aliases_are_one_reason():
    (reason,) = select_reasons(own([0.2, 0.3], likings=[1.0, 1.2], aliases=[0, 0]), NAMES)
    assert (reason.tag, reason.tags) == ("b", ("b", "a"))
    assert reason.contribution == pytest.approx(0.5)
    assert reason.liking == 1.2


def test_of_aliases_the_one_on_most_items_is_named():
    tags = own([0.2, 0.3, 0.1], likings=[1.0, 1.2, 0.9], aliases=[0, 0, 0], n_items=[5, 3, 5])
    (reason,) = select_reasons(tags, NAMES)
    assert (reason.tag, reason.tags, reason.liking) == ("a", ("a", "c", "b"), 1.0)
    assert reason.contribution == pytest.approx(0.6)


def test_what_hardly_moves_the_score_is_no_reason_and_less_so_against_it():
    moved = own([0.2, 0.099, -0.19], spread=1.0)
    assert told(select_reasons(moved, NAMES)) == [("a", True)]
    moved = own([0.2, 0.1, -0.2], spread=1.0)
    assert told(select_reasons(moved, NAMES)) == [("a", True), ("b", True), ("c", False)]


def test_aliases_of_other_sign_stay_apart():
    reasons = select_reasons(own([0.2, -0.3], aliases=[0, 0]), NAMES)
    assert told(reasons) == [("a", True), ("b", False)]


def test_evidence_carries_the_tag_nearest_first():
    tags = np.array([[1, 0], [1, 0], [0, 1], [1, 1]], dtype=bool)
    history = History(np.array([10, 11, 12, 13]), tags, np.array([0.1, 0.9, 1.0, 0.5]))
    reasons = select_reasons(own([0.4, 0.3]), NAMES, history)
    assert [reason.evidence for reason in reasons] == [(11, 13), (12, 13)]
    assert select_reasons(own([0.4]), NAMES)[0].evidence == ()
    # Of tags that are one, items that carry the one that is named: no others show it.
    for first, evidence in (([0.4, 0.3], (11, 13)), ([0.3, 0.4], (12, 13))):
        (reason,) = select_reasons(own(first, aliases=[1, 1]), NAMES, history)
        assert reason.evidence == evidence
    only_alias = History(history.ids[:2], tags[:2], history.nearness[:2])
    (reason,) = select_reasons(own([0.3, 0.4], aliases=[1, 1]), NAMES, only_alias)
    assert (reason.tag, reason.evidence) == ("b", ())


@pytest.mark.parametrize(("liking", "is_told"), [(0.49, False), (0.51, True), (-0.3, True)])
def test_a_weak_belief_is_not_told(liking, is_told):
    """Of what no item taken shows, only a strong liking is told; a dislike needs no items."""
    nothing = History(np.array([10]), np.zeros((1, 1), dtype=bool), np.array([0.9]))
    reasons = select_reasons(own([np.copysign(0.4, liking)], [liking]), NAMES, nothing)
    assert len(reasons) == is_told


def test_k_is_a_number_of_reasons():
    with pytest.raises(ValueError, match="k must be a number of reasons of at least 1, got 0"):
        select_reasons(own([0.4]), NAMES, k=0)


@given(
    tags=st.lists(st.tuples(st.floats(-3, 3), st.floats(0.01, 2), st.integers(0, 3)), max_size=8),
    k=st.integers(1, 4),
)
def test_what_holds_of_all_reasons(tags, k):
    likings = np.array([each[0] for each in tags])
    contributions = likings * np.array([each[1] for each in tags])
    reasons = select_reasons(own(contributions, likings, [each[2] for each in tags]), NAMES, k=k)
    assert len(reasons) <= k
    assert sum(not reason.speaks_for for reason in reasons) <= 1
    assert [reason.speaks_for for reason in reasons] == sorted(
        (reason.speaks_for for reason in reasons), reverse=True
    )
    named = [tag for reason in reasons for tag in reason.tags]
    assert len(named) == len(set(named))
    for reason in reasons:
        assert reason.speaks_for == (reason.liking > 0) == (reason.contribution > 0)
        assert abs(reason.liking) >= 0.25
        assert abs(reason.contribution) >= 0.2 * max(abs(each.contribution) for each in reasons)


@pytest.fixture(scope="module")
def account():
    """Four tags of thirty items each, which users like and dislike; tag 3 is dealt at random."""
    rng = np.random.RandomState(0)
    tags = np.repeat(np.eye(4), 30, axis=0)
    items = tags[:, :3] + 0.3 * rng.normal(size=(120, 3))
    tags[:, 3] = rng.permutation(tags[:, 3])
    users = rng.normal(size=(200, 3))
    recommender = FactorRecommender(users, items)
    extractor = TagPreferenceExtractor(recommender, tags).fit(np.zeros((200, 120)))
    preferences = extractor.tag_preferences(users)
    fitted = AccountAttribution(random_state=0).fit(
        CompositeFunction(recommender, None),
        preferences,
        users,
        item_tags=tags,
        tag_matrix=extractor.tag_matrix_,
    )
    return fitted, sp.csr_matrix(tags), preferences, users


def reasons_for(account, user, item, history):
    fitted, _, preferences, users = account
    told = fitted.attribute(preferences[user], users[user], [item])
    ids = np.array([f"item {i}" for i in range(120)])
    return reasons_of(
        fitted,
        told.contributions[0],
        told.tastes,
        item,
        NAMES[:4],
        ids,
        np.array(history, dtype=int),
    )


def test_reasons_of_a_user_have_evidence_from_the_history(account):
    fitted, _, preferences, users = account
    user = int(np.argmax(fitted.tastes(preferences, users)[:, 1]))
    (reason,) = reasons_for(account, user, 40, [40, 2, 41, 50, 100])
    assert (reason.tag, reason.speaks_for) == ("b", True)
    assert set(reason.evidence) == {"item 41", "item 50"}
    nearest = max([41, 50], key=lambda other: fitted.alike(40, [other])[0])
    assert reason.evidence[0] == f"item {nearest}"
    # A belief of the model that no item taken speaks for.
    assert reasons_for(account, user, 40, [2])[0].evidence == ()


def test_items_whose_tags_tell_nothing_have_no_reasons(account):
    fitted, tags, _, _ = account
    assert fitted.used_.tolist() == [True, True, True, False]
    only_dealt = np.flatnonzero(tags.toarray()[:, :3].sum(axis=1) == 0)
    assert len(only_dealt) > 5
    for item in only_dealt:
        assert not any(reasons_for(account, user, item, []) for user in range(20))


@given(st.integers(0, 2**31 - 1), st.integers(0, 12), st.integers(1, 6))
def test_carries_equals_slices(seed, n_taken, n_own):
    rng = np.random.RandomState(seed)
    table = sp.csr_matrix(rng.binomial(1, 0.3, size=(9, 7)) * rng.uniform(1, 2, size=(9, 7)))
    items, tags = rng.randint(9, size=n_taken), np.sort(rng.permutation(7)[:n_own])
    found = _carries(table, items, tags)
    np.testing.assert_array_equal(found, table.toarray()[items][:, tags] > 0)
