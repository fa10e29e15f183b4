"""From feedback to the next embedding."""

from sktpecr.solvers._bayesian import BayesianSolver
from sktpecr.solvers._closed_form import ClosedFormSolver
from sktpecr.solvers._online import EmbeddingSolver, OnlineSolver

__all__ = ["BayesianSolver", "ClosedFormSolver", "EmbeddingSolver", "OnlineSolver"]
