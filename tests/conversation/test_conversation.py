"""Conversations against refine turn by turn, and against themselves: undone, forked, read again."""

import copy
import json
import pickle
import uuid

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import TruncatedSVD

from sktpecr import Conversation, FeedbackRefiner, TPECRExplainer
from sktpecr.datasets import make_tagged_interactions
from sktpecr.solvers import BayesianSolver

pytestmark = pytest.mark.filterwarnings("ignore:the list does not show")

DATA = make_tagged_interactions(n_users=60, n_items=80, n_tags=5, density=0.1, random_state=0)
TAGS = DATA.item_tags.columns.tolist()
ITEMS = list(DATA.item_ids)


def fitted(factors=8, seed=0, item_tags=DATA.item_tags, interactions=DATA.interactions):
    explainer = TPECRExplainer(TruncatedSVD(factors, random_state=seed), item_tags)
    return explainer.fit(interactions, user_ids=DATA.user_ids)


EXPLAINER = fitted()
USER = DATA.user_ids[3]


def state(conversation, told=None):
    """Return everything there is to see of a conversation, exactly; `told` keeps turns' dicts."""
    told = {} if told is None else told
    for turn in conversation.history:
        if turn not in told:
            told[turn] = turn.to_dict()
    refinement = conversation.refinement
    return (
        refinement.embedding.tobytes(),
        refinement.scores.tobytes(),
        conversation.recommend(len(ITEMS)).to_json(),
        conversation.rejected,
        conversation.hidden,
        [told[turn] for turn in conversation.history],
        str(conversation),
    )


@pytest.mark.parametrize("solver", ["auto", "bayesian", "online"])
def test_every_turn_is_refine_after_the_turns_before(solver):
    conversation = Conversation(EXPLAINER, user=USER, solver=solver)
    refiner = FeedbackRefiner(EXPLAINER, solver=solver)
    conversation.like(TAGS[1], strength=0.5)
    conversation.dislike({TAGS[2]: 2.0})
    conversation.set({TAGS[0]: 0.25})
    conversation.say(like=[TAGS[3]], dislike=[TAGS[1]])
    refined = refiner.refine(USER, like=TAGS[1], strength=0.5)
    refined = refiner.refine(after=refined, dislike={TAGS[2]: 2.0})
    refined = refiner.refine(after=refined, set={TAGS[0]: 0.25})
    refined = refiner.refine(after=refined, like=[TAGS[3]], dislike=[TAGS[1]])
    np.testing.assert_array_equal(conversation.refinement.embedding, refined.embedding)
    listed = refined.recommend(10)
    pd.testing.assert_frame_equal(
        conversation.recommend(10).drop(columns="rank_first"), listed.drop(columns="rank_before")
    )
    assert conversation.explain(ITEMS[0]).to_dict() == refined.explain(ITEMS[0]).to_dict()


TAG, ITEM = st.sampled_from(TAGS), st.sampled_from(ITEMS)
STRENGTH = st.sampled_from([0.0, 0.3, 1.0, 2.0])
OPERATION = st.one_of(
    st.tuples(st.just("like"), TAG, STRENGTH),
    st.tuples(st.just("dislike"), TAG, STRENGTH),
    st.tuples(st.just("set"), st.dictionaries(TAG, st.sampled_from([-1.0, 0.5]), max_size=1)),
    st.tuples(st.sampled_from(["like", "dislike"]), TAG),
    st.tuples(st.just("reject"), ITEM),
    st.tuples(st.just("hide"), st.just(TAGS[4])),
    st.tuples(st.sampled_from(["undo", "redo", "reset", "fail", "not_these", "forget"])),
)


def perform(conversation, operation):
    name, *arguments = operation
    if name == "fail":
        with pytest.raises(ValueError, match="unknown tag"):
            conversation.like("no such tag")
        return
    try:
        getattr(conversation, name)(*arguments)
    except ValueError as error:
        refused = str(error)
    else:
        return
    assert any(each in refused for each in ("there is no", "is hidden"))


