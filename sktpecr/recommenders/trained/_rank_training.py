"""Train recommenders on who interacted with what, against what they did not interact with.

Imported by ``fit`` of the recommenders that are trained here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from skorch.callbacks import Callback
from torch import Tensor, nn
from torch.utils.data import Dataset

from sktpecr._utils._torch_training import Monitor, Training, pick_device, train_network
from sktpecr.recommenders.trained._modules import RankingLoss

# NDCG of this many users tells the best epoch, if they have so many interactions.
_N_JUDGES = 2000
_MIN_INTERACTIONS = 5
_LIST_LENGTH = 10
# That a row of a table learns from at once: lr * this * |e|^2 / 4 must stay below 2.
_MAX_COMPARISONS = 8
# Scores held at a time while judging.
_BLOCK = 2**17


# Their gradients add up, so that a tag in every tenth comparison would overshoot where a rare item
# just learns.
class GradientLimit(Callback):
    """Let no row of a table learn from more than so many comparisons of a batch at once."""

    def on_grad_computed(self, net: Any, named_parameters: Any, batch: Any, **_: Any) -> None:
        """Scale the gradients of rows that occur too often down."""
        for table, rows in zip((net.module_.users, net.module_.columns), batch[0], strict=True):
            counts = torch.bincount(rows.flatten(), minlength=len(table.weight))
            often = torch.nonzero(counts > _MAX_COMPARISONS).squeeze(1)
            table.weight.grad[often] *= (_MAX_COMPARISONS / counts[often])[:, None]


class Outside:
    """Draw columns that are not in given rows of a sparse matrix."""

    def __init__(self, X: sp.csr_matrix, device: torch.device) -> None:
        n_columns = X.shape[1]
        lengths = np.diff(X.indptr)
        owners = np.repeat(np.arange(X.shape[0]), lengths)
        # How many columns that are not in the row lie before each that is.
        before = X.indices - (np.arange(X.nnz) - X.indptr[owners])
        # Ascending over all rows: within a row `before` ascends, up to n_columns.
        self.span = n_columns + 1
        self.keys = _whole(owners * self.span + before, device)
        self.starts = _whole(X.indptr[:-1], device)
        self.room = _whole(n_columns - lengths, device)

    def draw(self, rows: Tensor, n: int, generator: torch.Generator) -> Tensor:
        """Return columns (len(rows), n), uniform outside each row; rows must not be full."""
        uniform = torch.rand(
            (len(rows), n), generator=generator, device=rows.device, dtype=torch.float64
        )
        k = (uniform * self.room[rows, None]).long()
        # The k-th column outside is k plus the number of columns inside that lie before it.
        rank = torch.searchsorted(self.keys, rows[:, None] * self.span + k, right=True)
        return k + rank - self.starts[rows, None]


class Comparisons(Dataset):
    """Users, what they interacted with and, drawn anew each epoch, what they did not."""

    def __init__(
        self,
        X: sp.csr_matrix,
        n_negatives: int,
        device: torch.device,
        item_tags: sp.csr_matrix | None = None,
        tag_weight: float = 1.0,
    ) -> None:
        self.n_negatives = n_negatives
        self.n_items = X.shape[1]
        lengths = np.diff(X.indptr)
        users = np.repeat(np.arange(X.shape[0]), lengths)
        # Who has everything has nothing to prefer it to.
        kept = (lengths < X.shape[1])[users]
        self.users, self.items = _whole(users[kept], device), _whole(X.indices[kept], device)
        self.other_items = Outside(X, device)
        self.n_of_tags = 0
        if item_tags is not None:
            n_tags = np.diff(item_tags.indptr)
            usable = (n_tags > 0) & (n_tags < item_tags.shape[1])
            self.tagged = _whole(np.flatnonzero(usable[X.indices[kept]]), device)
            self.n_of_tags = math.ceil(tag_weight * len(self.tagged))
            self.first_tag = _whole(item_tags.indptr[:-1], device)
            self.n_tags, self.tags = _whole(n_tags, device), _whole(item_tags.indices, device)
            self.other_tags = Outside(item_tags, device)

    def __len__(self) -> int:
        return len(self.users) + self.n_of_tags

    def draw(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return users (n,) and columns (n, 1 + n_negatives), the positive first."""
        others = self.other_items.draw(self.users, self.n_negatives, generator)
        columns = torch.cat([self.items[:, None], others], dim=1)
        if not self.n_of_tags:
            return self.users, columns
        drawn: dict[str, Any] = {"generator": generator, "device": self.users.device}
        some = self.tagged[torch.randint(len(self.tagged), (self.n_of_tags,), **drawn)]
        items = self.items[some]
        chance = torch.rand(len(items), **drawn, dtype=torch.float64)
        own = self.tags[self.first_tag[items] + (chance * self.n_tags[items]).long()]
        others = self.other_tags.draw(items, self.n_negatives, generator)
        tags = torch.cat([own[:, None], others], dim=1) + self.n_items
        return torch.cat([self.users, self.users[some]]), torch.cat([columns, tags])


