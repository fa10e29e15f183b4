"""A change of a few tag preferences that moves an item, against enumeration."""

import dataclasses
import json
import math
import warnings
from itertools import combinations

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from sklearn.decomposition import TruncatedSVD

from sktpecr import CVAEGenerator, FeedbackRefiner, GaussianGenerator, TPECRExplainer
from sktpecr.explanation import _edit_search
from sktpecr.explanation._edit_search import OWN_SHARE, PRICE
from sktpecr.recommenders import TorchRecommender

GOALS = ("enter", "leave")


def tiny(seed, n_items=7, n_factors=4, n_tags=4, dtype=np.float64, **given):
    """Return an explainer of random factors, and these."""
    rng = np.random.RandomState(seed)
    users = rng.normal(size=(30, n_factors)).astype(dtype)
    items = rng.normal(size=(n_items, n_factors)).astype(dtype)
    tags = (rng.rand(n_items, n_tags) < 0.5).astype(float)
    tags[0] = 1.0
    return TPECRExplainer((users, items), tags, **given), users, items


def moves_of(explainer):
    """Return how embeddings move with tags of a set, others by regression; rows are tags."""
    preferences = explainer.tag_model_.tag_preferences
    correlations = np.corrcoef(preferences.T).reshape(preferences.shape[1], -1)
    gain = (explainer.generator_.gain_ * preferences.std(axis=0)).T
    return lambda tags: np.linalg.solve(correlations[np.ix_(tags, tags)], correlations[tags] @ gain)


def scores_after(explainer, user, found, users, items):
    """Return scores by the formulas of the method."""
    embedding = users[user].astype(float)
    if found.named:
        named = list(found.named)
        embedding = embedding + found.changes[named] @ moves_of(explainer)(named)
    return embedding @ items.T.astype(float)


def rank_of(item, scores):
    return 1 + sum((-scores[j], j) < (-scores[item], item) for j in range(len(scores)))


def enumerated(explainer, user, item, goal, k, users, items, max_change, max_tags=3):
    """Return the smallest cost by a linear programme per set of tags and rivals above."""
    own, moves = users[user] @ items.T, moves_of(explainer)
    correlations = np.corrcoef(explainer.tag_model_.tag_preferences.T)
    rivals = [j for j in range(len(items)) if j != item]
    sign, n_kept = (1, len(rivals) - k + 1) if goal == "enter" else (-1, k)
    best = np.inf
    sets = [
        list(tags)
        for n in range(1, max_tags + 1)
        for tags in combinations(range(len(correlations)), n)
    ]
    for tags in sets:
        inverse = np.linalg.inv(correlations[np.ix_(tags, tags)])
        if (1 / np.diag(inverse)).min() < OWN_SHARE:  # one by another name
            continue
        weights = items @ moves(tags).T
        for kept in combinations(rivals, n_kept):
            rows = sign * (weights[item] - weights[list(kept)])
            found = linprog(
                np.ones(2 * len(tags)),
                A_ub=np.hstack([-rows, rows]),
                b_ub=-sign * (own[list(kept)] - own[item]),
                bounds=(0, max_change),
            )
            if found.status == 0:
                best = min(best, found.fun * (1 + PRICE * (len(tags) - 1)))
    return best


def cost_of(found):
    return found.size * (1 + PRICE * max(len(found.named) - 1, 0))


