"""The paper's recommender beyond the dot product."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import Interval

from sktpecr._utils._rounding import check_hidden_dims
from sktpecr.recommenders.differentiable._torch_recommender import TorchRecommender
from sktpecr.recommenders.trained._base import TrainedRecommender

if TYPE_CHECKING:
    from torch import Tensor

    from sktpecr._utils._torch_training import Training


class NeuralCollaborativeFiltering(TrainedRecommender):
    r"""Score users and items by a multi-layer perceptron, trained by binary cross-entropy.

    Parameters
    ----------
    n_factors : int, default=64
        Length of the embeddings.
    hidden_dims : sequence of int, default=(64, 32, 16)
        Widths of the hidden layers.
    dropout : float, default=0.1
        Share of inputs that each hidden layer drops in training.
    n_negatives : int, default=4
        Items that a user has not, drawn for each that the user has.
    learning_rate : float, default=1e-3
        Of Adam.
    regularization : float, default=1e-3
        Weight of the squared lengths of the embeddings, beside the loss of each interaction.
    batch_size : int, default=2048
        Interactions a step, each with its negatives.
    max_epochs : int, default=30
        Longest training.
    patience : int, default=4
        Epochs without a better NDCG on held-out interactions after which training stops.
    validation_fraction : float, default=0.1
        Share of the interactions that is held out, of 2,000 users at most who have at least 5;
        the weights of the epoch with the best NDCG of ten recommendations to them are kept. 0
        trains on everything to the end.
    device : str, default="auto"
        Where to train: a torch device, or "auto" for a GPU if there is one. What is learned lies
        on the CPU.
    random_state : int, RandomState instance or None, default=None
        Seeds weights, negatives, dropout, order and held-out interactions. An int repeats a fit
        exactly on the same device.

    Attributes
    ----------
    user_embeddings : ndarray of shape (n_users, n_factors)
        Embeddings of the users.
    history_ : list of dict
        Epoch, train_loss and valid_ndcg.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of shape (n_items,)
        Names of the items, if X was a DataFrame with string columns.

    See Also
    --------
    MatrixFactorization : A dot product, explained in closed form.
    TorchRecommender : Networks that were trained elsewhere.

    Notes
    -----
    NCF of the paper [1]_: the tower of [2]_ without its factorisation half,
    :math:`r_{uv} = MLP([e_u, e_v])`, the raw logit. Its first layer is linear in both, so that
    all items are scored at the price of the layers behind it. New rows are folded in as
    :class:`TorchRecommender` does.

    References
    ----------
    .. [1] Xu et al., "A Tag-Based Post-Hoc Framework for Explainable Conversational
       Recommendation", ICTIR 2022.
    .. [2] He et al., "Neural Collaborative Filtering", WWW 2017.

    Examples
    --------
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> from sktpecr.recommenders import NeuralCollaborativeFiltering
    >>> data = make_tagged_interactions(random_state=0)
    >>> ncf = NeuralCollaborativeFiltering(8, hidden_dims=(16, 8), max_epochs=5, random_state=0)
    >>> ncf.fit(data.interactions).recommend(user=3, n=2)["rank"].tolist()
    [1, 2]
    """

    _parameter_constraints: dict = {
        **TrainedRecommender._parameter_constraints,
        "hidden_dims": [tuple, list],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "n_negatives": [Interval(Integral, 1, None, closed="left")],
    }
    feedback_loss = "bce"

    def __init__(
        self,
        n_factors: int = 64,
        *,
        hidden_dims: Sequence[int] = (64, 32, 16),
        dropout: float = 0.1,
        n_negatives: int = 4,
        learning_rate: float = 1e-3,
        regularization: float = 1e-3,
        batch_size: int = 2048,
        max_epochs: int = 30,
        patience: int = 4,
        validation_fraction: float = 0.1,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_factors = n_factors
        self.hidden_dims = hidden_dims
        self.dropout = dropout
        self.n_negatives = n_negatives
        self.learning_rate = learning_rate
        self.regularization = regularization
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.device = device
        self.random_state = random_state

    def score_items_torch(self, embeddings: Tensor, items: ArrayLike | None = None) -> Tensor:
        """Score items so that autograd can follow.

        Parameters
        ----------
        embeddings : tensor of shape (n, n_factors)
            User embeddings.
        items : array-like of int, optional
            Column numbers of the items to score. All items by default.

        Returns
        -------
        tensor of shape (n, n_items) or (n, len(items))
            Scores, differentiable with respect to `embeddings`.
        """
        return self._read().score_items_torch(embeddings, items)

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
        return self._read().item_gradients(embedding)

    def _train(self, X: sp.csr_matrix, training: Training) -> list[dict[str, float]]:
        from sktpecr.recommenders.trained._modules import Neural
        from sktpecr.recommenders.trained._rank_training import train_ranking

        check_hidden_dims(self.hidden_dims)
        if not self.hidden_dims:
            raise ValueError("hidden_dims must hold the width of one layer at least, got ()")
        module, history = train_ranking(
            Neural,
            {
                "n_factors": self.n_factors,
                "hidden_dims": tuple(self.hidden_dims),
                "dropout": self.dropout,
                "generator": training.generator(stream=1),
            },
            X,
            training,
            loss=self.feedback_loss,
            regularization=self.regularization,
            n_negatives=self.n_negatives,
        )
        module.tower.dropout.generator = None  # it has served, and could not be pickled
        self._tower = module.tower
        self._users, self._items = (
            table.weight.detach().numpy() for table in (module.users, module.columns)
        )
        return history

    def _recommender(self, dtype: Any) -> TorchRecommender:
        # A copy, as a module changes its precision in place; else TorchRecommender makes one.
        tower = copy.deepcopy(self._tower).double() if dtype == np.float64 else self._tower
        return TorchRecommender(
            tower,
            self._users.astype(dtype, copy=False),
            self._items.astype(dtype, copy=False),
            feedback_loss=self.feedback_loss,
        )
