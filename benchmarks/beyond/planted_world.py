"""What is planted, on each rung of the ladder, and the function that scores it.

=================  ============================================================================
rung               what it adds
=================  ============================================================================
1 one tag          the paper's own: a dot product, one tag an item
2 several tags     one to four tags an item
3 unseen taste     four tastes that no tag tells of, for nearly as much of the score as the tags
4 correlated 0.5   tags come in pairs, correlated in users' tastes and on items
5 correlated 0.9   the same, stronger
6 pairs            rung 4, and a term for both tags of a pair together ("dark comedy")
7 curved           rung 4, and a squash: scores are x / (1 + |x|)
8 trained ALS      rung 4, the recommender not given but learned from interactions drawn from it
9 trained MF       the same with BPR
=================  ============================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.special import beta

from sktpecr.recommenders import FactorRecommender, MatrixFactorization, TorchRecommender

N_USERS, N_ITEMS, N_TAGS, N_UNSEEN = 1000, 300, 8, 4
N_LEARNERS = 900
_MORE = 0.15  # probability of each further tag on an item
_PAIR = 0.7  # of the term for two tags together, where one tag weighs 1 / 2 to 3 / 2
_DENSITY, _FACTORS = 0.1, 16  # of interactions that are learned from, and what learns them
ROUNDING = 1e-9  # of scores of about 1


@dataclass(frozen=True)
class Rung:
    """What is planted, and whether it has to be learned first."""

    name: str
    several_tags: bool = True
    unseen: bool = True
    correlation: float = 0.5
    pairs: bool = False
    curved: bool = False
    trained: str | None = None


RUNGS = (
    Rung("1 one tag", several_tags=False, unseen=False, correlation=0.0),
    Rung("2 several tags", unseen=False, correlation=0.0),
    Rung("3 unseen taste", correlation=0.0),
    Rung("4 correlated 0.5"),
    Rung("5 correlated 0.9", correlation=0.9),
    Rung("6 pairs", pairs=True),
    Rung("7 curved", curved=True),
    Rung("8 trained ALS", trained="ALS"),
    Rung("9 trained MF", trained="MF"),
)


class Planted:
    """Users and items of a rung, and the function that scores them.

    Parameters
    ----------
    rung : Rung
        What to plant.
    seed : int
        Seeds all draws.
    """

    def __init__(self, rung: Rung, seed: int) -> None:
        self.rung = rung
        rng = np.random.RandomState(seed)
        self.item_tags = _draw_item_tags(rng, rung)
        self.weights = self.item_tags * rng.uniform(0.5, 1.5, size=self.item_tags.shape)
        self.weights /= self.item_tags.sum(axis=1, keepdims=True)
        shared = rng.normal(size=(N_USERS, N_TAGS // 2)).repeat(2, axis=1)
        own = rng.normal(size=(N_USERS, N_TAGS))
        rho = rung.correlation
        liked = rng.normal(scale=0.5, size=N_TAGS)  # by the average user
        self.tastes = liked + np.sqrt(rho) * shared + np.sqrt(1 - rho) * own
        n_unseen = N_UNSEEN * rung.unseen
        unseen = rng.normal(size=(N_USERS, n_unseen))
        loadings = rng.normal(scale=0.3, size=(N_ITEMS, n_unseen))
        popularity = rng.normal(scale=0.5, size=(N_ITEMS, 1))
        both = _PAIR * rung.pairs * self.item_tags[:, ::2] * self.item_tags[:, 1::2]
        self.users = np.hstack([self.tastes, unseen])
        self.items = np.hstack([self.weights, loadings, popularity, both])
        self._seed = rng.randint(2**31)

    def score(self, users: Any, items: Any) -> Any:
        """Score pairs, one per row; arrays and tensors alike."""
        n_factors = self.users.shape[1]
        x = (users * items[..., :n_factors]).sum(-1) + items[..., n_factors]
        if self.rung.pairs:
            both = users[..., 0:N_TAGS:2] * users[..., 1:N_TAGS:2]
            x = x + (both * items[..., n_factors + 1 :]).sum(-1)
        return x / (1 + abs(x)) if self.rung.curved else x

    @cached_property
    def scores(self) -> NDArray:
        """Scores of all items for all users."""
        return self.score(self.users[:, np.newaxis], self.items)

    def recommender(self) -> tuple[Any, Any]:
        """Return the recommender to explain, and interactions."""
        X = _drawn_interactions(self.scores, self._seed)
        n_factors = self.users.shape[1]
        if self.rung.trained == "ALS":
            from implicit.als import AlternatingLeastSquares

            model = AlternatingLeastSquares(_FACTORS, random_state=0, num_threads=1)
            model.fit(X, show_progress=False)
        elif self.rung.trained == "MF":
            model = MatrixFactorization(_FACTORS, random_state=0).fit(X)
        elif self.rung.pairs or self.rung.curved:
            model = TorchRecommender(self.score, self.users, self.items, feedback_loss="bpr")
        else:
            factors, popularity = self.items[:, :n_factors], self.items[:, n_factors]
            model = FactorRecommender(self.users, factors, popularity)
        return model, X

    def truth(self, user: int, items: NDArray) -> tuple[NDArray, NDArray]:
        """Return what each taste did to a user's scores, and what more of it does.

        Parameters
        ----------
        user : int
            Row of the user.
        items : ndarray of int
            Columns of the items.

        Returns
        -------
        contributions, importances : ndarray of shape (n_items, n_tags)
            Shapley values, and the effect of one standard deviation, half of it on either side.
        """
        learned = self.tastes[:N_LEARNERS]
        own, mean, half = self.tastes[user], learned.mean(axis=0), learned.std(axis=0) / 2
        joined, shares = _coalitions(N_TAGS)
        contributions = shares.T @ self._scores(user, np.where(joined, own, mean), items)
        more, less = (self._scores(user, own + sign * np.diag(half), items) for sign in (1.0, -1.0))
        return _cleaned(contributions.T), _cleaned((more - less).T)

    def tag_share(self, user: int, items: NDArray) -> NDArray:
        """Return the true share of tags in what moves scores from the average user's."""
        mean = self.users[:N_LEARNERS].mean(axis=0)
        score = self.scores[user, items]
        without = self._scores(user, mean[np.newaxis, :N_TAGS], items)[0]
        by_tags = np.abs(score - without)
        return by_tags / (by_tags + np.abs(without - self.score(mean, self.items[items])))

    def _scores(self, user: int, tastes: NDArray, items: NDArray) -> NDArray:
        """Return scores of a user who has other tastes, shape (n, n_items)."""
        users = np.tile(self.users[user], (len(tastes), 1))
        users[:, :N_TAGS] = tastes
        return self.score(users[:, np.newaxis], self.items[items])


