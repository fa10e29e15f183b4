"""Refinement without a loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from sklearn.base import BaseEstimator

if TYPE_CHECKING:
    from sktpecr._feedback import Feedback
    from sktpecr._population import Population

# The standard deviation of the score changes at strength 1, in units of the user's own scores'.
_MOVEMENT_AT_STRENGTH_ONE = 1 / 5
# A generator that turns a movement into less than this share of it does not move at all.
_NO_MOVEMENT = 1e-9
# A tag that was set is met when this share of the way, or of a standard deviation, is missing ...
_MET = 1e-4
# ... and given up after so many steps of Newton's method. A linear generator needs one.
_MAX_PRESSES = 10


class ClosedFormSolver(BaseEstimator):
    """Find the direction that the feedback asks for, and go along it as far as strength says.

    Notes
    -----
    The feedback asks for a direction d in embedding space; what d does to tag preferences,
    :math:`c' = c_u + k M d`, is handed to the generator, and the refined embedding is
    :math:`e_u + G(c') - G(c_u)`, so that a generator's own error moves nobody. For a like, d
    leads from all other items to the tag's items that are to the user's taste; for a dislike, to
    the part of the user's history that the tag is not on. The smallest correction of d makes
    every named tag move its way, in full from a tenth of the strongest feedback on. Tags that are
    set are then pressed to where they should be, the others held as far as the generator can.

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
        self, population: Population, row: int, feedback: Feedback, values: dict[int, float]
    ) -> tuple[NDArray, NDArray]:
        """Return the refined embedding and the tag preferences it was asked to have.

        Parameters
        ----------
        population : Population
            What the explainer learned.
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
            What the feedback asks for.
        """
        embedding = population.user_embeddings[row].astype(np.float64)
        preferences = population.tag_preferences_of(embedding)
        generate = population.generator.generate
        unmoved = generate(preferences[np.newaxis], embedding[np.newaxis])[0]

        def move(wanted: NDArray) -> NDArray:
            return generate(wanted[np.newaxis], embedding[np.newaxis])[0] - unmoved

        wanted = preferences.copy()
        if feedback.strength:
            wanted += _shift(population, row, feedback, preferences, move)
        if not values:
            return embedding + move(wanted), wanted
        tags, asked = list(values), np.array(list(values.values()))
        wanted[tags] = asked
        pressed = _press(population, embedding, wanted, tags, asked, move)
        return embedding + move(pressed), wanted


def _shift(
    population: Population,
    row: int,
    feedback: Feedback,
    preferences: NDArray,
    move: Callable[[NDArray], NDArray],
) -> NDArray:
    """Return the change of tag preferences that likes and dislikes ask for."""
    directions = population.directions
    scores = population.scores_of(population.user_embeddings[row]).astype(np.float64)
    direction = directions.combined(
        feedback.like, feedback.dislike, scores, population.catalogue.history(row)
    )
    shift = np.asarray(population.extractor.tag_matrix_) @ direction
    # A user whom the recommender scores all alike moves as the population does.
    spread = scores.std() or directions.typical_movement(
        population.user_embeddings[population.learners]
    )
    target = feedback.strength * _MOVEMENT_AT_STRENGTH_ONE * spread

    def movement(step: float) -> float:
        return directions.movement(move(preferences + step * shift))

    return _step(movement, target, population.composite.is_linear) * shift


def _step(movement: Callable[[float], float], target: float, is_linear: bool) -> float:
    """Return the step whose movement is the target."""
    # A direction has movement 1 before the generator, so the answer is near the target.
    moved = movement(target)
    if not moved > _NO_MOVEMENT * target:
        raise ValueError(
            "the generator cannot move this user's embedding the way the feedback asks: it was "
            "fitted on too few users or on users who are all alike, or the items are all alike"
        )
    step = target * (target / moved)
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


def _press(
    population: Population,
    embedding: NDArray,
    wanted: NDArray,
    tags: list[int],
    asked: NDArray,
    move: Callable[[NDArray], NDArray],
) -> NDArray:
    """Return tag preferences to ask the generator for, so that some tags get what they should.

    Asked to change some tags and to hold all others, a generator with more tags than factors
    compromises. Newton's method on the named tags presses on them until they are met.
    """

    def reached(preferences: NDArray) -> NDArray:
        return population.tag_preferences_of(embedding + move(preferences))[tags]

    own = population.tag_preferences_of(embedding)[tags]
    tolerance = _MET * np.maximum(np.abs(asked - own), population.std[tags]) + np.finfo(float).eps
    pressed = wanted.copy()
    steps = np.maximum(population.std[tags], np.finfo(float).tiny)
    for _ in range(_MAX_PRESSES):
        now = reached(pressed)
        error = asked - now
        if (np.abs(error) <= tolerance).all():
            return pressed
        response = np.empty((len(tags), len(tags)))
        for column, (tag, step) in enumerate(zip(tags, steps, strict=True)):
            nudged = pressed.copy()
            nudged[tag] += step
            response[:, column] = (reached(nudged) - now) / step
        pressed[tags] += np.linalg.lstsq(response, error, rcond=1e-6)[0]
    worst = int(np.argmax(np.abs(error) / tolerance))
    raise ValueError(
        f"set cannot be met: {population.tags[tags[worst]]!r} was to be {asked[worst]:.3g} (in "
        f"units of the score) and gets no nearer than {now[worst]:.3g}; the recommender ties it to "
        f"other tags that were set, or moves it for nobody. Set fewer tags"
    )
