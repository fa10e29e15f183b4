"""The paper's refinement by gradient steps, and the baseline that it is compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from sktpecr._inputs._feedback import Feedback
from sktpecr.recommenders._protocol import optional
from sktpecr.solvers._gradients import generation_at
from sktpecr.solvers._pairs import Batch, Pairs
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._user import User

# An embedding this many times larger than the user's own is beyond any recommender.
_DIVERGED = 1e6
# What a loss grows by, as a share of it, without having grown.
_ROUNDING = 1e-9


# Their MF has embeddings with a root mean square of .131 and tag preferences with a standard
# deviation of .185; their NCF .536 and 3.7.
class _Published(NamedTuple):
    """The authors' settings for MovieLens, rates and weights freed from their scales."""

    optimizer: str
    n_epochs: int
    learning_rate: float
    regularization: float


# SGD: in variances of the parameter. Adam, whose steps have the size of the rate: in standard
# deviations. Regularisation: in inverse variances of embeddings.
_PREFERENCES = {
    "bpr": _Published("sgd", 15, 3e-5 / 0.185**2, 20 * 0.131**2),
    "bce": _Published("adam", 1, 1e-2 / 3.7, 4 * 0.536**2),
}
_EMBEDDING = {
    "bpr": _Published("sgd", 10, 2e-5 / 0.131**2, 0.0),
    "bce": _Published("adam", 1, 1e-4 / 0.536, 0.0),
}


