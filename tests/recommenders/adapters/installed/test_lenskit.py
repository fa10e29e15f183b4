"""What LensKit trains by alternating least squares, alone and in a pipeline."""

import numpy as np
import pytest
from adapter_contract import AdapterContract, X, long_table

from sktpecr.recommenders import as_recommender

lenskit = pytest.importorskip("lenskit", reason="LensKit is not installed")
als = pytest.importorskip("lenskit.als")
data = pytest.importorskip("lenskit.data")


def dataset(X):
    return data.from_interactions_df(long_table(X, "user_id", "item_id"))


class OfLensKit(AdapterContract):
    new_users = "the library's own"
    lost = (
        "embeddings are those of training, as with user_embeddings='prefer'; by default LensKit "
        "learns a known user's again at each query"
    )

    def trained(self, X, n_factors=6, seed=0):
        training = pytest.importorskip("lenskit.training")
        model = self.untrained(embedding_size=n_factors, user_embeddings="prefer")
        model.train(dataset(X), training.TrainingOptions(rng=seed))
        return model

    def own_scores(self, model, rows, columns):
        scored = {}

        def own(users, items):
            for user in set(users) - set(scored):
                query = data.RecQuery(user_id=rows[user])
                scored[user] = model(query, data.ItemList(item_ids=columns)).scores()
            return np.array([scored[u][v] for u, v in zip(users, items, strict=True)])

        return own


class TestImplicitMF(OfLensKit):
    model = "ImplicitMFScorer"

    def untrained(self, **params):
        return als.ImplicitMFScorer(**params)


class TestBiasedMF(OfLensKit):
    model = "BiasedMFScorer"

    def untrained(self, **params):
        return als.BiasedMFScorer(**params)


def test_a_pipeline_is_read_at_its_scorer():
    pipeline = pytest.importorskip("lenskit.pipeline")
    built = pipeline.topn_pipeline(als.ImplicitMFScorer(embedding_size=6))
    built.train(dataset(X))
    found, expected = as_recommender(built), as_recommender(built.node("scorer").component)
    np.testing.assert_array_equal(found.user_embeddings, expected.user_embeddings)
    np.testing.assert_array_equal(found.item_ids, expected.item_ids)


def test_new_users_are_embedded_as_the_library_embeds_a_history():
    model, rows, _ = TestBiasedMF().make()
    recommender = as_recommender(model)
    history = data.ItemList(item_ids=recommender.item_ids[rows[3].indices], rating=rows[3].data)
    model.config.user_embeddings = True  # to learn that of the query
    every = data.ItemList(item_ids=recommender.item_ids)
    expected = model(data.RecQuery(history_items=history), every)
    found = recommender.score_items(recommender.fold_in(rows[3]))[0]
    np.testing.assert_allclose(found, expected.scores(), rtol=1e-4, atol=1e-5)


def test_who_kept_no_users_has_all_folded_in():
    model = als.ImplicitMFScorer(embedding_size=6, user_embeddings=False)
    model.train(dataset(X))
    assert as_recommender(model).user_embeddings.shape == (0, 6)
