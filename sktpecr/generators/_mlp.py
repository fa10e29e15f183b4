"""The paper's baseline generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sktpecr.generators._layers import (
    backward,
    forward,
    with_scaled_input,
    with_scaled_output,
)
from sktpecr.generators._network_generator import LearnedGenerator, regress, with_intercept


class MLPGenerator(LearnedGenerator):
    """Generate embeddings with a plain network: the paper's baseline, not a recommendation.

    It is trained to return the embedding that it is shown, with the user's own tag preferences
    beside it, and so learns to copy: edited tag preferences hardly move it.

    Parameters
    ----------
    hidden_dims : sequence of int, default=(128, 128)
        Widths of the hidden layers.
    learning_rate : float, default=6e-3
        Of Adam; the peak for the one-cycle schedule.
    batch_size : int, default=512
        Users a step.
    max_epochs : int, default=300
        Longest training; the one-cycle schedule is laid over it.
    patience : int, default=100
        Epochs without a better validation loss after which training stops.
    validation_fraction : float, default=0.1
        Share of the users that is kept for validation.
    schedule : {"one-cycle", "constant"}, default="one-cycle"
        How the learning rate goes.
    standardize : bool, default=True
        Whether the network sees standardised rows.
    device : str, default="auto"
        Where to train: a torch device, or "auto" for a GPU if there is one.
    random_state : int, RandomState instance or None, default=None
        Seeds weights, order and validation users.

    Attributes
    ----------
    history_ : list of dict
        Epoch, train_loss and valid_loss, a mean over users in standardised units.
    n_features_in_ : int
        Number of tags.

    Notes
    -----
    Section 4.1 of the paper [1]_. ``predict`` knows no embedding and shows the network the
    linear regression of embeddings on tag preferences.

    References
    ----------
    .. [1] Xu et al., "A Tag-Based Post-Hoc Framework for Explainable Conversational
       Recommendation", ICTIR 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from sktpecr import MLPGenerator
    >>> embeddings = np.random.RandomState(0).normal(size=(300, 4))
    >>> generator = MLPGenerator(hidden_dims=(16,), max_epochs=20, random_state=0)
    >>> generator.fit(embeddings[:, :2], embeddings).predict([[1.0, 0.0]]).shape
    (1, 4)
    """

    def __init__(
        self,
        *,
        hidden_dims: Sequence[int] = (128, 128),
        learning_rate: float = 6e-3,
        batch_size: int = 512,
        max_epochs: int = 300,
        patience: int = 100,
        validation_fraction: float = 0.1,
        schedule: str = "one-cycle",
        standardize: bool = True,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.hidden_dims = hidden_dims
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.schedule = schedule
        self.standardize = standardize
        self.device = device
        self.random_state = random_state

    def _train(self, rows: NDArray, n_factors: int, training: Any) -> None:
        from sktpecr.generators._networks import MLPModule, SquaredError, layers_of, train

        module, self.history_ = train(
            MLPModule,
            {"dims": [rows.shape[1], *self.hidden_dims, n_factors]},
            SquaredError(),
            rows,
            rows[:, :n_factors],
            training,
        )
        network = with_scaled_input(layers_of(module.network), self._mean, self._scale)
        self._network = with_scaled_output(network, self._mean[:n_factors], self._scale[0])

    def _learn_to_predict(self, preferences: NDArray, embeddings: NDArray) -> None:
        self._embedding_from_tags = regress(preferences, embeddings)

    def _predict(self, preferences: NDArray) -> NDArray:
        embeddings = with_intercept(preferences) @ self._embedding_from_tags
        return self._forward(preferences, embeddings)[0]

    def _forward(
        self, preferences: NDArray, embeddings: NDArray
    ) -> tuple[NDArray, Callable[[NDArray], NDArray]]:
        """Return generated embeddings, and the function that carries gradients back to tags."""
        generated, hidden = forward(self._network, np.hstack([embeddings, preferences]))

        def back(gradient: NDArray) -> NDArray:
            return backward(self._network, hidden, gradient)[:, embeddings.shape[1] :]

        return generated, back
