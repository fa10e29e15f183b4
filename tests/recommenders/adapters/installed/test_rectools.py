"""What models of RecTools say are their vectors."""

import pytest
from adapter_contract import AdapterContract, long_table

rectools = pytest.importorskip("rectools", reason="RecTools is not installed")
dataset = pytest.importorskip("rectools.dataset")
models = pytest.importorskip("rectools.models")


class OfRecTools(AdapterContract):
    lost = "raw ids stay in the dataset; give them as user_ids and item_ids"

    def trained(self, X, n_factors=6, seed=0):
        table = long_table(X, "user_id", "item_id", "weight").assign(datetime="2024-01-01")
        self.data = dataset.Dataset.construct(table)
        return self.untrained(n_factors, seed).fit(self.data)

    def order(self, model, X):
        return [
            ids.external_ids.astype(int) for ids in (self.data.user_id_map, self.data.item_id_map)
        ]

    def own_scores(self, model, rows, columns):
        listed = model.recommend(rows, self.data, k=len(columns), filter_viewed=False)
        own = listed.pivot(index="user_id", columns="item_id", values="score")
        return own.loc[rows, columns].to_numpy()


class TestPureSVD(OfRecTools):
    model = "PureSVDModel"

    def untrained(self, n_factors, seed):
        return models.PureSVDModel(factors=n_factors)


class TestALS(OfRecTools):
    model = "ImplicitALSWrapperModel"

    def untrained(self, n_factors, seed):
        als = pytest.importorskip("implicit.als")
        wrapped = als.AlternatingLeastSquares(n_factors, random_state=seed)
        return models.ImplicitALSWrapperModel(wrapped)
