"""What refine returns."""

import pickle

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD

from sktpecr import FeedbackRefiner, TPECRExplainer
from sktpecr.datasets import make_tagged_interactions


@pytest.fixture(scope="module")
def explainer(data):
    explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    names = [f"<b>Film {i}</b>" for i in range(80)]
    return explainer.fit(data.interactions, user_ids=data.user_ids, item_names=names)


@pytest.fixture
def refined(explainer):
    return FeedbackRefiner(explainer).refine("user_07", like="tag_1", dislike="tag_2", strength=3)


def brute_force_ranks(scores, candidates):
    return {
        item: 1 + sum((-scores[other], other) < (-scores[item], item) for other in candidates)
        for item in range(80)
    }


def test_recommend_gives_ranks_before_and_after(refined, data):
    listed = refined.recommend(15)
    seen = set(data.interactions[7].indices)
    unseen = [item for item in range(80) if item not in seen]
    before = brute_force_ranks(refined.scores_before, unseen)
    after = brute_force_ranks(refined.scores, unseen)
    columns = [list(data.item_ids).index(item) for item in listed["item"]]
    assert not seen & set(columns)
    assert list(listed["rank"]) == [after[column] for column in columns] == list(range(1, 16))
    assert list(listed["rank_before"]) == [before[column] for column in columns]
    assert listed["score"].is_monotonic_decreasing
    assert list(listed["name"]) == [f"<b>Film {column}</b>" for column in columns]


def test_before_is_the_explainers_own_list(refined, explainer):
    unrefined = FeedbackRefiner(explainer).refine("user_07")
    listed = explainer.recommend("user_07", 10)
    np.testing.assert_array_equal(unrefined.recommend(10)["item"], listed["item"])
    first = refined.recommend(80).sort_values("rank_before")
    np.testing.assert_array_equal(first["item"][:10], listed["item"])


def test_rank_of_an_item_seen_or_not(refined, data):
    listed = refined.recommend(5)
    assert [refined.rank(item) for item in listed["item"]] == [1, 2, 3, 4, 5]
    seen = data.interactions[7].indices
    best = seen[np.argmax(refined.scores[seen])]
    unseen = np.setdiff1d(np.arange(80), seen)
    expected = 1 + int((refined.scores[unseen] > refined.scores[best]).sum())
    assert refined.rank(data.item_ids[best]) == expected
    everywhere = 1 + int((refined.scores > refined.scores[best]).sum())
    assert refined.rank(data.item_ids[best], exclude_seen=False) == everywhere


def test_exclusions_leave_items_out(refined):
    listed = refined.recommend(6)
    shorter = refined.recommend(5, exclude=listed["item"][:1])
    np.testing.assert_array_equal(shorter["item"], listed["item"][1:])
    assert len(refined.recommend(80, exclude_seen=False)) == 80


def test_explain_explains_the_refined_user(refined, explainer):
    item = refined.recommend(1)["item"][0]
    explanation = refined.explain(item)
    # Of the taste; what is asked for only now is in the list alone.
    scores = explainer.extractor_.recommender_.score_items(refined.embedding[np.newaxis])[0]
    column = list(explainer.item_ids_).index(item)
    assert explanation.score == pytest.approx(scores[column])
    np.testing.assert_allclose(explanation.tag_preferences, refined.tag_preferences)
    parts = explanation.base_value + explanation.contributions.sum() + explanation.residual
    assert parts == pytest.approx(explanation.score, rel=1e-6)


def test_to_frame_says_what_was_asked_and_delivered(refined, explainer):
    frame = refined.to_frame().set_index("tag")
    spread, mean = explainer.population_std_, explainer.population_mean_
    order = list(explainer.tag_names_)
    np.testing.assert_allclose(
        frame["after"][order] * spread + mean, refined.tag_preferences, atol=1e-6
    )
    np.testing.assert_allclose(frame["requested"], frame["after"], atol=1e-4)
    np.testing.assert_allclose(frame["change"], frame["after"] - frame["before"])
    assert frame["change"].abs().is_monotonic_decreasing


def test_reads_as_text_and_html(refined):
    assert repr(refined) == "Refinement(user='user_07', feedback='more tag_1, less tag_2')"
    assert str(refined).startswith("user user_07: more tag_1, less tag_2\n")
    page = refined._repr_html_()
    assert "<b>Film" not in page
    assert "&lt;b&gt;Film" in page


def test_reads_as_text_without_interactions():
    users, items = np.random.RandomState(0).normal(size=(9, 3)), np.eye(4, 3)
    refiner = FeedbackRefiner(TPECRExplainer((users, items), np.eye(4, 2) + np.eye(4, 2, -2)))
    assert "rank_before" in str(refiner.refine(3, like="tag_0"))


def test_pickles(refined):
    again = pickle.loads(pickle.dumps(refined))
    assert again.recommend(10).equals(refined.recommend(10))


@pytest.mark.parametrize("n", [0, -1, 1.5, "3", True])
def test_bad_list_lengths_say_what_is_wrong(refined, n):
    with pytest.raises(ValueError, match="n must be a whole number of at least 1"):
        refined.recommend(n)


def test_unknown_items_say_what_is_near(refined):
    with pytest.raises(ValueError, match="unknown item 'item_1'; did you mean"):
        refined.rank("item_1")
    with pytest.raises(ValueError, match="unknown item 'item_1'; did you mean"):
        refined.explain("item_1")


def test_plot_draws_a_line_per_item(refined):
    ax = refined.plot(n=6)
    listed = refined.recommend(1000)
    either = (listed["rank_before"] <= 6) | (listed["rank"] <= 6)
    assert len(ax.lines) == either.sum()
    after = [line.get_ydata()[1] for line in ax.lines]
    assert after[:6] == listed["rank"][:6].tolist()


def test_a_tag_that_less_was_asked_of_is_no_reason():
    made = make_tagged_interactions(90, 60, 4, density=0.3, random_state=0)
    explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), made.item_tags)
    refiner = FeedbackRefiner(explainer.fit(made.interactions))
    found = 0
    for user in range(20):
        for item in made.item_ids[:6]:
            speaking = [each.tag for each in explainer.reasons(user, item) if each.speaks_for]
            if speaking:
                found += 1
                after = refiner.refine(user, dislike=speaking[0], strength=0.1).explain(item)
                assert speaking[0] not in [each.tag for each in after.reasons if each.speaks_for]
    assert found > 10