@settings(max_examples=5, deadline=None)
@given(st.lists(OPERATION, min_size=50, max_size=50))
def test_undo_and_json_restore_the_state_after_any_50_operations(operations):
    conversation = Conversation(EXPLAINER, user=USER, n=5)
    # A turn never changes: it is asked when first seen, and once more at the end.
    begin, seen, told = state(conversation), {}, {}
    for operation in operations:
        perform(conversation, operation)
        # Of the turns that count, every prefix has a state, and only one.
        seen[conversation.history] = state(conversation, told)
    turns, now = conversation.history, state(conversation, told)
    again = Conversation.from_json(conversation.to_json(), EXPLAINER)
    assert state(again) == now
    assert again.to_json() == conversation.to_json()
    assert set(again.replay.items["change"]) == {"stays"}
    assert again.replay.left_out == ()
    for length in reversed(range(len(turns))):
        assert conversation.undo() is turns[length]
        assert state(conversation, told) == seen.get(turns[:length], begin)
    assert state(conversation) == begin
    for turn in turns:
        assert conversation.redo() is turn
    assert state(conversation, told) == now
    assert all(turn.to_dict() == first for turn, first in told.items())


def test_json_brings_what_was_undone_as_well():
    conversation = Conversation(EXPLAINER, user=USER)
    conversation.like(TAGS[0])
    conversation.dislike(TAGS[1])
    conversation.undo()
    before = state(conversation)
    again = Conversation.from_json(conversation.to_json(), EXPLAINER)
    assert state(again) == before
    again.redo()
    conversation.redo()
    assert state(again) == state(conversation)


def test_new_turn_forgets_what_was_undone():
    conversation = Conversation(EXPLAINER, user=USER)
    conversation.like(TAGS[0])
    conversation.reset().like(TAGS[1])
    assert [str(turn.said) for turn in conversation.history] == [f"more {TAGS[1]}"]
    with pytest.raises(ValueError, match="no turn to redo"):
        conversation.redo()
    conversation.undo()
    with pytest.raises(ValueError, match="no turn to undo"):
        conversation.undo()


def test_ids_that_are_uuids_are_kept():
    users, items = ([uuid.UUID(int=n) for n in range(size)] for size in (60, 80))
    explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags.set_axis(items))
    explainer.fit(DATA.interactions, user_ids=users)
    conversation = Conversation(explainer, users[3])
    conversation.reject(conversation.recommend(1)["item"][0])
    again = Conversation.from_json(conversation.to_json(), explainer)
    assert state(again) == state(conversation)
    text = conversation.to_json().replace(f'"{users[3]}"', "3")
    with pytest.raises(ValueError, match="an id must be a UUID, got 3"):
        Conversation.from_json(text, explainer)


def test_fork_goes_its_own_way():
    conversation = Conversation(EXPLAINER, user=USER)
    conversation.like(TAGS[0])
    before, other = state(conversation), conversation.fork()
    other.dislike(TAGS[1])
    other.reject(ITEMS[0])
    assert state(conversation) == before
    other.undo()
    other.undo()
    assert state(other) == before


def test_preview_is_the_turn_and_keeps_nothing():
    conversation = Conversation(EXPLAINER, user=USER)
    conversation.reject(conversation.recommend(1)["item"].iloc[0])
    before = state(conversation)
    seen = conversation.preview(like=TAGS[0], amount="more")
    assert state(conversation) == before
    assert conversation.like(TAGS[0]).to_dict() == seen.to_dict()


@pytest.mark.parametrize(
    "said",
    [
        {"like": TAGS[0]},
        {"dislike": TAGS[:2], "keep": 0.8},
        {"like": {TAGS[0]: 2.0, TAGS[1]: 1.0}, "dislike": TAGS[2]},
    ],
)
def test_preview_of_amounts_is_the_preview_of_each(said):
    conversation = Conversation(EXPLAINER, user=USER)
    conversation.like(TAGS[3])
    conversation.reject(conversation.recommend(1)["item"].iloc[0])
    before = state(conversation)
    seen = conversation.preview_amounts(**said)
    assert state(conversation) == before
    assert list(seen) == ["a bit", "more", "a lot"]
    for amount, turn in seen.items():
        alone = conversation.preview(**said, amount=amount)
        assert turn.to_dict() == alone.to_dict()
        assert turn.said == alone.said


