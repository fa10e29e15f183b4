"""Saving and loading: the same to the last bit, or one clear error; nothing that is read is run."""

import errno
import hashlib
import io
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import zipfile

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from sklearn.base import clone
from sklearn.decomposition import NMF, TruncatedSVD

from sktpecr import (
    CVAEGenerator,
    FeedbackRefiner,
    GaussianGenerator,
    InversionGenerator,
    MLPGenerator,
    TPECRExplainer,
)
from sktpecr.attribution import LimeAttribution, ShapleyAttribution
from sktpecr.datasets import make_tagged_interactions
from sktpecr.explanation import _saved_explainer
from sktpecr.recommenders import FactorizationMachine, MatrixFactorization, TorchRecommender

DATA = make_tagged_interactions(n_users=40, n_items=30, n_tags=4, random_state=0)
RNG = np.random.RandomState(0)
FACTORS = RNG.normal(size=(40, 5)), RNG.normal(size=(30, 5))


def fit(recommender=FACTORS, item_tags=DATA.item_tags, users=DATA.user_ids, **params):
    return TPECRExplainer(recommender, item_tags, **params).fit(DATA.interactions, user_ids=users)


def train(model):
    model.fit(DATA.interactions, show_progress=False)
    return model


def assert_same(one, other, embeds=True):
    """Hold everything that an explainer answers against another's answers."""
    items = one.item_ids_[:6]
    for name in ("user_ids_", "item_ids_", "item_names_", "tag_names_", "user_embeddings_"):
        mine, yours = getattr(one, name), getattr(other, name)
        assert mine.dtype == yours.dtype
        np.testing.assert_array_equal(mine, yours)
    for user in one.user_ids_[:3]:
        for item in items:
            mine, yours = (each.explain(user, item).to_dict() for each in (one, other))
            assert json.dumps(mine, default=str) == json.dumps(yours, default=str)
        pd.testing.assert_frame_equal(one.recommend(user), other.recommend(user), check_exact=True)
        tag = one.tag_names_[0]
        for solver in ("auto", "bayesian"):
            mine, yours = (
                FeedbackRefiner(each, solver=solver).refine(user, like=[tag])
                for each in (one, other)
            )
            assert mine.embedding.tobytes() == yours.embedding.tobytes()
            assert mine.scores.tobytes() == yours.scores.tobytes()
    described = {"tags": {one.tag_names_[0]: 1.5}, "n": 3}
    pd.testing.assert_frame_equal(
        one.recommend(**described, exclude_seen=False),
        other.recommend(**described, exclude_seen=False),
    )
    if embeds:
        assert one.score(DATA.interactions) == other.score(DATA.interactions)
        rows = DATA.interactions[:5]
        assert (one.transform(rows) == other.transform(rows)).all()


def net(users, items):
    return torch.tanh(users * items).sum(dim=1)


QUICK = {"max_epochs": 3, "hidden_dims": (8,), "random_state": 0}
EXPLAINERS = {
    "arrays": fit,
    "svd": lambda: fit(TruncatedSVD(5, random_state=0)),
    "als": lambda: fit(train(AlternatingLeastSquares(factors=5, random_state=0))),
    "bpr": lambda: fit(train(BayesianPersonalizedRanking(5, random_state=0, num_threads=1))),
    "mf": lambda: fit(MatrixFactorization(5, max_epochs=3, random_state=0)),
    "float32": lambda: fit(tuple(each.astype(np.float32) for each in FACTORS)),
    "by columns": lambda: fit(tuple(np.asfortranarray(each) for each in FACTORS)),
    "biases": lambda: fit((*FACTORS, RNG.normal(size=30))),
    "cvae": lambda: fit(generator=CVAEGenerator(latent_dim=3, **QUICK)),
    "mlp": lambda: fit(generator=MLPGenerator(**QUICK), attribution=ShapleyAttribution()),
    "inversion": lambda: fit(
        generator=InversionGenerator(n_edits=20, **QUICK),
        attribution=LimeAttribution(n_samples=200, num_features=2, random_state=0),
    ),
    "gaussian": lambda: fit(
        generator=GaussianGenerator(shrinkage=0.1), attribution=ShapleyAttribution()
    ),
    "shrunk": lambda: fit(aggregate="shrunk", random_state=3),
    "row numbers": lambda: fit(item_tags=DATA.item_tags.to_numpy(), users=None),
    "sparse tags": lambda: fit(item_tags=sp.csr_matrix(DATA.item_tags), tag_names=list("abcd")),
    "mixed ids": lambda: fit(users=["a", 7, "日本", *range(100, 137)]),
    "int ids": lambda: fit(users=np.arange(40) * 10**12),
    "float ids": lambda: fit(users=np.arange(40) / 4),
    "tuples as ids": lambda: fit(users=[(number, "a") for number in range(40)]),
    "no tags": lambda: fit(item_tags=None),
}


