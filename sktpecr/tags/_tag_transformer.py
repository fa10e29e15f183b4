"""What the estimators over a recommender have in common: a fitted recommender stays as it is."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import _check_feature_names_in

from sktpecr._inputs._catalogue import check_item_ids
from sktpecr._inputs._tables import check_interactions, in_pandas, is_frame
from sktpecr.recommenders._protocol import clone_sharing, fold_in, is_unfitted_estimator, optional


class TagTransformer(TransformerMixin, BaseEstimator):
    """What the extractor and the explainer have in common.

    Both are transformers from interactions to tag preferences, and both leave a fitted
    recommender as it is: clones share it, and the item tags, instead of copying them.
    """

    _is_clone = False  # Whether it was made by :func:`sklearn.base.clone`, as validation does

    def transform(self, X: Any) -> NDArray:
        """Embed rows of interactions and return their tag preferences.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_users, n_items)
            Interactions; rows are folded in, whether or not the recommender knows them.

        Returns
        -------
        ndarray of shape (n_users, n_tags)
            Tag preferences, in units of the recommender's score.
        """
        extractor = self._fitted_extractor()
        return extractor.tag_preferences(self._fold_in(X))

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray:
        """Return the tag names.

        Parameters
        ----------
        input_features : array-like of str, optional
            Checked against the columns of X seen in fit, otherwise unused.

        Returns
        -------
        ndarray of str objects, shape (n_tags,)
            Tag names.
        """
        extractor = self._fitted_extractor()
        _check_feature_names_in(self, input_features)
        return np.asarray([str(name) for name in extractor.tag_names_], dtype=object)

    def _given_item_tags(self) -> Any:
        """Return the item tags given, or else those that the recommender was trained with."""
        given = self.item_tags
        if given is None:
            given = optional(self.recommender, "item_tags")
        return in_pandas(given, ids="item")

    def _fitted_extractor(self) -> Any:
        raise NotImplementedError

    def _fold_in(self, X: Any) -> NDArray:
        extractor = self._fitted_extractor()
        X = in_pandas(X, ids="user")
        if is_frame(X):
            check_item_ids(self._given_item_tags(), X)
        rows = check_interactions(self, X, reset=False)
        return fold_in(extractor.recommender_, rows, type(self).__name__)

    def _take_state(self, fitted: TagTransformer) -> None:
        """Become what a clone was fitted to, all at once."""
        params = self.get_params(deep=False)
        state = {name: value for name, value in vars(fitted).items() if name not in params}
        state.pop("_is_clone", None)  # that is what the fitted one was, and not this
        for name in set(vars(self)) - set(params) - set(state):
            if name.endswith("_"):
                delattr(self, name)
        self.__dict__.update(state)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def set_params(self, **params: Any) -> Any:
        """Set parameters, but none inside a fitted recommender.

        Parameters
        ----------
        **params : dict
            Parameters by name, ``generator__regularization`` and the like for nested ones.

        Returns
        -------
        self : object
            The estimator itself.
        """
        nested = [name for name in params if name.startswith("recommender__")]
        if nested and "recommender" not in params and not is_unfitted_estimator(self.recommender):
            raise ValueError(
                f"{nested[0]} cannot be set: the recommender is fitted, and is explained as it is; "
                f"pass an unfitted one to have it fitted on X"
            )
        return super().set_params(**params)

    def __sklearn_clone__(self) -> Any:
        # scikit-learn would deep-copy factors of gigabytes, and unfit a fitted estimator.
        copied = clone_sharing(self, "recommender", "item_tags")
        copied._is_clone = True
        for attribute in ("_sklearn_output_config", "_metadata_request"):
            if hasattr(self, attribute):
                setattr(copied, attribute, deepcopy(getattr(self, attribute)))
        return copied
