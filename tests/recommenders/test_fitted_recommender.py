"""Estimators that learn a recommender answer as it does, and say so."""

import inspect

import pytest
from sklearn.exceptions import NotFittedError

from sktpecr.recommenders import (
    DistilledRecommender,
    FactorRecommender,
    MatrixFactorization,
    NeuralCollaborativeFiltering,
    TorchRecommender,
)
from sktpecr.recommenders._fitted_recommender import FittedRecommender


@pytest.mark.parametrize(
    ("cls", "name", "of"),
    [
        (DistilledRecommender, "score_items", FactorRecommender),
        (MatrixFactorization, "score_items", FactorRecommender),
        (NeuralCollaborativeFiltering, "score_items_torch", TorchRecommender),
        (NeuralCollaborativeFiltering, "item_gradients", TorchRecommender),
    ],
)
def test_methods_are_documented_as_what_they_ask(cls, name, of):
    method, asked = getattr(cls, name), getattr(of, name)
    assert method is not asked
    assert inspect.getdoc(method) == inspect.getdoc(asked)
    assert inspect.signature(method) == inspect.signature(asked)
    with pytest.raises(NotFittedError, match=r"not fitted; call its fit\(interactions\) first"):
        getattr(object.__new__(cls), name)([[1.0]])


def test_answers_are_those_of_what_was_learned():
    class Learns(FittedRecommender):
        def fit(self, X):
            self._fitted = FactorRecommender([[1.0, 2.0]], [[3.0, 4.0], [5.0, 6.0]])
            return self

    assert not hasattr(Learns(), "user_embeddings")
    estimator = Learns().fit(None)
    assert estimator.user_embeddings is estimator._fitted.user_embeddings
    assert estimator.score_items([[1.0, 1.0]], items=[1]).tolist() == [[11.0]]
