"""Why one item rather than another."""

from __future__ import annotations

import html
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sktpecr._inputs._ids import plain, plain_fields
from sktpecr.explanation._reasons import LIKED
from sktpecr.explanation._words import (
    IN_HTML,
    by_size,
    complete_words,
    how_much,
    joined,
    spoken,
    whom,
    worth_saying,
)
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._user import User

# So many tags are named for each item.
_NAMED = 3


@dataclass(frozen=True, eq=False)
class Contrast:
    """Why a recommender puts one item above another for a user, in tags.

    Returned by :meth:`TPECRExplainer.contrast`; do not make one yourself. All numbers are those of
    the first item minus those of the other.

    Parameters
    ----------
    user, item, other : hashable
        Raw ids; a few words for a user who has none.
    item_name, other_name : str
        Names of the items.
    method : str
        Generator, attribution and unit.
    unit : str
        Unit of `importances`.
    tag_names : ndarray of shape (n_tags,)
        Names of the tags.
    on_item, on_other : ndarray of bool, shape (n_tags,)
        Which tags each item carries.
    vs_population : ndarray of shape (n_tags,)
        How the user's tag preferences stand to the population, in standard deviations.
    likings : ndarray of shape (n_tags,)
        How much more than the population the user likes each tag, see :class:`Explanation`.
    importances : ndarray of shape (n_tags,)
        Effect of one standard deviation more of each tag preference on the difference.
    contributions : ndarray of shape (n_tags,)
        What each tag contributes to the score of the first item, minus what it contributes to that
        of the other, see :class:`Explanation`.
    base_value : float
        The difference at average tag preferences.
    residual : float
        What no tag sees: `value` minus base value and contributions.
    value : float
        Difference of the values explained: of the scores themselves for the exact attribution.
    score : float
        Difference of the recommender's own scores.
    fidelity : float
        The smaller one of the two explanations.
    _is_row, _speak : optional
        See :class:`Explanation`, and whether each item's tags explain more than chance: not to be
        given.

    Notes
    -----
    ``base_value + contributions.sum() + residual == value``, always.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import TPECRExplainer
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> contrast = explainer.fit(data.interactions).contrast(0, *data.item_ids[:2])
    >>> sorted(contrast.to_frame().columns)[:4]
    ['contribution', 'importance', 'on_item', 'on_other']
    """

    user: Any
    item: Any
    other: Any
    item_name: str
    other_name: str
    method: str
    unit: str
    tag_names: NDArray
    on_item: NDArray
    on_other: NDArray
    vs_population: NDArray
    likings: NDArray
    importances: NDArray
    contributions: NDArray
    base_value: float
    residual: float
    value: float
    score: float
    fidelity: float
    _is_row: bool = field(default=False, repr=False)
    _speak: tuple[bool, bool] = field(default=(True, True), repr=False)

    def to_frame(self) -> pd.DataFrame:
        """Return a row per tag, the largest contribution first.

        Returns
        -------
        DataFrame
            Columns tag, on_item, on_other, vs_population, importance, contribution.
        """
        frame = pd.DataFrame(
            {
                "tag": self.tag_names,
                "on_item": self.on_item,
                "on_other": self.on_other,
                "vs_population": self.vs_population,
                "importance": self.importances,
                "contribution": self.contributions,
            }
        )
        return frame.iloc[by_size(self.contributions)].reset_index(drop=True)

    def without(self, tags: Iterable[Hashable]) -> Contrast:
        """Leave tags out, and count what they contribute as what no tag sees.

        Parameters
        ----------
        tags : iterable of hashable
            Names of the tags.

        Returns
        -------
        Contrast
            Of the other tags.
        """
        hidden = set(tags)
        if not hidden:
            return self
        shown = np.array([plain(name) not in hidden for name in self.tag_names], dtype=bool)
        fewer = {
            each.name: value[shown]
            for each in fields(self)
            if isinstance(value := getattr(self, each.name), np.ndarray)
        }
        left = float(self.contributions[~shown].sum())
        return replace(self, **fewer, residual=self.residual + left)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain Python values, ready for JSON where the ids are.

        Returns
        -------
        dict
            Field names to values; arrays become lists.
        """
        return plain_fields(self)

    def to_text(self, words: Mapping[str, str] | None = None, details: bool = False) -> str:
        """Say in a sentence or two why one item ranks above the other.

        Parameters
        ----------
        words : mapping of str to str, optional
            Sentences in place of those of ``sktpecr.ENGLISH``, see :meth:`Explanation.to_text`.
        details : bool, default=False
            Whether a line follows that says how the difference adds up.

        Returns
        -------
        str
            Tags that either item carries, in the direction of how they are liked; none of an item
            whose tags explain no more than chance.
        """
        say = complete_words(words)
        sign = -1 if self.score < 0 else 1
        names = {"item": self.item_name, "other": self.other_name}
        carried = self.on_item & self._speak[0], self.on_other & self._speak[1]
        if sign < 0:
            names, carried = {"item": self.other_name, "other": self.item_name}, carried[::-1]
        helps = [
            tag for tag in worth_saying(self.contributions) if sign * self.contributions[tag] > 0
        ]
        liked = [tag for tag in helps if carried[0][tag] and self.likings[tag] >= LIKED][:_NAMED]
        disliked = [tag for tag in helps if carried[1][tag] and self.likings[tag] <= -LIKED][
            :_NAMED
        ]
        sentences = []
        if liked:
            tags = joined([spoken(self.tag_names[tag]) for tag in liked], say)
            much = say[how_much(min(self.likings[tag] for tag in liked))]
            sentences.append(say["contrast_for"].format(tags=tags, much=much, **names))
        elif not disliked:
            template = "contrast_little" if self.score else "contrast_level"
            sentences.append(say[template].format(**names))
        if disliked:
            tags = joined([spoken(self.tag_names[tag]) for tag in disliked], say)
            sentences.append(say["contrast_despite"].format(tags=tags, other=names["other"]))
        text = " ".join(sentences)
        return f"{text}\n{self._sum(say)}" if details else text

    def _sum(self, say: Mapping[str, str]) -> str:
        return say["contrast_sum"].format(
            value=f"{self.value:+.3g}",
            base=f"{self.base_value:+.3g}",
            tags=f"{self.contributions.sum():+.2g}",
            residual=f"{self.residual:+.2g}",
        )

    def __str__(self) -> str:
        frame = self.to_frame().head(10)
        table = frame.to_string(index=False, float_format=lambda value: f"{value:+.3f}")
        more = len(self.tag_names) - len(frame)
        return "\n".join(
            [
                f"user        {whom(self.user, self._is_row)}",
                f"item        {self.item}  {self.item_name}",
                f"other       {self.other}  {self.other_name}",
                f"method      {self.method}",
                f"score       {self.score:+.3g}",
                f"fidelity    {self.fidelity:.3f}",
                "",
                table + (f"\n... {more} more tags" if more > 0 else ""),
                "",
                self.to_text(details=True),
            ]
        )

    def __repr__(self) -> str:
        user = whom(self.user, self._is_row, repr)
        return (
            f"Contrast(user={user}, item={self.item!r}, other={self.other!r}, "
            f"score={self.score:+.4g})"
        )

    def _repr_html_(self) -> str:
        frame = self.to_frame()
        more = len(frame) - IN_HTML
        table = frame.head(IN_HTML).to_html(
            index=False, float_format=lambda value: f"{value:+.3f}", escape=True
        ) + (f"<p>... {more} more tags</p>" if more > 0 else "")
        return (
            f"<figure><figcaption><p>{html.escape(self.to_text())}</p>"
            f"<p>{html.escape(self.method)}; fidelity {self.fidelity:.3f}</p></figcaption>"
            f"{table}</figure>"
        )


def contrast_items(tag_model: TagModel, user: User, item: Hashable, other: Hashable) -> Contrast:
    """Contrast two items, by raw id, for a user."""
    catalogue, attribution = tag_model.catalogue, tag_model.attribution
    embedding = user.to_explain().embedding
    columns = [catalogue.items.row(item), catalogue.items.row(other)]
    if columns[0] == columns[1]:
        raise ValueError(f"item and other must be two items, got {item!r} twice")
    preferences = tag_model.tag_preferences_of(embedding)
    vs_population = tag_model.vs_mean(preferences)
    # One call: where perturbations are drawn, both items are judged by the same ones.
    attributed = attribution.attribute(preferences, embedding, columns)
    importances = attributed.importances[0] - attributed.importances[1]
    contributions, likings = attributed.told(vs_population)
    contributions = contributions[0] - contributions[1]
    base_value = float(attributed.base_values[0] - attributed.base_values[1])
    value = float(attributed.values[0] - attributed.values[1])
    scores = tag_model.scores_of(embedding)[columns].astype(np.float64)
    one, two = columns
    speak = tag_model.account.says_more_than_chance(columns)
    return Contrast(
        user=user.label,
        item=catalogue.items[one],
        other=catalogue.items[two],
        item_name=catalogue.item_names[one],
        other_name=catalogue.item_names[two],
        method=tag_model.method,
        unit=attribution.unit,
        tag_names=tag_model.extractor.tag_names_,
        on_item=tag_model.extractor.tags_of(one) > 0,
        on_other=tag_model.extractor.tags_of(two) > 0,
        vs_population=vs_population,
        likings=likings,
        importances=importances,
        contributions=contributions,
        base_value=base_value,
        residual=value - base_value - float(contributions.sum()),
        value=value,
        score=float(scores[0] - scores[1]),
        fidelity=float(min(attributed.fidelity * tag_model.fidelity(columns, user.is_folded))),
        _is_row=user.is_row_number(tag_model),
        _speak=(bool(speak[0]), bool(speak[1])),
    )
