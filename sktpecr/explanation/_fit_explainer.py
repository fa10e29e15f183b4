"""What an explainer learns, from interactions or from a recommender that stores its users."""

from __future__ import annotations

import inspect
import re
import threading
import warnings
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from sktpecr._inputs._catalogue import Catalogue, check_item_ids
from sktpecr._inputs._tables import check_interactions, in_pandas, is_frame
from sktpecr.attribution import AccountAttribution
from sktpecr.recommenders import AdapterError, as_recommender
from sktpecr.recommenders._own_rows import embeddings_of_rows, own_rows
from sktpecr.recommenders._protocol import (
    as_it_is,
    check_dot_product,
    is_dot_product,
    n_items_of,
    with_own_ids,
)
from sktpecr.recommenders.adapters._as_recommender import resolve_recommender
from sktpecr.tags._alignment import alignment_of
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._tag_preference_extractor import TagPreferenceExtractor

# One lock for all explainers: a lock of one's own could not be pickled, and fitting is rare.
_FIT_LOCK = threading.RLock()
# Fewer users say too little of what tags say.
_ENOUGH = 200


def fit_on_interactions(
    explainer: Any, X: Any, user_ids: Any, item_names: Any, train_users: Any, users: Any
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
    catalogue = Catalogue(X.shape, X, *ids, item_names)
    rows = own_rows(recommender, X.shape[0], ids[0], users, explainer._is_clone)
    embeddings = embeddings_of_rows(recommender, X, rows)
    fitted.alignment_ = alignment_of(explainer.recommender, recommender, embeddings, X, rows, *ids)
    _learn(fitted, recommender, catalogue, embeddings, rows < 0, train_users)
    explainer._take_state(fitted)


def fit_on_stored_users(explainer: Any) -> None:
    """Fit an explainer, unless it is, where no interactions are needed for that."""
    with _FIT_LOCK:
        if not hasattr(explainer, "_tag_model"):
            _fit_on_stored_users(explainer)


def _fit_on_stored_users(explainer: Any) -> None:
    try:
        recommender = as_it_is(as_recommender(explainer.recommender))
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
    catalogue = Catalogue(shape, None, *ids, None)
    fitted.alignment_ = np.nan
    nobody = np.zeros(n_users, dtype=bool)
    _learn(fitted, recommender, catalogue, recommender.user_embeddings, nobody, None)
    explainer._take_state(fitted)


def _learn(
    explainer: Any,
    recommender: Any,
    catalogue: Catalogue,
    embeddings: NDArray,
    folded: NDArray,
    train_users: Any,
) -> None:
    extractor = TagPreferenceExtractor(
        recommender,
        explainer.item_tags,
        tag_names=explainer.tag_names,
        aggregate=explainer.aggregate,
    )
    names = getattr(explainer, "feature_names_in_", None)
    extractor._read(recommender, len(catalogue.items), names)
    parts = explainer.generator, explainer.attribution, explainer.random_state
    explainer._tag_model = TagModel.learn(
        extractor, catalogue, embeddings, folded, train_users, *parts
    )
    _doubt_tags(explainer._tag_model)


def _doubt_tags(tag_model: TagModel) -> None:
    """Warn where tags explain scores no better than random tags do."""
    account, n_users = tag_model.attribution, int(tag_model.learners.sum())
    # A tag for each item is the same tag wherever it is dealt.
    if (
        type(account) is not AccountAttribution
        or n_users < _ENOUGH
        or tag_model.n_tagged.max() == 1
    ):
        return
    told, by_chance = account.explained_.mean(), account.explained_by_chance_.mean()
    n_tags, n_used = len(account.used_), int(account.used_.sum())
    # Of dealt tags one in a hundred is taken for one that says something.
    if told < by_chance and binom.sf(n_used - 1, n_tags, 0.01) > 0.01:
        warnings.warn(
            f"item_tags explain the scores no better than random tags would: only {n_used} of "
            f"{n_tags} tags explain anything. Either the rows of item_tags are in another "
            f"order than the columns of X (bring them in line with item_tags.reindex(item_ids)), "
            f"or these tags have nothing to do with what people like",
            UserWarning,
            stacklevel=2,
        )


class _Learned(property):
    """A fitted attribute, which says of itself what its class's docstring says of it."""

    def __set_name__(self, owner: type, name: str) -> None:
        lines = re.search(
            rf"^    (?:\w+, )*{name}(?:, \w+)* : .*\n((?:        .*\n)+)", owner.__doc__ or "", re.M
        )
        self.__doc__ = inspect.cleandoc(lines[1]) if lines else None


def learned(path: str) -> Any:
    """Return a property that reads a fitted attribute off the population."""

    def read(self: Any) -> Any:
        return attrgetter(path)(self._tag_model)

    return _Learned(read)
