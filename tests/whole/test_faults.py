"""What goes wrong in the middle: what was there before stays, and it is said what happened."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning

from sktpecr import (
    CVAEGenerator,
    FeedbackRefiner,
    GaussianGenerator,
    InversionGenerator,
    MLPGenerator,
    TPECRExplainer,
)
from sktpecr._utils import _torch_training
from sktpecr.datasets import make_tagged_interactions
from sktpecr.recommenders import (
    DistilledRecommender,
    FactorizationMachine,
    MatrixFactorization,
    NeuralCollaborativeFiltering,
)

DATA = make_tagged_interactions(n_users=40, n_items=30, n_tags=4, random_state=0)
RNG = np.random.RandomState(0)
USERS, ITEMS = RNG.normal(size=(40, 5)), RNG.normal(size=(30, 5))
TAGS = USERS @ RNG.normal(size=(5, 4))
QUICK = {"hidden_dims": (8,), "max_epochs": 10, "random_state": 0}


def in_epoch(number, do):
    """Return a criterion's forward that does something else in an epoch, and reset by a count."""
    plain, epochs = _torch_training._Held.forward, {"n": 1, "training": True}

    def forward(self, output, target):
        # Validation comes once after the batches of an epoch.
        training = torch.is_grad_enabled()
        if training and not epochs["training"]:
            epochs["n"] += 1
        epochs["training"] = training
        return (
            do(plain(self, output, target))
            if epochs["n"] == number
            else plain(self, output, target)
        )

    return forward


def nan(loss):
    return loss * float("nan")


def interrupt(loss):
    raise KeyboardInterrupt


def out_of_memory(loss):
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


GENERATORS = {
    "cvae": lambda: CVAEGenerator(latent_dim=3, **QUICK),
    "mlp": lambda: MLPGenerator(**QUICK),
    "inversion": lambda: InversionGenerator(**QUICK),
}


@pytest.mark.parametrize("name", GENERATORS)
def test_nan_in_epoch_seven_keeps_the_sixth(name, monkeypatch):
    monkeypatch.setattr(_torch_training._Held, "forward", in_epoch(7, nan))
    with pytest.warns(ConvergenceWarning, match=r"diverged in epoch 7; .* up to epoch 6 is kept"):
        generator = GENERATORS[name]().fit(TAGS, USERS)
    assert len(generator.history_) == 7
    assert np.isfinite(generator.generate(TAGS[::-1], USERS)).all()


def test_nan_in_epoch_seven_is_epoch_six(monkeypatch):
    constant = {**QUICK, "schedule": "constant", "latent_dim": 3}
    six = CVAEGenerator(**{**constant, "max_epochs": 6}).fit(TAGS, USERS)
    monkeypatch.setattr(_torch_training._Held, "forward", in_epoch(7, nan))
    with pytest.warns(ConvergenceWarning, match="epoch 7"):
        diverged = CVAEGenerator(**constant).fit(TAGS, USERS)
    assert (diverged.generate(TAGS[::-1], USERS) == six.generate(TAGS[::-1], USERS)).all()


def test_explainer_over_a_generator_that_diverged(monkeypatch, tmp_path):
    monkeypatch.setattr(_torch_training._Held, "forward", in_epoch(7, nan))
    explainer = TPECRExplainer(
        (USERS, ITEMS), DATA.item_tags, generator=GENERATORS["cvae"](), random_state=0
    )
    with pytest.warns(ConvergenceWarning, match="epoch 7"):
        explainer.fit(DATA.interactions)
    loaded = TPECRExplainer.load(explainer.save(tmp_path / "saved"))
    one, other = (each.explain(3, DATA.item_ids[2]) for each in (explainer, loaded))
    assert np.isfinite(one.importances).all()
    assert (one.importances == other.importances).all()


