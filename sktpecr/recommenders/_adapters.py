"""Turn the models that users have into recommenders, by duck type: no library is imported."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from sktpecr.recommenders._factor_recommender import (
    FactorRecommender,
    RidgeFoldIn,
    check_factors,
)


class AdapterError(TypeError):
    """No adapter knows this model; the message says what it lacks and what to do.

    Examples
    --------
    >>> from sktpecr.recommenders import as_recommender
    >>> as_recommender("a model")
    Traceback (most recent call last):
    ...
    sktpecr.recommenders._adapters.AdapterError: str has neither ...
    """


def as_recommender(model: Any) -> Any:
    """Wrap a trained model as a recommender.

    Parameters
    ----------
    model : object
        One of: a recommender already (it has ``user_embeddings`` and ``score_items``); a model
        with ``user_factors`` and ``item_factors``, as `implicit`'s ALS, BPR and LMF have, on CPU
        or GPU; a fitted scikit-learn transformer with an affine ``inverse_transform``
        (TruncatedSVD, NMF, PCA, a Pipeline that ends in one); a tuple
        ``(user_factors, item_factors)`` or ``(user_factors, item_factors, item_biases)``.

    Returns
    -------
    recommender : object
        `model` itself if it is one, else a :class:`FactorRecommender` over the model's own
        factors.

    Raises
    ------
    AdapterError
        If no adapter knows the model.
    sklearn.exceptions.NotFittedError
        If the model is not fitted.

    Notes
    -----
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
    if hasattr(model, "user_embeddings") and hasattr(model, "score_items"):
        return model
    if _is_torch_module(model):
        raise AdapterError(
            f"{type(model).__name__} is a torch module, which does not say what of it is a user; "
            f"wrap it in TorchRecommender(score, user_embeddings, item_vectors), or, where the "
            f"score is a dot product, in FactorRecommender(user_factors, item_factors)"
        )
    if isinstance(model, tuple) and len(model) in (2, 3):
        return _from_arrays(*model)
    if hasattr(model, "user_factors") and hasattr(model, "item_factors"):
        return _from_factor_model(model)
    if hasattr(model, "transform") and hasattr(model, "inverse_transform"):
        return _from_decomposition(model)
    if hasattr(type(model), "user_embeddings") and hasattr(type(model), "score_items"):
        check_is_fitted(model, msg="this %(name)s is not fitted; call its fit(interactions) first")
    raise AdapterError(
        f"{type(model).__name__} has neither user_factors and item_factors, nor transform and "
        f"inverse_transform, nor user_embeddings and score_items; wrap it in "
        f"FactorRecommender(user_factors, item_factors) where the score is a dot product, in "
        f"TorchRecommender(score, user_embeddings, item_vectors) where torch computes it, in "
        f"DistilledRecommender(model) where there is nothing but scores, or give it the last two"
    )


def _is_torch_module(model: Any) -> bool:
    return any(
        base.__module__.startswith("torch.") and base.__name__ == "Module"
        for base in type(model).__mro__
    )


def _from_arrays(
    user_factors: ArrayLike, item_factors: ArrayLike, item_biases: ArrayLike | None = None
) -> FactorRecommender:
    plain = FactorRecommender(user_factors, item_factors, item_biases)
    users, items, biases = _split_constants(plain.user_embeddings, plain.item_embeddings)
    return FactorRecommender(users, items, plain.item_biases + biases)


def _from_factor_model(model: Any) -> FactorRecommender:
    name = type(model).__name__
    if model.user_factors is None or model.item_factors is None:
        raise NotFittedError(f"this {name} is not fitted; call its fit(interactions) first")
    if hasattr(model, "to_cpu") and hasattr(model.user_factors, "to_numpy"):
        # What is kept, pickled or saved must load on a machine without a GPU.
        model = model.to_cpu()
    all_users = check_factors(model.user_factors, f"{name}.user_factors", ndim=2)
    all_items = check_factors(model.item_factors, f"{name}.item_factors", ndim=2)
    users, items, biases = _split_constants(all_users, all_items)
    # Copies: these models train in place, and what was explained must not change under an
    # explainer that was fitted on it.
    users, items = users.copy(), items.copy()
    fold_in: Any
    if hasattr(model, "YtY") and hasattr(model, "recalculate_user"):
        fold_in = _LeastSquaresFoldIn(model)
    else:
        # Trained on ranks or on logits. Measured on MovieLens-1M BPR: with a heavy penalty and
        # the known users' length, 6 of 10 items agree with the model's own list, with a light
        # penalty and no length less than 1.
        rms = float(np.sqrt(np.mean(np.sum(np.square(users, dtype=np.float64), axis=1))))
        fold_in = RidgeFoldIn(items, alpha=10.0, length=rms)
    return FactorRecommender(users, items, biases, fold_in=fold_in)


def _split_constants(users: NDArray, items: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Move user columns that are 1 for everyone into item biases."""
    constant = (users == 1).all(axis=0) if len(users) else np.zeros(users.shape[1], dtype=bool)
    if constant.all():  # nothing would be left to explain by
        constant[:] = False
    biases = items[:, constant].sum(axis=1)
    if not constant.any():
        return users, items, biases
    return users[:, ~constant], items[:, ~constant], biases


class _LeastSquaresFoldIn:
    """Embed rows as `implicit`'s ALS does, without keeping its user factors a second time."""

    def __init__(self, model: Any) -> None:
        self.model = copy.copy(model)
        self.model.user_factors = None

    def __call__(self, X: sp.csr_matrix) -> NDArray:
        if X.shape[0] == 0:
            return np.empty((0, self.model.item_factors.shape[1]), dtype=np.float32)
        return self.model.recalculate_user(np.arange(X.shape[0]), X.astype(np.float32))


def _from_decomposition(model: Any) -> FactorRecommender:
    check_is_fitted(model)
    name = type(model).__name__
    last = model[-1] if hasattr(model, "steps") else model
    components = getattr(last, "components_", None)
    transform = _Transform(model, np.float64 if components is None else components.dtype)
    if components is None:
        n_factors = transform(sp.csr_matrix(np.ones((1, model.n_features_in_)))).shape[1]
    else:
        n_factors = len(components)
    # An affine inverse_transform is fully known by what it makes of zero and of the axes.
    biases = np.asarray(model.inverse_transform(np.zeros((1, n_factors))))[0]
    factors = (np.asarray(model.inverse_transform(np.eye(n_factors))) - biases).T
    points = np.random.RandomState(0).standard_normal((3, n_factors))
    expected = points @ factors.T + biases
    if not np.allclose(
        model.inverse_transform(points), expected, atol=1e-4 * np.abs(expected).max()
    ):
        raise AdapterError(
            f"the inverse_transform of {name} is not affine, so its scores are no dot product; "
            f"wrap it in an object with user_embeddings and score_items"
        )
    return FactorRecommender(
        np.empty((0, n_factors), dtype=transform.dtype),
        factors.astype(transform.dtype),
        biases.astype(transform.dtype),
        fold_in=transform,
    )


class _Transform:
    """Embed rows with a fitted transformer."""

    def __init__(self, model: Any, dtype: Any) -> None:
        self.model = model
        self.dtype = np.dtype(dtype)

    def __call__(self, X: sp.csr_matrix) -> NDArray:
        X = X.astype(self.dtype)  # NMF takes nothing but the type it was fitted on
        try:
            return np.asarray(self.model.transform(X))
        except (TypeError, ValueError):  # how those that take dense arrays only say so
            return np.asarray(self.model.transform(X.toarray()))