@pytest.mark.parametrize("goal", GOALS)
def test_no_smaller_change_of_three_tags_is_found_by_trying_all(goal):
    """One in ten may cost more: sets grow tag by tag."""
    ratios = []
    for seed, k in ((0, 1), (1, 2), (2, 3)):
        explainer, users, items = tiny(seed, n_items=6)
        for item in range(6):
            found = explainer.counterfactual(0, item, goal, k, exclude_seen=False, max_change=2.0)
            if found.rank_before == found.rank_after and found.found:
                continue
            expected = enumerated(explainer, 0, item, goal, k, users, items, max_change=2.0)
            if np.isinf(expected):  # an item among the others is nobody's first
                assert not found.found
            else:
                assert cost_of(found) >= expected * (1 - 1e-6)
                ratios.append(cost_of(found) / expected)
    assert len(ratios) > 5
    assert np.mean(np.array(ratios) > 1.02) <= 0.1


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 200),
    n_tags=st.integers(1, 9),
    n_factors=st.integers(2, 4),
    k=st.integers(1, 8),
    goal=st.sampled_from(GOALS),
    max_tags=st.integers(1, 4),
)
def test_what_is_found_does_it(seed, n_tags, n_factors, k, goal, max_tags):
    """Applied as feedback, and by regression."""
    explainer, users, items = tiny(seed, 25, n_factors, n_tags)
    user, item = seed % 30, seed % 25
    asked = {"exclude_seen": False, "max_tags": max_tags}
    found = explainer.counterfactual(user, item, goal, k, **asked)
    assert found.rank_before == rank_of(item, users[user] @ items.T)
    assert len(found.named) <= max_tags
    assert np.abs(found.changes).max() <= 4.0 + 1e-9
    assert set(np.flatnonzero(found.changes)) <= set(found.named)
    after = rank_of(item, scores_after(explainer, user, found, users, items))
    assert found.rank_after == after
    if not found.found:
        assert not found.named
        assert found.size == math.inf
        return
    assert (after <= k) == (goal == "enter")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tags that are hard to steer
        refined = FeedbackRefiner(explainer).refine(user, set=found.values, keep=0)
    assert refined.rank(item, exclude_seen=False) == after
    np.testing.assert_allclose(refined.tag_preferences, found.tag_preferences_after, atol=1e-5)


@pytest.fixture(scope="module")
def explainer(data):
    return TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags).fit(
        data.interactions,
        user_ids=data.user_ids,
        item_names=[f"<b>Film {i}</b>" for i in range(80)],
    )


def near_misses(explainer, user, k=10, n=3):
    return list(explainer.recommend(user, k + n)["item"][k:])


def test_its_list_is_the_one_that_refining_gives(explainer):
    user = "user_07"
    for goal, listed in (("enter", near_misses(explainer, user)), ("leave", None)):
        for item in listed or explainer.recommend(user, 10)["item"][-3:]:
            found = explainer.counterfactual(user, item, goal)
            assert found.found
            before = set(explainer.recommend(user, 10)["item"])
            refined = FeedbackRefiner(explainer).refine(user, set=found.values, keep=0)
            listed_now = set(refined.recommend(10)["item"])
            assert (item in listed_now) == (goal == "enter")
            assert refined.rank(item) == found.rank_after
            assert found.n_kept == len(before & listed_now)


def test_of_somebody_described_and_of_some_candidates_it_is_the_list_they_see(explainer):
    described = {"tags": {"tag_1": 1.5, "tag_2": -1.0}}
    listed = explainer.recommend(n=14, **described)["item"]
    n_found = 0
    for item in listed[10:]:
        found = explainer.counterfactual(item=item, **described)
        assert found.rank_before == list(listed).index(item) + 1
        if found.found:
            n_found += 1
            refined = FeedbackRefiner(explainer).refine(set=found.values, keep=0, **described)
            assert refined.rank(item) == found.rank_after <= 10
    assert n_found


def test_fields_agree_with_each_other(explainer):
    item = near_misses(explainer, "user_07")[1]
    found = explainer.counterfactual("user_07", item)
    assert (found.user, found.item, found.goal, found.k) == ("user_07", item, "enter", 10)
    assert found.item_name == f"<b>Film {int(item[-2:])}</b>"
    assert found.rank_before == 12
    assert found.size == np.abs(found.changes).sum()
    frame = found.to_frame()
    assert list(frame.columns) == ["tag", "before", "after", "change"]
    assert 0 < len(frame) == len(found.named) <= 3
    assert frame["change"].abs().is_monotonic_decreasing
    assert dict(zip(frame["tag"], frame["after"], strict=True)) == found.values
    moved = found.tag_preferences_after - found.tag_preferences_before
    moved /= explainer.population_std_
    profile = explainer.profile("user_07").set_index("tag")["vs_population"]
    for t in found.named:
        assert moved[t] == pytest.approx(found.changes[t], abs=1e-5)
        assert found.vs_population[t] == pytest.approx(profile[found.tag_names[t]])
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.k = 3


