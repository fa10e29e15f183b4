"""The paper's recommender that knows of tags."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import Interval

from sktpecr._inputs._catalogue import check_item_ids
from sktpecr._inputs._item_tags import check_item_tags
from sktpecr._inputs._tables import in_pandas
from sktpecr.recommenders._factor_recommender import check_factors
from sktpecr.recommenders.trained._base import TrainedFactors, TrainedRecommender

if TYPE_CHECKING:
    from sktpecr._utils._torch_training import Training


class FactorizationMachine(TrainedFactors):
    r"""Factorise interactions and the tags of items together, by Bayesian personalised ranking.

    It predicts tag preferences itself: they are scores of tags, as others are of items, and no
    averages over items.

    Parameters
    ----------
    item_tags : DataFrame, array-like or sparse matrix of shape (n_items, n_tags), optional
        Tags of the items; all that are not zero count the same. None makes every item its own
        tag.
    n_factors : int, default=64
        Length of the embeddings.
    tag_weight : float, default=0.1
        Comparisons of tags for each comparison of items. The larger, the better tags are ranked,
        and the worse items where users have few interactions.
    learning_rate : float, default=0.15
        Of gradient descent on the loss of a pair, at the peak of one cycle.
    regularization : float, default=5e-3
        Weight of the squared lengths of the embeddings, beside the loss of each pair.
    batch_size : int, default=4096
        Pairs a step.
    max_epochs : int, default=40
        Longest training; the cycle of the learning rate is laid over it.
    patience : int, default=20
        Epochs without a better NDCG on held-out interactions after which training stops.
    validation_fraction : float, default=0.1
        Share of the interactions that is held out, of 2,000 users at most who have at least 5;
        the weights of the epoch with the best NDCG of ten recommendations to them are kept. 0
        trains on everything to the end.
    device : str, default="auto"
        Where to train: a torch device, or "auto" for a GPU if there is one. What is learned lies
        on the CPU.
    random_state : int, RandomState instance or None, default=None
        Seeds embeddings, negatives, order and held-out interactions. An int repeats a fit
        exactly on the same device.

    Attributes
    ----------
    user_embeddings : ndarray of shape (n_users, n_factors)
        Embeddings of the users.
    item_embeddings : ndarray of shape (n_items, n_factors)
        Embeddings of the items.
    tag_embeddings_ : ndarray of shape (n_tags, n_factors)
        Embeddings of the tags.
    tag_names_ : ndarray of shape (n_tags,) or None
        Names of the tags, if item_tags was a DataFrame.
    history_ : list of dict
        Epoch, train_loss and valid_ndcg.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of shape (n_items,)
        Names of the items, if X was a DataFrame with string columns.

    See Also
    --------
    MatrixFactorization : The same without tags.
    NeuralCollaborativeFiltering : A score beyond the dot product.

    Notes
    -----
    FM of the paper [1]_: an item scores :math:`e_u \cdot e_v`, a tag :math:`e_u \cdot e_t`. Each
    epoch compares every interaction's item with an item that the user has not and, for a sample of
    the interactions, a tag of the item, drawn uniformly, with a tag that is not on it. User
    embeddings are smoothed at the end as those of :class:`MatrixFactorization` are.

    References
    ----------
    .. [1] Xu et al., "A Tag-Based Post-Hoc Framework for Explainable Conversational
       Recommendation", ICTIR 2022.

    Examples
    --------
    >>> from sktpecr import TPECRExplainer
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> from sktpecr.recommenders import FactorizationMachine
    >>> data = make_tagged_interactions(random_state=0)
    >>> fm = FactorizationMachine(data.item_tags, 8, max_epochs=20, random_state=0)
    >>> fm.fit(data.interactions).tag_scores(fm.user_embeddings).shape == (
    ...     len(data.user_ids), data.item_tags.shape[1]
    ... )
    True
    >>> explainer = TPECRExplainer(fm).fit(data.interactions)  # with the tags of fm
    >>> bool((explainer.tag_names_ == data.item_tags.columns).all())
    True
    """

    _parameter_constraints: dict = {
        **TrainedRecommender._parameter_constraints,
        "item_tags": "no_validation",
        "tag_weight": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        item_tags: Any = None,
        n_factors: int = 64,
        *,
        tag_weight: float = 0.1,
        learning_rate: float = 0.15,
        regularization: float = 5e-3,
        batch_size: int = 4096,
        max_epochs: int = 40,
        patience: int = 20,
        validation_fraction: float = 0.1,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.item_tags = item_tags
        self.n_factors = n_factors
        self.tag_weight = tag_weight
        self.learning_rate = learning_rate
        self.regularization = regularization
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.device = device
        self.random_state = random_state

    def tag_scores(self, embeddings: ArrayLike) -> NDArray:
        """Score tags for users given by their embeddings.

        Parameters
        ----------
        embeddings : array-like of shape (n, n_factors)
            User embeddings.

        Returns
        -------
        ndarray of shape (n, n_tags)
            Tag preferences, float32 for float32 embeddings.
        """
        self._read()
        rows = check_factors(embeddings, "embeddings", ndim=2)
        return rows @ self.tag_embeddings_.T.astype(rows.dtype)

    def _check_item_ids(self, X: Any) -> None:
        check_item_ids(in_pandas(self.item_tags, ids="item"), in_pandas(X, ids="user"))

    def _train(self, X: sp.csr_matrix, training: Training) -> list[dict[str, float]]:
        tags, names = check_item_tags(
            in_pandas(self.item_tags, ids="item"),
            None,
            X.shape[1],
            getattr(self, "feature_names_in_", None),
        )
        self.tag_names_ = names if hasattr(self.item_tags, "columns") else None
        self.tag_embeddings_, history = self._train_factors(
            X, training, item_tags=tags.tocsr(), tag_weight=self.tag_weight
        )
        return history
