"""How the score of an item reacts to each tag."""

from sktpecr.attribution._exact import ExactAttribution

__all__ = ["ExactAttribution"]