def test_only_the_tags_among_some_are_named_and_that_costs(explainer):
    item = near_misses(explainer, "user_07")[2]
    free = explainer.counterfactual("user_07", item)
    dearer = 0
    for tag in explainer.tag_names_:
        bound = explainer.counterfactual("user_07", item, among=[tag])
        assert set(bound.to_frame()["tag"]) <= {tag}
        assert cost_of(bound) >= cost_of(free) * (1 - 1e-3)
        dearer += bound.size > free.size * 1.01
    assert dearer


def test_says_what_it_found_in_words(explainer):
    item = near_misses(explainer, "user_07")[0]
    found = explainer.counterfactual("user_07", item)
    text = str(found)
    assert text.startswith(f"If you liked {found.to_frame()['tag'][0]} ")
    assert f"would enter your top 10 (rank 11 -> {found.rank_after}); " in text
    assert text.endswith(f"{found.n_kept} of 10 would stay.")
    several = dataclasses.replace(
        found,
        named=(0, 2, 3, 1),
        changes=np.array([0.3, 0.0, -1.0, 2.0]),
        tag_names=np.array(["dark-comedy", "War", "Drama", "Western"]),
    )
    assert str(several).startswith(
        "If you liked Western much more, Drama less and dark comedy a little more, with War "
        "unchanged, "
    )
    assert "size=" in repr(found)
    page = found._repr_html_()
    assert "<b>Film" not in page
    assert "&lt;b&gt;Film" in page


def test_already_there_needs_no_change(explainer):
    listed = explainer.recommend("user_07", 11)["item"]
    inside = explainer.counterfactual("user_07", listed[3])
    assert (inside.found, inside.size, inside.values) == (True, 0.0, {})
    assert inside.rank_before == inside.rank_after == 4
    assert "in your top 10 already (rank 4): nothing has to change" in str(inside)
    outside = explainer.counterfactual("user_07", listed[10], "leave")
    assert "outside your top 10 already (rank 11)" in str(outside)
    assert outside.to_frame().empty
    assert outside.n_kept == 10


@pytest.mark.parametrize("max_change", [4.0, 1e-6])
def test_as_json_it_has_every_field(explainer, max_change):
    item = explainer.recommend("user_07", 20)["item"].iloc[-1]
    found = explainer.counterfactual("user_07", item, max_change=max_change)
    assert found.found == (max_change == 4.0)
    read = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert read.keys() == {each.name for each in dataclasses.fields(found)}
    assert (read["item"], read["rank_after"]) == (item, found.rank_after)
    assert read["changes"] == found.changes.tolist()
    assert read["named"] == list(found.named)


def test_what_cannot_be_is_not_claimed():
    """Halfway between two items, and so above both of them nowhere."""
    explainer, users, items = tiny(3)
    items[4] = (items[1] + items[2]) / 2
    found = explainer.counterfactual(0, 4, k=1, exclude_seen=False)
    assert not found.found
    assert found.rank_after == found.rank_before == rank_of(4, users[0] @ items.T)
    assert str(found) == (
        f"No change of up to 3 tags was found that would bring 4 into your top 1 (rank "
        f"{found.rank_before})."
    )
    one = explainer.counterfactual(0, 4, k=1, exclude_seen=False, max_tags=1)
    assert "No change of 1 tag was found" in str(one)


