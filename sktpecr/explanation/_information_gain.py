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
    r"""Return how much the answer about each tag is expected to tell, in nats.

    Parameters
    ----------
    posterior : ndarray of shape (n_items,)
        Probability that each item is the one that is sought; 0 for those that are out.
    item_tags : array-like or sparse matrix of shape (n_items, n_tags)
        Probability of every tag on every item; 0/1 where it is known.
    error_rate : float, default=0.1
        Share of the answers that are wrong, from 0 to 1/2.
    indifference : float or ndarray of shape (n_tags,), default=0.0
        Share of the answers that are "I don't mind", whatever is sought: they tell nothing.

    Returns
    -------
    ndarray of shape (n_tags,)
        Mutual information of answer and item, at most log 2. The cost grows with the number of
        tags on items, not with items times tags.

    Notes
    -----
    Of "yes", "no" and "I don't mind", the last is as probable for every item, so that
    :math:`I = (1 - \nu) (h(P(\text{yes})) - \sum_v q_v h(P(\text{yes} \mid v)))`, h the entropy of
    a coin, :math:`\nu` the indifference.

    Examples
    --------
    >>> import numpy as np
    >>> from sktpecr.explanation._information_gain import information_gain
    >>> item_tags = np.array([[1, 1], [1, 0], [0, 0], [1, 0]])
    >>> information_gain(np.full(4, 0.25), item_tags, error_rate=0.0).round(3)
    array([0.562, 0.562])
    >>> information_gain(np.array([0.5, 0, 0.5, 0]), item_tags, 0.0, [0.0, 0.5]).round(3)
    array([0.693, 0.347])
    """
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
