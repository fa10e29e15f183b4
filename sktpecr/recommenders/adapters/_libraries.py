"""Recommenders made of models of Surprise, LightFM, Spark and RecTools."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError

from sktpecr.recommenders._adapter_error import AdapterError
from sktpecr.recommenders._factor_recommender import FactorRecommender
from sktpecr.recommenders._fold_in import RatingsFoldIn
from sktpecr.recommenders.adapters._factors import from_arrays, ranked_fold_in, with_user_biases

# Of Spark: the mean score from which on a model was trained on ratings, and its own default.
_RATINGS_FROM, _SPARK_PENALTY = 0.5, 0.1


def from_surprise(model: Any) -> FactorRecommender:
    """Read SVD, SVD++ or NMF of Surprise: mean + b_u + b_v + p_u q_v."""
    name = type(model).__name__
    if not hasattr(model, "trainset"):
        raise NotFittedError(f"this {name} is not fitted; call its fit(trainset) first")
    if not hasattr(model, "pu"):
        raise AdapterError(
            f"{name} of Surprise has no factors; give DistilledRecommender a function "
            f"predict(users, items) that asks model.estimate(user, item) for each pair"
        )
    trainset, users, items = model.trainset, model.pu, model.qi
    user_biases, item_biases = None, np.zeros(len(items))
    if getattr(model, "biased", True):
        user_biases, item_biases = model.bu, model.bi + trainset.global_mean
    if hasattr(model, "yj"):  # SVD++: what was rated, whatever the rating, says something as well
        rated = [[item for item, _ in trainset.ur[user]] for user in range(len(users))]
        added = [model.yj[some].sum(axis=0) / max(len(some), 1) ** 0.5 for some in rated]
        users = users + np.stack(added)
    users, items = with_user_biases(users, items, user_biases)
    return FactorRecommender(
        users,
        items,
        item_biases,
        fold_in=RatingsFoldIn(items, item_biases),
        user_ids=[trainset.to_raw_uid(row) for row in range(len(users))],
        item_ids=[trainset.to_raw_iid(row) for row in range(len(items))],
    )


def from_lightfm(
    model: Any, user_features: Any = None, item_features: Any = None
) -> FactorRecommender:
    """Read LightFM, p_u q_v + b_u + b_v, of which features make the vectors where it has some."""
    name = type(model).__name__
    if model.item_embeddings is None:
        raise NotFittedError(f"this {name} is not fitted; call its fit(interactions) first")
    sides = []
    for kind, given, represent in (
        ("user", user_features, model.get_user_representations),
        ("item", item_features, model.get_item_representations),
    ):
        features = None if given is None else sp.csr_matrix(given)
        n_known = len(represent()[0])
        if features is not None and features.shape[1] != n_known:
            raise ValueError(
                f"{kind}_features must have a row for each {kind} and a column for each of the "
                f"{n_known} {kind} features that the {name} was trained with, got shape "
                f"{features.shape}"
            )
        sides.append(represent(features))
    (user_biases, users), (item_biases, items) = sides
    users, items = with_user_biases(users, items, user_biases)
    return FactorRecommender(users, items, item_biases.copy(), fold_in=ranked_fold_in(users, items))


def from_spark(model: Any) -> FactorRecommender:
    """Read an ALSModel of Spark, whose factors are two tables of id and features."""
    user_ids, users = _table(model.userFactors)
    item_ids, items = _table(model.itemFactors)
    # The model does not say what it was trained on. Where it was interactions, most scores are
    # near 0; where it was ratings, near the mean rating.
    fold_in = None
    if users.mean(axis=0) @ items.mean(axis=0) > _RATINGS_FROM:
        fold_in = RatingsFoldIn(items, np.zeros(len(items)), alpha=_SPARK_PENALTY)
    return FactorRecommender(users, items, fold_in=fold_in, user_ids=user_ids, item_ids=item_ids)


def _table(frame: Any) -> tuple[NDArray, NDArray]:
    rows = frame.collect()
    ids = np.array([row["id"] for row in rows])
    order = np.argsort(ids)
    factors = np.array([row["features"] for row in rows], dtype=np.float32)
    return ids[order], factors[order]


def from_rectools(model: Any) -> FactorRecommender:
    """Read what a model of RecTools says are its vectors."""
    name = type(model).__name__
    if not model.is_fitted:
        raise NotFittedError(f"this {name} is not fitted; call its fit(dataset) first")
    try:
        inspect.signature(model.get_vectors).bind()
    except TypeError:
        raise AdapterError(
            f"get_vectors of {name} asks for the dataset; give the two arrays that "
            f"{name}.get_vectors(dataset) returns, as a tuple, or with ids as FactorRecommender("
            f"*vectors, user_ids=dataset.user_id_map.external_ids, "
            f"item_ids=dataset.item_id_map.external_ids)"
        ) from None
    return from_arrays(*model.get_vectors())