def test_pairs_and_comparisons_are_kept_and_said():
    conversation = Conversation(EXPLAINER, user=USER)
    item = conversation.recommend(1)["item"].iloc[0]
    first = conversation.say(together=[tuple(TAGS[:2])], amount="a bit")
    second = conversation.say(less_than={TAGS[3]: item})
    assert str(first.said) == f"a bit more {TAGS[0]} with {TAGS[1]}"
    assert f"less {TAGS[3]} than " in second.to_text()
    again = Conversation.from_json(conversation.to_json(), EXPLAINER)
    assert state(again) == state(conversation)
    assert again.history[1].said == second.said
    asked = conversation.suggest_question(50)["tag"]
    assert TAGS[3] not in asked.tolist()
    broken = conversation.to_json().replace(f'["{TAGS[0]}", "{TAGS[1]}"]', '"nobody"')
    with pytest.raises(ValueError, match="together must be of lists of tags"):
        Conversation.from_json(broken, EXPLAINER)


def test_amounts_of_a_hidden_tag_are_refused():
    conversation = Conversation(EXPLAINER, user=USER)
    conversation.hide(TAGS[0])
    with pytest.raises(ValueError, match="is hidden in this conversation"):
        conversation.preview_amounts(like=TAGS[0])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"like": "tag1"}, "unknown tag 'tag1'; did you mean"),
        ({"like": TAGS[0], "dislike": TAGS[0]}, "contradicts itself"),
        ({"like": TAGS[0], "strength": np.nan}, "strength"),
        ({"set": {TAGS[0]: 0.0}, "units": "feet"}, "units"),
    ],
)
def test_failing_leaves_everything_as_it_was(wrong, message):
    conversation = Conversation(EXPLAINER, user=USER)
    conversation.like(TAGS[0])
    conversation.like(TAGS[1])
    conversation.undo()
    before, text = state(conversation), conversation.to_json()
    with pytest.raises(ValueError, match=message):
        conversation.say(**wrong)
    with pytest.raises(ValueError, match="unknown item"):
        conversation.reject("item")
    with pytest.raises(ValueError, match="unknown tag"):
        conversation.hide("tag")
    assert (state(conversation), conversation.to_json()) == (before, text)


def test_rejected_items_are_listed_no_more_and_say_nothing():
    conversation = Conversation(EXPLAINER, user=USER)
    item = conversation.recommend(3)["item"].iloc[1]
    embedding = conversation.refinement.embedding
    turn = conversation.reject(item)
    assert conversation.refinement.embedding is embedding
    assert item not in set(conversation.recommend(len(ITEMS))["item"])
    assert conversation.rejected == [item]
    row = turn.items.set_index("item").loc[item]
    assert (row["rank_before"], row["change"], row["rank"] is pd.NA) == (2, "leaves", True)
    assert turn.kept == 0.9
    assert not turn.tags["delivered"].any()
    conversation.like(TAGS[0])
    assert item not in set(conversation.recommend(len(ITEMS))["item"])


def test_not_these_turns_the_page_and_says_nothing():
    conversation = Conversation(EXPLAINER, user=USER, n=6)
    order = conversation.recommend(len(ITEMS))["item"].tolist()
    embedding = conversation.refinement.embedding
    turn = conversation.not_these()
    assert conversation.recommend(6)["item"].tolist() == order[6:12]
    assert turn.kept == 0
    assert conversation.refinement.embedding is embedding
    assert set(conversation.rejected) == set(order[:6])
    again = Conversation.from_json(conversation.to_json(), EXPLAINER)
    assert state(again) == state(conversation)
    conversation.undo()
    assert conversation.recommend(6)["item"].tolist() == order[:6]
    while len(conversation.recommend(6)):
        conversation.not_these()
    with pytest.raises(ValueError, match="nothing in the list"):
        conversation.not_these()


