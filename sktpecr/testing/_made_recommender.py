"""The recommender that a contract is about, and what is known of it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sktpecr._inputs._tables import canonical
from sktpecr.recommenders._protocol import fold_in, is_dot_product, optional
from sktpecr.recommenders.adapters._as_recommender import resolve_recommender


class MadeRecommender(NamedTuple):
    """A recommender, interactions, the model's own scores, and the embeddings of the rows."""

    recommender: Any
    X: sp.csr_matrix
    own_scores: Any
    embeddings: NDArray  # the stored ones where there are such

    @classmethod
    def of(cls, model: Any, interactions: Any, own_scores: Any) -> MadeRecommender:
        """Make a recommender of what a contract's ``make`` returned."""
        X = sp.csr_matrix(interactions)
        X = canonical(X if X.dtype == np.float32 else X.astype(np.float64))
        recommender = resolve_recommender(model, X)
        embeddings = np.array(recommender.user_embeddings)  # a copy: what is wrong may write
        if not len(embeddings):
            embeddings = fold_in(recommender, X)
        return cls(recommender, X, own_scores, embeddings)

    @property
    def folds_in(self) -> bool:
        """Whether rows of interactions can be embedded."""
        has_own = optional(self.recommender, "fold_in") is not None
        return has_own or is_dot_product(self.recommender)

    def own(self, users: NDArray, items: NDArray) -> NDArray:
        """Return the model's own scores of pairs."""
        own = self.own_scores
        found = own(users, items) if callable(own) else np.asarray(own)[users, items]
        return np.asarray(found, dtype=np.float64)

    def gradients(self, embedding: NDArray) -> dict[str, NDArray]:
        """Return the gradients of all scores at an embedding, by whatever gives them."""
        recommender, found = self.recommender, {}
        if optional(recommender, "item_gradients"):
            found["item_gradients"] = np.asarray(recommender.item_gradients(embedding), np.float64)
        if optional(recommender, "score_items_torch"):
            import torch

            user = torch.tensor(embedding[np.newaxis], requires_grad=True)
            scores = recommender.score_items_torch(user)[0]
            rows = [torch.autograd.grad(score, user, retain_graph=True)[0][0] for score in scores]
            found["score_items_torch"] = torch.stack(rows).double().numpy()
        return found
