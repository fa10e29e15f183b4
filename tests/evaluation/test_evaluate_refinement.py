"""Tables 5 and 6's protocol: the tag by hand, the metrics by plain loops."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch

from sktpecr import CVAEGenerator, FeedbackRefiner, TPECRExplainer
from sktpecr.datasets import make_tagged_interactions
from sktpecr.evaluation import (
    choose_tag,
    evaluate_refinement,
    read_at_overlap,
    split_interactions,
    summarize,
)
from sktpecr.recommenders import FactorRecommender, TorchRecommender
from sktpecr.solvers import EmbeddingSolver, OnlineSolver

DATA = make_tagged_interactions(n_users=60, n_items=80, n_tags=5, density=0.1, random_state=0)
TRAIN, HELD_OUT = split_interactions(DATA.interactions, 0.3, random_state=0)
LEFT, S, RIGHT = np.linalg.svd(TRAIN.toarray().astype(float), full_matrices=False)
RNG = np.random.RandomState(0)
USERS = LEFT[:, :8] * S[:8] + 0.05 * RNG.normal(size=(60, 8))
ITEMS = RIGHT[:8].T + 0.01 * RNG.normal(size=(80, 8))
TAGS = DATA.item_tags.to_numpy() > 0
# Row numbers stand for users, and the last two thirds were learned from.
PAIRS = [(int(user), DATA.item_ids[item]) for user, item in HELD_OUT if user < 20]


def fitted(recommender=(USERS, ITEMS), interactions=TRAIN, **kwargs):
    explainer = TPECRExplainer(recommender, DATA.item_tags, random_state=0, **kwargs)
    return explainer.fit(interactions, train_users=range(20, 60))


EXPLAINER = fitted()
REFINERS = {
    "closed form": FeedbackRefiner(EXPLAINER),
    "online": FeedbackRefiner(EXPLAINER, solver=OnlineSolver(n_epochs=2)),
    "embedding": FeedbackRefiner(EXPLAINER, solver=EmbeddingSolver(n_epochs=2)),
}


# One user's scores of five items are what is written here; tags a to d.
SCORES = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
ITEM_TAGS = pd.DataFrame(
    [[1, 0, 1, 0], [1, 0, 1, 0], [0, 1, 0, 1], [0, 1, 1, 0], [0, 0, 0, 1]], columns=list("abcd")
)
# Preferences: a 1.5, b 3.5, c 7/3, d 4; the mean of all scores is 3, of all tags 17/6.


def by_hand(tag_scores=None, item_tags=ITEM_TAGS):
    users, items = np.array([[1.0, 0.0], [0.5, 1.0]]), np.column_stack([SCORES, SCORES[::-1]])
    recommender = FactorRecommender(users, items)
    if tag_scores is not None:
        recommender.tag_scores = lambda embeddings: embeddings @ np.asarray(tag_scores).T
    return TPECRExplainer(recommender, item_tags).fit(np.eye(2, 5))


class TestChoice:
    @pytest.mark.parametrize(
        ("item", "like", "dislike"),
        [
            (0, "a", "d"),  # its a and c are both below 3: a is the least; not on it: b and d
            (2, None, None),  # its b and d are liked; not on it: a and c, which are not
            (3, "c", "d"),
            (4, None, "b"),
        ],
    )
    def test_is_the_papers_rule(self, item, like, dislike):
        explainer = by_hand()
        np.testing.assert_allclose(explainer.tag_preferences_[0], [1.5, 3.5, 7 / 3, 4])
        assert choose_tag(explainer, "like", 0, item) == like
        assert choose_tag(explainer, "dislike", 0, item) == dislike

    def test_a_preference_at_the_level_is_not_liked(self):
        tags = ITEM_TAGS.assign(c=[1, 0, 0, 0, 1])  # (1 + 5) / 2 is the mean score
        explainer = by_hand(item_tags=tags)
        assert choose_tag(explainer, "like", 0, 4) == "c"
        assert choose_tag(explainer, "dislike", 0, 4) == "b"
        alone = by_hand(item_tags=tags[["a", "c"]].assign(rest=[0, 1, 1, 1, 0]))
        assert choose_tag(alone, "dislike", 0, 3) is None

    def test_where_tags_are_predicted_the_level_is_their_mean(self):
        # The recommender's own word for the tags: their mean is 2, that of the items 3.
        predicted = [[1.0, 0.0], [1.5, 0.0], [2.5, 0.0], [3.0, 0.0]]
        explainer = by_hand(predicted)
        np.testing.assert_allclose(explainer.tag_preferences_[0], [1, 1.5, 2.5, 3])
        assert choose_tag(explainer, "like", 0, 0) == "a"
        assert choose_tag(explainer, "like", 0, 2) == "b"
        assert choose_tag(explainer, "like", 0, 4) is None  # 3 is not above 3, but above 2
        assert choose_tag(explainer, "dislike", 0, 2) == "c"  # 2.5 is above 2, but not above 3

    def test_weights_of_tags_say_no_more_than_that_they_are_there(self):
        tags = ITEM_TAGS * np.array([0.5, 1, 1, 1, 1])[:, None]
        assert choose_tag(by_hand(item_tags=tags), "like", 0, 0) == "a"

    def test_bad_calls_say_what_is_wrong(self):
        with pytest.raises(ValueError, match="scenario must be 'like' or 'dislike', got 'love'"):
            choose_tag(EXPLAINER, "love", 0, DATA.item_ids[0])
        with pytest.raises(ValueError, match="user 99 is out of range"):
            choose_tag(EXPLAINER, "like", 99, DATA.item_ids[0])
        with pytest.raises(ValueError, match="unknown item 'x'"):
            choose_tag(EXPLAINER, "like", 0, "x")


def usable(scenario, pairs=PAIRS, explainer=EXPLAINER):
    """Return user, item and tag of the pairs that can be measured, by the definition."""
    found = []
    for user, item in pairs:
        tag = choose_tag(explainer, scenario, user, item)
        if tag is None:
            continue
        inside = TAGS[:, list(DATA.item_tags.columns).index(tag)]
        seen = TRAIN[[user]].toarray()[0] != 0
        if (seen & ~inside).any() if scenario == "dislike" else (~seen & ~inside).any():
            found.append((user, item, tag))
    return found


def plain(scores, relevant, k):
    """Return AP@k, recall@k and the list, with loops."""
    order = sorted(range(len(scores)), key=lambda item: (-scores[item], item))
    hits, total = 0, 0.0
    for place, item in enumerate(order[:k], start=1):
        if relevant[item]:
            hits += 1
            total += hits / place
    best = min(k, int(relevant.sum()))
    return total / best, hits / best, set(order[:k])


@pytest.mark.parametrize("scenario", ["like", "dislike"])
def test_every_metric_equals_plain_loops(scenario):
    strengths, k = [0, 0.5, 2.0], [9, 0.25]
    cases = evaluate_refinement(
        REFINERS, PAIRS, scenario, strengths=strengths, k=k, n_pairs=8, return_cases=True
    )
    expected_pairs = usable(scenario)[:8]
    assert len(expected_pairs) == 8
    assert len(cases) == 3 * 3 * 8
    sign = 1 if scenario == "like" else -1
    for _, row in cases.iterrows():
        user, item, tag = expected_pairs[row["case"]]
        assert (row["user"], row["item"], row["tag"]) == (user, item, tag)
        refined = REFINERS[row["method"]].refine(user, **{scenario: tag}, strength=row["strength"])
        before, after = refined.scores_before, refined.scores
        column = list(DATA.item_ids).index(item)
        t = list(DATA.item_tags.columns).index(tag)
        rise = sum(before > before[column]) - sum(after > after[column])
        own = EXPLAINER.tag_preferences_[user, t]
        expected = {
            "F-Rank": rise,
            "improved": float(rise > 0),
            "rank before": 1 + sum(before > before[column]),
            "right way": float(sign * (refined.tag_preferences[t] - own) > 1e-9),
        }
        history = set(TRAIN[[user]].indices)
        for at, length in (("9", 9), ("25%", 20)):
            first, second = (plain(scores, TAGS[:, t], length) for scores in (before, after))
            kept, were = first[2] & second[2], history & first[2]
            expected |= {
                f"F-MAP@{at}": first[0] - second[0],
                f"F-Recall@{at}": first[1] - second[1],
                f"overlap@{at}": len(kept) / length,
                f"history@{at}": len(were & kept) / len(were) if were else np.nan,
            }
        found = row[list(expected)].to_dict()
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-9, nan_ok=True)
        if row["strength"] == 0:
            assert row["F-Rank"] == row["right way"] == row["F-MAP@9"] == 0
            assert row["overlap@9"] == 1


def test_overlap_is_of_the_list_that_there_is():
    cases = evaluate_refinement(REFINERS["closed form"], PAIRS, "like", k=1000, return_cases=True)
    assert (cases["overlap@1000"] == 1).all()
    assert set(cases["history@1000"].dropna()) == {1}
    # Of nothing, no share is kept.
    users = cases["user"][cases["history@1000"].isna()]
    assert set(users) == set(cases["user"]) & set(np.flatnonzero(np.diff(TRAIN.indptr) == 0))
    assert (cases["F-Recall@1000"] == 0).all()


def test_all_refiners_get_the_same_feedback_and_are_paired():
    cases = evaluate_refinement(REFINERS, PAIRS, "like", k=10, return_cases=True)
    for _, group in cases.groupby("case"):
        assert len(group) == 3
        assert group[["user", "item", "tag"]].nunique().tolist() == [1, 1, 1]
        assert group["rank before"].nunique() == 1
    result = evaluate_refinement(REFINERS, PAIRS, "like", k=10, baseline="embedding")
    assert set(result["metric"]) == {
        *("F-Rank", "improved", "rank before", "right way"),
        *("F-MAP@10", "F-Recall@10", "overlap@10", "history@10"),
    }
    rank = cases.set_index(["method", "case"])["F-Rank"]
    found = result.set_index(["method", "metric"])["difference"]
    assert found["online", "F-Rank"] == pytest.approx((rank["online"] - rank["embedding"]).mean())


def test_feedback_moves_the_tags_items_and_the_tag_its_way():
    for scenario, sign in (("like", -1), ("dislike", 1)):
        result = evaluate_refinement(
            REFINERS["closed form"], PAIRS, scenario, strengths=[0.5, 2], k=20
        ).set_index(["metric", "strength"])["mean"]
        assert result["right way"].tolist() == [1, 1]
        assert 0 < sign * result["F-MAP@20", 0.5] < sign * result["F-MAP@20", 2]
        assert result["overlap@20", 0.5] > result["overlap@20", 2]


@pytest.mark.parametrize("scenario", ["like", "dislike"])
def test_pairs_with_nothing_to_say_about_are_left_out(scenario):
    """No tag that fits, nothing outside it, or a tag that is the same to everybody."""
    found = evaluate_refinement(
        REFINERS["closed form"], PAIRS, scenario, n_pairs=10**6, return_cases=True
    )
    expected = usable(scenario)
    assert list(zip(found["user"], found["item"], found["tag"], strict=True)) == expected
    assert 0 < len(expected) < len(PAIRS)
    few = evaluate_refinement(
        REFINERS["closed form"], iter(PAIRS), scenario, n_pairs=3, return_cases=True
    )
    assert few["user"].tolist() == [user for user, *_ in expected[:3]]


def narrowed(scenario):
    """Return an explainer to which a usable pair's user has nothing to set against the tag."""
    user, item, tag = usable(scenario)[0]
    inside = DATA.item_tags[tag].to_numpy() > 0
    X = TRAIN.tolil()
    # A dislike needs history outside the tag, a like unseen items outside it.
    X[user] = inside if scenario == "dislike" else ~inside
    X[user, list(DATA.item_ids).index(item)] = 0
    return (user, item), fitted(interactions=sp.csr_matrix(X))


