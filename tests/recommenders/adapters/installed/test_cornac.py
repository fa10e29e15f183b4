"""Models of Cornac, which keeps raw ids and scores by number."""

import numpy as np
import pytest
from adapter_contract import AdapterContract, long_table

cornac = pytest.importorskip("cornac", reason="Cornac is not installed")


class OfCornac(AdapterContract):
    def trained(self, X, n_factors=6, seed=0):
        table = long_table(X, ids=str)
        train = cornac.data.Dataset.from_uir(table.itertuples(index=False), seed=seed)
        return self.untrained(n_factors, seed=seed).fit(train)

    def own_scores(self, model, rows, columns):
        def own(users, items):
            pairs = zip(users, items, strict=True)
            return self.unscaled(np.array([np.ravel(model.score(*pair))[0] for pair in pairs]))

        return own

    def unscaled(self, scores):
        return scores


class TestMF(OfCornac):
    model = "MF"
    new_users = "ridge regression on the ratings"

    def untrained(self, n_factors, seed):
        return cornac.models.MF(k=n_factors, max_iter=20, seed=seed)


class TestMFWithoutBiases(TestMF):
    model = "MF, use_bias=False"
    variant = True

    def untrained(self, n_factors, seed):
        return cornac.models.MF(k=n_factors, max_iter=20, use_bias=False, seed=seed)


class TestBPR(OfCornac):
    model = "BPR"

    def untrained(self, n_factors, seed):
        return cornac.models.BPR(k=n_factors, max_iter=100, seed=seed)


class TestNeuMF(OfCornac):
    model = "NeuMF, torch"
    scores = "the log-odds of the library's own"
    new_users = "gradient steps through the network"
    tolerance = 1e-4  # log-odds of rounded probabilities

    def untrained(self, n_factors, seed):
        return cornac.models.NeuMF(
            num_factors=n_factors,
            layers=(2 * n_factors, n_factors),
            num_epochs=5,
            num_neg=2,
            backend="pytorch",
            verbose=False,
            seed=seed,
        )

    def unscaled(self, scores):
        return np.log(scores / (1 - scores))
