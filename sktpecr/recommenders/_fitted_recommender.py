"""What estimators that learn a recommender have in common."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from sktpecr.recommenders._factor_recommender import FactorRecommender

Method = TypeVar("Method", bound=Callable[..., Any])


def asked_of_fitted(method: Method) -> Method:
    """Return a method, documented as another one, that asks the fitted recommender for it."""

    @wraps(method)
    def ask(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(self._read(), method.__name__)(*args, **kwargs)

    return ask  # type: ignore[return-value]


class FittedRecommender(BaseEstimator):
    """Base of estimators whose ``fit`` makes a recommender, `_fitted`, and that answer as it."""

    score_items = asked_of_fitted(FactorRecommender.score_items)

    @property
    def user_embeddings(self) -> NDArray:
        """Embeddings of the users of fit, shape (n_users, n_factors)."""
        return self._read().user_embeddings

    def _read(self) -> Any:
        # As an AttributeError it makes hasattr say that an unfitted one is no recommender yet.
        check_is_fitted(self, msg="this %(name)s is not fitted; call its fit(interactions) first")
        return self._fitted

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_fitted")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
