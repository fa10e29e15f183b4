"""Items that came after training, scored through their tags."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from sktpecr._inputs._ids import Ids
from sktpecr._inputs._item_tags import check_item_tags, is_frame
from sktpecr._inputs._tables import in_pandas
from sktpecr._utils._rounding import square_root
from sktpecr.recommenders._factor_recommender import FactorRecommender
from sktpecr.recommenders._protocol import (
    as_it_is,
    fold_in,
    item_biases_of,
    item_embeddings_of,
    optional,
)
from sktpecr.recommenders.adapters._as_recommender import as_recommender

_PENALTIES = np.logspace(-2, 5, 15)


class NewItemsRecommender(FactorRecommender):
    r"""Add items that the model was not trained on, with the embeddings that their tags suggest.

    A film of today has tags and no interactions. Until the model is trained again it can be listed,
    explained and refined with the others: its embedding is what a ridge regression of the trained
    items' embeddings on their tags expects. Tag preferences stay those of the trained items.

    Parameters
    ----------
    recommender : object
        A trained model whose score is a dot product, see
        :func:`sktpecr.recommenders.as_recommender`; it is not changed.
    item_tags : DataFrame, array-like or sparse matrix of shape (n_trained, n_tags)
        Tags of the items that it was trained on.
    new_item_tags : DataFrame, array-like or sparse matrix of shape (n_new, n_tags)
        Tags of the new items; their columns come after those of the others. Of two DataFrames the
        index is item ids, and columns are matched by name.

    Attributes
    ----------
    n_trained : int
        Number of items that the model was trained on; the others are new.
    item_tags : DataFrame or csr_matrix of shape (n_trained + n_new, n_tags)
        Tags of all items, which explainers take where they are given none.
    r2_ : float
        Share of the variance of scores over trained items that their tags give, each item left out
        of the regression in turn, and users the recommender's own.
    fidelity : ndarray of shape (n_trained + n_new,)
        1, or what distillation kept, and for new items `r2_` of that, which goes into the fidelity
        of every explanation.
    user_embeddings, item_embeddings, item_biases, user_ids, item_ids
        As those of :class:`FactorRecommender`.

    Raises
    ------
    AdapterError
        If the recommender's score is no dot product.
    ValueError
        If tags do not fit together, are on no trained item, or an item is not new.

    Warns
    -----
    UserWarning
        If tags do not predict the scores of trained items: `r2_` is not above 0.

    See Also
    --------
    FactorRecommender : Says what the attributes are.

    Notes
    -----
    With B the ridge regression of the rows :math:`(q_v, b_v)` on tags :math:`t_v`, the score of a
    new item is :math:`(e_u, 1) \cdot B t_v`, which is linear in its tags. The penalty is the one
    that leaves the smallest mean squared error of the scores of items left out, over users. With
    few tags this tells little of an item, and `r2_` says how little.

    Interactions are as wide as all items: ``X.resize(n_users, n_trained + n_new)``. Those with new
    items keep them out of lists; users are embedded by the others.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import TPECRExplainer
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> from sktpecr.recommenders import NewItemsRecommender
    >>> data = make_tagged_interactions(random_state=0)
    >>> svd = TruncatedSVD(8, random_state=0).fit(data.interactions)
    >>> tags = data.item_tags
    >>> today = tags.iloc[:2].set_axis(["film_a", "film_b"])
    >>> recommender = NewItemsRecommender(svd, tags, today)
    >>> recommender
    NewItemsRecommender(300 trained items, 2 new ones, 8 factors)
    >>> X = data.interactions.copy()
    >>> X.resize(X.shape[0], 302)
    >>> explanation = TPECRExplainer(recommender).fit(X).explain(0, "film_b")
    >>> explanation.scored_by_tags
    True
    """

    def __init__(self, recommender: Any, item_tags: Any, new_item_tags: Any) -> None:
        self._trained = as_it_is(as_recommender(recommender))
        items = item_embeddings_of(self._trained, "NewItemsRecommender")
        biases = item_biases_of(self._trained)
        self.n_trained = len(items)
        trained, new, self.item_tags = _both(item_tags, new_item_tags, self.n_trained)
        users = np.asarray(self._trained.user_embeddings)
        regression, self.r2_ = _regressed(trained, np.column_stack([items, biases]), users)
        expected = regression.predict(new).astype(items.dtype, copy=False)
        super().__init__(
            users,
            np.vstack([items, expected[:, :-1]]),
            np.concatenate([biases, expected[:, -1]]),
            user_ids=optional(self._trained, "user_ids"),
            item_ids=self._all_ids(optional(self._trained, "item_ids")),
        )
        if not self.r2_ > 0:
            warnings.warn(
                "the tags of the trained items do not predict their scores, so new items score "
                "close to the average item; use other tags, or train again",
                stacklevel=2,
            )
        kept = float(optional(self._trained, "fidelity"))
        self.fidelity = np.full(len(self.item_embeddings), kept)
        self.fidelity[self.n_trained :] *= max(self.r2_, 0.0)

    def __repr__(self) -> str:
        n_items, n_factors = self.item_embeddings.shape
        return (
            f"NewItemsRecommender({self.n_trained} trained items, {n_items - self.n_trained} new "
            f"ones, {n_factors} factors)"
        )

    def fold_in(self, X: sp.csr_matrix) -> NDArray:
        """Embed rows of interactions by the trained items of them, the model's own way.

        Parameters
        ----------
        X : sparse matrix or array-like of shape (n, n_trained + n_new)
            Interactions.

        Returns
        -------
        ndarray of shape (n, n_factors)
            User embeddings.
        """
        rows = sp.csr_matrix(X)[:, : self.n_trained]
        embeddings = np.asarray(fold_in(self._trained, rows, "NewItemsRecommender"))
        return embeddings.astype(self.item_embeddings.dtype, copy=False)

    def _all_ids(self, own: Any) -> list[Any] | None:
        """Return the ids of all items: the tables' own, which must be the recommender's too."""
        labels = list(self.item_tags.index) if is_frame(self.item_tags) else None
        if own is None:
            return labels
        if labels is None:
            raise ValueError(
                "item_tags and new_item_tags must be DataFrames with item ids as index, as the "
                "recommender was trained on ids"
            )
        if labels[: self.n_trained] != list(own):
            raise ValueError(
                "item_tags must have the recommender's items in its order; use "
                "item_tags.reindex(recommender.item_ids)"
            )
        return labels


def _both(item_tags: Any, new_item_tags: Any, n_trained: int) -> tuple[NDArray, NDArray, Any]:
    """Return tags of trained and of new items, dense, and of all of them as they were given."""
    item_tags, new = in_pandas(item_tags, ids="item"), in_pandas(new_item_tags, ids="item")
    if is_frame(item_tags) != is_frame(new):
        raise ValueError(
            "item_tags and new_item_tags must be both DataFrames or both arrays, so that their "
            "columns can be matched"
        )
    trained, names = check_item_tags(item_tags, None, n_trained, None)
    if is_frame(new):
        Ids("tag", names, len(names), "item_tags (its columns)").rows(list(new.columns))
        new = new.reindex(columns=item_tags.columns, fill_value=0)
        old = new.index[new.index.isin(item_tags.index)]
        if len(old):
            raise ValueError(f"new_item_tags has items that are not new, such as {old[0]!r}")
    # A tag may well be on none of the new items.
    rows = sp.csr_matrix(new.to_numpy(dtype=np.float64) if is_frame(new) else new, dtype=float)
    if rows.shape[1] != len(names) or not rows.shape[0]:
        raise ValueError(
            f"new_item_tags must have a row for each new item and {len(names)} columns, as "
            f"item_tags has, got shape {rows.shape}"
        )
    if not np.isfinite(rows.data).all() or (rows.data < 0).any():
        raise ValueError("new_item_tags must be finite and not negative; try .fillna(0)")
    every = pd.concat([item_tags, new]) if is_frame(new) else sp.vstack([trained, rows]).tocsr()
    return trained.toarray(), rows.toarray(), every


def _regressed(tags: NDArray, items: NDArray, users: NDArray) -> tuple[Any, float]:
    """Return the regression of items on tags that scores of users are best told by, and its R2."""
    from sklearn.linear_model import Ridge, RidgeCV  # takes long to import

    items = items.astype(np.float64)
    second_moment = np.eye(items.shape[1])  # where nobody is known, all directions count
    if len(users):
        extended = np.column_stack([users.astype(np.float64), np.ones(len(users))])
        second_moment = extended.T @ extended / len(users)
    # Squared lengths after this map are mean squared scores over users.
    scores = items @ square_root(second_moment)
    chosen = RidgeCV(_PENALTIES).fit(tags, scores)
    # best_score_ is minus the mean squared error of items left out, a mean over columns too.
    left = -chosen.best_score_ * scores.shape[1]
    whole = np.square(scores - scores.mean(axis=0)).sum(axis=1).mean()
    share = 1.0 - left / whole if whole > 0 else 0.0
    return Ridge(chosen.alpha_).fit(tags, items), float(share)
