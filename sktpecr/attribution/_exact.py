"""The attribution that needs no surrogate."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sktpecr._utils._array_api import beside
from sktpecr.attribution._attributed import Attributed
from sktpecr.attribution._composite import CompositeFunction


class ExactAttribution(BaseEstimator):
    r"""Compute the importances of tags in closed form, for a linear composite function.

    Attributes
    ----------
    scale_ : ndarray of shape (n_tags,)
        Standard deviation of each tag preference in the population.

    Notes
    -----
    The composite function is :math:`f_v(c) = r_{uv} + w_v (c - c_u)` with
    :math:`w_v = K^T e_v`; the importance of a tag is :math:`w_{vt}` times the standard deviation
    of the tag's preference over the population. :math:`w_{vt} (c_{ut} - \bar c_t)` is the
    Shapley value of the tag with the average user as background [1]_.

    References
    ----------
    .. [1] E. Strumbelj and I. Kononenko, "Explaining prediction models and individual
       predictions with feature contributions", KAIS 41, 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from sktpecr import TPECRExplainer
    >>> from sktpecr.attribution import ExactAttribution
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> from sklearn.decomposition import TruncatedSVD
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(
    ...     TruncatedSVD(8, random_state=0), data.item_tags, attribution=ExactAttribution()
    ... )
    >>> explainer.fit(data.interactions).explain(0, data.item_ids[0]).fidelity
    1.0
    """

    name = "exact"
    unit = "score per standard deviation of the tag preference"

    def fit(
        self, composite: CompositeFunction, tag_preferences: ArrayLike, embeddings: ArrayLike
    ) -> ExactAttribution:
        """Take the population as background.

        Parameters
        ----------
        composite : CompositeFunction
            The function to explain.
        tag_preferences : array-like of shape (n_users, n_tags)
            Tag preferences of the population.
        embeddings : array-like of shape (n_users, n_factors)
            Embeddings of the population.

        Returns
        -------
        self : object
            The fitted attribution.

        Raises
        ------
        ValueError
            If the composite function is not linear.
        """
        if not composite.is_linear:
            raise ValueError(
                "attribution: the exact one needs a recommender with item_embeddings (a dot "
                "product) and a generator with gain_ (GaussianGenerator); got "
                f"{type(composite.recommender).__name__} and {type(composite.generator).__name__}"
            )
        self._composite = composite
        preferences = np.asarray(tag_preferences, dtype=np.float64)
        self.scale_ = preferences.std(axis=0)
        self._average_user = np.mean(np.asarray(embeddings, dtype=np.float64), axis=0)
        return self

    def attribute(
        self, tag_preferences: NDArray, embedding: NDArray, items: ArrayLike
    ) -> Attributed:
        """Attribute the scores of items for one user.

        Parameters
        ----------
        tag_preferences : ndarray of shape (n_tags,)
            The user's tag preferences.
        embedding : ndarray of shape (n_factors,)
            The user's embedding.
        items : array-like of int
            Column numbers of items.

        Returns
        -------
        Attributed
            Importances and values, in units of the score.
        """
        check_is_fitted(self)
        recommender = self._composite.recommender
        users = np.stack([self._average_user, embedding])
        base_values, values = recommender.score_items(users, items).astype(np.float64)
        importances = self.importances(items)
        return Attributed(importances, base_values, values, np.ones(len(importances)))

    def importances(self, items: Any) -> Any:
        """Return the importances of tags for items, which are the same for every user.

        Parameters
        ----------
        items : array-like or torch tensor of int
            Column numbers of items.

        Returns
        -------
        ndarray or tensor of shape (len(items), n_tags)
            Importances, in units of the score. Of a tensor, a tensor on its device.
        """
        check_is_fitted(self)
        weights = self._composite.tag_weights(items)
        return weights * beside(self.scale_, weights)
