"""The default of refine: a share of an answer becomes taste, all of it counts for now."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import TruncatedSVD

from sktpecr import Conversation, FeedbackRefiner, TPECRExplainer
from sktpecr.datasets import load_movielens, make_tagged_interactions
from sktpecr.solvers import ClosedFormSolver

DATA = make_tagged_interactions(120, 150, 6, random_state=0)
TAGS = list(DATA.item_tags.columns)
EXPLAINER = TPECRExplainer(TruncatedSVD(12, random_state=0), DATA.item_tags).fit(
    DATA.interactions, user_ids=DATA.user_ids
)
REFINER = FeedbackRefiner(EXPLAINER)
HAS = DATA.item_tags.to_numpy() > 0


class NoDotProduct:
    """A box whose scores have a ceiling, and no gradients."""

    def __init__(self):
        self.user_embeddings = EXPLAINER.user_embeddings_.astype(float)
        self._items = EXPLAINER.extractor_.recommender_.item_embeddings.astype(float)

    def score_items(self, embeddings, items=None):
        items = slice(None) if items is None else items
        return np.tanh(3 * np.asarray(embeddings) @ self._items[items].T)


def tau(scores):
    """Return what one nat of evidence is worth in the unit of the scores."""
    scores = np.asarray(scores, dtype=float)
    return 2.5 * (scores.max() - scores.mean()) / np.log(len(scores))


def carrying(refined, tag, n=10):
    """Return how many of a tag's items are in the list before and after."""
    everything = refined.recommend(len(HAS))
    return tuple(
        int(DATA.item_tags.loc[everything["item"][everything[rank] <= n], tag].sum())
        for rank in ("rank_before", "rank")
    )


def by_the_formula(embedding, said):
    """Return prior and likelihood of answers, one item at a time, up to a constant."""
    prior = EXPLAINER.extractor_.recommender_.score_items(embedding[np.newaxis])[0].astype(float)
    worth = prior / tau(prior)
    for tag, strength in said.items():
        for item in range(len(HAS)):
            fits = HAS[item, TAGS.index(tag)] == (strength > 0)
            worth[item] += abs(strength) * np.log(0.95 if fits else 0.05)
    return worth


WAY = st.tuples(st.sampled_from([-1, 1]), st.floats(0.1, 3.0)).map(lambda each: each[0] * each[1])


@given(
    user=st.sampled_from(list(DATA.user_ids)),
    said=st.dictionaries(st.sampled_from(TAGS), WAY, min_size=1, max_size=3),
)
@settings(max_examples=30, deadline=None)
def test_scores_are_the_posterior_and_the_embedding_the_closed_form_at_half(user, said):
    like = {tag: strength for tag, strength in said.items() if strength > 0}
    dislike = {tag: -strength for tag, strength in said.items() if strength < 0}
    refined = REFINER.refine(user, like, dislike)
    half = FeedbackRefiner(EXPLAINER, solver="closed_form").refine(
        user, like, dislike, strength=0.5
    )
    np.testing.assert_allclose(refined.embedding, half.embedding, rtol=1e-9)
    worth = by_the_formula(refined.embedding, said)
    scale = tau(half.scores)
    difference = refined.scores / scale - worth
    np.testing.assert_allclose(difference, difference[0], atol=1e-5)


@pytest.mark.parametrize("long_term", [0.0, 0.25, 1.0])
def test_long_term_is_the_share_that_becomes_taste(long_term):
    refined = FeedbackRefiner(EXPLAINER, long_term=long_term).refine(
        "user_003", like="tag_1", strength=1
    )
    taste = FeedbackRefiner(EXPLAINER, solver="closed_form").refine(
        "user_003", like="tag_1", strength=long_term
    )
    np.testing.assert_array_equal(refined.embedding, taste.embedding)
    np.testing.assert_array_equal(refined.forget().scores, taste.scores)


def test_strength_0_changes_nothing_exactly_and_little_strength_little():
    own = EXPLAINER.extractor_.recommender_.score_items(EXPLAINER.user_embeddings_[[3]])[0]
    for said in ({}, {"like": "tag_1"}, {"dislike": "tag_1"}, {"like": "tag_1", "amount": "more"}):
        np.testing.assert_array_equal(REFINER.refine("user_003", **said, strength=0).scores, own)
    moves = [
        np.abs(REFINER.refine("user_003", like="tag_1", strength=each).scores - own).max()
        for each in (1e-2, 1e-4)
    ]
    assert moves[0] == pytest.approx(100 * moves[1], rel=0.05)


