"""Simulated conversations, against the same turns taken one by one."""

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD

from sktpecr import Conversation, FeedbackRefiner, TPECRExplainer
from sktpecr.datasets import make_tagged_interactions
from sktpecr.evaluation import evaluate_conversation, split_interactions

DATA = make_tagged_interactions(n_users=80, n_items=120, n_tags=6, density=0.1, random_state=0)
TRAIN, HELD_OUT = split_interactions(DATA.interactions, random_state=0)
EXPLAINER = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags).fit(
    TRAIN, user_ids=DATA.user_ids, train_users=DATA.user_ids[:60]
)
REFINER = FeedbackRefiner(EXPLAINER)
PAIRS = [(DATA.user_ids[user], DATA.item_ids[item]) for user, item in HELD_OUT if user >= 60][:30]

pytestmark = pytest.mark.filterwarnings("ignore:the list does not show")


def measured(refiners=REFINER, pairs=PAIRS, **settings):
    return evaluate_conversation(refiners, pairs, return_cases=True, max_turns=4, **settings)


@pytest.mark.parametrize("policy", ["most_misjudged", "random", "asked"])
def test_turns_are_those_of_a_conversation(policy):
    """Whoever says what the simulated user says sees the ranks that she sees."""
    cases = measured(policy=policy, noise=0.0)
    for (user, item), rows in cases.groupby(["user", "item"]):
        ranks = rows.sort_values("turn")["rank"].tolist()
        conversation = Conversation(EXPLAINER, user=user)
        listed = conversation.recommend(len(DATA.item_ids))
        assert listed.loc[listed["item"] == item, "rank"].tolist() == ranks[:1]
        if policy != "most_misjudged" or ranks[0] <= 10:
            continue
        # The tag by brute force: against the user's mean score, with the sign of the item's tags.
        has = DATA.item_tags.loc[item].to_numpy() > 0
        refinement = conversation.refinement
        above = refinement.tag_preferences - refinement.scores.mean()
        tag = int(np.argmax(np.where(has, -above, above)))
        said = {"like" if has[tag] else "dislike": DATA.item_tags.columns[tag]}
        after = REFINER.refine(user, **said, strength=1)
        assert after.rank(item) == ranks[1]


def test_who_sees_the_item_stops():
    cases = measured(policy="random", noise=0.0).sort_values(["user", "item", "turn"])
    for _, rows in cases.groupby(["user", "item"]):
        found = rows["success@10"].to_numpy()
        assert (np.diff(found) >= 0).all()
        assert (found == (rows["rank"] <= 10)).all()
        if found.any():
            first = int(found.argmax())
            assert (rows["turns"].to_numpy()[first:] == first).all()
            assert rows["rank"].to_numpy()[first:].std() == 0


def test_noise_turns_every_answer_round():
    right, wrong = (measured(policy="random", noise=noise) for noise in (0.0, 1.0))
    at_first = right["turn"] == 1
    ranks = (
        each.loc[at_first, "rank"].to_numpy() - each.loc[each["turn"] == 0, "rank"].to_numpy()
        for each in (right, wrong)
    )
    # One turn: what helps the one harms the other, for most.
    assert np.corrcoef(*ranks)[0, 1] < 0


def test_same_draws_for_every_refiner_and_run():
    twice = measured({"one": REFINER, "two": FeedbackRefiner(EXPLAINER)}, policy="random")
    one, two = (twice[twice["method"] == name].reset_index(drop=True) for name in ("one", "two"))
    assert one.drop(columns="method").equals(two.drop(columns="method"))
    assert measured(policy="random").equals(measured(policy="random"))


def test_strength_0_changes_nothing():
    cases = measured(strength=0.0)
    assert (cases.groupby(["user", "item"])["rank"].nunique() == 1).all()
    assert (cases["overlap@10"] == 1).all()


def test_summary_has_a_row_for_each_turn_and_metric():
    table = evaluate_conversation(REFINER, PAIRS, max_turns=2)
    found = table.set_index(["turn", "metric"])["mean"]
    assert found[0, "overlap@10"] == 1
    assert found[2, "success@10"] >= found[0, "success@10"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"policy": "shout"}, "policy"),
        ({"noise": 2}, "noise"),
        ({"noise": np.nan}, "noise"),
        ({"strength": -1}, "strength"),
        ({"k": 0}, "k must"),
        ({"pairs": []}, "pairs"),
        ({"pairs": [("nobody", DATA.item_ids[0])]}, "unknown user"),
        ({"pairs": [(DATA.user_ids[0], DATA.item_ids[0])]}, "the explainer learned from"),
    ],
)
def test_what_is_wrong_is_named(settings, message):
    with pytest.raises(ValueError, match=message):
        measured(**settings)
