"""From a recommender's scores to tag preferences."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.base import _fit_context, clone
from sklearn.utils import gen_batches
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from sktpecr._inputs._catalogue import check_item_ids
from sktpecr._inputs._item_tags import check_item_tags, is_frame
from sktpecr._inputs._tables import check_interactions, in_pandas
from sktpecr._utils._array_api import as_array, beside, device_of, namespace_of
from sktpecr._utils._blocks import blocks
from sktpecr.recommenders._protocol import (
    check_range,
    is_dot_product,
    item_biases_of,
    optional,
    with_own_ids,
)
from sktpecr.recommenders.adapters._as_recommender import resolve_recommender
from sktpecr.tags._alignment import alignment_of
from sktpecr.tags._steerability import Steerability
from sktpecr.tags._tag_transformer import TagTransformer

# Scores held at a time where they cannot be avoided: 32 MB of float64.
_BLOCK_SCORES = 4_000_000
# A rare tag's mean counts as if this many average items stood beside its own.
_SHRINKAGE_ITEMS = 10.0


class TagPreferenceExtractor(TagTransformer):
    r"""Compute how much a recommender thinks that each user likes each tag.

    The preference for a tag is the mean score of its items. Where the score is a dot product
    this is linear in the user embedding, so the scores are never formed; otherwise they are
    streamed in blocks.

    Parameters
    ----------
    recommender : object
        A trained model, see :func:`sktpecr.recommenders.as_recommender`; used as it is, never
        refitted, and shared by clones. An unfitted scikit-learn estimator is cloned and fitted
        on X.
    item_tags : DataFrame, array-like or sparse matrix of shape (n_items, n_tags), optional
        Tags of the items, 0/1 or weights >= 0; row i belongs to column i of X. None takes those
        that the recommender was trained with, if it was
        (:class:`~sktpecr.recommenders.FactorizationMachine`), else makes every item its own tag.
    tag_names : array-like of shape (n_tags,), optional
        Names of the tags. By default the columns of a DataFrame, else "tag_0" and so on.
    aggregate : {"mean", "shrunk"} or callable, default="mean"
        How the scores of a tag's items become one number. "mean" weighs items by `item_tags`;
        "shrunk" adds ten items of average score to every tag, which steadies rare tags; a
        callable takes the scores of the tag's items, shape (n_users, n_tag_items), and returns
        shape (n_users,). A recommender that predicts tag preferences itself, by a method
        ``tag_scores(embeddings)``, leaves nothing to aggregate.

    Attributes
    ----------
    recommender_ : object
        The recommender that is read.
    tag_names_ : ndarray of shape (n_tags,)
        Names of the tags.
    tag_matrix_ : ndarray of shape (n_tags, n_factors) or None
        The linear map from embeddings to tag preferences, where there is one.
    tag_offsets_ : ndarray of shape (n_tags,) or None
        Its constant: the mean item bias of each tag.
    alignment_ : float
        How well the recommender knows the rows and columns of X, see :class:`TPECRExplainer`.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of shape (n_items,)
        Names of the items, if X was a DataFrame with string columns.

    Notes
    -----
    Equation 2 of the paper, :math:`c_{ut} = Agg\{r_{uv} : v \in V_t\}` [1]_. With
    :math:`r_{uv} = e_u e_v + b_v` and A the item-tag matrix with columns divided by their sums,
    :math:`c_u = M e_u + m` with :math:`M = A^T V` and :math:`m = A^T b`.

    References
    ----------
    .. [1] Xu et al., "A Tag-Based Post-Hoc Framework for Explainable Conversational
       Recommendation", ICTIR 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from sktpecr import TagPreferenceExtractor
    >>> user_factors, item_factors = np.eye(2), np.array([[1.0, 0.0], [3.0, 0.0], [0.0, 5.0]])
    >>> tags = [[1, 0], [1, 0], [0, 1]]
    >>> extractor = TagPreferenceExtractor((user_factors, item_factors), tags)
    >>> extractor.fit(np.eye(2, 3)).tag_preferences(user_factors)
    array([[2., 0.],
           [0., 5.]])
    """

    _parameter_constraints: dict = {
        "recommender": "no_validation",
        "item_tags": "no_validation",
        "tag_names": ["array-like", None],
        "aggregate": [StrOptions({"mean", "shrunk"}), callable],
    }

    def __init__(
        self,
        recommender: Any,
        item_tags: Any = None,
        *,
        tag_names: Iterable[Any] | None = None,
        aggregate: str | Callable[[NDArray], NDArray] = "mean",
    ) -> None:
        self.recommender = recommender
        self.item_tags = item_tags
        self.tag_names = tag_names
        self.aggregate = aggregate

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None) -> TagPreferenceExtractor:
        """Read the recommender and the tags.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_users, n_items)
            Interactions. Nothing is learned from them, unless the recommender is an unfitted
            scikit-learn estimator; it is looked at whether they go with the recommender.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted extractor.

        Raises
        ------
        ValueError
            If ids contradict each other, or rows or columns of X fit the recommender in another
            order.

        Warns
        -----
        UserWarning
            If the recommender cannot tell what users took from what others took
            (``alignment_`` near .5, with a standard error below .02 over at least 200 users).
        """
        # All or nothing: a fit that fails leaves the earlier one.
        fitted = clone(self)
        X = in_pandas(X, ids="user")
        item_ids = check_item_ids(self._given_item_tags(), X)
        X = check_interactions(fitted, X)
        recommender = resolve_recommender(self.recommender, X)
        item_ids = with_own_ids(recommender, X.shape[0], None, item_ids)[1]
        n_users = len(recommender.user_embeddings)
        rows = np.arange(n_users) if n_users == X.shape[0] else np.full(X.shape[0], -1)
        known = recommender.user_embeddings, X, rows, None, item_ids
        fitted.alignment_ = alignment_of(self.recommender, recommender, *known)
        fitted._read(recommender, X.shape[1], getattr(fitted, "feature_names_in_", None))
        self._take_state(fitted)
        return self

    def tag_preferences(self, embeddings: ArrayLike) -> Any:
        """Return the tag preferences of users given by their embeddings.

        Parameters
        ----------
        embeddings : array-like or torch tensor of shape (n, n_factors)
            User embeddings.

        Returns
        -------
        ndarray or tensor of shape (n, n_tags)
            Tag preferences, float32 for float32 embeddings. Of a tensor, a tensor on its device,
            if the score is a dot product.
        """
        self._fitted_extractor()
        given = as_array(embeddings)
        known = self.recommender_.user_embeddings.shape[1]
        if given.ndim != 2 or given.shape[1] != known:
            raise ValueError(
                f"embeddings must have shape (n, {known}), got {tuple(given.shape)}; for rows of "
                f"interactions use transform"
            )
        if self.tag_matrix_ is not None and self.tag_offsets_ is not None:
            return self._linear(given)
        embeddings = np.asarray(given)
        dtype = np.float32 if embeddings.dtype == np.float32 else np.float64
        if optional(self.recommender_, "tag_scores"):
            return self._predicted(embeddings).astype(dtype, copy=False)
        n_items, n_tags = self._item_tags.shape
        preferences = np.empty((len(embeddings), n_tags), dtype=np.float64)
        for rows in gen_batches(len(embeddings), max(1, _BLOCK_SCORES // n_items)):
            preferences[rows] = self._aggregate(self.recommender_.score_items(embeddings[rows]))
        return preferences.astype(dtype, copy=False)

    def tags_of(self, item: int) -> NDArray:
        """Return the tag weights of an item.

        Parameters
        ----------
        item : int
            Column number of the item.

        Returns
        -------
        ndarray of shape (n_tags,)
            Weights, 0 for tags that are not on the item.
        """
        self._fitted_extractor()
        if not 0 <= item < self._tags_by_item.shape[0]:
            raise ValueError(
                f"item must be a column number from 0 to {self._tags_by_item.shape[0] - 1}, "
                f"got {item!r}"
            )
        start, stop = self._tags_by_item.indptr[item : item + 2]
        weights = np.zeros(self._item_tags.shape[1])
        weights[self._tags_by_item.indices[start:stop]] = self._tags_by_item.data[start:stop]
        return weights

    def items_of(self, tag: int) -> NDArray:
        """Return the items of a tag.

        Parameters
        ----------
        tag : int
            Column number of the tag.

        Returns
        -------
        ndarray of int
            Column numbers of the items, ascending.
        """
        self._fitted_extractor()
        n_tags = self._item_tags.shape[1]
        if not 0 <= tag < n_tags:
            raise ValueError(f"tag must be a column number from 0 to {n_tags - 1}, got {tag!r}")
        return _items_of(self._item_tags, tag)

    def steerability(self, embeddings: ArrayLike | None = None) -> Steerability:
        """Tell which tags feedback can steer one by one, and which only together.

        Parameters
        ----------
        embeddings : array-like of shape (n_users, n_factors), optional
            Embeddings of the population, whose standard deviations and correlations count. By
            default those of the recommender's own users.

        Returns
        -------
        Steerability
            Prints as sentences; ``to_frame()`` has a row per tag.

        Raises
        ------
        ValueError
            If there are no embeddings, or they are not finite or of the wrong shape.
        """
        self._fitted_extractor()
        if embeddings is None:
            embeddings = self.recommender_.user_embeddings
        embeddings = np.asarray(embeddings)
        preferences = self.tag_preferences(embeddings)
        if not len(embeddings) or not np.isfinite(preferences).all():
            raise ValueError(
                f"embeddings must be finite numbers of at least one user, got {len(embeddings)} "
                f"users; pass the embeddings of a population, such as explainer.user_embeddings_"
            )
        n_items = np.diff(self._item_tags.indptr)
        return Steerability.of(self.tag_names_, n_items, self.tag_matrix_, embeddings, preferences)

    @property
    def _aggregates_linearly(self) -> bool:
        """Whether tag preferences are weighted means of scores."""
        return not (callable(self.aggregate) or optional(self.recommender_, "tag_scores"))

    def _fitted_extractor(self) -> TagPreferenceExtractor:
        # A turn of feedback asks several times, and the full check takes far longer than this.
        if "recommender_" not in vars(self):
            check_is_fitted(self)
        return self

    def _read(
        self, recommender: Any, n_items: int, feature_names: NDArray | None
    ) -> TagPreferenceExtractor:
        check_range(recommender, recommender.user_embeddings)
        item_tags = self._given_item_tags()
        self._item_tags, self.tag_names_ = check_item_tags(
            item_tags, self.tag_names, n_items, feature_names
        )
        self._tags_by_item = self._item_tags.tocsr()
        self.recommender_ = recommender
        if optional(recommender, "tag_scores"):
            named = self.tag_names is not None or is_frame(item_tags)
            self._check_predicted_tags(self.tag_names_ if named else None)
            self.tag_matrix_, self.tag_offsets_ = self._predicted_linear_map()
        else:
            self.tag_matrix_, self.tag_offsets_ = self._linear_map()
        return self

    def _linear(self, embeddings: Any) -> Any:
        """Return tag preferences where they are an affine function of embeddings."""
        xp = namespace_of(embeddings)
        matrix, offsets = (
            beside(each, embeddings) for each in (self.tag_matrix_, self.tag_offsets_)
        )
        dtype = xp.float32 if embeddings.dtype == xp.float32 else matrix.dtype
        matrix, offsets = xp.astype(matrix.T, dtype), xp.astype(offsets, dtype)
        shape = len(embeddings), len(offsets)
        linear = xp.empty(shape, dtype=dtype, device=device_of(embeddings))
        start = 0
        for block in blocks(embeddings):
            linear[start : start + len(block)] = block @ matrix
            start += len(block)
        if offsets.any():
            linear += offsets
        return linear

    def _predicted(self, embeddings: NDArray) -> NDArray:
        """Return the tag preferences (n, n_tags) that the recommender itself predicts."""
        shape = len(embeddings), self._item_tags.shape[1]
        predicted = np.asarray(self.recommender_.tag_scores(embeddings))
        if predicted.shape != shape or not np.isfinite(predicted).all():
            raise ValueError(
                f"tag_scores of {type(self.recommender_).__name__} must return finite numbers of "
                f"shape {shape}, one column per tag of item_tags, got shape {predicted.shape}; "
                f"pass the item_tags that the recommender was trained with"
            )
        return predicted

    def _check_predicted_tags(self, names: NDArray | None) -> None:
        if self.aggregate != "mean":
            raise ValueError(
                f"aggregate must be 'mean', the default, got {self.aggregate!r}: "
                f"{type(self.recommender_).__name__} predicts tag preferences itself (tag_scores), "
                f"so there are no scores of items to aggregate"
            )
        trained = optional(self.recommender_, "tag_names_")
        if names is None or trained is None or len(names) != len(trained):
            return  # numbers are compared where tags are scored
        for column, (name, other) in enumerate(zip(names, trained, strict=True)):
            if name != other:
                raise ValueError(
                    f"item_tags must have the tags that {type(self.recommender_).__name__} was "
                    f"trained with, in the same order: column {column} is {name!r}, but was "
                    f"{other!r} in training; pass those item_tags, or None to take them"
                )

    def _predicted_linear_map(self) -> tuple[NDArray | None, NDArray | None]:
        users = np.asarray(self.recommender_.user_embeddings)
        n_factors = users.shape[1]
        offsets = self._predicted(np.zeros((1, n_factors)))[0]
        # An affine function is fully known by what it makes of zero and of the axes.
        matrix = (self._predicted(np.eye(n_factors)) - offsets).T
        points = np.random.RandomState(0).standard_normal((3, n_factors))
        expected, found = points @ matrix.T + offsets, self._predicted(points)
        # Scores may come in the precision of the recommender, not of the points.
        rounding = 100 * n_factors * np.finfo(np.result_type(users, np.float32)).eps
        if np.abs(found - expected).max() > rounding * np.abs(expected).max():
            return None, None
        return matrix.astype(np.float64), offsets.astype(np.float64)

    def _linear_map(self) -> tuple[NDArray | None, NDArray | None]:
        recommender = self.recommender_
        if not is_dot_product(recommender) or callable(self.aggregate):
            return None, None
        items = np.column_stack([recommender.item_embeddings, item_biases_of(recommender)])
        aggregated = self._aggregate(items.T.astype(np.float64)).T
        return aggregated[:, :-1], aggregated[:, -1]

    def _aggregate(self, scores: NDArray) -> NDArray:
        """Aggregate scores (n, n_items) to (n, n_tags), those of trained items."""
        weights = self._item_tags
        n_trained = optional(self.recommender_, "n_trained")
        if n_trained is not None:
            weights, scores = weights[:n_trained], scores[:, :n_trained]
        if callable(self.aggregate):
            of_tags = [
                np.asarray(self.aggregate(scores[:, _items_of(weights, tag)]))
                for tag in range(weights.shape[1])
            ]
            for aggregated in of_tags:
                if aggregated.shape != (len(scores),) or not np.isfinite(aggregated).all():
                    raise ValueError(
                        f"aggregate must return one finite number per user, shape "
                        f"({len(scores)},), got shape {aggregated.shape}; aggregate over axis 1, "
                        f"as in lambda scores: numpy.median(scores, axis=1)"
                    )
            return np.column_stack(of_tags)
        totals = np.asarray(weights.sum(axis=0)).ravel()
        sums = np.asarray(weights.T @ scores.T).T
        if self.aggregate == "shrunk":
            # Weights count by how many equal ones they are worth (Kish), whatever their unit.
            n_items = totals**2 / np.asarray(weights.multiply(weights).sum(axis=0)).ravel()
            mean_score = scores.mean(axis=1, keepdims=True)
            return (sums / totals * n_items + _SHRINKAGE_ITEMS * mean_score) / (
                n_items + _SHRINKAGE_ITEMS
            )
        return sums / totals


def _items_of(weights: sp.csc_matrix, tag: int) -> NDArray:
    return weights.indices[weights.indptr[tag] : weights.indptr[tag + 1]]