def _draw_item_tags(rng: np.random.RandomState, rung: Rung) -> NDArray:
    first = np.arange(N_ITEMS) % N_TAGS
    every = np.arange(N_ITEMS)
    on_item = np.zeros((N_ITEMS, N_TAGS))
    if rung.several_tags:
        on_item[rng.uniform(size=on_item.shape) < _MORE] = 1.0
        on_item[every, first ^ 1] = rng.uniform(size=N_ITEMS) < max(_MORE, rung.correlation)
    on_item[every, first] = 1.0
    return on_item


def _drawn_interactions(scores: NDArray, seed: int) -> sp.csr_matrix:
    """Draw items without replacement, with odds that rise with the score."""
    rng = np.random.RandomState(seed)
    activity = rng.lognormal(sigma=0.5, size=len(scores))
    n_drawn = np.clip(np.rint(activity / activity.mean() * _DENSITY * N_ITEMS), 5, N_ITEMS // 2)
    # Largest log-odds plus Gumbel noise: draws without replacement in proportion to the odds.
    odds = 2.0 * scores / scores.std() + rng.gumbel(size=scores.shape)
    places = np.argsort(np.argsort(-odds, axis=1), axis=1)
    return sp.csr_matrix((places < n_drawn[:, np.newaxis]).astype(np.float32))


def _coalitions(n: int) -> tuple[NDArray, NDArray]:
    """Return who is in each coalition, and how it counts for everybody's Shapley value."""
    joined = (np.arange(2**n)[:, np.newaxis] >> np.arange(n)) % 2 == 1
    sizes = joined.sum(axis=1, keepdims=True)
    # s! (n - s - 1)! / n! is a beta function, of the coalition without the one.
    return joined, np.where(joined, beta(sizes, n - sizes + 1), -beta(sizes + 1, n - sizes))


def _cleaned(values: NDArray) -> NDArray:
    """Return values in which what is rounding is 0."""
    return np.where(np.abs(values) > ROUNDING, values, 0.0)
