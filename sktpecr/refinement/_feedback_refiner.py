"""From feedback on tags to the next recommendations."""

from __future__ import annotations

import operator
import os
from collections.abc import Hashable, Iterable, Iterator, Mapping
from numbers import Real
from typing import Any, TypeGuard

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, _fit_context, clone
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from sktpecr._inputs._feedback import Feedback, check_held
from sktpecr._inputs._numbers import check_choice, check_n, check_share
from sktpecr.explanation._tpecr_explainer import TPECRExplainer
from sktpecr.refinement._answer import Listing, answers
from sktpecr.refinement._hard_tags import warn_of_hard_tags
from sktpecr.refinement._refine_batch import refine_batch
from sktpecr.refinement._refinement import Refinement
from sktpecr.solvers import BayesianSolver, ClosedFormSolver, EmbeddingSolver, OnlineSolver
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._tag_transformer import check_interactions
from sktpecr.tags._user import User

_SOLVERS = {
    "closed_form": ClosedFormSolver,
    "bayesian": BayesianSolver,
    "online": OnlineSolver,
    "embedding": EmbeddingSolver,
}

Tags = Hashable | Iterable[Hashable] | Mapping[Hashable, float]


class FeedbackRefiner(BaseEstimator):
    r"""Refine recommendations from what a user says about tags, without retraining.

    Parameters
    ----------
    explainer : TPECRExplainer
        The explainer whose recommendations are refined. If it is fitted (or needs no fit),
        the refiner needs no fit of its own.
    solver : {"auto", "closed_form", "bayesian", "online", "embedding"} or solver, default="auto"
        What feedback changes. "auto": the worth of items in this session, and with the share
        `long_term` of its strength also the user's embedding. The others change only the
        embedding: "closed_form" along a direction in closed form, "bayesian" by treating answers
        of all turns as noisy observations, "online" by the paper's gradient steps on tag
        preferences, and "embedding", the paper's baseline, by gradient steps on the embedding.
        Pass an object of ``sktpecr.solvers`` to choose its settings.
    long_term : float, default=0.5
        For "auto": the share of the strength that changes the user's lasting taste, the embedding.
        The likes and dislikes themselves count until :meth:`Refinement.forget`. From 0, which
        changes no embedding and works with any black box, to 1.

    Attributes
    ----------
    explainer_ : TPECRExplainer
        Clone of the explainer that ``fit`` fitted; only there after ``fit``.
    n_features_in_ : int
        Number of items; only there after ``fit``.

    Notes
    -----
    Section 3.3.3 of the paper [1]_ is ``solver="online"``; what the closed form does
    instead stands at :class:`~sktpecr.solvers.ClosedFormSolver`.

    With "auto" an answer is evidence on items: who asks for a tag looks for an item that has it,
    and is wrong one time in twenty. The scores s of the refined embedding are the prior, and an
    item is worth

    .. math:: s_v + \tau \sum_k a_k \log \frac{P(k \mid v)}{P(k \mid \text{no tag})}

    :math:`a_k` the strength of answer k, or what its amount takes; :math:`\tau` the temperature,
    2.5 times :math:`(\max s - \bar{s}) / \log n` of the user's n scores, at which answers count
    for more than the way from a usual item to the best one: between 1 and 1.4 the softmax is
    calibrated on interactions held out of MovieLens and goodbooks, and success in simulated
    critiques grows up to 2.5. It needs no generator and no dot product.
    What is asked for with a strength counts for items without any tag by how probable the tag is
    given their embedding, a logistic regression over the items that have tags; where the
    recommender has no ``item_embeddings`` they are left as they are. An amount, or ``tags`` that
    describe somebody new, go by the items that have the tag, and never by a guess.
    Answers of earlier turns stay in force.

    References
    ----------
    .. [1] Xu et al., "A Tag-Based Post-Hoc Framework for Explainable Conversational
       Recommendation", ICTIR 2022.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import FeedbackRefiner, TPECRExplainer
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> refiner = FeedbackRefiner(explainer.fit(data.interactions, user_ids=data.user_ids))
    >>> user = data.user_ids[3]
    >>> refined = refiner.refine(user, like=["tag_1"], dislike=["tag_2"])
    >>> change = refined.to_frame().set_index("tag")["change"]
    >>> bool(change["tag_1"] > 0 > change["tag_2"])
    True
    >>> refiner.refine(user, like="tag1")
    Traceback (most recent call last):
    ...
    ValueError: unknown tag 'tag1'; did you mean 'tag_1', ...
    """

    _parameter_constraints: dict = {
        "explainer": [HasMethods(["fit", "explain", "recommend"])],
        "solver": [StrOptions({"auto", *_SOLVERS}), HasMethods(["solve"])],
        "long_term": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self, explainer: TPECRExplainer, *, solver: Any = "auto", long_term: float = 0.5
    ) -> None:
        self.explainer = explainer
        self.solver = solver
        self.long_term = long_term

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: Any,
        y: Any = None,
        user_ids: Iterable[Hashable] | None = None,
        item_names: Iterable[str] | None = None,
    ) -> FeedbackRefiner:
        """Fit a clone of the explainer.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_users, n_items)
            Interactions, see :meth:`TPECRExplainer.fit`.
        y : None
            Ignored.
        user_ids : iterable of hashable, optional
            One raw id per row of X.
        item_names : iterable of str, optional
            One name per column of X.

        Returns
        -------
        self : object
            The fitted refiner.
        """
        explainer = clone(self.explainer).fit(X, user_ids=user_ids, item_names=item_names)
        check_interactions(self, X)
        self.explainer_ = explainer
        return self

    def refine(
        self,
        user: Hashable | None = None,
        like: Tags | None = None,
        dislike: Tags | None = None,
        set: Mapping[Hashable, float] | None = None,
        strength: float | None = None,
        units: str = "std",
        *,
        interactions: Any = None,
        tags: Mapping[Hashable, float] | None = None,
        after: Refinement | None = None,
        amount: str | None = None,
        until: Mapping[Hashable, int] | None = None,
        n: int = 10,
        keep: float = 0.5,
        exclude: Iterable[Hashable] = (),
        candidates: Iterable[Hashable] | None = None,
        hold: str | Iterable[Hashable] = (),
        together: Any = None,
        less_than: Mapping[Hashable, Hashable] | None = None,
    ) -> Any:  # Refinement, or a list of them for a list of users
        """Refine a user's recommendations.

        Parameters
        ----------
        user : hashable, or list or array of them, optional
            Raw user id, or row number if the explainer's fit got no ids. A list gives the same
            feedback to each and returns a list.
        like, dislike : tag name, list of tag names or dict of tag name to strength, optional
            What to show more and less of.
        set : dict of tag name to value, optional
            Values that tag preferences should have; other tags follow, see `hold`. `strength` does
            not apply to them.
        strength : float, optional
            How much `like` and `dislike` count. For "auto", 2 counts as two answers. In closed
            form, the standard deviation of the score changes over items is strength / 5 of that of
            the user's own scores. For the other solvers it multiplies their update. It also
            multiplies the strengths of a dict; 0 changes nothing; 1 if it is not given.
        units : {"std", "raw"}, default="std"
            Unit of `set`: standard deviations from the population's mean, so that 0 is the
            average user, or units of the score. These are the tag preferences of
            :meth:`Refinement.to_frame`, which are high for all tags where all of a user's scores
            are high; sentences say what is left without that, ``Explanation.likings``.
        interactions, tags : optional
            A new user in place of `user`, see :meth:`TPECRExplainer.explain`.
        after : Refinement, optional
            In place of `user`: an earlier turn to continue from.
        amount : {"a bit", "more", "a lot"}, optional
            How much `like` and `dislike` should change the list: 1, 2 or 4 more of the tag's items,
            or fewer; from "more" on, a dislike leaves at most half of them. The answer counts just
            enough for that. Needs ``solver="auto"``, where "more" is the default if no number is
            given; `strength` then applies to the lasting taste only, and is halved as often as that
            taste would cost more than half of what the list may lose.
        until : dict of tag name to int, optional
            How many of a tag's items the list should have, in place of `like` and `dislike`.
        n : int, default=10
            Length of the list that `amount`, `until` and :meth:`Refinement.to_text` are about.
        keep : float, default=0.5
            Share of that list which `amount` and `until` must leave, from 0 to 1. `set` may cost
            half of what a list twice as long may lose, where the recommender can do that; with 0
            it costs what it costs, and nothing more is done to show the tags.
        exclude : iterable of hashable, default=()
            Raw ids of items that cannot be in it, besides those of the user's interactions.
        candidates : iterable of hashable, optional
            Raw ids of the items that can be in it, here and in :meth:`Refinement.recommend`, such
            as the items that a candidate generator found for this user. All items by default.
        hold : "all" or iterable of tag names, default=()
            Tags that keep their value when others are `set`. The remaining tags follow as they are
            correlated in the population, and where that would cost too much of the list (see
            `keep`) as nearly so as leaves it; the items of a tag that is set move its way. With
            "all", only named tags change, as with the other solvers.
        together : tuple of tag names, list of them or dict of them to strength, optional
            Show more items that have all of these tags together. Counts in this session only; see
            `amount` for how much.
        less_than : dict of tag name to item id, optional
            Items that have too much of a tag: items with as much of it become less likely, by one
            answer. Counts in this session only.

        Returns
        -------
        Refinement
            The refined embedding, its tag preferences and its recommendations; a list of them
            if `user` is one.

        Raises
        ------
        ValueError
            If the user or a tag is unknown, the feedback contradicts itself, a number is not
            finite or a strength negative, a dislike comes without interactions (for solvers that
            change only the embedding), or the recommender cannot do what is asked for.

        Warns
        -----
        UserWarning
            If the list does not show what was asked for because the tag cannot be changed alone:
            less than half of such a change is possible while other tags stay the same, or another
            tag cannot be told apart from it; see :class:`Steerability`.
        """
        tag_model = self.tag_model_
        check_choice(units, "units", "std", "raw")
        # Who gives no number asks for what can be seen.
        said = like, dislike, together
        no_number = strength is None and not any(isinstance(each, Mapping) for each in said)
        if amount is None and no_number and self.solver == "auto":
            amount = "more"
        strength = 1.0 if strength is None else strength
        also = until, together, less_than, tag_model.catalogue.items
        feedback = Feedback.parse(tag_model.tags, like, dislike, set, strength, amount, *also)
        self._check_amounts(feedback.amount or until or together or less_than)
        values = tag_model.in_units_of_score(feedback.set) if units == "std" else feedback.set
        users = [
            User.of(tag_model, one, interactions, tags, after)
            for one in (user if _are_many(user) else [user])
        ]
        users = [one.listed_among(tag_model.catalogue, candidates) for one in users]
        n = min(check_n(n), len(tag_model.catalogue.items))
        shown = n, check_share(keep, "keep"), exclude, check_held(tag_model.tags, hold)
        refined = [self._refine(tag_model, one, [feedback], values, *shown)[0] for one in users]
        warn_of_hard_tags(tag_model, feedback, refined)
        return refined if _are_many(user) else refined[0]

    def preview(
        self,
        user: Hashable | None = None,
        like: Tags | None = None,
        dislike: Tags | None = None,
        set: Mapping[Hashable, float] | None = None,
        *,
        n: int = 10,
        strength: float | None = None,
        amount: str | None = None,
        units: str = "std",
        interactions: Any = None,
        tags: Mapping[Hashable, float] | None = None,
        after: Refinement | None = None,
        exclude_seen: bool = True,
    ) -> pd.DataFrame:
        """List what feedback would bring into a user's list and out of it; nothing is kept.

        Parameters
        ----------
        user : hashable, optional
            Raw user id, or row number if the explainer's fit got no ids.
        like, dislike, set : optional
            See :meth:`refine`.
        n : int, default=10
            Length of the list.
        strength, amount : optional
            See :meth:`refine`.
        units : {"std", "raw"}, default="std"
            See :meth:`refine`.
        interactions, tags : optional
            A new user in place of `user`, see :meth:`TPECRExplainer.explain`.
        after : Refinement, optional
            See :meth:`refine`.
        exclude_seen : bool, default=True
            Whether items of the user's interactions are left out.

        Returns
        -------
        DataFrame
            A row per item that is in the list before or after, in order of the rank after: item,
            name, rank_before, rank, and change ("enters", "stays" or "leaves").

        Raises
        ------
        ValueError
            See :meth:`refine`.
        """
        if _are_many(user):
            raise ValueError(f"user must be one user id, got {type(user).__name__}: {user!r:.80}")
        n = check_n(n)
        said = (like, dislike, set, strength, units)
        who: dict[str, Any] = {"interactions": interactions, "tags": tags, "after": after}
        refined = self.refine(user, *said, **who, amount=amount, n=n)
        return refined._changes(n, exclude_seen)

    def sweep(
        self,
        user: Hashable | None = None,
        like: Tags | None = None,
        dislike: Tags | None = None,
        *,
        strengths: Iterable[float] | None = None,
        amounts: Iterable[str] | None = None,
        interactions: Any = None,
        tags: Mapping[Hashable, float] | None = None,
        after: Refinement | None = None,
        n: int = 10,
        keep: float = 0.5,
        exclude: Iterable[Hashable] = (),
    ) -> list[Refinement]:
        """Refine a user's recommendations by the same feedback at several strengths or amounts.

        What a slider needs, or a row of buttons. The gradient solvers descend once for all
        strengths; of amounts only what is for now differs, and taste is computed once.

        Parameters
        ----------
        user : hashable, optional
            Raw user id, or row number if the explainer's fit got no ids.
        like, dislike : tag name, list of tag names or dict of tag name to strength, optional
            What to show more and less of.
        strengths : iterable of float, optional
            See `strength` of :meth:`refine`. Either these or `amounts` are given.
        amounts : iterable of {"a bit", "more", "a lot"}, optional
            See `amount` of :meth:`refine`.
        interactions, tags : optional
            A new user in place of `user`, see :meth:`TPECRExplainer.explain`.
        after, n, keep, exclude : optional
            See :meth:`refine`.

        Returns
        -------
        list of Refinement
            One for each strength or amount, each what :meth:`refine` returns.

        Raises
        ------
        ValueError
            As :meth:`refine` does, and if both strengths and amounts are given, or neither.

        Examples
        --------
        >>> from sklearn.decomposition import TruncatedSVD
        >>> from sktpecr import FeedbackRefiner, TPECRExplainer
        >>> from sktpecr.datasets import make_tagged_interactions
        >>> data = make_tagged_interactions(random_state=0)
        >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
        >>> refiner = FeedbackRefiner(explainer.fit(data.interactions))
        >>> for refined in refiner.sweep(0, "tag_1", amounts=["a bit", "more"], n=5):
        ...     print(refined.to_text())
        item_098 came in; item_295 left; 4 of your first 5 stayed.
        item_098 and item_185 came in; item_181 and item_295 left; 3 of your first 5 stayed.
        """
        if (strengths is None) == (amounts is None):
            raise ValueError("give either strengths or amounts, not both and not none")
        several: Any = strengths if amounts is None else amounts
        if isinstance(several, str | bytes) or not hasattr(several, "__iter__"):
            raise ValueError(f"strengths and amounts must be lists, got {several!r}")
        tag_model = self.tag_model_
        self._check_amounts(amounts is not None)
        said = [(each, None) if amounts is None else (1.0, each) for each in several]
        feedbacks = [Feedback.parse(tag_model.tags, like, dislike, None, *each) for each in said]
        somebody = User.of(tag_model, user, interactions, tags, after)
        return self._refine(
            tag_model, somebody, feedbacks, {}, check_n(n), check_share(keep, "keep"), exclude
        )

    def refine_batch(
        self,
        feedback: pd.DataFrame,
        n_items: int = 10,
        *,
        candidates: Any = None,
        to: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        batch_size: int = 256,
        resume: bool = True,
        exclude_seen: bool = True,
    ) -> Any:  # a DataFrame, or a Path
        """Refine the recommendations of many users, each by feedback of their own.

        Parameters
        ----------
        feedback : DataFrame of pandas or polars
            A row for each tag that a user speaks of: user, tag, feedback ("like", "dislike" or
            "set"), and value, if there is such a column: the strength of a like or a dislike (1
            if missing), or where a tag is set, in standard deviations.
        n_items : int, default=10
            Length of each list.
        candidates : DataFrame of pandas or polars, or path, optional
            The only items that each user may be listed, from a candidate generator: columns user
            and item, or Parquet files with these, see `pairs` of
            :meth:`~sktpecr.TPECRExplainer.explain_batch`. Each user who gives feedback needs some;
            others are passed over. All items by default.
        to, n_jobs : optional
            See :meth:`~sktpecr.TPECRExplainer.explain_batch`.
        batch_size : int, default=256
            Users in a part.
        resume : bool, default=True
            See :meth:`~sktpecr.TPECRExplainer.explain_batch`.
        exclude_seen : bool, default=True
            Whether items of a user's interactions are left out.

        Returns
        -------
        DataFrame or Path
            The folder if `to` is given; else columns user, rank, item, score and rank_before, see
            :meth:`Refinement.recommend`. Users in the order in which they come first, in
            `candidates` if given.

        Raises
        ------
        ValueError
            If `feedback` is no such table, or an id is unknown.
        RuntimeError
            If parts failed: the others are in the folder, and the next call tries them again. If
            another call is writing to the folder.

        Warns
        -----
        UserWarning
            If parts failed and there is no folder: who is left out.

        Examples
        --------
        >>> import pandas as pd
        >>> from sklearn.decomposition import TruncatedSVD
        >>> from sktpecr import FeedbackRefiner, TPECRExplainer
        >>> from sktpecr.datasets import make_tagged_interactions
        >>> data = make_tagged_interactions(random_state=0)
        >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
        >>> refiner = FeedbackRefiner(explainer.fit(data.interactions))
        >>> said = pd.DataFrame({"user": [3, 3, 7], "tag": ["tag_1", "tag_2", "tag_1"]})
        >>> said["feedback"] = ["like", "dislike", "like"]
        >>> lists = refiner.refine_batch(said, n_items=2)
        >>> lists["user"].tolist()
        [3, 3, 7, 7]
        """
        return refine_batch(
            self,
            feedback,
            n_items,
            candidates,
            to=to,
            n_jobs=n_jobs,
            batch_size=batch_size,
            resume=resume,
            exclude_seen=exclude_seen,
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @property
    def tag_model_(self) -> TagModel:
        """What the explainer learned, see :attr:`TPECRExplainer.tag_model_`."""
        params = self.explainer, self.solver, self.long_term
        # Validated anew where one was set: each turn asks, and scikit-learn takes .1 ms.
        if not all(map(operator.is_, params, vars(self).get("_validated", (None,) * 3))):
            self._validate_params()
            self._validated = params
        explainer: Any = getattr(self, "explainer_", self.explainer)
        return explainer.tag_model_

    def _check_amounts(self, asked_for: Any) -> None:
        if asked_for and self.solver != "auto":
            raise ValueError(
                f"amount, until, together and less_than need solver='auto', got "
                f"solver={self.solver!r}: use strength"
            )

    def _refine(
        self,
        tag_model: TagModel,
        user: User,
        feedbacks: list[Feedback],
        values: dict[int, float],
        n: int = 10,
        keep: float = 0.5,
        exclude: Iterable[Hashable] = (),
        hold: tuple[int, ...] | None = (),
    ) -> list[Refinement]:
        """Refine by feedbacks that differ in strength alone."""
        allowed = user.candidates(tag_model.catalogue, user.has_known_history, exclude)
        listing, some = Listing(allowed, n, keep), [feedback for feedback in feedbacks if feedback]
        solved = self._solved(tag_model, user, some, values, listing, hold)
        own = user.embedding.astype(np.float64)
        refinements = []
        for feedback in feedbacks:
            with np.errstate(over="ignore", invalid="ignore"):
                if feedback:
                    embedding, requested, more = next(solved)
                else:
                    embedding, more = own, {"wish": user.wish}
                    requested = tag_model.tag_preferences_of(own)
                refinement = Refinement(
                    tag_model, user, feedback, values, embedding, requested, listing=listing, **more
                )
                finite = np.isfinite(embedding).all() and np.isfinite(refinement.scores).all()
            if not finite:
                what = f"strength {feedback.strength:g}" if feedback.strength else "set"
                raise ValueError(f"{what} is too large for floating-point numbers; ask for less")
            refinements.append(refinement)
        return refinements

    def _solved(
        self,
        tag_model: TagModel,
        user: User,
        feedbacks: list[Feedback],
        values: dict[int, float],
        listing: Listing,
        hold: tuple[int, ...] | None,
    ) -> Iterator[tuple[NDArray, NDArray, dict[str, Any]]]:
        """Yield embedding and requested tag preferences for each, and what else is known."""
        if self.solver == "auto":
            how = values, self.long_term, listing, hold
            yield from answers(tag_model, user, feedbacks, *how)
            return
        if not user.has_known_history and any(each.dislike for each in feedbacks):
            raise ValueError(
                "dislike needs the user's history, and the explainer was fitted without "
                "interactions; call its fit(interactions) first, or use set="
            )
        solver = _SOLVERS[self.solver]() if isinstance(self.solver, str) else self.solver
        if hasattr(solver, "sweep"):
            solved = solver.sweep(tag_model, user, feedbacks, values) if feedbacks else ()
        else:
            solved = (solver.solve(tag_model, user, feedback, values) for feedback in feedbacks)
        for embedding, requested, *covariance in solved:
            known = {"covariance": covariance[0]} if covariance else {}
            yield embedding, requested, {"wish": user.wish, **known}


def _are_many(user: Any) -> TypeGuard[list[Any]]:
    """Tell a list of users from one user; a tuple can be an id."""
    return isinstance(user, list) or (hasattr(user, "__array__") and np.ndim(user) == 1)