def test_twins_keep_their_order():
    explainer, _users, items = tiny(9, n_items=12, n_tags=6)
    items[9] = items[4]
    asked = {"exclude_seen": False, "max_change": 50.0}
    first = explainer.counterfactual(0, 4, k=1, **asked)
    second = explainer.counterfactual(0, 9, k=1, **asked)
    assert first.rank_after == 1
    assert not second.found
    both = explainer.counterfactual(0, 9, k=2, **asked)
    assert both.size == pytest.approx(first.size, rel=1e-2)


def test_lists_of_everything_are_entered_and_never_left():
    explainer, _, _ = tiny(0)
    for k in (7, 70):
        assert explainer.counterfactual(0, 3, k=k, exclude_seen=False).size == 0
        assert not explainer.counterfactual(0, 3, "leave", k, exclude_seen=False).found


def test_single_precision_is_as_good():
    for seed in range(5):
        single, users, items = tiny(seed, n_items=40, dtype=np.float32)
        double, _, _ = tiny(seed, n_items=40)
        item = int(np.argsort(-users[0] @ items.T)[12])
        found = single.counterfactual(0, item, exclude_seen=False)
        assert found.found
        expected = double.counterfactual(0, item, exclude_seen=False).size
        assert found.size == pytest.approx(expected, rel=1e-3)


def test_tags_that_never_vary_are_never_named():
    explainer, _users, items = tiny(1, n_tags=3)
    items[5:] = 0.0  # the last tag is on these alone: everybody's preference for it is 0
    tags = explainer.item_tags
    tags[:, 2] = [0, 0, 0, 0, 0, 1, 1]
    assert explainer.profile(0).set_index("tag")["preference"]["tag_2"] == 0
    for item in range(5):
        assert 2 not in explainer.counterfactual(0, item, k=1, exclude_seen=False).named
    assert not explainer.counterfactual(0, 5, k=1, exclude_seen=False, among=["tag_2"]).found


def test_tags_that_are_one_are_not_named_together():
    explainer, _, _ = tiny(2, n_items=30, n_factors=3, n_tags=9)
    correlations = np.corrcoef(explainer.tag_model_.tag_preferences.T)
    n_several = 0
    for item in range(0, 30, 3):
        found = explainer.counterfactual(1, item, k=5, exclude_seen=False)
        if len(found.named) > 1:
            n_several += 1
            inverse = np.linalg.inv(correlations[np.ix_(found.named, found.named)])
            assert (1 / np.diag(inverse)).min() >= OWN_SHARE - 1e-6
    assert n_several


def bounded_product(users, items):
    return torch.tanh((users * items).sum(dim=1) / 4)


@pytest.mark.parametrize("goal", GOALS)
def test_a_score_that_is_not_linear_is_tried_until_it_does_it(goal):
    """Ranks by tanh of a dot product are ranks by the dot product."""
    rng = np.random.RandomState(0)
    users, items = rng.normal(size=(50, 4)), rng.normal(size=(9, 4))
    tags = np.eye(9, 3) + np.eye(9, 3, -4) + np.eye(9, 3, -7)
    recommender = TorchRecommender(bounded_product, users, items)
    explainer = TPECRExplainer(recommender, tags, generator=GaussianGenerator())
    explainer.fit(sp.csr_matrix((50, 9)) + sp.eye(50, 9, format="csr")[rng.permutation(50) % 9])
    refiner, n_found = FeedbackRefiner(explainer), 0
    for user in (0, 1):
        for item in (1, 4, 8):
            found = explainer.counterfactual(user, item, goal, 3, exclude_seen=False)
            if found.size and found.found:
                n_found += 1
                refined = refiner.refine(user, set=found.values, keep=0)
                rank = refined.rank(item, exclude_seen=False)
                assert (rank <= 3) == (goal == "enter")
                assert rank == found.rank_after
    assert n_found


