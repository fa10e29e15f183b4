"""The paper's first recommender."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sktpecr.recommenders.trained._base import TrainedFactors

if TYPE_CHECKING:
    pass


class MatrixFactorization(TrainedFactors):
    r"""Factorise interactions by Bayesian personalised ranking.

    Parameters
    ----------
    n_factors : int, default=64
        Length of the embeddings.
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
    history_ : list of dict
        Epoch, train_loss and valid_ndcg.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of shape (n_items,)
        Names of the items, if X was a DataFrame with string columns.

    See Also
    --------
    FactorizationMachine : The same, with embeddings of tags.
    NeuralCollaborativeFiltering : A score beyond the dot product.
    FactorRecommender : Factors that were trained elsewhere.

    Notes
    -----
    MF of the paper [1]_: :math:`r_{uv} = e_u \cdot e_v` without biases, trained by BPR [2]_,
    :math:`-\log \sigma(r_{uv} - r_{uw})` with w drawn anew each epoch, uniformly from what u has
    not. Descent is plain: Adam, which moves all factors alike, makes worse lists of sparse data.
    At the end user embeddings are replaced by their linear regression on what is in their rows
    (mean and root-scaled sum of its items' embeddings, its length). That takes out what a few
    interactions taught by accident: lists become better, and :meth:`fold_in` gives a known row
    the embedding that is stored for it.

    References
    ----------
    .. [1] Xu et al., "A Tag-Based Post-Hoc Framework for Explainable Conversational
       Recommendation", ICTIR 2022.
    .. [2] Rendle et al., "BPR: Bayesian Personalized Ranking from Implicit Feedback", UAI 2009.

    Examples
    --------
    >>> from sktpecr import TPECRExplainer
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> from sktpecr.recommenders import MatrixFactorization
    >>> data = make_tagged_interactions(random_state=0)
    >>> mf = MatrixFactorization(8, max_epochs=20, random_state=0).fit(data.interactions)
    >>> mf.recommend(user=3, n=2)["rank"].tolist()
    [1, 2]
    >>> explainer = TPECRExplainer(mf, data.item_tags).fit(data.interactions)
    >>> explainer.profile(3).columns.tolist()
    ['tag', 'preference', 'vs_population', 'vs_own_average', 'liking']
    """

    def __init__(
        self,
        n_factors: int = 64,
        *,
        learning_rate: float = 0.15,
        regularization: float = 5e-3,
        batch_size: int = 4096,
        max_epochs: int = 40,
        patience: int = 20,
        validation_fraction: float = 0.1,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_factors = n_factors
        self.learning_rate = learning_rate
        self.regularization = regularization
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.device = device
        self.random_state = random_state