def test_forget_ends_what_was_only_for_now():
    conversation = Conversation(EXPLAINER, user=USER)
    conversation.like(TAGS[0], amount="a lot")
    conversation.say(until={TAGS[1]: 5})
    conversation.reject(ITEMS[7])
    embedding = conversation.refinement.embedding
    conversation.forget()
    assert conversation.refinement.embedding is embedding
    own = EXPLAINER.extractor_.recommender_.score_items(embedding[np.newaxis])[0]
    np.testing.assert_array_equal(conversation.refinement.scores, own)
    assert conversation.rejected == [ITEMS[7]]
    assert TAGS[0] not in set(conversation.suggest_question(5)["tag"])
    again = Conversation.from_json(conversation.to_json(), EXPLAINER)
    assert state(again) == state(conversation)


def test_a_like_shows_where_no_number_is_given():
    for say, way in (("like", 1), ("dislike", -1)):
        conversation = Conversation(EXPLAINER, user=USER)
        listed = conversation.recommend(10)["item"]
        before = DATA.item_tags.loc[listed, TAGS[1]].sum()
        turn = getattr(conversation, say)(TAGS[1])
        after = DATA.item_tags.loc[conversation.recommend(10)["item"], TAGS[1]].sum()
        assert way * (after - before) >= min(2, before if way < 0 else 10 - before)
        assert turn.said.amount == "more"
    assert conversation.like(TAGS[2], strength=2.0).said.amount is None
    assert conversation.like({TAGS[3]: 2.0}).said.amount is None
    assert Conversation(EXPLAINER, user=USER, solver="bayesian").like(TAGS[2]).said.amount is None


def test_how_much_becomes_taste_is_saved():
    conversation = Conversation(EXPLAINER, user=USER, long_term=0.0)
    conversation.like(TAGS[1])
    own = EXPLAINER.user_embeddings_[3].astype(float)
    np.testing.assert_array_equal(conversation.refinement.embedding, own)
    again = Conversation.from_json(conversation.to_json(), EXPLAINER)
    assert state(again) == state(conversation)


def test_hidden_tags_are_never_shown():
    conversation = Conversation(EXPLAINER, user=USER)
    conversation.like(TAGS[0])
    whole = conversation.explain(ITEMS[5])
    before = conversation.recommend(10)
    conversation.hide(TAGS[2])
    turn = conversation.like(TAGS[1])
    conversation.hide(TAGS[3])
    shown = conversation.undo() and conversation.undo() and conversation.explain(ITEMS[5])
    pd.testing.assert_frame_equal(before, conversation.recommend(10))
    texts = (str(shown), shown.to_text(), str(shown.to_dict()), str(turn), str(turn.to_dict()))
    assert not any(TAGS[2] in text for text in texts)
    assert TAGS[2] not in set(conversation.suggest_question(len(TAGS))["tag"])
    # What the tag contributes has not gone, it has lost its name.
    total = shown.base_value + shown.contributions.sum() + shown.residual
    assert total == pytest.approx(whole.value, rel=1e-9)
    hidden = whole.contributions[TAGS.index(TAGS[2])]
    assert shown.residual - whole.residual == pytest.approx(hidden, abs=1e-12)
    with pytest.raises(ValueError, match="is hidden"):
        conversation.like(TAGS[2])


def test_explanation_with_every_tag_hidden():
    conversation = Conversation(EXPLAINER, user=USER)
    for tag in TAGS:
        turn = conversation.hide(tag)
    explanation = conversation.explain(ITEMS[5])
    assert "All its tags are hidden" in explanation.to_text()
    assert len(conversation.suggest_question()) == 0
    assert len(turn.tags) == 0


