"""The smallest change of tag preferences that moves an item, against enumeration."""

import dataclasses
import json
import math
from itertools import combinations

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.optimize import linprog
from sklearn.decomposition import TruncatedSVD

from sktpecr import CVAEGenerator, FeedbackRefiner, GaussianGenerator, TPECRExplainer
from sktpecr.explanation import _edit_search
from sktpecr.recommenders import TorchRecommender

GOALS = ("enter", "leave")


def tiny(seed, n_items=7, n_factors=4, n_tags=2, dtype=np.float64, **given):
    """Return an explainer of random factors, and these."""
    rng = np.random.RandomState(seed)
    users = rng.normal(size=(30, n_factors)).astype(dtype)
    items = rng.normal(size=(n_items, n_factors)).astype(dtype)
    tags = (rng.rand(n_items, n_tags) < 0.5).astype(float)
    tags[0] = 1.0
    return TPECRExplainer((users, items), tags, **given), users, items


def scores_after(explainer, user, changes, users, items):
    """Return scores by the formula of the method: e' = e + K (c' - c)."""
    moved = explainer.generator_.gain_ @ (changes * explainer.population_std_)
    return (users[user].astype(float) + moved) @ items.T.astype(float)


def rank_of(item, scores):
    return 1 + sum((-scores[j], j) < (-scores[item], item) for j in range(len(scores)))


def enumerated(explainer, user, item, goal, k, users, items, max_change):
    """Return the smallest size by a linear programme per set of rivals that may be above."""
    own = users[user] @ items.T
    weights = items @ explainer.generator_.gain_ * explainer.population_std_
    rivals = [j for j in range(len(items)) if j != item]
    sign, n_kept = (1, len(rivals) - k + 1) if goal == "enter" else (-1, k)
    best = np.inf
    for kept in combinations(rivals, max(n_kept, 0)):
        kept = list(kept)
        rows = sign * (weights[item] - weights[kept])
        found = linprog(
            np.ones(2 * rows.shape[1]),
            A_ub=np.hstack([-rows, rows]),
            b_ub=-sign * (own[kept] - own[item]),
            bounds=(0, max_change),
        )
        if found.status == 0:
            best = min(best, found.fun)
    return best


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("k", [1, 2, 3])
def test_is_the_smallest_edit_there_is(goal, k):
    sizes = []
    for seed in range(6):
        explainer, users, items = tiny(seed)
        for item in range(7):
            found = explainer.counterfactual(0, item, goal, k, exclude_seen=False, max_change=2.0)
            expected = enumerated(explainer, 0, item, goal, k, users, items, max_change=2.0)
            assert found.exact
            assert found.size == pytest.approx(expected, rel=1e-3, abs=1e-4)
            sizes.append(found.size)
    assert np.count_nonzero(np.isfinite(sizes) & (np.array(sizes) > 0)) > 0
    if (goal, k) == ("enter", 1):  # an item among the others is nobody's first
        assert np.isinf(sizes).any()


def test_what_is_found_does_it():
    """120 random cases, applied by the formulas of the method."""
    n_found = 0
    for seed in range(24):
        n_tags = 1 + seed % 6
        explainer, users, items = tiny(seed, n_items=25, n_factors=3, n_tags=n_tags)
        rng = np.random.RandomState(seed)
        for _ in range(5):
            user, item, k = rng.randint(30), rng.randint(25), rng.randint(1, 8)
            goal = GOALS[rng.randint(2)]
            found = explainer.counterfactual(user, item, goal, k, exclude_seen=False)
            assert found.rank_before == rank_of(item, users[user] @ items.T)
            assert np.abs(found.changes).max() <= 4.0 + 1e-9
            after = rank_of(item, scores_after(explainer, user, found.changes, users, items))
            assert found.rank_after == after
            if found.found:
                n_found += 1
                assert (after <= k) == (goal == "enter")
            else:
                assert not found.changes.any()
                assert found.size == math.inf
    assert n_found > 60


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
            wanted = dict(zip(found.tag_names, found.tag_preferences_after, strict=True))
            refined = FeedbackRefiner(explainer).refine(user, set=wanted, units="raw", hold="all")
            assert (item in list(refined.recommend(10)["item"])) == (goal == "enter")
            assert refined.rank(item) == found.rank_after


