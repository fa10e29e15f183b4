"""A recommender whose score is a dot product."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from sktpecr._inputs._ids import Ids
from sktpecr._utils._array_api import as_array, beside, namespace_of
from sktpecr._utils._blocks import blocks
from sktpecr.recommenders._fold_in import RidgeFoldIn


class FactorRecommender:
    """Score items by the dot product of user and item factors, plus an item bias.

    This is what matrix factorisation of any kind leaves behind, and the shape in which the
    library explains it exactly. A recommender of one's own need not inherit from it: whatever
    has ``user_embeddings`` and ``score_items`` is one.

    Parameters
    ----------
    user_factors : array-like of shape (n_users, n_factors)
        Embeddings of the known users. May have no rows, if every user is folded in.
    item_factors : array-like of shape (n_items, n_factors)
        Embeddings of the items.
    item_biases : array-like of shape (n_items,), optional
        What each item scores for everyone, in units of the score. Zero by default.
    fold_in : callable, optional
        ``fold_in(X) -> (n_rows, n_factors)``, the model's own way to embed new rows of
        interactions. By default the ridge regression of the row on the item factors.
    user_ids, item_ids : array-like of hashable, optional
        Raw ids in the order of the factors, where the model was trained on such. What explains
        the recommender then takes them; numbers of rows and columns by default.

    Attributes
    ----------
    user_embeddings : ndarray of shape (n_users, n_factors)
        Embeddings of the known users.
    item_embeddings : ndarray of shape (n_items, n_factors)
        Embeddings of the items.
    item_biases : ndarray of shape (n_items,)
        Item biases.
    user_ids, item_ids : ndarray or None
        Raw ids.

    Raises
    ------
    ValueError
        If shapes do not fit together, a factor is NaN or infinite, or ids are not one for each
        user or item, all different.

    Notes
    -----
    Equation 1 of the paper [1]_, with F the dot product. float32 and float64 are kept, anything
    else becomes one of the two.

    Factors are copied, and read-only: what is done to the arrays later changes nothing here. Those
    that are read-only already, or lie in a file (:class:`numpy.memmap`), are not copied.

    References
    ----------
    .. [1] Xu et al., "A Tag-Based Post-Hoc Framework for Explainable Conversational
       Recommendation", ICTIR 2022.

    Examples
    --------
    >>> from sktpecr.recommenders import FactorRecommender
    >>> recommender = FactorRecommender([[1.0, 0.0], [0.0, 2.0]], [[1.0, 1.0], [3.0, 0.5]])
    >>> recommender.score_items(recommender.user_embeddings)
    array([[1., 3.],
           [2., 1.]])
    """

    def __init__(
        self,
        user_factors: ArrayLike,
        item_factors: ArrayLike,
        item_biases: ArrayLike | None = None,
        *,
        fold_in: Callable[[sp.csr_matrix], NDArray] | None = None,
        user_ids: Iterable[Hashable] | None = None,
        item_ids: Iterable[Hashable] | None = None,
    ) -> None:
        self.user_embeddings = kept(check_factors(user_factors, "user_factors", ndim=2))
        self.item_embeddings = kept(check_factors(item_factors, "item_factors", ndim=2))
        n_items, n_factors = self.item_embeddings.shape
        if self.user_embeddings.shape[1] != n_factors:
            raise ValueError(
                f"user_factors and item_factors must have the same number of columns, got "
                f"{self.user_embeddings.shape[1]} and {n_factors}; is one of them transposed?"
            )
        if item_biases is None:
            item_biases = np.zeros(n_items, dtype=self.item_embeddings.dtype)
        self.item_biases = kept(check_factors(item_biases, "item_biases", ndim=1))
        if len(self.item_biases) != n_items:
            raise ValueError(
                f"item_biases must have one value per item ({n_items}), got {len(self.item_biases)}"
            )
        self._fold_in = fold_in
        self.user_ids = Ids("user", user_ids, len(self.user_embeddings), "user_ids").labels
        self.item_ids = Ids("item", item_ids, n_items, "item_ids").labels

    def __repr__(self) -> str:
        n_users, n_factors = self.user_embeddings.shape
        n_items = len(self.item_embeddings)
        return f"FactorRecommender({n_users} users, {n_items} items, {n_factors} factors)"

    def score_items(self, embeddings: ArrayLike, items: ArrayLike | None = None) -> Any:
        """Score items for users given by their embeddings.

        Parameters
        ----------
        embeddings : array-like or torch tensor of shape (n, n_factors)
            User embeddings.
        items : array-like of int, optional
            Column numbers of the items to score. All items by default.

        Returns
        -------
        ndarray or tensor of shape (n, n_items) or (n, len(items))
            Scores, higher is better. Of a tensor, a tensor on its device.
        """
        users = as_array(embeddings)
        xp = namespace_of(users)
        factors, biases = (beside(each, users) for each in (self.item_embeddings, self.item_biases))
        if items is not None:
            columns = beside(items, users)
            factors, biases = factors[columns], biases[columns]
        scores = xp.astype(users, factors.dtype, copy=False) @ factors.T
        if xp.result_type(scores, biases) != scores.dtype:
            return scores + biases
        # In place if it can be: of many users and items a second array costs as much again.
        scores += biases
        return scores

    def fold_in(self, X: sp.csr_matrix) -> NDArray:
        """Embed rows of interactions, known to the model or not.

        Parameters
        ----------
        X : sparse matrix or array-like of shape (n, n_items)
            Interactions.

        Returns
        -------
        ndarray of shape (n, n_factors)
            User embeddings.
        """
        fold_in = self._fold_in or RidgeFoldIn(self.item_embeddings)
        embeddings = np.asarray(fold_in(sp.csr_matrix(X)))
        return embeddings.astype(self.item_embeddings.dtype, copy=False)


def check_factors(factors: ArrayLike, name: str, ndim: int) -> NDArray:
    """Return factors as a finite float array, or say what is wrong with which."""
    if hasattr(factors, "to_numpy"):
        factors = factors.to_numpy()
    elif hasattr(factors, "detach"):  # a tensor, of which NumPy takes none with a gradient
        tensor: Any = factors.detach().cpu()
        factors = (tensor.float() if "bfloat16" in str(tensor.dtype) else tensor).numpy()
    array = np.asarray(factors)
    if array.ndim != ndim or not (np.issubdtype(array.dtype, np.number) or array.dtype == bool):
        raise ValueError(
            f"{name} must be a {ndim}-d array of numbers, got shape {array.shape}, "
            f"dtype {array.dtype}"
        )
    if np.iscomplexobj(array):
        raise ValueError(f"{name} must be real, got complex numbers")
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float32 if array.dtype == np.float16 else np.float64)
    return check_finite(array, f"{name} has")


def kept(array: NDArray) -> NDArray:
    """Return a read-only copy, or the array itself if nobody can write to it or it is a file."""
    owner: Any = array
    writeable = False
    while isinstance(owner, np.ndarray):
        if isinstance(owner, np.memmap):
            return array
        writeable |= owner.flags.writeable
        owner = owner.base
    if writeable:
        array = array.copy()
        array.flags.writeable = False
    return array


def check_finite(array: NDArray, what: str) -> NDArray:
    """Return an array, or say how many NaN or infinite values something has, and where."""
    # In blocks: factors may lie in a file that is larger than memory.
    if not all(np.isfinite(block).all() for block in blocks(array)):
        bad = np.argwhere(~np.isfinite(array))
        raise ValueError(
            f"{what} {len(bad)} NaN or infinite values, the first at {tuple(bad[0].tolist())}; "
            f"a model that diverged in training cannot be explained"
        )
    return array