@pytest.mark.parametrize("amount", ["a bit", "more", "a lot"])
@pytest.mark.parametrize("kind", ["like", "dislike"])
def test_an_amount_is_seen_in_the_list(kind, amount):
    step, n_met = {"a bit": 1, "more": 2, "a lot": 4}[amount], 0
    for user in DATA.user_ids[:30]:
        for tag in TAGS:
            refined = REFINER.refine(user, **{kind: tag}, amount=amount)
            before, after = carrying(refined, tag)
            kept = (refined.recommend(10)["rank_before"] <= 10).sum()
            if kind == "like":
                assert after >= min(before + step, 10) or kept == 5
                assert after > before or before == 10
            else:
                wanted = before - step if amount == "a bit" else min(before - step, before // 2)
                assert after <= max(wanted, 0) or kept == 5
                assert after < before or before == 0
            assert kept >= 5
            # Who asks for what the list is already loses nothing of it.
            if before == (10 if kind == "like" else 0):
                n_met += 1
                assert kept == 10
                assert "already" in refined.to_text() or "has no tag" in refined.to_text()
    assert n_met > (10 if kind == "dislike" else 0)


def test_all_of_a_rare_tag_in_the_list_is_all_there_is():
    rare = DATA.item_tags.assign(rare=0.0)
    for user in DATA.user_ids[:10]:
        best = EXPLAINER.recommend(user, 3)["item"]
        tags = rare.assign(rare=rare.index.isin(best).astype(float))
        refiner = FeedbackRefiner(
            TPECRExplainer(TruncatedSVD(12, random_state=0), tags).fit(
                DATA.interactions, user_ids=DATA.user_ids
            )
        )
        text = refiner.refine(user, like="rare", strength=8.0, amount="more").to_text()
        assert text == "Your first 10 stayed. Your list has 3 of rare; the catalogue has 3."


@pytest.mark.parametrize("keep", [0.5, 0.8])
def test_taste_costs_at_most_half_of_what_the_list_may_lose(keep):
    recommender, closed = EXPLAINER.extractor_.recommender_, ClosedFormSolver()
    shares = []
    for row, user in enumerate(DATA.user_ids[:30]):
        for tag in TAGS:
            # Strong, so that it has to be spared.
            refined = REFINER.refine(user, like=tag, strength=8.0, amount="more", keep=keep)
            full = FeedbackRefiner(EXPLAINER, solver=closed).refine(user, like=tag, strength=4.0)
            own = EXPLAINER.user_embeddings_[row]
            way = full.embedding - own
            share = (refined.embedding - own) @ way / (way @ way)
            np.testing.assert_allclose(refined.embedding, own + share * way, atol=1e-5)
            shares.append(round(float(np.log2(share)), 3))
            scores = np.array(recommender.score_items(np.array([own, refined.embedding])))
            scores[:, DATA.interactions[row].indices] = -np.inf
            first, now = (set(np.argsort(-each, kind="stable")[:10].tolist()) for each in scores)
            assert len(first & now) >= (1 + keep) / 2 * 10 or share <= 2**-6
    assert {0.0, -1.0} <= set(shares) <= set(map(float, range(-6, 1)))


def test_without_a_number_more_is_meant():
    for said in ({"like": "tag_1"}, {"dislike": ["tag_1", "tag_2"]}, {"until": {"tag_1": 3}}):
        more = REFINER.refine("user_003", **said, amount="more")
        refined = REFINER.refine("user_003", **said)
        np.testing.assert_array_equal(refined.scores, more.scores)
        assert (REFINER.preview("user_003", like="tag_1")["change"] == "enters").sum() >= 2
    number = REFINER.refine("user_003", like={"tag_1": 1.0})
    np.testing.assert_array_equal(
        number.scores, REFINER.refine("user_003", like="tag_1", strength=1).scores
    )


def test_until_asks_for_a_number():
    for count in range(8):
        refined = REFINER.refine("user_003", until={"tag_1": count}, keep=0.0)
        assert carrying(refined, "tag_1")[1] == count
        assert str(refined.feedback) == f"{count} of tag_1"
    refined = REFINER.refine("user_003", until={"tag_1": 4}, n=5, keep=0.0)
    assert carrying(refined, "tag_1", n=5)[1] == 4


def both(refined, tags, n=10):
    listed = refined.recommend(n)["item"]
    return int((DATA.item_tags.loc[listed, list(tags)] > 0).all(axis=1).sum())


def test_tags_liked_together_come_on_one_item():
    pair = tuple(TAGS[:2])
    nothing = REFINER.refine("user_003", like={TAGS[0]: 0.0})
    more = REFINER.refine("user_003", together=pair)
    assert both(more, pair) == min(both(nothing, pair) + 2, 10)
    np.testing.assert_array_equal(more.embedding, nothing.embedding)
    assert str(more.feedback) == f"more {pair[0]} with {pair[1]}"
    # By the formula where a number is given: as many answers.
    twice = REFINER.refine("user_003", together={pair[::-1]: 2.0})
    on_both = (DATA.item_tags[list(pair)] > 0).all(axis=1).to_numpy()
    gain = twice.scores - nothing.scores
    np.testing.assert_allclose(gain[~on_both], 0.0, atol=1e-5)
    expected = 2.0 * tau(nothing.scores) * np.log(0.95 / 0.05)
    np.testing.assert_allclose(gain[on_both], expected, rtol=1e-4)


def test_less_of_a_tag_than_an_item_has():
    weights = DATA.item_tags * np.linspace(1.0, 2.0, len(DATA.item_tags))[:, np.newaxis]
    explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), weights).fit(DATA.interactions)
    refiner, tag = FeedbackRefiner(explainer), TAGS[0]
    before = refiner.refine(3, like={tag: 0.0})
    item = int(np.median(np.flatnonzero(weights[tag] > 0)))
    item = int(
        np.flatnonzero(weights[tag] > 0)[np.searchsorted(np.flatnonzero(weights[tag]), item)]
    )
    refined = refiner.refine(3, less_than={tag: weights.index[item]})
    gain = refined.scores - before.scores
    as_much = weights[tag].to_numpy() >= weights[tag].iloc[item]
    assert 0 < as_much.sum() < (weights[tag] > 0).sum()
    np.testing.assert_allclose(gain[~as_much], 0.0, atol=1e-5)
    expected = tau(before.scores) * np.log(0.05 / 0.95)
    np.testing.assert_allclose(gain[as_much], expected, rtol=1e-4)
    assert str(refined.feedback) == f"less {tag} than {weights.index[item]}"


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"together": ["tag_1"]}, "together must hold tuples of at least two tag names"),
        ({"together": ("tag_1", "tag_1")}, "together must hold tuples of at least two tag names"),
        ({"together": ("tag_1", "tag1")}, "unknown tag 'tag1'"),
        ({"together": {("tag_1", "tag_2"): -1.0}}, "together.* must be at least 0"),
        ({"less_than": "tag_1"}, "less_than must be a dict of tag to item, got str"),
        ({"less_than": {"tag_1": "nothing"}}, "unknown item 'nothing'"),
        ({"like": "tag_1", "less_than": {"tag_1": DATA.item_ids[0]}}, "both like and less_than"),
    ],
)
def test_bad_pairs_and_comparisons_say_what_is_wrong(said, message):
    with pytest.raises(ValueError, match=message):
        REFINER.refine("user_003", **said)


