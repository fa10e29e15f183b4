"""The paper's attribution: LIME, for all items of a user at once."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sktpecr._utils._rounding import spread
from sktpecr.attribution._attributed import Attributed
from sktpecr.attribution._composite import CompositeFunction
from sktpecr.attribution._draws import (
    Draws,
    kernel_variance,
    kernel_weighted,
    normal_draws,
    sobol_draws,
)

# Share of the largest score by which scores of single precision may be off.
_ROUNDING = 32 * np.finfo(np.float32).eps


class LimeAttribution(BaseEstimator):
    r"""Attribute scores to tags by a local linear surrogate of the composite function.

    Parameters
    ----------
    target : {"rank", "score"}, default="rank"
        What the surrogate learns: whether the item ranks no worse among a user's competitors
        than it does now (the paper's), or the score itself.
    center : {"instance", "population"}, default="instance"
        Where perturbations are drawn: around the user's own tag preferences, or around the
        population's mean, as the lime package and so the authors do.
    n_samples : int, optional
        Number of perturbations. By default lime's 5,000; with ``engine="sobol"`` 2,048, or the
        first power of two that is at least four times the number of tags.
    n_competitors : int, default=99
        Number of items that the item is ranked against, drawn once per user.
    reach : {"own", "median"}, default="own"
        With ``target="rank"``, the rank that the item has to reach: the one it has now, as in the
        paper, or its median over the perturbations. An item that leads whatever the tags are stays
        first in nearly all of them, so that nothing is left to learn from and the fidelity is near
        0; "median" splits them in halves.
    num_features : int, optional
        At most how many tags get an importance, chosen as the lime package does. All by
        default.
    engine : {"sobol", "vectorized", "lime"}, default="sobol"
        ``"vectorized"`` is lime's own draws and regression, all items at once; ``"lime"`` the lime
        package itself, item by item: on the same draws they agree to rounding. ``"sobol"``
        estimates the same from fewer, evenly spread points, and ranks with less noise.
    random_state : int, RandomState instance or None, default=None
        Seeds perturbations and competitors. After ``fit``, equal calls are equal.

    Attributes
    ----------
    n_samples_ : int
        Number of perturbations drawn.
    mean_, scale_ : ndarray of shape (n_tags,)
        Mean and standard deviation of the tag preferences of the population; a standard
        deviation is 0 where it is only rounding.

    Notes
    -----
    Section 3.3.2 of the paper [1]_ over the tabular explainer of [2]_: with
    :math:`z` the perturbed tag preferences in standard deviations and :math:`z_u` the user's,
    weights are :math:`\exp(-|z - z_u|^2 / (2 w^2))`, :math:`w = .75 \sqrt{T}`, and the surrogate is
    a weighted ridge regression with penalty 1. An importance is its coefficient: the effect of
    one standard deviation more of a tag preference. Standard errors are the sandwich estimate,
    for the draws of perturbations only; another set of competitors can change more than that.

    Drawing from a standard normal and weighting by the kernel is drawing from the narrower normal
    that is their product. With ``engine="sobol"`` that is done directly, at the points of a
    scrambled Sobol sequence [3]_, so that the matrix of the regression is the same for every user;
    and of a rank, what a Gaussian margin over the rival would do is taken in closed form, and only
    the rest from the draws. Standard errors are then those of independent draws: an upper bound.

    References
    ----------
    .. [1] Xu et al., "A Tag-Based Post-Hoc Framework for Explainable Conversational
       Recommendation", ICTIR 2022.
    .. [2] M. Ribeiro et al., "Why Should I Trust You?: Explaining the Predictions of Any
       Classifier", KDD 2016.
    .. [3] A. Owen, "Scrambling Sobol' and Niederreiter-Xing points", J. Complexity 14, 1998.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import TPECRExplainer
    >>> from sktpecr.attribution import LimeAttribution
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(
    ...     TruncatedSVD(8, random_state=0),
    ...     data.item_tags,
    ...     attribution=LimeAttribution(target="score", n_samples=500, random_state=0),
    ... )
    >>> explanation = explainer.fit(data.interactions).explain(0, data.item_ids[0])
    >>> explanation.method
    'GaussianGenerator, LIME (score, around the user, 500 draws) attribution, score per ...'
    >>> bool(explanation.fidelity > 0.999)
    True
    """

    _parameter_constraints: dict = {
        "target": [StrOptions({"rank", "score"})],
        "center": [StrOptions({"instance", "population"})],
        "n_samples": [Interval(Integral, 2, None, closed="left"), None],
        "n_competitors": [Interval(Integral, 1, None, closed="left")],
        "reach": [StrOptions({"own", "median"})],
        "num_features": [Interval(Integral, 1, None, closed="left"), None],
        "engine": [StrOptions({"sobol", "vectorized", "lime"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        target: str = "rank",
        center: str = "instance",
        n_samples: int | None = None,
        n_competitors: int = 99,
        reach: str = "own",
        num_features: int | None = None,
        engine: str = "sobol",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.target = target
        self.center = center
        self.n_samples = n_samples
        self.n_competitors = n_competitors
        self.reach = reach
        self.num_features = num_features
        self.engine = engine
        self.random_state = random_state

    @property
    def name(self) -> str:
        """What it is, in words."""
        where = "user" if self.center == "instance" else "population"
        return f"LIME ({self.target}, around the {where}, {self.n_samples_} draws)"

    @property
    def unit(self) -> str:
        """Unit of the importances."""
        what = "probability of ranking no worse" if self.target == "rank" else "score"
        return f"{what} per standard deviation of the tag preference"

    def fit(
        self, composite: CompositeFunction, tag_preferences: ArrayLike, embeddings: ArrayLike
    ) -> LimeAttribution:
        """Take the population for scale, and draw the perturbations.

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
        self._n_items = scores.shape[1]
        self.n_samples_ = self.n_samples or _enough(self.engine, preferences.shape[1])
        # Tag preferences come from scores: no more precise than these.
        precision = np.result_type(scores, np.float32)
        self.mean_ = preferences.mean(axis=0)
        self.scale_ = spread(preferences, precision)
        self._seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        return self

    def attribute(
        self, tag_preferences: NDArray, embedding: NDArray, items: ArrayLike
    ) -> Attributed:
        """Attribute the scores or ranks of items for one user.

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
            Importances with standard errors, and the surrogate's R^2.
        """
        check_is_fitted(self)
        columns = np.asarray(items, dtype=np.intp)
        if self.engine == "lime":
            return self._with_the_package(tag_preferences, embedding, columns)
        draws, drawn, centre, offsets = self._draw(tag_preferences)
        scale, instance = self._scale_or_one(), centre + offsets[0]
        middle = tag_preferences - scale * offsets[0]

        def score(scored: NDArray, rows: Any = slice(None)) -> NDArray:
            return self._composite.around(middle, offsets[rows], scale, embedding, scored)

        def roughly(scored: NDArray) -> NDArray | None:
            found = self._composite.moved(middle, drawn, scale, embedding, scored)
            if found is not None and offsets is not drawn:  # row 0 is the user's own
                found[0] = score(scored, [0])
            return found

        targets = self._targets(score, embedding, columns, roughly)
        stepped = self.target == "rank"
        values = (targets >= 0).astype(draws.offsets.dtype) if stepped else targets
        coefficients, errors = np.zeros((2, len(columns), len(instance)))
        fidelity = np.ones(len(columns))
        n_features = min(self.num_features or len(instance), len(instance))
        for same, picked in _grouped(draws, values, instance, n_features):
            chosen = draws if n_features == len(instance) else replace(draws, picked=picked)
            found, error, left = (
                chosen.regress_steps(targets[:, same])
                if stepped and self.engine == "sobol"
                else chosen.regress(values[:, same])
            )
            coefficients[np.ix_(same, picked)] = found.T
            errors[np.ix_(same, picked)] = error.T
            total = draws.weights @ np.square(draws.centre(values[:, same]))
            # A target that never changes is explained by no tag at all, and perfectly.
            unexplained = draws.weights @ np.square(left) * (total > 0)
            fidelity[same] = 1.0 - unexplained / np.where(total > 0, total, 1.0)
        means = draws.average(values)
        intercepts = means - coefficients @ (centre + draws.mean)  # at average tag preferences
        return self._attributed(coefficients, intercepts, values[0], fidelity, errors)

    def _draw(self, tag_preferences: NDArray) -> tuple[Draws, NDArray, NDArray, NDArray]:
        """Return draws, everybody's offsets, what they are around, and this user's offsets."""
        instance = (tag_preferences - self.mean_) / self._scale_or_one()
        drawn = sobol_draws if self.engine == "sobol" else normal_draws
        draws = drawn(self._seed, self.n_samples_, len(instance))
        if self.center == "instance":
            return draws, draws.offsets, instance, draws.offsets
        offsets = draws.offsets.copy()
        if self.engine == "sobol":
            # The mean of what lime draws around the population and weights around the user. The
            # row of the user counts nothing, so that the regression is still everybody's.
            centre = instance / (1 + kernel_variance(len(instance)))
            offsets[0] = instance - centre
            return draws, draws.offsets, centre, offsets
        offsets[0] = instance
        return kernel_weighted(offsets), draws.offsets, np.zeros_like(instance), offsets

    def _targets(
        self,
        score: Callable[..., NDArray],
        embedding: NDArray,
        columns: NDArray,
        roughly: Callable[[NDArray], NDArray | None] = lambda scored: None,
    ) -> NDArray:
        """Return scores, or how far items are above the rank to reach: shape (n_rows, n_items)."""
        # `roughly` is a faster way to score. `score` is asked where that leaves a tie open.
        if self.target == "score":
            return np.asarray(score(columns), dtype=np.float64)
        rivals = self._competitors(embedding, self._n_items)
        # Scored once each: an item among its own competitors is then never above itself, not
        # even by rounding, which in a matrix product depends on the column.
        place = {item: number for number, item in enumerate(rivals.tolist())}
        own = [place.setdefault(item, len(place)) for item in columns.tolist()]
        scored, places = np.fromiter(place, np.intp, len(place)), (np.array(own), len(rivals))
        rough = roughly(scored)
        if rough is not None:
            above, margins = self._margins(rough, *places)
            # An item against itself, as a rival, is no near tie.
            near = np.abs(margins) <= _ROUNDING * np.abs(rough).max()
            near &= (margins != 0) | (places[0] >= len(rivals))
            near[0] = True
            rows = np.flatnonzero(near.any(axis=1))
            settled = score(scored, rows)
            if self.reach != "own" or np.array_equal(above, _ranks(settled[:1], *places)[0]):
                margins[rows] = self._margins(settled, *places, above)[1]
                return margins
        return self._margins(score(scored), *places)[1]

    def _margins(
        self, scores: NDArray, own: NDArray, n_rivals: int, above: NDArray | None = None
    ) -> tuple[NDArray, NDArray]:
        """Return how many rivals may be above each item, and how far it is above the next one."""
        # The first columns are the rivals', which are sorted in place.
        if above is None:
            ranks = _ranks(scores[:1] if self.reach == "own" else scores[1:], own, n_rivals)
            above = np.median(ranks, axis=0).astype(np.intp)
        # Item by item in memory: so they are regressed.
        mine, rivals = np.ascontiguousarray(scores[:, own].T), scores[:, :n_rivals]
        # It ranks no worse than that as long as the rival one place below is not above it.
        rivals.sort(axis=1)
        margins = np.ones_like(mine)
        for margin, item, n_above in zip(margins, mine, above, strict=True):
            if n_above < n_rivals:
                np.subtract(item, rivals[:, -1 - n_above], out=margin)
        return above, margins.T

    def _competitors(self, embedding: NDArray, n_items: int) -> NDArray:
        """Draw a user's competitors, the same in every call."""
        salt = zlib.crc32(np.ascontiguousarray(embedding, dtype=np.float64).tobytes())
        n_rivals = min(self.n_competitors, n_items)
        # What it takes does not grow with the items.
        return np.random.default_rng([self._seed, salt]).choice(
            n_items, n_rivals, replace=False, shuffle=False
        )

    def _with_the_package(
        self, tag_preferences: NDArray, embedding: NDArray, columns: NDArray
    ) -> Attributed:
        from lime.lime_tabular import LimeTabularExplainer

        n_tags, n_items = len(tag_preferences), len(columns)
        coefficients = np.zeros((n_items, n_tags))
        intercepts, fidelity, values = np.zeros((3, n_items))
        label = 1
        for i, column in enumerate(columns):
            seen: list[NDArray] = []
            # Two rows with the population's mean and standard deviation are all lime asks of it.
            lime = LimeTabularExplainer(
                np.stack([self.mean_ - self.scale_, self.mean_ + self.scale_]),
                mode="classification" if self.target == "rank" else "regression",
                discretize_continuous=False,
                sample_around_instance=self.center == "instance",
                random_state=np.random.RandomState(self._seed),
            )
            found = lime.explain_instance(
                tag_preferences,
                self._predictor(embedding, column, seen),
                labels=(label,),
                num_features=self.num_features or n_tags,
                num_samples=self.n_samples_,
            )
            for tag, weight in found.local_exp[label]:
                coefficients[i, tag] = weight
            intercepts[i] = found.intercept[label]
            targets = seen[0]
            values[i] = targets[0, 0]
            # R^2 of what never changes is rounding over rounding in the package.
            fidelity[i] = found.score if spread(targets, targets.dtype).any() else 1.0
        return self._attributed(coefficients, intercepts, values, fidelity, None)

    def _predictor(self, embedding: NDArray, column: int, seen: list[NDArray]) -> Any:
        def predict(rows: NDArray) -> NDArray:
            users = np.broadcast_to(embedding, (len(rows), len(embedding)))
            targets = self._targets(
                lambda scored: self._composite(rows, users, scored), embedding, np.array([column])
            )
            if self.target == "score":
                seen.append(targets)
                return targets[:, 0]
            labels = (targets >= 0).astype(np.float64)
            seen.append(labels)
            return np.hstack([1 - labels, labels])

        return predict

    def _attributed(
        self,
        coefficients: NDArray,
        intercepts: NDArray,
        values: NDArray,
        fidelity: NDArray,
        errors: NDArray | None,
    ) -> Attributed:
        # A tag that is the same for everybody has no standard deviation to move by.
        moves = self.scale_ > 0
        return Attributed(
            importances=coefficients * moves,
            base_values=intercepts,
            values=values,
            fidelity=fidelity,
            standard_errors=None if errors is None else errors * moves,
        )

    def _scale_or_one(self) -> NDArray:
        return np.where(self.scale_ > 0, self.scale_, 1.0)


def _ranks(scores: NDArray, own: NDArray, n_rivals: int) -> NDArray:
    """Return how many rivals, in the first columns, are above each item in each row."""
    rivals = scores[:, :n_rivals]
    return (rivals[:, np.newaxis] > scores[:, own, np.newaxis]).sum(axis=2)


def _grouped(
    draws: Draws, targets: NDArray, instance: NDArray, n_features: int
) -> Iterator[tuple[NDArray, NDArray]]:
    """Yield groups of targets, and the tags that were picked for all of a group."""
    n_tags = len(instance)
    if n_features == n_tags:
        yield np.arange(targets.shape[1]), np.arange(n_tags)
        return
    chosen = np.array(
        [draws.pick(target, instance, n_features) for target in draws.centre(targets).T]
    )
    for picked in np.unique(chosen, axis=0):
        yield np.flatnonzero((chosen == picked).all(axis=1)), picked


def _enough(engine: str, n_tags: int) -> int:
    """Return lime's own number of draws, or a power of two of fewer Sobol points."""
    return 5000 if engine != "sobol" else max(2048, 1 << (4 * n_tags - 1).bit_length())
