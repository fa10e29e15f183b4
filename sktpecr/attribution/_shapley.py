"""Shapley values of tags."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import beta
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state, gen_batches
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from sktpecr._utils._rounding import spread
from sktpecr.attribution._attributed import Attributed
from sktpecr.attribution._composite import CompositeFunction

# Gains of tags (draws, tags, items), scores of coalitions (n, items), from nobody's to everybody's,
# how each coalition weighs, and what contributions (tags, items) add up to in each.
_Played = tuple[NDArray, NDArray, NDArray, Callable[[NDArray], NDArray]]
# Rows of tag preferences given to the composite function in one call.
_ROWS = 4096
# A tag this near to the population's mean, in standard deviations, is tried this far from it:
# the square root of float32's rounding, where rounding and curvature cost a slope alike.
_NEAR = float(np.sqrt(np.finfo(np.float32).eps))


class ShapleyAttribution(BaseEstimator):
    r"""Divide the score of an item among the tags by Shapley values.

    A coalition of tags keeps the user's own preferences; all other tags are at the population's
    mean. A tag's share is what it adds when it joins, averaged over all orders of joining.

    Parameters
    ----------
    max_enumerated : int, default=12
        Up to this many tags all coalitions are scored, 2 to the power of their number; above,
        random orders are walked. At most 20.
    n_permutations : int, default=100
        Number of random orders. Each is walked forwards and backwards.
    random_state : int, RandomState instance or None, default=None
        Seeds the orders. After ``fit``, equal calls are equal.

    Attributes
    ----------
    mean_, scale_ : ndarray of shape (n_tags,)
        Mean and standard deviation of the tag preferences of the population; a standard
        deviation is 0 where it is only rounding.

    Notes
    -----
    With :math:`v(S)` the composite function's score where the tags in S are the user's own, and
    T the tags that vary in the population, the interventional Shapley value [1]_, [2]_ is

    .. math:: \phi_t = \sum_{S \subseteq T \setminus t}
              \frac{|S|! \, (|T| - |S| - 1)!}{|T|!} \left( v(S \cup t) - v(S) \right)

    It is the tag's contribution. The importance is :math:`\phi_t / z_t`, with :math:`z_t` the
    user's distance from the mean in standard deviations: the average effect of one of them between
    the mean and the user. Within .00035 of the mean that would be rounding by rounding: there the
    tag joins at a distance of .00035, which gives the slope at the mean, and the contribution is
    that slope times :math:`z_t`. A tag that is the same for everybody stays as the user has it, and
    its importance is 0.

    The generator is given the user's own embedding in every coalition. So the base value is that
    of this user with average tag preferences, which is not the average user's. Contributions lead
    from it to the composite function's score at the user's own tag preferences, and the residual
    is rounding. Where the composite function is linear, importances are its weights, equal to those
    of :class:`ExactAttribution`; the base value here is base value plus residual there: what no
    tag sees is in the base.

    Contributions from random orders add up as well, order by order. An order and its reverse [3]_
    together are exact where tags act on each other in pairs only; standard errors are those of
    the mean over these couples.

    Fidelity is the R^2 of base value plus contributions of the coalition, over the coalitions that
    are met on the way through a random order: each size weighs the same. It is 1 where tags add
    up; where they mostly act together it can be negative.

    References
    ----------
    .. [1] S. Lundberg and S. Lee, "A Unified Approach to Interpreting Model Predictions",
       NeurIPS 2017.
    .. [2] E. Strumbelj and I. Kononenko, "Explaining prediction models and individual
       predictions with feature contributions", KAIS 41, 2014.
    .. [3] R. Mitchell et al., "Sampling Permutations for Shapley Value Estimation", JMLR 23, 2022.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import MLPGenerator, TPECRExplainer
    >>> from sktpecr.attribution import ShapleyAttribution
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(
    ...     TruncatedSVD(8, random_state=0),
    ...     data.item_tags,
    ...     generator=MLPGenerator(max_epochs=5, random_state=0),
    ...     attribution=ShapleyAttribution(),
    ... )
    >>> explanation = explainer.fit(data.interactions).explain(0, data.item_ids[0])
    >>> explanation.method
    'MLPGenerator, Shapley (exact) attribution, score per standard deviation of the tag preference'
    >>> abs(explanation.residual) < 1e-6
    True
    """

    _parameter_constraints: dict = {
        "max_enumerated": [Interval(Integral, 0, 20, closed="both")],
        "n_permutations": [Interval(Integral, 2, None, closed="left")],
        "random_state": ["random_state"],
    }

    unit = "score per standard deviation of the tag preference"

    def __init__(
        self,
        *,
        max_enumerated: int = 12,
        n_permutations: int = 100,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.max_enumerated = max_enumerated
        self.n_permutations = n_permutations
        self.random_state = random_state

    @property
    def name(self) -> str:
        """What it is, in words; after ``fit`` also whether it is exact."""
        if not hasattr(self, "scale_"):
            return "Shapley"
        exact = self._composite.is_linear or self._is_enumerated
        return f"Shapley ({'exact' if exact else f'{self.n_permutations} permutations'})"

    def fit(
        self, composite: CompositeFunction, tag_preferences: ArrayLike, embeddings: ArrayLike
    ) -> ShapleyAttribution:
        """Take the population as background, and draw the seed of the orders.

        Parameters
        ----------
        composite : CompositeFunction
            The function to explain.
        tag_preferences : array-like of shape (n_users, n_tags)
            Tag preferences of the population.
        embeddings : array-like of shape (n_users, n_factors)
            Embeddings of the population.

        Returns
        -------
        self : object
            The fitted attribution.
        """
        self._validate_params()
        self._composite = composite
        preferences = np.asarray(tag_preferences, dtype=np.float64)
        scores = composite(preferences[:1], np.asarray(embeddings)[:1])
        # Tag preferences come from scores: no more precise than these.
        self._precision = np.result_type(scores, np.float32)
        self.mean_ = preferences.mean(axis=0)
        self.scale_ = spread(preferences, self._precision)
        self._is_enumerated = np.count_nonzero(self.scale_) <= self.max_enumerated
        self._seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        return self

    def attribute(
        self, tag_preferences: NDArray, embedding: NDArray, items: ArrayLike
    ) -> Attributed:
        """Attribute the scores of items for one user.

        Parameters
        ----------
        tag_preferences : ndarray of shape (n_tags,)
            The user's tag preferences.
        embedding : ndarray of shape (n_factors,)
            The user's embedding.
        items : array-like of int
            Column numbers of items.

        Returns
        -------
        Attributed
            Importances, with standard errors where orders are drawn, and the R^2 of their sum.
        """
        check_is_fitted(self)
        columns = np.asarray(items, dtype=np.intp)
        own = np.asarray(tag_preferences, dtype=np.float64)
        varies = self.scale_ > 0
        mean, scale = self.mean_[varies], self.scale_[varies]
        distances = (own[varies] - mean) / scale
        near = np.abs(distances) < _NEAR
        steps = np.where(near, np.copysign(_NEAR, distances), distances)

        def play(joined: NDArray, tried: int | None = None) -> NDArray:
            """Score coalitions, shape (n, n_varying); one tag is where it is tried."""
            joining = own[varies]
            if tried is not None:
                joining[tried] = mean[tried] + steps[tried] * scale[tried]
            scores = []
            for some in gen_batches(len(joined), _ROWS):
                rows = np.tile(own, (len(joined[some]), 1))
                rows[:, varies] = np.where(joined[some], joining, mean)
                users = np.broadcast_to(embedding, (len(rows), len(embedding)))
                scores.append(self._composite(rows, users, columns))
            return np.concatenate(scores).astype(np.float64)

        importances = np.zeros((len(columns), len(own)))
        if self._composite.is_linear:
            importances[:, varies] = self._composite.tag_weights(columns)[:, varies] * scale
            base_values, values = play(np.repeat([[False], [True]], len(scale), axis=1))
            return Attributed(importances, base_values, values, np.ones(len(columns)))
        score_coalitions = _all if self._is_enumerated else self._along_orders
        gains, scores, weights, add_up = score_coalitions(play, np.flatnonzero(near), len(scale))
        slopes = gains / steps[:, np.newaxis]
        importances[:, varies] = slopes.mean(axis=0).T
        errors = None
        if not self._is_enumerated:
            errors = np.zeros_like(importances)
            errors[:, varies] = slopes.std(axis=0, ddof=1).T / np.sqrt(len(slopes))
        contributions = importances[:, varies].T * distances[:, np.newaxis]
        unexplained = weights @ np.square(scores - scores[0] - add_up(contributions))
        total = weights @ np.square(scores - weights @ scores / weights.sum())
        # A score that never changes is explained by no tag at all, and perfectly.
        moves = spread(scores, self._precision) > 0
        return Attributed(
            importances=importances,
            base_values=scores[0],
            values=scores[-1],
            fidelity=1.0 - unexplained * moves / np.where(moves, total, 1.0),
            standard_errors=errors,
        )

    def _along_orders(self, play: Callable[..., NDArray], near: NDArray, n_tags: int) -> _Played:
        """Score the coalitions that form along random orders and their reverses."""
        random_state = np.random.RandomState(self._seed)
        places = np.array([random_state.permutation(n_tags) for _ in range(self.n_permutations)])
        places = np.concatenate([places, n_tags - 1 - places])
        walks = np.arange(len(places))
        scores = np.stack([play(places < size) for size in range(n_tags + 1)], axis=1)
        gains = np.take_along_axis(np.diff(scores, axis=1), places[:, :, np.newaxis], axis=1)
        for tag in near:
            place = places[:, tag]
            with_tag = play(places <= place[:, np.newaxis], tag)
            gains[:, tag] = with_tag - scores[walks, place]
        couples = gains.reshape(2, self.n_permutations, *gains.shape[1:]).mean(axis=0)
        flat = scores.reshape(-1, scores.shape[2])

        def add_up(contributions: NDArray) -> NDArray:
            sums = np.zeros_like(scores)
            np.cumsum(contributions[np.argsort(places, axis=1)], axis=1, out=sums[:, 1:])
            return sums.reshape(flat.shape)

        return couples, flat, np.ones(len(flat)), add_up


def _all(play: Callable[..., NDArray], near: NDArray, n_tags: int) -> _Played:
    """Score all coalitions."""
    joined = (np.arange(2**n_tags)[:, np.newaxis] >> np.arange(n_tags)) % 2 == 1
    sizes = joined.sum(axis=1, keepdims=True)
    scores = play(joined)
    # s! (n - s - 1)! / n! is a beta function, of the coalition without the tag.
    shares = np.where(joined, beta(sizes, n_tags - sizes + 1), -beta(sizes + 1, n_tags - sizes))
    gains = shares.T @ (scores - scores[0])
    for tag in near:
        has = joined[:, tag]
        gains[tag] = shares[has, tag] @ (play(joined[has], tag) - scores[~has])
    weights = beta(sizes[:, 0] + 1, n_tags - sizes[:, 0] + 1)
    return gains[np.newaxis], scores, weights, joined.__matmul__