FAULTS = {
    "nan": (nan, ValueError, "diverged in epoch 1"),
    "interrupt": (interrupt, KeyboardInterrupt, None),
    "memory": (out_of_memory, torch.OutOfMemoryError, "out of memory"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", GENERATORS)
def test_generator_stays_what_it_was(name, fault, monkeypatch):
    do, error, match = FAULTS[fault]
    generator = GENERATORS[name]().fit(TAGS, USERS)
    state, before = set(vars(generator)), generator.generate(TAGS[::-1], USERS)
    monkeypatch.setattr(_torch_training._Held, "forward", in_epoch(1, do))
    with pytest.raises(error, match=match):
        generator.fit(TAGS[:, :2] * 100 + 7, USERS * 100 - 3)
    assert set(vars(generator)) == state
    assert (generator.generate(TAGS[::-1], USERS) == before).all()


def test_gaussian_stays_what_it_was():
    generator = GaussianGenerator().fit(TAGS, USERS)
    before = generator.generate(TAGS[::-1], USERS)
    with pytest.raises(ValueError, match="tag_matrix must have shape"):
        generator.fit(TAGS[:, :2] + 5, USERS * 9, tag_matrix=np.eye(3))
    assert (generator.generate(TAGS[::-1], USERS) == before).all()


RECOMMENDERS = {
    "mf": lambda: MatrixFactorization(4, max_epochs=4, random_state=0),
    "ncf": lambda: NeuralCollaborativeFiltering(4, max_epochs=2, random_state=0),
    "fm": lambda: FactorizationMachine(
        DATA.item_tags.to_numpy(), n_factors=4, max_epochs=4, random_state=0
    ),
}


@pytest.mark.parametrize("name", RECOMMENDERS)
def test_recommender_stays_what_it_was(name, monkeypatch):
    recommender = RECOMMENDERS[name]().fit(DATA.interactions)
    before = recommender.predict(DATA.interactions)
    monkeypatch.setattr(_torch_training._Held, "forward", in_epoch(1, interrupt))
    with pytest.raises(KeyboardInterrupt):
        recommender.fit(DATA.interactions[::-1][:30])
    assert recommender.n_features_in_ == 30
    assert (recommender.predict(DATA.interactions) == before).all()


def test_box_that_fails_half_way_leaves_the_distilled_one():
    down = []

    def box(users, items):
        if down and max(users) > 5:
            raise ConnectionError("the service is down")
        return (USERS[users] * ITEMS[items]).sum(axis=1)

    distilled = DistilledRecommender(box, budget=1.0, random_state=0, batch_size=100)
    distilled.fit(DATA.interactions)
    before = distilled.score_items(distilled.user_embeddings)
    down.append(True)
    with pytest.raises(ConnectionError):
        distilled.fit(DATA.interactions[:20])
    assert (distilled.score_items(distilled.user_embeddings) == before).all()


@pytest.mark.parametrize("fault", FAULTS)
def test_explainer_stays_what_it_was(fault, monkeypatch):
    do, error, match = FAULTS[fault]
    explainer = TPECRExplainer(
        (USERS, ITEMS), DATA.item_tags, generator=GENERATORS["cvae"](), random_state=0
    )
    explainer.fit(DATA.interactions, user_ids=DATA.user_ids)
    before = explainer.explain("user_03", "item_05").to_text()
    monkeypatch.setattr(_torch_training._Held, "forward", in_epoch(1, do))
    with pytest.raises(error, match=match):
        explainer.fit(DATA.interactions[::-1], user_ids=range(40))
    assert explainer.explain("user_03", "item_05").to_text() == before
    assert FeedbackRefiner(explainer).refine("user_03", like=["tag_1"]).user == "user_03"


def run(code, *args):
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code), *map(str, args)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return found.returncode, found.stdout, found.stderr


SETUP = """
    import sys, numpy as np
    from sktpecr import TPECRExplainer
    rng = np.random.RandomState(0)
    factors = rng.normal(size=(400, 5)), rng.normal(size=(30, 5))
"""
_LARGE = np.random.RandomState(0)
LARGE = _LARGE.normal(size=(400, 5)), _LARGE.normal(size=(30, 5))  # those of SETUP


@contextlib.contextmanager
def files_of_at_most(n_bytes):
    """Have the system refuse larger files, as it does where there is no room."""
    resource = pytest.importorskip("resource", reason="limits of files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


# NumPy 1.26 leaves its zip file open when it cannot write, and that complains when it goes.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_no_room_for_a_save(tmp_path):
    """The file system refuses in the middle of an array: what was saved before is still there."""
    TPECRExplainer(LARGE, random_state=1).save(tmp_path / "saved")
    with files_of_at_most(9000), pytest.raises(OSError, match=r"large|write"):
        TPECRExplainer(LARGE, random_state=2).save(tmp_path / "saved")
    assert TPECRExplainer.load(tmp_path / "saved").random_state == 1


def test_no_room_for_a_batch(tmp_path):
    """A part that cannot be written is told; the others are whole, and the next call goes on."""
    pytest.importorskip("pyarrow")
    explainer, folder = TPECRExplainer(LARGE), tmp_path / "batch"
    given = {"n_items": 3, "to": folder, "batch_size": 10, "exclude_seen": False}
    with files_of_at_most(3000), pytest.raises(RuntimeError, match="4 of 4 parts failed,"):
        explainer.explain_batch(range(40), **given)
    assert not list(folder.glob("*part*"))
    explainer.explain_batch(range(40), **given)
    assert len(list(folder.iterdir())) == 5


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_killed_in_the_middle_of_a_batch(tmp_path):
    pytest.importorskip("pyarrow")
    code = (
        SETUP
        + """
    import os, signal
    from sktpecr._utils import _resumable_parts as _parts
    explainer = TPECRExplainer(factors)
    write, n = _parts._write, [0]
    def killed(table, path):
        n[0] += 1
        if n[0] == 3:
            table.to_parquet(path.with_name(f".{path.name}.{os.getpid()}"))
            os.kill(os.getpid(), signal.SIGKILL)
        write(table, path)
    _parts._write = killed
    explainer.explain_batch(to=sys.argv[1], batch_size=50, exclude_seen=False)
    """
    )
    folder = tmp_path / "batch"
    assert run(code, folder)[0] == -9
    before = {path: path.stat().st_mtime_ns for path in folder.glob("part-*")}
    assert len(before) == 2
    TPECRExplainer(LARGE).explain_batch(to=folder, batch_size=50, exclude_seen=False)
    assert pd.read_parquet(folder)["user"].nunique() == 400
    # Nothing hidden is left, and of eight parts six were written anew.
    assert sorted(path.name for path in folder.iterdir())[0] == "_manifest.json"
    assert len(list(folder.glob("part-*"))) == 8
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_workers_end_with_a_batch_that_is_ended(tmp_path):
    pytest.importorskip("pyarrow")
    code = (
        SETUP
        + """
    from sktpecr.attribution import LimeAttribution
    X = (rng.rand(400, 30) < 0.2).astype(float)
    explainer = TPECRExplainer(factors, attribution=LimeAttribution()).fit(X)
    explainer.explain_batch(to=sys.argv[1], batch_size=10, exclude_seen=False, n_jobs=2)
    """
    )
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code), tmp_path / "batch"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        # So many that each worker has had one: only then does it look after its caller.
        wait_until(lambda: len(list(tmp_path.glob("batch/part-*"))) >= 8, 60)
        workers = children_of(process.pid)
    finally:
        process.terminate()
        assert process.wait(30) == -signal.SIGTERM
    assert len(workers) >= 2
    wait_until(lambda: not any(map(runs, workers)), 20)


def wait_until(true, seconds):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.1)


