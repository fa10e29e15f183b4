"""What a recommender must have, what it may have, and how it is asked; all others ask here.

It must have ``user_embeddings`` and ``score_items``.
"""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from sktpecr._inputs._tables import difference
from sktpecr._utils._blocks import blocks
from sktpecr._utils._differences import differences
from sktpecr.recommenders._adapter_error import AdapterError
from sktpecr.recommenders._factor_recommender import FactorRecommender
from sktpecr.recommenders._fold_in import RidgeFoldIn

# What it may have, and what stands for it where it has not.
_OPTIONAL: dict[str, Any] = {
    # Scores are the dot product with these, (n_items, n_factors), plus these, (n_items,).
    "item_embeddings": None,
    "item_biases": None,
    # Its own way to embed rows of interactions.
    "fold_in": None,
    # Scores that torch can differentiate, and gradients that are there already.
    "score_items_torch": None,
    "item_gradients": None,
    # The loss that it was trained with.
    "feedback_loss": "bpr",
    # Raw ids that it was trained on.
    "user_ids": None,
    "item_ids": None,
    # Tags of the items that it was trained with, and preferences for them that it predicts itself.
    "item_tags": None,
    "tag_names_": None,
    "tag_scores": None,
    # How many items it was trained on, where that is not all of them.
    "n_trained": None,
    # The share of the scores that factors kept: a number, or one for each item.
    "fidelity": 1.0,
    # What the box that factors stand for says itself of a pair.
    "own_score": None,
}


def optional(recommender: Any, name: str) -> Any:
    """Return what a recommender may have, or what stands for it; nothing else may be asked."""
    return getattr(recommender, name, _OPTIONAL[name])


def is_recommender(model: Any) -> bool:
    """Tell whether a model, or a class, has what every recommender must have."""
    return hasattr(model, "user_embeddings") and hasattr(model, "score_items")


def is_unfitted_estimator(model: Any) -> bool:
    """Tell whether a model is a scikit-learn estimator that has not been fitted."""
    if not isinstance(model, BaseEstimator):
        return False
    try:
        check_is_fitted(model)
    except NotFittedError:
        return True
    return False


def as_it_is(model: Any) -> Any:
    """Return a fitted model that stays so when the one given is fitted again, which replaces."""
    if hasattr(model, "fit"):
        with suppress(TypeError):  # what cannot be copied is shared
            return copy.copy(model)
    return model


def clone_sharing(estimator: Any, model: str, *shared: str) -> Any:
    """Clone an estimator that keeps some parameters as they are, a fitted model among them."""
    params = estimator.get_params(deep=False)
    if not is_unfitted_estimator(params[model]):
        shared = (*shared, model)
    kept = {name: params[name] for name in shared}
    copied = {name: clone(params[name], safe=False) for name in params.keys() - kept}
    return type(estimator)(**kept, **copied)


def is_dot_product(recommender: Any) -> bool:
    """Tell whether scores are dot products of embeddings, plus biases of the items."""
    return optional(recommender, "item_embeddings") is not None


def item_embeddings_of(recommender: Any, asker: str) -> NDArray:
    """Return the items' embeddings, or say that `asker` needs them and the score has none."""
    if not is_dot_product(recommender):
        raise AdapterError(
            f"{asker} needs a recommender that scores by dot products, and "
            f"{type(recommender).__name__} has no item_embeddings. Distil it first: "
            f"DistilledRecommender"
        )
    return np.asarray(recommender.item_embeddings)


def item_biases_of(recommender: Any) -> NDArray:
    """Return what each item scores for everyone, of a recommender that scores by dot products."""
    biases = optional(recommender, "item_biases")
    return np.zeros(len(recommender.item_embeddings)) if biases is None else np.asarray(biases)


def n_items_of(recommender: Any) -> int | None:
    """Return how many items a recommender scores; None if it has no user to try it on."""
    if is_dot_product(recommender):
        return len(recommender.item_embeddings)
    users = recommender.user_embeddings
    return recommender.score_items(users[:1]).shape[1] if len(users) else None


