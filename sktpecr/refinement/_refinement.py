"""What refine returns."""

from __future__ import annotations

import html
from collections.abc import Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sktpecr import plotting
from sktpecr._inputs._feedback import Feedback
from sktpecr._inputs._numbers import check_n
from sktpecr._utils._lazily import lazily
from sktpecr._utils._ranking import ranks_of, top_items
from sktpecr.explanation._explain_item import explain_item
from sktpecr.explanation._explanation import Explanation
from sktpecr.explanation._words import change_in_words, complete_words, together_in_words
from sktpecr.refinement._answer import Listing, Tag, count_of, items_of
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._user import User
from sktpecr.tags._wish import worth

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Refinement:
    """A user's recommendations after feedback.

    Returned by :meth:`FeedbackRefiner.refine`; do not make one yourself.

    Parameters
    ----------
    tag_model : TagModel
        What the explainer had learned; a later fit of it changes nothing here.
    user : User
        The user as before the feedback.
    feedback : Feedback
        What the user said.
    values : dict of int to float
        Column of each tag that was set, and its value in units of the score.
    embedding : ndarray of shape (n_factors,)
        The refined embedding.
    requested : ndarray of shape (n_tags,)
        The tag preferences that were asked for.
    covariance : ndarray of shape (n_factors, n_factors), optional
        Of the embedding, from a solver that knows what is uncertain.
    wish : ndarray of shape (n_items,), optional
        What is asked for now, in this turn and before: evidence on items.
    wanted : dict of int or tuple of int to int, optional
        Column of a tag, or those of several together, to how many of its items were asked for.
    taste : ndarray of shape (n_items,), optional
        Scores of the embedding, where they are known.
    first : ndarray of int, optional
        Columns that are listed before the feedback, where they are known.
    listing : Listing
        The list that answers are judged by.

    Attributes
    ----------
    user : hashable
        Raw user id, or a few words for a user who has none.
    feedback : Feedback
        What the user said; prints as words.
    embedding : ndarray of shape (n_factors,)
        The refined embedding: the taste that outlives the session. What is asked for only now is
        not in it, but in `scores` and lists.
    requested : ndarray of shape (n_tags,)
        The tag preferences that were asked for.
    covariance : ndarray of shape (n_factors, n_factors) or None
        Of the embedding, if the solver is Bayesian.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import FeedbackRefiner, TPECRExplainer
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> refiner = FeedbackRefiner(explainer.fit(data.interactions))
    >>> refined = refiner.refine(0, like={"tag_1": 2.0})
    >>> refined
    Refinement(user=0, feedback='more tag_1')
    >>> list(refined.recommend(5).columns)
    ['item', 'name', 'score', 'rank', 'rank_before']
    """

    def __init__(
        self,
        tag_model: TagModel,
        user: User,
        feedback: Feedback,
        values: dict[int, float],
        embedding: NDArray,
        requested: NDArray,
        covariance: NDArray | None = None,
        *,
        wish: NDArray | None = None,
        wanted: dict[Tag, int] | None = None,
        taste: NDArray | None = None,
        first: NDArray | None = None,
        listing: Listing,
    ) -> None:
        self._tag_model = tag_model
        self._user = user
        self.user = user.label
        self.feedback = feedback
        self.embedding = embedding
        self.requested = requested
        self.covariance = covariance
        self._values = values
        self._wish, self._wanted, self._taste = wish, wanted or {}, taste
        self._listing, self._first = listing, first

    @lazily
    def tag_preferences(self) -> NDArray:
        """Tag preferences of the refined embedding, shape (n_tags,)."""
        return self._tag_model.tag_preferences_of(self.embedding)

    @lazily
    def scores(self) -> NDArray:
        """What all items are worth after the feedback, shape (n_items,).

        The scores of the refined embedding, and what is asked for now in their units.
        """
        return worth(self._after.taste(self._tag_model), self._wish)

    @property
    def scores_before(self) -> NDArray:
        """What all items were worth before the feedback, shape (n_items,)."""
        return self._user.scores(self._tag_model)

    @property
    def nbytes(self) -> int:
        """Bytes of what is kept for every item, at most."""
        kept = [self._wish, vars(self).get("scores"), self._listing.candidates]
        kept += [self._taste, self._user.kept_taste]
        return sum(array.nbytes for array in kept if array is not None)

    def rest(self) -> None:
        """Let go of what can be computed again, until it is asked for."""
        for name in ("scores", "_after"):
            vars(self).pop(name, None)
        self._taste = None
        self._user.rest()

    def recommend(
        self, n: int = 10, *, exclude_seen: bool = True, exclude: Iterable[Hashable] = ()
    ) -> pd.DataFrame:
        """List the best items after the feedback.

        Parameters
        ----------
        n : int, default=10
            Length of the list.
        exclude_seen : bool, default=True
            Whether items of the user's interactions are left out.
        exclude : iterable of hashable, default=()
            Raw ids of further items to leave out.

        Returns
        -------
        DataFrame
            Columns item, name, score, rank, rank_before; ranks count among the items that may
            be listed, from 1.
        """
        columns, before = self._best(check_n(n), exclude_seen, exclude)
        return self._tag_model.catalogue.listed(columns, self.scores, rank_before=before)

    def _best(
        self, n: int, exclude_seen: bool, exclude: Iterable[Hashable] = ()
    ) -> tuple[NDArray, NDArray]:
        """Return columns of the best items after the feedback, and their ranks before it."""
        candidates = self._user.candidates(self._tag_model.catalogue, exclude_seen, exclude)
        alike = n == self._listing.n and np.array_equal(candidates, self._listing.candidates)
        columns = self._lists[1] if alike else top_items(self.scores, candidates, n)
        return columns, ranks_of(columns, self.scores_before, candidates)

    def _changes(self, n: int, exclude_seen: bool) -> pd.DataFrame:
        """Return what enters a list of n items, stays in it and leaves it."""
        everything = self.recommend(len(self.scores), exclude_seen=exclude_seen)
        before, now = everything["rank_before"] <= n, everything["rank"] <= n
        changes = [now & ~before, before & ~now]
        everything["change"] = np.select(changes, ["enters", "leaves"], "stays")
        columns = ["item", "name", "rank_before", "rank", "change"]
        return everything.loc[before | now, columns].reset_index(drop=True)

    def rank(self, item: Hashable, *, exclude_seen: bool = True) -> int:
        """Return the rank of an item after the feedback.

        Parameters
        ----------
        item : hashable
            Raw item id; it may be one that the user has seen.
        exclude_seen : bool, default=True
            Whether other items of the user's interactions are left out of the count.

        Returns
        -------
        int
            1 for the best.
        """
        catalogue = self._tag_model.catalogue
        column = catalogue.items.row(item)
        candidates = self._user.candidates(catalogue, exclude_seen)
        return int(ranks_of(np.array([column]), self.scores, candidates)[0])

    def explain(self, item: Hashable) -> Explanation:
        """Explain by tags why an item gets its score after the feedback.

        Parameters
        ----------
        item : hashable
            Raw item id.

        Returns
        -------
        Explanation
            Of the recommender's score for the refined embedding; what is asked for only now is no
            part of it.
        """
        column = self._tag_model.catalogue.items.row(item)
        return explain_item(self._tag_model, self.refined_user_for(self._tag_model), column)

    @property
    def turns(self) -> list[Feedback]:
        """What the user said, from the first turn to this one."""
        return [*(turn.feedback for turn in self._user.turns), self.feedback]

    def refined_user_for(self, tag_model: TagModel) -> User:
        """Return the user as refined, for the population that she is one of.

        Parameters
        ----------
        tag_model : TagModel
            What an explainer learned.

        Returns
        -------
        User
            The user after the feedback.

        Raises
        ------
        ValueError
            If the explainer is another one, or was fitted again.
        """
        if tag_model is not self._tag_model:
            raise ValueError(
                "after must be a Refinement of this explainer, made since its last fit; give the "
                "feedback again to the newly fitted one"
            )
        return self._after

    @lazily
    def _after(self) -> User:
        """The user as refined."""
        said = self.feedback, self._values
        return self._user.refined(*said, self.embedding, self._wish, self._taste)

    def forget(self) -> Refinement:
        """Drop what was asked for in this session only; what became taste stays.

        Returns
        -------
        Refinement
            Of the same embedding; its ``scores_before`` are the ``scores`` of this one.
        """
        user, tag_model = self.refined_user_for(self._tag_model), self._tag_model
        nothing = Feedback({}, {}, {}, tag_model.tags)
        kept = self.embedding, self.tag_preferences
        return Refinement(
            tag_model, user, nothing, {}, *kept, wish=user.own_wish, listing=self._listing
        )

    def to_text(self, words: Mapping[str, str] | None = None) -> str:
        """Say what came into the list, what left it, and what that cost.

        Parameters
        ----------
        words : mapping of str to str, optional
            Sentences to say in place of those of ``sktpecr.ENGLISH``, see
            :meth:`ConversationTurn.to_text`.

        Returns
        -------
        str
            Of the first `n` items that :meth:`FeedbackRefiner.refine` was called with, without
            those that the user has seen, where it is known what was seen.

        Examples
        --------
        >>> from sklearn.decomposition import TruncatedSVD
        >>> from sktpecr import FeedbackRefiner, TPECRExplainer
        >>> from sktpecr.datasets import make_tagged_interactions
        >>> data = make_tagged_interactions(random_state=0)
        >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
        >>> refiner = FeedbackRefiner(explainer.fit(data.interactions))
        >>> print(refiner.refine(0, like="tag_1", amount="a bit", n=5).to_text())
        item_098 came in; item_295 left; 4 of your first 5 stayed.
        """
        say = complete_words(words)
        before, after = self._lists
        names = self._tag_model.catalogue.item_names
        came, left = (
            [str(names[column]) for column in some[~np.isin(some, others)]]
            for some, others in ((after, before), (before, after))
        )
        counts = len(before) - len(left), len(before)
        return " ".join(self.change(came, left, *counts, bool(self.feedback), say))

    def change(
        self,
        came: list[str],
        left: list[str],
        kept: int,
        n: int,
        is_asked: bool,
        words: Mapping[str, str],
    ) -> list[str]:
        """Say what a list lost and gained, and of which tags there is no more, or was enough.

        Parameters
        ----------
        came, left : list of str
            Names of items.
        kept, n : int
            How many items stayed, of how many.
        is_asked : bool
            Whether anything was asked for.
        words : mapping of str to str
            All sentences.

        Returns
        -------
        list of str
            Sentences.
        """
        more = self.shortfalls(words) if is_asked else []
        if is_asked and not (came or left or more):
            more = self._met(words)
        return [change_in_words(came, left, kept, n, is_asked and not more, words), *more]

    def unmet(self) -> list[int]:
        """Return which tags of likes, dislikes and `set` the list does not show to have moved.

        Returns
        -------
        list of int
            Columns of tags of which as many items are listed as before, or the other way.
        """
        tag_model, feedback = self._tag_model, self.feedback
        moves = {tag: np.sign(strength) for tag, strength in feedback.wishes.items()}
        if self._values:
            own = tag_model.tag_preferences_of(self._user.embedding)
            moves |= {tag: np.sign(value - own[tag]) for tag, value in self._values.items()}
        found = []
        for tag, way in moves.items():
            before, after = self._counts(tag)
            most = min(self._available(tag), self._listing.n)
            done = before == most if way > 0 else before == 0
            if way and not done and way * (after - before) <= 0:
                found.append(tag)
        return found

    @lazily
    def _lists(self) -> tuple[NDArray, NDArray]:
        """Columns that are listed before the feedback, and after it."""
        before = self._listing.of(self.scores_before) if self._first is None else self._first
        return before, self._listing.of(self.scores)

    def _counts(self, tag: Tag) -> tuple[int, int]:
        """Return how many of a tag's items are listed before and after the feedback."""
        before, after = (count_of(self._tag_model, tag, columns) for columns in self._lists)
        return before, after

    def _available(self, tag: Tag) -> int:
        """Return how many of a tag's items could be listed."""
        items = items_of(self._tag_model, tag)
        return int(self._listing.candidates[items].sum())

    def shortfalls(self, words: Mapping[str, str]) -> list[str]:
        """Say for each tag of which an amount was asked for, and not reached, what there is.

        Parameters
        ----------
        words : mapping of str to str
            All sentences.

        Returns
        -------
        list of str
            A sentence for each.
        """
        sentences = []
        for tag, wanted in self._wanted.items():
            (before, count), available = self._counts(tag), self._available(tag)
            more = wanted >= before
            if count >= wanted if more else count <= wanted:
                continue
            short = "short_available" if more and wanted > available else "short_kept"
            told = {"count": str(count), "available": str(available), "wanted": str(wanted)}
            sentences.append(words[short].format(tag=self._called(tag, words), **told))
        return sentences

    def _met(self, words: Mapping[str, str]) -> list[str]:
        """Say of which tags the list had as many as asked for before."""
        return [
            words["met" if wanted else "met_none"].format(
                tag=self._called(tag, words), **({"count": str(wanted)} if wanted else {})
            )
            for tag, wanted in self._wanted.items()
            if self._counts(tag)[0] == wanted
        ]

    def _called(self, tag: Tag, words: Mapping[str, str]) -> str:
        """Return the name of a tag, or of several together."""
        several = tag if isinstance(tag, tuple) else (tag,)
        return together_in_words([self._tag_model.tags[each] for each in several], words)

    def to_frame(self) -> pd.DataFrame:
        """Return what the feedback asked of each tag and what it got.

        Returns
        -------
        DataFrame
            Columns tag, before, requested, after, change, and from a Bayesian solver std, of what
            is uncertain; in standard deviations of the population, the first three from its mean.
            The largest change first.
        """
        tag_model = self._tag_model
        before = tag_model.tag_preferences_of(self._user.embedding)
        columns: dict[str, Any] = {"tag": tag_model.tags.array()}
        for name, preferences in (
            ("before", before),
            ("requested", self.requested),
            ("after", self.tag_preferences),
        ):
            columns[name] = tag_model.vs_mean(preferences)
        columns["change"] = columns["after"] - columns["before"]
        if self.covariance is not None:
            rows = tag_model.directions(self.embedding).tag_matrix
            variance = np.einsum("ij,jk,ik->i", rows, self.covariance, rows)
            columns["std"] = tag_model.in_std(np.sqrt(np.maximum(variance, 0.0)))
        order = np.argsort(-np.abs(columns["change"]), kind="stable")
        return pd.DataFrame(columns).iloc[order].reset_index(drop=True)

    def plot(self, ax: Axes | None = None, n: int = 10) -> Axes:
        """Draw the ranks of the refined list before and after.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw. A new figure by default.
        n : int, default=10
            Length of the list.

        Returns
        -------
        matplotlib Axes
            The axes drawn on.
        """
        return plotting.plot_refinement(self, ax=ax, n=n)

    def __repr__(self) -> str:
        return f"Refinement(user={self.user!r}, feedback={str(self.feedback)!r})"

    def __str__(self) -> str:
        return f"user {self.user}: {self.feedback}\n{self.listed().to_string(index=False)}"

    def _repr_html_(self) -> str:
        caption = html.escape(f"user {self.user}: {self.feedback}")
        table = self.listed().to_html(index=False, escape=True)
        return f"<figure><figcaption>{caption}</figcaption>{table}</figure>"

    def listed(self, n: int = 10) -> pd.DataFrame:
        """Return the list to show: without seen items, where it is known what was seen.

        Parameters
        ----------
        n : int, default=10
            Length of the list.

        Returns
        -------
        DataFrame
            See :meth:`recommend`.
        """
        return self.recommend(n, exclude_seen=self._user.has_known_history)