def test_what_may_not_be_listed_does_not_count():
    first = REFINER.refine("user_003", like="tag_1", amount="more")
    came = first.recommend(10)["item"][first.recommend(10)["rank_before"] > 10].tolist()
    again = REFINER.refine("user_003", like="tag_1", amount="more", exclude=came)
    listed = again.recommend(10, exclude=came)
    assert not set(listed["item"]) & set(came)
    more = DATA.item_tags.loc[listed["item"], "tag_1"].sum()
    assert more >= carrying(again, "tag_1")[0] + 2


def test_earlier_answers_stay_in_force():
    said = [({"like": ["tag_1"]}, "tag_1", 1.0), ({"dislike": ["tag_2"]}, "tag_2", -2.0)]
    first = REFINER.refine("user_003", like="tag_1", strength=1)
    second = REFINER.refine(after=first, dislike="tag_2", strength=2.0)
    worth = by_the_formula(second.embedding, {tag: strength for _, tag, strength in said})
    order = np.argsort(-second.scores, kind="stable")[:40]
    np.testing.assert_allclose(worth[order], np.sort(worth)[::-1][:40], atol=1e-4)
    np.testing.assert_array_equal(second.scores_before, first.scores)
    assert (second.forget().embedding == second.embedding).all()
    assert REFINER.refine(after=second.forget(), like="tag_3").scores_before.std() > 0


