"""Networks that score users and items, and what they are trained for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

# Of the embeddings before training, as in the authors' models.
_START = 0.01


class Factors(nn.Module):
    """Users and columns (items, and perhaps tags behind them) whose score is a dot product."""

    def __init__(self, n_users: int, n_columns: int, n_factors: int) -> None:
        super().__init__()
        self.users, self.columns = (nn.Embedding(n, n_factors) for n in (n_users, n_columns))
        for table in (self.users, self.columns):
            nn.init.normal_(table.weight, std=_START)

    def forward(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Score users (n,) with columns (n, k); return scores (n, k), mean squared lengths."""
        users, columns = self.users(batch[0]), self.columns(batch[1])
        penalty = (users.square().sum() + columns.square().sum()) / len(users)
        return self.score(users, columns), penalty

    def score(self, users: Tensor, columns: Tensor) -> Tensor:
        """Score vectors of users (n, n_factors) with those of columns (n, k, n_factors)."""
        return torch.einsum("nf,nkf->nk", users, columns)

    def score_all(self, users: Tensor, n_items: int) -> Tensor:
        """Return the scores of the first columns for users (n,)."""
        return self.users(users) @ self.columns.weight[:n_items].T


class Dropout(nn.Module):
    """Dropout that asks a generator of our own, and so none at all outside training."""

    def __init__(self, share: float, generator: torch.Generator) -> None:
        super().__init__()
        self.share = share
        self.generator: torch.Generator | None = generator

    def forward(self, values: Tensor) -> Tensor:
        """Return values, some of them 0 and the others scaled up for it."""
        if not self.training or self.share == 0:
            return values
        kept = torch.empty_like(values).bernoulli_(1 - self.share, generator=self.generator)
        return values * kept / (1 - self.share)


# Its first layer is linear in [e_u, e_v] and so the sum of one of e_u and one of e_v: a user and an
# item go through it once, however many pairs they are in.
class Tower(nn.Module):
    """The multi-layer perceptron of neural collaborative filtering."""

    def __init__(self, n_factors: int, hidden_dims: Sequence[int], dropout: Dropout) -> None:
        super().__init__()
        first, *_ = hidden_dims
        self.dropout = dropout
        self.of_users = nn.Linear(n_factors, first)
        self.of_items = nn.Linear(n_factors, first, bias=False)
        layers: list[nn.Module] = [nn.ReLU(inplace=True)]
        for n_in, n_out in pairwise(hidden_dims):
            layers += [dropout, nn.Linear(n_in, n_out), nn.ReLU(inplace=True)]
        self.rest = nn.Sequential(*layers, nn.Linear(hidden_dims[-1], 1))

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Return logits (...) of vectors (..., n_factors) that broadcast against each other."""
        hidden = self.of_users(self.dropout(users)) + self.of_items(self.dropout(items))
        return self.rest(hidden).squeeze(-1)

    def grid(self, users: Tensor, items: Tensor) -> Tensor:
        """Return logits (n_users, n_items) of every user with every item."""
        hidden = self.of_users(self.dropout(users))[:, None] + self.of_items(self.dropout(items))
        # As rows of a matrix: torch multiplies these and adds the bias in one.
        return self.rest(hidden.flatten(0, 1)).reshape(hidden.shape[:2])

    def reusing(self, n_pairs: int) -> Callable[[Tensor, Tensor], Tensor]:
        """Return :meth:`grid` for up to so many pairs, outside training; each call overwrites."""
        layers = [layer for layer in self.rest if isinstance(layer, nn.Linear)]
        widths = [layers[0].in_features, *(layer.out_features for layer in layers)]
        # Fresh memory for every block takes a fifth of the time.
        first, *others = (layers[0].weight.new_empty(n_pairs, width) for width in widths)

        def grid(users: Tensor, items: Tensor) -> Tensor:
            shape = len(users), len(items)
            hidden = first[: len(users) * len(items)]
            torch.add(
                self.of_users(users)[:, None], self.of_items(items), out=hidden.view(*shape, -1)
            )
            for layer, output in zip(layers, others, strict=True):
                output = output[: len(hidden)]
                hidden = torch.addmm(layer.bias, hidden.relu_(), layer.weight.T, out=output)
            return hidden.view(shape)

        return grid


class Neural(Factors):
    """Users and items whose score a tower computes."""

    def __init__(
        self,
        n_users: int,
        n_columns: int,
        n_factors: int,
        hidden_dims: Sequence[int],
        dropout: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__(n_users, n_columns, n_factors)
        self.tower = Tower(n_factors, hidden_dims, Dropout(dropout, generator))

    def score(self, users: Tensor, columns: Tensor) -> Tensor:
        """Score vectors of users (n, n_factors) with those of columns (n, k, n_factors)."""
        return self.tower(users[:, None], columns)

    def score_all(self, users: Tensor, n_items: int) -> Tensor:
        """Return the scores of all items for users (n,)."""
        return self.tower.grid(self.users(users), self.columns.weight)


class RankingLoss(nn.Module):
    """BPR or BCE of scores (n, 1 + n_negatives), the positive first, plus the L2 penalty."""

    def __init__(self, loss: str, regularization: float) -> None:
        super().__init__()
        self.loss = loss
        self.regularization = regularization

    def forward(self, output: tuple[Tensor, Tensor], _: Any) -> Tensor:
        """Return the loss, a sum over a row's negatives and a mean over rows."""
        scores, penalty = output
        positive, negatives = scores[:, :1], scores[:, 1:]
        if self.loss == "bpr":
            losses = softplus(negatives - positive).sum()
        else:
            losses = softplus(-positive).sum() + softplus(negatives).sum()
        return losses / len(scores) + self.regularization / 2 * penalty


class NeuMFLogit(nn.Module):
    """Score pairs as neural matrix factorisation does, before its sigmoid."""

    def __init__(self, n_factors: int, layers: nn.Module, logit: nn.Module) -> None:
        super().__init__()
        self.n_factors = n_factors
        self.layers = layers
        self.logit = logit

    def forward(self, users: Tensor, items: Tensor) -> Tensor:
        """Return the logits of pairs, (n, 1)."""
        n = self.n_factors
        product = users[:, :n] * items[:, :n]
        hidden = self.layers(torch.cat([users[:, n:], items[:, n:]], dim=1))
        return self.logit(torch.cat([product, hidden], dim=1))
