"""Models of Surprise, which predicts ratings for raw ids."""

import numpy as np
import pytest
from adapter_contract import AdapterContract, X, long_table

from sktpecr import TPECRExplainer
from sktpecr.recommenders import as_recommender

surprise = pytest.importorskip("surprise", reason="Surprise is not installed")


class OfSurprise(AdapterContract):
    new_users = "ridge regression on the ratings"
    lost = "ratings are not clipped to their scale"

    def trained(self, X, n_factors=6, seed=0):
        reader = surprise.Reader(rating_scale=(1, 5))
        ratings = surprise.Dataset.load_from_df(long_table(X, ids=str), reader)
        model = self.untrained(n_factors=n_factors, random_state=seed)
        return model.fit(ratings.build_full_trainset())

    def own_scores(self, model, rows, columns):
        def own(users, items):
            pairs = zip(rows[users], columns[items], strict=True)
            found = [model.predict(str(row), str(column), clip=False) for row, column in pairs]
            return np.array([each.est for each in found])

        return own


class TestSVD(OfSurprise):
    model = "SVD"

    def untrained(self, **params):
        return surprise.SVD(**params)


class TestSVDWithoutBiases(OfSurprise):
    model = "SVD, biased=False"
    variant = True

    def untrained(self, **params):
        return surprise.SVD(biased=False, **params)


class TestSVDpp(OfSurprise):
    model = "SVD++"
    lost = "ratings are not clipped to their scale; what new users rated counts by its rating alone"

    def untrained(self, **params):
        return surprise.SVDpp(n_epochs=5, **params)


class TestNMF(OfSurprise):
    model = "NMF"
    fold_in_correlation = 0.0  # of factors that may not be negative, a regression's may

    def untrained(self, **params):
        return surprise.NMF(**params)


def test_raw_ids_explain():
    model, rows, _ = TestSVD().make()
    recommender = as_recommender(model)
    tags = np.eye(4)[np.arange(X.shape[1]) % 4]
    explainer = TPECRExplainer(model, tags).fit(rows)
    user, item = recommender.user_ids[7], recommender.item_ids[11]
    expected = model.predict(user, item, clip=False).est
    assert explainer.explain(user, item).score == pytest.approx(expected)


def test_what_has_no_factors_says_what_to_do():
    neighbours = surprise.KNNBasic(verbose=False).fit(TestSVD().trained(X).trainset)
    with pytest.raises(TypeError, match="KNNBasic of Surprise has no factors; give DistilledRec"):
        as_recommender(neighbours)
