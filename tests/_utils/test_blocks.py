"""Factors in files larger than the memory they may take."""

import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from sktpecr import FeedbackRefiner, TPECRExplainer
from sktpecr._utils._blocks import blocks, let_go, taken
from sktpecr.recommenders import FactorRecommender


def test_blocks_are_all_rows_in_order():
    array = np.random.RandomState(0).normal(size=(1_000_003, 9))
    found = list(blocks(array))
    assert len(found) > 1
    assert max(block.nbytes for block in found) <= 2**25
    np.testing.assert_array_equal(np.concatenate(found), array)
    assert list(blocks(array[:0])) == []
    mask = np.random.RandomState(1).uniform(size=len(array)) < 0.01
    np.testing.assert_array_equal(taken(array, mask), array[mask])
    assert [len(block) for block in blocks(np.ones((2, 2**23)))] == [1, 1]


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_letting_go_loses_nothing(tmp_path, mode):
    path = tmp_path / "array.npy"
    np.save(path, np.arange(300_000.0))
    array = np.load(path, mmap_mode=mode)
    expected = np.arange(300_000.0)
    if mode != "r":
        array[7] = expected[7] = -1.0
    let_go(np.asarray(array)[5:])
    np.testing.assert_array_equal(array, expected)


def world(n_users, n_factors=16, n_items=90):
    rng = np.random.RandomState(0)
    users = rng.standard_normal((n_users, n_factors)).astype(np.float32)
    items = rng.standard_normal((n_items, n_factors)).astype(np.float32)
    seen = np.arange(n_users) % n_items
    X = sp.csr_matrix((np.ones(n_users, np.float32), (np.arange(n_users), seen)))
    return users, items, rng.uniform(size=(n_items, 4)) < 0.4, X


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_file_gives_the_same_answers_as_memory(tmp_path, n_jobs):
    users, items, tags, X = world(400)
    np.save(tmp_path / "users.npy", users)
    in_file = np.load(tmp_path / "users.npy", mmap_mode="r")
    tables = [
        TPECRExplainer((factors, items), tags)
        .fit(X, train_users=range(0, 400, 4))
        .explain_batch(batch_size=64, n_jobs=n_jobs)
        for factors in (users, in_file)
    ]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_a_file_with_a_gap_is_refused(tmp_path):
    users = world(400)[0]
    users[300, 2] = np.nan
    np.save(tmp_path / "users.npy", users)
    with pytest.raises(ValueError, match=r"user_factors has 1 NaN .* the first at \(300, 2\)"):
        FactorRecommender(np.load(tmp_path / "users.npy", mmap_mode="r"), users[:5] * 0)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read as on Linux")
def test_memory_stays_far_below_the_file(tmp_path):
    pytest.importorskip("pyarrow")
    n_users, n_factors = 1_000_000, 256  # 977 MiB
    users = world(10_000, n_factors)[0]
    path = tmp_path / "users.bin"
    with path.open("wb") as file:
        for _ in range(n_users // len(users)):
            users.tofile(file)
    script = textwrap.dedent(
        f"""
        import sys
        from pathlib import Path
        import numpy as np
        import pandas, pyarrow.parquet, sktpecr.recommenders
        from sktpecr import TPECRExplainer
        from test_blocks import world
        def peak():  # of this program: getrusage has that of whoever started it, too
            status = Path("/proc/self/status").read_text()
            return int(status.split("VmHWM:")[1].split()[0]) / 1024
        _, items, tags, _ = world(1, {n_factors})
        users = np.memmap({str(path)!r}, np.float32, "r", shape=({n_users}, {n_factors}))
        before = peak()
        explainer = TPECRExplainer((users, items), tags)
        X = world({n_users}, 1)[3]
        explainer.fit(X, train_users=range(0, {n_users}, 500))
        explainer.explain_batch(range(300_000, 305_000), to=sys.argv[1], n_items=3)
        print(peak() - before)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "out"],
        cwd=__file__.rsplit("/", 1)[0],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert 0 < float(done.stdout) < 200  # MiB, of 977
    assert pd.read_parquet(tmp_path / "out", columns=["user"])["user"].nunique() == 5_000


def test_nothing_holds_tag_preferences_of_everybody_before_they_are_asked_for(data):
    rng = np.random.RandomState(0)
    explainer = TPECRExplainer((rng.normal(size=(60, 5)), rng.normal(size=(80, 5))), data.item_tags)
    explainer.fit(data.interactions, user_ids=data.user_ids)
    explainer.explain_batch(n_items=3)
    FeedbackRefiner(explainer).refine(data.user_ids[0], like="tag_1")
    explainer.profile(data.user_ids[0])
    assert "tag_preferences" not in vars(explainer._tag_model)
    assert explainer.tag_preferences_.shape == (60, 5)
