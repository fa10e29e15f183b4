import numpy as np
import pytest
import scipy.sparse as sp

from benchmarks.beyond.critiquing_protocol import simulate_critiques

N_ITEMS = 60
RNG = np.random.RandomState(0)
TAGS = (RNG.uniform(size=(N_ITEMS, 6)) < 0.4).astype(float)
SCORES = RNG.normal(size=N_ITEMS)
SEEN = sp.csr_matrix(np.arange(N_ITEMS) % 7 == 3).astype(float)
PAIRS = [(0, item) for item in range(N_ITEMS) if item % 7 != 3]


class Recorded:
    """Adds up answers, times how much they count."""

    def __init__(self, counts=0.0):
        self.counts, self.told, self.values = counts, [], SCORES.copy()

    def scores(self):
        return self.values

    def answer(self, tag, liked):
        self.told.append((tag, liked))
        self.values = self.values + self.counts * (TAGS[:, tag] == liked)

    def question(self, tags, candidates):
        return tags[0]


def run(pairs=PAIRS, counts=0.0, talks=None, **given):
    def method(user):
        session = Recorded(counts)
        if talks is not None:
            talks.append(session)
        return session

    return simulate_critiques({"method": method}, pairs, TAGS, SEEN, **given)


def test_without_answers_success_is_the_rank():
    found = run(max_turns=3)
    candidates = np.flatnonzero(np.arange(N_ITEMS) % 7 != 3)
    order = candidates[np.argsort(-SCORES[candidates])]
    ranks = np.array([1 + order.tolist().index(item) for _, item in PAIRS])
    for cutoff in (1, 5, 10, 20):
        np.testing.assert_array_equal(found[f"success@{cutoff}"], ranks <= cutoff)
    np.testing.assert_array_equal(found["turns"], np.where(ranks <= 10, 0, 3))


def test_turning_the_page_finds_the_item_on_its_page():
    found = run(take_out=True, max_turns=3)
    candidates = np.flatnonzero(np.arange(N_ITEMS) % 7 != 3)
    order = candidates[np.argsort(-SCORES[candidates])].tolist()
    pages = np.array([order.index(item) // 10 for _, item in PAIRS])
    np.testing.assert_array_equal(found["success@10"], pages <= 3)
    np.testing.assert_array_equal(found["turns"], np.minimum(pages, 3))


@pytest.mark.parametrize("policy", ["most_telling", "popular", "random"])
@pytest.mark.parametrize(
    ("answers", "may"), [("positive", {True}), ("negative", {False}), ("both", {True, False})]
)
def test_users_say_what_their_item_has_each_tag_once(policy, answers, may):
    talks = []
    run(policy=policy, answers=answers, talks=talks, k=1)
    said = [each.told for each in talks]
    for (_, item), told in zip(PAIRS, said, strict=True):
        assert all(TAGS[item, tag] == liked and liked in may for tag, liked in told)
        assert len({tag for tag, _ in told}) == len(told)
    assert max(map(len, said)) > 2


def test_popular_tags_come_first_and_telling_ones_are_rare_in_the_list():
    talks = []
    run(policy="popular", talks=talks, k=1)
    popularity = TAGS.sum(axis=0)
    for each in talks:
        spoken = [popularity[tag] for tag, _ in each.told]
        assert spoken == sorted(spoken, reverse=True)
    talks.clear()
    run(policy="most_telling", talks=talks, k=5, answers="both")
    candidates = np.flatnonzero(np.arange(N_ITEMS) % 7 != 3)
    shares = TAGS[candidates[np.argsort(-SCORES[candidates])][:5]].mean(axis=0)
    for (_, item), each in zip(PAIRS, talks, strict=True):
        if each.told:
            far = np.abs(TAGS[item] - shares)
            assert far[each.told[0][0]] == pytest.approx(far.max())


def test_noise_turns_answers_round():
    for noise, share in ((0.0, 0.0), (1.0, 1.0), (0.3, 0.3)):
        talks = []
        run(policy="random", answers="both", noise=noise, talks=talks, k=1)
        wrong = [
            TAGS[item, tag] != liked
            for (_, item), each in zip(PAIRS, talks, strict=True)
            for tag, liked in each.told
        ]
        assert np.mean(wrong) == pytest.approx(share, abs=0.08)


def test_answers_that_count_are_worth_something_and_history_shows_it():
    still, moved = (
        run(policy="random", answers="both"),
        run(policy="random", answers="both", counts=10.0),
    )
    assert moved["success@10"].mean() > still["success@10"].mean() + 0.2
    above = [(SCORES[item] < SCORES).mean() for item in SEEN.indices]
    assert still["history rank"].iloc[0] == pytest.approx(np.mean(above))


def test_asked_speaks_of_what_the_method_asks():
    talks = []
    run(policy="asked", talks=talks, k=1)
    assert all([tag for tag, _ in each.told] == list(range(len(each.told))) for each in talks)


def test_draws_are_the_same_again():
    once, again = (run(policy="random", answers="both", noise=0.3, counts=1.0) for _ in range(2))
    assert once.equals(again)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"policy": "loud"}, "policy must be one of 'most_telling', 'popular', 'random', 'asked'"),
        ({"answers": "none"}, "answers must be one of"),
        ({"noise": 2}, "noise must be a probability"),
    ],
)
def test_errors_name_the_parameter(given, message):
    with pytest.raises(ValueError, match=message):
        run(**given)
