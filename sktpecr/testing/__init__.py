"""What a recommender has to keep to, as tests for whoever writes an adapter."""

from sktpecr.testing._recommender_contract import RecommenderContract

__all__ = ["RecommenderContract"]