@pytest.mark.filterwarnings("ignore:the list does not show")  # "no tags"
@pytest.mark.parametrize("name", EXPLAINERS)
def test_loaded_answers_to_the_last_bit(name, tmp_path):
    explainer = EXPLAINERS[name]()
    loaded = TPECRExplainer.load(explainer.save(tmp_path / "saved"))
    embeds = name != "als"  # by code of implicit, which is not kept
    assert_same(explainer, loaded, embeds)
    # And what was loaded can be saved, pickled and kept by joblib as well.
    assert_same(loaded, TPECRExplainer.load(loaded.save(tmp_path / "again")), embeds)
    assert_same(loaded, pickle.loads(pickle.dumps(loaded)), embeds)
    joblib.dump(loaded, tmp_path / "kept.joblib")
    assert_same(loaded, joblib.load(tmp_path / "kept.joblib"), embeds)


@pytest.mark.parametrize("name", ["arrays", "row numbers", "sparse tags", "inversion"])
def test_loaded_can_be_fitted_again(name, tmp_path):
    explainer = EXPLAINERS[name]()
    loaded = TPECRExplainer.load(explainer.save(tmp_path / "saved"))
    users = None if name == "row numbers" else DATA.user_ids
    assert_same(explainer, clone(loaded).fit(DATA.interactions, user_ids=users))


def test_frames_bring_their_names_back(tmp_path):
    frame = pd.DataFrame(
        DATA.interactions.toarray(), index=DATA.user_ids, columns=list(DATA.item_ids)
    )
    explainer = TPECRExplainer(FACTORS, DATA.item_tags).fit(frame)
    loaded = TPECRExplainer.load(explainer.save(tmp_path / "saved"))
    assert (loaded.transform(frame) == explainer.transform(frame)).all()
    assert (loaded.feature_names_in_ == explainer.feature_names_in_).all()
    with pytest.raises(ValueError, match="another order"):
        loaded.transform(frame[list(reversed(frame.columns))])


def test_explainer_without_interactions(tmp_path):
    explainer = TPECRExplainer(FACTORS, DATA.item_tags)
    loaded = TPECRExplainer.load(explainer.save(tmp_path / "saved"))
    mine, yours = (each.explain(3, DATA.item_ids[2]) for each in (explainer, loaded))
    assert mine.to_text() == yours.to_text()
    with pytest.raises(ValueError, match="exclude_seen=True needs interactions"):
        loaded.recommend(3)


def test_diverged_history_is_kept(tmp_path):
    explainer = EXPLAINERS["cvae"]()
    explainer.generator_.history_[-1]["train_loss"] = float("nan")
    loaded = TPECRExplainer.load(explainer.save(tmp_path / "saved"))
    assert np.isnan(loaded.generator_.history_[-1]["train_loss"])


