"""The paper as published, one call away."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from sktpecr.attribution import LimeAttribution
from sktpecr.explanation._tpecr_explainer import TPECRExplainer
from sktpecr.generators import CVAEGenerator
from sktpecr.refinement._feedback_refiner import FeedbackRefiner
from sktpecr.solvers import OnlineSolver

__all__ = ["published_explainer", "published_refiner"]


def published_explainer(
    recommender: Any,
    item_tags: Any = None,
    *,
    tag_names: Iterable[Any] | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> TPECRExplainer:
    """Return an unfitted explainer with the paper's settings.

    Parameters
    ----------
    recommender : object
        A trained model, see :func:`sktpecr.recommenders.as_recommender`.
    item_tags : DataFrame, array-like or sparse matrix of shape (n_items, n_tags), optional
        Tags of the items.
    tag_names : array-like of shape (n_tags,), optional
        Names of the tags, see :class:`TPECRExplainer`.
    random_state : int, RandomState instance or None, default=None
        Seeds the CVAE and LIME.

    Returns
    -------
    TPECRExplainer
        With a CVAE, and rank-label LIME with 5,000 draws and 99 competitors around the
        population.

    Notes
    -----
    Sections 3.3.1 and 3.3.2 of the paper [1]_ with the settings of its code. Two things differ:
    the CVAE is trained in fewer epochs, by a schedule that sweeps the learning rate, and a user's
    competitors are drawn once for all items.

    References
    ----------
    .. [1] Xu et al., "A Tag-Based Post-Hoc Framework for Explainable Conversational
       Recommendation", ICTIR 2022.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import published_explainer
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = published_explainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> explainer.set_params(generator__max_epochs=5).fit(data.interactions).explain(
    ...     0, data.item_ids[0]
    ... ).method
    'CVAEGenerator, LIME (rank, around the population, 5000 draws) attribution, ...'
    """
    return TPECRExplainer(
        recommender,
        item_tags,
        generator=CVAEGenerator(random_state=random_state),
        attribution=LimeAttribution(
            target="rank",
            center="population",
            n_samples=5000,
            n_competitors=99,
            engine="vectorized",
            random_state=random_state,
        ),
        tag_names=tag_names,
        random_state=random_state,
    )


def published_refiner(
    explainer: TPECRExplainer, *, random_state: int | np.random.RandomState | None = 0
) -> FeedbackRefiner:
    """Return a refiner with the paper's settings: the online update of tag preferences.

    Parameters
    ----------
    explainer : TPECRExplainer
        The explainer whose recommendations are refined, :func:`published_explainer`'s or another.
    random_state : int, RandomState instance or None, default=0
        Draws the pairs of items that feedback sets against each other.

    Returns
    -------
    FeedbackRefiner
        With the authors' settings for MovieLens.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import TPECRExplainer, published_refiner
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> published_refiner(explainer.fit(data.interactions)).refine(0, like="tag_1")
    Refinement(user=0, feedback='more tag_1')
    """
    return FeedbackRefiner(explainer, solver=OnlineSolver(random_state=random_state))
