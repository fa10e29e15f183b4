"""Train small torch networks with skorch, and read their weights as arrays.

The only file of the generators that imports torch, and imported by ``fit`` alone: what is learned
is kept as arrays, so that a fitted generator generates, pickles and loads without torch.
"""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, LRScheduler
from skorch.dataset import Dataset
from skorch.helper import predefined_split
from torch import Tensor, nn
from tqdm.auto import tqdm

from sktpecr._torch_device import pick_device
from sktpecr.generators._layers import SLOPE, Layers

_WEIGHTS = threading.Lock()
# A bar appears on a terminal when training takes longer than this many seconds.
_BAR_DELAY = 3.0


@dataclass(frozen=True)
class Training:
    """How a network is trained; the fields are parameters of the generators."""

    learning_rate: float
    batch_size: int
    max_epochs: int
    patience: int
    validation_fraction: float
    schedule: str
    device: str
    seed: int
    title: str


# Serving code may sit in inference mode or without gradients, where nothing can be trained.
@torch.inference_mode(False)
@torch.enable_grad()
def train(
    module: type[nn.Module],
    module_params: dict[str, Any],
    criterion: nn.Module,
    inputs: NDArray,
    targets: NDArray,
    training: Training,
) -> tuple[nn.Module, list[dict[str, float]]]:
    """Train a network; return the one with the best validation loss, and the losses by epoch.

    Parameters
    ----------
    module : type
        Class of the network; it takes ``module_params`` and ``generator``, for its noise.
    module_params : dict
        What the class is called with.
    criterion : Module
        Loss of (output, targets), a mean over rows.
    inputs, targets : ndarray of shape (n_rows, ...)
        Rows to learn from.
    training : Training
        How.

    Returns
    -------
    module : Module
        On the CPU, in evaluation mode.
    history : list of dict
        Keys epoch, train_loss, valid_loss.
    """
    device = pick_device(training.device)
    X = torch.as_tensor(inputs, dtype=torch.float32, device=device)
    y = torch.as_tensor(targets, dtype=torch.float32, device=device)
    # Fewer users than this leave nothing to spare for validation.
    n_valid = int(training.validation_fraction * len(X))
    order = np.random.RandomState(training.seed).permutation(len(X))
    valid, rest = np.sort(order[:n_valid]), np.sort(order[n_valid:])
    n_steps = training.max_epochs * math.ceil(len(rest) / training.batch_size)
    generator = torch.Generator(device=device).manual_seed(training.seed)
    divergence = _Divergence()
    patience = EarlyStopping(patience=training.patience, threshold=0.0, load_best=True)
    callbacks: list[Any] = [
        ("bar", _Bar(training.title, training.max_epochs)),
        ("divergence", divergence),
        (
            "schedule",
            LRScheduler(
                torch.optim.lr_scheduler.LambdaLR,
                lr_lambda=lambda step: _rate(training.schedule, step / n_steps),
                step_every="batch",
            ),
        ),
    ]
    if n_valid:
        callbacks.append(("patience", patience))
    net = NeuralNet(
        module,
        criterion=_Held,
        criterion__criterion=criterion,
        optimizer=torch.optim.Adam,
        lr=training.learning_rate,
        max_epochs=training.max_epochs,
        batch_size=training.batch_size,
        iterator_train=TensorBatches,
        iterator_train__generator=generator,
        iterator_valid=TensorBatches,
        train_split=predefined_split(Dataset(X[valid], y[valid])) if n_valid else None,
        callbacks=callbacks,
        callbacks__print_log=None,
        verbose=0,
        device=device,
        module__generator=generator,
        **{f"module__{name}": value for name, value in module_params.items()},
    )
    # Weights are drawn from torch's global generator: borrow it for that, one at a time, and put
    # it back. Noise and order come from a generator of our own.
    with _WEIGHTS, torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(training.seed)
        net.initialize()
    net.partial_fit(X[rest], y[rest])
    stopped = divergence.stopped or getattr(patience, "misses_", 0) >= training.patience
    # skorch keeps an interrupt to itself, but half a training is no fit.
    if sum("train_loss" in row for row in net.history) < training.max_epochs and not stopped:
        raise KeyboardInterrupt
    history = [
        {name: row[name] for name in ("epoch", "train_loss", "valid_loss") if name in row}
        for row in net.history
    ]
    return net.module_.cpu().eval(), history