def test_fields_agree_with_each_other(explainer):
    item = near_misses(explainer, "user_07")[1]
    found = explainer.counterfactual("user_07", item)
    assert (found.user, found.item, found.goal, found.k) == ("user_07", item, "enter", 10)
    assert found.item_name == f"<b>Film {int(item[-2:])}</b>"
    assert found.rank_before == 12
    assert found.size == np.abs(found.changes).sum()
    np.testing.assert_allclose(
        found.tag_preferences_after - found.tag_preferences_before,
        found.changes * explainer.population_std_,
        atol=1e-12,
    )
    frame = found.to_frame()
    assert list(frame.columns) == ["tag", "before", "after", "change"]
    assert len(frame) == np.count_nonzero(found.changes) < 5
    assert frame["change"].abs().is_monotonic_decreasing
    by_tag = frame.set_index("tag")
    for t, tag in enumerate(found.tag_names):
        if found.changes[t]:
            assert by_tag["change"][tag] == found.changes[t]
            before = explainer.profile("user_07").set_index("tag")["vs_population"][tag]
            assert by_tag["before"][tag] == pytest.approx(before)
            assert by_tag["after"][tag] == pytest.approx(before + found.changes[t])
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.k = 3


def test_only_the_tags_named_are_edited_and_that_costs(explainer):
    item = near_misses(explainer, "user_07")[2]
    free = explainer.counterfactual("user_07", item)
    dearer = 0
    for tag in explainer.tag_names_:
        bound = explainer.counterfactual("user_07", item, among=[tag])
        assert set(bound.to_frame()["tag"]) <= {tag}
        assert bound.size >= free.size * (1 - 1e-4)
        dearer += bound.size > free.size * 1.01
    assert dearer


def test_says_what_it_found_in_words(explainer):
    item = near_misses(explainer, "user_07")[0]
    found = explainer.counterfactual("user_07", item)
    tag, change = found.to_frame()["tag"][0], found.to_frame()["change"][0]
    text = str(found)
    assert text.startswith(
        f"If the model thought you liked {tag} {'more' if change > 0 else 'less'} by "
        f"{abs(change):.2g} standard deviations"
    )
    assert f"would enter your top 10 (rank 11 -> {found.rank_after})." in text
    assert "smaller" not in text
    assert "smaller change" in str(dataclasses.replace(found, exact=False))
    assert "nearly level" not in text
    assert "nearly level" in str(dataclasses.replace(found, spread_kept=0.01))
    many = dataclasses.replace(found, changes=np.array([3.0, -2.5, 2.0, 1.0, 0.5, 0.25]))
    many = dataclasses.replace(many, tag_names=np.array(list("abcdef")))
    assert (
        "liked a more by 3 standard deviations, b less by 2.5, c more by 2, d more by 1 and e more "
        "by 0.5 (and 1 more changed)"
    ) in str(many)
    assert "size=" in repr(found)
    page = found._repr_html_()
    assert "<b>Film" not in page
    assert "&lt;b&gt;Film" in page


def test_already_there_needs_no_change(explainer):
    listed = explainer.recommend("user_07", 11)["item"]
    inside = explainer.counterfactual("user_07", listed[3])
    assert (inside.found, inside.exact, inside.size) == (True, True, 0.0)
    assert inside.rank_before == inside.rank_after == 4
    assert "in your top 10 already (rank 4): nothing has to change" in str(inside)
    outside = explainer.counterfactual("user_07", listed[10], "leave")
    assert "outside your top 10 already (rank 11)" in str(outside)
    assert outside.to_frame().empty
    assert outside.spread_kept == 1.0


