"""Scores of a fitted explainer, for ``score`` and for ``GridSearchCV(scoring=...)``."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import check_random_state

# Users that are scored, evenly spread over the rows: more change the second digit no more.
_USERS = 2000
# Users and items of each that stability is measured on, and how many are enough to halve.
_EXPLAINED, _LISTED, _FEWEST = 100, 10, 4


def reasons_score(explainer: Any, X: Any, y: Any = None) -> float:
    r"""Measure how much better items' own tags explain users' scores than random tags do.

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


def stability_score(explainer: Any, X: Any, y: Any = None) -> float:
    r"""Measure how stable explanations are when they are learned from other users.

    A scorer for ``GridSearchCV(scoring=stability_score)``, to choose an attribution or a tag table
    by. The model that is explained stays the same.

    Parameters
    ----------
    explainer : TPECRExplainer
        Fitted, on at least 4 users.
    X : {array-like, sparse matrix} of shape (n_users, n_items)
        Interactions of at least 2 users, whose items are explained.
    y : None
        Ignored.

    Returns
    -------
    float
        Agreement of the contributions a and b of items' own tags that two halves of the users it
        was fitted on lead to, :math:`2 \sum a b / \sum (a^2 + b^2)`: 1 if they are the same, 0
        if they have nothing to do with one another. 0 where nothing contributes.

    Notes
    -----
    Generator and attribution are fitted anew on either half, and the first ten items of up to 100
    users are explained.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import TPECRExplainer
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> from sktpecr.evaluation import stability_score
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> stability_score(explainer.fit(data.interactions), data.interactions) > 0.9
    True
    """
    tag_model, embeddings = _embedded(explainer, X)
    learners = np.flatnonzero(tag_model.learners)
    if len(learners) < _FEWEST:
        raise ValueError(
            f"explainer must be fitted on at least {_FEWEST} users, to be fitted on halves of "
            f"them, got {len(learners)}"
        )
    embeddings = embeddings[:: -(-len(embeddings) // _EXPLAINED)]
    lists = np.argsort(-tag_model.recommender.score_items(embeddings), axis=1, kind="stable")
    halves = np.array_split(np.random.RandomState(0).permutation(learners), 2)
    told = [
        _own_contributions(
            _learned_from(tag_model, half, explainer), embeddings, lists[:, :_LISTED]
        )
        for half in halves
    ]
    sizes = np.square(told).sum()
    return float(2 * (told[0] @ told[1]) / sizes) if sizes else 0.0


def _learned_from(tag_model: Any, rows: NDArray, explainer: Any) -> Any:
    """Return a tag model of the same recommender that learned from some of the users."""
    catalogue = tag_model.catalogue
    return type(tag_model).learn(
        tag_model.extractor,
        catalogue,
        tag_model.user_embeddings,
        tag_model.folded,
        [catalogue.users[row] for row in rows],
        *(clone(part) for part in (tag_model.generator, tag_model.attribution)),
        explainer.random_state,
    )


def _own_contributions(tag_model: Any, embeddings: NDArray, lists: NDArray) -> NDArray:
    """Return what own tags contribute to listed items, one pair of user and item after another."""
    found = []
    for embedding, items in zip(embeddings.astype(np.float64), lists, strict=True):
        preferences = tag_model.tag_preferences_of(embedding)
        attributed = tag_model.attribution.attribute(preferences, embedding, items)
        contributions, _ = attributed.told(tag_model.vs_mean(preferences))
        on_item = np.array([tag_model.extractor.tags_of(int(item)) > 0 for item in items])
        found.append(contributions[on_item])
    return np.concatenate(found)


def _embedded(explainer: Any, X: Any) -> tuple[Any, Any]:
    if not hasattr(explainer, "_fold_in"):
        raise ValueError(f"explainer must be a TPECRExplainer, got {type(explainer).__name__}")
    embeddings = explainer._fold_in(X)
    if len(embeddings) < 2:
        raise ValueError(f"X must have at least 2 users to swap among, got {len(embeddings)}")
    return explainer.tag_model_, embeddings
