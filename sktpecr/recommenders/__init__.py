"""The black box, through one door: what a recommender must offer, and adapters that offer it."""

from sktpecr.recommenders._adapters import AdapterError, as_recommender
from sktpecr.recommenders._factor_recommender import FactorRecommender
from sktpecr.recommenders._torch_recommender import TorchRecommender

__all__ = ["AdapterError", "FactorRecommender", "TorchRecommender", "as_recommender"]
