"""Models of implicit, trained here, saved and loaded again."""

import numpy as np
import pytest
from adapter_contract import AdapterContract, X

als = pytest.importorskip("implicit.als", reason="implicit is not installed")
bpr = pytest.importorskip("implicit.bpr")
lmf = pytest.importorskip("implicit.lmf")


class OfImplicit(AdapterContract):
    def trained(self, X, n_factors=6, seed=0):
        model = self.untrained(factors=n_factors, random_state=seed)
        model.fit(X, show_progress=False)
        return model

    def own_scores(self, model, rows, columns):
        every = np.arange(len(rows))
        ids, scores = model.recommend(every, X, N=len(columns), filter_already_liked_items=False)
        own = np.empty(X.shape)
        np.put_along_axis(own, ids, scores, axis=1)
        return own


class TestALS(OfImplicit):
    model = "ALS"
    new_users = "the library's own"

    def untrained(self, **params):
        return als.AlternatingLeastSquares(**params)


class TestALSInFloat64(TestALS):
    model = "ALS, float64"
    variant = True

    def untrained(self, **params):
        return als.AlternatingLeastSquares(dtype=np.float64, **params)


class TestBPR(OfImplicit):
    model = "BPR"

    def untrained(self, **params):
        return bpr.BayesianPersonalizedRanking(num_threads=1, **params)


class TestLMF(OfImplicit):
    model = "LMF"
    tolerance = 1e-4  # constants of size 1 stand before scores that are far smaller

    def untrained(self, **params):
        return lmf.LogisticMatrixFactorization(num_threads=1, **params)


@pytest.mark.parametrize("contract", [TestALS, TestBPR, TestLMF])
def test_a_model_saved_and_loaded_again_is_the_same(contract, tmp_path):
    saved = contract().trained(X)
    saved.save(tmp_path / "model.npz")

    class Loaded(contract):
        def trained(self, X, n_factors=6, seed=0):
            return type(saved).load(tmp_path / "model.npz")

        def own_scores(self, model, rows, columns):
            return super().own_scores(saved, rows, columns)

    assert not {k: v for k, v in Loaded().report().items() if v.startswith("failed")}
