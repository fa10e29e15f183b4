"""What the estimators over a recommender have in common: a fitted recommender stays as it is."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import _check_feature_names_in

from sktpecr._inputs._catalogue import check_item_ids
from sktpecr._inputs._tables import check_interactions, in_pandas, is_frame
from sktpecr._utils._blocks import blocks
from sktpecr.recommenders import AdapterError, DistilledRecommender, as_recommender
from sktpecr.recommenders._factor_recommender import FactorRecommender, RidgeFoldIn
from sktpecr.recommenders.distilled._boxes import is_unfitted_estimator, scores_rows


class TagTransformer(TransformerMixin, BaseEstimator):
    """What the extractor and the explainer have in common.

    Both are transformers from interactions to tag preferences, and both leave a fitted
    recommender as it is: clones share it, and the item tags, instead of copying them.
    """

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
            given = getattr(self.recommender, "item_tags", None)
        return in_pandas(given, ids="item")

    def _fitted_extractor(self) -> Any:
        raise NotImplementedError

    def _fold_in(self, X: Any) -> NDArray:
        extractor = self._fitted_extractor()
        X = in_pandas(X, ids="user")
        if is_frame(X):
            check_item_ids(self._given_item_tags(), X)
        return fold_in(extractor.recommender_, check_interactions(self, X, reset=False))

    def _take_state(self, fitted: TagTransformer) -> None:
        """Become what a clone was fitted to, all at once."""
        params = self.get_params(deep=False)
        state = {name: value for name, value in vars(fitted).items() if name not in params}
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
        shared = {"item_tags"}
        if not is_unfitted_estimator(self.recommender):
            shared.add("recommender")
        params = self.get_params(deep=False)
        copied = type(self)(
            **{
                name: value if name in shared else clone(value, safe=False)
                for name, value in params.items()
            }
        )
        for attribute in ("_sklearn_output_config", "_metadata_request"):
            if hasattr(self, attribute):
                setattr(copied, attribute, deepcopy(getattr(self, attribute)))
        return copied


def fold_in(recommender: Any, X: sp.csr_matrix) -> NDArray:
    """Embed rows of interactions the recommender's own way, or else by ridge regression."""
    embed: Any
    if hasattr(recommender, "fold_in"):
        embed = recommender.fold_in
    elif hasattr(recommender, "item_embeddings"):
        embed = RidgeFoldIn(np.asarray(recommender.item_embeddings))
    else:
        raise ValueError(
            f"{type(recommender).__name__} cannot embed interactions ({X.shape[0]} rows of them) "
            f"that are not those of its {len(recommender.user_embeddings)} known users: it has no "
            f"fold_in(X); give it one"
        )
    with np.errstate(over="ignore", invalid="ignore"):  # looked for at the end
        embeddings = embed(X)
    if not np.isfinite(embeddings).all():
        raise ValueError(
            f"interactions have values so large that embeddings of them are beyond what "
            f"{np.asarray(embeddings).dtype} can hold"
        )
    return embeddings


def resolve_recommender(model: Any, X: sp.csr_matrix) -> Any:
    """Return the recommender behind a model, fitting a clone of it on X if it is not fitted."""
    if model is None or isinstance(model, type):
        what = "None" if model is None else f"the class {model.__name__}"
        raise AdapterError(f"recommender must be a model, got {what}; pass a trained one")
    trains_on_rows = hasattr(model, "transform") or hasattr(model, "score_items")
    if is_unfitted_estimator(model) and trains_on_rows:
        try:
            model = clone(model).fit(X)
        except TypeError:  # some take dense arrays only, and say so with a TypeError
            model = clone(model).fit(X.toarray())
    if scores_rows(model):
        # Asked everything, once; who has a smaller budget says so by wrapping it.
        model = DistilledRecommender(model, budget=1.0, random_state=0).fit(X)
    recommender = as_recommender(model)
    check_dot_product(recommender)
    n_items = n_items_of(recommender)
    if n_items not in (None, X.shape[1]):
        raise ValueError(
            f"X has {X.shape[1]} columns, but the recommender knows {n_items} items; rows of X are "
            f"users, columns are items, in the order it was trained on"
        )
    return recommender


def check_dot_product(recommender: Any) -> None:
    """Make sure that a recommender with item_embeddings scores by their dot product."""
    if isinstance(recommender, FactorRecommender) or not hasattr(recommender, "item_embeddings"):
        return
    items = np.asarray(recommender.item_embeddings, dtype=np.float64)
    users = np.random.RandomState(0).standard_normal((3, items.shape[1]))
    expected = users @ items.T + np.asarray(getattr(recommender, "item_biases", 0.0))
    scores = np.asarray(recommender.score_items(users))
    if scores.shape != expected.shape or not np.allclose(
        scores, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max()
    ):
        raise AdapterError(
            f"{type(recommender).__name__} has item_embeddings, but its score_items is not their "
            f"dot product with user embeddings plus item_biases; rename item_embeddings if the "
            f"score is something else"
        )


def check_range(recommender: Any, embeddings: NDArray) -> None:
    """Make sure that products and squares of the recommender's numbers are numbers, too."""
    # Beyond that, scores turn into infinities, or into zeros, which is worse: nobody sees it.
    items = getattr(recommender, "item_embeddings", None)
    factors = [np.asarray(embeddings)] + ([] if items is None else [np.asarray(items)])
    dtype = np.result_type(*factors, np.float32)
    # Below the square root on both sides, with some room for sums.
    low, high = np.finfo(dtype).tiny ** 0.45, np.finfo(dtype).max ** 0.45
    sizes = [_largest(each) for each in factors]
    biases = _largest(np.asarray(getattr(recommender, "item_biases", 0.0)))
    for size, what in (
        (sizes[0], "user embeddings"),
        (sizes[-1], "item embeddings"),
        (sizes[0] * sizes[-1], "scores"),
        (max(biases, low) if biases else 0.0, "item biases"),
    ):
        if size and not low <= size <= high:
            way_out = " in float64, or" if dtype == np.float32 else ""
            raise ValueError(
                f"the {what} of {type(recommender).__name__} are of size {size:.1g}, and {dtype} "
                f"cannot hold the squares of such numbers; give them{way_out} times a constant"
            )


def _largest(values: NDArray) -> float:
    """Return the largest number in size, as a float that products of it do not overflow."""
    if not values.ndim:
        return abs(float(values))
    return max((_extreme(block) for block in blocks(values) if block.size), default=0.0)


def _extreme(values: NDArray) -> float:
    return max(float(values.max()), -float(values.min()))


def n_items_of(recommender: Any) -> int | None:
    """Return how many items a recommender scores; None if it has no user to try it on."""
    if hasattr(recommender, "item_embeddings"):
        return len(recommender.item_embeddings)
    users = recommender.user_embeddings
    return recommender.score_items(users[:1]).shape[1] if len(users) else None