def test_turn_says_what_changed_by_plain_loops():
    conversation = Conversation(EXPLAINER, user=USER, n=6)
    conversation.reject(ITEMS[7])
    before, first = conversation.refinement, conversation.recommend(len(ITEMS))
    turn = conversation.set({TAGS[1]: 2.0})
    after, second = conversation.refinement, conversation.recommend(len(ITEMS))
    ranks = {"before": list(first["item"]), "after": list(second["item"])}
    top = {when: items[:6] for when, items in ranks.items()}
    for _, row in turn.items.iterrows():
        assert ranks["before"].index(row["item"]) + 1 == row["rank_before"]
        assert ranks["after"].index(row["item"]) + 1 == row["rank"]
        was, is_there = row["item"] in top["before"], row["item"] in top["after"]
        expected = "stays" if was and is_there else "leaves" if was else "enters"
        assert row["change"] == expected
    assert set(turn.items["item"]) == set(top["before"]) | set(top["after"])
    assert turn.kept == len(set(top["before"]) & set(top["after"])) / 6
    std, mean = EXPLAINER.population_std_, EXPLAINER.population_mean_
    changes = dict(zip(TAGS, (after.tag_preferences - before.tag_preferences) / std, strict=True))
    tags = turn.tags.set_index("tag")
    assert tags.index[0] == TAGS[1]
    assert tags["said"].tolist() == ["set", *[""] * 4]
    assert tags["delivered"].to_dict() == pytest.approx(changes)
    asked = 2.0 - (before.tag_preferences[1] - mean[1]) / std[1]
    assert tags["asked"].iloc[0] == pytest.approx(asked)
    sizes = tags["delivered"].abs().tolist()[1:]
    assert sizes == sorted(sizes, reverse=True)
    json.dumps(turn.to_dict())


@pytest.mark.parametrize(
    "who",
    [
        {"interactions": ITEMS[:4]},
        {"interactions": np.eye(1, 80, 3) * 2.5},
        {"interactions": DATA.interactions[5].astype(np.float32)},
        {"tags": {TAGS[0]: 1, TAGS[1]: -0.5}},
        {"tags": {}},
    ],
)
def test_somebody_new_is_the_same_after_json(who):
    conversation = Conversation(EXPLAINER, **who)
    refined = FeedbackRefiner(EXPLAINER).refine(**who)
    np.testing.assert_array_equal(conversation.refinement.embedding, refined.embedding)
    conversation.set({TAGS[1]: 0.5})
    again = Conversation.from_json(conversation.to_json(), EXPLAINER)
    assert state(again) == state(conversation)


def test_only_candidates_are_listed_and_counted_also_after_json():
    found = ITEMS[::3]
    conversation = Conversation(EXPLAINER, USER, candidates=found, n=5)
    turn = conversation.like(TAGS[1], amount="a lot")
    conversation.not_these()
    again = Conversation.from_json(conversation.to_json(), EXPLAINER)
    assert state(again) == state(conversation)
    seen = set(DATA.interactions[3].indices)
    listed = conversation.recommend(len(ITEMS))["item"]
    assert set(listed) == {i for i in found if ITEMS.index(i) not in seen} - set(
        turn.items.query("change != 'leaves'")["item"]
    )
    # A model that has lost some of them says which.
    fewer = fitted(item_tags=DATA.item_tags, interactions=DATA.interactions)
    document = json.loads(conversation.to_json())
    document["candidates"].append("gone")
    replayed = Conversation.from_json(json.dumps(document), fewer).replay
    assert replayed.left_out == ("item 'gone'",)
    with pytest.raises(ValueError, match="candidates must have at least one item id, got none"):
        Conversation(EXPLAINER, USER, candidates=[])


@pytest.mark.parametrize("given", [{"candidates": ITEMS[:9]}, {"exclude": ITEMS}, {"n": 3}])
def test_a_turn_says_nothing_but_feedback(given):
    conversation = Conversation(EXPLAINER, USER)
    for call in (conversation.say, conversation.preview):
        message = rf"say and preview take like, .*, got '{next(iter(given))}'"
        with pytest.raises(TypeError, match=message):
            call(like=TAGS[1], **given)
    assert conversation.history == ()


