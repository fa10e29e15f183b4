"""The closed-form generator."""

from __future__ import annotations

import warnings
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from sktpecr._utils._atomic_fit import whole_fit
from sktpecr._utils._rounding import check_generation, spread, square_root

# Beyond it fewer than four digits are left.
_CONDITION = 1e12


class GaussianGenerator(MultiOutputMixin, RegressorMixin, BaseEstimator):
    r"""Generate embeddings from tag preferences by conditioning a Gaussian.

    Of all embeddings with the tag preferences asked for, this takes the one nearest to the
    user's own, in the metric of the population of users. Where tag preferences are linear in
    embeddings (dot-product recommenders) it is exact.

    Parameters
    ----------
    regularization : float, default=1e-8
        Added to the diagonal of the covariance of tag preferences, relative to its mean
        diagonal. Raise it when tags are many or nearly the same.
    shrinkage : {"ledoit-wolf"} or float in [0, 1], default="ledoit-wolf"
        How far the covariance of the embeddings is shrunk towards a multiple of the identity.
        It matters when there are not many more users than factors.

    Attributes
    ----------
    gain_ : ndarray of shape (n_factors, n_tags)
        K: the move of the embedding per unit of tag preference.
    tag_matrix_ : ndarray of shape (n_tags, n_factors)
        M: the linear map from embeddings to tag preferences.
    embedding_mean_ : ndarray of shape (n_factors,)
        Mean embedding.
    covariance_ : ndarray of shape (n_factors, n_factors)
        S: covariance of the embeddings, shrunk.
    tag_preference_mean_ : ndarray of shape (n_tags,)
        Mean tag preference.
    condition_ : float
        Condition number of the system that K solves. This times 2e-16 may be wrong of K, as a
        share of its largest number. With the default `regularization` it is at most about 1e8
        times the number of tags, however nearly these are the same.
    shrinkage_ : float
        The shrinkage used.
    linearity_ : float
        Share of the variance of tag preferences that is linear in embeddings; 1 for a
        dot-product recommender. Below 1, what is generated meets the tag preferences asked for
        only so far.
    n_features_in_ : int
        Number of tags.

    Notes
    -----
    With :math:`c = M e + m + \epsilon`, :math:`S = cov(e)`, :math:`\Psi = cov(\epsilon)`,

    .. math:: e' = e + K (c' - M e - m), \quad K = S M^T (M S M^T + \Psi + \lambda I)^{-1}

    the mean of e given c', see [1]_, section 2.3.1. :math:`\Psi` vanishes for a dot product.
    Without shrinkage, K is also the population regression of embeddings on tag preferences.

    References
    ----------
    .. [1] C. Bishop, "Pattern Recognition and Machine Learning", Springer 2006.

    Examples
    --------
    >>> import numpy as np
    >>> from sktpecr import GaussianGenerator
    >>> embeddings = np.random.RandomState(0).normal(size=(100, 4))
    >>> tag_matrix = np.array([[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
    >>> tag_preferences = embeddings @ tag_matrix.T
    >>> generator = GaussianGenerator().fit(tag_preferences, embeddings)
    >>> edited = generator.generate([[3.0, -1.0]], embeddings[:1])
    >>> np.round(edited @ tag_matrix.T, 5)
    array([[ 3., -1.]])
    """

    _parameter_constraints: dict = {
        "regularization": [Interval(Real, 0, None, closed="left")],
        "shrinkage": [StrOptions({"ledoit-wolf"}), Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self, *, regularization: float = 1e-8, shrinkage: str | float = "ledoit-wolf"
    ) -> None:
        self.regularization = regularization
        self.shrinkage = shrinkage

    @_fit_context(prefer_skip_nested_validation=True)
    @whole_fit
    def fit(self, X: Any, y: Any, tag_matrix: ArrayLike | None = None) -> GaussianGenerator:
        """Fit the joint Gaussian of tag preferences and embeddings.

        Parameters
        ----------
        X : array-like of shape (n_users, n_tags)
            Tag preferences.
        y : array-like of shape (n_users, n_factors) or (n_users,)
            Embeddings.
        tag_matrix : array-like of shape (n_tags, n_factors), optional
            M, where it is known exactly. By default it is the regression of X on y, which is
            the same when there are more users than factors.

        Returns
        -------
        self : object
            The fitted generator.

        Warns
        -----
        UserWarning
            If fewer than four digits of K are right.
        """
        X, y = validate_data(
            self, X, y, dtype=[np.float64, np.float32], multi_output=True, y_numeric=True
        )
        preferences = X.astype(np.float64, copy=False)
        embeddings = np.asarray(y, dtype=np.float64)
        self._single_output = embeddings.ndim == 1
        embeddings = embeddings.reshape(len(embeddings), -1)
        self.embedding_mean_ = embeddings.mean(axis=0)
        self.tag_preference_mean_ = preferences.mean(axis=0)
        # Rounding, where users are all alike, is no direction to move along.
        centred_embeddings = (embeddings - self.embedding_mean_) * (
            spread(embeddings, np.result_type(y, np.float32)) > 0
        )
        if tag_matrix is None:
            centred_preferences = preferences - self.tag_preference_mean_
            self.tag_matrix_ = np.linalg.lstsq(centred_embeddings, centred_preferences, rcond=None)[
                0
            ].T
            unexplained = centred_preferences - centred_embeddings @ self.tag_matrix_.T
            noise = unexplained.T @ unexplained / len(X)
            total = np.mean(np.square(centred_preferences))
            self.linearity_ = 1.0 - np.mean(np.square(unexplained)) / total if total > 0 else 1.0
        else:
            self.tag_matrix_ = check_array(tag_matrix, dtype=np.float64)
            expected = (preferences.shape[1], embeddings.shape[1])
            if self.tag_matrix_.shape != expected:
                raise ValueError(
                    f"tag_matrix must have shape (n_tags, n_factors) = {expected}, got "
                    f"{self.tag_matrix_.shape}"
                )
            noise, self.linearity_ = None, 1.0
        self.covariance_, self.shrinkage_ = self._covariance(centred_embeddings)
        self.gain_, self.condition_ = self._gain(self.covariance_, noise)
        if self.condition_ > _CONDITION:
            digits = -np.log10(self.condition_ * np.finfo(float).eps)
            warnings.warn(
                f"some tags are so similar that generated embeddings are accurate to only "
                f"{max(0, int(digits))} digits (condition number {self.condition_:.0e}); "
                f"raise regularization ({self.regularization:g})",
                stacklevel=2,
            )
        return self

    def predict(self, X: Any) -> NDArray:
        """Generate embeddings of users known by their tag preferences alone.

        Parameters
        ----------
        X : array-like of shape (n, n_tags)
            Tag preferences.

        Returns
        -------
        ndarray of shape (n, n_factors) or (n,)
            Embeddings: the population's mean, moved to the tag preferences.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        embeddings = self.embedding_mean_ + (X - self.tag_preference_mean_) @ self.gain_.T
        return embeddings[:, 0] if self._single_output else embeddings

    def generate(self, tag_preferences: ArrayLike, embeddings: ArrayLike) -> NDArray:
        """Generate embeddings of known users with edited tag preferences.

        Parameters
        ----------
        tag_preferences : array-like of shape (n, n_tags)
            Tag preferences asked for.
        embeddings : array-like of shape (n, n_factors)
            The users' own embeddings.

        Returns
        -------
        ndarray of shape (n, n_factors)
            Embeddings with those tag preferences, as near to the users' own as they can be.
        """
        check_is_fitted(self)
        wanted, embeddings = check_generation(
            tag_preferences, embeddings, self.n_features_in_, len(self.gain_)
        )
        own = self.tag_preference_mean_ + (embeddings - self.embedding_mean_) @ self.tag_matrix_.T
        return embeddings + (wanted - own) @ self.gain_.T

    def gradient(
        self, tag_preferences: ArrayLike, embeddings: ArrayLike, output_gradient: ArrayLike
    ) -> NDArray:
        """Return the gradient of a function of generated embeddings at the tag preferences.

        Parameters
        ----------
        tag_preferences : array-like of shape (n, n_tags)
            Where the gradient is asked for; it is the same everywhere.
        embeddings : array-like of shape (n, n_factors)
            The users' own embeddings.
        output_gradient : array-like of shape (n, n_factors)
            Gradient of the function at the generated embeddings.

        Returns
        -------
        ndarray of shape (n, n_tags)
            Gradient by the chain rule.
        """
        check_is_fitted(self)
        return np.asarray(output_gradient) @ self.gain_

    def _gain(self, covariance: NDArray, noise: NDArray | None) -> tuple[NDArray, float]:
        """Return K, and the condition number of the system that it solves."""
        # With S = R R^T and B = M R, K = R B^T (B B^T + Psi + l I)^-1; and without Psi also
        # R (B^T B + l I)^-1 B^T, the smaller system when there are more tags than factors.
        root = square_root(covariance)
        tags = self.tag_matrix_ @ root
        n_tags, n_factors = tags.shape
        variance = np.square(tags).sum() + (0.0 if noise is None else np.trace(noise))
        penalty = self.regularization * variance / n_tags if variance > 0 else 1.0
        smaller = noise is None and n_tags > n_factors
        if smaller:
            system, right = tags.T @ tags + penalty * np.eye(n_factors), tags.T
        else:
            system, right = tags @ tags.T + penalty * np.eye(n_tags), tags @ root.T
            if noise is not None:
                system += noise
        # Least squares, not solve: with regularization=0 and equal tags a system is singular.
        solution, _, rank, values = np.linalg.lstsq(system, right, rcond=None)
        condition = float(values[0] / values[rank - 1])
        return (root @ solution if smaller else solution.T), condition

    def _covariance(self, centred: NDArray) -> tuple[NDArray, float]:
        n_users, n_factors = centred.shape
        empirical = centred.T @ centred / n_users
        if self.shrinkage == "ledoit-wolf":
            # One user, or one factor, leaves nothing to estimate a shrinkage from.
            if n_users == 1 or n_factors == 1:
                return empirical, 0.0
            from sklearn.covariance import ledoit_wolf  # takes long to import

            covariance, shrinkage = ledoit_wolf(centred, assume_centered=True)
            return covariance, float(shrinkage)
        shrinkage = float(self.shrinkage)
        target = np.trace(empirical) / n_factors
        return (1 - shrinkage) * empirical + shrinkage * target * np.eye(n_factors), shrinkage