def test_boxes_without_a_dot_product_or_a_history_hear_it_too():
    explainer = TPECRExplainer(NoDotProduct(), DATA.item_tags, generator=EXPLAINER.generator_)
    explainer.fit(DATA.interactions, user_ids=DATA.user_ids)
    for long_term in (0.0, 0.5):
        refiner = FeedbackRefiner(explainer, long_term=long_term)
        before, after = carrying(refiner.refine("user_003", like="tag_1", amount="more"), "tag_1")
        assert after >= before + 2
    factors = EXPLAINER.user_embeddings_, EXPLAINER.extractor_.recommender_.item_embeddings
    unread = FeedbackRefiner(TPECRExplainer(factors, DATA.item_tags))
    refined = unread.refine(3, dislike="tag_1", strength=1)
    np.testing.assert_array_equal(refined.embedding, EXPLAINER.user_embeddings_[3])
    listed = refined.recommend(10, exclude_seen=False)["item"]
    assert not DATA.item_tags.loc[listed, "tag_1"].any()


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"like": "tag_1", "amount": "lots"}, "amount must be one of 'a bit', 'more', 'a lot'"),
        ({"like": "tag_1", "amount": 2}, "amount must be one of"),
        ({"until": {"tag_1": -1}}, r"until\['tag_1'\] must be a whole number of at least 0"),
        ({"until": {"tag_1": 1.5}}, r"until\['tag_1'\] must be a whole number"),
        ({"until": ["tag_1"]}, "until must be a dict"),
        ({"like": "tag_1", "until": {"tag_1": 2}}, "'tag_1' is in both like and until"),
        ({"like": "tag_1", "keep": 1.5}, "keep must be a share from 0 to 1"),
        ({"like": "tag_1", "n": 0}, "n must be a whole number of at least 1"),
        ({"like": "tag_1", "exclude": ["x"]}, "unknown item 'x'"),
    ],
)
def test_bad_amounts_say_what_is_wrong(said, message):
    with pytest.raises(ValueError, match=message):
        REFINER.refine("user_003", **said)


def test_amounts_are_for_the_default_alone():
    refiner = FeedbackRefiner(EXPLAINER, solver="closed_form")
    with pytest.raises(
        ValueError, match="amount, until, together and less_than need solver='auto'"
    ):
        refiner.refine("user_003", like="tag_1", amount="more")
    with pytest.raises(ValueError, match="'long_term' parameter of FeedbackRefiner"):
        FeedbackRefiner(EXPLAINER, long_term=2).refine("user_003", like="tag_1")


@pytest.fixture(scope="module")
def films():
    data = load_movielens()
    explainer = TPECRExplainer(TruncatedSVD(32, random_state=0), data.item_tags)
    return data, explainer.fit(
        data.interactions, user_ids=data.user_ids, item_names=data.item_names
    )


def test_newcomers_who_name_a_tag_get_items_that_carry_it(films):
    data, explainer = films
    counts = data.item_tags.sum()
    for tag in counts.index[counts >= 30]:
        listed = explainer.recommend(tags={tag: 2})["item"]
        assert data.item_tags.loc[listed, tag].sum() >= 3, tag
        listed = explainer.recommend(tags={tag: -2})["item"]
        assert not data.item_tags.loc[listed, tag].any(), tag
    # What describes somebody is no answer: it is not forgotten. By taste she had no western, and
    # one of three may go for the comedies that became taste.
    talk = Conversation(explainer, tags={"Western": 2})
    first = talk.recommend(10)
    talk.like("Comedy")
    talk.forget()
    assert data.item_tags.loc[talk.recommend(10)["item"], "Western"].sum() >= 2
    assert (first["item"] == explainer.recommend(tags={"Western": 2})["item"]).all()