def test_another_model_hears_the_same_and_says_what_changed():
    conversation = Conversation(EXPLAINER, user=USER, n=8)
    conversation.like([TAGS[0], TAGS[4]])
    conversation.reject(ITEMS[2])
    conversation.dislike(TAGS[4])
    conversation.like(TAGS[1])
    conversation.undo()
    listed = conversation.recommend(8)["item"].tolist()
    # The nightly retrain: other factors, without one tag and one item.
    kept = DATA.item_ids != ITEMS[2]
    other = fitted(
        factors=6,
        seed=1,
        item_tags=DATA.item_tags.loc[kept, TAGS[:4]],
        interactions=DATA.interactions[:, kept],
    )
    again = Conversation.from_json(conversation.to_json(), other)
    refined = FeedbackRefiner(other).refine(USER, like=TAGS[0])
    np.testing.assert_array_equal(again.refinement.embedding, refined.embedding)
    assert again.replay.left_out == (
        f"tag {TAGS[4]!r} in turn 1",
        f"item {ITEMS[2]!r} in turn 2",
        f"tag {TAGS[4]!r} in turn 3",
    )
    assert str(again.redo().said) == f"more {TAGS[1]}"
    again.undo()
    items, now = again.replay.items, again.recommend(8)["item"].tolist()
    for _, row in items.iterrows():
        was, is_there = row["item"] in listed, row["item"] in now
        assert (row["rank_before"] is not pd.NA, row["rank"] is not pd.NA) == (was, is_there)
    assert set(items["item"]) == set(listed) | set(now)
    assert "left out: tag" in repr(again.replay)
    # What it does not know is kept as it was said, and marked; a model that knows it hears it all.
    assert [turn.left_out for turn in again.history] == [
        (f"tag {TAGS[4]!r}",),
        (f"item {ITEMS[2]!r}",),
        (f"tag {TAGS[4]!r}",),
    ]
    assert all(str(turn) and turn.to_dict() for turn in again.history)
    back = Conversation.from_json(again.to_json(), EXPLAINER)
    assert state(back) == state(conversation)
    assert back.replay.left_out == ()


def test_a_turn_that_another_model_refuses_is_kept_and_marked():
    factors = EXPLAINER.user_embeddings_, EXPLAINER.tag_model_.recommender.item_embeddings
    knows, does_not = (TPECRExplainer(factors, DATA.item_tags) for _ in range(2))
    conversation = Conversation(knows.fit(DATA.interactions), user=3, solver="closed_form")
    conversation.like(TAGS[0])
    conversation.dislike(TAGS[1])
    conversation.like(TAGS[2])
    # Without a history it cannot be told what a dislike is to leave as it is.
    again = Conversation.from_json(conversation.to_json(), does_not)
    refined = FeedbackRefiner(does_not, solver="closed_form").refine(3, like=TAGS[0])
    refined = FeedbackRefiner(does_not, solver="closed_form").refine(after=refined, like=TAGS[2])
    np.testing.assert_array_equal(again.refinement.embedding, refined.embedding)
    marks = [bool(turn.left_out) for turn in again.history]
    assert marks == [False, True, False]
    assert "refuses (dislike needs the user" in again.history[1].left_out[0]
    assert again.history[1].kept == 1.0
    assert not again.history[1].tags["delivered"].any()
    again.like(TAGS[3])  # it goes on
    assert len(Conversation.from_json(again.to_json(), knows).history) == 4


def test_of_many_turns_few_states_are_kept_and_all_are_reached_to_the_last_bit():
    conversation = Conversation(EXPLAINER, user=USER, n=5)
    scores, held = [conversation.refinement.scores.tobytes()], []
    for number in range(70):
        if number % 3:
            conversation.like(TAGS[number % 5], amount="a bit")
        else:
            conversation.dislike({TAGS[number % 5]: 0.1})
        scores.append(conversation.refinement.scores.tobytes())
        held.append(conversation.nbytes / (8 * len(ITEMS)))
    # A state holds less than three numbers for an item: one in 16 is kept, and 12 of late.
    assert max(held) < 3 * (70 / 16 + 12 + 1)
    for number in reversed(range(70)):
        conversation.undo()
        assert conversation.refinement.scores.tobytes() == scores[number]
    while conversation.undone:
        conversation.redo()
    assert conversation.refinement.scores.tobytes() == scores[70]
    for turn in conversation.history:  # each asks for states long gone
        assert turn.to_text()
    assert conversation.nbytes / (8 * len(ITEMS)) < 3 * (70 / 16 + 12 + 1)


