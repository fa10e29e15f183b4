"""Turn the models that users have into recommenders, by duck type: no library is imported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import scipy.sparse as sp
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from sktpecr.recommenders._adapter_error import AdapterError
from sktpecr.recommenders._fold_in import check_columns
from sktpecr.recommenders._protocol import (
    as_it_is,
    check_dot_product,
    is_recommender,
    is_unfitted_estimator,
    n_items_of,
)
from sktpecr.recommenders.adapters._cornac import from_cornac
from sktpecr.recommenders.adapters._decomposition import from_decomposition
from sktpecr.recommenders.adapters._factors import from_arrays, from_factor_model
from sktpecr.recommenders.adapters._lenskit import from_lenskit, from_lenskit_pipeline
from sktpecr.recommenders.adapters._libraries import (
    from_lightfm,
    from_rectools,
    from_spark,
    from_surprise,
)
from sktpecr.recommenders.distilled._boxes import scores_rows
from sktpecr.recommenders.distilled._distilled_recommender import DistilledRecommender

# What a model has, and what makes a recommender of it; the first that fits is taken.
_ADAPTERS: tuple[tuple[tuple[str, ...], Callable[[Any], Any]], ...] = (
    (("get_vectors", "is_fitted"), from_rectools),  # some have factors, too, in other roles
    (("user_factors", "item_factors"), from_factor_model),  # implicit
    (("estimate", "bsl_options"), from_surprise),
    (("get_user_representations", "get_item_representations"), from_lightfm),
    (("uid_map", "iid_map"), from_cornac),
    (("new_user_embedding",), from_lenskit),
    (("node", "component_names"), from_lenskit_pipeline),
    (("userFactors", "itemFactors"), from_spark),
    (("transform", "inverse_transform"), from_decomposition),  # scikit-learn
)
_WRAP = (
    "in TorchRecommender(score, user_embeddings, item_vectors), or, where the score is a dot "
    "product, in FactorRecommender(user_factors, item_factors)"
)
# By package and class: what it is, and the way out.
_NO_USERS = {
    ("torch", "Module"): (
        f"a torch module, which does not say what of it is a user; wrap it {_WRAP}"
    ),
    ("skorch", "NeuralNet"): (
        f"a net of skorch, which does not say what of it is a user; wrap its module_ {_WRAP}, or, "
        f"where its predict(X) scores all items of rows of interactions, wrap it in "
        f"DistilledRecommender(net)"
    ),
}


def as_recommender(model: Any, *, user_features: Any = None, item_features: Any = None) -> Any:
    """Wrap a trained model as a recommender.

    Parameters
    ----------
    model : object
        One of: a recommender already (it has ``user_embeddings`` and ``score_items``); a tuple
        ``(user_factors, item_factors)`` or ``(user_factors, item_factors, item_biases)``; a
        model of `implicit` (ALS, BPR and LMF, on CPU or GPU), Surprise (SVD, SVD++ and NMF),
        LightFM, Cornac (MF, BPR and NeuMF in torch), LensKit (ALS, or a pipeline with one),
        RecTools (what has ``get_vectors()``) or Spark (``ALSModel``); a fitted scikit-learn
        transformer with an affine ``inverse_transform`` (TruncatedSVD, NMF, PCA, a Pipeline that
        ends in one).
    user_features, item_features : {array-like, sparse matrix}, optional
        The features that LightFM was trained with, a row for each user or item: a LightFM model
        knows a vector of each feature, and does not keep who has which. For no other model.

    Returns
    -------
    recommender : object
        `model` itself if it is one, else a :class:`FactorRecommender` over the model's own
        factors, or a :class:`TorchRecommender` over its own network. Where the model was trained
        on raw ids, the recommender has ``user_ids`` and ``item_ids``.

    Raises
    ------
    AdapterError
        If no adapter knows the model.
    ValueError
        If features are given to a model that has none, or not those that it was trained with.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.

    Notes
    -----
    The factors are copies, as large as the model's own, and so are transformers, and what embeds
    new users: to train the model further changes nothing here. Arrays that are read-only, or lie
    in a file (:class:`numpy.memmap`), are not copied. A recommender is taken as it is; what is
    fitted on one that has a ``fit`` keeps what that learned, however it is fitted later. An object
    of a class of one's own that changes its arrays in place goes on being asked: give a
    :func:`copy.deepcopy` of it.

    A model is known by what it has, and no library is imported for it. Scores are the library's
    own, with all biases: what every item scores is in ``item_biases``, what a user adds to all
    items is one more factor, whose item side is 1.

    `implicit` BPR and LMF keep the item biases inside the factors, behind a user column that is
    1 for everyone. A generator must not move such a constant, so it is split off into
    ``item_biases``; scores stay the same.

    Examples
    --------
    >>> import numpy as np
    >>> from sktpecr.recommenders import as_recommender
    >>> as_recommender((np.eye(3, 2), np.ones((5, 2))))
    FactorRecommender(3 users, 5 items, 2 factors)
    """
    name = type(model).__name__
    features = {"user_features": user_features, "item_features": item_features}
    if any(each is not None for each in features.values()):
        if not _is_lightfm(model):
            raise ValueError(f"user_features and item_features are for LightFM, got {name}")
        return from_lightfm(model, **features)
    if is_recommender(model):
        return model
    for base in type(model).__mro__:
        what = _NO_USERS.get((base.__module__.split(".")[0], base.__name__))
        if what is not None:
            raise AdapterError(f"{name} is {what}")
    if isinstance(model, tuple) and len(model) in (2, 3):
        return from_arrays(*model)
    for names, adapt in _ADAPTERS:
        if all(hasattr(model, each) for each in names):
            return adapt(model)
    if is_recommender(type(model)):
        check_is_fitted(model, msg="this %(name)s is not fitted; call its fit(interactions) first")
    raise AdapterError(
        f"{name} has neither user_factors and item_factors, nor transform and "
        f"inverse_transform, nor user_embeddings and score_items; wrap it in "
        f"FactorRecommender(user_factors, item_factors) where the score is a dot product, in "
        f"TorchRecommender(score, user_embeddings, item_vectors) where torch computes it, in "
        f"DistilledRecommender(model) where there is nothing but scores (a function of arrays of "
        f"row and column numbers, or a model with predict), or give it these two methods: "
        f"user_embeddings and score_items"
    )


def resolve_recommender(model: Any, X: sp.csr_matrix) -> Any:
    """Return the recommender behind a model, fitting a clone of it on X if it is not fitted."""
    if model is None or isinstance(model, type):
        what = "None" if model is None else f"the class {model.__name__}"
        raise AdapterError(f"recommender must be a model, got {what}; pass a trained one")
    trains_on_rows = hasattr(model, "transform") or hasattr(model, "score_items")
    if trains_on_rows and is_unfitted_estimator(model):
        try:
            model = clone(model).fit(X)
        except TypeError:  # some take dense arrays only, and say so with a TypeError
            model = clone(model).fit(X.toarray())
    if scores_rows(model):
        # Asked everything, once; who has a smaller budget says so by wrapping it.
        model = DistilledRecommender(model, budget=1.0, random_state=0).fit(X)
    recommender = as_it_is(as_recommender(model))
    if _is_lightfm(model):
        _check_lightfm_has_no_features(recommender, X)
    check_dot_product(recommender)
    n_items = n_items_of(recommender)
    if n_items is not None:
        check_columns(X, n_items)
    return recommender


def _is_lightfm(model: Any) -> bool:
    return hasattr(model, "get_user_representations") and hasattr(model, "get_item_representations")


def _check_lightfm_has_no_features(recommender: Any, X: sp.csr_matrix) -> None:
    """Say that vectors of features are not those of users and items, where there are others."""
    counts = len(recommender.user_embeddings), len(recommender.item_embeddings)
    for kind, side, n_known, n in zip(
        ("user", "item"), ("rows", "columns"), counts, X.shape, strict=True
    ):
        # Fewer rows may be some of its users, as cross-validation gives them.
        if n_known < n or (n_known > n and kind == "item"):
            raise ValueError(
                f"LightFM knows vectors of {n_known} {kind}s or {kind} features, and X has {n} "
                f"{side}; where it was trained with {kind} features, give "
                f"as_recommender(model, {kind}_features=...), else the {side} that it was trained "
                f"on, or as_recommender(model) with users='fold_in'"
            )
