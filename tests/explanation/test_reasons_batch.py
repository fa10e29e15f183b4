"""Everybody's reasons, against reasons one by one."""

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import TruncatedSVD

from sktpecr import TPECRExplainer
from sktpecr.attribution import ExactAttribution, LimeAttribution
from sktpecr.datasets import load_movielens, make_tagged_interactions
from sktpecr.explanation._words import how_much

WHAT = ["reason", "tag", "speaks_for", "strength", "liking", "contribution"]
EVIDENCE = ["evidence_1", "evidence_2"]


class Box:
    """A recommender of one's own, that is no dot product."""

    def __init__(self, users, items):
        self.user_embeddings, self.items = users, items

    def score_items(self, embeddings, items=None):
        scores = np.tanh(embeddings @ self.items.T)
        return scores if items is None else scores[:, items]


def made(**kwargs):
    data = make_tagged_interactions(n_users=60, n_items=90, n_tags=5, random_state=0)
    # The sixth tag is nearly one with the first; the last is on few items, often on no item taken.
    tags = np.asarray(data.item_tags, dtype=float)
    near = tags[:, 0] * (np.arange(90) % 15 != 0)
    tags = np.column_stack([tags, near, np.arange(90) % 30 == 0])
    explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), tags, **kwargs)
    return explainer.fit(data.interactions, user_ids=data.user_ids)


def films():
    data = load_movielens()
    explainer = TPECRExplainer(TruncatedSVD(12, random_state=0), data.item_tags)
    return explainer.fit(data.interactions, user_ids=data.user_ids, item_names=data.item_names)


def box():
    data = make_tagged_interactions(n_users=60, n_items=90, n_tags=5, random_state=0)
    rng = np.random.RandomState(0)
    users = rng.normal(size=(60, 5))
    items = 0.4 * np.asarray(data.item_tags) + 0.1 * rng.normal(size=(90, 5))
    lime = LimeAttribution(n_samples=50, random_state=0)
    return TPECRExplainer(Box(users, items), data.item_tags, attribution=lime).fit(
        data.interactions
    )


EXPLAINERS = {
    "made": made(),
    "exact": made(attribution=ExactAttribution()),
    "films": films(),
    "box": box(),
}


def one_by_one(explainer, user, item, k):
    """Return the rows that `reasons` has for a pair."""
    return [
        {
            "reason": " and ".join(
                [", ".join(map(str, reason.tags[:-1])), str(reason.tags[-1])]
                if len(reason.tags) > 1
                else map(str, reason.tags)
            ),
            "tag": reason.tag,
            "speaks_for": reason.speaks_for,
            "strength": how_much(reason.liking) if reason.speaks_for else "less",
            "liking": reason.liking,
            "contribution": reason.contribution,
            **dict(zip(EVIDENCE, [*reason.evidence, None, None][:2], strict=True)),
        }
        for reason in explainer.reasons(user, item, k)
    ]


def same(rows, expected):
    """Tell whether rows of the table are those of `reasons`; a missing reason is one row."""
    if not expected:
        assert len(rows) == 1
        assert rows[WHAT + EVIDENCE].isna().all(axis=None)
        return
    assert len(rows) == len(expected)
    for found, reason in zip(rows.to_dict("records"), expected, strict=True):
        for name in WHAT + EVIDENCE:
            if isinstance(reason[name], float):
                np.testing.assert_allclose(found[name], reason[name], rtol=1e-5, atol=1e-9)
            elif reason[name] is None:
                assert pd.isna(found[name])
            else:
                assert found[name] == reason[name], name


