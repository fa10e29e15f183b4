"""The paper's protocols, on any fitted explainer and refiner.

Every function measures on users that the explainer was not fitted on, case by case, and returns
a DataFrame with means, 95 % bootstrap intervals, medians and differences paired by case.
"""

from sktpecr.evaluation._calibration import evaluate_calibration
from sktpecr.evaluation._control import evaluate_control
from sktpecr.evaluation._conversation import evaluate_conversation
from sktpecr.evaluation._explanations import evaluate_explanations, explained_tags
from sktpecr.evaluation._generation import evaluate_generation
from sktpecr.evaluation._held_out import split_interactions
from sktpecr.evaluation._refinement import choose_tag, evaluate_refinement, read_at_overlap
from sktpecr.evaluation._summary import summarize
from sktpecr.explanation._scores import reasons_score, stability_score, swap_score

__all__ = [
    "split_interactions",
    "evaluate_generation",
    "evaluate_control",
    "choose_tag",
    "evaluate_refinement",
    "read_at_overlap",
    "evaluate_conversation",
    "explained_tags",
    "evaluate_explanations",
    "evaluate_calibration",
    "reasons_score",
    "summarize",
    "stability_score",
    "swap_score",
]
