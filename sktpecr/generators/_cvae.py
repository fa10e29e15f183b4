"""The paper's generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval

from sktpecr._utils._rounding import spread
from sktpecr.generators._layers import (
    backward,
    forward,
    with_scaled_input,
    with_scaled_output,
)
from sktpecr.generators._network_generator import LearnedGenerator, regress, with_intercept
from sktpecr.generators._one_user import OneUser
from sktpecr.generators._shared_moves import SharedMoves

_ROWS = 8192  # encoded at a time


class CVAEGenerator(LearnedGenerator):
    r"""Generate embeddings from tag preferences with a conditional variational autoencoder.

    Parameters
    ----------
    hidden_dims : sequence of int, default=(128, 128)
        Widths of the hidden layers, the same in encoder and decoder.
    latent_dim : int, default=48
        Number of latent variables.
    kl_weight : float, default=4e-3
        Weight of the KL divergence, summed over latent variables, against the squared error,
        summed over factors, in units of the embeddings' variance. It thus means the same for
        embeddings of any scale, and with or without `standardize`. The paper's six, freed of the
        scale of its embeddings, lie between 3e-3 and 8e-3.
    learning_rate : float, default=6e-3
        Of Adam; the peak for the one-cycle schedule.
    batch_size : int, default=512
        Users a step.
    max_epochs : int, default=300
        Longest training; the one-cycle schedule is laid over it.
    patience : int, default=100
        Epochs without a better validation loss after which training stops.
    validation_fraction : float, default=0.1
        Share of the users that is kept for validation; the weights with the best validation
        loss are kept. 0 trains on everybody to the end.
    schedule : {"one-cycle", "constant"}, default="one-cycle"
        How the learning rate goes.
    standardize : bool, default=True
        Whether the network sees standardised embeddings (one scale for all factors) and tag
        preferences. The scales are folded into the weights afterwards.
    device : str, default="auto"
        Where to train: a torch device, or "auto" for a GPU if there is one. Generation needs
        neither GPU nor torch.
    random_state : int, RandomState instance or None, default=None
        Seeds weights, noise, order and validation users. An int repeats a fit exactly on the
        same device.

    Attributes
    ----------
    history_ : list of dict
        Epoch, train_loss and valid_loss, a mean over users in standardised units.
    n_features_in_ : int
        Number of tags.

    Notes
    -----
    Section 3.3.1 of the paper [1]_. The encoder is
    :math:`q(z | e, c) = N(\mu, diag \sigma^2)`, the decoder :math:`\hat e = MLP_g([z, c])`, the
    loss equation 5 in sums. Generation is equation 6, :math:`e' = MLP_g([z^*, c'])` with
    :math:`z^* = E q(z | e, c')` and no sampling. ``predict`` knows no e and takes for z its
    linear regression on c. Training standardises inputs and sweeps the learning rate once [2]_,
    which reaches in tens of epochs what takes thousands at a constant rate.

    References
    ----------
    .. [1] Xu et al., "A Tag-Based Post-Hoc Framework for Explainable Conversational
       Recommendation", ICTIR 2022.
    .. [2] L. Smith and N. Topin, "Super-Convergence: Very Fast Training of Neural Networks Using
       Large Learning Rates", 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from sktpecr import CVAEGenerator
    >>> embeddings = np.random.RandomState(0).normal(size=(300, 4))
    >>> tag_preferences = embeddings[:, :2] @ [[1.0, 1.0], [1.0, -1.0]]
    >>> generator = CVAEGenerator(
    ...     hidden_dims=(32,), latent_dim=4, max_epochs=100, batch_size=64, random_state=0
    ... )
    >>> edited = generator.fit(tag_preferences, embeddings).generate([[1.0, 0.0]], embeddings[:1])
    >>> edited.shape
    (1, 4)
    """

    _parameter_constraints: dict = {
        **LearnedGenerator._parameter_constraints,
        "latent_dim": [Interval(Integral, 1, None, closed="left")],
        "kl_weight": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        hidden_dims: Sequence[int] = (128, 128),
        latent_dim: int = 48,
        kl_weight: float = 4e-3,
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
        self.latent_dim = latent_dim
        self.kl_weight = kl_weight
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
        from sktpecr.generators._networks import CVAELoss, CVAEModule, layers_of, train

        # 1 where they are standardised.
        variance = np.mean(np.square(spread(rows[:, :n_factors], np.float64)))
        module, self.history_ = train(
            CVAEModule,
            {
                "n_factors": n_factors,
                "n_tags": rows.shape[1] - n_factors,
                "hidden_dims": tuple(self.hidden_dims),
                "latent_dim": self.latent_dim,
            },
            CVAELoss(self.kl_weight * variance),
            rows,
            rows[:, :n_factors],
            training,
        )
        z_mean, z_scale = np.zeros(self.latent_dim), np.ones(self.latent_dim)
        *hidden, (weights, bias) = layers_of(module.encoder)
        # Nothing but training needs the variance: the mean is what is decoded.
        head = weights[:, : self.latent_dim], bias[: self.latent_dim]
        self._encoder = with_scaled_input([*hidden, head], self._mean, self._scale)
        decoder = with_scaled_input(
            layers_of(module.decoder),
            np.concatenate([z_mean, self._mean[n_factors:]]),
            np.concatenate([z_scale, self._scale[n_factors:]]),
        )
        self._decoder = with_scaled_output(decoder, self._mean[:n_factors], self._scale[0])

    def _learn_to_predict(self, preferences: NDArray, embeddings: NDArray) -> None:
        # In blocks: hidden layers of everybody are larger than all that is learned from.
        blocks = gen_batches(len(preferences), _ROWS)
        latent = np.vstack([self._encode(preferences[b], embeddings[b])[0] for b in blocks])
        self._latent_from_tags = regress(preferences, latent)

    def _predict(self, preferences: NDArray) -> NDArray:
        latent = with_intercept(preferences) @ self._latent_from_tags
        return forward(self._decoder, np.hstack([latent, preferences]))[0]

    def _shared_moves(self, moves: NDArray) -> SharedMoves | None:
        """Return the network at anybody's tag preferences plus these moves, if it has layers."""
        return SharedMoves(self._encoder, self._decoder, moves) if self.hidden_dims else None

    def _encode(self, preferences: NDArray, embeddings: NDArray) -> tuple[NDArray, list[NDArray]]:
        return forward(self._encoder, np.hstack([embeddings, preferences]))

    def _at(self, embedding: NDArray) -> Any:
        if not self.hidden_dims:
            return super()._at(embedding)
        return OneUser(self._encoder, self._decoder, embedding)

    def _forward(
        self, preferences: NDArray, embeddings: NDArray
    ) -> tuple[NDArray, Callable[[NDArray], NDArray]]:
        """Return generated embeddings, and the function that carries gradients back to tags."""
        latent, encoder_hidden = self._encode(preferences, embeddings)
        generated, decoder_hidden = forward(self._decoder, np.hstack([latent, preferences]))

        def back(gradient: NDArray) -> NDArray:
            at_decoder = backward(self._decoder, decoder_hidden, gradient)
            at_encoder = backward(self._encoder, encoder_hidden, at_decoder[:, : self.latent_dim])
            return at_decoder[:, self.latent_dim :] + at_encoder[:, embeddings.shape[1] :]

        return generated, back
