"""How rows are embedded as implicit's ALS does, on arrays of one's own."""

import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from sklearn.decomposition import NMF, PCA

from sktpecr import TPECRExplainer
from sktpecr.recommenders import as_recommender
from sktpecr.recommenders._fold_in import ConfidenceFoldIn

RNG = np.random.RandomState(0)
X = sp.csr_matrix(RNG.poisson(0.3, size=(60, 40)), dtype=np.float32)
SIGNED = X.copy()
SIGNED.data *= np.where(RNG.uniform(size=X.nnz) < 0.3, -1, 1)


def trained(**params):
    model = AlternatingLeastSquares(factors=6, random_state=0, num_threads=1, **params)
    model.fit(X, show_progress=False)
    return model


@pytest.mark.parametrize("rows", [X, SIGNED, X[:0], sp.csr_matrix((3, 40))])
@pytest.mark.parametrize("params", [{}, {"alpha": 7.0, "regularization": 0.5}])
def test_embeds_as_implicit_does(rows, params):
    model = trained(**params)
    found = as_recommender(model).fold_in(rows)
    if rows.shape[0]:
        expected = model.recalculate_user(np.arange(rows.shape[0]), rows.astype(np.float32))
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-4)
    assert found.shape == (rows.shape[0], 6)


def test_minimises_the_weighted_squares():
    items = RNG.normal(size=(40, 6))
    row = SIGNED[3]
    (found,) = ConfidenceFoldIn(items, 0.1, 2.0)(row)
    given = 2.0 * row.toarray()[0]
    confidence, wanted = np.where(given, np.abs(given), 1.0), given > 0

    def loss(embedding):
        return confidence @ (wanted - items @ embedding) ** 2 + 0.1 * embedding @ embedding

    for step in 1e-3 * np.vstack([np.eye(6), -np.eye(6)]):
        assert loss(found + step) > loss(found)


def test_read_only_memory_threads_and_pickles_make_no_difference():
    recommender = as_recommender(trained())
    expected = recommender.fold_in(X)
    for array in (recommender.item_embeddings, X.data, X.indices, X.indptr):
        array.flags.writeable = False
    try:
        np.testing.assert_array_equal(recommender.fold_in(X), expected)
        with ThreadPoolExecutor(4) as pool:
            for found in pool.map(recommender.fold_in, [X] * 8):
                np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(recommender)).fold_in(X), expected)
    finally:
        for array in (X.data, X.indices, X.indptr):
            array.flags.writeable = True


@pytest.mark.parametrize("kind", ["als", "nmf", "pca", "arrays"])
def test_what_is_trained_further_changes_nothing(kind):
    dense = X.toarray()
    if kind == "als":
        model = trained()
    elif kind == "arrays":
        model = RNG.normal(size=(60, 6)), RNG.normal(size=(40, 6))
    else:
        model = NMF(6, max_iter=2000, tol=1e-3) if kind == "nmf" else PCA(6, random_state=0)
        model.fit(dense)
    recommender = as_recommender(model)
    before = recommender.fold_in(X), recommender.score_items(recommender.user_embeddings)
    if kind == "als":
        model.fit(X[:, ::-1], show_progress=False)
        model.item_factors *= 2
    elif kind == "arrays":
        for array in model:
            array *= 2
    else:
        model.fit(dense[:, ::-1])
    after = recommender.fold_in(X), recommender.score_items(recommender.user_embeddings)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_arrays_in_a_file_or_read_only_are_not_copied(tmp_path):
    users = np.lib.format.open_memmap(tmp_path / "users.npy", "w+", np.float32, (60, 6))
    users[:] = RNG.normal(size=(60, 6))
    items = RNG.normal(size=(40, 6))
    items.flags.writeable = False
    recommender = as_recommender((users, items))
    assert np.shares_memory(recommender.user_embeddings, users)
    assert np.shares_memory(recommender.item_embeddings, items)


def test_a_saved_explainer_embeds_new_users_without_the_model(tmp_path):
    explainer = TPECRExplainer(trained(), np.eye(4)[np.arange(40) % 4]).fit(X)
    loaded = TPECRExplainer.load(explainer.save(tmp_path / "kept"))
    one, other = (each.explain(interactions=[3, 8], item=5).score for each in (explainer, loaded))
    assert one == other


FORKED = """
import multiprocessing, numpy as np, scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from sktpecr.recommenders import as_recommender
X = sp.random(300, 200, 0.1, format="csr", dtype=np.float32, random_state=0)
model = AlternatingLeastSquares(factors=32, random_state=0)
model.fit(X, show_progress=False)
recommender = as_recommender(model)
recommender.fold_in(X)
child = multiprocessing.get_context("fork").Process(target=recommender.fold_in, args=(X,))
child.start()
child.join(30)
answered = child.exitcode
if child.is_alive():
    child.kill()
raise SystemExit(answered if answered is not None else 99)
"""


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_a_forked_process_answers_after_threads_were_used(monkeypatch):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED], timeout=120, check=False)
    assert done.returncode == 0
