"""Fitted decompositions of scikit-learn; nobody is known, everybody is folded in."""

import numpy as np
from adapter_contract import AdapterContract, X
from sklearn.decomposition import NMF, PCA, TruncatedSVD
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler


class OfDecomposition(AdapterContract):
    new_users = "the library's own"

    def trained(self, X, n_factors=6, seed=0):
        return self.untrained(n_factors, random_state=seed).fit(X.toarray().astype(np.float64))

    def own_scores(self, model, rows, columns):
        return model.inverse_transform(model.transform(X.toarray().astype(np.float64)))


class TestTruncatedSVD(OfDecomposition):
    model = "TruncatedSVD"
    untrained = TruncatedSVD


class TestNMF(OfDecomposition):
    model = "NMF"
    lost = "what is generated may be negative"
    tolerance = 1e-3  # its transform stops where it is near enough, row by row or not

    def untrained(self, n_factors, random_state):
        settings = {"init": "nndsvda", "max_iter": 2000, "tol": 1e-4}
        return NMF(n_factors, random_state=random_state, **settings)


class TestPCA(OfDecomposition):
    model = "PCA"

    def untrained(self, n_factors, random_state):
        return PCA(n_factors, whiten=True, random_state=random_state)


class TestPipeline(OfDecomposition):
    model = "Pipeline"
    variant = True

    def untrained(self, n_factors, random_state):
        return make_pipeline(
            MaxAbsScaler(), TruncatedSVD(2 * n_factors, random_state=random_state), PCA(n_factors)
        )
