"""Feedback of many users, against refine one by one."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.decomposition import TruncatedSVD

from sktpecr import FeedbackRefiner, TPECRExplainer
from sktpecr.datasets import make_tagged_interactions
from sktpecr.recommenders import FactorRecommender

DATA = make_tagged_interactions(n_users=60, n_items=90, n_tags=5, random_state=0)
USERS, ITEMS = DATA.user_ids.tolist(), DATA.item_ids.tolist()
EXPLAINER = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags)
REFINER = FeedbackRefiner(EXPLAINER.fit(DATA.interactions, user_ids=DATA.user_ids))
FEEDBACK = pd.DataFrame(
    [
        (USERS[9], "tag_1", "like", np.nan),
        (USERS[2], "tag_2", "dislike", 0.5),
        (USERS[9], "tag_3", "set", -0.5),
        (USERS[2], "tag_0", "like", 2.0),
        (USERS[5], "tag_4", "dislike", np.nan),
    ],
    columns=["user", "tag", "feedback", "value"],
)
SAID = {
    USERS[9]: {"like": "tag_1", "set": {"tag_3": -0.5}},
    USERS[2]: {"like": {"tag_0": 2.0}, "dislike": {"tag_2": 0.5}},
    USERS[5]: {"dislike": "tag_4"},
}


def test_rows_are_what_refine_says_one_by_one():
    lists = REFINER.refine_batch(FEEDBACK, n_items=4, batch_size=2)
    assert lists["user"].drop_duplicates().tolist() == list(SAID)
    for user, said in SAID.items():
        alone = REFINER.refine(user, **said, strength=1).recommend(4)
        rows = lists[lists["user"] == user].reset_index(drop=True)
        for name in ("rank", "item", "score", "rank_before"):
            assert rows[name].tolist() == alone[name].tolist()


@pytest.mark.parametrize("solver", ["auto", "closed_form"])
@pytest.mark.parametrize("biased", [False, True])
def test_blocks_of_users_say_what_refine_says_one_by_one(solver, biased):
    rng = np.random.RandomState(1)
    n_users, n_items, n_tags = 40, 120, 4
    users, items = rng.standard_normal((n_users, 6)), rng.standard_normal((n_items, 6))
    users[3] = 0.0  # scored all alike where there are no biases
    tags = (rng.uniform(size=(n_items, n_tags)) < 0.3).astype(float)
    tags[:, 3] = 0.0
    tags[:2, 3] = 1.0
    X = sp.random(n_users, n_items, density=0.05, random_state=0, format="lil")
    X[5, :2] = 1.0  # has seen all items of the last tag
    X[6] = 1.0  # has seen nearly everything
    X[6, 100:] = 0.0
    biases = rng.standard_normal(n_items) if biased else None
    explainer = TPECRExplainer(FactorRecommender(users, items, biases), tags).fit(X.tocsr())
    refiner = FeedbackRefiner(explainer, solver=solver, long_term=0.8)
    kinds = ["like", "dislike", "like", "set"]
    rows = [
        (user, f"tag_{(user + number) % n_tags}", kinds[(user + number) % 4], 0.5 + number)
        for user in range(n_users)
        for number in range(1 + user % 3)
    ]
    named = {row[:2] for row in rows}
    rows += [(user, "tag_3", "like", 1.0) for user in (3, 5, 6) if (user, "tag_3") not in named]
    said = pd.DataFrame(rows, columns=["user", "tag", "feedback", "value"])
    lists = refiner.refine_batch(said, n_items=7)
    assert lists["user"].nunique() == n_users
    for user, own in lists.groupby("user"):
        asked = {
            kind: dict(zip(some["tag"], some["value"], strict=True))
            for kind, some in said[said["user"] == user].groupby("feedback")
        }
        alone = refiner.refine(user, **asked).recommend(7)
        assert own["item"].tolist() == alone["item"].tolist()
        assert own["rank_before"].tolist() == alone["rank_before"].tolist()
        np.testing.assert_allclose(own["score"], alone["score"], rtol=1e-9)


def test_workers_change_nothing(tmp_path):
    alone = REFINER.refine_batch(FEEDBACK, batch_size=1)
    both = REFINER.refine_batch(FEEDBACK, batch_size=1, n_jobs=2)
    pd.testing.assert_frame_equal(both, alone)
    folder = REFINER.refine_batch(FEEDBACK, batch_size=1, to=tmp_path / "out")
    pd.testing.assert_frame_equal(pd.read_parquet(folder), alone, check_dtype=False)
    with pytest.raises(ValueError, match="parts of another job"):
        REFINER.refine_batch(FEEDBACK[:4], batch_size=1, to=folder)


def test_users_whose_feedback_cannot_be_met_do_not_harm_the_others():
    impossible = pd.DataFrame([(USERS[7], "tag_1", "like", 1e300)], columns=FEEDBACK.columns)
    with (
        pytest.warns(UserWarning, match=f"1 of 4 parts failed.*'{USERS[7]}'"),
        np.errstate(all="ignore"),
    ):
        lists = REFINER.refine_batch(pd.concat([FEEDBACK, impossible]), batch_size=1)
    assert set(lists["user"]) == set(SAID)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([("a",)], "feedback must be a DataFrame with columns user, tag and feedback"),
        (FEEDBACK.drop(columns="tag"), "it lacks tag"),
        (FEEDBACK[:0], "must have a row for each tag that a user speaks of"),
        (FEEDBACK.assign(user="nobody"), "unknown user 'nobody'"),
        (FEEDBACK.assign(tag="tag1"), "unknown tag 'tag1'; did you mean"),
        (FEEDBACK.assign(feedback="love"), "must be 'like', 'dislike' or 'set', got 'love'"),
        (pd.concat([FEEDBACK, FEEDBACK[:1]]), "names 'tag_1' twice as like"),
        (FEEDBACK.assign(value=np.inf), r"user 'user_09': like\['tag_1'\] must be a finite number"),
        (
            FEEDBACK.assign(
                tag="tag_1", value=1.0, feedback=["like", *["dislike"] * 2, *["like"] * 2]
            ),
            "user 'user_09': feedback contradicts itself: 'tag_1' is in both like and dislike",
        ),
        (FEEDBACK.drop(columns="value"), "sets 'tag_3' of user 'user_09' to no value"),
    ],
)
def test_says_what_is_wrong(table, message):
    with pytest.raises(ValueError, match=message):
        REFINER.refine_batch(table)


def some_candidates(rng):
    """Return what somebody else found for each user: 15 items."""
    rows = [
        (user, item)
        for user in rng.permutation(USERS[:20]).tolist()
        for item in rng.choice(DATA.item_ids, 15, replace=False).tolist()
    ]
    return pd.DataFrame(rows, columns=["user", "item"])


def test_what_is_listed_are_the_candidates_and_as_one_by_one(tmp_path):
    candidates = some_candidates(np.random.RandomState(0))
    lists = REFINER.refine_batch(FEEDBACK, n_items=5, candidates=candidates, batch_size=2)
    order = [user for user in candidates["user"].drop_duplicates() if user in SAID]
    assert lists["user"].drop_duplicates().tolist() == order
    for user, rows in lists.groupby("user"):
        own = candidates.loc[candidates["user"] == user, "item"].tolist()
        alone = REFINER.refine(user, **SAID[user], strength=1, candidates=own)
        assert rows["item"].tolist() == alone.recommend(5)["item"].tolist()
        assert rows["rank_before"].tolist() == alone.recommend(5)["rank_before"].tolist()
        assert set(rows["item"]) <= set(own)
        assert rows["rank_before"].max() <= 15

    pytest.importorskip("pyarrow", exc_type=ImportError)
    candidates.to_parquet(tmp_path / "found.parquet", row_group_size=20)
    filed = REFINER.refine_batch(FEEDBACK, n_items=5, candidates=tmp_path / "found.parquet")
    pd.testing.assert_frame_equal(filed, lists)


def test_other_candidates_are_another_job(tmp_path):
    candidates = some_candidates(np.random.RandomState(0))
    REFINER.refine_batch(FEEDBACK, candidates=candidates, to=tmp_path / "out")
    with pytest.raises(ValueError, match=r"parts of another job.*candidates"):
        REFINER.refine_batch(FEEDBACK, candidates=candidates[:-1], to=tmp_path / "out")


def test_all_items_as_candidates_change_nothing():
    every = pd.DataFrame({"user": list(SAID)}).merge(pd.DataFrame({"item": ITEMS}), how="cross")
    pd.testing.assert_frame_equal(
        REFINER.refine_batch(FEEDBACK, candidates=every), REFINER.refine_batch(FEEDBACK)
    )


@pytest.mark.parametrize(
    ("candidates", "message"),
    [
        (pd.DataFrame({"user": USERS[:2], "item": ITEMS[:2]}), "candidates must have items for"),
        (pd.DataFrame({"user": USERS[:2]}), r"candidates must be a table.*lacks item"),
        (pd.DataFrame({"user": ["x"], "item": ITEMS[:1]}), "unknown user 'x'"),
    ],
)
def test_says_what_is_wrong_with_candidates(candidates, message):
    with pytest.raises(ValueError, match=message):
        REFINER.refine_batch(FEEDBACK, candidates=candidates)
    with pytest.raises(ValueError, match="candidates must be a list of item ids, got 'tag'"):
        REFINER.refine(USERS[9], like="tag_1", candidates="tag")
