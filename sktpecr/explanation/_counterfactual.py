"""The smallest change of tag preferences that brings an item into a user's list, or out of it."""

from __future__ import annotations

import html
import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sktpecr._inputs._ids import plain_fields
from sktpecr._inputs._numbers import check_choice, check_n
from sktpecr.explanation._edit_search import EditSearch
from sktpecr.explanation._words import by_size, joined
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._user import User

# So many changed tags are named in words.
_NAMED = 5
# Scores that keep less than this share of their spread are nearly level.
_LEVEL = 0.05


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """The smallest change of tag preferences that moves an item into the top k, or out of it.

    Returned by :meth:`TPECRExplainer.counterfactual`; do not make one yourself.

    Parameters
    ----------
    user, item : hashable
        Raw ids; a few words for a user who has none.
    item_name : str
        Name of the item.
    goal : {"enter", "leave"}
        Whether the item is to enter the top k or to leave it.
    k : int
        Length of the list.
    found : bool
        Whether an edit that does it is given here. It has then been applied, and `rank_after` is
        what came of it.
    exact : bool
        Whether it is proven that no edit is smaller (by more than a part in 10,000) or, if none
        was found, that there is none.
    changes : ndarray of shape (n_tags,)
        The edit, in standard deviations of each tag preference over the population; 0 if none
        was found.
    max_change : float
        The largest change of one tag that was allowed.
    tag_names : ndarray of shape (n_tags,)
        Names of the tags.
    vs_population : ndarray of shape (n_tags,)
        How the user's own tag preferences stand to the population, in standard deviations.
    tag_preferences_before, tag_preferences_after : ndarray of shape (n_tags,)
        The user's own tag preferences and the edited ones, in units of the score.
    rank_before, rank_after : int
        Rank of the item among the items that may be listed, from 1.
    spread_kept : float
        Standard deviation of the scores of these items after the edit, relative to before. Near 0
        the edit makes the model indifferent, and the new list means little.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import TPECRExplainer
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> found = explainer.fit(data.interactions).counterfactual(3, data.item_ids[1], k=5)
    >>> found.rank_before, found.rank_after
    (9, 5)
    """

    user: Any
    item: Any
    item_name: str
    goal: str
    k: int
    found: bool
    exact: bool
    changes: NDArray
    max_change: float
    tag_names: NDArray
    vs_population: NDArray
    tag_preferences_before: NDArray
    tag_preferences_after: NDArray
    rank_before: int
    rank_after: int
    spread_kept: float

    @property
    def size(self) -> float:
        """Sum of the absolute changes, in standard deviations; infinite if none was found."""
        return float(np.abs(self.changes).sum()) if self.found else math.inf

    def to_frame(self) -> pd.DataFrame:
        """Return a row per changed tag, the largest change first.

        Returns
        -------
        DataFrame
            Columns tag, before, after, change; in standard deviations, before and after from the
            population's mean.
        """
        tags = self._changed()
        before, change = self.vs_population[tags], self.changes[tags]
        return pd.DataFrame(
            {
                "tag": self.tag_names[tags],
                "before": before,
                "after": before + change,
                "change": change,
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain Python values, ready for JSON where the ids are.

        Returns
        -------
        dict
            Field names to values; arrays become lists.
        """
        return plain_fields(self)

    def to_text(self) -> str:
        """Say it in words.

        Returns
        -------
        str
            A sentence or two.
        """
        here, there = ("outside", "into") if self.goal == "enter" else ("in", "out of")
        top = f"your top {self.k}"
        if not self.found:
            edit = f"change of at most {self.max_change:g} standard deviations per tag"
            if self.exact:
                return (
                    f"No {edit} would bring {self.item_name} {there} {top} "
                    f"(rank {self.rank_before})."
                )
            return (
                f"No {edit} was found that would bring {self.item_name} {there} {top} "
                f"(rank {self.rank_before}), which does not mean that there is none."
            )
        if self.size == 0:
            already = "in" if here == "outside" else "outside"
            return (
                f"{self.item_name} is {already} {top} already (rank {self.rank_before}): nothing "
                f"has to change."
            )
        text = (
            f"If the model thought you liked {self._phrases()}, {self.item_name} would {self.goal} "
            f"{top} (rank {self.rank_before} -> {self.rank_after})."
        )
        if not self.exact:
            text += " A smaller change may do it as well."
        if self.spread_kept < _LEVEL:
            text += " It would leave all items nearly level, so that their order means little."
        return text

    def __str__(self) -> str:
        return self.to_text()

    def __repr__(self) -> str:
        return (
            f"Counterfactual(user={self.user!r}, item={self.item!r}, goal={self.goal!r}, "
            f"k={self.k}, found={self.found}, size={self.size:.3g})"
        )

    def _repr_html_(self) -> str:
        table = self.to_frame().to_html(
            index=False, float_format=lambda value: f"{value:+.3f}", escape=True
        )
        return f"<figure><figcaption>{html.escape(self.to_text())}</figcaption>{table}</figure>"

    def _changed(self) -> NDArray:
        order = by_size(self.changes)
        return order[self.changes[order] != 0]

    def _phrases(self) -> str:
        tags = self._changed()
        phrases = [
            f"{self.tag_names[t]} {'more' if self.changes[t] > 0 else 'less'} by "
            f"{abs(self.changes[t]):.2g}"
            for t in tags[:_NAMED]
        ]
        phrases[0] += " standard deviations"
        text = joined(phrases)
        more = len(tags) - len(phrases)
        return f"{text} (and {more} more changed)" if more else text


def find_counterfactual(
    tag_model: TagModel,
    user: User,
    item: Hashable,
    goal: str,
    k: int,
    exclude_seen: bool,
    among: Iterable[Hashable] | None,
    max_change: float,
) -> Counterfactual:
    """Check what is asked for, and search the smallest edit that does it."""
    catalogue = tag_model.catalogue
    column = catalogue.items.row(item)
    check_choice(goal, "goal", "enter", "leave")
    is_number = isinstance(max_change, Real) and not isinstance(max_change, bool)
    if not is_number or not 0 < max_change < np.inf:
        raise ValueError(
            f"max_change must be a finite number of standard deviations above 0, got {max_change!r}"
        )
    return _found(
        EditSearch(
            tag_model,
            user.to_explain(),
            column,
            goal=goal,
            k=check_n(k, "k"),
            candidates=catalogue.candidates(user.known_history, exclude_seen),
            tags=tag_model.tag_columns(among),
            max_change=float(max_change),
        )
    )


def _found(search: EditSearch) -> Counterfactual:
    """Find the smallest edit of a user's tag preferences that moves an item."""
    tag_model, catalogue = search.tag_model, search.tag_model.catalogue
    none = np.zeros(len(tag_model.std))
    edit: NDArray | None
    if search.reached(search.rank_before):
        edit, exact = none, True
    elif tag_model.composite.is_linear:
        edit, exact = search.linear()
    else:
        edit, exact = search.not_linear(), False
    exact = exact and not search.is_bounded
    changes = none if edit is None else edit
    preferences = tag_model.tag_preferences_of(search.user.embedding)
    return Counterfactual(
        user=search.user.label,
        item=catalogue.items[search.column],
        item_name=catalogue.item_names[search.column],
        goal=search.goal,
        k=search.k,
        found=edit is not None,
        exact=exact,
        changes=changes,
        max_change=search.max_change,
        tag_names=tag_model.tags.array(),
        vs_population=tag_model.vs_mean(preferences),
        tag_preferences_before=preferences,
        tag_preferences_after=preferences + changes * tag_model.std,
        rank_before=search.rank_before,
        rank_after=search.rank(changes) if changes.any() else search.rank_before,
        spread_kept=search.spread_kept(changes),
    )
