"""The black box, through one door: what a recommender must offer, and adapters that offer it."""

from sktpecr.recommenders._adapters import AdapterError, as_recommender
from sktpecr.recommenders._factor_recommender import FactorRecommender

__all__ = ["AdapterError", "FactorRecommender", "as_recommender"]
