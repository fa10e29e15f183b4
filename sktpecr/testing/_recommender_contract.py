"""The contract of recommenders."""

from __future__ import annotations

import copy
import pickle
import unittest
from typing import Any

import numpy as np
import scipy.sparse as sp

from sktpecr._inputs._ids import plain
from sktpecr.explanation._tpecr_explainer import TPECRExplainer
from sktpecr.generators import GaussianGenerator
from sktpecr.recommenders._protocol import fold_in, is_dot_product, item_biases_of, optional
from sktpecr.testing._made_recommender import MadeRecommender

_N_USERS, _N_PAIRS = 8, 1000
# Embeddings of iterative solvers depend on their company by so much of the largest number.
_COMPANY = 2e-3
# Differences are taken over this share of the size of an embedding, and are as good as this.
_STEP, _CURVED = 1e-2, 0.05


class RecommenderContract:
    """Tests that every recommender passes; subclass it for your own, or for an adapter.

    pytest and unittest collect a subclass by its name and methods. The model is made once for
    the class. What a model does not have, such as gradients, is skipped with the reason.

    Attributes
    ----------
    tolerance : float
        How far scores may be off, relative to the largest one; 1e-5 unless a subclass says more.
    fold_in_correlation : float
        What the scores of known users and of the same users folded in must correlate by, over
        items and in the median over users; 0.2 unless a subclass says more.
    item_tags : array, DataFrame or None
        What is explained by; random tags unless a subclass has some.

    See Also
    --------
    sktpecr.recommenders.as_recommender : What makes a recommender of the model.

    Examples
    --------
    >>> import numpy as np
    >>> from sktpecr.testing import RecommenderContract
    >>> rng = np.random.RandomState(0)
    >>> users, items = rng.randn(20, 3), rng.randn(30, 3)
    >>> class TestMine(RecommenderContract):
    ...     def make(self):
    ...         return (users, items), users @ items.T > 1, users @ items.T
    >>> TestMine().report()["test_scores_are_the_models_own"]
    'passed'
    """

    tolerance: float = 1e-5
    fold_in_correlation: float = 0.2
    item_tags: Any = None
    _kept: MadeRecommender

    def make(self) -> tuple[Any, Any, Any]:
        """Return the model, interactions and the model's own scores; to be written.

        Returns
        -------
        model : object
            A recommender, or what :func:`~sktpecr.recommenders.as_recommender` makes one of.
        interactions : array-like or sparse matrix of shape (n_users, n_items)
            Rows are the users that the model knows, if it knows any, in its order.
        own_scores : array-like of shape (n_users, n_items), callable or None
            What the model itself, without this library, scores these users; a callable gets two
            arrays of row and column numbers. None where there is nothing to compare with.
        """
        raise NotImplementedError(
            f"{type(self).__name__} needs make(self), which returns (model, interactions, "
            f"own_scores)"
        )

    def report(self) -> dict[str, str]:
        """Run all tests without a test runner.

        Returns
        -------
        dict of str to str
            Names of the tests to "passed", "skipped: why" or "failed: why".
        """
        found = {}
        for name in (name for name in dir(self) if name.startswith("test_")):
            try:
                getattr(self, name)()
                found[name] = "passed"
            except unittest.SkipTest as reason:
                found[name] = f"skipped: {reason}"
            except Exception as error:
                found[name] = f"failed: {type(error).__name__}: {error}"
        return found

    def largest_difference(self) -> tuple[float, float]:
        """Compare scores with the model's own on up to 1,000 pairs.

        Returns
        -------
        difference : float
            Largest difference, in units of the score.
        size : float
            Largest score of the model's own.
        """
        made = self._made()
        if made.own_scores is None:
            raise unittest.SkipTest("there are no scores to compare with")
        rng, shape = np.random.RandomState(0), made.X.shape
        users, items = (rng.randint(n, size=_N_PAIRS) for n in shape)
        expected = made.own(users, items)
        rows, where = np.unique(users, return_inverse=True)
        found = made.recommender.score_items(made.embeddings[rows])[where, items]
        return float(np.abs(found - expected).max()), float(np.abs(expected).max())

    def test_shapes(self) -> None:
        """Require one embedding a user and one score a pair, for any users and items."""
        recommender, X, _, embeddings = self._made()
        users = np.asarray(recommender.user_embeddings)
        _require(users.ndim == 2, f"user_embeddings must be 2-d, got shape {users.shape}")
        _require(
            len(users) in (0, X.shape[0]),
            f"user_embeddings must have one row per row of the interactions ({X.shape[0]}), or "
            f"none where every user is folded in, got {len(users)}",
        )
        for some in (embeddings, embeddings[:1], embeddings[:0]):
            scores, expected = recommender.score_items(some), (len(some), X.shape[1])
            _require(
                np.shape(scores) == expected,
                f"score_items must return shape {expected}, a row per user and a column per item, "
                f"got {np.shape(scores)}",
            )
        for kind, n in (("user", len(users)), ("item", X.shape[1])):
            ids = optional(recommender, f"{kind}_ids")
            _require(
                ids is None or len(set(np.asarray(ids, dtype=object).tolist())) == n == len(ids),
                f"{kind}_ids must have {n} different ids, in the order of the embeddings",
            )

    def test_scores_are_finite(self) -> None:
        """Require that no score is NaN or infinite."""
        recommender, _, _, embeddings = self._made()
        bad = ~np.isfinite(recommender.score_items(embeddings))
        _require(not bad.any(), f"score_items returned {int(bad.sum())} NaN or infinite scores")

    def test_some_items_score_as_among_all(self) -> None:
        """Require that ``items`` picks columns, in the order asked for and repeated if asked."""
        recommender, X, _, embeddings = self._made()
        items = np.array([X.shape[1] - 1, 0, 0])
        some, every = embeddings[:_N_USERS], recommender.score_items(embeddings[:_N_USERS])
        self._same(recommender.score_items(some, items), every[:, items], "score_items(e, items)")

    def test_rows_are_scored_independently(self) -> None:
        """Require that a user's scores do not depend on who else is asked about."""
        recommender, _, _, embeddings = self._made()
        some = embeddings[:_N_USERS]
        together = recommender.score_items(some)
        alone = np.vstack([recommender.score_items(row[np.newaxis]) for row in some])
        self._same(alone, together, "score_items of one user at a time")
        backwards = recommender.score_items(some[::-1])
        self._same(backwards[::-1], together, "score_items in another order")

    def test_scores_repeat_and_leave_the_embeddings(self) -> None:
        """Require the same bits when asked again, and embeddings that were only read."""
        recommender, _, _, embeddings = self._made()
        given = embeddings[:_N_USERS].copy()
        once, again = recommender.score_items(given), recommender.score_items(given)
        _require(np.array_equal(given, embeddings[:_N_USERS]), "score_items wrote into embeddings")
        _require(np.array_equal(once, again), "score_items must say the same when asked again")

    def test_precision_is_kept(self) -> None:
        """Require float32 or float64, and scores in the precision of the embeddings."""
        recommender, _, _, embeddings = self._made()
        dtype = np.asarray(recommender.user_embeddings).dtype
        _require(
            dtype in (np.float32, np.float64),
            f"user_embeddings must be float32 or float64, got {dtype}",
        )
        for what, found in (
            ("score_items", recommender.score_items(embeddings[:2]).dtype),
            ("fold_in", embeddings.dtype),
        ):
            _require(found == dtype, f"{what} of {dtype} embeddings must be {dtype}, got {found}")

    def test_scores_are_the_models_own(self) -> None:
        """Require the scores that the model itself gives to the same users and items."""
        difference, size = self.largest_difference()
        _require(
            difference <= self.tolerance * size,
            f"scores differ from the model's own by up to {difference:.3g}, where the largest is "
            f"{size:.3g} and {self.tolerance * size:.3g} is allowed (tolerance); look for biases, "
            f"constants, and the order of users and items",
        )

    def test_item_embeddings_announce_a_dot_product(self) -> None:
        """Require that scores are the dot product, where there are ``item_embeddings``."""
        recommender, _, _, embeddings = self._made()
        if not is_dot_product(recommender):
            raise unittest.SkipTest("there are no item_embeddings: the score is something else")
        items = np.asarray(recommender.item_embeddings, dtype=np.float64)
        biases = item_biases_of(recommender).astype(np.float64)
        some = embeddings[:_N_USERS]
        self._same(
            recommender.score_items(some),
            some.astype(np.float64) @ items.T + biases,
            "score_items, against user embeddings times item_embeddings plus item_biases,",
        )

    def test_rows_are_folded_in_independently(self) -> None:
        """Require one finite embedding per row of interactions, whoever else is asked about."""
        recommender, X, _, _ = self._made()
        self._fold_in_or_skip()
        rows = sp.vstack([X[:4], sp.csr_matrix((1, X.shape[1]), dtype=X.dtype)]).tocsr()
        together = fold_in(recommender, rows)  # finite, or it raises
        expected = 5, np.asarray(recommender.user_embeddings).shape[1]
        _require(
            together.shape == expected,
            f"fold_in must return shape {expected}, got {together.shape}",
        )
        alone = np.vstack([fold_in(recommender, rows[row]) for row in range(5)])
        size = np.abs(together).max()
        _require(
            np.abs(alone - together).max() <= _COMPANY * size,
            f"fold_in of one row at a time differs by {np.abs(alone - together).max():.3g} from "
            f"fold_in of them together, where the largest number is {size:.3g}",
        )

    def test_known_users_are_folded_in_where_they_are(self) -> None:
        """Require that users folded in score items much as their stored embeddings do."""
        recommender, X, _, embeddings = self._made()
        self._fold_in_or_skip()
        if not len(recommender.user_embeddings):
            raise unittest.SkipTest("all users are folded in: there are no others to compare with")
        rows = np.flatnonzero(np.diff(X.indptr))[: 10 * _N_USERS]
        scores = [embeddings[rows], fold_in(recommender, X[rows])]
        scores = [recommender.score_items(each).astype(np.float64) for each in scores]
        stored, folded = (each - each.mean(axis=1, keepdims=True) for each in scores)
        lengths = np.linalg.norm(stored, axis=1) * np.linalg.norm(folded, axis=1)
        median = float(np.median((stored * folded).sum(axis=1) / np.maximum(lengths, 1e-300)))
        _require(
            median >= self.fold_in_correlation,
            f"scores of users folded in correlate with those of their stored embeddings by "
            f"{median:.2f} in the median, and {self.fold_in_correlation} is asked for "
            f"(fold_in_correlation); look at the order of items and the sign",
        )

    def test_survives_pickle_and_deepcopy(self) -> None:
        """Require copies that score and fold in as the original does."""
        recommender, X, _, embeddings = self._made()
        for what, other in (
            ("pickle", pickle.loads(pickle.dumps(recommender))),  # noqa: S301 - made one line above
            ("deepcopy", copy.deepcopy(recommender)),
        ):
            some = embeddings[:_N_USERS]
            self._same(other.score_items(some), recommender.score_items(some), f"{what}: scores")
            if self._made().folds_in:
                found, expected = (fold_in(each, X[:4]) for each in (other, recommender))
                self._same(found, expected, f"{what}: fold_in")

    def test_gradients_are_those_of_the_scores(self) -> None:
        """Require that gradients, of torch or of ``item_gradients``, are what scores change by."""
        recommender, _, _, embeddings = self._made()
        gradients = self._made().gradients(embeddings[0])
        if not gradients:
            raise unittest.SkipTest("there is neither score_items_torch nor item_gradients")
        rng, here = np.random.RandomState(0), embeddings[0].astype(np.float64)
        for _ in range(3):
            step = rng.standard_normal(len(here))
            step *= _STEP * float(np.linalg.norm(here)) / float(np.linalg.norm(step))
            up, down = recommender.score_items(np.stack([here + step, here - step]))
            changes = (up.astype(np.float64) - down) / 2
            for what, gradient in gradients.items():
                off = np.abs(gradient @ step - changes).max()
                _require(
                    off <= _CURVED * np.abs(changes).max() + 1e-12,
                    f"{what} says that scores change by up to {np.abs(gradient @ step).max():.3g} "
                    f"where they change by {np.abs(changes).max():.3g}, and is off by {off:.3g}",
                )

    def test_explanation_adds_up(self) -> None:
        """Require a list and an explanation end to end, of the model's own scores."""
        recommender, X, own, embeddings = self._made()
        linear = is_dot_product(recommender)
        explainer = TPECRExplainer(
            recommender,
            self._tags(recommender, X.shape[1]),
            generator=None if linear else GaussianGenerator(),
            random_state=0,
        ).fit(X)
        row = int(np.flatnonzero(np.diff(X.indptr))[0])
        user = plain(explainer.user_ids_[row])
        item = plain(explainer.recommend(user, 1)["item"].iloc[0])
        explanation = explainer.explain(user, item)
        column = int(np.flatnonzero(explainer.item_ids_ == item)[0])
        scores = recommender.score_items(embeddings[[row]])[0]
        allowed = max(self.tolerance, 1e-6) * np.abs(scores).max()
        expected = scores[column]
        if own is not None:
            expected = self._made().own(np.array([row]), np.array([column]))[0]
        unseen = np.setdiff1d(np.arange(len(scores)), X[row].indices)
        _require(
            scores[column] >= scores[unseen].max() - allowed,
            f"item {item!r} is recommended to user {user!r} before better ones",
        )
        total = explanation.base_value + explanation.contributions.sum() + explanation.residual
        for what, found, wanted in (
            ("explanation.score", explanation.score, expected),
            ("the sum of base value, contributions and residual", total, explanation.value),
            *([("explanation.value", explanation.value, expected)] if linear else []),
        ):
            size = max(allowed, self.tolerance * abs(wanted))
            _require(
                abs(found - wanted) <= size,
                f"{what} of user {user!r} and item {item!r} must be {wanted}, got {found}",
            )

    def _made(self) -> MadeRecommender:
        cls = type(self)
        if "_kept" not in vars(cls):
            cls._kept = MadeRecommender.of(*self.make())
        return cls._kept

    def _tags(self, recommender: Any, n_items: int) -> Any:
        if self.item_tags is not None or optional(recommender, "tag_scores"):
            return self.item_tags
        tags = np.random.RandomState(0).randint(2, size=(n_items, 4)).astype(float)
        tags[:4] = np.eye(4)[: len(tags)]  # no tag without an item
        return tags

    def _fold_in_or_skip(self) -> None:
        if not self._made().folds_in:
            raise unittest.SkipTest("there is no fold_in: users are known or are not")

    def _same(self, found: Any, expected: Any, what: str) -> None:
        found, expected = (np.asarray(each, dtype=np.float64) for each in (found, expected))
        _require(
            found.shape == expected.shape,
            f"{what} must have shape {expected.shape}, got {found.shape}",
        )
        off, size = np.abs(found - expected).max(initial=0), np.abs(expected).max(initial=0)
        _require(
            off <= self.tolerance * size,
            f"{what} are off by up to {off:.3g}, where the largest is {size:.3g} and "
            f"{self.tolerance * size:.3g} is allowed (tolerance)",
        )


def _require(holds: Any, message: str) -> None:
    if not holds:
        raise AssertionError(message)
