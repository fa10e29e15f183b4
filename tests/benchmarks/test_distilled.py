"""The benchmark of boxes without factors: what it counts, by brute force."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import ndcg_score

from benchmarks.beyond import distilled

RNG = np.random.RandomState(0)
X = sp.csr_matrix((RNG.uniform(size=(60, 40)) < 0.2).astype(np.float32))


def test_ndcg_is_scikit_learns():
    scores, found = RNG.uniform(size=(2, 60, 40))
    seen = np.zeros((60, 40), dtype=bool)
    own, near = (distilled._listed(each, seen) for each in (scores, found))
    gains = np.maximum(scores - scores.mean(axis=1, keepdims=True), 0)
    assert distilled._by_scores(scores, own, near).mean() == pytest.approx(
        ndcg_score(gains, found, k=10)
    )
    assert distilled._by_ranks(own, own) == pytest.approx(1)
    wanted = sp.csr_matrix((RNG.uniform(size=(60, 40)) < 0.3).astype(float))
    assert distilled._ndcg(near, wanted).mean() == pytest.approx(
        ndcg_score(wanted.toarray(), found, k=10)
    )


def test_ease_is_the_regression_on_the_other_items():
    scores = distilled.ease(X)
    rows = X.toarray().astype(float)
    others = np.delete(rows, 3, axis=1)
    penalty = distilled._EASE_PENALTY * np.eye(39)
    weights = np.linalg.solve(others.T @ others + penalty, others.T @ rows[:, 3])
    np.testing.assert_allclose(scores[:, 3], others @ weights, rtol=1e-5)


def test_neighbours_by_brute_force(monkeypatch):
    monkeypatch.setattr(distilled, "_N_NEIGHBOURS", 5)
    scores, rows = distilled.item_neighbours(X), X.toarray().astype(float)
    unit = rows / np.maximum(np.linalg.norm(rows, axis=0), 1e-12)
    cosines = unit[:, [3]].T @ unit
    cosines[0, 3] = 0
    nearest = np.argsort(-cosines[0])[:5]
    expected = rows[:, nearest] @ cosines[0, nearest]
    np.testing.assert_allclose(scores[:, 3], expected, rtol=1e-4, atol=1e-5)


def test_seen_items_are_on_no_list_and_rows_are_complete():
    scores = RNG.normal(size=(60, 8)) @ RNG.normal(size=(8, 40))
    seen = X.toarray() > 0
    listed = distilled._listed(scores, seen)
    assert not np.take_along_axis(seen, listed, axis=1).any()
    held_out = np.argwhere(~seen)[::7]
    rows = distilled.measured("toy", scores.astype(np.float32), X, held_out, judged=True)
    found = {each.column: each for each in rows}
    assert found["share of pairs asked"].here <= 0.1
    assert found["R2"].holds in (True, False)
    assert 0 <= found["NDCG@10 by the box's ranks"].here <= 1
