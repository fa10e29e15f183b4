"""How the score of an item reacts to each tag."""

from sktpecr.attribution._account import AccountAttribution
from sktpecr.attribution._attributed import Attributed
from sktpecr.attribution._exact import ExactAttribution
from sktpecr.attribution._lime import LimeAttribution
from sktpecr.attribution._shapley import ShapleyAttribution

__all__ = [
    "AccountAttribution",
    "Attributed",
    "ExactAttribution",
    "LimeAttribution",
    "ShapleyAttribution",
]
