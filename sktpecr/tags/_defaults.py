"""What ``generator=None`` and ``attribution=None`` mean."""

from __future__ import annotations

from typing import Any

from sklearn.base import clone

from sktpecr.attribution import ExactAttribution, LimeAttribution
from sktpecr.attribution._composite import CompositeFunction
from sktpecr.generators import CVAEGenerator, GaussianGenerator
from sktpecr.tags._tag_preference_extractor import TagPreferenceExtractor


def generator_for(given: Any, extractor: TagPreferenceExtractor, random_state: Any) -> Any:
    """Return a clone of the generator given, or else the closed form where it is exact."""
    if given is not None:
        return clone(given)
    if extractor.tag_matrix_ is not None:
        return GaussianGenerator()
    return CVAEGenerator(random_state=random_state)


def attribution_for(given: Any, composite: CompositeFunction, random_state: Any) -> Any:
    """Return a clone of the attribution given, or else the exact one where there is one."""
    if given is not None:
        return clone(given)
    return ExactAttribution() if composite.is_linear else LimeAttribution(random_state=random_state)
