"""A recommender whose score is any function that torch can differentiate."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from sktpecr._inputs._ids import Ids
from sktpecr._inputs._tables import canonical
from sktpecr.recommenders._factor_recommender import check_factors, check_finite, kept
from sktpecr.recommenders._fold_in import check_columns

if TYPE_CHECKING:
    from torch import Tensor, nn

    from sktpecr.recommenders.differentiable._scoring import PairScorer

# Users scored at a time, at most.
_USERS = 64


class TorchRecommender:
    r"""Score items by any differentiable function of user and item vectors.

    The place for models whose score is no dot product, such as neural collaborative filtering or
    a network on top of two towers. Scores are streamed in blocks of pairs; gradients, for online
    refinement and for new users, come from autograd.

    Parameters
    ----------
    score : torch.nn.Module or callable
        ``score(users, items)`` takes tensors of shape (n, n_factors) and (n, n_item_factors), a
        pair per row, and returns a tensor of shape (n,) or (n, 1), higher is better. Under "bce"
        that is the logit, before any sigmoid. A module, or a method of one, is copied in
        evaluation mode: no dropout, and training it further changes nothing here. Any other
        function is called as it is, so what it uses must be in evaluation mode already.
    user_embeddings : array-like or tensor of shape (n_users, n_factors)
        Embeddings of the known users, at least one.
    item_vectors : array-like or tensor of shape (n_items, n_item_factors)
        What the function is to know of each item.
    feedback_loss : {"bce", "bpr"}, default="bce"
        The loss that the model was trained with, binary cross-entropy or Bayesian personalised
        ranking: what new users are embedded by and feedback is refined online by.
    batch_size : int, default=8192
        Pairs scored at a time. Bounds memory, and more of them gain nothing on a CPU; scores
        depend on it by rounding only.
    device : str, default="cpu"
        Where to compute: "auto" is a GPU if there is one, "cuda:1" a certain one.
    user_ids, item_ids : array-like of hashable, optional
        Raw ids, in the order of the vectors; numbers of rows and columns by default.

    Attributes
    ----------
    user_embeddings : ndarray of shape (n_users, n_factors)
        Embeddings of the known users.
    item_vectors : ndarray of shape (n_items, n_item_factors)
        Vectors of the items; as ``item_embeddings`` they would announce a dot product.
    feedback_loss : str
        As given.
    batch_size : int
        As given.
    device : str
        As given, but "cpu" after unpickling where that device does not exist.
    user_ids, item_ids : ndarray or None
        Raw ids.

    Raises
    ------
    TypeError
        If `score` cannot be called.
    ValueError
        If shapes do not fit together, a vector or a score is NaN or infinite, or a parameter is
        unknown.

    Notes
    -----
    Equation 1 of the paper, :math:`r_{uv} = F(e_u, e_v)`, for any F [1]_. The module computes in
    its own precision (that of the vectors if it has no parameters); scores come in the precision
    of the embeddings asked for. What is kept lies on the CPU, and pickles if `score` does, which
    a lambda does not.

    References
    ----------
    .. [1] Xu et al., "A Tag-Based Post-Hoc Framework for Explainable Conversational
       Recommendation", ICTIR 2022.

    Examples
    --------
    >>> import torch
    >>> from sktpecr.recommenders import TorchRecommender
    >>> def score(users, items):
    ...     return torch.tanh((users * items).sum(dim=1))
    >>> recommender = TorchRecommender(score, [[1.0, 0.0], [0.0, 2.0]], [[1.0, 1.0], [3.0, 0.5]])
    >>> recommender.score_items(recommender.user_embeddings).round(3)
    array([[0.762, 0.995],
           [0.964, 0.762]])
    >>> TorchRecommender(lambda users, items: users @ items.T, [[1.0]], [[1.0], [3.0]])
    Traceback (most recent call last):
    ...
    ValueError: score must return shape (2,) or (2, 1) for 2 pairs, got (2, 2); ...
    """

    @validate_params(
        {
            "score": [callable],
            "feedback_loss": [StrOptions({"bce", "bpr"})],
            "batch_size": [Interval(Integral, 1, None, closed="left")],
        },
        prefer_skip_nested_validation=True,
    )
    def __init__(
        self,
        score: nn.Module | Callable[[Tensor, Tensor], Tensor],
        user_embeddings: ArrayLike | Tensor,
        item_vectors: ArrayLike | Tensor,
        *,
        feedback_loss: str = "bce",
        batch_size: int = 8192,
        device: str = "cpu",
        user_ids: Iterable[Hashable] | None = None,
        item_ids: Iterable[Hashable] | None = None,
    ) -> None:
        # Not at the top: torch takes a second to import, and most recommenders need none.
        from sktpecr.recommenders.differentiable._fold_in import Prior
        from sktpecr.recommenders.differentiable._scoring import snapshot

        self.user_embeddings = kept(check_factors(user_embeddings, "user_embeddings", ndim=2))
        self.item_vectors = kept(check_factors(item_vectors, "item_vectors", ndim=2))
        for name, rows in vars(self).items():
            if 0 in rows.shape:
                raise ValueError(
                    f"{name} must have a row and a column at least, got shape {rows.shape}"
                )
        self.feedback_loss = feedback_loss
        self.batch_size = int(batch_size)
        self.device = device
        self.user_ids = Ids("user", user_ids, len(self.user_embeddings), "user_ids").labels
        self.item_ids = Ids("item", item_ids, len(self.item_vectors), "item_ids").labels
        self._score = snapshot(score)
        self._prior = Prior.of(self.user_embeddings)
        self._on_device: PairScorer | None = None
        self._scorer().try_out(self.user_embeddings)

    def __repr__(self) -> str:
        n_users, n_factors = self.user_embeddings.shape
        n_items = len(self.item_vectors)
        return f"TorchRecommender({n_users} users, {n_items} items, {n_factors} factors)"

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_on_device": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        from sktpecr._utils._torch_training import pick_device

        self.__dict__.update(state)
        try:
            pick_device(self.device)
        except ValueError:  # saved where there was a GPU, loaded where there is none
            self.device = "cpu"

    def score_items(self, embeddings: ArrayLike, items: ArrayLike | None = None) -> NDArray:
        """Score items for users given by their embeddings.

        Parameters
        ----------
        embeddings : array-like of shape (n, n_factors)
            User embeddings.
        items : array-like of int, optional
            Column numbers of the items to score. All items by default.

        Returns
        -------
        ndarray of shape (n, n_items) or (n, len(items))
            Scores, higher is better; float32 for float32 embeddings, else float64.
        """
        import torch

        from sktpecr.recommenders.differentiable._scoring import torch_dtype

        rows = check_factors(embeddings, "embeddings", ndim=2)
        self._check_width(rows.shape)
        scorer = self._scorer()
        with torch.no_grad():
            users, vectors = scorer.tensor(rows), self._vectors(items)
            scores = np.empty((len(users), len(vectors)), dtype=rows.dtype)
            if not scores.size:
                return scores
            # Many users and few items, not one user and all: so that what a function computes
            # once for all pairs of a user, or of an item, is computed seldom.
            at_a_time = min(len(users), _USERS, self.batch_size)
            n_columns = min(len(vectors), self.batch_size // at_a_time)
            grid = scorer.grids(at_a_time * n_columns)
            for some in gen_batches(len(users), at_a_time):
                for columns in gen_batches(len(vectors), n_columns):
                    block = grid(users[some], vectors[columns])
                    scores[some, columns] = block.cpu().to(torch_dtype(rows.dtype)).numpy()
        return check_finite(scores, "score returned")

    def score_items_torch(self, embeddings: Tensor, items: ArrayLike | None = None) -> Tensor:
        """Score items so that autograd can follow.

        Parameters
        ----------
        embeddings : tensor of shape (n, n_factors)
            User embeddings of any floating-point dtype, on any device.
        items : array-like of int, optional
            Column numbers of the items to score. All items by default.

        Returns
        -------
        tensor of shape (n, n_items) or (n, len(items))
            Scores of the dtype and on the device of `embeddings`, though no more precise than the
            module's own dtype; differentiable with respect to `embeddings` alone. All pairs are
            scored at once, since the graph has to hold them anyway.
        """
        self._check_width(tuple(embeddings.shape))
        scorer = self._scorer()
        users = embeddings.to(scorer.device, scorer.dtype)
        return scorer.grid(users, self._vectors(items)).to(embeddings)

    def item_gradients(self, embedding: ArrayLike) -> NDArray:
        """Return what one more of each factor adds to the score of each item.

        Parameters
        ----------
        embedding : array-like of shape (n_factors,)
            A user's embedding, where the gradients are taken.

        Returns
        -------
        ndarray of shape (n_items, n_factors)
            Gradients.
        """
        row = check_factors(np.asarray(embedding)[np.newaxis], "embedding", ndim=2)
        self._check_width(row.shape)
        return self._scorer().gradients(row[0], self.batch_size)

    def fold_in(self, X: sp.csr_matrix) -> NDArray:
        r"""Embed rows of interactions by gradient descent through the score.

        Parameters
        ----------
        X : sparse matrix or array-like of shape (n, n_items)
            Interactions. All that are not zero count the same.

        Returns
        -------
        ndarray of shape (n, n_factors)
            User embeddings. An empty row gets the mean of the known users.

        Notes
        -----
        An embedding minimises `feedback_loss` on the row's items against four other items for
        each of them, plus :math:`(e - \mu)^T \Sigma^{-1} (e - \mu) / 2` with mean and covariance
        of the known users: those with little history stay near them. The other items are drawn
        with a seed made of the row's own items, so that a row is embedded alike, up to rounding,
        at every call and in any company.

        A network trained on MovieLens gives rows it was trained on the scores of their stored
        embeddings with a correlation over items of 0.998 in the median. The level of all scores
        of a user together is found less well, as neither loss shows how active a user is.
        """
        from sktpecr.recommenders.differentiable._fold_in import fold_in

        rows = canonical(sp.csr_matrix(X))
        check_columns(rows, len(self.item_vectors))
        embeddings = fold_in(
            self._scorer(), self._prior, rows, loss=self.feedback_loss, max_pairs=self.batch_size
        )
        return embeddings.astype(self.user_embeddings.dtype)

    def _check_width(self, shape: tuple[int, ...]) -> None:
        n_factors = self.user_embeddings.shape[1]
        if len(shape) != 2 or shape[1] != n_factors:
            raise ValueError(f"embeddings must have shape (n, {n_factors}), got {shape}")

    def _vectors(self, items: ArrayLike | None) -> Tensor:
        vectors = self._scorer().item_vectors
        if items is None:
            return vectors
        return vectors[np.arange(len(vectors))[np.asarray(items)].tolist()]

    def _scorer(self) -> PairScorer:
        """Return the score on its device, copied there once."""
        if self._on_device is None:
            from sktpecr._utils._torch_training import pick_device
            from sktpecr.recommenders.differentiable._scoring import PairScorer

            device = pick_device(self.device)
            dtype = np.result_type(self.user_embeddings, self.item_vectors)
            self._on_device = PairScorer(self._score, self.item_vectors, device, dtype)
        return self._on_device
