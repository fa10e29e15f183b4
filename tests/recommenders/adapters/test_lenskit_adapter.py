"""What LensKit trains, by what it has; `installed` beside it has the library."""

from types import SimpleNamespace

import numpy as np
import pytest
from implicit.als import AlternatingLeastSquares
from sklearn.exceptions import NotFittedError

from sktpecr.datasets import make_tagged_interactions
from sktpecr.recommenders import AdapterError, as_recommender
from sktpecr.testing import RecommenderContract

X = make_tagged_interactions(60, 50, 4, density=0.15, random_state=0).interactions
ALS = AlternatingLeastSquares(factors=6, random_state=0)
ALS.fit(X, show_progress=False)
BIASES = np.random.RandomState(0).normal(scale=0.1, size=60).astype(np.float32)


class Vocabulary:
    def __init__(self, kind, n):
        self.names = np.array([f"{kind}{i}" for i in range(n)], dtype=object)

    def ids(self):
        return self.names


class Scorer:
    """Embeds by ratings over 2, so that they must have arrived."""

    def train(self, keep=True, bias=None):
        self.user_embeddings = ALS.user_factors if keep else None
        self.item_embeddings = ALS.item_factors
        self.users, self.items = Vocabulary("u", 60) if keep else None, Vocabulary("i", 50)
        if bias is not None:
            self.bias = bias
        return self

    def new_user_embedding(self, user_num, items):
        assert user_num is None
        assert len(items) == len(items.numbers(vocabulary=self.items))
        assert items.field("timestamp") is None
        ratings = items.field("rating") / 2
        embedding = ratings @ self.item_embeddings[items.numbers(vocabulary=self.items)]
        return embedding, 0.5 if hasattr(self, "bias") else None


class TestImplicitMF(RecommenderContract):
    def make(self):
        return Scorer().train(), X, ALS.user_factors @ ALS.item_factors.T


class TestBiasedMF(RecommenderContract):
    def make(self):
        bias = SimpleNamespace(global_bias=3.5, item_biases=BIASES[:50], user_biases=BIASES)
        scores = ALS.user_factors @ ALS.item_factors.T + 3.5 + BIASES[:50] + BIASES[:, None]
        return Scorer().train(bias=bias), X, scores


class TestOneThatKeptNoUsers(RecommenderContract):
    def make(self):
        return Scorer().train(keep=False), X, X @ ALS.item_factors / 2 @ ALS.item_factors.T


class Pipeline:
    component_names = ()

    def __init__(self, **nodes):
        self.nodes = nodes

    def node(self, name):
        return self.nodes[name]


class TestPipeline(RecommenderContract):
    def make(self):
        model, X, scores = TestImplicitMF().make()
        return Pipeline(scorer=SimpleNamespace(component=model)), X, scores


def test_ids_are_those_of_the_vocabularies():
    recommender = as_recommender(Scorer().train())
    assert recommender.user_ids[7] == "u7"
    assert recommender.item_ids[11] == "i11"
    assert as_recommender(Scorer().train(keep=False)).user_ids is None


def test_its_users_are_not_kept_twice():
    model = Scorer().train()
    recommender = as_recommender(model)
    assert recommender._fold_in.model.user_embeddings is None
    assert model.user_embeddings is ALS.user_factors


def test_new_users_bring_their_bias():
    model = TestBiasedMF().make()[0]
    embedding = as_recommender(model).fold_in(X[:1])[0]
    assert embedding[-1] == 0.5
    np.testing.assert_allclose(embedding[:-1], (X[:1] @ ALS.item_factors / 2)[0], rtol=1e-5)


@pytest.mark.parametrize(
    "pipeline", [Pipeline(), Pipeline(scorer=SimpleNamespace(component="popular"))]
)
def test_a_pipeline_that_scores_otherwise_says_so(pipeline):
    with pytest.raises(AdapterError, match=r"has no node 'scorer' with user_embeddings .* got"):
        as_recommender(pipeline)


def test_an_untrained_one_says_so():
    with pytest.raises(NotFittedError, match=r"Scorer is not fitted; call its train"):
        as_recommender(Scorer())
