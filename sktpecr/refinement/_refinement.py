"""What refine returns."""

from __future__ import annotations

import html
from collections.abc import Hashable, Iterable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sktpecr import plotting
from sktpecr._inputs._feedback import Feedback
from sktpecr._inputs._numbers import check_n
from sktpecr._utils._ranking import ranks_of, top_items
from sktpecr.explanation._explain_item import explain_item
from sktpecr.explanation._explanation import Explanation
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._user import Turn, User

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Refinement:
    """A user's recommendations after feedback.

    Returned by :meth:`FeedbackRefiner.refine`; not built by hand.

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

    Attributes
    ----------
    user : hashable
        Raw user id, or a few words for a user who has none.
    feedback : Feedback
        What the user said; prints as words.
    embedding : ndarray of shape (n_factors,)
        The refined embedding.
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
    ) -> None:
        self._tag_model = tag_model
        self._user = user
        self.user = user.label
        self.feedback = feedback
        self.embedding = embedding
        self.requested = requested
        self.covariance = covariance
        self._values = values

    @cached_property
    def tag_preferences(self) -> NDArray:
        """Tag preferences of the refined embedding, shape (n_tags,)."""
        return self._tag_model.tag_preferences_of(self.embedding)

    @cached_property
    def scores(self) -> NDArray:
        """Scores of all items after the feedback, shape (n_items,)."""
        return self._tag_model.scores_of(self.embedding)

    @cached_property
    def scores_before(self) -> NDArray:
        """Scores of all items before the feedback, shape (n_items,)."""
        return self._tag_model.scores_of(self._user.embedding)

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
        frame = self._tag_model.catalogue.listed(columns, self.scores)
        frame["rank_before"] = before
        return frame

    def _best(
        self, n: int, exclude_seen: bool, exclude: Iterable[Hashable] = ()
    ) -> tuple[NDArray, NDArray]:
        """Return columns of the best items after the feedback, and their ranks before it."""
        candidates = self._tag_model.catalogue.candidates(
            self._user.known_history, exclude_seen, exclude
        )
        columns = top_items(self.scores, candidates, n)
        return columns, ranks_of(columns, self.scores_before, candidates)

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
        candidates = catalogue.candidates(self._user.known_history, exclude_seen)
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
            For the refined embedding.
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
                "after must be a Refinement made with the same explainer, as it was fitted then; "
                "say the same again to the new one"
            )
        turn = Turn(self._user.embedding, self.feedback, self._values)
        return replace(self._user, embedding=self.embedding, turns=(*self._user.turns, turn))

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
