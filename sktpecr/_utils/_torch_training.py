"""Train torch networks with skorch: seeds, progress, patience, divergence.

Imported by ``fit`` alone, of the generators and of the recommenders that are trained here.
"""

from __future__ import annotations

import math
import os
import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from sklearn.exceptions import ConvergenceWarning
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, LRScheduler
from skorch.dataset import Dataset
from skorch.helper import predefined_split
from torch import Tensor, nn
from tqdm.auto import tqdm

_WEIGHTS = threading.Lock()
# A forked child has none of its parent's threads of OpenMP, and would wait for them for ever.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=partial(torch.set_num_threads, 1))
# A bar appears on a terminal when training takes longer than this many seconds.
_BAR_DELAY = 3.0


@dataclass(frozen=True)
class Training:
    """How a network is trained; the fields are parameters of the estimators."""

    learning_rate: float
    batch_size: int
    max_epochs: int
    patience: int
    validation_fraction: float
    device: str
    seed: int
    title: str
    schedule: str = "constant"

    def generator(self, stream: int = 0) -> torch.Generator:
        """Return a generator of our own for noise and order, on the device."""
        return torch.Generator(device=pick_device(self.device)).manual_seed(self.seed + stream)


class Monitor(Callback):
    """Something to be measured on the network after each epoch; higher is better."""

    name: str

    def measure(self, module: nn.Module) -> float:
        """Return the measure."""
        raise NotImplementedError

    def on_epoch_end(self, net: NeuralNet, **_: Any) -> None:
        """Write the measure into the history."""
        net.module_.eval()
        with torch.no_grad():
            net.history.record(self.name, self.measure(net.module_))


# Serving code may sit in inference mode or without gradients, where nothing can be trained.
@torch.inference_mode(False)
@torch.enable_grad()
def train_network(
    module: type[nn.Module],
    module_params: dict[str, Any],
    criterion: nn.Module,
    data: Any,
    training: Training,
    *,
    batches: type | None = None,
    generator: torch.Generator,
    optimizer: type[torch.optim.Optimizer] = torch.optim.Adam,
    valid: Dataset | None = None,
    monitor: Monitor | None = None,
    callbacks: Sequence[tuple[str, Callback]] = (),
) -> tuple[nn.Module, list[dict[str, float]]]:
    """Train a network; return it with the weights of its best epoch, and the history."""
    device = pick_device(training.device)
    n_steps = training.max_epochs * math.ceil(len(data) / training.batch_size)
    divergence = _Divergence()
    watchers: list[Any] = [
        *callbacks,
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
    patience = EarlyStopping(
        monitor="valid_loss" if monitor is None else monitor.name,
        lower_is_better=monitor is None,
        patience=training.patience,
        threshold=0.0,
        load_best=True,
    )
    if monitor is not None:
        watchers.append(("monitor", monitor))
    if monitor is not None or valid is not None:
        watchers.append(("patience", patience))
    net = NeuralNet(
        module,
        criterion=_Held,
        criterion__criterion=criterion,
        optimizer=optimizer,
        # One pass over the weights instead of ten; CPUs have it since torch 2.4.
        optimizer__fused=_version() >= (2, 4),
        lr=training.learning_rate,
        max_epochs=training.max_epochs,
        batch_size=training.batch_size,
        iterator_train=batches or TensorBatches,
        iterator_train__generator=generator,
        iterator_valid=TensorBatches,
        train_split=predefined_split(valid) if valid is not None else None,
        callbacks=watchers,
        callbacks__print_log=None,
        verbose=0,
        device=device,
        **{f"module__{name}": value for name, value in module_params.items()},
    )
    # Weights are drawn from torch's global generator: borrow it for that, one at a time, and put
    # it back.
    with _WEIGHTS, torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(training.seed)
        net.initialize()
    net.partial_fit(data)
    stopped = divergence.stopped or getattr(patience, "misses_", 0) >= training.patience
    # skorch keeps an interrupt to itself, but half a training is no fit.
    if sum("train_loss" in row for row in net.history) < training.max_epochs and not stopped:
        raise KeyboardInterrupt
    names = ["epoch", "train_loss", patience.monitor]
    history = [{name: row[name] for name in names if name in row} for row in net.history]
    return net.module_.cpu().eval(), history


def _version() -> tuple[int, ...]:
    return tuple(int(number) for number in torch.__version__.split(".")[:2])


def _rate(schedule: str, t: float) -> float:
    """Return the learning rate at t in [0, 1] of all steps, relative to the peak."""
    # One cycle, after Smith and Topin, "Super-Convergence", 2018: up for 15 % of the steps, then
    # down along a cosine.
    if schedule == "constant":
        return 1.0
    if t < 0.15:
        return 0.04 + 0.96 * t / 0.15
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (t - 0.15) / 0.85))) + 0.001


# What DataLoader does row by row, in two calls an epoch.
class TensorBatches:
    """Iterate over slices of tensors, shuffled once per epoch if a generator is given."""

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


class _Held(nn.Module):
    """A criterion that is an object already; skorch builds criteria from classes."""

    def __init__(self, criterion: nn.Module) -> None:
        super().__init__()
        self.criterion = criterion

    def forward(self, output: Any, target: Tensor) -> Tensor:
        return self.criterion(output, target)


def _is_finite(values: Tensor) -> bool:
    return bool(torch.isfinite(values).all())


class _Divergence(Callback):
    """Stop at the first loss that is not finite, with the weights of the epoch before."""

    stopped = False

    def on_epoch_end(self, net: NeuralNet, **_: Any) -> None:
        losses = [net.history[-1, "train_loss"], net.history[-1].get("valid_loss", 0.0)]
        state = net.module_.state_dict()
        # The loss of an epoch's last batch is older than the weights.
        if all(map(math.isfinite, losses)) and all(map(_is_finite, state.values())):
            self.good_state = {name: value.clone() for name, value in state.items()}
            return
        epoch = net.history[-1, "epoch"]
        if not hasattr(self, "good_state"):
            raise ValueError(
                f"training diverged in epoch {epoch}: the loss or a weight is NaN or infinite; "
                f"lower learning_rate, or check the scale of the data"
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


def pick_device(device: str) -> torch.device:
    """Return the torch device for a name, "auto" meaning cuda where there is one."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        picked: torch.device | None = torch.device(device)
    except RuntimeError:
        picked = None
    # Others lack what is needed here: float64, generators of their own, or memory at all.
    if picked is None or picked.type not in ("cpu", "cuda"):
        raise ValueError(
            f"device must be 'auto' or a torch device of type cpu or cuda, such as 'cuda:0', got "
            f"{device!r}; pass device='cpu'"
        )
    if picked.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device is {device!r}, but torch sees no GPU; pass device='cpu'")
    return picked
