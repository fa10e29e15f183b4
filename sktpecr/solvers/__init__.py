"""From feedback to new tag preferences."""

from sktpecr.solvers._closed_form import ClosedFormSolver
from sktpecr.solvers._online import EmbeddingSolver, OnlineSolver

__all__ = ["ClosedFormSolver", "EmbeddingSolver", "OnlineSolver"]