class _IterativeSolver(BaseEstimator):
    """Gradient steps on pairs of items sampled from the feedback."""

    _parameter_constraints: dict = {
        "optimizer": [StrOptions({"sgd", "adam"}), None],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), None],
        "n_epochs": [Interval(Integral, 1, None, closed="left"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "regularization": [Interval(Real, 0, None, closed="left"), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        *,
        optimizer: str | None = None,
        learning_rate: float | None = None,
        n_epochs: int | None = None,
        batch_size: int = 128,
        regularization: float | None = None,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.regularization = regularization
        self.random_state = random_state

    def solve(
        self, tag_model: TagModel, user: User, feedback: Feedback, values: dict[int, float]
    ) -> tuple[NDArray, NDArray]:
        """Return the refined embedding and the tag preferences that belong to it.

        Parameters
        ----------
        tag_model : TagModel
            What the explainer learned.
        user : User
            The user.
        feedback : Feedback
            What the user said.
        values : dict of int to float
            Column of each tag that was set, and its value in units of the score.

        Returns
        -------
        embedding : ndarray of shape (n_factors,)
            Refined embedding.
        tag_preferences : ndarray of shape (n_tags,)
            What it was generated from; its own where there is no generator.
        """
        return self.sweep(tag_model, user, [feedback], values)[0]

    def sweep(
        self,
        tag_model: TagModel,
        user: User,
        feedbacks: Sequence[Feedback],
        values: dict[int, float],
    ) -> list[tuple[NDArray, NDArray]]:
        """Solve for feedbacks that differ in strength alone, by one descent for all of them."""
        raise NotImplementedError

    def _descend(
        self,
        tag_model: TagModel,
        user: User,
        feedback: Feedback,
        start: NDArray,
        published: dict[str, _Published],
        variance: float,
        embed: Callable[[NDArray], tuple[NDArray, Callable[[NDArray], NDArray]]],
    ) -> NDArray:
        """Return the parameter after all steps."""
        # `embed` makes an embedding of the parameter, and a function that carries gradients at the
        # embedding back to it; `variance` is the parameter's over the population.
        recommender = tag_model.recommender
        loss = optional(recommender, "feedback_loss")
        if loss not in published:
            raise ValueError(
                f"feedback_loss of {type(recommender).__name__} must be one of "
                f"{', '.join(map(repr, published))}, got {loss!r}"
            )
        settings = published[loss]
        spread = tag_model.embedding_variance
        if not spread > 0 or not variance > 0:
            raise ValueError(
                "the online update needs users who differ, for its rate and its regulariser; the "
                "explainer was fitted on one user, or on users who are all alike"
            )
        optimizer = self.optimizer or settings.optimizer
        rate = self.learning_rate
        if rate is None:
            rate = settings.learning_rate * (
                variance if optimizer == "sgd" else float(np.sqrt(variance))
            )
        own = user.embedding.astype(np.float64)
        weight = self.regularization
        if weight is None:
            weight = settings.regularization / spread
        if loss == "bce":
            weight /= len(own)  # the authors' NCF takes means where MF takes sums

        def objective(batch: Batch, embedding: NDArray) -> float:
            distance = float(np.sum(np.square(embedding - own)))
            return batch.loss(recommender, embedding, loss) + weight * distance

        # The authors' rate suits their models. Where it overshoots on another, it is halved until
        # no step does; a rate that was asked for stays.
        searched = self.learning_rate is None and optimizer == "sgd"
        limit = _DIVERGED * (1 + np.abs(own).max())
        stepped = _by_adam(start, rate) if optimizer == "adam" else None
        pairs = Pairs(tag_model, user, feedback, loss, check_random_state(self.random_state))
        parameter, (embedding, pull) = start, embed(start)
        for _ in range(self.n_epochs or settings.n_epochs):
            for batch in pairs.batches(self.batch_size):
                value, gradient = parameter, batch.gradient(recommender, embedding, loss)
                gradient = pull(gradient + 2 * weight * (embedding - own))
                before = objective(batch, embedding) if searched else np.inf
                parameter = stepped(gradient) if stepped else value - rate * gradient
                embedding, pull = embed(parameter)
                while searched and not objective(batch, embedding) <= before * (1 + _ROUNDING):
                    rate /= 2
                    parameter = value - rate * gradient
                    embedding, pull = embed(parameter)
                if not np.abs(embedding).max() < limit:
                    raise ValueError(
                        f"the online update diverged with learning_rate={rate:.3g}; pass a smaller "
                        f"one to {type(self).__name__}"
                    )
        return parameter


def _by_adam(start: NDArray, rate: float) -> Callable[[NDArray], NDArray]:
    """Return the function that makes a step of Adam, and returns the parameter after it."""
    import torch

    parameter = torch.from_numpy(start.copy()).requires_grad_()
    step = torch.optim.Adam([parameter], lr=rate)

    def stepped(gradient: NDArray) -> NDArray:
        parameter.grad = torch.from_numpy(gradient)
        step.step()
        return parameter.detach().numpy().copy()

    return stepped


class OnlineSolver(_IterativeSolver):
    r"""Update the tag preferences by gradient steps, as published.

    Parameters
    ----------
    optimizer : {"sgd", "adam"}, optional
        By default the authors': SGD under BPR loss, Adam under binary cross-entropy.
    learning_rate : float, optional
        By default the authors' for MovieLens, in units of the spread of tag preferences; under SGD
        halved as often as a step would raise the loss that it is to lower, so that no scale of
        scores makes it diverge. A rate that is given stays as it is.
    n_epochs : int, optional
        Passes over the tag's items. By default the authors': 15 under BPR, 1 under
        cross-entropy.
    batch_size : int, default=128
        Pairs a step.
    regularization : float, optional
        Weight of the squared distance of the generated embedding from the user's own, added in
        every step. By default the authors' for MovieLens, in units of the spread of embeddings.
    random_state : int, RandomState instance or None, default=0
        Draws the pairs.

    Notes
    -----
    Section 3.3.3 of the paper [1]_: minimise :math:`L_{feedback} + \lambda_{reg} |G(c) - e_u|^2`
    (equations 7 and 8) over c alone, with BPR or binary cross-entropy, whichever the recommender's
    ``feedback_loss`` names. A liked tag's items are set against items outside the tag and the
    history, drawn anew each epoch; a disliked tag's against items of the history outside the tag.
    The refined embedding is :math:`G(c')`. As in the authors' code the regulariser is added once
    a step, sums are taken under BPR and means under cross-entropy.

    References
    ----------
    .. [1] Xu et al., "A Tag-Based Post-Hoc Framework for Explainable Conversational
       Recommendation", ICTIR 2022.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import FeedbackRefiner, TPECRExplainer
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> from sktpecr.solvers import OnlineSolver
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> refiner = FeedbackRefiner(
    ...     explainer.fit(data.interactions), solver=OnlineSolver(n_epochs=5)
    ... )
    >>> change = refiner.refine(3, like="tag_1").to_frame().set_index("tag")["change"]
    >>> bool(change["tag_1"] > 0)
    True
    """

    def sweep(
        self,
        tag_model: TagModel,
        user: User,
        feedbacks: Sequence[Feedback],
        values: dict[int, float],
    ) -> list[tuple[NDArray, NDArray]]:
        self._validate_params()
        own = user.embedding.astype(np.float64)
        generate = generation_at(tag_model.generator, own)
        start = tag_model.tag_preferences_of(own)
        # Tags that were set stay where they were put; steps go on around them.
        start[list(values)] = list(values.values())
        free = np.ones(len(start))
        free[list(values)] = 0.0

        def embed(preferences: NDArray) -> tuple[NDArray, Callable[[NDArray], NDArray]]:
            embedding, pullback = generate(preferences)
            return embedding, lambda gradient: pullback(gradient) * free

        end = start
        if any(feedback.strength for feedback in feedbacks):
            strongest = max(feedbacks, key=attrgetter("strength"))
            variance = float(np.mean(np.square(tag_model.std)))
            end = self._descend(tag_model, user, strongest, start, _PREFERENCES, variance, embed)
        asked = [start + feedback.strength * (end - start) for feedback in feedbacks]
        return [(embed(preferences)[0], preferences) for preferences in asked]


class EmbeddingSolver(_IterativeSolver):
    """Update the user's embedding itself by gradient steps: the paper's baseline.

    Parameters
    ----------
    optimizer : {"sgd", "adam"}, optional
        By default the authors': SGD under BPR loss, Adam under binary cross-entropy.
    learning_rate : float, optional
        By default the authors' for MovieLens, in units of the spread of embeddings, and halved as
        :class:`OnlineSolver` halves its own.
    n_epochs : int, optional
        Passes over the tag's items. By default the authors': 10 under BPR, 1 under
        cross-entropy.
    batch_size : int, default=128
        Pairs a step.
    regularization : float, optional
        Weight of the squared distance from the user's own embedding. None by default.
    random_state : int, RandomState instance or None, default=0
        Draws the pairs.

    Notes
    -----
    Table 5 of the paper [1]_, rows "e_u". Only the user's embedding moves; the authors' code for
    NCF moves the network as well.

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
    >>> refiner = FeedbackRefiner(explainer.fit(data.interactions), solver="embedding")
    >>> change = refiner.refine(3, like="tag_1").to_frame().set_index("tag")["change"]
    >>> bool(change["tag_1"] > 0)
    True
    """

    def sweep(
        self,
        tag_model: TagModel,
        user: User,
        feedbacks: Sequence[Feedback],
        values: dict[int, float],
    ) -> list[tuple[NDArray, NDArray]]:
        self._validate_params()
        if values:
            raise ValueError(
                "set= needs a generator, and solver='embedding' uses none; use like= and dislike="
            )
        own = user.embedding.astype(np.float64)
        end = self._descend(
            tag_model,
            user,
            max(feedbacks, key=attrgetter("strength")),
            own,
            _EMBEDDING,
            tag_model.embedding_variance,
            embed=lambda embedding: (embedding, lambda gradient: gradient),
        )
        embeddings = [own + feedback.strength * (end - own) for feedback in feedbacks]
        return [(each, tag_model.tag_preferences_of(each)) for each in embeddings]