def item_gradients(recommender: Any, embedding: NDArray) -> NDArray:
    """Return what one more of each factor adds to the score of each item, at an embedding."""
    # `embedding` (n_factors,); returns (n_items, n_factors).
    if is_dot_product(recommender):
        return np.asarray(recommender.item_embeddings)
    if optional(recommender, "item_gradients"):
        return np.asarray(recommender.item_gradients(embedding))
    dtype = np.asarray(recommender.score_items(embedding[np.newaxis])).dtype
    return differences(lambda rows: np.asarray(recommender.score_items(rows)), embedding, dtype).T


def fold_in(recommender: Any, X: sp.csr_matrix, asker: str = "the explainer") -> NDArray:
    """Embed rows of interactions the recommender's own way, or else by ridge regression."""
    embed = optional(recommender, "fold_in")
    if embed is None and not is_dot_product(recommender):
        raise ValueError(
            f"{type(recommender).__name__} cannot embed interactions ({X.shape[0]} rows of them, "
            f"asked by {asker}) that are not those of its {len(recommender.user_embeddings)} known "
            f"users: it has no fold_in(X); give it one"
        )
    if embed is None:
        embed = RidgeFoldIn(np.asarray(recommender.item_embeddings))
    with np.errstate(over="ignore", invalid="ignore"):  # looked for at the end
        embeddings = embed(X)
    if not np.isfinite(embeddings).all():
        raise ValueError(
            f"interactions have values so large that embeddings of them are beyond what "
            f"{np.asarray(embeddings).dtype} can hold"
        )
    return embeddings


def with_own_ids(recommender: Any, n_users: int, user_ids: Any, item_ids: Any) -> tuple[Any, Any]:
    """Return raw ids, those that the recommender was trained on where no others were given."""
    own_users, own = optional(recommender, "user_ids"), optional(recommender, "item_ids")
    if user_ids is None and own_users is not None and len(own_users) == n_users:
        user_ids = np.asarray(own_users).tolist()
    if own is None:
        return user_ids, item_ids
    own = np.asarray(own).tolist()
    given = own if item_ids is None else list(item_ids)
    if len(given) == len(own) and given != own:  # who counts otherwise is told so elsewhere
        wrong, strangers = difference(given, own, "of them are not among those", "they")
        way_out = (
            "bring columns of X and the index of item_tags into the order of "
            "as_recommender(model).item_ids"
        )
        if strangers:
            way_out = f"give the same kind of ids, such as {own[0]!r}"
        raise ValueError(
            f"the index of item_tags contradicts the item ids that the "
            f"{type(recommender).__name__} was trained on: {wrong}; {way_out}"
        )
    return user_ids, given


def check_dot_product(recommender: Any) -> None:
    """Make sure that a recommender with item_embeddings scores by their dot product."""
    for name in ("user_embeddings", "item_embeddings", "item_biases"):
        if hasattr(getattr(recommender, name, None), "detach"):
            raise ValueError(
                f"{name} of {type(recommender).__name__} must be an array, got a tensor; give "
                f"{name}.detach().cpu().float().numpy()"
            )
    if isinstance(recommender, FactorRecommender) or not is_dot_product(recommender):
        return
    items = np.asarray(recommender.item_embeddings, dtype=np.float64)
    users = np.random.RandomState(0).standard_normal((3, items.shape[1]))
    expected = users @ items.T + item_biases_of(recommender)
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
    factors, biases = [np.asarray(embeddings)], 0.0
    if is_dot_product(recommender):
        factors.append(np.asarray(recommender.item_embeddings))
        biases = _largest(item_biases_of(recommender))
    # Dot products are computed in the type of the items.
    dtype = np.result_type(factors[-1], np.float32)
    # Below the square root on both sides, with some room for sums.
    low, high = np.finfo(dtype).tiny ** 0.45, np.finfo(dtype).max ** 0.45
    sizes = [_largest(each) for each in factors]
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
    # In blocks: the numbers may lie in a file that is larger than memory.
    extremes = [(float(each.max()), -float(each.min())) for each in blocks(values) if each.size]
    return float(np.max(extremes, initial=0.0))