def _rate(schedule: str, t: float) -> float:
    """Return the learning rate at t in [0, 1] of all steps, relative to the peak.

    One cycle, after Smith and Topin, "Super-Convergence", 2018: up for 15 % of the steps, then
    down along a cosine.
    """
    if schedule == "constant":
        return 1.0
    if t < 0.15:
        return 0.04 + 0.96 * t / 0.15
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (t - 0.15) / 0.85))) + 0.001


class TensorBatches:
    """Iterate over slices of tensors, shuffled once per epoch if a generator is given.

    What DataLoader does row by row, in two calls an epoch.
    """

    def __init__(
        self, dataset: Dataset, batch_size: int, generator: torch.Generator | None = None
    ) -> None:
        self.X, self.y = dataset.X, dataset.y
        self.batch_size = batch_size
        self.generator = generator

    def __len__(self) -> int:
        return math.ceil(len(self.X) / self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        X, y = self.X, self.y
        if self.generator is not None:
            order = torch.randperm(len(X), generator=self.generator, device=X.device)
            X, y = X[order], y[order]
        return zip(X.split(self.batch_size), y.split(self.batch_size), strict=True)


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

    def __init__(self, dims: list[int], generator: torch.Generator) -> None:
        super().__init__()
        self.network = dense(dims)

    def forward(self, X: Tensor) -> Tensor:
        """Return the output of the network."""
        return self.network(X)


class SquaredError(nn.Module):
    """Squared error summed over factors, averaged over users."""

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        """Return the loss."""
        return (output - target).square().sum() / len(target)


def dense(dims: list[int]) -> nn.Sequential:
    """Return linear layers with LeakyReLU between them."""
    modules: list[nn.Module] = []
    for n_in, n_out in pairwise(dims):
        modules += [nn.Linear(n_in, n_out), nn.LeakyReLU(SLOPE)]
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


class _Held(nn.Module):
    """A criterion that is an object already; skorch builds criteria from classes."""

    def __init__(self, criterion: nn.Module) -> None:
        super().__init__()
        self.criterion = criterion

    def forward(self, output: Any, target: Tensor) -> Tensor:
        return self.criterion(output, target)


def _worst(loss: float) -> float:
    return math.inf if math.isnan(loss) else loss


class _Divergence(Callback):
    """Stop at the first loss that is not finite, with the weights of the epoch before."""

    stopped = False

    def on_epoch_end(self, net: NeuralNet, **_: Any) -> None:
        losses = [net.history[-1, "train_loss"], net.history[-1].get("valid_loss", 0.0)]
        if all(map(math.isfinite, losses)):
            self.good_state = {
                name: value.clone() for name, value in net.module_.state_dict().items()
            }
            return
        epoch = net.history[-1, "epoch"]
        if not hasattr(self, "good_state"):
            raise ValueError(
                f"training diverged in epoch {epoch}: the loss is {max(losses, key=_worst)}; lower "
                f"learning_rate, or check the scale of the embeddings"
            )
        net.module_.load_state_dict(self.good_state)
        warnings.warn(
            f"training diverged in epoch {epoch}; what was learned up to epoch {epoch - 1} is "
            f"kept. Lower learning_rate",
            ConvergenceWarning,
            stacklevel=2,
        )
        self.stopped = True
        raise KeyboardInterrupt  # skorch's way to end training with what there is


class _Bar(Callback):
    """Show progress on a terminal."""

    def __init__(self, title: str, n_epochs: int) -> None:
        self.title = title
        self.n_epochs = n_epochs

    def on_train_begin(self, net: NeuralNet, **_: Any) -> None:
        self.bar = tqdm(
            total=self.n_epochs, desc=self.title, unit="epoch", delay=_BAR_DELAY, disable=None
        )

    def on_epoch_end(self, net: NeuralNet, **_: Any) -> None:
        self.bar.update()
        self.bar.set_postfix(loss=f"{net.history[-1, 'train_loss']:.4g}", refresh=False)

    def on_train_end(self, net: NeuralNet, **_: Any) -> None:
        self.bar.close()
