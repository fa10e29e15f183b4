"""A change of a few tag preferences that brings an item into a user's list, or out of it."""

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
from sktpecr.explanation._words import by_size, joined, spoken
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._user import User

# Changes from so many standard deviations on have a word of their own.
_LITTLE, _MUCH = 0.5, 1.5


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """What a user would have to like more or less for an item to enter the top k, or to leave it.

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
        Whether a change that does it is given here. It has then been applied, and `rank_after` is
        what came of it.
    named : tuple of int
        Columns of the tags that are named, none if no change was found; the others follow.
    changes : ndarray of shape (n_tags,)
        By how many standard deviations over the population each named tag changes. 0 for a tag
        that is named because it is to stay while others change, and for those not named.
    max_tags : int
        How many tags could be named.
    max_change : float
        The largest change of one tag that was allowed.
    tag_names : ndarray of shape (n_tags,)
        Names of the tags.
    vs_population : ndarray of shape (n_tags,)
        How the user's own tag preferences stand to the population, in standard deviations.
    tag_preferences_before, tag_preferences_after : ndarray of shape (n_tags,)
        The user's own tag preferences and those after the change, also of tags that followed, in
        units of the score.
    rank_before, rank_after : int
        Rank of the item among the items that may be listed, from 1.
    n_kept : int
        How many items of the top k stay in it.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import FeedbackRefiner, TPECRExplainer
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> found = explainer.fit(data.interactions).counterfactual(3, data.item_ids[1], k=5)
    >>> found.rank_before, found.rank_after
    (9, 5)
    >>> refined = FeedbackRefiner(explainer).refine(3, set=found.values, keep=0)
    >>> refined.rank(data.item_ids[1])
    5
    """

    user: Any
    item: Any
    item_name: str
    goal: str
    k: int
    found: bool
    named: tuple[int, ...]
    changes: NDArray
    max_tags: int
    max_change: float
    tag_names: NDArray
    vs_population: NDArray
    tag_preferences_before: NDArray
    tag_preferences_after: NDArray
    rank_before: int
    rank_after: int
    n_kept: int

    @property
    def size(self) -> float:
        """Sum of the absolute changes, in standard deviations; infinite if none was found."""
        return float(np.abs(self.changes).sum()) if self.found else math.inf

    @property
    def values(self) -> dict[Any, float]:
        """The change as `set` of :meth:`FeedbackRefiner.refine` takes it, with ``keep=0``."""
        return {
            self.tag_names[tag]: float(self.vs_population[tag] + self.changes[tag])
            for tag in self._by_size()
        }

    def to_frame(self) -> pd.DataFrame:
        """Return a row per named tag, the largest change first.

        Returns
        -------
        DataFrame
            Columns tag, before, after, change; in standard deviations, before and after from the
            population's mean.
        """
        tags = self._by_size()
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
            A sentence. Changes under half a standard deviation are "a little more" or less, and
            from one and a half on "much more" or less.
        """
        there = "into" if self.goal == "enter" else "out of"
        top = f"your top {self.k}"
        if not self.found:
            tags = "1 tag" if self.max_tags == 1 else f"up to {self.max_tags} tags"
            return (
                f"No change of {tags} was found that would bring {self.item_name} {there} {top} "
                f"(rank {self.rank_before})."
            )
        if self.size == 0:
            already = "in" if self.goal == "enter" else "outside"
            return (
                f"{self.item_name} is {already} {top} already (rank {self.rank_before}): nothing "
                f"has to change."
            )
        return (
            f"If you liked {self._phrases()}, {self.item_name} would {self.goal} {top} "
            f"(rank {self.rank_before} -> {self.rank_after}); {self.n_kept} of {self.k} would stay."
        )

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

    def _phrases(self) -> str:
        tags = self._by_size()
        moved = [
            f"{spoken(self.tag_names[tag])} {_how_much(self.changes[tag])}"
            for tag in tags
            if self.changes[tag]
        ]
        held = [spoken(self.tag_names[tag]) for tag in tags if not self.changes[tag]]
        return joined(moved) + (f", with {joined(held)} unchanged" if held else "")

    def _by_size(self) -> NDArray:
        named = np.array(self.named, dtype=np.intp)
        return named[by_size(self.changes[named])]


def _how_much(change: float) -> str:
    size = "a little " if abs(change) < _LITTLE else "much " if abs(change) >= _MUCH else ""
    return f"{size}{'more' if change > 0 else 'less'}"


def find_counterfactual(
    tag_model: TagModel,
    user: User,
    item: Hashable,
    goal: str,
    k: int,
    exclude_seen: bool,
    among: Iterable[Hashable] | None,
    max_tags: int,
    max_change: float,
) -> Counterfactual:
    """Check what is asked for, and search a small change that does it."""
    catalogue = tag_model.catalogue
    column = catalogue.items.row(item)
    check_choice(goal, "goal", "enter", "leave")
    is_number = isinstance(max_change, Real) and not isinstance(max_change, bool)
    if not is_number or not 0 < max_change < np.inf:
        raise ValueError(
            f"max_change must be a finite number of standard deviations above 0, got {max_change!r}"
        )
    search = EditSearch(
        tag_model,
        user.to_explain(),
        column,
        goal=goal,
        k=check_n(k, "k"),
        candidates=user.candidates(catalogue, exclude_seen),
        tags=tag_model.tag_columns(among),
        max_tags=check_n(max_tags, "max_tags"),
        max_change=float(max_change),
    )
    named = {} if search.reached(search.rank_before) else search.changes()
    embedding, scores = search.applied(named) if named else (search.own, search.scores)
    changes = np.zeros(len(tag_model.std))
    for tag, change in (named or {}).items():
        changes[tag] = change
    before = tag_model.tag_preferences_of(search.own)
    return Counterfactual(
        user=user.label,
        item=catalogue.items[column],
        item_name=catalogue.item_names[column],
        goal=goal,
        k=search.k,
        found=named is not None,
        named=tuple(named or ()),
        changes=changes,
        max_tags=search.max_tags,
        max_change=search.max_change,
        tag_names=tag_model.tags.array(),
        vs_population=tag_model.vs_mean(before),
        tag_preferences_before=before,
        tag_preferences_after=tag_model.tag_preferences_of(embedding),
        rank_before=search.rank_before,
        rank_after=search.rank(scores),
        n_kept=int(np.isin(search.listed(search.scores), search.listed(scores)).sum()),
    )
