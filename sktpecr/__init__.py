"""Explain the recommendations of a trained model by tags, and refine them from feedback on tags."""

from sktpecr._certificate import Certificate
from sktpecr._contrast import Contrast
from sktpecr._conversation import Conversation
from sktpecr._conversation_turn import ConversationTurn
from sktpecr._counterfactual import Counterfactual
from sktpecr._explanation import Explanation
from sktpecr._feedback_refiner import FeedbackRefiner
from sktpecr._refinement import Refinement
from sktpecr._steerability import Steerability
from sktpecr._tag_preference_extractor import TagPreferenceExtractor
from sktpecr._tpecr_explainer import TPECRExplainer
from sktpecr._words import ENGLISH
from sktpecr.generators import (
    CVAEGenerator,
    GaussianGenerator,
    InversionGenerator,
    MLPGenerator,
)
from sktpecr.published import published_explainer, published_refiner

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