class TestRecommender:
    """Which are kept, which have to be given, and that it is the right one."""

    def test_one_that_is_code_has_to_be_given(self, tmp_path):
        recommender = TorchRecommender(net, *FACTORS)
        explainer = fit(recommender, generator=GaussianGenerator())
        folder = explainer.save(tmp_path / "saved")
        with pytest.raises(ValueError, match=r"class TorchRecommender, which is not kept; pass"):
            TPECRExplainer.load(folder)
        assert_same(explainer, TPECRExplainer.load(folder, recommender=recommender))

    def test_tags_of_a_trained_one(self, tmp_path):
        fm = FactorizationMachine(
            item_tags=DATA.item_tags, n_factors=5, max_epochs=2, random_state=0
        ).fit(DATA.interactions)
        explainer = fit(fm, item_tags=None)
        loaded = TPECRExplainer.load(explainer.save(tmp_path / "saved"), fm)
        assert_same(explainer, loaded)

    def test_own_way_to_embed_is_asked_for(self, tmp_path):
        nmf = NMF(4, init="nndsvda", max_iter=500, tol=1e-3).fit(DATA.interactions)
        explainer = fit(nmf)
        folder = explainer.save(tmp_path / "saved")
        loaded = TPECRExplainer.load(folder)
        assert_same_lists = explainer.recommend(DATA.user_ids[0])
        pd.testing.assert_frame_equal(assert_same_lists, loaded.recommend(DATA.user_ids[0]))
        with pytest.raises(ValueError, match=r"without its model, a NMF.*recommender="):
            loaded.transform(DATA.interactions)
        # Saved again, it still knows what it lacks.
        again = TPECRExplainer.load(loaded.save(tmp_path / "again"))
        with pytest.raises(ValueError, match="without its model, a NMF"):
            again.transform(DATA.interactions)
        whole = TPECRExplainer.load(folder, recommender=nmf)
        assert (whole.transform(DATA.interactions) == explainer.transform(DATA.interactions)).all()

    def test_given_one_is_taken_where_one_is_kept(self, tmp_path):
        als = train(AlternatingLeastSquares(factors=5, random_state=0))
        explainer = fit(als)
        loaded = TPECRExplainer.load(explainer.save(tmp_path / "saved"), als)
        rows = DATA.interactions[:5]
        assert (loaded.transform(rows) == explainer.transform(rows)).all()

    @pytest.mark.parametrize(
        ("other", "match"),
        [
            ((FACTORS[0], FACTORS[1] + 1e-3), "scores differently .* by 0"),
            ((FACTORS[0], FACTORS[1][::-1]), "scores differently"),
            ((FACTORS[0][:-1], FACTORS[1]), "of 40 users and 30 items, got one of 39 users"),
            ((FACTORS[0], FACTORS[1][:-1]), "and 30 items, got one of 40 users and 29 items"),
            ((FACTORS[0][:, :3], FACTORS[1][:, :3]), "expected numbers of shape"),
        ],
    )
    def test_another_one_is_told(self, tmp_path, other, match):
        folder = fit().save(tmp_path / "saved")
        with pytest.raises(ValueError, match=match):
            TPECRExplainer.load(folder, recommender=other)


class TestCannotBeKept:
    """What is code, or could not be read back, is refused by name before anything is written."""

    @pytest.mark.parametrize(
        ("make", "match"),
        [
            (lambda: fit(aggregate=lambda s: np.median(s, axis=1)), "aggregate is a function"),
            (lambda: fit(random_state=np.random.RandomState(0)), "random_state is a RandomState"),
            (lambda: fit(users=pd.date_range("2020", periods=40)), r"user_ids.0 is a Timestamp"),
            (lambda: fit(generator=Shifted()), "generator is a Shifted"),
        ],
    )
    def test_says_what(self, make, match, tmp_path):
        explainer = make()
        with pytest.raises(ValueError, match=match):
            explainer.save(tmp_path / "saved")
        assert not (tmp_path / "saved").exists()

    def test_what_is_not_finite(self, tmp_path):
        explainer = fit()
        explainer.generator_.gain_[0, 0] = np.nan
        with pytest.raises(ValueError, match=r"generator_.gain_ has NaN"):
            explainer.save(tmp_path / "saved")


