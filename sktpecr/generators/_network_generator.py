"""What the learned generators have in common: scaling, training parameters, checks."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin, _fit_context
from sklearn.utils import check_random_state, gen_batches
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from sktpecr._utils._atomic_fit import whole_fit
from sktpecr._utils._rounding import check_generation, check_hidden_dims, spread

# Rows that a network takes at a time.
_BLOCK = 512


# A subclass has the training parameters as constructor parameters and writes ``_train(rows,
# n_factors, training)`` on standardised rows of [embedding, tag preferences],
# ``_forward(preferences, embeddings)`` and ``_predict(preferences)`` on raw ones.
class LearnedGenerator(MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Base of generators that train a network on standardised rows."""

    _parameter_constraints: dict = {
        "hidden_dims": [tuple, list],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "schedule": [StrOptions({"one-cycle", "constant"})],
        "standardize": ["boolean"],
        "device": [str],
        "random_state": ["random_state"],
    }

    @_fit_context(prefer_skip_nested_validation=True)
    @whole_fit
    def fit(self, X: Any, y: Any) -> LearnedGenerator:
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_users, n_tags)
            Tag preferences.
        y : array-like of shape (n_users, n_factors) or (n_users,)
            Embeddings.

        Returns
        -------
        self : object
            The fitted generator.

        Raises
        ------
        ValueError
            If training diverges in its first epoch, or the device is not there.

        Warns
        -----
        ConvergenceWarning
            If training diverges later; what was learned before is kept.
        """
        return self._fit(X, y)

    def _fit(self, X: Any, y: Any, **known: Any) -> Any:
        """Check, standardise and train; `known` is what else ``_train`` takes."""
        from sktpecr._utils._torch_training import Training

        X, y = validate_data(
            self, X, y, dtype=[np.float64, np.float32], multi_output=True, y_numeric=True
        )
        check_hidden_dims(self.hidden_dims)
        preferences = X.astype(np.float64, copy=False)
        embeddings = np.asarray(y, dtype=np.float64)
        self._single_output = embeddings.ndim == 1
        embeddings = embeddings.reshape(len(embeddings), -1)
        n_factors, n_tags = embeddings.shape[1], preferences.shape[1]
        # One scale for all factors, so that the squared error keeps its meaning.
        self._mean = np.zeros(n_factors + n_tags)
        self._scale = np.ones(n_factors + n_tags)
        if self.standardize:
            self._mean[:n_factors] = embeddings.mean(axis=0)
            self._mean[n_factors:] = preferences.mean(axis=0)
            self._scale[:n_factors] = _not_zero(
                np.sqrt(np.mean(np.square(spread(embeddings, np.float64))))
            )
            self._scale[n_factors:] = _not_zero(spread(preferences, X.dtype))
        rows = np.hstack([embeddings, preferences])
        rows -= self._mean
        rows /= self._scale
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        training = Training(
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            max_epochs=self.max_epochs,
            patience=self.patience,
            validation_fraction=self.validation_fraction,
            schedule=self.schedule,
            device=self.device,
            seed=int(seed),
            title=type(self).__name__,
        )
        self._train(rows, n_factors, training, **known)
        self._learn_to_predict(preferences, embeddings)
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
            Embeddings.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        embeddings = self._predict(X.astype(np.float64))
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
            Embeddings.
        """
        check_is_fitted(self)
        preferences, embeddings = self._rows(tag_preferences, embeddings)
        if len(preferences) <= _BLOCK:
            return self._forward(preferences, embeddings)[0]
        # In blocks: what hidden layers hold stays in the cache.
        blocks = gen_batches(len(preferences), _BLOCK)
        return np.vstack([self._forward(preferences[b], embeddings[b])[0] for b in blocks])

    def gradient(
        self, tag_preferences: ArrayLike, embeddings: ArrayLike, output_gradient: ArrayLike
    ) -> NDArray:
        """Return the gradient of a function of generated embeddings at the tag preferences.

        Parameters
        ----------
        tag_preferences : array-like of shape (n, n_tags)
            Where the gradient is asked for.
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
        return self._forward(*self._rows(tag_preferences, embeddings))[1](
            np.asarray(output_gradient)
        )

    def _rows(self, tag_preferences: ArrayLike, embeddings: ArrayLike) -> tuple[NDArray, NDArray]:
        n_factors = len(self._mean) - self.n_features_in_
        return check_generation(tag_preferences, embeddings, self.n_features_in_, n_factors)

    def _train(self, rows: NDArray, n_factors: int, training: Any) -> None:
        raise NotImplementedError

    def _learn_to_predict(self, preferences: NDArray, embeddings: NDArray) -> None:
        raise NotImplementedError

    def _predict(self, preferences: NDArray) -> NDArray:
        raise NotImplementedError

    def _forward(self, preferences: NDArray, embeddings: NDArray) -> tuple[NDArray, Any]:
        raise NotImplementedError

    def _at(self, embedding: NDArray) -> Any:
        """Return the function from a user's tag preferences to the embedding and its pullback."""

        def at(preferences: NDArray) -> tuple[NDArray, Any]:
            # What the layers held on the way there is what the way back needs.
            rows, back = self._forward(preferences[np.newaxis], embedding[np.newaxis])
            return rows[0], lambda gradient: back(gradient[np.newaxis])[0]

        return at


def regress(inputs: NDArray, targets: NDArray) -> NDArray:
    """Return the coefficients, intercept last, of the least-squares regression."""
    return np.linalg.lstsq(with_intercept(inputs), targets, rcond=None)[0]


def with_intercept(inputs: NDArray) -> NDArray:
    """Return the inputs with a column of ones behind them."""
    return np.column_stack([inputs, np.ones(len(inputs))])


def _not_zero(scale: Any) -> Any:
    return np.where(scale > 0, scale, 1.0)
