"""Explain the recommendations of a trained model by tags, and refine them from feedback on tags."""

from sktpecr.conversation import Conversation, ConversationTurn
from sktpecr.explanation import (
    ENGLISH,
    Certificate,
    Contrast,
    Counterfactual,
    Explanation,
    TPECRExplainer,
)
from sktpecr.generators import (
    CVAEGenerator,
    GaussianGenerator,
    InversionGenerator,
    MLPGenerator,
)
from sktpecr.published import published_explainer, published_refiner
from sktpecr.refinement import FeedbackRefiner, Refinement
from sktpecr.tags import Steerability, TagPreferenceExtractor

__version__ = "0.1.0.dev0"

__all__ = [
    "CVAEGenerator",
    "Certificate",
    "Contrast",
    "Conversation",
    "ConversationTurn",
    "Counterfactual",
    "ENGLISH",
    "Explanation",
    "FeedbackRefiner",
    "GaussianGenerator",
    "InversionGenerator",
    "MLPGenerator",
    "Refinement",
    "Steerability",
    "TPECRExplainer",
    "TagPreferenceExtractor",
    "published_explainer",
    "published_refiner",
]
