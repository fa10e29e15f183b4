"""What explain returns."""

from __future__ import annotations

import html
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sktpecr import plotting
from sktpecr._inputs._ids import plain, plain_fields
from sktpecr.explanation._certificate import Certificate
from sktpecr.explanation._words import by_size, complete_words, liked, worth_saying

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a recommender gives an item its score, in tags.

    Returned by :meth:`TPECRExplainer.explain`; not built by hand.

    Parameters
    ----------
    user, item : hashable
        Raw ids; a few words for a user who has none.
    item_name : str
        Name of the item.
    method : str
        Generator, attribution and unit.
    unit : str
        Unit of `importances`.
    tag_names : ndarray of shape (n_tags,)
        Names of the tags.
    item_tags : ndarray of shape (n_tags,)
        Weight of each tag on the item, 0 where it is not on it.
    tag_preferences : ndarray of shape (n_tags,)
        The user's tag preferences in the recommender's view, in units of the score.
    vs_population : ndarray of shape (n_tags,)
        How they stand to the population, in standard deviations.
    vs_own_average : ndarray of shape (n_tags,)
        How they stand to the user's mean score over all items, in units of the score.
    importances : ndarray of shape (n_tags,)
        Effect of one standard deviation more of each tag preference (the paper's I_uv).
    contributions : ndarray of shape (n_tags,)
        What the user's distance from the population did to this score: importance times
        `vs_population`.
    base_value : float
        The value at average tag preferences: the average user's for the exact attribution, this
        user's with such preferences for the others.
    residual : float
        What no tag sees: `value` minus base value and contributions.
    value : float
        What is taken apart: the score itself for the exact attribution.
    score : float
        The recommender's own score.
    prediction : float
        The composite function's score, at the user's own tag preferences.
    fidelity : float
        R^2 of the surrogate, times what distillation kept of the recommender, or what its tags tell
        of a new item; 1 is exact.
    standard_errors : ndarray of shape (n_tags,), optional
        Standard errors of `importances`, where they are estimates.
    n_hidden : int
        How many tags are not shown; what they contribute is in `residual`.
    scored_by_tags : bool
        Whether the model was not trained on the item, see
        :class:`~sktpecr.recommenders.NewItemsRecommender`.
    _measure : callable, optional
        What measures the certificate, when it is first asked for.

    Notes
    -----
    ``base_value + contributions.sum() + residual == value``, always. How far it can be trusted
    is in its :attr:`certificate`, which is measured when it is first asked for.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import TPECRExplainer
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> explanation = explainer.fit(data.interactions).explain(0, data.item_ids[0])
    >>> sorted(explanation.to_frame().columns)[:3]
    ['contribution', 'importance', 'on_item']
    """

    user: Any
    item: Any
    item_name: str
    method: str
    unit: str
    tag_names: NDArray
    item_tags: NDArray
    tag_preferences: NDArray
    vs_population: NDArray
    vs_own_average: NDArray
    importances: NDArray
    contributions: NDArray
    base_value: float
    residual: float
    value: float
    score: float
    prediction: float
    fidelity: float
    standard_errors: NDArray | None = None
    n_hidden: int = 0
    scored_by_tags: bool = False
    # What measures the certificate: it knows the model, and an explanation does not.
    _measure: Callable[[Explanation], Certificate] | None = field(default=None, repr=False)

    @cached_property
    def certificate(self) -> Certificate:
        """How far the explanation can be trusted, a :class:`Certificate`."""
        if self._measure is None:
            raise ValueError("this explanation was built by hand: nothing measures it")
        return self._measure(self)

    def to_frame(self) -> pd.DataFrame:
        """Return a row per tag, the largest contribution first.

        Returns
        -------
        DataFrame
            Columns tag, on_item, preference, vs_population, vs_own_average, importance,
            contribution; and standard_error, where importances are estimates.
        """
        frame = pd.DataFrame(
            {
                "tag": self.tag_names,
                "on_item": self.item_tags > 0,
                "preference": self.tag_preferences,
                "vs_population": self.vs_population,
                "vs_own_average": self.vs_own_average,
                "importance": self.importances,
                "contribution": self.contributions,
            }
        )
        if self.standard_errors is not None:
            frame["standard_error"] = self.standard_errors
        return frame.iloc[by_size(self.contributions)].reset_index(drop=True)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain Python values, ready for JSON where the ids are.

        Returns
        -------
        dict
            Field names to values; arrays become lists, the certificate a dictionary.
        """
        return {
            **plain_fields(self),
            "certificate": {
                # JSON knows no NaN.
                name: None if np.isnan(value) else plain(value)
                for name, value in vars(self.certificate).items()
            },
        }

    def without(self, tags: Iterable[Hashable]) -> Explanation:
        """Leave tags out, and count what they contribute as what no tag shown sees.

        Parameters
        ----------
        tags : iterable of hashable
            Names of the tags.

        Returns
        -------
        Explanation
            Of the other tags; its certificate is that of all of them.
        """
        hidden = set(tags)
        shown = np.array([plain(name) not in hidden for name in self.tag_names], dtype=bool)
        fewer = {
            each.name: value[shown]
            for each in fields(self)
            if isinstance(value := getattr(self, each.name), np.ndarray)
        }
        left = float(self.contributions[~shown].sum())
        explanation = replace(
            self,
            **fewer,
            residual=self.residual + left,
            n_hidden=self.n_hidden + int(np.count_nonzero(~shown)),
        )
        vars(explanation)["certificate"] = self.certificate
        return explanation

    def to_text(self, words: Mapping[str, str] | None = None) -> str:
        """Say it in words, the item's own tags first.

        Parameters
        ----------
        words : mapping of str to str, optional
            Sentences to say in place of those of ``sktpecr.ENGLISH``, by name: templates such as
            ``{"links": "Das Modell verbindet {item} mit {tags}."}``.

        Returns
        -------
        str
            A few sentences.

        Raises
        ------
        ValueError
            If there is no sentence of such a name, or it holds what it may not.
        """
        say = complete_words(words)
        on_item = self.item_tags > 0
        own_for, own_against = self._worth_saying(on_item)
        other_for, other_against = self._worth_saying(~on_item)
        named = {"item": self.item_name}
        if own_for:
            named["tags"] = self._phrases(own_for[:3], say)
        if own_against:
            named["against"] = self._phrases(own_against[:3], say)
        if not on_item.any():
            first = "no_tags_shown" if self.n_hidden else "no_tags"
        elif own_for:
            first = "links_despite" if own_against else "links"
        else:
            first = "against" if own_against else "little"
        sentences = [say[first].format(**named)]
        unnamed = len(own_for[3:]) + len(own_against[3:])
        if unnamed:
            sentences.append(say["one_more" if unnamed == 1 else "more"].format(n=unnamed))
        for tags, name in ((other_for, "other_for"), (other_against, "other_against")):
            if tags:
                one = "_one" if len(tags) == 1 else ""
                sentences.append(say[name + one].format(tags=self._phrases(tags[:2], say)))
        sentences.append(
            say["sum_shown" if self.n_hidden else "sum"].format(
                base=_number(self.base_value),
                tags=_number(self.contributions.sum(), signed=True),
                residual=_number(self.residual, signed=True),
                value=_number(self.value),
            )
        )
        if self.scored_by_tags:
            sentences.append(say["by_tags"].format(item=self.item_name))
        return " ".join(sentences)

    def plot(self, ax: Axes | None = None, n_tags: int = 8) -> Axes:
        """Draw how the contributions lead from the value at average tags to this one.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw. A new figure by default.
        n_tags : int, default=8
            How many tags get a bar of their own; the rest share one.

        Returns
        -------
        matplotlib Axes
            The axes drawn on.
        """
        return plotting.plot_contributions(self, ax=ax, n_tags=n_tags)

    def __str__(self) -> str:
        frame = self.to_frame().head(10)
        table = frame.to_string(index=False, float_format=lambda value: f"{value:+.3f}")
        more = len(self.tag_names) - len(frame)
        return "\n".join(
            [
                f"method      {self.method}",
                f"user        {self.user}",
                f"item        {self.item}  {self.item_name}",
                f"score       {_number(self.score)}",
                f"fidelity    {self.fidelity:.3f}",
                "",
                table + (f"\n... {more} more tags" if more > 0 else ""),
                "",
                self.to_text(),
                str(self.certificate),
            ]
        )

    def __getstate__(self) -> dict[str, Any]:
        # With its certificate, and so without all that was learned.
        return {**vars(self), "certificate": self.certificate, "_measure": None}

    def __repr__(self) -> str:
        return f"Explanation(user={self.user!r}, item={self.item!r}, score={self.score:.4g})"

    def _repr_html_(self) -> str:
        table = self.to_frame().to_html(
            index=False, float_format=lambda value: f"{value:+.3f}", escape=True
        )
        return (
            f"<figure><figcaption><p>{html.escape(self.to_text())}</p>"
            f"<p>{html.escape(str(self.certificate))}</p>"
            f"<p>{html.escape(self.method)}; fidelity {self.fidelity:.3f}</p></figcaption>"
            f"{table}</figure>"
        )

    def _worth_saying(self, mask: NDArray) -> tuple[list[int], list[int]]:
        """Return the tags that speak for and against the item, the largest first."""
        tags = [t for t in worth_saying(self.contributions) if mask[t]]
        return (
            [t for t in tags if self.contributions[t] > 0],
            [t for t in tags if self.contributions[t] < 0],
        )

    def _phrases(self, tags: list[int], say: Mapping[str, str]) -> str:
        return liked(tags, self.tag_names, self.vs_population, self.contributions, say)


def _number(value: float, signed: bool = False) -> str:
    return f"{value:+.2g}" if signed else f"{value:.3g}"
