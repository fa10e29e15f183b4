"""From feedback to the next recommendations."""

from sktpecr.refinement._feedback_refiner import FeedbackRefiner
from sktpecr.refinement._refinement import Refinement

__all__ = ["FeedbackRefiner", "Refinement"]
