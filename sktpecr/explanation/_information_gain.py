"""Which tag to ask about: the one whose answer tells most about the item that is sought."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import entr


def information_gain(
    posterior: NDArray, item_tags: Any, error_rate: float = 0.1, indifference: Any = 0.0
) -> NDArray:
    """Return how much the answer about each tag is expected to tell, in nats; shape (n_tags,)."""
    # `posterior` (n_items,): probability that each item is the one that is sought. `item_tags`
    # (n_items, n_tags): probability of every tag on every item. Of the answers, `error_rate` are
    # wrong and `indifference` are "I don't mind", whatever is sought: they tell nothing.
    # Mutual information of answer and item, I = (1 - nu) (h(P(yes)) - sum_v q_v h(P(yes | v))), h
    # the entropy of a coin and nu the indifference. It costs as much as there are tags on items.
    tags = sp.csr_matrix(item_tags)
    right = 1 - 2 * error_rate
    yes = error_rate + right * (tags.T @ posterior)
    unsure = float(_coin(np.array(error_rate)))
    within = np.full(tags.shape[1], unsure * float(posterior.sum()))
    if not ((tags.data == 0) | (tags.data == 1)).all():
        given = tags.copy()
        given.data = _coin(error_rate + right * tags.data) - unsure
        within += given.T @ posterior
    gain = np.maximum(_coin(np.clip(yes, 0.0, 1.0)) - within, 0.0)
    return (1 - np.asarray(indifference)) * gain


def _coin(probability: NDArray) -> NDArray:
    """Return the entropy of a coin, in nats."""
    return entr(probability) + entr(1 - probability)