@pytest.mark.parametrize("name", EXPLAINERS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_rows_are_the_reasons_one_by_one(name, data):
    explainer = EXPLAINERS[name]
    users, items = explainer.user_ids_, explainer.item_ids_
    pair = st.tuples(st.integers(0, len(users) - 1), st.integers(0, len(items) - 1))
    pairs = data.draw(st.lists(pair, min_size=1, max_size=12, unique=True))
    k = data.draw(st.integers(1, 4))
    table = pd.DataFrame([(users[u], items[v]) for u, v in pairs], columns=["user", "item"])
    found = explainer.reasons_batch(pairs=table, k=k)
    asked = dict.fromkeys(found[["user", "item"]].itertuples(index=False, name=None))
    assert sorted(asked) == sorted(table.itertuples(index=False, name=None))
    for (user, item), rows in found.groupby(["user", "item"], sort=False):
        same(rows, one_by_one(explainer, user, item, k))


@pytest.mark.parametrize("name", EXPLAINERS)
def test_lists_are_those_of_recommend(name):
    explainer = EXPLAINERS[name]
    users = explainer.user_ids_[:15].tolist()
    table = explainer.reasons_batch(users, n_items=5)
    assert table["user"].drop_duplicates().tolist() == users
    for user, rows in table.groupby("user"):
        listed = rows.drop_duplicates("rank")
        recommended = explainer.recommend(user, 5)
        for column in ("item", "name", "rank"):
            assert listed[column].tolist() == recommended[column].tolist()
        for item, of_item in rows.groupby("item"):
            same(of_item, one_by_one(explainer, user, item, 3))
    assert table["tag"].notna().sum() > 15


def test_every_way_to_a_reason_is_met():
    """What the property above has to tell apart is there: aliases, against, evidence or none."""
    table = EXPLAINERS["made"].reasons_batch(n_items=20, exclude_seen=False)
    assert (table["strength"] == "less").any()
    assert table["reason"].str.contains(" and ").any()
    assert table["tag"].isna().any()
    assert (table["evidence_1"].notna() & table["evidence_2"].isna()).any()
    for column in EVIDENCE:
        assert (
            not (table[column].astype(object) == table["item"].astype(object)).fillna(False).any()
        )


def test_chunks_and_parts_change_nothing(monkeypatch):
    explainer = EXPLAINERS["films"]
    users = explainer.user_ids_[:40].tolist()
    expected = explainer.reasons_batch(users)
    monkeypatch.setattr("sktpecr.explanation._evidence_of_pairs._NUMBERS_A_CHUNK", 300)
    monkeypatch.setattr("sktpecr.explanation._evidence_of_pairs._PAIRS_A_USER", 3)
    monkeypatch.setattr("sktpecr.explanation._batch_work._NUMBERS_A_BLOCK", 30_000)
    found = explainer.reasons_batch(users, batch_size=7)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", ["made", "exact"])
def test_workers_change_no_bit(name):
    alone = EXPLAINERS[name].reasons_batch(batch_size=16)
    with joblib.parallel_config(backend="loky", n_jobs=2):
        spread = EXPLAINERS[name].reasons_batch(batch_size=16)
    pd.testing.assert_frame_equal(spread, alone, check_exact=True)


def test_a_folder_has_the_same_rows_and_goes_on(tmp_path):
    pytest.importorskip("pyarrow")
    explainer = EXPLAINERS["made"]
    alone = explainer.reasons_batch(batch_size=16)
    folder = explainer.reasons_batch(to=tmp_path / "out", batch_size=16)
    (folder / "part-000001.parquet").unlink()
    explainer.reasons_batch(to=folder, batch_size=16)
    found = pd.read_parquet(folder)
    pd.testing.assert_frame_equal(found, alone, check_dtype=False, check_categorical=False)
    with pytest.raises(ValueError, match="k was 3, is 2"):
        explainer.reasons_batch(to=folder, batch_size=16, k=2)
    with pytest.raises(ValueError, match="of was told, is explained"):
        explainer.explain_batch(to=folder, batch_size=16)


def test_without_interactions_there_is_no_evidence():
    rng = np.random.RandomState(0)
    tags = rng.uniform(size=(90, 5)) < 0.3
    users = rng.normal(size=(60, 5))
    explainer = TPECRExplainer((users, tags + 0.1 * rng.normal(size=(90, 5))), tags)
    table = explainer.reasons_batch(exclude_seen=False)
    assert table["tag"].notna().sum() > 100
    assert table[EVIDENCE].isna().all(axis=None)
    for (user, item), rows in list(table.groupby(["user", "item"]))[:40]:
        same(rows, one_by_one(explainer, user, item, 3))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"k": 0}, "k must be a whole number of at least 1, got 0"),
        ({"n_items": "3"}, "n_items must be a whole number"),
        ({"users": ["nobody"]}, "unknown user 'nobody'"),
    ],
)
def test_says_what_is_wrong(said, message):
    with pytest.raises(ValueError, match=message):
        EXPLAINERS["made"].reasons_batch(**said)
