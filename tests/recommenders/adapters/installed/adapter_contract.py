"""What the tests of all libraries share: data to train on, and what the manual says."""

import numpy as np
import pandas as pd
import scipy.sparse as sp

from sktpecr.datasets import make_tagged_interactions
from sktpecr.recommenders import as_recommender
from sktpecr.testing import RecommenderContract


def _ratings():
    """Return ratings from 1 to 5; nobody has rated everything, which Cornac would not survive."""
    data = make_tagged_interactions(120, 80, 4, density=0.15, random_state=0)
    X = data.interactions.tolil()
    X[np.diff(data.interactions.indptr) > 60, ::2] = 0
    users, items = X.nonzero()
    ratings = np.random.RandomState(0).randint(1, 6, size=len(users)) + 2 * (items % 4 == users % 4)
    return sp.csr_matrix((np.clip(ratings, 1, 5).astype(np.float32), (users, items)), X.shape)


X = _ratings()


def long_table(X, user="user", item="item", rating="rating", ids=int):
    """Return ratings as a table in no order, whose ids are row and column numbers of X."""
    users, items = X.nonzero()
    columns = {
        user: map(ids, users),
        item: map(ids, items),
        rating: X[users, items].A1.astype(float),
    }
    table = pd.DataFrame({name: list(values) for name, values in columns.items()})
    return table.sample(frac=1.0, random_state=0, ignore_index=True)


class AdapterContract(RecommenderContract):
    """A row of the table in the manual.

    `model` is what is explained, `scores` whose scores these are, `new_users` how they are
    embedded, `lost` what the library knows and the recommender does not. A `variant` is not
    measured on real data beside the model that it is one of.
    """

    model: str
    scores = "the library's own"
    new_users = "ridge regression"
    lost = ""
    variant = False

    def make(self):
        model = self.trained(X)
        rows, columns = self.order(model, X)
        return model, X[rows][:, columns], self.own_scores(model, rows, columns)

    def trained(self, X, n_factors=6, seed=0):
        """Return the model, trained on a matrix."""
        raise NotImplementedError

    def order(self, model, X):
        """Return which rows and columns of the matrix the model's are."""
        recommender = as_recommender(model)
        return [
            np.arange(n) if ids is None else np.asarray(ids).astype(int)
            for ids, n in zip((recommender.user_ids, recommender.item_ids), X.shape, strict=True)
        ]

    def own_scores(self, model, rows, columns):
        """Return the model's own scores, or a function of users and items in its order."""
        raise NotImplementedError