class Shifted(GaussianGenerator):
    """A generator of one's own."""


class TestFolder:
    """Other people's files stay, and nothing is left half."""

    def test_files_of_others_stay(self, tmp_path):
        (tmp_path / "thesis.tex").write_text("42")
        with pytest.raises(ValueError, match=r"has other files, such as 'thesis.tex'"):
            fit().save(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
        with pytest.raises(ValueError, match="is a file"):
            fit().save(tmp_path / "thesis.tex")

    def test_saving_again_replaces(self, tmp_path):
        first, second = fit(), fit(aggregate="shrunk")
        folder = first.save(tmp_path / "saved")
        n_files = len(list(folder.iterdir()))
        assert_same(second, TPECRExplainer.load(second.save(folder)))
        assert len(list(folder.iterdir())) == n_files

    def test_leftovers_of_the_killed_go_after_an_hour(self, tmp_path):
        folder = fit().save(tmp_path / "saved")
        fresh, old = (folder / f"{token * 16}.npz" for token in "ab")
        for path in (fresh, old):
            path.write_bytes(b"half")
        os.utime(old, (0, 0))
        fit().save(folder)
        assert fresh.exists()
        assert not old.exists()

    @pytest.mark.parametrize("nth", [0, 1, 2, 3])
    def test_full_disk_leaves_what_was_there(self, tmp_path, monkeypatch, nth):
        first = fit()
        folder = first.save(tmp_path / "saved")
        before = sorted(path.name for path in folder.iterdir())
        n_writes, fsync = [0], os.fsync

        def full(handle):
            n_writes[0] += 1
            if n_writes[0] == nth + 1:
                raise OSError(errno.ENOSPC, "No space left on device")
            fsync(handle)

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            fit(aggregate="shrunk").save(folder)
        loaded = TPECRExplainer.load(folder)
        if nth == 3:  # the disk failed after the one step that counts
            assert loaded.aggregate == "shrunk"
            return
        assert sorted(path.name for path in folder.iterdir()) == before
        assert_same(first, loaded)

    def test_killed_while_saving(self, tmp_path):
        """SIGKILL at any moment: the folder loads, as one save or as the other."""
        code = (
            "import sys, numpy as np; from sktpecr import TPECRExplainer\n"
            "rng = np.random.RandomState(int(sys.argv[2]))\n"
            "factors = rng.normal(size=(40, 5)), rng.normal(size=(30, 5))\n"
            "explainer = TPECRExplainer(factors, random_state=int(sys.argv[2]))\n"
            "explainer.save(sys.argv[1]); print('saved', flush=True)\n"
            "while True: explainer.save(sys.argv[1])\n"
        )
        folder = tmp_path / "saved"
        for seed, delay in enumerate((0.0, 0.004, 0.011)):
            run = subprocess.Popen(
                [sys.executable, "-c", code, str(folder), str(seed)], stdout=subprocess.PIPE
            )
            assert run.stdout.readline() == b"saved\n"
            threading.Event().wait(delay)
            run.send_signal(signal.SIGKILL)
            run.wait()
            run.stdout.close()
            assert TPECRExplainer.load(folder).random_state == seed

    def test_threads_save_and_load_one_folder(self, tmp_path):
        explainer = fit()
        folder = explainer.save(tmp_path / "saved")
        stop, failed = threading.Event(), []

        def keep_saving():
            while not stop.is_set():
                explainer.save(folder)

        writer = threading.Thread(target=keep_saving)
        writer.start()
        try:
            for _ in range(40):
                assert TPECRExplainer.load(folder).n_features_in_ == 30
        finally:
            stop.set()
            writer.join()
        assert not failed


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    explainer = fit(users=["a", 7, "日本", *range(100, 137)])
    return explainer, explainer.save(tmp_path_factory.mktemp("x") / "saved")


def answers(explainer):
    user, item = explainer.user_ids_[3], explainer.item_ids_[4]
    explanation = explainer.explain(user, item)
    return (
        explanation.importances.tobytes(),
        explanation.score,
        tuple(explainer.recommend(user)["item"]),
    )


def load_or_say(folder, explainer):
    """Load it: the answers are the right ones, or there is a ValueError that names the folder."""
    loaded, error = loaded_or_error(folder)
    if loaded is None:
        assert str(folder) in error
        return False
    assert answers(loaded) == answers(explainer)
    return True


def loaded_or_error(folder):
    try:
        return TPECRExplainer.load(folder), None
    except ValueError as error:
        return None, str(error)


DAMAGE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


class TestDamaged:
    """Bytes that were changed by accident: found, whatever they are."""

    @DAMAGE
    @given(data=st.data())
    def test_flipped_cut_dropped_or_swapped(self, saved, data, tmp_path):
        explainer, good = saved
        folder = tmp_path / "damaged"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(good, folder)
        paths = sorted(folder.iterdir())
        path = data.draw(st.sampled_from(paths))
        content = bytearray(path.read_bytes())
        how = data.draw(st.sampled_from(["flip", "cut", "longer", "drop", "swap", "empty"]))
        if how == "flip":
            place = data.draw(st.integers(0, len(content) - 1))
            content[place] ^= data.draw(st.integers(1, 255))
            path.write_bytes(content)
        elif how == "cut":
            path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
        elif how == "longer":
            path.write_bytes(bytes(content) + data.draw(st.binary(min_size=1, max_size=9)))
        elif how == "drop":
            path.unlink()
        elif how == "swap":
            other = data.draw(st.sampled_from(paths))
            theirs = other.read_bytes()
            other.write_bytes(content)
            path.write_bytes(theirs)
        else:
            path.write_bytes(b"")
        load_or_say(folder, explainer)

    def test_every_byte_of_an_array_counts(self, saved, tmp_path):
        _, good = saved
        shutil.copytree(good, tmp_path / "damaged")
        (path,) = (tmp_path / "damaged").glob("*.npz")
        content = path.read_bytes()
        start = content.index(b"mean.npy")
        for place in range(start, start + 300):  # name, header and numbers
            path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            with pytest.raises(ValueError, match=r"\.npz was changed"):
                TPECRExplainer.load(tmp_path / "damaged")

    def test_nothing_there(self, tmp_path):
        for folder in (tmp_path, tmp_path / "none"):
            with pytest.raises(ValueError, match=r"no explainer\.json: nothing was saved there"):
                TPECRExplainer.load(folder)


def forge(good, folder, change):
    """Copy a saved folder, change document and arrays, and make all checksums right."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(good, folder)
    document = json.loads((folder / "explainer.json").read_text())
    (path,) = folder.glob("*.npz")
    with zipfile.ZipFile(path) as archive:
        contents = {each: archive.read(each) for each in archive.namelist()}
    digest = document.pop("sha256") and document.pop("digest")
    change(document, contents)
    with zipfile.ZipFile(path, "w", document.pop("compression", zipfile.ZIP_STORED)) as archive:
        for each, content in contents.items():
            archive.writestr(each, content)
    document.setdefault("digest", hashlib.sha256(path.read_bytes()).hexdigest())
    assert digest != document["digest"]  # the times of the files
    document["sha256"] = _saved_explainer._digest(document)
    (folder / "explainer.json").write_text(json.dumps(document))
    return folder


def header(text, body=b""):
    """Return a .npy file of version 1 whose header says what is given."""
    text = text.encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body


def replace(name, content):
    return lambda document, contents: contents.__setitem__(name, content)


def set_array(name, array):
    def change(document, contents):
        file = io.BytesIO()
        np.lib.format.write_array(file, array)
        contents[name] = file.getvalue()

    return change


def in_document(*keys, to):
    def change(document, contents):
        *path, last = keys
        for key in ("explainer", *path):
            document = document[key]
        document[last] = to

    return change


def outside(key, to):
    """Change what the document says of itself."""
    return lambda document, contents: document.__setitem__(key, to)


class Bomb:
    """What would tell that it was unpickled."""

    def __reduce__(self):
        return (os.system, ("touch exploded",))


HOSTILE = {
    "path up": outside("arrays", "../../etc/passwd"),
    "absolute path": outside("arrays", "/etc/passwd"),
    "path within": outside("arrays", "0123456789abcdef.a/../../b"),
    "path into": outside("arrays", "0123456789abcdef.npz/../x.npz"),
    "arrays that are not there": outside("arrays", "0123456789abcdef.npz"),
    "no name": outside("arrays", ["a"]),
    "no checksum": outside("digest", ["a"]),
    "newer": outside("version", 4),
    "version of text": outside("version", "2"),
    "version true": outside("version", True),
    "another format": outside("format", "sktpecr.Conversation"),
    "values a list": outside("explainer", [1]),
    "compressed": outside("compression", zipfile.ZIP_DEFLATED),
    "huge shape": replace(
        "mean.npy", header("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999,)}")
    ),
    "huge shape of nothing": replace(
        "mean.npy",
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000000, 0)}"),
    ),
    "negative shape": replace(
        "mean.npy",
        header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -4)}", b"\0" * 32),
    ),
    "header that is code": replace("mean.npy", header("__import__('os').system('touch exploded')")),
    "deep header": replace("mean.npy", header("(" * 9000)),
    "objects": replace(
        "mean.npy", header("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}")
    ),
    "records": replace(
        "mean.npy",
        header("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (4,)}", b"\0" * 32),
    ),
    "a pickle": replace("mean.npy", pickle.dumps(Bomb())),
    "NaN": set_array("mean.npy", np.full(4, np.nan)),
    "another shape": set_array("mean.npy", np.zeros(5)),
    "whole numbers": set_array("mean.npy", np.zeros(4, dtype=int)),
    "bytes of 2": lambda d, c: replace("learners.npy", c["learners.npy"][:-40] + b"\x02" * 40)(
        d, c
    ),
    "columns beyond": set_array("interactions.indices.npy", np.full(DATA.interactions.nnz, 10**6)),
    "columns below": set_array("interactions.indices.npy", np.full(DATA.interactions.nnz, -9)),
    "rows that overlap": set_array("interactions.indptr.npy", np.arange(41)[::-1].copy()),
    "rows beyond": set_array("interactions.indptr.npy", np.arange(41) * 10**9),
    "tags beyond": set_array(
        "item_tags.indices.npy", np.full(int((DATA.item_tags != 0).to_numpy().sum()), 99)
    ),
    "ids of no text": set_array("item_ids.npy", np.zeros(30, dtype=np.uint32).view("U1")),
    "letters that are none": set_array(
        "item_ids.npy", np.full(30, 0x7FFFFFFF, dtype=np.uint32).view("U1")
    ),
    "no class of ours": in_document("generator_", "part", to="os.system"),
    "a class that is no generator": in_document("generator_", "part", to="RidgeFoldIn"),
    "a method": in_document("generator_", "state", "generate", to=1),
    "a dunder": in_document("generator_", "state", "__class__", to="x"),
    "less learned": in_document("generator_", "state", to={}),
    "other parameters": in_document("generator_", "params", "regularization", to=-1.0),
    "parameters that are none": in_document("generator_", "params", to={"a": 1}),
    "no array of that name": in_document("generator_", "state", "gain_", to={"array": "nope"}),
    "ids twice": in_document("user_ids", to={"labels": ["a"] * 40}),
    "ids too few": in_document("user_ids", to={"labels": ["a"]}),
    "ids in lists": in_document("user_ids", to={"labels": [["a"]] * 40}),
    "names too many": in_document("item_names", to={"labels": ["a"] * 31}),
    "tags of others": in_document("tag_names", to={"labels": ["a", "b", "c"]}),
    "no document at all": outside("explainer", {}),
    "aggregate of code": in_document("aggregate", to="lambda: 1"),
    "fold-in of another kind": in_document("recommender", "params", "fold_in", to="x"),
    "recommender of text": in_document("recommender", to="x"),
    "random state": in_document("random_state", to="x"),
    "other factors": set_array("recommender.item_factors.npy", FACTORS[1] * 1.01),
}


class TestHostile:
    """Folders whose checksums are right: no code is run, nothing is read beyond its end."""

    @pytest.mark.parametrize("name", HOSTILE)
    def test_one_clear_error(self, saved, name, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        folder = forge(saved[1], tmp_path / "forged", HOSTILE[name])
        with pytest.raises(ValueError, match=r"forged") as caught:
            TPECRExplainer.load(folder)
        assert len(str(caught.value)) < 1000
        assert not (tmp_path / "exploded").exists()

    def test_forging_itself_changes_nothing(self, saved, tmp_path):
        folder = forge(saved[1], tmp_path / "forged", lambda *_: None)
        assert load_or_say(folder, saved[0])

    @pytest.mark.parametrize(
        ("name", "dtype"),
        [("interactions.indices", ">i4"), ("interactions.data", ">f8"), ("mean", ">f8")],
    )
    def test_bytes_in_another_order(self, saved, name, dtype, tmp_path):
        def change(document, contents):
            array = np.load(io.BytesIO(contents[f"{name}.npy"])).astype(dtype)
            set_array(f"{name}.npy", array)(document, contents)

        folder = forge(saved[1], tmp_path / "forged", change)
        assert load_or_say(folder, saved[0])
        loaded = TPECRExplainer.load(folder)
        assert loaded._tag_model.catalogue.interactions.indices.dtype.isnative
        assert loaded.population_mean_.dtype.isnative

    def test_deep_json(self, saved, tmp_path):
        folder = tmp_path / "forged"
        shutil.copytree(saved[1], folder)
        for depth in (100_000, 900):
            (folder / "explainer.json").write_text("[" * depth + "]" * (depth == 900) * depth)
            with pytest.raises(ValueError, match=r"explainer\.json (is no JSON|must have .format)"):
                TPECRExplainer.load(folder)

    @pytest.mark.skipif(os.name != "posix", reason="named pipes")
    def test_a_pipe_is_not_waited_for(self, saved, tmp_path):
        folder = tmp_path / "forged"
        shutil.copytree(saved[1], folder)
        (path,) = folder.glob("*.npz")
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(ValueError, match="is missing or no plain file"):
            TPECRExplainer.load(folder)

    @DAMAGE
    @given(data=st.data())
    def test_anything_in_place_of_anything(self, saved, data, tmp_path):
        """Any value of the document becomes another: an error, or an explainer that answers."""

        def change(document, contents):
            here, path = document["explainer"], []
            while isinstance(here, dict | list) and here and data.draw(st.integers(0, 5)):
                keys = sorted(here) if isinstance(here, dict) else range(min(len(here), 50))
                path.append((here, data.draw(st.sampled_from(list(keys)))))
                here = here[path[-1][1]]
            if path:
                parent, key = path[-1]
                parent[key] = data.draw(
                    st.one_of(
                        st.none(),
                        st.booleans(),
                        st.integers(-(2**70), 2**70),
                        st.floats(allow_nan=False, allow_infinity=False),
                        st.text(max_size=5),
                        st.just([]),
                        st.just({}),
                        st.builds(lambda name: {"array": name}, st.sampled_from(sorted(ARRAYS))),
                    )
                )

        folder = forge(saved[1], tmp_path / "forged", change)
        loaded, error = loaded_or_error(folder)
        if loaded is None:
            assert str(folder) in error
        else:
            # Without interactions, say, it is an explainer as well.
            listed = loaded.recommend(loaded.user_ids_[3], 3, exclude_seen=False)
            assert len(listed) == 3


ARRAYS = {"mean", "std", "learners", "item_ids", "interactions.indptr", "recommender.item_factors"}