def test_the_showcase(films):
    data, explainer = films
    talk = Conversation(explainer, 42)
    for turn, tag, way in (
        (talk.like("Film-Noir"), "Film-Noir", 1),
        (talk.dislike("Comedy"), "Comedy", -1),
    ):
        ranks = turn.items
        before, after = (
            data.item_tags.loc[ranks["item"][ranks["change"].isin(["stays", change])], tag].sum()
            for change in ("leaves", "enters")
        )
        assert after >= before + 2 if way > 0 else after <= before / 2
        assert " of your first 10 stayed." in turn.to_text()


class TestSet:
    """What is set moves its items, and other tags as the population does."""

    def made(self):
        data = make_tagged_interactions(120, 80, 6, density=0.2, random_state=0)
        explainer = TPECRExplainer(TruncatedSVD(10, random_state=0), data.item_tags)
        return data, FeedbackRefiner(explainer.fit(data.interactions))

    def test_the_tag_is_met_and_the_others_follow_by_regression(self):
        _, refiner = self.made()
        explainer = refiner.explainer
        C = explainer.tag_preferences_.astype(float)
        mean, std = C.mean(axis=0), C.std(axis=0)
        slopes = np.cov(C.T, bias=True)[2] / C[:, 2].var()
        for user in range(5):
            refined = refiner.refine(user, set={"tag_2": 1.5}, keep=0)
            moved = mean[2] + 1.5 * std[2] - C[user, 2]
            expected = C[user] + slopes * moved
            np.testing.assert_allclose(refined.tag_preferences, expected, atol=1e-4)

    def test_what_is_held_stays(self):
        _, refiner = self.made()
        own = refiner.explainer.tag_preferences_[3]
        refined = refiner.refine(3, set={"tag_2": 1.5}, hold=["tag_4"])
        assert refined.tag_preferences[4] == pytest.approx(own[4], abs=1e-4)
        alone = refiner.refine(3, set={"tag_2": 1.5}, hold="all")
        closed = FeedbackRefiner(refiner.explainer, solver="closed_form")
        old = closed.refine(3, set={"tag_2": 1.5})
        np.testing.assert_array_equal(alone.embedding, old.embedding)
        np.testing.assert_array_equal(alone.scores, old.scores)

    def test_its_items_move_its_way(self):
        data, refiner = self.made()
        changes = []
        for user in range(40):
            tag = f"tag_{user % 6}"
            has = data.item_tags[tag]
            before = refiner.explainer.recommend(user, 20)["item"]
            now = refiner.refine(user, set={tag: 2.5}).recommend(20)["item"]
            changes.append(has[now].mean() - has[before].mean())
        assert np.mean(changes) > 0.05
        assert np.min(changes) >= 0

    def test_hold_must_be_names(self):
        _, refiner = self.made()
        with pytest.raises(ValueError, match="hold must be 'all' or a list of tag names"):
            refiner.refine(3, set={"tag_2": 1.5}, hold="tag_4")
        with pytest.raises(ValueError, match="unknown tag 'nonsense'"):
            refiner.refine(3, set={"tag_2": 1.5}, hold=["nonsense"])


def test_untagged_items_count_by_what_they_are_like_where_no_number_is_asked_for():
    hidden = np.random.RandomState(1).uniform(size=len(HAS)) < 0.3
    seen = DATA.item_tags.copy()
    seen.loc[hidden] = 0
    model = EXPLAINER.extractor_.recommender_
    with_factors = FeedbackRefiner(TPECRExplainer(model, seen).fit(DATA.interactions))
    told = FeedbackRefiner(TPECRExplainer(NoDotProduct(), seen).fit(DATA.interactions))
    gains, tagged = [], []
    for tag in TAGS:
        for refiner in (with_factors, told):
            refined = refiner.refine(3, like=tag, strength=1)
            moved = refined.scores - refined.forget().scores
            if refiner is told:  # no factors, no guess
                np.testing.assert_array_equal(moved[hidden], 0)
            else:
                has = HAS[hidden, TAGS.index(tag)]
                gains.append(moved[hidden][has].mean() - moved[hidden][~has].mean())
                tagged.append(moved[seen[tag].to_numpy() > 0].min())
                assert moved[hidden].max() < tagged[-1]
        amount = with_factors.refine(3, like=tag, amount="more")
        np.testing.assert_array_equal((amount.scores - amount.forget().scores)[hidden], 0)
    assert np.mean(gains) > 0.2 * np.mean(tagged)