def test_a_pair_with_nothing_to_set_against_the_tag_is_left_out():
    pair, explainer = narrowed("dislike")
    refiner = FeedbackRefiner(explainer, solver="online")
    assert choose_tag(explainer, "dislike", *pair) is not None
    with pytest.raises(ValueError, match="pairs must hold one for which there is a tag to dislike"):
        evaluate_refinement(refiner, [pair], "dislike")
    # The item itself carries the tag that is liked, so that all else outside it can be seen.
    pair, explainer = narrowed("like")
    refiner = FeedbackRefiner(explainer, solver="online")
    assert choose_tag(explainer, "like", *pair) is not None
    with pytest.raises(ValueError, match="pairs must hold one for which there is a tag to like"):
        evaluate_refinement(refiner, [pair], "like")


def test_a_network_and_a_cvae_are_measured_alike():
    def score(users, items):
        return torch.tanh(2 * (users * items).sum(dim=1)) + users[:, 0] * items[:, 1] ** 2

    cvae = CVAEGenerator(hidden_dims=(16,), latent_dim=8, max_epochs=20, random_state=0)
    explainer = fitted(TorchRecommender(score, USERS, ITEMS), generator=cvae)
    refiners = {name: FeedbackRefiner(explainer, solver=name) for name in ("online", "embedding")}
    result = evaluate_refinement(refiners, PAIRS, "like", strengths=[0, 1], k=10, n_pairs=5)
    means = result.set_index(["method", "strength", "metric"])["mean"].unstack("metric")
    assert np.isfinite(means).all(axis=None)
    assert (means.xs(0.0, level="strength")["overlap@10"] == 1).all()
    assert means.loc[("online", 1.0), "F-MAP@10"] < 0
    # The baseline's rate for such models is tiny: ten thousand times as far, it moves too.
    far = evaluate_refinement(
        refiners["embedding"], PAIRS, "like", strengths=[1e4], k=10, n_pairs=5
    ).set_index("metric")
    assert far.loc["F-MAP@10", "mean"] < 0


