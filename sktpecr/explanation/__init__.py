"""Why an item gets its score, in tags."""

from sktpecr.explanation._certificate import Certificate
from sktpecr.explanation._contrast import Contrast
from sktpecr.explanation._counterfactual import Counterfactual
from sktpecr.explanation._explanation import Explanation
from sktpecr.explanation._reason import Reason
from sktpecr.explanation._tpecr_explainer import TPECRExplainer
from sktpecr.explanation._words import ENGLISH

__all__ = [
    "Certificate",
    "Contrast",
    "Counterfactual",
    "ENGLISH",
    "Explanation",
    "Reason",
    "TPECRExplainer",
]