def test_turns_have_a_cap():
    conversation = Conversation(EXPLAINER, user=USER)
    for _ in range(300):
        conversation.hide(TAGS[4])
    with pytest.raises(ValueError, match="at most 300 turns; undo some, or begin another one"):
        conversation.hide(TAGS[4])
    assert len(conversation.history) == 300
    conversation.undo()
    conversation.reject(ITEMS[0])
    document = json.loads(conversation.to_json())
    document["turns"] *= 2
    with pytest.raises(ValueError, match="it has 600 turns, and a conversation has at most 300"):
        Conversation.from_json(json.dumps(document), EXPLAINER)


def test_ids_of_text_and_number_are_kept_apart():
    ids, names = [1, "2", 2.5, ("a", 1)], [7, "8", ("x", 2), 0.5]
    tags = pd.DataFrame(np.eye(4) + 0.2, index=pd.Index(ids, tupleize_cols=False))
    tags.columns = pd.Index(names, tupleize_cols=False)
    rng = np.random.RandomState(0)
    explainer = TPECRExplainer((rng.normal(size=(6, 3)), rng.normal(size=(4, 3))), tags)
    explainer.fit(np.eye(6, 4), user_ids=[1, "2", ("u", 1), 3.5, "é", -1])
    for user in (1, "2", ("u", 1), "é"):
        conversation = Conversation(explainer, user=user)
        for item, tag in zip(ids[:2], names[:3], strict=False):
            conversation.reject(item)
            conversation.set({tag: 0.1})
        again = Conversation.from_json(conversation.to_json(), explainer)
        assert again.user == user
        assert again.rejected == ids[:2]
        assert state(again) == state(conversation)


def test_ids_that_json_cannot_keep():
    stamps = pd.date_range("2026-01-01", periods=4)
    explainer = TPECRExplainer((np.eye(4, 3), np.eye(4, 3) + 0.1)).fit(np.eye(4), user_ids=stamps)
    with pytest.raises(ValueError, match="JSON keeps ids and names that are text"):
        Conversation(explainer, user=stamps[0]).to_json()


GOOD = json.loads(Conversation(EXPLAINER, user=USER).to_json())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "version 2, and this sktpecr reads version 1"),
        ({"version": True}, "version True"),
        ({"format": "other"}, '"format"'),
        ({"turns": {}}, "turns must be a list"),
        ({"turns": [[]]}, "turn 1: a turn must be an object"),
        ({"turns": [{"run": "x"}]}, "turn 1: a turn has nothing named 'run'"),
        ({"turns": [{"like": [["tag_0", "much"]]}], "position": 1}, "turn 1: like must be"),
        ({"turns": [{"like": [["tag_0", -1]]}], "position": 1}, "turn 1: .*at least 0"),
        ({"turns": [{"like": "tag_0"}]}, r"turn 1: like must be a list of \[id, number\]"),
        ({"turns": [{"like": [["tag_0", 1], ["tag_0", 2]]}]}, "names an id twice"),
        ({"turns": [{"reject": True}]}, "turn 1: an id must be text or a number"),
        ({"turns": [{"reject": "a", "hide": "b"}]}, "does nothing else"),
        ({"turns": [{"forget": True, "hide": "b"}]}, "does nothing else"),
        ({"turns": [{"forget": 1}]}, "turn 1: forget must be true"),
        ({"turns": [{"not_these": "abc"}]}, "turn 1: not_these must be a list"),
        ({"turns": [{"like": [["tag_0", 1]], "amount": []}], "position": 1}, "amount must be"),
        ({"turns": [{"until": [["tag_0", 1.5]]}], "position": 1}, "until.* whole number"),
        ({"turns": [{"until": [["tag_0", 1]], "keep": 2}], "position": 1}, "keep must be"),
        ({"long_term": 2}, "'long_term' parameter"),
        ({"turns": [{"set": [["tag_0", 1]], "units": []}], "position": 1}, "units must be"),
        ({"position": 1}, "position must be a whole number from 0 to 0"),
        ({"n": 0}, "n must be a whole number from 1"),
        ({"user": "nobody"}, "unknown user"),
        ({"user": None}, "an id must be"),
        ({"tags": []}, "one of user, interactions, tags"),
        ({"more": 1}, "it must have"),
        ({"solver": ["auto"]}, "solver must be a name"),
        ({"solver": "os.system"}, "'solver' parameter"),
        ({"list": "abc"}, "list must be a list"),
    ],
)
def test_hostile_json_gets_a_clear_error(change, message):
    with pytest.raises(ValueError, match=message):
        Conversation.from_json(json.dumps(GOOD | change), EXPLAINER)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "[" * 100_000, "1" * 5000, "NaN"])