@dataclass
class ComparisonBatches:
    """Iterate over shuffled batches of comparisons, drawn anew each epoch."""

    dataset: Comparisons
    batch_size: int
    generator: torch.Generator

    def __iter__(self) -> Iterator[tuple[tuple[Tensor, Tensor], Tensor]]:
        users, columns = self.dataset.draw(self.generator)
        order = torch.randperm(len(users), generator=self.generator, device=users.device)
        # Of equal size, so that a mean over a batch gives every comparison the same weight.
        for batch in order.tensor_split(n_batches(self.dataset, self.batch_size)):
            some = users[batch]
            yield (some, columns[batch]), some  # skorch wants a target, the loss needs none


def n_batches(dataset: Comparisons, batch_size: int) -> int:
    """Return how many batches of at most this size an epoch has."""
    return math.ceil(len(dataset) / batch_size)


class Ndcg(Monitor):
    """NDCG of ten recommendations against held-out interactions of some users."""

    name = "valid_ndcg"

    def __init__(
        self, users: NDArray, seen: sp.csr_matrix, held_out: sp.csr_matrix, device: torch.device
    ) -> None:
        self.users = torch.as_tensor(users, device=device)
        self.seen, self.held_out = seen, held_out
        self.n_items = seen.shape[1]
        length = min(_LIST_LENGTH, self.n_items)
        self.discounts = 1 / torch.log2(torch.arange(2.0, length + 2, device=device))
        n_relevant = torch.as_tensor(np.diff(held_out.indptr), device=device)
        self.ideal = self.discounts.cumsum(0)[n_relevant.clamp(max=length).long() - 1]

    def measure(self, module: Any) -> float:
        """Return the mean over users."""
        gains = torch.zeros_like(self.ideal)
        for rows in torch.arange(len(self.users)).split(max(1, _BLOCK // self.n_items)):
            block = slice(int(rows[0]), int(rows[-1]) + 1)
            scores = module.score_all(self.users[block], self.n_items).float()
            scores[_coordinates(self.seen[block], scores.device)] = -math.inf
            relevant = torch.zeros_like(scores)
            relevant[_coordinates(self.held_out[block], scores.device)] = 1.0
            best = scores.topk(len(self.discounts), dim=1).indices
            gains[block] = relevant.gather(1, best) @ self.discounts
        return float((gains / self.ideal).mean())


def _coordinates(X: sp.csr_matrix, device: torch.device) -> tuple[Tensor, ...]:
    return tuple(_whole(each, device) for each in X.nonzero())


def _whole(numbers: NDArray, device: torch.device) -> Tensor:
    return torch.as_tensor(numbers.astype(np.int64, copy=False), device=device)


def hold_out(
    X: sp.csr_matrix, fraction: float, random_state: np.random.RandomState
) -> tuple[sp.csr_matrix, sp.csr_matrix, NDArray]:
    """Take interactions of some users away."""
    # `X` (n_users, n_items); returns (n_users, n_items).
    lengths = np.diff(X.indptr)
    able = (lengths >= _MIN_INTERACTIONS) & (lengths < X.shape[1]) & (fraction > 0)
    able = np.flatnonzero(able)
    users = np.sort(random_state.permutation(able)[:_N_JUDGES])
    taken = np.zeros(X.nnz, dtype=bool)
    for start, stop in zip(X.indptr[users], X.indptr[users + 1], strict=True):
        n = max(1, round(fraction * (stop - start)))
        taken[start + random_state.permutation(stop - start)[:n]] = True
    parts = X.copy(), X.copy()
    for part, some in zip(parts, (~taken, taken), strict=True):
        part.data = some.astype(np.int8)
        part.eliminate_zeros()
    return *parts, users


def train_ranking(
    module: type[nn.Module],
    module_params: dict[str, Any],
    X: sp.csr_matrix,
    training: Training,
    *,
    loss: str,
    regularization: float,
    n_negatives: int = 1,
    item_tags: sp.csr_matrix | None = None,
    tag_weight: float = 1.0,
) -> tuple[Any, list[dict[str, float]]]:
    """Train a network to rank what users interacted with before what they did not."""
    # `X` (n_users, n_items); `item_tags` (n_items, n_tags).
    device = pick_device(training.device)
    random_state = np.random.RandomState(training.seed)
    rest, held_out, users = hold_out(X, training.validation_fraction, random_state)
    monitor = Ndcg(users, rest[users], held_out[users], device) if len(users) else None
    n_columns = X.shape[1] + (0 if item_tags is None else item_tags.shape[1])
    data = Comparisons(rest, n_negatives, device, item_tags, tag_weight)
    optimizer: type[torch.optim.Optimizer] = torch.optim.Adam
    callbacks = []
    if loss == "bpr":
        # Plain descent grows the strongest factors first, where Adam grows all alike and learns
        # rare users by heart. Its rate is one for the loss of a pair, not for a batch's mean.
        optimizer = torch.optim.SGD
        callbacks = [("limit", GradientLimit())]
        pairs = len(data) / n_batches(data, training.batch_size)
        training = replace(training, learning_rate=training.learning_rate * pairs)
    return train_network(
        module,
        {"n_users": X.shape[0], "n_columns": n_columns, **module_params},
        RankingLoss(loss, regularization),
        data,
        training,
        batches=ComparisonBatches,
        generator=training.generator(),
        optimizer=optimizer,
        monitor=monitor,
        callbacks=callbacks,
    )
