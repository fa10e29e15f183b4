"""Explain the recommendations of a trained model by tags, and refine them from feedback on tags."""

from sktpecr.explanation._certificate import Certificate
from sktpecr.explanation._contrast import Contrast
from sktpecr.conversation._conversation import Conversation
from sktpecr.conversation._conversation_turn import ConversationTurn
from sktpecr.explanation._counterfactual import Counterfactual
from sktpecr.explanation._explanation import Explanation
from sktpecr.refinement._feedback_refiner import FeedbackRefiner
from sktpecr.refinement._refinement import Refinement
from sktpecr.tags._steerability import Steerability
from sktpecr.tags._tag_preference_extractor import TagPreferenceExtractor
from sktpecr.explanation._tpecr_explainer import TPECRExplainer
from sktpecr.explanation._words import ENGLISH
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
