"""Models of LightFM, without features."""

import numpy as np
import pytest
import scipy.sparse as sp
from adapter_contract import AdapterContract

lightfm = pytest.importorskip("lightfm", reason="LightFM is not installed")


class OfLightFM(AdapterContract):
    lost = "with features, the two arrays have to be given"

    def trained(self, X, n_factors=6, seed=0):
        model = lightfm.LightFM(no_components=n_factors, loss=self.loss, random_state=seed)
        return model.fit(sp.coo_matrix(X > 0, dtype=np.float32), epochs=10)

    def own_scores(self, model, rows, columns):
        def own(users, items):
            return model.predict(users.astype(np.int32), items.astype(np.int32))

        return own


class TestWARP(OfLightFM):
    model, loss = "LightFM, WARP", "warp"


class TestLogistic(OfLightFM):
    model, loss = "LightFM, logistic", "logistic"
