"""What refine returns."""

from __future__ import annotations

import html
from collections.abc import Hashable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sktpecr import plotting
from sktpecr._explanation import Explanation, explain_item
from sktpecr._feedback import Feedback
from sktpecr._ranking import check_n, ranks_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from sktpecr._population import Population


class Refinement:
    """A user's recommendations after feedback.

    Returned by :meth:`FeedbackRefiner.refine`; not built by hand.

    Parameters
    ----------
    population : Population
        What the explainer had learned; a later fit of it changes nothing here.
    row : int
        Row of the user.
    feedback : Feedback
        What the user said.
    embedding : ndarray of shape (n_factors,)
        The refined embedding.
    requested : ndarray of shape (n_tags,)
        The tag preferences that the generator was asked for.

    Attributes
    ----------
    user : hashable
        Raw user id.
    feedback : Feedback
        What the user said; prints as words.
    embedding : ndarray of shape (n_factors,)
        The refined embedding.
    requested : ndarray of shape (n_tags,)
        The tag preferences that the generator was asked for.

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
        population: Population,
        row: int,
        feedback: Feedback,
        embedding: NDArray,
        requested: NDArray,
    ) -> None:
        self._population = population
        self._row = row
        self.user = population.catalogue.users[row]
        self.feedback = feedback
        self.embedding = embedding
        self.requested = requested

    @cached_property
    def tag_preferences(self) -> NDArray:
        """Tag preferences of the refined embedding, shape (n_tags,)."""
        return self._population.tag_preferences_of(self.embedding)

    @cached_property
    def scores(self) -> NDArray:
        """Scores of all items after the feedback, shape (n_items,)."""
        return self._population.scores_of(self.embedding)

    @cached_property
    def scores_before(self) -> NDArray:
        """Scores of all items before the feedback, shape (n_items,)."""
        return self._population.scores_of(self._population.user_embeddings[self._row])

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
        n, catalogue = check_n(n), self._population.catalogue
        candidates = catalogue.candidates(self._row, exclude_seen, exclude)
        columns, frame = catalogue.ranked(self.scores, candidates, n)
        frame["rank_before"] = ranks_of(columns, self.scores_before, candidates)
        return frame

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
        catalogue = self._population.catalogue
        column = catalogue.items.row(item)
        candidates = catalogue.candidates(self._row, exclude_seen, ())
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
        column = self._population.catalogue.items.row(item)
        return explain_item(self._population, self.user, self.embedding, column)

    def to_frame(self) -> pd.DataFrame:
        """Return what the feedback asked of each tag and what it got.

        Returns
        -------
        DataFrame
            Columns tag, before, requested, after, change; in standard deviations from the
            population's mean. The largest change first.
        """
        import pandas as pd

        population = self._population
        before = population.tag_preferences_of(population.user_embeddings[self._row])
        columns: dict[str, Any] = {"tag": population.tags.array()}
        for name, preferences in (
            ("before", before),
            ("requested", self.requested),
            ("after", self.tag_preferences),
        ):
            columns[name] = population.vs_mean(preferences)
        columns["change"] = columns["after"] - columns["before"]
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
        return f"user {self.user}: {self.feedback}\n{self._list().to_string(index=False)}"

    def _repr_html_(self) -> str:
        caption = html.escape(f"user {self.user}: {self.feedback}")
        table = self._list().to_html(index=False, escape=True)
        return f"<figure><figcaption>{caption}</figcaption>{table}</figure>"

    def _list(self, n: int = 10) -> pd.DataFrame:
        """Return the list to show: without seen items, where it is known what was seen."""
        has_history = self._population.catalogue.interactions is not None
        return self.recommend(n, exclude_seen=has_history)