def test_a_learned_generators_own_error_moves_nobody(data):
    explainer = TPECRExplainer(
        TruncatedSVD(8, random_state=0),
        data.item_tags,
        generator=CVAEGenerator(hidden_dims=(8,), latent_dim=2, max_epochs=2, random_state=0),
    ).fit(data.interactions)
    for place, item in list(enumerate(explainer.recommend(3, 13)["item"], start=1))[9:]:
        found = explainer.counterfactual(3, item)
        assert found.rank_before == place
        if found.size and found.found:
            refined = FeedbackRefiner(explainer).refine(3, set=found.values, keep=0)
            assert refined.rank(item) == found.rank_after <= 10
    last = explainer.recommend(3, 60)["item"][59]
    assert not explainer.counterfactual(3, last, max_change=1e-4).found


def test_seen_items_do_not_count_except_the_one_asked_for(explainer, data):
    row = 7
    seen = data.interactions[row].indices
    scores = explainer.extractor_.recommender_.score_items(explainer.user_embeddings_[[row]])[0]
    item = seen[np.argsort(scores[seen])[0]]
    unseen = np.setdiff1d(np.arange(80), seen)
    found = explainer.counterfactual("user_07", data.item_ids[item], "leave", 3)
    assert found.rank_before == 1 + np.count_nonzero(scores[unseen] > scores[item])
    anywhere = explainer.counterfactual("user_07", data.item_ids[item], "leave", exclude_seen=False)
    assert anywhere.rank_before == 1 + np.count_nonzero(scores > scores[item])
    best = seen[np.argmax(scores[seen])]
    left = explainer.counterfactual("user_07", data.item_ids[best], "leave", 3)
    assert left.found
    assert left.rank_after > 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"user": "user_7"}, "unknown user 'user_7'; known are"),
        ({"item": "item_1"}, "unknown item 'item_1'; did you mean"),
        ({"goal": "exit"}, "goal must be 'enter' or 'leave', got 'exit'"),
        ({"k": 0}, "k must be a whole number of at least 1"),
        ({"k": 2.0}, "k must be a whole number of at least 1"),
        ({"among": ["tag1"]}, "unknown tag 'tag1'; did you mean"),
        ({"among": "tag_1"}, "among must be a list of tag names, got 'tag_1'"),
        ({"among": []}, "among must name at least one tag"),
        ({"max_tags": 0}, "max_tags must be a whole number of at least 1"),
        ({"max_change": 0}, "max_change must be a finite number"),
        ({"max_change": math.nan}, "max_change must be a finite number"),
        ({"max_change": math.inf}, "max_change must be a finite number"),
        ({"max_change": True}, "max_change must be a finite number"),
        ({"max_change": "4"}, "max_change must be a finite number"),
    ],
)
def test_bad_questions_say_what_is_wrong(explainer, given, message):
    with pytest.raises(ValueError, match=message):
        explainer.counterfactual(**({"user": "user_07", "item": "item_02"} | given))


def test_users_without_history_and_unknown_history_say_so(data):
    X = data.interactions.tolil()
    X[4] = 0
    explainer = TPECRExplainer(TruncatedSVD(4, random_state=0), data.item_tags).fit(X.tocsr())
    with pytest.raises(ValueError, match="user 4 has no interactions"):
        explainer.counterfactual(4, data.item_ids[0])
    with pytest.raises(ValueError, match="exclude_seen=True needs interactions"):
        tiny(0)[0].counterfactual(0, 3)


@pytest.mark.parametrize("goal", GOALS)
def test_of_very_many_tags_those_that_move_the_item_are_tried(monkeypatch, goal):
    explainer, *_ = tiny(0, n_items=20, n_factors=3, n_tags=8)
    listed = explainer.recommend(3, 20, exclude_seen=False)["item"]
    item = int(listed.iloc[12 if goal == "enter" else 2])
    known = {"goal": goal, "k": 10, "exclude_seen": False}
    whole = explainer.counterfactual(3, item, **known)
    monkeypatch.setattr(_edit_search, "_TRIED", 4)
    some = explainer.counterfactual(3, item, **known)
    assert whole.found
    assert some.found
    assert cost_of(whole) <= cost_of(some) * (1 + 1e-3)