@pytest.mark.parametrize("max_change", [4.0, 1e-6])
def test_as_json_it_has_every_field(explainer, max_change):
    item = explainer.recommend("user_07", 20)["item"].iloc[-1]
    found = explainer.counterfactual("user_07", item, max_change=max_change)
    assert found.found == (max_change == 4.0)
    read = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert read.keys() == {each.name for each in dataclasses.fields(found)}
    assert (read["item"], read["rank_after"]) == (item, found.rank_after)
    assert read["changes"] == found.changes.tolist()


def test_what_cannot_be_is_proven():
    """Halfway between two items, and so above both of them nowhere."""
    explainer, users, items = tiny(3)
    items[4] = (items[1] + items[2]) / 2
    found = explainer.counterfactual(0, 4, k=1, exclude_seen=False)
    assert (found.found, found.exact) == (False, True)
    assert found.rank_after == found.rank_before == rank_of(4, users[0] @ items.T)
    text = str(found)
    assert text.startswith("No change of at most 4 standard deviations per tag would bring 4 into")
    unproven = str(dataclasses.replace(found, exact=False))
    assert "was found" in unproven
    assert "does not mean that there is none" in unproven


def test_twins_keep_their_order():
    explainer, _users, items = tiny(5, n_items=12)
    items[9] = items[4]
    first = explainer.counterfactual(0, 4, k=1, exclude_seen=False, max_change=50.0)
    second = explainer.counterfactual(0, 9, k=1, exclude_seen=False, max_change=50.0)
    assert (first.rank_after, first.exact) == (1, True)
    assert (second.found, second.exact) == (False, True)
    both = explainer.counterfactual(0, 9, k=2, exclude_seen=False, max_change=50.0)
    assert both.size == pytest.approx(first.size, rel=1e-3)


def test_lists_of_everything_are_entered_and_never_left():
    explainer, _, _ = tiny(0)
    for k in (7, 70):
        assert explainer.counterfactual(0, 3, k=k, exclude_seen=False).size == 0
        stuck = explainer.counterfactual(0, 3, "leave", k, exclude_seen=False)
        assert (stuck.found, stuck.exact) == (False, True)


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


def test_single_precision_is_as_good():
    for seed in range(5):
        single, users, items = tiny(seed, n_items=40, n_tags=3, dtype=np.float32)
        double, _, _ = tiny(seed, n_items=40, n_tags=3)
        item = int(np.argsort(-users[0] @ items.T)[12])
        found = single.counterfactual(0, item, exclude_seen=False)
        assert found.found
        expected = double.counterfactual(0, item, exclude_seen=False).size
        assert found.size == pytest.approx(expected, rel=1e-3)


def test_tags_that_never_vary_are_never_edited():
    explainer, _users, items = tiny(1, n_tags=3)
    items[5:] = 0.0  # the last tag is on these alone: everybody's preference for it is 0
    tags = explainer.item_tags
    tags[:, 2] = [0, 0, 0, 0, 0, 1, 1]
    assert explainer.profile(0).set_index("tag")["preference"]["tag_2"] == 0
    for item in range(5):
        assert explainer.counterfactual(0, item, k=1, exclude_seen=False).changes[2] == 0
    stuck = explainer.counterfactual(0, 5, k=1, exclude_seen=False, among=["tag_2"])
    assert (stuck.found, stuck.exact) == (False, True)


def test_more_tags_than_factors():
    explainer, users, items = tiny(2, n_items=30, n_factors=3, n_tags=9)
    for item in range(0, 30, 3):
        found = explainer.counterfactual(1, item, k=5, exclude_seen=False)
        after = scores_after(explainer, 1, found.changes, users, items)
        assert found.rank_after == rank_of(item, after)
        assert found.found <= (found.rank_after <= 5)


def test_indifference_is_said():
    """With as many tags as factors an edit can erase a user, and anything is near the top."""
    explainer, users, items = tiny(4, n_items=30, n_factors=2, n_tags=2)
    worst = int(np.argmin(users[0] @ items.T))
    found = explainer.counterfactual(0, worst, k=3, exclude_seen=False, max_change=9.0)
    after = scores_after(explainer, 0, found.changes, users, items)
    assert found.found
    assert found.spread_kept == pytest.approx(after.std() / (users[0] @ items.T).std(), rel=1e-6)
    assert ("nearly level" in str(found)) == (found.spread_kept < 0.05)


