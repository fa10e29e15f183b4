"""From feedback on tags to the next recommendations."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from sklearn.base import BaseEstimator, _fit_context, clone
from sklearn.utils._param_validation import HasMethods, StrOptions

from sktpecr._directions import Directions
from sktpecr._feedback import Feedback
from sktpecr._over_recommender import check_interactions
from sktpecr._refinement import Refinement
from sktpecr._tpecr_explainer import TPECRExplainer

# The standard deviation of the score changes at strength 1, in units of the user's own scores'.
_MOVEMENT_AT_STRENGTH_ONE = 1 / 5
# A unit step that the generator turns into less than this cannot be scaled to anything.
_NO_MOVEMENT = 1e-9

Tags = Hashable | Iterable[Hashable] | Mapping[Hashable, float]


class FeedbackRefiner(BaseEstimator):
    """Refine recommendations from what a user says about tags, without retraining.

    Parameters
    ----------
    explainer : TPECRExplainer
        The explainer whose recommendations are refined. If it is fitted (or needs no fit),
        the refiner needs no fit of its own.
    solver : {"closed_form"}, default="closed_form"
        How feedback becomes new tag preferences.

    Attributes
    ----------
    explainer_ : TPECRExplainer
        Clone of the explainer that ``fit`` fitted; only there after ``fit``.
    n_features_in_ : int
        Number of items; only there after ``fit``.

    Notes
    -----
    The feedback asks for a direction d in embedding space; what d does to tag preferences,
    :math:`c' = c_u + k M d`, is handed to the generator, and the refined embedding is
    :math:`e_u + G(c') - G(c_u)`, so that a generator's own error moves nobody. For a like, d
    leads from all other items to the tag's items that are to the user's taste; for a dislike, to
    the part of the user's history that the tag is not on. The smallest correction of d makes
    every named tag move its way. Section 3.3.3 of the paper [1]_ solves the same task by
    gradient steps on sampled pairs of items.

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
        "solver": [StrOptions({"closed_form"})],
    }

    def __init__(self, explainer: TPECRExplainer, *, solver: str = "closed_form") -> None:
        self.explainer = explainer
        self.solver = solver

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
        check_interactions(self, X)
        self.explainer_ = clone(self.explainer).fit(X, user_ids=user_ids, item_names=item_names)
        return self

    def refine(
        self,
        user: Hashable,
        like: Tags | None = None,
        dislike: Tags | None = None,
        set: Mapping[Hashable, float] | None = None,
        strength: float = 1.0,
        units: str = "std",
    ) -> Any:  # Refinement, or a list of them for a list of users
        """Refine a user's recommendations.

        Parameters
        ----------
        user : hashable, or list or array of them
            Raw user id, or row number if the explainer's fit got no ids. A list gives the same
            feedback to each and returns a list.
        like, dislike : tag name, list of tag names or dict of tag name to strength, optional
            What to show more and less of.
        set : dict of tag name to value, optional
            Where tag preferences should be; all tags not named by the feedback stay.
        strength : float, default=1.0
            How far `like` and `dislike` move the list: the standard deviation of the score
            changes over items is strength / 5 of that of the user's own scores. Multiplies the
            strengths of a dict; 0 changes nothing.
        units : {"std", "raw"}, default="std"
            Unit of `set`: standard deviations from the population's mean, so that 0 is the
            average user, or units of the score.

        Returns
        -------
        Refinement
            The refined embedding, its tag preferences and its recommendations; a list of them
            if `user` is one.

        Raises
        ------
        ValueError
            If the user or a tag is unknown, the feedback contradicts itself, a number is not
            finite or a strength negative, a dislike comes without interactions, or what is
            asked for is beyond this recommender.
        """
        self._validate_params()
        if units not in ("std", "raw"):
            raise ValueError(f"units must be 'std' or 'raw', got {units!r}")
        explainer: Any = getattr(self, "explainer_", self.explainer)
        explainer._ensure_fitted()
        feedback = Feedback.parse(explainer._tags, like, dislike, set, strength)
        if feedback.dislike and explainer._catalogue.interactions is None:
            raise ValueError(
                "dislike keeps what else is in the user's history, and the explainer was not "
                "given any interactions; call its fit(interactions) first, or use set="
            )
        if isinstance(user, list | np.ndarray):
            rows = explainer._catalogue.users.rows(user)
            return [self._refine(explainer, row, feedback, units) for row in rows]
        row = explainer._catalogue.users.row(user)
        return self._refine(explainer, row, feedback, units)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _refine(
        self, explainer: TPECRExplainer, row: int, feedback: Feedback, units: str
    ) -> Refinement:
        own = explainer.user_embeddings_[row]
        if not feedback:
            return Refinement(explainer, row, feedback, own, explainer._tag_preferences(own))
        embedding = own.astype(np.float64)
        preferences = explainer._tag_preferences(embedding)
        generate = explainer.generator_.generate
        unmoved = generate(preferences[np.newaxis], embedding[np.newaxis])[0]

        def move(wanted: NDArray) -> NDArray:
            return generate(wanted[np.newaxis], embedding[np.newaxis])[0] - unmoved

        wanted = preferences.copy()
        if feedback.strength:
            wanted += self._tag_shift(explainer, row, feedback, preferences, move)
        for tag, value in feedback.set.items():
            if units == "std":
                value = explainer.population_mean_[tag] + value * explainer.population_std_[tag]
            wanted[tag] = value
        return Refinement(explainer, row, feedback, embedding + move(wanted), wanted)

    def _tag_shift(
        self,
        explainer: TPECRExplainer,
        row: int,
        feedback: Feedback,
        preferences: NDArray,
        move: Callable[[NDArray], NDArray],
    ) -> NDArray:
        """Return the change of tag preferences that likes and dislikes ask for."""
        directions = self._directions(explainer)
        scores = explainer._scores(explainer.user_embeddings_[row]).astype(np.float64)
        direction = directions.combined(
            feedback.like, feedback.dislike, scores, explainer._catalogue.history(row)
        )
        shift = explainer.extractor_.tag_matrix_ @ direction
        # A user whom the recommender scores all alike moves as the population does.
        spread = scores.std() or directions.typical_movement(explainer.user_embeddings_)
        target = feedback.strength * _MOVEMENT_AT_STRENGTH_ONE * spread

        def movement(step: float) -> float:
            return directions.movement(move(preferences + step * shift))

        return _step(movement, target, explainer.composite_.is_linear) * shift

    def _directions(self, explainer: TPECRExplainer) -> Directions:
        extractor = explainer.extractor_
        if extractor.tag_matrix_ is None:
            raise ValueError(
                "solver='closed_form' needs a recommender whose score is a dot product and a "
                "linear aggregate; use set= instead of like= and dislike="
            )
        # Kept beside the extractor it belongs to, so that a refitted explainer gets its own.
        kept = getattr(self, "_directions_of", None)
        if kept is None or kept[0] is not extractor:
            kept = (extractor, Directions.of(extractor))
            self._directions_of = kept
        return kept[1]


def _step(movement: Callable[[float], float], target: float, is_linear: bool) -> float:
    """Return the step whose movement is the target."""
    unit = movement(1.0)
    if unit < _NO_MOVEMENT:
        raise ValueError(
            "the generator cannot move this user's embedding the way the feedback asks; it may "
            "have been fitted on too few users, or on users who are all alike"
        )
    step = target / unit
    if is_linear:
        return step
    for _ in range(30):
        if movement(step) >= target:
            return float(brentq(lambda k: movement(k) - target, 0.0, step))
        step *= 2.0
    raise ValueError(
        "strength is beyond what the generator can do: the list does not move that far however "
        "much the tag preferences change; ask for less"
    )
