"""What an explainer learns, from interactions or from a recommender that stores its users."""

from __future__ import annotations

import threading
from operator import attrgetter
from typing import Any

from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from sktpecr._inputs._catalogue import Catalogue, check_item_ids
from sktpecr._inputs._tables import check_interactions, in_pandas, is_frame
from sktpecr.recommenders import AdapterError, as_recommender
from sktpecr.recommenders._protocol import (
    check_dot_product,
    is_dot_product,
    n_items_of,
    with_own_ids,
)
from sktpecr.recommenders.adapters._as_recommender import resolve_recommender
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._tag_preference_extractor import TagPreferenceExtractor

# One lock for all explainers: a lock of one's own could not be pickled, and fitting is rare.
_FIT_LOCK = threading.RLock()


def fit_on_interactions(
    explainer: Any, X: Any, user_ids: Any, item_names: Any, train_users: Any
) -> None:
    """Fit an explainer on interactions."""
    # All or nothing: a fit that fails, and another thread, never see half a state.
    fitted = clone(explainer)
    X = in_pandas(X, ids="user")
    item_ids = check_item_ids(explainer._given_item_tags(), X)
    if user_ids is None and is_frame(X):
        user_ids = list(X.index)
    X = check_interactions(fitted, X)
    recommender = resolve_recommender(explainer.recommender, X)
    ids = with_own_ids(recommender, X.shape[0], user_ids, item_ids)
    _learn(fitted, recommender, Catalogue(X.shape, X, *ids, item_names), train_users)
    explainer._take_state(fitted)


def fit_on_stored_users(explainer: Any) -> None:
    """Fit an explainer, unless it is, where no interactions are needed for that."""
    with _FIT_LOCK:
        if not hasattr(explainer, "_tag_model"):
            _fit_on_stored_users(explainer)


def _fit_on_stored_users(explainer: Any) -> None:
    try:
        recommender = as_recommender(explainer.recommender)
        n_users = len(recommender.user_embeddings)
        closed_form = is_dot_product(recommender) and not callable(explainer.aggregate)
    except (AdapterError, NotFittedError):
        n_users, closed_form = 0, False
    if n_users == 0 or explainer.generator is not None or not closed_form:
        check_is_fitted(explainer)  # raises, and says what to do
    explainer._validate_params()
    check_dot_product(recommender)
    fitted = clone(explainer)
    fitted.n_features_in_ = n_items_of(recommender)
    item_ids = check_item_ids(explainer._given_item_tags(), None)
    ids = with_own_ids(recommender, n_users, None, item_ids)
    shape = (n_users, fitted.n_features_in_)
    _learn(fitted, recommender, Catalogue(shape, None, *ids, None), None)
    explainer._take_state(fitted)


def _learn(explainer: Any, recommender: Any, catalogue: Catalogue, train_users: Any) -> None:
    extractor = TagPreferenceExtractor(
        recommender,
        explainer.item_tags,
        tag_names=explainer.tag_names,
        aggregate=explainer.aggregate,
    )
    names = getattr(explainer, "feature_names_in_", None)
    extractor._read(recommender, len(catalogue.items), names)
    parts = explainer.generator, explainer.attribution, explainer.random_state
    explainer._tag_model = TagModel.learn(extractor, catalogue, train_users, *parts)


def learned(path: str) -> Any:
    """Return a property that reads a fitted attribute off the population."""

    def read(self: Any) -> Any:
        """Learned by fit, see the attributes of the class."""
        return attrgetter(path)(self._tag_model)

    return property(read)
