"""The benchmark of feedback that people really gave: who is taken to have said what."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency
from sklearn.decomposition import TruncatedSVD

from benchmarks.beyond import dated_films, real_feedback
from benchmarks.common.data import Dated
from benchmarks.common.rows import mean_row
from benchmarks.pages import feedback as feedback_page
from sktpecr import FeedbackRefiner, TPECRExplainer
from sktpecr.datasets import make_tagged_interactions
from sktpecr.recommenders import as_recommender


def test_windows_are_by_time_user_by_user():
    times = {1: range(20), 2: range(100, 60, -1)}
    ratings = pd.concat(
        [
            pd.DataFrame({"user_id": user, "item_id": range(len(time)), "timestamp": time})
            for user, time in times.items()
        ],
        ignore_index=True,
    ).sample(frac=1, random_state=0)
    found = dated_films.windows(ratings)
    assert found.index.equals(ratings.index)
    for user, sizes in {1: [14, 3, 3], 2: [28, 6, 6]}.items():
        window = found[ratings["user_id"] == user]
        time = ratings.loc[window.index, "timestamp"]
        assert np.bincount(window).tolist() == sizes
        assert time[window == 0].max() < time[window == 1].min()
        assert time[window == 1].max() < time[window == 2].min()


def test_films_of_one_second_come_in_no_order():
    ratings = pd.DataFrame({"user_id": 1, "item_id": range(1000), "timestamp": 5})
    last = dated_films.windows(ratings) == 2
    assert last.sum() == 150
    assert 400 < ratings.loc[last, "item_id"].mean() < 600


def test_split_keeps_films_that_first_windows_know():
    # Film 9 is everybody's last, film 8 only four users' first.
    films = [[*range(7), 9]] * 6 + [[8, *range(1, 7), 9]] * 4
    ratings = pd.DataFrame(
        [
            {
                "user_id": user,
                "item_id": film,
                "timestamp": 86400 * at * (user > 0),
                "rating": rated,
            }
            for user, seen in enumerate(films)
            for at, film in enumerate(seen)
            for rated in [5.0 if film == 6 else 3.0]
        ]
    )
    dates = dated_films.split(ratings)
    assert dates.items.tolist() == [0, 1, 2, 3, 4, 5]
    ratings["item_id"] = ratings["item_id"].replace({9: 0, 0: 9})
    dates = dated_films.split(ratings)
    assert dates.items.tolist() == [1, 2, 3, 4, 5, 9]
    assert dates.first.shape == dates.last.shape == (10, 6)
    assert not dates.apart[0]
    assert dates.apart[1:].all()


@pytest.mark.parametrize("n_tags", [1, 4])
def test_surplus_is_the_root_of_chi_square(n_tags):
    rng = np.random.RandomState(0)
    n = rng.randint(20, 40, (2, 6, 1))
    counts = np.array([rng.randint(1, 20, (6, n_tags)) for _ in range(2)])
    found = real_feedback.surplus(*counts, *n)
    for user, tag in np.ndindex(found.shape):
        there = counts[:, user, tag]
        table = np.array([there, n[:, user, 0] - there])
        expected = chi2_contingency(table, correction=False).statistic
        assert found[user, tag] ** 2 == pytest.approx(expected)
        shares = there / n[:, user, 0]
        assert np.sign(found[user, tag]) == np.sign(shares[1] - shares[0])


def test_tags_on_all_films_or_none_have_no_surplus():
    n = np.array([[8]]), np.array([[4]])
    found = real_feedback.surplus(np.array([[0, 8, 2]]), np.array([[0, 4, 3]]), *n)
    assert found[0, :2].tolist() == [0, 0]
    assert found[0, 2] > 0


def test_gain_counts_among_candidates():
    before, after = np.array([5.0, 4, 3, 2, 1]), np.array([1.0, 2, 3, 4, 9])
    candidates = np.array([False, True, True, True, True])
    # Ranks 4 and 3 become 1 and 2.
    doublings, rose, recall = dated_films.gain(before, after, candidates, np.array([4, 3]))
    assert doublings == pytest.approx((2 + np.log2(3 / 2)) / 2)
    assert (rose, recall) == (1, 0)
    assert dated_films.gain(before, before, candidates, np.array([4, 3])) == [0, 0, 0]
    assert dated_films.gain(before, after, candidates, np.array([1, 2]))[1] == 0


def test_recall_is_of_the_first_hundred():
    before = -np.arange(200.0)
    after = before.copy()
    after[150] = 1
    gained = dated_films.gain(before, after, np.ones(200, dtype=bool), np.array([150, 99]))
    # One comes in, the other falls out.
    assert gained[2] == 0
    assert dated_films.gain(before, after, np.ones(200, dtype=bool), np.array([150]))[2] == 1


def test_gains_are_those_of_refining():
    data = make_tagged_interactions(n_users=30, n_items=40, n_tags=3, random_state=0)
    explainer = TPECRExplainer(TruncatedSVD(4, random_state=0), data.item_tags)
    refiner = FeedbackRefiner(explainer.fit(data.interactions), solver="closed_form")
    films = np.arange(40) > 3, np.array([7, 9])
    found = dated_films.gains(refiner, "like", [["tag_2", "tag_0"]], [{"user": 3}], [films])
    assert found.shape == (1, 2, len(dated_films.STRENGTHS), 3)
    for column, tag in enumerate(["tag_2", "tag_0"]):
        refined = refiner.refine(3, like=tag, strength=dated_films.STRENGTHS[-1])
        expected = dated_films.gain(refined.scores_before, refined.scores, *films)
        np.testing.assert_allclose(found[0, column, -1], expected)


def test_a_bonus_lifts_the_films_that_have_the_tag():
    data = make_tagged_interactions(n_users=30, n_items=40, n_tags=3, random_state=0)
    explainer = TPECRExplainer(TruncatedSVD(4, random_state=0), data.item_tags)
    refiner = FeedbackRefiner(explainer.fit(data.interactions))
    has = data.item_tags.to_numpy() > 0
    judged = [(np.ones(40, dtype=bool), np.flatnonzero(has[:, 0]))]
    found = real_feedback.boosted(refiner, 1, has, [{"user": 3}], judged)
    assert found.shape == (1, 3, len(dated_films.STRENGTHS), 3)
    assert (np.diff(found[0, 0, :, 0]) >= 0).all()
    own = refiner.sweep(3, strengths=[0])[0].scores_before.astype(np.float64)
    expected = dated_films.gain(own, own + 2 * own.std() * has[:, 0], *judged[0])
    np.testing.assert_allclose(found[0, 0, 2], expected)
    fallen = real_feedback.boosted(refiner, -1, has, [{"user": 3}], judged)
    assert (fallen[0, 0, :, 0] <= 0).all()


def test_placebos_are_other_tags():
    rng = np.random.RandomState(0)
    gained, chosen = rng.normal(size=(6, 4, 2)), np.array([0, 0, 1, 2, 2, 2])
    told, others, often = real_feedback.against_others(gained, chosen)
    for user, tag in enumerate(chosen):
        rest = [other for other in range(4) if other != tag]
        choices = [other for other in chosen if other != tag]
        np.testing.assert_allclose(told[user], gained[user, tag])
        np.testing.assert_allclose(others[user], gained[user, rest].mean(axis=0))
        np.testing.assert_allclose(often[user], gained[user, choices].mean(axis=0))


def test_where_all_choose_one_tag_the_others_count_the_same():
    gained = np.random.RandomState(0).normal(size=(3, 4, 1))
    _, others, often = real_feedback.against_others(gained, np.array([1, 1, 1]))
    np.testing.assert_allclose(often, others)


def typed(*pairs):
    return pd.DataFrame(pairs, columns=["user_id", "item_id", "tag"])


def test_words_of_others_leave_out_the_films_that_she_named():
    everybody = [(user, film, "dark") for user in (1, 2) for film in range(6)]
    hers = [(3, 5, "dark"), (3, 1, "fun"), (3, 4, "mine")]
    # Of two users on five films: "fun" of one user alone, "slow" on four films.
    rare = [(1, film, "fun") for film in range(6)] + [
        (user, film, "slow") for user in (1, 2) for film in range(4)
    ]
    own, others = real_feedback.words_of_others(typed(*everybody, *hers, *rare), 3)
    assert own.to_numpy().tolist() == [list(each) for each in hers]
    expected = typed(*((user, film, "dark") for user in (1, 2) for film in range(5)))
    assert sorted(others.to_numpy().tolist()) == sorted(expected.to_numpy().tolist())
    # With one more film of hers there are four left.
    _, others = real_feedback.words_of_others(typed(*everybody, *hers, (3, 4, "dark")), 3)
    assert others.empty


def test_item_tags_count_a_tag_once():
    tags = dated_films.item_tags(typed((1, 7, "b"), (2, 7, "b"), (2, 5, "a")), np.array([3, 5, 7]))
    assert tags.to_dict("index") == {
        3: {"a": 0, "b": 0},
        5: {"a": 1, "b": 0},
        7: {"a": 0, "b": 1},
    }


def planted(says):
    """Return users of one genre who turn to another, and who type one of the two on films."""
    rng = np.random.RandomState(0)
    n_tags, films = 3, np.arange(72)
    ratings, words = [], []
    for user in range(36):
        taste, turn, third = rng.permutation(n_tags)
        of = {tag: rng.permutation(films[films % n_tags == tag]) for tag in range(n_tags)}
        first = [*of[taste][:20], *of[turn][:4], *of[third][:4]]
        seen = [*rng.permutation(first), *of[turn][4:16]]
        ratings += [(user, film, 86400 * at, 5.0) for at, film in enumerate(seen)]
        said = {"taste": taste, "turn": turn}[says]
        words += [(user, film, f"word {said}") for film in of[said][:3]]
    genres = pd.DataFrame({"item_id": films, "tag": [f"genre {film % n_tags}" for film in films]})
    names = ["user_id", "item_id", "timestamp", "rating"]
    return Dated(pd.DataFrame(ratings, columns=names), typed(*words), genres)


def measured(monkeypatch, says):
    def trained(name, first, tags):
        return as_recommender(TruncatedSVD(6, random_state=0).fit(first)), 0.0

    monkeypatch.setattr(real_feedback, "load_dated", lambda *_: planted(says))
    monkeypatch.setattr(real_feedback, "trained", trained)
    monkeypatch.setattr(real_feedback, "_MODELS", ("mf",))
    for module in (real_feedback, dated_films):
        monkeypatch.setattr(module, "STRENGTHS", (1.0,))
    return {
        (each.name.removeprefix("beyond feedback planted mf "), each.column): each
        for each in real_feedback.real_feedback("planted", None, None, None)
    }


def test_planted_turns_are_found_and_liked(monkeypatch):
    rows = measured(monkeypatch, "turn")
    assert rows["later films", "users"].here == 36
    # Every user turns, and the last films are those of the turn.
    for what in ("", " - other tags", " - tags of others"):
        assert rows["later films like 1", f"log2 rank{what}"].low > 0.2
    assert rows["later films like 1", "log2 rank - oracle"].here == pytest.approx(0, abs=1e-9)
    # Of three tags, the right one leads both.
    assert rows["later films like 1", "Spearman of surplus and gain"].low >= 0.5
    assert rows["later films like", "oracle chose the same"].here == 1
    assert rows["later films like 1 clear", "users"].here == 36
    # What she turned away from is her taste.
    assert rows["later films dislike 1", "log2 rank - other tags"].low > 0
    # Here the words are those of the turn.
    assert rows["likes of words", "users"].here == 36
    assert rows["likes of words 1", "log2 rank - other words"].low > 0.2


def test_planted_words_are_found(monkeypatch):
    monkeypatch.setattr(real_feedback, "later_films", lambda *_: [])
    rows = measured(monkeypatch, "taste")
    assert rows["words", "users"].here == rows["words", "words"].here == 36
    assert rows["words", "words to choose from"].here == 3
    for what in ("left in", "taken out", "all her films taken out", "count of her films"):
        assert rows["words", f"AUC {what}"].low > 0.9
    # She likes what she is known for already.
    assert rows["likes of words 1", "log2 rank - other words"].high < 0


def test_page_puts_metrics_side_by_side():
    name = "beyond feedback toy"
    made = {"command": "it", "commit": "c", "date": "d", "seconds": 1.0}
    rows = [
        *dated_films.means(f"{name} mf later films like 1", " - plain", np.eye(3)),
        mean_row(f"{name} mf words", "AUC popularity", np.array([0.5, 0.75])),
    ]
    everything = {"about": {"experiments": {name: made}}, "rows": [vars(row) for row in rows]}
    page = feedback_page.page(everything, feedback_page.EXPERIMENT)
    line = next(line for line in "\n".join(page).splitlines() if "mf later films like 1" in line)
    cells = line.strip().split(",")
    assert cells[:2] == ["mf later films like 1", "- plain"]
    assert [cell.split()[0] for cell in cells[2:]] == ["0.3333"] * 3
    assert "mf words,AUC popularity,0.625" in page[-1]
