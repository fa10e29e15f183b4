"""Embed new users by gradient descent through a score."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from numpy.random import RandomState
from numpy.typing import NDArray
from torch.nn.functional import softplus

from sktpecr._utils._rounding import square_root
from sktpecr.recommenders.differentiable._scoring import PairScorer

_N_NEGATIVES = 4
_N_STEPS = 100
# Of the first steps, in standard deviations of the known users.
_STEP = 0.2


class Prior(NamedTuple):
    """Where users are: embeddings are ``mean + root @ z`` with z standard normal."""

    mean: NDArray
    root: NDArray

    @classmethod
    def of(cls, embeddings: NDArray) -> Prior:
        """Take mean and covariance of the known users."""
        # `embeddings` (n_users, n_factors).
        mean = embeddings.mean(axis=0, dtype=np.float64)
        centred = embeddings - mean.astype(embeddings.dtype)
        return cls(mean, square_root((centred.T @ centred).astype(np.float64) / len(embeddings)))


def fold_in(
    scorer: PairScorer, prior: Prior, X: sp.csr_matrix, *, loss: str, max_pairs: int
) -> NDArray:
    """Return the most probable embeddings of users with these interactions."""
    # `X` (n, n_items); returns (n, n_factors).
    embeddings = np.tile(prior.mean, (X.shape[0], 1))
    n_pairs = np.diff(X.indptr) * (1 + _N_NEGATIVES)
    with torch.inference_mode(False), torch.enable_grad():
        for rows in _batches(n_pairs, max_pairs):
            embeddings[rows] = _descend(scorer, prior, X[rows], loss)
    if not np.isfinite(embeddings).all():
        row = int(np.flatnonzero(~np.isfinite(embeddings).all(axis=1))[0])
        raise ValueError(
            f"row {row} of X cannot be embedded: the gradient of score is NaN or infinite there"
        )
    return embeddings


def _descend(scorer: PairScorer, prior: Prior, X: sp.csr_matrix, loss: str) -> NDArray:
    """Embed rows that have interactions, all at once: their losses share no variable."""
    lengths = np.diff(X.indptr)
    split = np.split(X.indices, X.indptr[1:-1])
    others = np.concatenate([_draw_outside(items, X.shape[1]) for items in split])
    columns = torch.as_tensor(np.column_stack([X.indices, others]), device=scorer.device)
    vectors = scorer.item_vectors[columns.flatten()]
    owners = torch.as_tensor(np.repeat(np.arange(X.shape[0]), lengths), device=scorer.device)
    owners = owners.repeat_interleave(columns.shape[1])
    # There is nothing outside a row that has everything.
    counted = (owners.new_tensor(lengths) < X.shape[1])[owners].view(columns.shape)[:, 1:]
    # Steps in the prior's own directions, where all coordinates have the same scale; a module in
    # half precision would not notice them.
    dtype = torch.promote_types(scorer.dtype, torch.float32)
    mean, root = (torch.tensor(array, dtype=dtype, device=scorer.device) for array in prior)
    z = torch.zeros((X.shape[0], root.shape[1]), dtype=dtype, device=scorer.device)
    first, second = torch.zeros_like(z), torch.zeros_like(z)
    # Adam by hand: the first step of torch.optim imports torch's compiler, for a second.
    for step in range(_N_STEPS):
        z.requires_grad_()
        users = (mean + z @ root.T).to(scorer.dtype)[owners]
        scores = scorer.pairs(users, vectors).view(columns.shape).to(dtype)
        if loss == "bce":
            losses = softplus(-scores[:, 0]).sum() + (softplus(scores[:, 1:]) * counted).sum()
        else:
            losses = (softplus(scores[:, 1:] - scores[:, :1]) * counted).sum()
        (gradient,) = torch.autograd.grad(losses + z.square().sum() / 2, z)
        z = z.detach()
        first = 0.9 * first + 0.1 * gradient
        second = 0.99 * second + 0.01 * gradient.square()
        unbiased = (second / (1 - 0.99 ** (step + 1))).sqrt()
        rate = _STEP * 0.5 * (1 + math.cos(math.pi * step / _N_STEPS))
        z = z - rate * first / (1 - 0.9 ** (step + 1)) / (unbiased + 1e-8)
    return (mean + z @ root.T).cpu().numpy()


def _batches(n_pairs: NDArray, max_pairs: int) -> Iterator[NDArray]:
    """Yield runs of rows that have pairs, as many rows as stay within the limit."""
    rows = np.flatnonzero(n_pairs)
    ends = np.cumsum(n_pairs[rows])
    while len(rows):
        n = max(1, int(np.searchsorted(ends, max_pairs, side="right")))
        yield rows[:n]
        rows, ends = rows[n:], ends[n:] - ends[n - 1]


def _draw_outside(items: NDArray, n_items: int) -> NDArray:
    """Draw items that are not among the given ones, alike for the same items."""
    items = items.astype("<i8")
    if len(items) == n_items:
        return np.zeros((n_items, _N_NEGATIVES), dtype=np.int64)
    rng = RandomState(zlib.crc32(items.tobytes()))
    drawn = rng.randint(n_items - len(items), size=(len(items), _N_NEGATIVES))
    # The k-th item outside is k plus the number of items inside that lie before it.
    return drawn + np.searchsorted(items - np.arange(len(items)), drawn, side="right")
