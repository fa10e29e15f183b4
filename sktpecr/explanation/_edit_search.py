"""The search for a change of a few tag preferences that moves one item of one user."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sktpecr._utils._ranking import ranks_of, top_items
from sktpecr.explanation._followed import edited_embeddings, followed
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._user import User
from sktpecr.tags._wish import worth

# By how much the item must pass a rival, in units of the range of the scores. The first that
# survives the rounding of the recommender's own scores is taken.
_MARGINS = (1e-6, 1e-5, 1e-4, 1e-3)
# A further tag has to make the change smaller by about this share to be worth naming.
PRICE = 0.2
# What a tag varies by, given the others that are named with it, at least. With less it is one of
# them by another name.
OWN_SHARE = 0.1
# So many tags are tried, those that move the item furthest; and beside others so many of them.
_TRIED, _ADDED = 200, 60
# So many sets of tags are grown by one more, twice as many where that leaves no tag untried; the
# new tag gets these shares of the change at first. On MovieLens-1M, 18 tags, 8 of them cost
# 2 % less than 4 in the mean.
_GROWN, _SHARES = 4, (0.0, 0.1, 0.2, 0.35, 0.5, 0.75)
# Shares are then moved by steps from the first to the last of these.
_FIRST_STEP, _LAST_STEP = 0.2, 0.002
# A tag with less of the change than this keeps its value while others that it goes with move.
_HELD = 0.02
# Rivals beyond the list that count from the start, and how often those that come are added.
_NEAR, _SEARCHES = 50, 4
# So many answers are looked at with all rivals.
_LOOKED_AT = 8
# Where scores are not linear: the step of differences, in sd, and how often a change is stretched.
_STEP, _STRETCH, _STRETCHES, _HALVINGS = 0.1, 1.3, 5, 10


class Edit(NamedTuple):
    """A change of some tags: their places, what share of it each has, and its size in sd."""

    tags: NDArray
    shares: NDArray
    size: float

    @property
    def cost(self) -> float:
        """Its size, dearer for each tag after the first."""
        return self.size * (1 + PRICE * (len(self.tags) - 1))


class EditSearch:
    """Search for a change of a user's tag preferences that moves an item."""

    # Others follow those that are named, so a change x of the tags T moves scores by R_T C^-1 x:
    # R_T (n_items, n_tags) how scores move with each tag and all that follows it, C the
    # correlations of T. Along x the rivals are passed, or pass, one by one, so that the smallest
    # multiple which does it is found by sorting. Sets of tags grow one by one from the best few,
    # and the shares of the tags are moved as long as that helps.
    def __init__(
        self,
        tag_model: TagModel,
        user: User,
        column: int,
        goal: str,
        k: int,
        candidates: NDArray,
        tags: NDArray,
        max_tags: int,
        max_change: float,
    ) -> None:
        self.tag_model, self.user = tag_model, user
        self.column, self.goal, self.k = column, goal, k
        self.max_tags, self.max_change = max_tags, max_change
        self.listable = candidates.copy()
        self.listable[column] = True
        self.candidates = candidates.copy()
        self.candidates[column] = False
        self.rivals = np.flatnonzero(self.candidates)
        self.own = user.embedding.astype(np.float64)
        self.scores = user.scores(tag_model)
        self.rank_before = self.rank(self.scores)
        self._sign = 1.0 if goal == "enter" else -1.0
        # A tag that is the same for everybody has no standard deviation to move by.
        self._tags = tags[tag_model.std[tags] > 0]

    def rank(self, scores: NDArray) -> int:
        """Return the rank of the item."""
        return int(ranks_of(np.array([self.column]), scores, self.candidates)[0])

    def reached(self, rank: int) -> bool:
        """Tell whether a rank is what is wanted."""
        return (rank <= self.k) == (self.goal == "enter")

    def listed(self, scores: NDArray) -> NDArray:
        """Return the columns of the list."""
        return top_items(scores, self.listable, self.k)

    def applied(self, changes: dict[int, float]) -> tuple[NDArray, NDArray]:
        """Return embedding and scores once tags have changed by so many standard deviations."""
        own, std = self.tag_model.tag_preferences_of(self.own), self.tag_model.std
        values = {tag: float(own[tag] + change * std[tag]) for tag, change in changes.items()}
        embedding, _ = followed(self.tag_model, self.own, values)
        return embedding, worth(self.tag_model.scores_of(embedding), self.user.wish)

    def changes(self) -> dict[int, float] | None:
        """Return a small change that was applied and does it, None where none was found."""
        if not len(self._tags) or not len(self.rivals):
            return None
        self._tags = self._telling(self._tags)
        loadings = self.tag_model.steerability.loadings[self._tags]
        self._correlations = loadings @ loadings.T
        # How scores of rivals fall behind that of the item, a row for each tag.
        responses = self._responses(loadings)
        self._passed = self._sign * (responses[:, [self.column]] - responses[:, self.rivals])
        scores = self.scores.astype(np.float64)
        ahead = self._sign * (scores[self.rivals] - scores[self.column])
        self._range = float(np.ptp(np.append(ahead, 0.0)))
        # Of equals the first in the catalogue is above.
        first = (ahead == 0) & ((self.rivals < self.column) == (self.goal == "enter"))
        self._to_pass = (ahead > 0) | first
        self._ahead = self._with_margin(ahead, 0.0)
        for edit in self._candidates():
            found = self._made(edit)
            if found is not None:
                return found
        return None

    def _with_margin(self, ahead: NDArray, margin: float) -> NDArray:
        """Return by how much rivals are ahead, above 0 for those to pass, below 0 for others."""
        least, ahead = np.finfo(np.float64).eps * self._range, ahead + margin * self._range
        return np.where(self._to_pass, np.maximum(ahead, least), np.minimum(ahead, -least))

    def _telling(self, tags: NDArray) -> NDArray:
        """Return the tags that may be named: of very many those that move the item furthest."""
        if len(tags) <= _TRIED:
            return tags
        if self.tag_model.composite.is_linear:
            items = np.asarray(self.tag_model.recommender.item_embeddings, dtype=np.float64)
            apart = items[self.column] - items[self.listed(self.scores)].mean(axis=0)
            loadings = self.tag_model.steerability.loadings
            moves = apart @ self.tag_model.generator.gain_ * self.tag_model.std
            moves = np.abs(loadings[tags] @ (moves @ loadings))
        else:
            moves = self.tag_model.extractor.tags_of(self.column)[tags]
        return np.sort(tags[np.argsort(-moves, kind="stable")[:_TRIED]])

    def _responses(self, loadings: NDArray) -> NDArray:
        """Return by how much a standard deviation of each tag moves scores."""
        moves = loadings @ self.tag_model.steerability.loadings.T
        edited = edited_embeddings(self.tag_model, self.own, _STEP * moves)
        if self.tag_model.composite.is_linear:
            items = np.asarray(self.tag_model.recommender.item_embeddings, dtype=np.float64)
            return (edited - self.own) / _STEP @ items.T
        before = self.tag_model.scores_of(self.own).astype(np.float64)
        return np.stack([self.tag_model.scores_of(each) - before for each in edited]) / _STEP

    def _candidates(self) -> list[Edit]:
        """Return changes that should do it, the cheapest first."""
        # Rivals that are never near the list say nothing: those that come there are added.
        near = np.zeros(len(self.rivals), dtype=bool)
        self._add_near(near, -self._sign * self._ahead)
        best: list[Edit] = []
        for _ in range(_SEARCHES):
            some = np.flatnonzero(near)
            found = sorted(self._grown(some), key=lambda each: each.cost)[:_LOOKED_AT]
            measured = [self._measured(each) for each in found]
            measured += [self._measured(_with_held(each)) for each in found]
            best = sorted([*best, *measured], key=lambda each: each.cost)[:_LOOKED_AT]
            for each in found:
                moved = self._ahead - each.size * self._slopes(each.tags, each.shares)
                self._add_near(near, -self._sign * moved)
            if near.sum() == len(some):
                break
        return [each for each in best if np.isfinite(each.size)]

    def _add_near(self, near: NDArray, behind: NDArray) -> None:
        n = min(self.k + _NEAR, len(near))
        near[np.argpartition(behind, n - 1)[:n]] = True

    def _grown(self, some: NDArray) -> list[Edit]:
        """Return the best changes of one tag, of two and so on, where only some rivals count."""
        n_tags = len(self._tags)
        sets, shares = np.repeat(np.arange(n_tags), 2)[:, np.newaxis], np.tile([1.0, -1.0], n_tags)
        edits = self._best(sets, shares[:, np.newaxis], some, n_tags)
        order = np.array([int(each.tags[0]) for each in edits])[:_ADDED]
        n_grown = _GROWN if n_tags > _ADDED else 2 * _GROWN
        edits = edits[:n_grown]
        found = list(edits)
        for _ in range(1, min(self.max_tags, n_tags)):
            grown = [self._one_more(each, order) for each in edits]
            sets, shares = (np.concatenate(each) for each in zip(*grown, strict=True))
            if not len(sets):
                break
            edits = self._moved(self._best(sets, shares, some, n_grown), some)
            found += edits
        return [each for each in found if np.isfinite(each.size)]

    def _one_more(self, edit: Edit, order: NDArray) -> tuple[NDArray, NDArray]:
        """Return sets of one tag more, and the shares that it may have."""
        tags, correlations = edit.tags, self._correlations
        others = np.setdiff1d(order, tags)
        known = correlations[np.ix_(tags, others)]
        left = 1 - (known * np.linalg.solve(correlations[np.ix_(tags, tags)], known)).sum(axis=0)
        others = others[left >= OWN_SHARE]
        sets = np.column_stack([np.tile(tags, (len(others), 1)), others])
        together = np.linalg.inv(correlations[sets[:, :, np.newaxis], sets[:, np.newaxis]])
        own = 1 / np.diagonal(together, axis1=1, axis2=2)
        sets = sets[own.min(axis=1) >= OWN_SHARE]
        more = np.unique([sign * share for sign in (1.0, -1.0) for share in _SHARES])
        rest = (1 - np.abs(more))[:, np.newaxis] * edit.shares
        shares = np.column_stack([rest, more])
        return np.repeat(sets, len(more), axis=0), np.tile(shares, (len(sets), 1))

    def _moved(self, edits: list[Edit], some: NDArray) -> list[Edit]:
        """Move the shares of tags as long as that makes changes smaller."""
        step = _FIRST_STEP
        while edits and step > _LAST_STEP:
            ways = step * np.array(list(product((0.0, 1.0, -1.0), repeat=len(edits[0].tags))))
            shares = np.concatenate([each.shares + ways for each in edits])
            shares /= np.maximum(np.abs(shares).sum(axis=1, keepdims=True), 1e-12)
            sets = np.repeat([each.tags for each in edits], len(ways), axis=0)
            better = self._best(sets, shares, some, len(edits))
            if sum(each.size for each in better) >= sum(each.size for each in edits):
                step /= 2
            edits = better
        return edits

    def _best(self, sets: NDArray, shares: NDArray, some: NDArray, n: int) -> list[Edit]:
        """Return the best change of each set of tags, and of these the best n."""
        sizes, left = self._sizes(sets, shares, self._ahead[some], some)
        found: dict[frozenset[int], Edit] = {}
        for place in np.lexsort((left, sizes)):
            found.setdefault(
                frozenset(sets[place].tolist()),
                Edit(sets[place], shares[place], float(sizes[place])),
            )
            if len(found) == n:
                break
        return list(found.values())

    def _slopes(self, sets: NDArray, shares: NDArray, some: NDArray | None = None) -> NDArray:
        """Return how fast rivals fall behind along changes of the tags in each set."""
        correlations = self._correlations[sets[..., np.newaxis], sets[..., np.newaxis, :]]
        weights = np.linalg.solve(correlations, shares[..., np.newaxis])
        passed = self._passed if some is None else self._passed[:, some]
        return (weights * passed[sets]).sum(axis=-2)

    def _sizes(
        self, sets: NDArray, shares: NDArray, ahead: NDArray, some: NDArray | None = None
    ) -> tuple[NDArray, NDArray]:
        """Return the smallest sizes that do it, infinite if none, and how many rivals are left."""
        slopes = self._slopes(sets, shares, some)
        spare = self.k - 1 if self.goal == "enter" else len(ahead) - self.k
        passed, passing = (ahead > 0) & (slopes > 0), (ahead <= 0) & (slopes < 0)
        at = np.divide(ahead, slopes, out=np.full_like(slopes, np.inf), where=passed | passing)
        order = np.argsort(at, axis=1)
        steps = np.take_along_axis(passing.astype(np.intp) - passed, order, axis=1)
        left = np.count_nonzero(ahead > 0) + np.cumsum(steps, axis=1)
        first = np.argmax(left <= spare, axis=1)[:, np.newaxis]
        sizes = np.take_along_axis(at, np.take_along_axis(order, first, axis=1), axis=1)[:, 0]
        fewest = left.min(axis=1)
        largest = sizes * np.abs(shares).max(axis=1)
        allowed = (fewest <= spare) & (largest <= self.max_change)
        return np.where(allowed, sizes, np.inf), fewest

    def _measured(self, edit: Edit, margin: float = 0.0) -> Edit:
        """Return a change as large as it has to be when all rivals count."""
        sets, shares = edit.tags[np.newaxis], edit.shares[np.newaxis]
        sizes, _ = self._sizes(sets, shares, self._with_margin(self._ahead, margin))
        return edit._replace(size=float(sizes[0]))

    def _made(self, edit: Edit) -> dict[int, float] | None:
        """Return a change as it was applied, None where it does not do it."""
        is_linear = self.tag_model.composite.is_linear and self.user.wish is None
        if is_linear:
            sizes = [self._measured(edit, margin).size for margin in _MARGINS]
        else:  # then it may take more than that
            largest = self.max_change / float(np.abs(edit.shares).max())
            sizes = [min(edit.size * _STRETCH**power, largest) for power in range(_STRETCHES)]
        for size in sizes:
            if np.isfinite(size) and self._does_it(edit, size):
                return self._by_tag(edit, size if is_linear else self._shrunk(edit, size))
        return None

    def _shrunk(self, edit: Edit, enough: float) -> float:
        """Return a smaller size that still does it, by bisection."""
        too_little = 0.0
        for _ in range(_HALVINGS):
            middle = (too_little + enough) / 2
            if self._does_it(edit, middle):
                enough = middle
            else:
                too_little = middle
        return enough

    def _by_tag(self, edit: Edit, size: float) -> dict[int, float]:
        return dict(zip(self._tags[edit.tags].tolist(), (size * edit.shares).tolist(), strict=True))

    def _does_it(self, edit: Edit, size: float) -> bool:
        return self.reached(self.rank(self.applied(self._by_tag(edit, size))[1]))


def _with_held(edit: Edit) -> Edit:
    """Return the change without the shares that are next to nothing."""
    shares = np.where(np.abs(edit.shares) < _HELD, 0.0, edit.shares)
    return edit._replace(shares=shares / np.abs(shares).sum())
