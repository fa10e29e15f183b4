"""Pairs in Parquet files, explained as the same pairs in memory are."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import TruncatedSVD

from sktpecr import TPECRExplainer
from sktpecr.datasets import make_tagged_interactions
from sktpecr.explanation import _filed_pairs
from sktpecr.explanation._filed_pairs import FiledPairs, _LastOpened
from sktpecr.explanation._read_pairs import read_pairs

pytest.importorskip("pyarrow", exc_type=ImportError)

DATA = make_tagged_interactions(n_users=60, n_items=40, n_tags=5, random_state=0)
USERS, ITEMS = DATA.user_ids.tolist(), DATA.item_ids.tolist()


@pytest.fixture(scope="module")
def explainer():
    explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags)
    return explainer.fit(DATA.interactions, user_ids=DATA.user_ids)


def some_pairs(rng, n_users, extra=()):
    """Return pairs of so many users, each one's together, as candidate generators write them."""
    users = rng.choice(60, n_users, replace=False)
    rows = [
        (USERS[user], ITEMS[item])
        for user in users
        for item in rng.choice(40, rng.randint(1, 9), replace=False)
    ]
    table = pd.DataFrame(rows, columns=["user", "item"])
    for name in extra:
        table[name] = rng.randint(1, 100, size=len(table))
    return table.assign(not_read="x")


def write(pairs, folder, n_files, rows_a_group):
    folder.mkdir()
    bounds = np.linspace(0, len(pairs), n_files + 1).astype(int)
    for number, (start, stop) in enumerate(pairwise(bounds)):
        path = folder / f"part-{number:05d}.parquet"
        pairs[start:stop].to_parquet(path, index=False, row_group_size=rows_a_group)
    (folder / "_SUCCESS").touch()
    return folder


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    extra=st.sampled_from([(), ("rank",), ("score",), ("rank", "score")]),
    n_files=st.integers(1, 3),
    rows_a_group=st.integers(1, 20),
    size=st.integers(1, 7),
)
def test_it_reads_what_is_read_of_a_table(
    explainer, tmp_path_factory, seed, extra, n_files, rows_a_group, size
):
    pairs = some_pairs(np.random.RandomState(seed), 12, extra)
    folder = write(pairs, tmp_path_factory.mktemp("pairs") / "in", n_files, rows_a_group)
    catalogue = explainer.tag_model_.catalogue
    rows, whole = read_pairs(pairs, catalogue, "pairs")
    filed = FiledPairs.read(folder, catalogue, "pairs")
    np.testing.assert_array_equal(filed.users, rows)
    for start in range(0, len(rows), size):
        for one, other in zip(
            filed.of(slice(start, start + size)), whole.of(slice(start, start + size)), strict=True
        ):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("method", ["explain_batch", "reasons_batch"])
def test_what_is_written_is_what_a_table_of_pairs_gives(explainer, tmp_path, method):
    pairs = some_pairs(np.random.RandomState(0), 20, ("rank",))
    folder = write(pairs, tmp_path / "in", 2, 7)
    told = getattr(explainer, method)
    pd.testing.assert_frame_equal(told(pairs=folder, batch_size=3), told(pairs=pairs, batch_size=3))
    out = told(pairs=str(folder), batch_size=3, to=tmp_path / "out", n_jobs=2)
    pd.testing.assert_frame_equal(
        pd.read_parquet(out)[["user", "item"]], told(pairs=pairs)[["user", "item"]]
    )


def test_a_row_group_is_read_twice_and_a_file_opened_three_times(explainer, tmp_path, monkeypatch):
    """To count rows; to check; to explain. A user may straddle two groups."""
    pairs = some_pairs(np.random.RandomState(0), 30)
    folder = write(pairs, tmp_path / "in", 1, 50)
    read, true_read = [], _LastOpened.read
    monkeypatch.setattr(
        _LastOpened,
        "read",
        lambda self, group, *more: read.append(group) or true_read(self, group, *more),
    )
    opened, true_opened = [], _filed_pairs._opened
    monkeypatch.setattr(
        _filed_pairs, "_opened", lambda path, name: opened.append(path) or true_opened(path, name)
    )
    explainer.reasons_batch(pairs=folder, batch_size=1)
    assert len(set(read)) == 3
    assert len(read) <= 2 * len(set(read)) + 1
    assert len(opened) == 3 * len(set(opened))


def test_other_rows_are_another_job(explainer, tmp_path):
    pairs = some_pairs(np.random.RandomState(0), 5, ("rank",))
    explainer.reasons_batch(pairs=write(pairs, tmp_path / "a", 1, 9), to=tmp_path / "out")
    with pytest.raises(ValueError, match="another job"):
        explainer.reasons_batch(
            pairs=write(pairs.assign(rank=1), tmp_path / "b", 1, 9), to=tmp_path / "out"
        )
    # The same rows elsewhere are the same job.
    explainer.reasons_batch(pairs=write(pairs, tmp_path / "c", 1, 9), to=tmp_path / "out")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [(1, 2), (3, 4), (1, 5)],
            "user 'user_01' comes again in part-0000.*sort the rows",
        ),
        ([(1, 2), (3, 4), (3, 4)], "each pair once, got 1 again, such as user 'user_03'"),
    ],
)
@pytest.mark.parametrize("rows_a_group", [1, 2, 3])
def test_says_what_is_wrong_before_any_work(explainer, tmp_path, rows, message, rows_a_group):
    pairs = pd.DataFrame([(USERS[u], ITEMS[v]) for u, v in rows], columns=["user", "item"])
    folder = write(pairs, tmp_path / "in", 1, rows_a_group)
    with pytest.raises(ValueError, match=message):
        explainer.explain_batch(pairs=folder, to=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_says_what_is_no_pairs_file(explainer, tmp_path):
    (tmp_path / "text.parquet").write_text("user,item\n1,2\n")
    for path, message in [
        (tmp_path / "text.parquet", "a table or Parquet files, got .*text.parquet"),
        (tmp_path / "missing", "a table or Parquet files, got .*missing"),
    ]:
        with pytest.raises(ValueError, match=message):
            explainer.explain_batch(pairs=path)
    pd.DataFrame({"user": USERS[:2]}).to_parquet(tmp_path / "half.parquet")
    with pytest.raises(ValueError, match="it lacks item"):
        explainer.explain_batch(pairs=tmp_path / "half.parquet")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="at least one row, got none in Parquet files of"):
        explainer.explain_batch(pairs=tmp_path / "empty")