def children_of(pid):
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, rest = stat.read_text().rsplit(")", 1)
            found += [int(name.split()[0])] if int(rest.split()[1]) == pid else []
    return found


def runs(pid):
    """Tell whether a process is there; one that has ended may wait for whoever asks after it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_worker_that_dies(tmp_path):
    """The kernel takes a worker (out of memory): an error, not a wait without end."""
    code = (
        SETUP
        + """
    import os, signal
    from joblib.externals.loky.process_executor import TerminatedWorkerError
    class Deadly:
        def __init__(self): self.user_embeddings, self.items = factors
        def score_items(self, embeddings, items=None):
            if os.getpid() != int(sys.argv[1]) and len(embeddings) > 5:
                os.kill(os.getpid(), signal.SIGKILL)
            scores = np.asarray(embeddings) @ self.items.T
            return scores if items is None else scores[:, items]
    from sktpecr import GaussianGenerator
    from sktpecr.attribution import LimeAttribution
    sys.argv[1:] = [str(os.getpid())]
    explainer = TPECRExplainer(Deadly(), np.eye(30)[:, :3] + 0.1, generator=GaussianGenerator(),
        attribution=LimeAttribution(n_samples=20, random_state=0)).fit(np.ones((400, 30)))
    try:
        explainer.explain_batch(batch_size=100, n_jobs=2, exclude_seen=False)
    except TerminatedWorkerError as error:
        print("told")
    print(explainer.explain(3, 4).method[:8])
    """
    )
    code = code.replace("os.getpid() != int(sys.argv[1])", "os.getpid() != MAIN").replace(
        "class Deadly", "MAIN = os.getpid()\n    class Deadly"
    )
    code_, out, err = run(code)
    assert (code_, out.split()) == (0, ["told", "Gaussian"]), err
