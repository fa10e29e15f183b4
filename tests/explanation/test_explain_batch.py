"""Everybody's list explained, against explanations one by one."""

import errno
import json
import os
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pandas as pd
import pytest
from joblib._parallel_backends import ThreadingBackend
from joblib.parallel import register_parallel_backend
from sklearn.decomposition import TruncatedSVD

from sktpecr import CVAEGenerator, TPECRExplainer
from sktpecr._utils import _resumable_parts
from sktpecr.attribution import ExactAttribution, LimeAttribution
from sktpecr.datasets import make_tagged_interactions

DATA = make_tagged_interactions(n_users=60, n_items=90, n_tags=5, random_state=0)
TAGS = np.asarray(DATA.item_tags)
USERS = DATA.user_ids.tolist()


def fitted(**kwargs):
    explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags, **kwargs)
    return explainer.fit(DATA.interactions, user_ids=DATA.user_ids)


EXPLAINER = fitted()
KINDS = {
    "account": EXPLAINER,
    "exact": fitted(attribution=ExactAttribution()),
    "LIME": fitted(attribution=LimeAttribution(n_samples=200, random_state=0)),
    "CVAE": fitted(
        generator=CVAEGenerator(max_epochs=2, random_state=0),
        attribution=LimeAttribution(n_samples=200, random_state=0),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_what_explain_says_one_by_one(kind):
    explainer = KINDS[kind]
    table = explainer.explain_batch(USERS[:7], n_items=3, n_tags=2)
    assert table["user"].drop_duplicates().tolist() == USERS[:7]
    n_told = 0
    for (user, rank), rows in table.groupby(["user", "rank"]):
        recommended = explainer.recommend(user, 3).iloc[rank - 1]
        explanation = explainer.explain(user, recommended["item"])
        column = DATA.item_ids.tolist().index(recommended["item"])
        on_item = dict(zip(explainer.tag_names_, TAGS[column] > 0, strict=True))
        largest = explanation.to_frame()
        largest["on_item"] = largest["tag"].map(on_item)
        if kind == "account":
            weights = explainer.attribution_.weights_[[column]].toarray()[0]
            counts = dict(zip(explainer.tag_names_, weights > 0, strict=True))
            largest = largest[largest["tag"].map(counts)]
        else:
            largest = largest.sort_values("on_item", ascending=False, kind="stable")
        largest = largest.head(2)
        assert set(rows["item"]) == set(rows["name"]) == {recommended["item"]}
        np.testing.assert_allclose(rows["score"], recommended["score"], rtol=1e-6)
        np.testing.assert_allclose(rows["fidelity"], explanation.fidelity, atol=1e-6)
        if not len(largest):
            assert rows["tag"].isna().tolist() == [True]
            assert rows[["on_item", "contribution"]].to_numpy().tolist() == [[False, 0.0]]
            continue
        n_told += len(rows)
        assert rows["tag"].tolist() == largest["tag"].tolist()
        assert rows["on_item"].tolist() == largest["on_item"].tolist()
        for name in ("importance", "contribution"):
            np.testing.assert_allclose(rows[name], largest[name], rtol=1e-5, atol=1e-7)
    assert table.groupby(["user", "rank"]).ngroups == 7 * 3
    assert n_told > 10


@pytest.mark.parametrize("kind", KINDS)
def test_contributions_of_pairs_are_what_explain_says_one_by_one(kind):
    explainer = KINDS[kind]
    users = [USERS[i] for i in (4, 9, 4, 0, 9)]
    items = [DATA.item_ids[i] for i in (7, 7, 3, 80, 1)]
    found = explainer.contributions(users, np.array(items))
    assert found.shape == (5, 5)
    for contributions, user, item in zip(found, users, items, strict=True):
        expected = explainer.explain(user, item).contributions
        np.testing.assert_allclose(contributions, expected, rtol=1e-4, atol=1e-7)


def test_pairs_that_are_none_say_so():
    with pytest.raises(ValueError, match=r"as many, one of each for a pair; got 2 and 1"):
        EXPLAINER.contributions(USERS[:2], DATA.item_ids[:1])
    with pytest.raises(ValueError, match=r"unknown item 'nothing'"):
        EXPLAINER.contributions(USERS[:1], ["nothing"])
    with pytest.raises(ValueError, match=r"users must be a list of user ids"):
        EXPLAINER.contributions("user_003", ["item_001"])


def test_workers_change_no_bit_and_parts_next_to_nothing():
    alone = EXPLAINER.explain_batch(batch_size=16)
    assert alone["user"].nunique() == 60
    for n_jobs, backend in ((2, "threading"), (2, "loky")):
        with joblib.parallel_config(backend=backend, n_jobs=n_jobs):
            pd.testing.assert_frame_equal(EXPLAINER.explain_batch(batch_size=16), alone)
    other = EXPLAINER.explain_batch(batch_size=7)
    pd.testing.assert_frame_equal(other, alone, rtol=1e-6, atol=1e-9)


def test_some_items_and_fewer_than_asked_for():
    some = DATA.item_ids[[3, 5, 8]].tolist()
    table = EXPLAINER.explain_batch(USERS[:4], n_items=10, n_tags=9, items=some, exclude_seen=False)
    assert set(table["item"]) == set(some)
    assert table.groupby(["user", "item"]).ngroups == 4 * 3
    unseen = EXPLAINER.explain_batch(USERS[:4], items=some)
    seen = DATA.interactions[:4].toarray()[:, [3, 5, 8]] != 0
    assert unseen.groupby("user")["item"].nunique().sum() == (~seen).sum()


def test_users_without_interactions_are_passed_by_unless_named():
    X = DATA.interactions.tolil(copy=True)
    X[3] = 0
    explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags).fit(X.tocsr())
    assert set(explainer.explain_batch(n_items=1, n_tags=1)["user"]) == set(range(60)) - {3}
    with pytest.raises(ValueError, match="user 3 has no interactions"):
        explainer.explain_batch([1, 3])


def read(folder):
    return pd.read_parquet(folder)


def test_a_folder_is_a_dataset_with_the_same_rows(tmp_path):
    folder = EXPLAINER.explain_batch(to=tmp_path / "out", batch_size=16, n_jobs=2)
    assert folder == tmp_path / "out"
    assert sorted(path.name for path in folder.iterdir()) == [
        "_manifest.json",
        *(f"part-{number:06d}.parquet" for number in range(4)),
    ]
    pd.testing.assert_frame_equal(
        read(folder), EXPLAINER.explain_batch(batch_size=16), check_dtype=False,
        check_categorical=False,
    )  # fmt: skip


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read as on Linux")
def test_memory_grows_with_a_part_as_the_docstring_says(tmp_path):
    pytest.importorskip("pyarrow")
    if pd.Series(["text"]).dtype == object:
        pytest.skip("pandas before 3 keeps text as objects, which take more")
    n_users, n_factors, n_items, n_tags = 16_384, 16, 10, 20
    script = textwrap.dedent(
        f"""
        import sys
        from pathlib import Path
        import numpy as np
        import pandas as pd
        import scipy.sparse as sp
        from sktpecr import TPECRExplainer
        from sktpecr.attribution import ExactAttribution
        def peak():  # of this program: getrusage has that of whoever started it, too
            status = Path("/proc/self/status").read_text()
            return 1024 * int(status.split("VmHWM:")[1].split()[0])
        rng = np.random.RandomState(0)
        users, items = (rng.normal(size=(n, {n_factors})) for n in ({n_users}, 300))
        tags = pd.DataFrame(rng.randint(2, size=(300, {n_tags})))
        tags.index = [f"item_{{item:06d}}" for item in range(300)]
        # which tells of every tag, and so has as many rows as there can be
        explainer = TPECRExplainer((users, items), tags, attribution=ExactAttribution())
        ids = [f"user_{{user:07d}}" for user in range({n_users})]  # text, not numbers
        seen = np.arange({n_users}) % 300
        X = sp.csr_matrix((np.ones({n_users}), (np.arange({n_users}), seen)))
        explainer.fit(X, user_ids=ids)
        shape = {{"n_items": {n_items}, "n_tags": {n_tags}}}
        explainer.explain_batch(ids[:300], to=sys.argv[1], **shape)
        before = peak()
        explainer.explain_batch(to=sys.argv[2], batch_size={n_users}, **shape)
        print(peak() - before)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "a", tmp_path / "b"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    grown = float(done.stdout)
    part = n_users * (4 * n_factors + 160 * n_items * n_tags)
    assert 0.3 * part < grown < 1e8 + part  # it is no room that nobody needs


def test_an_explainer_read_from_a_file_takes_the_users_of_a_part(tmp_path):
    joblib.dump(EXPLAINER, tmp_path / "explainer.joblib")
    loaded = joblib.load(tmp_path / "explainer.joblib", mmap_mode="r")
    tag_model = loaded.tag_model_
    for users in (tag_model.user_embeddings, tag_model.catalogue.interactions.data):
        assert isinstance(users, np.memmap)
    pd.testing.assert_frame_equal(
        loaded.explain_batch(USERS[:9]), EXPLAINER.explain_batch(USERS[:9]), check_exact=True
    )


def test_a_job_goes_on_where_it_was(tmp_path):
    def explain(**more):
        return EXPLAINER.explain_batch(to=tmp_path, batch_size=16, **more)

    expected = read(explain())
    stamps = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    (tmp_path / "part-000002.parquet").unlink()
    (tmp_path / ".part-000002.parquet.77").write_text("half a part")
    explain()
    changed = {p.name for p in tmp_path.iterdir() if p.stat().st_mtime_ns != stamps.get(p.name)}
    assert changed == {"part-000002.parquet"}
    pd.testing.assert_frame_equal(read(tmp_path), expected)
    explain(resume=False)
    assert (tmp_path / "part-000000.parquet").stat().st_mtime_ns > stamps["part-000000.parquet"]


@pytest.mark.parametrize("left", [0.0, 0.5, 0.999])
def test_a_part_that_lost_its_end_is_made_anew(tmp_path, left):
    EXPLAINER.explain_batch(to=tmp_path, batch_size=16)
    expected, part = read(tmp_path), tmp_path / "part-000002.parquet"
    whole = part.read_bytes()
    part.write_bytes(whole[: int(left * len(whole))])
    EXPLAINER.explain_batch(to=tmp_path, batch_size=16)
    assert part.read_bytes() == whole
    pd.testing.assert_frame_equal(read(tmp_path), expected)


def test_a_relative_folder_is_that_of_the_call(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert EXPLAINER.explain_batch(USERS[:3], to="out") == tmp_path / "out"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"n_tags": 2}, r"parts of another job \(n_tags was 5, is 2\)"),
        ({"users": USERS[:16]}, r"n_parts was 4, is 1.*lists was"),
        ({"items": DATA.item_ids[:50].tolist()}, "lists was"),
        ({"batch_size": 20}, "n_parts was 4, is 3"),
    ],
)
def test_another_job_is_not_taken_for_it(tmp_path, more, message):
    EXPLAINER.explain_batch(to=tmp_path, batch_size=16)
    before = read(tmp_path)
    with pytest.raises(ValueError, match=message):
        EXPLAINER.explain_batch(**{"to": tmp_path, "batch_size": 16, **more})
    pd.testing.assert_frame_equal(read(tmp_path), before)


def test_a_model_fitted_again_is_another_job(tmp_path):
    EXPLAINER.explain_batch(to=tmp_path)
    other = TPECRExplainer(TruncatedSVD(8, random_state=1), DATA.item_tags)
    other.fit(DATA.interactions[::-1], user_ids=DATA.user_ids)
    with pytest.raises(ValueError, match="model was"):
        other.explain_batch(to=tmp_path)
    assert fitted().explain_batch(to=tmp_path) == tmp_path  # the same once more


def test_folders_of_others_are_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match=r"and .* has other files; name another one"):
        EXPLAINER.explain_batch(to=tmp_path)
    with pytest.raises(ValueError, match=r"to must be a folder, and .* is a file"):
        EXPLAINER.explain_batch(to=tmp_path / "thesis.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    spoiled = EXPLAINER.explain_batch(to=tmp_path / "out") / "_manifest.json"
    spoiled.write_text(json.dumps([1])[:-1])
    with pytest.raises(ValueError, match="is no manifest that can be read"):
        EXPLAINER.explain_batch(to=tmp_path / "out")


class Fragile(LimeAttribution):
    """Fails for users whose second factor is large, as long as a file is there."""

    trouble = None

    def attribute(self, tag_preferences, embedding, items):
        if self.trouble is not None and self.trouble.exists() and embedding[1] > 0.4:
            raise FloatingPointError("one user too many")
        return super().attribute(tag_preferences, embedding, items)


def test_a_manifest_that_found_no_room_refuses_no_later_call(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    folder = tmp_path / "batch"
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        EXPLAINER.explain_batch(USERS[:4], to=folder)
    monkeypatch.undo()
    assert list(folder.iterdir()) == []
    # Killed while it was written, it leaves half of itself.
    (folder / "._manifest.json.0123456789abcdef").write_text('{"version"')
    assert EXPLAINER.explain_batch(USERS[:4], to=folder) == folder
    assert sorted(path.name for path in folder.iterdir()) == [
        "_manifest.json",
        "part-000000.parquet",
    ]


@pytest.mark.skipif(os.name != "posix", reason="folders are not locked elsewhere")
def test_of_two_calls_on_a_folder_one_wins_and_one_says_so(tmp_path, monkeypatch):
    inside, go_on = threading.Event(), threading.Event()
    make = _resumable_parts._make

    def slow(*arguments):
        inside.set()
        assert go_on.wait(30)
        return make(*arguments)

    monkeypatch.setattr(_resumable_parts, "_make", slow)
    folder = tmp_path / "batch"
    with ThreadPoolExecutor(1) as other:
        first = other.submit(EXPLAINER.explain_batch, USERS[:4], to=folder)
        assert inside.wait(30)
        for resume in (True, False):
            with pytest.raises(RuntimeError, match=r"another call is writing to .*; wait until"):
                EXPLAINER.explain_batch(USERS[:4], to=folder, resume=resume)
        go_on.set()
        assert first.result() == folder
    assert pd.read_parquet(folder)["user"].nunique() == 4
    assert EXPLAINER.explain_batch(USERS[:4], to=folder) == folder  # it is free again


def test_parts_that_fail_are_named_and_the_others_kept(tmp_path):
    explainer = fitted(attribution=Fragile(n_samples=50, random_state=0))
    trouble = tmp_path / "trouble"
    explainer._tag_model.attribution.trouble = trouble
    expected = explainer.explain_batch(batch_size=4)
    trouble.touch()
    with pytest.warns(UserWarning, match=r"of 15 parts failed, and their users are left out: part"):
        some = explainer.explain_batch(batch_size=4)
    assert 0 < some["user"].nunique() < 60
    kept = expected[expected["user"].isin(set(some["user"]))].reset_index(drop=True)
    pd.testing.assert_frame_equal(some, kept)
    with pytest.raises(RuntimeError, match=r"one user too many. Call again to try them again"):
        explainer.explain_batch(to=tmp_path / "out", batch_size=4)
    trouble.unlink()
    explainer.explain_batch(to=tmp_path / "out", batch_size=4)
    assert read(tmp_path / "out")["user"].tolist() == expected["user"].tolist()


def test_killed_at_random_moments_nothing_is_lost_and_nothing_twice(tmp_path):
    script = tmp_path / "job.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import os, signal, sys, time
            sys.path.insert(0, {os.path.dirname(__file__)!r})
            import test_explain_batch as t
            from sktpecr.attribution import ExactAttribution
            importances = ExactAttribution.importances
            def slowly(self, *arguments):
                time.sleep(0.008)
                return importances(self, *arguments)
            ExactAttribution.importances = slowly
            kills, rng = 0, t.np.random.RandomState(0)
            for _ in range(4):
                job = os.fork()  # nothing has to be imported again
                if not job:
                    t.EXPLAINER.explain_batch(to=sys.argv[1], batch_size=4)
                    os._exit(0)
                time.sleep(rng.uniform(0.01, 0.1))
                os.kill(job, signal.SIGKILL)
                kills += os.waitstatus_to_exitcode(os.waitpid(job, 0)[1]) == -signal.SIGKILL
            print(kills)
            """
        )
    )
    folder = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", script, folder],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0
    EXPLAINER.explain_batch(to=folder, batch_size=4)
    expected = EXPLAINER.explain_batch(batch_size=4)
    found = read(folder)
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, check_categorical=False)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"users": ["nobody"]}, "unknown user 'nobody'"),
        ({"users": "user_03"}, "users must be a list of user ids, got 'user_03'"),
        ({"users": []}, "users must name at least one user"),
        ({"items": ["item"]}, "unknown item 'item'"),
        ({"n_items": 0}, "n_items must be a whole number of at least 1"),
        ({"n_tags": 1.5}, "n_tags must be a whole number"),
        ({"batch_size": "large"}, "batch_size must be a whole number of at least 1, got 'large'"),
    ],
)
def test_says_what_is_wrong(said, message):
    with pytest.raises(ValueError, match=message):
        EXPLAINER.explain_batch(**said)


