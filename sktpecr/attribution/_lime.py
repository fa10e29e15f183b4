"""The paper's attribution: LIME, for all items of a user at once."""

from __future__ import annotations

import zlib
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sktpecr._composite import CompositeFunction
from sktpecr._numerics import spread
from sktpecr.attribution._attributed import Attributed

# lime's: penalty of the surrogate, of the fit that picks features, features picked one by one.
_RIDGE, _PICKING_RIDGE, _ONE_BY_ONE = 1.0, 0.01, 6


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
    n_samples : int, default=5000
        Number of perturbations.
    n_competitors : int, default=99
        Number of items that the item is ranked against, drawn once per user.
    num_features : int, optional
        At most how many tags get an importance, chosen as the lime package does. All by
        default.
    engine : {"vectorized", "lime"}, default="vectorized"
        This library's own arithmetic, or the lime package itself, item by item. On the same
        draws they agree to rounding.
    random_state : int, RandomState instance or None, default=None
        Seeds perturbations and competitors. After ``fit``, equal calls are equal.

    Attributes
    ----------
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

    References
    ----------
    .. [1] Xu et al., "A Tag-Based Post-Hoc Framework for Explainable Conversational
       Recommendation", ICTIR 2022.
    .. [2] M. Ribeiro et al., "Why Should I Trust You?: Explaining the Predictions of Any
       Classifier", KDD 2016.

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
        "n_samples": [Interval(Integral, 2, None, closed="left")],
        "n_competitors": [Interval(Integral, 1, None, closed="left")],
        "num_features": [Interval(Integral, 1, None, closed="left"), None],
        "engine": [StrOptions({"vectorized", "lime"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        target: str = "rank",
        center: str = "instance",
        n_samples: int = 5000,
        n_competitors: int = 99,
        num_features: int | None = None,
        engine: str = "vectorized",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.target = target
        self.center = center
        self.n_samples = n_samples
        self.n_competitors = n_competitors
        self.num_features = num_features
        self.engine = engine
        self.random_state = random_state

    @property
    def name(self) -> str:
        """What it is, in words."""
        where = "user" if self.center == "instance" else "population"
        return f"LIME ({self.target}, around the {where}, {self.n_samples} draws)"

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
        scale = self._scale_or_one()
        noise = np.random.RandomState(self._seed).normal(size=(self.n_samples, len(scale)))
        centre = tag_preferences if self.center == "instance" else self.mean_
        rows = noise * scale + centre
        rows[0] = tag_preferences
        standardised = (rows - self.mean_) / scale
        targets = self._targets(rows, embedding, columns)
        coefficients, intercepts, fidelity, errors = self._surrogate(standardised, targets)
        return self._attributed(coefficients, intercepts, targets[0], fidelity, errors)

    def _targets(self, rows: NDArray, embedding: NDArray, columns: NDArray) -> NDArray:
        """Return what the surrogate learns, shape (n_rows, n_items)."""
        users = np.broadcast_to(embedding, (len(rows), len(embedding)))
        if self.target == "score":
            return np.asarray(self._composite(rows, users, columns), dtype=np.float64)
        competitors = self._competitors(embedding, self._n_items)
        # Scored once each: an item among its own competitors is then never above itself, not
        # even by rounding, which in a matrix product depends on the column.
        both = np.concatenate([columns, competitors])
        scored, places = np.unique(both, return_inverse=True)
        scores = self._composite(rows, users, scored)
        own, rivals = scores[:, places[: len(columns)]], scores[:, places[len(columns) :]]
        # It ranks no worse than in row 0 as long as the rival one place below its rank there is
        # not above it.
        above = (rivals[:1, :, np.newaxis] > own[:1, np.newaxis]).sum(axis=1)[0]
        rivals = np.sort(rivals, axis=1)[:, ::-1]
        labels = np.ones_like(own, dtype=np.float64)
        ranked = above < rivals.shape[1]
        labels[:, ranked] = own[:, ranked] >= rivals[:, above[ranked]]
        return labels

    def _competitors(self, embedding: NDArray, n_items: int) -> NDArray:
        """Draw a user's competitors, the same in every call."""
        salt = zlib.crc32(np.ascontiguousarray(embedding, dtype=np.float64).tobytes())
        random_state = np.random.RandomState([self._seed, salt])
        return random_state.permutation(n_items)[: self.n_competitors]

    def _surrogate(
        self, rows: NDArray, targets: NDArray
    ) -> tuple[NDArray, NDArray, NDArray, NDArray]:
        """Return coefficients (n_items, n_tags), intercepts, R^2 and standard errors."""
        n_tags = rows.shape[1]
        distances = np.square(rows - rows[0]).sum(axis=1)
        weights = np.exp(-distances / (2 * 0.75**2 * n_tags))
        row_mean = weights @ rows / weights.sum()
        target_mean = weights @ targets / weights.sum()
        X, Y = rows - row_mean, targets - target_mean
        Y[:, spread(targets, targets.dtype) == 0] = 0.0
        weighted = X * weights[:, np.newaxis]
        gram, moments = X.T @ weighted, weighted.T @ Y
        coefficients, errors = np.zeros((2, targets.shape[1], n_tags))
        n_features = min(self.num_features or n_tags, n_tags)
        everything = np.arange(n_tags)
        chosen = [
            everything
            if n_features == n_tags
            else _pick(gram, moments[:, item], rows[0], n_features)
            for item in range(targets.shape[1])
        ]
        for picked in np.unique(np.array(chosen), axis=0):
            same = np.flatnonzero((np.array(chosen) == picked).all(axis=1))
            ridge = gram[np.ix_(picked, picked)] + _RIDGE * np.eye(len(picked))
            inverse = np.linalg.inv(ridge)
            found = inverse @ moments[np.ix_(picked, same)]
            coefficients[np.ix_(same, picked)] = found.T
            # Sandwich: each row's share in the coefficients, times its own residual; the user's own
            # row is no draw, and varies with none.
            residuals = Y[:, same] - X[:, picked] @ found
            residuals[0] = 0.0
            shares = weighted[:, picked] @ inverse
            errors[np.ix_(same, picked)] = np.sqrt(np.square(residuals).T @ np.square(shares))
        unexplained = weights @ np.square(Y - X @ coefficients.T)
        total = weights @ np.square(Y)
        # A target that never changes is explained by no tag at all, and perfectly.
        fidelity = 1.0 - unexplained / np.where(total > 0, total, 1.0)
        return coefficients, target_mean - coefficients @ row_mean, fidelity, errors

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
                num_samples=self.n_samples,
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
            targets = self._targets(rows, embedding, np.array([column]))
            seen.append(targets)
            if self.target == "score":
                return targets[:, 0]
            return np.hstack([1 - targets, targets])

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


def _pick(gram: NDArray, moments: NDArray, instance: NDArray, n_features: int) -> NDArray:
    """Pick features as lime's "auto" does: few by forward selection, more by weight.

    Least squares on some features explains ``m^T G^-1 m`` of the target, with G and m the Gram
    matrix and moments of these features: no regression over the rows is needed.
    """
    n_tags = len(moments)
    if n_features > _ONE_BY_ONE:
        weights = np.linalg.solve(gram + _PICKING_RIDGE * np.eye(n_tags), moments)
        order = np.argsort(-np.abs(weights * instance), kind="stable")
        return np.sort(order[:n_features])
    picked: list[int] = []
    for _ in range(n_features):
        explained = np.full(n_tags, -np.inf)
        for tag in set(range(n_tags)) - set(picked):
            tags = [*picked, tag]
            solution = np.linalg.lstsq(gram[np.ix_(tags, tags)], moments[tags], rcond=None)[0]
            explained[tag] = moments[tags] @ solution
        picked.append(int(np.argmax(explained)))
    return np.sort(np.array(picked))
