"""Scores of a fitted explainer, for ``score`` and for ``GridSearchCV(scoring=...)``."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_random_state

# Users that are scored, evenly spread over the rows: more change the second digit no more.
_USERS = 2000


def reasons_score(explainer: Any, X: Any, y: Any = None) -> float:
    r"""Measure how much more of users' scores their items' own tags tell than dealt tags would.

    What ``explainer.score`` returns; also a scorer for ``GridSearchCV(scoring=reasons_score)``.

    Parameters
    ----------
    explainer : TPECRExplainer
        Fitted.
    X : {array-like, sparse matrix} of shape (n_users, n_items)
        Interactions of at least 2 users, best of users that it was not fitted on.
    y : None
        Ignored.

    Returns
    -------
    float
        Mean over items of the share of the variance over users, the users' level taken off, that
        the account tells of these users; less what it tells of as many tags dealt at random. 0 is
        chance, negative values are possible; 1 is out of reach. 0 where all users are alike.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import TPECRExplainer
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> from sktpecr.evaluation import reasons_score
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> reasons_score(explainer.fit(data.interactions), data.interactions) > 0.1
    True
    """
    tag_model, embeddings = _embedded(explainer, X)
    account, recommender = tag_model.account, tag_model.recommender
    embeddings = embeddings[:: -(-len(embeddings) // _USERS)]
    everything = np.arange(len(account.explained_))
    preferences = tag_model.extractor.tag_preferences(embeddings.astype(np.float64))
    left = recommender.score_items(embeddings).astype(np.float64)
    left -= account.activity(embeddings, everything)
    whole = left.var(axis=0)
    told = sp.csr_matrix(account.weights_) @ account.tastes(preferences, embeddings).T
    left -= np.asarray(told).T
    counts = whole > 0
    if not counts.any():
        return 0.0
    shares = 1.0 - left.var(axis=0)[counts] / whole[counts]
    return float(np.mean(shares - account.explained_by_chance_[counts]))


def swap_score(explainer: Any, X: Any, y: Any = None) -> float:
    """Measure how well the generator meets tag preferences swapped between users.

    A scorer for ``GridSearchCV(scoring=swap_score)``, to choose a generator by.

    Parameters
    ----------
    explainer : TPECRExplainer
        Fitted.
    X : {array-like, sparse matrix} of shape (n_users, n_items)
        Interactions of users to swap among, at least 2.
    y : None
        Ignored.

    Returns
    -------
    float
        1 - (squared error of the generated embedding's tag preferences) / (squared error of
        the unedited embedding's). 1 is exact, as the closed form is; 0 no better than doing
        nothing.

    Notes
    -----
    The protocol of Table 4 of the paper.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import TPECRExplainer
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> from sktpecr.evaluation import swap_score
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> round(swap_score(explainer.fit(data.interactions), data.interactions), 6)
    1.0
    """
    tag_model, embeddings = _embedded(explainer, X)
    seed = 0 if explainer.random_state is None else explainer.random_state
    return tag_model.swapped(embeddings, check_random_state(seed)).score


def _embedded(explainer: Any, X: Any) -> tuple[Any, Any]:
    embeddings = explainer._fold_in(X)
    if len(embeddings) < 2:
        raise ValueError(f"X must have at least 2 users to swap among, got {len(embeddings)}")
    return explainer.tag_model_, embeddings