def test_without_interactions_seen_items_cannot_be_left_out():
    users, items = np.random.RandomState(0).normal(size=(2, 90, 4))
    explainer = TPECRExplainer((users, items), DATA.item_tags)
    assert explainer.explain_batch(exclude_seen=False, n_items=1)["user"].nunique() == 90
    with pytest.raises(ValueError, match="exclude_seen=True needs interactions"):
        explainer.explain_batch()


def test_without_pyarrow_it_says_so_before_anything_is_computed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install 'sktpecr\[parquet\]'"):
        EXPLAINER.explain_batch(USERS[:2], to=tmp_path / "out")
    assert not (tmp_path / "out").exists()


class AllAtOnce(ThreadingBackend):
    """A backend such as Ray's, which gives no result before the last."""

    supports_return_generator = False


def test_a_backend_that_gives_all_results_at_once_will_do(tmp_path):
    register_parallel_backend("all at once", AllAtOnce)
    alone = EXPLAINER.explain_batch(batch_size=16)
    with joblib.parallel_config("all at once", n_jobs=2):
        pd.testing.assert_frame_equal(EXPLAINER.explain_batch(batch_size=16), alone)
        EXPLAINER.explain_batch(batch_size=16, to=tmp_path / "out")
    assert len(pd.read_parquet(tmp_path / "out")) == len(alone)
