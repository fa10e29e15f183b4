"""The generator for recommenders whose tag preferences are not linear in embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import _fit_context
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval

from sktpecr._utils._atomic_fit import whole_fit
from sktpecr._utils._rounding import square_root
from sktpecr.generators._gaussian import GaussianGenerator
from sktpecr.generators._layers import Layers, forward, tanh_hessian, tanh_jacobian
from sktpecr.generators._network_generator import LearnedGenerator

# Of Newton's method: what can be met takes three or four, and more do not meet what cannot be. A
# row is done when a step gains less than this share of what is left; one that gains nothing is cut.
_MAX_STEPS, _DONE, _SHARES = 10, 1e-4, (1.0, 0.5, 0.25, 0.0625)
# Of the covariance of what is read wrongly, relative to that of the tag preferences.
_RIDGE = 1e-8
# Numbers of a hidden layer's Jacobian at a time: so many stay in the cache.
_BLOCK = 2**18


class InversionGenerator(LearnedGenerator):
    r"""Generate embeddings by inverting a network that reads tag preferences off them.

    Of all embeddings, this takes the one that is nearest to the user's own and has the tag
    preferences asked for, in the metric of the population of users, as
    :class:`GaussianGenerator` does; but tag preferences need not be linear in embeddings.

    Parameters
    ----------
    hidden_dims : sequence of int, default=(128, 128)
        Widths of the hidden layers of the reading network.
    n_edits : int, default=2000
        Number of edited embeddings that the network learns from beside the users' own, where
        the explainer lets it ask for their tag preferences. Each costs as much as scoring all
        items for a user.
    learning_rate : float, default=6e-3
        Of Adam; the peak for the one-cycle schedule.
    batch_size : int, default=512
        Rows a step.
    max_epochs : int, default=300
        Longest training; the one-cycle schedule is laid over it.
    patience : int, default=100
        Epochs without a better validation loss after which training stops.
    validation_fraction : float, default=0.1
        Share of the rows that is kept for validation; the weights with the best validation loss
        are kept. 0 trains on everything to the end.
    device : str, default="auto"
        Where to train: a torch device, or "auto" for a GPU if there is one. Generation needs
        neither GPU nor torch.
    random_state : int, RandomState instance or None, default=None
        Seeds weights, order, edits and validation rows. An int repeats a fit exactly on the same
        device.

    Attributes
    ----------
    history_ : list of dict
        Epoch, train_loss and valid_loss, in variances of the tag preferences.
    linearity_ : float
        Share of the variance of tag preferences that the network reads off embeddings that it
        was not trained on (all, where there are none): how far what is asked for can be met.
    n_features_in_ : int
        Number of tags.

    Notes
    -----
    The reader is :math:`h(e) = M e + m + MLP(e)`, linear regression and a tanh network that learns
    what that leaves over. With :math:`S = cov(e)` and :math:`\Psi = cov(c - h(e))` the generated
    embedding is the mode of e given c' around the user's own,

    .. math:: e' = \arg\min_x \; (x - e)^T S^{-1} (x - e) + (c' - h(x))^T \Psi^{-1} (c' - h(x)),

    found from the linear solution on by Gauss-Newton steps
    :math:`x = e + S J^T (J S J^T + \Psi)^{-1} (c' - h(x) + J (x - e))`, J the Jacobian of h at x:
    the iterated Kalman update [1]_. Where h is linear this is :class:`GaussianGenerator`. The
    edits that the network learns from are those of that generator, for preferences swapped
    between users.

    References
    ----------
    .. [1] B. Bell and F. Cathey, "The iterated Kalman filter update as a Gauss-Newton method",
       IEEE Transactions on Automatic Control 38, 1993.

    Examples
    --------
    >>> import numpy as np
    >>> from sktpecr import InversionGenerator
    >>> embeddings = np.random.RandomState(0).normal(size=(500, 4))
    >>> tag_preferences = np.tanh(embeddings[:, :2]) + 0.1 * embeddings[:, 2:]
    >>> generator = InversionGenerator(hidden_dims=(32,), random_state=0)
    >>> edited = generator.fit(tag_preferences, embeddings).generate([[0.5, -0.5]], embeddings[:1])
    >>> met = np.tanh(edited[:, :2]) + 0.1 * edited[:, 2:]
    >>> bool(np.abs(met - [[0.5, -0.5]]).max() < 0.1)
    True
    """

    _parameter_constraints: dict = {
        **{
            name: constraint
            for name, constraint in LearnedGenerator._parameter_constraints.items()
            if name not in ("schedule", "standardize")
        },
        "n_edits": [Interval(Integral, 0, None, closed="left")],
    }

    schedule, standardize = "one-cycle", True

    def __init__(
        self,
        *,
        hidden_dims: Sequence[int] = (128, 128),
        n_edits: int = 2000,
        learning_rate: float = 6e-3,
        batch_size: int = 512,
        max_epochs: int = 300,
        patience: int = 100,
        validation_fraction: float = 0.1,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.hidden_dims = hidden_dims
        self.n_edits = n_edits
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.device = device
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    @whole_fit
    def fit(
        self, X: Any, y: Any, extract: Callable[[NDArray], NDArray] | None = None
    ) -> InversionGenerator:
        """Train the network that reads tag preferences.

        Parameters
        ----------
        X : array-like of shape (n_users, n_tags)
            Tag preferences.
        y : array-like of shape (n_users, n_factors) or (n_users,)
            Embeddings.
        extract : callable, optional
            From embeddings (n, n_factors) to tag preferences (n, n_tags), to learn from embeddings
            that nobody has. The explainer brings it.

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
        return self._fit(X, y, extract=extract)

    def _train(
        self,
        rows: NDArray,
        n_factors: int,
        training: Any,
        extract: Callable[[NDArray], NDArray] | None = None,
    ) -> None:
        from sktpecr.generators._networks import MLPModule, SquaredError, layers_of, train

        embeddings, preferences = rows[:, :n_factors], rows[:, n_factors:]
        linear = self._linear = GaussianGenerator().fit(preferences, embeddings)
        if extract is not None and self.n_edits:
            rng = np.random.RandomState(training.seed)
            who, whose = rng.randint(len(rows), size=(2, self.n_edits))
            edited = linear.generate(preferences[whose], embeddings[who])
            mean, scale = self._mean, self._scale
            met = extract(edited * scale[:n_factors] + mean[:n_factors])
            embeddings = np.vstack([embeddings, edited])
            preferences = np.vstack([preferences, (met - mean[n_factors:]) / scale[n_factors:]])
        left = preferences - self._read_linearly(embeddings)
        module, self.history_ = train(
            MLPModule,
            # Smooth, as slopes are what it is inverted by.
            {"dims": [n_factors, *self.hidden_dims, preferences.shape[1]], "smooth": True},
            SquaredError(),
            embeddings,
            left,
            training,
        )
        self._network = layers_of(module.network)
        wrong = preferences - self._read(embeddings)[0]
        noise = wrong.T @ wrong / len(wrong)
        # Rows that it was not trained on the network reads less well.
        held_out = [each["valid_loss"] for each in self.history_ if "valid_loss" in each]
        if held_out and np.trace(noise) > 0:
            noise *= max(1.0, min(held_out) / np.trace(noise))
        total = np.square(preferences - preferences.mean(axis=0)).sum() / len(preferences)
        self.linearity_ = float(1.0 - np.trace(noise) / total) if total > 0 else 1.0
        noise += _RIDGE * (total / len(noise) or 1.0) * np.eye(len(noise))
        self._whiten = np.linalg.inv(np.linalg.cholesky(noise))
        self._root = square_root(linear.covariance_)

    def _learn_to_predict(self, preferences: NDArray, embeddings: NDArray) -> None:
        pass

    def _predict(self, preferences: NDArray) -> NDArray:
        n_factors = len(self._root)
        average = np.broadcast_to(self._mean[:n_factors], (len(preferences), n_factors))
        return self._forward(preferences, average)[0]

    def _read_linearly(self, embeddings: NDArray) -> NDArray:
        linear = self._linear
        away = embeddings - linear.embedding_mean_
        return linear.tag_preference_mean_ + away @ linear.tag_matrix_.T

    def _read(self, embeddings: NDArray) -> tuple[NDArray, list[NDArray]]:
        """Return tag preferences of embeddings, both standardised, and the hidden layers."""
        output, hidden = forward(self._network, embeddings, np.tanh)
        return self._read_linearly(embeddings) + output, hidden

    def _forward(
        self, preferences: NDArray, embeddings: NDArray
    ) -> tuple[NDArray, Callable[[NDArray], NDArray]]:
        """Return generated embeddings, and the function that carries gradients back to tags."""
        n_factors, n_tags = len(self._root), len(self._whiten)
        mean, scale = self._mean, self._scale
        own = (embeddings - mean[:n_factors]) / scale[:n_factors]
        wanted = (preferences - mean[n_factors:]) / scale[n_factors:]
        found = np.empty_like(own)
        widest = max(len(weights) for weights, _ in self._network)
        blocks = list(gen_batches(len(own), max(1, _BLOCK // (n_tags * widest))))
        for rows in blocks:
            found[rows] = self._invert(wanted[rows], own[rows])

        def back(gradient: NDArray) -> NDArray:
            at_tags = np.empty_like(wanted)
            for rows in blocks:
                at_tags[rows] = self._pull(found[rows], wanted[rows], gradient[rows])
            return at_tags * scale[0] / scale[n_factors:]

        return found * scale[:n_factors] + mean[:n_factors], back

    def _whitened(self) -> tuple[Layers, NDArray]:
        """Return the network and the slopes of the linear part, from z to whitened readings."""
        (first, bias), *rest = self._network
        *layers, (last, last_bias) = [(self._root.T @ first, bias), *rest]
        layers.append((last @ self._whiten.T, last_bias @ self._whiten.T))
        return layers, self._whiten @ self._linear.tag_matrix_ @ self._root

    def _invert(self, wanted: NDArray, own: NDArray) -> NDArray:
        """Return the embeddings nearest to one's own that are read as what is wanted."""
        # x = own + root z: the loss is |z|^2 + |missing|^2.
        layers, slopes = self._whitened()

        def look(z: NDArray, rows: NDArray) -> tuple[NDArray, NDArray, list[NDArray]]:
            read, hidden = self._read(own[rows] + z @ self._root.T)
            missing = (wanted[rows] - read) @ self._whiten.T
            return np.square(z).sum(axis=1) + np.square(missing).sum(axis=1), missing, hidden

        z, active = np.zeros_like(own), np.arange(len(own))
        loss, missing, hidden = look(z, active)
        for step in range(_MAX_STEPS):
            if step == 0:
                # That of the linear part: far from home the slopes here say little.
                curvature = np.eye(len(z.T)) + slopes.T @ slopes
                way = np.linalg.solve(curvature, slopes.T @ missing.T).T
            else:
                J = tanh_jacobian(layers, [each[active] for each in hidden])
                J += slopes
                way = _newton(J, missing[active], z[active])
            before, trying = loss[active], active
            for share in _SHARES:
                tried = z[trying] + share * way
                value, left, inside = look(tried, trying)
                better = value < loss[trying]
                rows = trying[better]
                z[rows], loss[rows], missing[rows] = tried[better], value[better], left[better]
                for layer, new in zip(hidden, inside, strict=True):
                    layer[rows] = new[better]
                trying, way = trying[~better], way[~better]
                if not len(trying):
                    break
            if step > 0:
                active = active[before - loss[active] > _DONE * before]
            if not len(active):
                break
        return own + z @ self._root.T

    def _pull(self, x: NDArray, wanted: NDArray, gradient: NDArray) -> NDArray:
        """Carry gradients at what was found back to what was wanted."""
        # At the minimum z = J^T whiten (wanted - h): what changes on one side does on the other.
        layers, slopes = self._whitened()
        read, hidden = self._read(x)
        J = slopes + tanh_jacobian(layers, hidden)
        bend = tanh_hessian(layers, hidden, (wanted - read) @ self._whiten.T)
        curvature = np.eye(len(self._root)) + J.transpose(0, 2, 1) @ J - bend
        moved = np.linalg.solve(curvature, (gradient @ self._root)[:, :, np.newaxis])
        return (J @ moved)[:, :, 0] @ self._whiten


def _newton(J: NDArray, missing: NDArray, z: NDArray) -> NDArray:
    """Return the way to the least |z|^2 + |missing|^2 for each row, were J the same everywhere."""
    n_tags, n_factors = J.shape[1:]
    across = J.transpose(0, 2, 1)
    goal = missing[:, :, np.newaxis] + J @ z[:, :, np.newaxis]
    if n_tags <= n_factors:
        return (across @ np.linalg.solve(J @ across + np.eye(n_tags), goal))[:, :, 0] - z
    return np.linalg.solve(across @ J + np.eye(n_factors), across @ goal)[:, :, 0] - z
