"""Score pairs of vectors with torch; imported by :class:`TorchRecommender` when one is made."""

from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


def snapshot(score: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """Copy a module, or a method of one, to the CPU in evaluation mode."""
    # Made in a caller's inference mode, autograd could never use it.
    with torch.inference_mode(False):
        _check_no_activations(_module_of(score))
        score = copy.deepcopy(score)
        module = _module_of(score)
        if module is not None:
            module.eval().requires_grad_(False).cpu().zero_grad()
    return score


class PairScorer:
    """A score function and the vectors of its items, on the device where they compute."""

    def __init__(
        self,
        score: Callable[[Tensor, Tensor], Tensor],
        item_vectors: NDArray,
        device: torch.device,
        dtype: Any,
    ) -> None:
        self.score = score
        self.device = device
        self.dtype = _dtype_of(_module_of(score)) or torch_dtype(dtype)
        with torch.inference_mode(False):
            if device.type != "cpu":
                self.score = copy.deepcopy(score)  # the one that is pickled stays on the CPU
                module = _module_of(self.score)
                if module is not None:
                    module.to(device)
            self.item_vectors = self.tensor(item_vectors)

    def tensor(self, array: NDArray) -> Tensor:
        """Return a copy of an array as the function takes it."""
        return torch.tensor(np.ascontiguousarray(array), dtype=self.dtype, device=self.device)

    def pairs(self, users: Tensor, vectors: Tensor) -> Tensor:
        """Score users (n, n_factors) and item vectors (n, n_item_factors) row by row: (n,)."""
        return _one_per_pair(self.score(users, vectors), len(users))

    def grid(self, users: Tensor, vectors: Tensor) -> Tensor:
        """Score every user with every item: (n_users, n_items)."""
        grid = getattr(self.score, "grid", None)
        if callable(grid):  # what pairs share it computes once
            return grid(users, vectors)
        shape = len(users), len(vectors)
        left = users[:, None].expand(*shape, -1).flatten(0, 1)
        right = vectors[None].expand(*shape, -1).flatten(0, 1)
        return self.pairs(left, right).reshape(shape)

    def grids(self, n_pairs: int) -> Callable[[Tensor, Tensor], Tensor]:
        """Return :meth:`grid` for many blocks of up to so many pairs, each used before the next."""
        reusing = getattr(self.score, "reusing", None)
        return reusing(n_pairs) if callable(reusing) else self.grid

    def gradients(self, user: NDArray, batch_size: int) -> NDArray:
        """Return the gradient of each item's score at a user's vector: (n_items, n_factors)."""
        gradients = np.empty((len(self.item_vectors), len(user)))
        with torch.inference_mode(False), torch.enable_grad():
            row = self.tensor(user)
            for start in range(0, len(gradients), batch_size):
                vectors = self.item_vectors[start : start + batch_size]
                # A copy of the user for each item, so that one pass backward serves them all.
                rows = row.repeat(len(vectors), 1).requires_grad_()
                (found,) = torch.autograd.grad(self.pairs(rows, vectors).sum(), rows)
                gradients[start : start + batch_size] = found.double().cpu().numpy()
        return gradients

    def try_out(self, users: NDArray) -> None:
        """Score two pairs, so that what cannot work says so before anything is fitted."""
        two = np.arange(2)
        left = self.tensor(users[two % len(users)])
        right = self.item_vectors[(two % len(self.item_vectors)).tolist()]
        try:
            with torch.no_grad():
                scores = self.score(left, right)
        except Exception as error:
            raise ValueError(
                f"score failed on users of shape {tuple(left.shape)} and items of shape "
                f"{tuple(right.shape)}, {self.dtype}: {error}"
            ) from error
        _one_per_pair(scores, 2)


def torch_dtype(dtype: Any) -> torch.dtype:
    """Return float32 or float64 of torch for one of numpy."""
    return torch.float32 if dtype == np.float32 else torch.float64


def _one_per_pair(scores: Any, n: int) -> Tensor:
    if not isinstance(scores, Tensor):
        raise ValueError(f"score must return a tensor, got {type(scores).__name__}")
    # A pair alone may have been squeezed.
    if scores.shape not in ((n,), (n, 1)) and not (n == 1 and scores.shape == ()):
        raise ValueError(
            f"score must return shape ({n},) or ({n}, 1) for {n} pairs, got "
            f"{tuple(scores.shape)}; row i of users meets row i of items, and no other"
        )
    return scores.reshape(n)


def _module_of(score: Any) -> nn.Module | None:
    """Return the module that a function is, or is a method of."""
    owners = score, getattr(score, "__self__", None)
    return next((each for each in owners if isinstance(each, nn.Module)), None)


def _check_no_activations(module: nn.Module | None) -> None:
    """Refuse what torch cannot copy: tensors that a module computed, and kept."""
    for path, part in () if module is None else module.named_modules():
        for name, value in vars(part).items():
            if isinstance(value, Tensor) and value.grad_fn is not None:
                attribute = ".".join(filter(None, (path, name)))
                raise ValueError(
                    f"score keeps in its attribute {attribute} a tensor with a gradient, as "
                    f"activations are, and such cannot be copied; keep {attribute}.detach()"
                )


def _dtype_of(module: nn.Module | None) -> torch.dtype | None:
    tensors = chain(module.parameters(), module.buffers()) if module is not None else ()
    return next((each.dtype for each in tensors if each.is_floating_point()), None)
