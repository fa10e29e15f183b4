"""The black box, through one door: what a recommender must offer, adapters, and three to train."""

from sktpecr.recommenders._adapter_error import AdapterError
from sktpecr.recommenders._factor_recommender import FactorRecommender
from sktpecr.recommenders._new_items_recommender import NewItemsRecommender
from sktpecr.recommenders.adapters._as_recommender import as_recommender
from sktpecr.recommenders.differentiable._torch_recommender import TorchRecommender
from sktpecr.recommenders.distilled._distilled_recommender import DistilledRecommender
from sktpecr.recommenders.trained._factorization_machine import FactorizationMachine
from sktpecr.recommenders.trained._matrix_factorization import MatrixFactorization
from sktpecr.recommenders.trained._neural_collaborative_filtering import (
    NeuralCollaborativeFiltering,
)

__all__ = [
    "AdapterError",
    "DistilledRecommender",
    "FactorRecommender",
    "FactorizationMachine",
    "MatrixFactorization",
    "NeuralCollaborativeFiltering",
    "NewItemsRecommender",
    "TorchRecommender",
    "as_recommender",
]