def curve(overlaps, **columns):
    """Return cases of one method over strengths 1, 2, ...: two cases around each overlap."""
    return pd.DataFrame(
        [
            {
                "method": "a",
                "strength": float(s + 1),
                "case": c,
                "user": f"u{c}",
                "F-Rank": 10.0 * s + c,
                "overlap@10": overlap + (0.02 if c else -0.02),
                **columns,
            }
            for s, overlap in enumerate(overlaps)
            for c in (0, 1)
        ]
    )


class TestReadAtOverlap:
    @pytest.mark.parametrize("overlap", [0.9, 0.85, 0.7, 0.61, 0.5])
    def test_is_linear_between_the_strengths_around_it(self, overlap):
        overlaps = [0.9, 0.7, 0.5]
        found = read_at_overlap(curve(overlaps), overlap)
        place = np.interp(-overlap, [-0.9, -0.7, -0.5], [0, 1, 2])
        assert found["case"].tolist() == [0, 1]
        assert found["user"].tolist() == ["u0", "u1"]
        np.testing.assert_allclose(found["F-Rank"], [10 * place, 10 * place + 1])
        np.testing.assert_allclose(found["strength"], 1 + place)
        assert found["overlap@10"].mean() == pytest.approx(overlap)

    def test_takes_strengths_in_order_and_the_first_crossing(self):
        wild = curve([0.9, 0.5, 0.8, 0.2])
        found = read_at_overlap(wild.sample(frac=1, random_state=0), 0.7)
        np.testing.assert_allclose(sorted(found["F-Rank"]), [5, 6])

    @pytest.mark.parametrize("overlap", [0.95, 0.45])
    def test_leaves_out_what_does_not_reach_it(self, overlap):
        near, far = curve([0.9, 0.5]), curve([0.99, 0.3]).assign(method="b")
        found = read_at_overlap(pd.concat([near, far]), overlap)
        assert set(found["method"]) == {"b"}
        assert len(read_at_overlap(near, overlap)) == 0

    def test_methods_are_compared_at_the_same_overlap(self):
        slow = curve([0.9, 0.8, 0.7, 0.5])
        fast = curve([0.9, 0.5]).assign(method="b")
        found = read_at_overlap(pd.concat([slow, fast]), 0.7)
        result = summarize(found, metrics=["F-Rank", "overlap@10"], baseline="a")
        means = result.set_index(["method", "metric"])["mean"]
        assert means["a", "overlap@10"] == pytest.approx(means["b", "overlap@10"])
        assert means["a", "F-Rank"] == pytest.approx(20.5)
        assert means["b", "F-Rank"] == pytest.approx(5.5)

    def test_another_column_may_be_named_and_the_first_is_the_default(self):
        cases = curve([0.9, 0.5])
        cases["overlap@50%"] = [0.8, 0.8, 0.6, 0.6]
        np.testing.assert_allclose(read_at_overlap(cases, 0.7)["F-Rank"], [5, 6])
        np.testing.assert_allclose(
            read_at_overlap(cases, 0.75, "overlap@50%")["F-Rank"], [2.5, 3.5]
        )

    def test_strengths_that_change_nothing_are_read_at_the_first(self):
        found = read_at_overlap(curve([0.7, 0.7]), curve([0.7])["overlap@10"].mean())
        np.testing.assert_allclose(found["F-Rank"], [0, 1])

    def test_ids_that_are_numbers_stay_what_they_are(self):
        cases = evaluate_refinement(
            REFINERS["closed form"], PAIRS, "like", strengths=[0, 4], k=10, return_cases=True
        )
        found = read_at_overlap(cases, 0.9)
        for name in ("user", "item", "tag"):
            assert found[name].tolist() == cases[cases["strength"] == 0][name].tolist()
        assert found["overlap@10"].mean() == pytest.approx(0.9)
        assert "user" not in set(summarize(found)["metric"])

    def test_bad_cases_say_what_is_wrong(self):
        with pytest.raises(ValueError, match="must have the columns 'strength' and 'overlap'"):
            read_at_overlap(curve([0.9]).drop(columns="overlap@10"), 0.9)
        with pytest.raises(ValueError, match="must have the columns 'strength' and 'overlap@5'"):
            read_at_overlap(curve([0.9]), 0.9, "overlap@5")
        with pytest.raises(ValueError, match="must have the columns 'strength' and"):
            read_at_overlap(curve([0.9]).drop(columns="strength"), 0.9)


BAD = {
    "scenario": ({"scenario": "love"}, "scenario must be 'like' or 'dislike', got 'love'"),
    "baseline": (
        {"baseline": "x"},
        "baseline must be a name in refiners, one of 'closed form', .* got 'x'",
    ),
    "strength": ({"strengths": 1.0}, "strengths must be a list of numbers, got 1.0"),
    "no strength": ({"strengths": []}, "strengths must hold at least one number"),
    "negative": ({"strengths": [-1.0]}, "strength must be at least 0, got -1.0"),
    "n_pairs": ({"n_pairs": 0}, "n_pairs must be a whole number of at least 1, got 0"),
    "k": ({"k": 1.5}, "k must be a number of items, .* got 1.5"),
    "no pairs": ({"pairs": []}, "pairs must hold one for which there is a tag to like, got none"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_calls_say_what_is_wrong(name):
    changes, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        evaluate_refinement(**{"refiners": REFINERS, "pairs": PAIRS, "scenario": "like", **changes})
