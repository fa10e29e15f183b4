"""What explain returns."""

from __future__ import annotations

import html
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sktpecr import plotting
from sktpecr._inputs._ids import plain, plain_fields
from sktpecr._inputs._numbers import check_flag, check_n
from sktpecr._utils._lazily import lazily
from sktpecr.explanation._certificate import Certificate
from sktpecr.explanation._reason import Reason
from sktpecr.explanation._reasons import Told
from sktpecr.explanation._words import (
    IN_HTML,
    by_size,
    complete_words,
    joined,
    reasons_in_words,
    spoken,
    whom,
    without_reasons_in_words,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a recommender gives an item its score, in tags.

    Returned by :meth:`TPECRExplainer.explain`; do not make one yourself.

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
        The same in standard deviations from the population's mean.
    vs_own_average : ndarray of shape (n_tags,)
        The same minus the user's mean score over all items, in units of the score.
    likings : ndarray of shape (n_tags,)
        How much more than the population the user likes each tag, in standard deviations. For the
        account after subtracting the user's general level, else `vs_population`.
    importances : ndarray of shape (n_tags,)
        Effect of one standard deviation more of each tag preference (the paper's I_uv).
    contributions : ndarray of shape (n_tags,)
        What the user's liking of each tag adds to this score. For the account it is 0 for tags that
        the item lacks; for the other attributions it is importance times `vs_population`.
    base_value : float
        The value at average tag preferences: for the account the average user's score and
        `activity`, for the exact attribution the average user's score, for the others this user's
        with such preferences.
    residual : float
        What no tag explains: `value` minus base value and contributions.
    value : float
        The number that is explained: the score itself for the exact attribution.
    score : float
        The recommender's own score. Of a distilled box it is the box's own, from one call, and
        `value` is what the factors in its place say.
    prediction : float
        The composite function's score, at the user's own tag preferences.
    fidelity : float
        R^2 of the surrogate, times what distillation kept of the recommender, or what its tags tell
        of a new item, times what is left of known users' scores when they are embedded anew, for a
        user who was; 1 is exact.
    standard_errors : ndarray of shape (n_tags,), optional
        Standard errors of `importances`, where they are estimates.
    activity : float
        The part of `base_value` that comes from this user's scores being higher or lower for all
        items.
    n_hidden : int
        How many tags are not shown; what they contribute is in `residual`.
    scored_by_tags : bool
        Whether the model was not trained on the item, see
        :class:`~sktpecr.recommenders.NewItemsRecommender`.
    asked_more, asked_less : tuple of tag names
        Tags of the item that the user asks for more and less of in this session.
    _measure, _tell, _weigh, _hidden, _is_row : optional
        How certificate, reasons and evidence are found when they are asked for, and whether `user`
        is a row number because fit got no ids: not to be given.

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
    >>> explanation = explainer.fit(data.interactions).explain(3, data.item_ids[1])
    >>> explanation.to_text()
    'Because you like tag_3 more than most people (item_131, item_086).'
    >>> sorted(explanation.to_frame().columns)[:3]
    ['contribution', 'importance', 'liking']
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
    likings: NDArray
    importances: NDArray
    contributions: NDArray
    base_value: float
    residual: float
    value: float
    score: float
    prediction: float
    fidelity: float
    standard_errors: NDArray | None = None
    activity: float = 0.0
    n_hidden: int = 0
    scored_by_tags: bool = False
    asked_more: tuple[Any, ...] = ()
    asked_less: tuple[Any, ...] = ()
    # What measures the certificate, and what finds reasons: they know the model.
    _measure: Callable[[Explanation], Certificate] | None = field(default=None, repr=False)
    _tell: Callable[..., Told] | None = field(default=None, repr=False)
    _weigh: Callable[[], pd.DataFrame] | None = field(default=None, repr=False)
    _hidden: frozenset[Any] = field(default=frozenset(), repr=False)
    _is_row: bool = field(default=False, repr=False)

    @lazily
    def certificate(self) -> Certificate:
        """How far the explanation can be trusted, a :class:`Certificate`."""
        if self._measure is None:
            raise ValueError("an explanation that explain() did not return has no certificate")
        return self._measure(self)

    @property
    def reasons(self) -> list[Reason]:
        """The few reasons that a person can be given, those for the item before one against it.

        Each is a :class:`~sktpecr.explanation.Reason`.

        Empty when there is none: that no tag is the reason is the truth, too.
        """
        return list(self._told.reasons)

    @lazily
    def evidence(self) -> pd.DataFrame:
        """What each item of the user's history adds to the score, and through which own tag.

        A row per item taken and one for what is not of these items, a column per own tag and one
        for what no tag of the item tells; all of it sums to the score less the average user's.
        Only where folding in is linear (ALS, ridge, SVD) and for a known user as she is.
        """
        if self._weigh is None:
            raise ValueError(
                "evidence needs a known user with interactions and without feedback, a score that "
                "is a dot product, and AccountAttribution"
            )
        return self._weigh()

    @lazily
    def _told(self) -> Told:
        if self._tell is None:
            raise ValueError("an explanation that explain() did not return has no reasons")
        return self._tell(hidden=self._hidden)

    def to_frame(self) -> pd.DataFrame:
        """Return a row per tag, the largest contribution first.

        Returns
        -------
        DataFrame
            Columns tag, on_item, preference, vs_population, vs_own_average, liking, importance,
            contribution; and standard_error, where importances are estimates.
        """
        frame = pd.DataFrame(
            {
                "tag": self.tag_names,
                "on_item": self.item_tags > 0,
                "preference": self.tag_preferences,
                "vs_population": self.vs_population,
                "vs_own_average": self.vs_own_average,
                "liking": self.likings,
                "importance": self.importances,
                "contribution": self.contributions,
            }
        )
        if self.standard_errors is not None:
            frame["standard_error"] = self.standard_errors
        return frame.iloc[by_size(self.contributions)].reset_index(drop=True)

    def to_dict(self, top: int | None = None, certificate: bool = True) -> dict[str, Any]:
        """Return everything as plain Python values, ready for JSON where the ids are.

        Parameters
        ----------
        top : int, optional
            So many tags, those with the largest contributions, and what the others contribute in
            the residual. All by default.
        certificate : bool, default=True
            Whether the certificate is measured and put in.

        Returns
        -------
        dict
            Field names to values, arrays as lists; `text`, `reasons` and the certificate as
            dictionaries.
        """
        if top is not None:
            largest = by_size(self.contributions)[: check_n(top, "top")]
            kept = {plain(name) for name in self.tag_names[largest]}
            dropped = [tag for tag in map(plain, self.tag_names) if tag not in kept]
            return {**self._shown(dropped).to_dict(certificate=certificate), **self._said()}
        found = {**plain_fields(self), **self._said()}
        if certificate:
            # JSON knows no NaN.
            found["certificate"] = {
                name: None if np.isnan(value) else plain(value)
                for name, value in vars(self.certificate).items()
            }
        return found

    def _said(self) -> dict[str, Any]:
        return {"text": self.to_text(), "reasons": [asdict(each) for each in self.reasons]}

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
        one = isinstance(tags, str | bytes) or not hasattr(tags, "__iter__")
        hidden: list[Any] = [tags] if one else list(tags)
        known = {plain(name) for name in self.tag_names}
        unknown = [tag for tag in hidden if tag not in known and tag not in self._hidden]
        if unknown:
            raise ValueError(f"tags must be tags of the explanation, got {unknown[0]!r}")
        explanation = replace(self._shown(hidden), _hidden=self._hidden | set(hidden))
        vars(explanation)["certificate"] = self.certificate
        return explanation

    def _shown(self, hidden: list[Any]) -> Explanation:
        """Leave tags out of the table; what they contribute is in the residual."""
        left_out = set(hidden)
        shown = np.array([plain(name) not in left_out for name in self.tag_names], dtype=bool)
        fewer: dict[str, Any] = {
            each.name: value[shown]
            for each in fields(self)
            if isinstance(value := getattr(self, each.name), np.ndarray)
        }
        left = float(self.contributions[~shown].sum())
        n_hidden = self.n_hidden + int(np.count_nonzero(~shown))
        return replace(
            self,
            **fewer,
            residual=self.residual + left,
            n_hidden=n_hidden,
            asked_more=tuple(tag for tag in self.asked_more if tag not in left_out),
            asked_less=tuple(tag for tag in self.asked_less if tag not in left_out),
        )

    def to_text(self, words: Mapping[str, str] | None = None, details: bool = False) -> str:
        """Say in a sentence or two why the item is there, for the person who sees it.

        Parameters
        ----------
        words : mapping of str to str, optional
            Sentences to say in place of those of ``sktpecr.ENGLISH``, by name: templates such as
            ``{"for": "Weil du {tags} {much} magst."}``.
        details : bool, default=False
            Whether two lines follow: how the score adds up, and the certificate.

        Returns
        -------
        str
            The :attr:`reasons` in words, and what speaks for the item where no tag does.

        Raises
        ------
        ValueError
            If there is no sentence of such a name, or it holds what it may not.
        """
        say = complete_words(words)
        # What was asked for or against is said as that, and not against the item once more.
        asked = {*self.asked_more, *self.asked_less}
        reasons = [each for each in self.reasons if each.speaks_for or each.tag not in asked]
        told, against = (
            self._told,
            [spoken(each.tag) for each in reasons if not each.speaks_for],
        )
        if len(reasons) > len(against):
            sentences = [reasons_in_words(reasons, told.names, say)]
        else:
            lead = "despite" if against else "no_reason"
            if not (self.item_tags > 0).any():
                lead = "no_tags_shown" if self.n_hidden else "no_tags"
            # What is near speaks for the item only where the rest of its score does.
            nearest = told.nearest if self.residual > 0 else ()
            said = lead, against, nearest, told.is_popular, say
            sentences = [without_reasons_in_words(*said)]
        if self.asked_more:
            # What was asked for is no belief, and is the reason where there is no other.
            only_believed = all(
                each.tag in self.asked_more and not each.evidence for each in reasons
            )
            says_little = sentences[0] in (say["no_reason"], say["no_reason_popular"])
            if (reasons and only_believed) or says_little:
                sentences = []
            sentences.insert(0, say["asked_more"].format(tags=self._joined(self.asked_more, say)))
        if self.asked_less:
            sentences.append(say["asked_less"].format(tags=self._joined(self.asked_less, say)))
        if self.scored_by_tags:
            sentences.append(say["by_tags"])
        text = " ".join(sentences)
        return (
            "\n".join([text, self._sum(say), str(self.certificate)])
            if check_flag(details, "details")
            else text
        )

    @staticmethod
    def _joined(tags: Iterable[Any], say: Mapping[str, str]) -> str:
        return joined([spoken(tag) for tag in tags], say)

    def _sum(self, say: Mapping[str, str]) -> str:
        name = "sum_level" if self.activity else "sum"
        return say[f"{name}_shown" if self.n_hidden else name].format(
            value=_number(self.value),
            base=_number(self.base_value - self.activity),
            activity=_number(self.activity, signed=True),
            level=say["higher" if self.activity > 0 else "lower"],
            tags=_number(self.contributions.sum(), signed=True),
            residual=_number(self.residual, signed=True),
        )

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
                f"user        {whom(self.user, self._is_row)}",
                f"item        {self.item}  {self.item_name}",
                f"method      {self.method}",
                f"score       {_number(self.score)}",
                f"fidelity    {self.fidelity:.3f}",
                "",
                table + (f"\n... {more} more tags" if more > 0 else ""),
                "",
                self.to_text(details=True),
            ]
        )

    def __getstate__(self) -> dict[str, Any]:
        # With its certificate and reasons, and so without all that was learned.
        found = {"certificate": self.certificate, "_told": self._told}
        return {**vars(self), **found, "_measure": None, "_tell": None, "_weigh": None}

    def __repr__(self) -> str:
        user = whom(self.user, self._is_row, repr)
        return f"Explanation(user={user}, item={self.item!r}, score={self.score:.4g})"

    def _repr_html_(self) -> str:
        frame = self.to_frame()
        more = len(frame) - IN_HTML
        table = frame.head(IN_HTML).to_html(
            index=False, float_format=lambda value: f"{value:+.3f}", escape=True
        ) + (f"<p>... {more} more tags</p>" if more > 0 else "")
        return (
            f"<figure><figcaption><p>{html.escape(self.to_text())}</p>"
            f"<p>{html.escape(self._sum(complete_words(None)))}</p>"
            f"<p>{html.escape(str(self.certificate))}</p>"
            f"<p>{html.escape(self.method)}; fidelity {self.fidelity:.3f}</p></figcaption>"
            f"{table}</figure>"
        )


def _number(value: float, signed: bool = False) -> str:
    return f"{value:+.2g}" if signed else f"{value:.3g}"