def test_without_time_for_the_proof_the_best_known_edit_is_given(monkeypatch):
    explainer, users, items = tiny(6, n_items=60, n_tags=4)
    item = int(np.argsort(-users[0] @ items.T)[30])
    best = explainer.counterfactual(0, item, exclude_seen=False)
    monkeypatch.setattr(_edit_search, "_SECONDS", 0.0)
    hasty = explainer.counterfactual(0, item, exclude_seen=False)
    assert (best.exact, hasty.exact) == (True, False)
    assert hasty.rank_after <= 10
    assert hasty.size >= best.size * (1 - 1e-4)


def bounded_product(users, items):
    return torch.tanh((users * items).sum(dim=1) / 4)


@pytest.mark.parametrize("goal", GOALS)
def test_a_score_that_is_not_linear_is_made_so_step_by_step(goal):
    """Ranks by tanh of a dot product are ranks by the dot product: the smallest size is known."""
    rng = np.random.RandomState(0)
    users, items = rng.normal(size=(50, 4)), rng.normal(size=(9, 4))
    tags = np.eye(9, 3) + np.eye(9, 3, -4) + np.eye(9, 3, -7)
    recommender = TorchRecommender(bounded_product, users, items)
    explainer = TPECRExplainer(recommender, tags, generator=GaussianGenerator())
    explainer.fit(sp.csr_matrix((50, 9)) + sp.eye(50, 9, format="csr")[rng.permutation(50) % 9])
    n_found = 0
    for user in (0, 1):
        for item in range(9):
            found = explainer.counterfactual(user, item, goal, 3, exclude_seen=False)
            smallest = enumerated(explainer, user, item, goal, 3, users, items, max_change=4.0)
            if found.size == 0:
                assert smallest == pytest.approx(0, abs=1e-9)
                continue
            assert not found.exact
            assert found.size >= smallest * (1 - 1e-3)
            if found.found:
                n_found += 1
                after = scores_after(explainer, user, found.changes, users, items)
                assert (rank_of(item, after) <= 3) == (goal == "enter")
                assert found.size <= smallest * 1.1 + 1e-3
    assert n_found > 5


def test_a_learned_generators_own_error_moves_nobody(data):
    explainer = TPECRExplainer(
        TruncatedSVD(8, random_state=0),
        data.item_tags,
        generator=CVAEGenerator(hidden_dims=(8,), latent_dim=2, max_epochs=2, random_state=0),
    ).fit(data.interactions)
    listed = explainer.recommend(3, 13)["item"]
    tag_model = explainer._tag_model
    own = explainer.user_embeddings_[3].astype(float)
    preferences = tag_model.tag_preferences_of(own)
    for place, item in enumerate(listed, start=1):
        found = explainer.counterfactual(3, item)
        assert found.rank_before == place
        if found.size and found.found:
            pair = np.stack([preferences, found.tag_preferences_after])
            before, after = explainer.generator_.generate(pair, np.stack([own, own]))
            scores = tag_model.scores_of(own + after - before)
            scores[data.interactions[3].indices] = -np.inf
            column = list(data.item_ids).index(item)
            assert rank_of(column, scores) == found.rank_after <= 10
    hopeless = explainer.counterfactual(3, explainer.recommend(3, 60)["item"][59], max_change=1e-4)
    assert (hopeless.found, hopeless.exact) == (False, False)
    assert "was found" in str(hopeless)


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
    monkeypatch.setattr(_edit_search, "_MOST_TAGS", 4)
    some = explainer.counterfactual(3, item, **known)
    assert whole.found
    assert whole.exact
    assert some.found
    assert not some.exact
    assert np.count_nonzero(some.changes) <= 4
    assert np.abs(some.changes).sum() >= np.abs(whole.changes).sum() * (1 - 1e-4)
    assert (some.rank_after <= 10) == (goal == "enter")
