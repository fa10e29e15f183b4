"""From scores to tag preferences, and what is learned of a population."""

from sktpecr.tags._steerability import Steerability
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._tag_preference_extractor import TagPreferenceExtractor

__all__ = ["Steerability", "TagModel", "TagPreferenceExtractor"]
