"""What can be asked of an explainer beside an explanation and a list."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sktpecr.explanation._contrast import Contrast, contrast_items
from sktpecr.explanation._counterfactual import Counterfactual, find_counterfactual
from sktpecr.explanation._edit_search import EditSearch
from sktpecr.explanation._suggest_question import rank_questions
from sktpecr._utils._ranking import check_n
from sktpecr.tags._user import User

if TYPE_CHECKING:
    import pandas as pd

    from sktpecr.tags._tag_model import Population


class Questions:
    """Questions of users, and one to them, for whatever has learned a population."""

    def profile(
        self,
        user: Hashable | None = None,
        *,
        interactions: Any = None,
        tags: Mapping[Hashable, float] | None = None,
    ) -> pd.DataFrame:
        """Show how the recommender models a user's tag preferences.

        Parameters
        ----------
        user : hashable, optional
            Raw user id, or row number if fit got no ids.
        interactions, tags : optional
            Somebody new in place of `user`, see :meth:`explain`.

        Returns
        -------
        DataFrame
            A row per tag, the one furthest above the population first: tag, preference (units
            of the score), vs_population (standard deviations), vs_own_average (preference minus
            the user's mean score over all items).
        """
        import pandas as pd

        population = self._fitted_population()
        embedding = User.of(population, user, interactions, tags).embedding
        preferences = population.tag_preferences_of(embedding)
        frame = pd.DataFrame(
            {
                "tag": population.tags.array(),
                "preference": preferences,
                "vs_population": population.vs_mean(preferences),
                "vs_own_average": preferences - population.scores_of(embedding).mean(),
            }
        )
        return frame.sort_values("vs_population", ascending=False, kind="stable").reset_index(
            drop=True
        )

    def counterfactual(
        self,
        user: Hashable | None = None,
        item: Hashable | None = None,
        goal: str = "enter",
        k: int = 10,
        *,
        interactions: Any = None,
        tags: Mapping[Hashable, float] | None = None,
        exclude_seen: bool = True,
        among: Iterable[Hashable] | None = None,
        max_change: float = 4.0,
    ) -> Counterfactual:
        r"""Find the smallest edit of tag preferences that moves an item into the list, or out.

        Parameters
        ----------
        user : hashable, optional
            Raw user id, or row number if fit got no ids.
        item : hashable
            Raw item id, or column number if there are none. It may be one that the user has seen.
        goal : {"enter", "leave"}, default="enter"
            Whether the item is to enter the user's top k or to leave it.
        k : int, default=10
            Length of the list.
        interactions, tags : optional
            Somebody new in place of `user`, see :meth:`explain`.
        exclude_seen : bool, default=True
            Whether other items of the user's interactions are left out of the list.
        among : iterable of hashable, optional
            Names of the tags that may be edited. All by default; tags that are the same for
            everybody never are.
        max_change : float, default=4.0
            Largest change of one tag preference, in standard deviations over the population.

        Returns
        -------
        Counterfactual
            Prints as a sentence. Its ``found`` says whether there is such an edit, its ``exact``
            whether that, or that no edit is smaller, is proven.

        Raises
        ------
        ValueError
            If the user, the item or a tag is unknown, the user has no interactions, `goal`, `k`
            or `max_change` is none, or `exclude_seen` comes without interactions.

        Notes
        -----
        The size of an edit is its L1 norm in standard deviations, so that few tags change. Where
        scores are linear in tag preferences (see :class:`GaussianGenerator`) an item passes
        another when :math:`(w_v - w_j) \cdot \Delta c > r_{uj} - r_{uv}`, and the smallest edit
        that leaves at most k - 1 items above (or lifts at least k above) is a mixed-integer linear
        programme, solved to proof unless that takes more than 10 seconds. An item counts as
        passed from a millionth of the range of the scores on. Elsewhere scores are taken as linear
        around the edit found so far, again and again: what is found may not be the smallest, and
        when nothing is found there may be an edit still.

        Whatever is found has been applied: ``rank_after`` is the rank by the recommender's scores
        for the embedding :math:`e_u + G(c') - G(c_u)`, made as refining makes it. As tags hang
        together, an edit that holds all others can be small in standard deviations and still move
        a user far. Counterfactual explanations as smallest changes are due to [1]_.

        References
        ----------
        .. [1] S. Wachter, B. Mittelstadt and C. Russell, "Counterfactual Explanations without
           Opening the Black Box", Harvard Journal of Law & Technology 31, 2018.

        Examples
        --------
        >>> from sklearn.decomposition import TruncatedSVD
        >>> from sktpecr import TPECRExplainer
        >>> from sktpecr.datasets import make_tagged_interactions
        >>> data = make_tagged_interactions(random_state=0)
        >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
        >>> explainer = explainer.fit(data.interactions)
        >>> print(explainer.counterfactual(3, data.item_ids[1], k=5))
        If the model thought you liked tag_4 less by 0.2 standard deviations and tag_3 more by
        0.047, item_001 would enter your top 5 (rank 9 -> 5).
        """
        population = self._fitted_population()
        catalogue = population.catalogue
        somebody = User.of(population, user, interactions, tags).to_explain()
        column = catalogue.items.row(item)
        if goal not in ("enter", "leave"):
            raise ValueError(f"goal must be 'enter' or 'leave', got {goal!r}")
        is_number = isinstance(max_change, Real) and not isinstance(max_change, bool)
        if not is_number or not 0 < max_change < np.inf:
            raise ValueError(
                f"max_change must be a finite number of standard deviations above 0, got "
                f"{max_change!r}"
            )
        return find_counterfactual(
            EditSearch(
                population,
                somebody,
                column,
                goal=goal,
                k=check_n(k, "k"),
                candidates=catalogue.candidates(somebody, exclude_seen, ()),
                tags=_tag_columns(population, among),
                max_change=float(max_change),
            )
        )

    def contrast(
        self,
        user: Hashable | None = None,
        item: Hashable | None = None,
        other: Hashable | None = None,
        *,
        interactions: Any = None,
        tags: Mapping[Hashable, float] | None = None,
    ) -> Contrast:
        r"""Explain by tags why one item stands above another.

        Parameters
        ----------
        user : hashable, optional
            Raw user id, or row number if fit got no ids.
        item, other : hashable
            Raw item ids, or column numbers if there are none.
        interactions, tags : optional
            Somebody new in place of `user`, see :meth:`explain`.

        Returns
        -------
        Contrast
            The difference of the two explanations; prints as a table with a sentence.

        Raises
        ------
        ValueError
            If the user or an item is unknown (near ids are named), both items are the same, or
            the user has no interactions.

        Notes
        -----
        Where everything is linear, the contribution of a tag is
        :math:`(w_{at} - w_{bt}) (c_{ut} - \bar c_t)`. Sampled attributions judge both items by
        the same draws.

        Examples
        --------
        >>> from sklearn.decomposition import TruncatedSVD
        >>> from sktpecr import TPECRExplainer
        >>> from sktpecr.datasets import make_tagged_interactions
        >>> data = make_tagged_interactions(random_state=0)
        >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
        >>> explainer = explainer.fit(data.interactions)
        >>> explainer.contrast(3, data.item_ids[1], data.item_ids[0]).to_text()
        'The model puts item_001 above item_000, by 0.1. For item_001: tag_0, liked less than ...'
        """
        population = self._fitted_population()
        items = population.catalogue.items
        somebody = User.of(population, user, interactions, tags).to_explain()
        columns = [items.row(item), items.row(other)]
        if columns[0] == columns[1]:
            raise ValueError(f"item and other must be two items, got {item!r} twice")
        return contrast_items(population, somebody, columns)

    def suggest_question(
        self,
        user: Hashable | None = None,
        n: int = 1,
        *,
        interactions: Any = None,
        tags: Mapping[Hashable, float] | None = None,
        k: int = 10,
        among: Iterable[Hashable] | None = None,
    ) -> pd.DataFrame:
        r"""Suggest which tags to ask a user about next.

        Parameters
        ----------
        user : hashable, optional
            Raw user id, or row number if fit got no ids. A user without interactions is
            asked as the average user.
        n : int, default=1
            How many tags to suggest.
        interactions, tags : optional
            Somebody new in place of `user`, see :meth:`explain`.
        k : int, default=10
            Length of the list that is to change.
        among : iterable of hashable, optional
            Names of the tags to choose from. All by default; tags that are the same for everybody
            are left out.

        Returns
        -------
        DataFrame
            A row per tag, the largest expected change first, ties in order of the tags: tag,
            expected_change (share of the user's top k that the answer replaces, on average),
            if_more and if_less (the same if the answer is more, or less, than the model thinks).

        Raises
        ------
        ValueError
            If the user or a tag is unknown, or `n` or `k` is no whole number of at least 1.

        Notes
        -----
        An answer corrects what the model thinks of a tag by one standard deviation of the
        population either way, with equal chances: the two-point rule for a normal distribution.
        What is learned of one tag is learned of those that go with it, so each other tag follows
        by its correlation with this one,

        .. math:: c' = c_u \pm \mathrm{cov}(c, c_t) / \mathrm{sd}(c_t), \quad
           e' = e_u + G(c') - G(c_u)

        Holding the other tags instead would rate a tag by how nearly it is a copy of others. Seen
        items are left out of the lists, where it is known what was seen.

        Examples
        --------
        >>> from sklearn.decomposition import TruncatedSVD
        >>> from sktpecr import TPECRExplainer
        >>> from sktpecr.datasets import make_tagged_interactions
        >>> data = make_tagged_interactions(random_state=0)
        >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
        >>> explainer = explainer.fit(data.interactions, user_ids=data.user_ids)
        >>> explainer.suggest_question(data.user_ids[3], n=2)
             tag  expected_change  if_more  if_less
        0  tag_2             0.55      0.7      0.4
        1  tag_0             0.45      0.6      0.3
        """
        population = self._fitted_population()
        catalogue = population.catalogue
        somebody = User.of(population, user, interactions, tags)
        embedding = somebody.embedding if somebody.is_known else population.average_user
        candidates = catalogue.candidates(somebody, somebody.has_known_history, ())
        columns = _tag_columns(population, among)
        n, k = check_n(n), check_n(k, "k")
        return rank_questions(population, embedding, candidates, k, columns).head(n)

    def _fitted_population(self) -> Population:
        raise NotImplementedError


def _tag_columns(population: Population, among: Any) -> NDArray:
    """Return the columns of the tags named, in order; of all if None."""
    if among is None:
        return np.arange(len(population.tags))
    if isinstance(among, str | bytes) or not hasattr(among, "__iter__"):
        raise ValueError(f"among must be a list of tag names, got {among!r}")
    columns = np.unique(population.tags.rows(among))
    if not len(columns):
        raise ValueError("among must name at least one tag, got none; None stands for all")
    return columns
