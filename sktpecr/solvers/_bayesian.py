"""Refinement over several turns, with what is still uncertain."""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval

from sktpecr._inputs._feedback import Feedback
from sktpecr.solvers._targets import movement_at_strength_one, put
from sktpecr.tags._directions import UNMOVED, Directions
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._user import Turn, User


class BayesianSolver(BaseEstimator):
    r"""Treat every answer as a noisy observation of the user's embedding.

    Parameters
    ----------
    noise : float, default=0.5
        Standard deviation of a like or dislike, in units of what is uncertain of it before: the
        larger, the more answers of one kind it takes to be sure.

    Notes
    -----
    Before any answer the embedding is taken for normal around the user's own,
    :math:`e \sim N(e_u, \tau^2 W^{-1})`: W is the scatter of the items to the user's taste, so
    that :math:`d^T W d` is the variance of what a movement d does to the list, and
    :math:`\tau` is what strength 1 moves the list by. A like of strength s observes that the
    difference g of the tag's mean item and the others' is :math:`s (1 + \rho^2)` standard
    deviations larger than the recommender thinks, with noise :math:`\rho`; so one answer moves
    the list by :math:`s \tau`, along the discriminant :math:`W^{-1} g` that
    :class:`ClosedFormSolver` goes along as well, a second one of the same kind by little more,
    and answers that contradict each other cancel. Dislikes observe the contrary. A tag that is
    set is known to be there; set twice, the last time counts. Mean and covariance follow in
    closed form (a Kalman filter that stands still [1]_): the order of likes and dislikes over
    the turns does not matter. The smallest correction of the mean makes every named tag move
    its way. Where scores are not linear, they are taken for linear around the user.

    References
    ----------
    .. [1] R. E. Kalman, "A New Approach to Linear Filtering and Prediction Problems", Journal of
       Basic Engineering 82, 1960.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import FeedbackRefiner, TPECRExplainer
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> refiner = FeedbackRefiner(explainer.fit(data.interactions), solver="bayesian")
    >>> first = refiner.refine(3, like="tag_1")
    >>> second = refiner.refine(after=first, like="tag_1")
    >>> uncertain = [turn.to_frame().set_index("tag")["std"]["tag_1"] for turn in (first, second)]
    >>> bool(uncertain[0] > uncertain[1])
    True
    """

    _parameter_constraints: dict = {"noise": [Interval(Real, 0, None, closed="neither")]}

    def __init__(self, *, noise: float = 0.5) -> None:
        self.noise = noise

    def solve(
        self, tag_model: TagModel, user: User, feedback: Feedback, values: dict[int, float]
    ) -> tuple[NDArray, NDArray, NDArray]:
        """Return the refined embedding, the tag preferences asked for, and what is uncertain.

        Parameters
        ----------
        tag_model : TagModel
            What the explainer learned.
        user : User
            Who said it, and what the user had said before.
        feedback : Feedback
            What the user said.
        values : dict of int to float
            Column of each tag that was set, and its value in units of the score.

        Returns
        -------
        embedding : ndarray of shape (n_factors,)
            Posterior mean.
        tag_preferences : ndarray of shape (n_tags,)
            Its own, with the tags that were set where they were set to.
        covariance : ndarray of shape (n_factors, n_factors)
            Posterior covariance.
        """
        self._validate_params()
        own = user.own_embedding.astype(np.float64)
        turns = [*user.turns, Turn(user.embedding, feedback, values)]
        directions = tag_model.directions(own)
        scores = tag_model.scores_of(own).astype(np.float64)
        movement = movement_at_strength_one(tag_model, directions, scores)
        prior = directions.scatter(scores, user.history) / movement**2
        information, gains = prior, np.zeros(len(own))
        wishes: dict[int, float] = {}
        known: dict[int, float] = {}
        for turn in turns:
            for tag, wish in turn.feedback.wishes.items():
                contrast = directions.contrast(tag, scores, user.history)
                variance = contrast @ np.linalg.solve(prior, contrast)
                if not variance > 0:
                    raise ValueError(UNMOVED)
                noise = self.noise**2 * variance
                information = information + np.outer(contrast, contrast) / noise
                gains += wish * (1 + self.noise**2) * np.sqrt(variance) / noise * contrast
                wishes[tag] = wishes.get(tag, 0.0) + wish
            known |= turn.values
        if not np.isfinite(gains).all():
            raise ValueError("strength is too large for floating-point numbers; ask for less")
        covariance = np.linalg.inv(information)
        move = _with_kept_words(directions, covariance @ gains, information, wishes)
        requested = tag_model.tag_preferences_of(own + move)
        if not known:
            return own + move, requested, covariance
        before = requested.copy()
        requested[list(known)] = list(known.values())
        rows = directions.tag_matrix[list(known)]
        gain = covariance @ rows.T @ np.linalg.pinv(rows @ covariance @ rows.T, rcond=1e-6)

        def step(at: NDArray, _: NDArray, error: NDArray) -> NDArray:
            return at + gain @ error

        embedding = put(tag_model, known, before, own + move, step)
        return embedding, requested, covariance - gain @ rows @ covariance


def _with_kept_words(
    directions: Directions, move: NDArray, information: NDArray, wishes: dict[int, float]
) -> NDArray:
    """Correct a move as little as possible so that every named tag moves its way."""
    wishes = {tag: wish for tag, wish in wishes.items() if wish}  # the others cancelled out
    size = directions.movement(move)
    if not wishes:
        return move
    if not size:
        raise ValueError(UNMOVED)
    return size * directions.keep_words(move / size, information, wishes)
