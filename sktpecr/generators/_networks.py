"""Small torch networks, how they are trained, and their weights as arrays.

The only file of the generators that imports torch, and imported by ``fit`` alone: what is learned
is kept as arrays, so that a fitted generator generates, pickles and loads without torch.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch.dataset import Dataset
from torch import Tensor, nn

from sktpecr._utils._torch_training import Training, pick_device, train_network
from sktpecr.generators._layers import SLOPE, Layers


# Tensors made in a caller's inference mode could not be trained on.
@torch.inference_mode(False)
def train(
    module: type[nn.Module],
    module_params: dict[str, Any],
    criterion: nn.Module,
    inputs: NDArray,
    targets: NDArray,
    training: Training,
) -> tuple[nn.Module, list[dict[str, float]]]:
    """Train a network; return the one with the best validation loss, and the losses by epoch."""
    # `inputs`, `targets` (n_rows, ...).
    device = pick_device(training.device)
    X = torch.as_tensor(inputs, dtype=torch.float32, device=device)
    y = torch.as_tensor(targets, dtype=torch.float32, device=device)
    # Fewer users than this leave nothing to spare for validation.
    n_valid = int(training.validation_fraction * len(X))
    order = np.random.RandomState(training.seed).permutation(len(X))
    valid, rest = np.sort(order[:n_valid]), np.sort(order[n_valid:])
    generator = training.generator()
    held_out = Dataset(X[valid], y[valid]) if n_valid else None
    X, y = X[rest], y[rest]  # the others are not kept twice
    return train_network(
        module,
        {**module_params, "generator": generator},
        criterion,
        Dataset(X, y),
        training,
        generator=generator,
        valid=held_out,
    )


class CVAEModule(nn.Module):
    """Encoder and decoder of Figure 3 of the paper; rows are [embedding, tag preferences]."""

    def __init__(
        self,
        n_factors: int,
        n_tags: int,
        hidden_dims: tuple[int, ...],
        latent_dim: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.encoder = dense([n_factors + n_tags, *hidden_dims, 2 * latent_dim])
        self.decoder = dense([latent_dim + n_tags, *hidden_dims, n_factors])
        self.n_tags = n_tags
        self.generator = generator

    def forward(self, X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return reconstructed embeddings, and mean and log-variance of the latent variables."""
        mean, log_variance = self.encoder(X).chunk(2, dim=1)
        latent = mean
        if self.training:
            noise = torch.randn(mean.shape, generator=self.generator, device=mean.device)
            latent = mean + torch.exp(log_variance / 2) * noise
        decoded = self.decoder(torch.cat([latent, X[:, X.shape[1] - self.n_tags :]], dim=1))
        return decoded, mean, log_variance


class CVAELoss(nn.Module):
    """Equation 5 of the paper in sums over factors and latent variables, averaged over users."""

    def __init__(self, kl_weight: float) -> None:
        super().__init__()
        self.kl_weight = kl_weight

    def forward(self, output: tuple[Tensor, Tensor, Tensor], target: Tensor) -> Tensor:
        """Return squared error plus weighted KL divergence from N(0, I)."""
        decoded, mean, log_variance = output
        squared_error = (decoded - target).square().sum()
        divergence = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum()
        return (squared_error + self.kl_weight * divergence) / len(target)


class MLPModule(nn.Module):
    """A plain network."""

    def __init__(self, dims: list[int], generator: torch.Generator, smooth: bool = False) -> None:
        super().__init__()
        self.network = dense(dims, smooth)

    def forward(self, X: Tensor) -> Tensor:
        """Return the output of the network."""
        return self.network(X)


class SquaredError(nn.Module):
    """Squared error summed over factors, averaged over users."""

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return (output - target).square().sum() / len(target)


def dense(dims: list[int], smooth: bool = False) -> nn.Sequential:
    """Return linear layers with LeakyReLU, or else tanh, between them."""
    modules: list[nn.Module] = []
    for n_in, n_out in pairwise(dims):
        modules += [nn.Linear(n_in, n_out), nn.Tanh() if smooth else nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*modules[:-1])


def layers_of(network: Any) -> Layers:
    """Return the weights of a dense network as float64 arrays."""
    return [
        (
            layer.weight.detach().numpy().T.astype(np.float64),
            layer.bias.detach().numpy().astype(np.float64),
        )
        for layer in network
        if isinstance(layer, nn.Linear)
    ]
