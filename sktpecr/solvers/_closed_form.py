"""Refinement without a loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from sklearn.base import BaseEstimator

from sktpecr._directions import Directions

if TYPE_CHECKING:
    from sktpecr._feedback import Feedback
    from sktpecr._tpecr_explainer import TPECRExplainer

# The standard deviation of the score changes at strength 1, in units of the user's own scores'.
_MOVEMENT_AT_STRENGTH_ONE = 1 / 5
# A unit step that the generator turns into less than this cannot be scaled to anything.
_NO_MOVEMENT = 1e-9


class ClosedFormSolver(BaseEstimator):
    """Find the direction that the feedback asks for, and go along it as far as strength says.

    Notes
    -----
    The feedback asks for a direction d in embedding space; what d does to tag preferences,
    :math:`c' = c_u + k M d`, is handed to the generator, and the refined embedding is
    :math:`e_u + G(c') - G(c_u)`, so that a generator's own error moves nobody. For a like, d
    leads from all other items to the tag's items that are to the user's taste; for a dislike, to
    the part of the user's history that the tag is not on. The smallest correction of d makes
    every named tag move its way.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import FeedbackRefiner, TPECRExplainer
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> from sktpecr.solvers import ClosedFormSolver
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> refiner = FeedbackRefiner(explainer.fit(data.interactions), solver=ClosedFormSolver())
    >>> refiner.refine(3, like="tag_1")
    Refinement(user=3, feedback='more tag_1')
    """

    def solve(
        self, explainer: TPECRExplainer, row: int, feedback: Feedback, values: dict[int, float]
    ) -> tuple[NDArray, NDArray]:
        """Return the refined embedding and the tag preferences it was generated from.

        Parameters
        ----------
        explainer : TPECRExplainer
            Fitted.
        row : int
            Row of the user.
        feedback : Feedback
            What the user said.
        values : dict of int to float
            Column of each tag that was set, and its value in units of the score.

        Returns
        -------
        embedding : ndarray of shape (n_factors,)
            Refined embedding.
        tag_preferences : ndarray of shape (n_tags,)
            What the generator was asked for.
        """
        embedding = explainer.user_embeddings_[row].astype(np.float64)
        preferences = explainer._tag_preferences(embedding)
        generate = explainer.generator_.generate
        unmoved = generate(preferences[np.newaxis], embedding[np.newaxis])[0]

        def move(wanted: NDArray) -> NDArray:
            return generate(wanted[np.newaxis], embedding[np.newaxis])[0] - unmoved

        wanted = preferences.copy()
        if feedback.strength:
            wanted += self._shift(explainer, row, feedback, preferences, move)
        wanted[list(values)] = list(values.values())
        return embedding + move(wanted), wanted

    def _shift(
        self,
        explainer: TPECRExplainer,
        row: int,
        feedback: Feedback,
        preferences: NDArray,
        move: Callable[[NDArray], NDArray],
    ) -> NDArray:
        """Return the change of tag preferences that likes and dislikes ask for."""
        directions = _directions(explainer)
        scores = explainer._scores(explainer.user_embeddings_[row]).astype(np.float64)
        direction = directions.combined(
            feedback.like, feedback.dislike, scores, explainer._catalogue.history(row)
        )
        shift = explainer.extractor_.tag_matrix_ @ direction
        # A user whom the recommender scores all alike moves as the population does.
        spread = scores.std() or directions.typical_movement(explainer.user_embeddings_)
        target = feedback.strength * _MOVEMENT_AT_STRENGTH_ONE * spread

        def movement(step: float) -> float:
            return directions.movement(move(preferences + step * shift))

        return _step(movement, target, explainer.composite_.is_linear) * shift


# Directions of the extractors in use: a pure function of them, worth keeping between turns.
_DIRECTIONS: WeakKeyDictionary[Any, Directions] = WeakKeyDictionary()


def _directions(explainer: TPECRExplainer) -> Directions:
    extractor = explainer.extractor_
    if extractor.tag_matrix_ is None:
        raise ValueError(
            "solver='closed_form' needs a recommender whose score is a dot product and a "
            "linear aggregate; use solver='online', or set= instead of like= and dislike="
        )
    if extractor not in _DIRECTIONS:
        _DIRECTIONS[extractor] = Directions.of(extractor)
    return _DIRECTIONS[extractor]


def _step(movement: Callable[[float], float], target: float, is_linear: bool) -> float:
    """Return the step whose movement is the target."""
    unit = movement(1.0)
    if unit < _NO_MOVEMENT:
        raise ValueError(
            "the generator cannot move this user's embedding the way the feedback asks; it may "
            "have been fitted on too few users, or on users who are all alike"
        )
    step = target / unit
    if is_linear:
        return step
    for _ in range(30):
        if movement(step) >= target:
            return float(brentq(lambda k: movement(k) - target, 0.0, step))
        step *= 2.0
    raise ValueError(
        "strength is beyond what the generator can do: the list does not move that far however "
        "much the tag preferences change; ask for less"
    )