def test_text_that_is_no_conversation(text):
    with pytest.raises(ValueError, match="text "):
        Conversation.from_json(text, EXPLAINER)
    with pytest.raises(ValueError, match="got bytes"):
        Conversation.from_json(text.encode(), EXPLAINER)


def test_solver_of_ones_own_is_named_and_asked_for():
    solver = BayesianSolver(noise=2.0)
    conversation = Conversation(EXPLAINER, user=USER, solver=solver)
    conversation.like(TAGS[0])
    text = conversation.to_json()
    with pytest.raises(ValueError, match="'solver' parameter"):
        Conversation.from_json(text, EXPLAINER)
    assert state(Conversation.from_json(text, EXPLAINER, solver=solver)) == state(conversation)


def test_explainer_fitted_again_ends_the_conversation():
    explainer = fitted()
    conversation = Conversation(explainer, user=USER)
    conversation.like(TAGS[0])
    before = state(conversation)
    explainer.fit(DATA.interactions[:, ::-1], user_ids=DATA.user_ids)
    with pytest.raises(ValueError, match="give the feedback again to the newly fitted one"):
        conversation.like(TAGS[1])
    assert state(conversation) == before
    assert Conversation.from_json(conversation.to_json(), explainer).like(TAGS[1])


def test_questions_leave_out_what_was_answered():
    conversation = Conversation(EXPLAINER, user=USER)
    expected = EXPLAINER.suggest_question(USER, n=5)
    pd.testing.assert_frame_equal(conversation.suggest_question(5), expected)
    for said in range(5):
        tag = conversation.suggest_question()["tag"].iloc[0]
        conversation.set({tag: 0.0})
        assert len(conversation.suggest_question(5)) == 4 - said


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_tag_one_user_and_a_tag_of_no_spread(dtype):
    rng = np.random.RandomState(0)
    factors = rng.normal(size=(1, 3)).astype(dtype), rng.normal(size=(6, 3)).astype(dtype)
    tags = np.column_stack([[1, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0]])
    for item_tags in (tags[:, :1], tags):
        explainer = TPECRExplainer(factors, item_tags).fit(np.eye(1, 6))
        conversation = Conversation(explainer, user=0)
        turn = conversation.like("tag_0")
        assert np.isfinite(turn.tags[["asked", "delivered"]]).all(axis=None)
        assert str(turn)
        assert state(Conversation.from_json(conversation.to_json(), explainer)) == state(
            conversation
        )


def test_without_interactions_nothing_is_known_of_what_was_seen():
    rng = np.random.RandomState(0)
    explainer = TPECRExplainer((rng.normal(size=(5, 3)), rng.normal(size=(9, 3))), np.eye(9, 2))
    conversation = Conversation(explainer, user=2, solver="closed_form")
    assert len(conversation.recommend(100)) == 9
    conversation.like("tag_0")
    with pytest.raises(ValueError, match="dislike needs the user's history"):
        conversation.dislike("tag_1")
    assert len(conversation.history) == 1


def test_copies_and_pickles_stand_where_it_stands():
    conversation = Conversation(EXPLAINER, user=USER)
    conversation.like(TAGS[0])
    before = state(conversation)
    for other in (copy.copy(conversation), pickle.loads(pickle.dumps(conversation))):
        assert state(other) == before
        other.dislike(TAGS[1])
    assert state(conversation) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "exactly one of user"),
        ({"user": USER, "tags": {}}, "exactly one of user"),
        ({"user": [USER]}, "user must be one user id, got list"),
        ({"user": USER, "n": 0}, "n must be a whole number"),
        ({"user": USER, "solver": "best"}, "solver"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        Conversation(EXPLAINER, **arguments)
