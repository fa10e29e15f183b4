"""What fitting an explainer learned, in one piece that never changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.validation import has_fit_parameter

from sktpecr._inputs._catalogue import Catalogue
from sktpecr._inputs._ids import Ids, check_list
from sktpecr._utils._array_api import beside
from sktpecr._utils._blocks import blocks, taken
from sktpecr._utils._lazily import lazily
from sktpecr._utils._ranking import top_items, top_items_but
from sktpecr._utils._rounding import spread
from sktpecr._utils._top_lists import TopLists, top_lists
from sktpecr.attribution import AccountAttribution
from sktpecr.attribution._composite import CompositeFunction
from sktpecr.attribution._resampled import Half, halves_of
from sktpecr.generators import CVAEGenerator, GaussianGenerator
from sktpecr.generators._swap import Swap
from sktpecr.recommenders._own_rows import fold_in_fidelity
from sktpecr.recommenders._protocol import is_dot_product, item_biases_of, optional
from sktpecr.tags._directions import Directions
from sktpecr.tags._sampled_directions import directions_at
from sktpecr.tags._steerability import Steerability
from sktpecr.tags._tag_preference_extractor import TagPreferenceExtractor
from sktpecr.tags._wish import Wish, worth

# What tags that are known differ in by less than this share of their spread says nothing.
_ALIKE = 1e-3
# Tag preferences of so many numbers are held at once, 256 MB, and of no fewer users than these: of
# more learners a sample is taken. Five hundred tell a standard deviation to 3 %.
_NUMBERS, _FEWEST = 2**25, 500


@dataclass(frozen=True, eq=False)
class TagModel:
    """The users that an explainer was fitted on, and what was learned from them.

    Whoever holds one (a refinement, a call in another thread) is not touched by a later fit.

    Parameters
    ----------
    extractor : TagPreferenceExtractor
        Fitted; its ``recommender_`` is the one explained.
    catalogue : Catalogue
        Users, items and interactions.
    tags : Ids
        Names of the tags.
    user_embeddings : ndarray of shape (n_users, n_factors)
        Embeddings of the users.
    learners : ndarray of bool, shape (n_users,)
        Who was learned from: train users with interactions.
    mean, std : ndarray of shape (n_tags,)
        Of the tag preferences of the learners; of a sample where learners times tags are more than
        34 million numbers.
    generator, attribution : object
        Fitted.
    composite : CompositeFunction
        Generator and recommender chained.
    folded : ndarray of bool, shape (n_users,)
        Who was embedded anew, in place of the recommender's own embedding.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import TPECRExplainer
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> model = explainer.fit(data.interactions).tag_model_
    >>> preferences = model.tag_preferences_of(model.user_embeddings[3])
    >>> model.vs_mean(preferences).round(1)[:3]
    array([-0.7, -0.4, -0.3])
    """

    extractor: TagPreferenceExtractor
    catalogue: Catalogue
    tags: Ids
    user_embeddings: NDArray
    learners: NDArray
    mean: NDArray
    std: NDArray
    generator: Any
    attribution: Any
    composite: CompositeFunction
    folded: NDArray

    @classmethod
    def learn(
        cls,
        extractor: TagPreferenceExtractor,
        catalogue: Catalogue,
        embeddings: NDArray,
        folded: NDArray,
        train_users: Any,
        generator: Any,
        attribution: Any,
        random_state: Any,
    ) -> TagModel:
        """Learn from the catalogue's users.

        Parameters
        ----------
        extractor : TagPreferenceExtractor
            Fitted.
        catalogue : Catalogue
            Users, items and interactions.
        embeddings : ndarray of shape (n_users, n_factors)
            Embeddings of the users.
        folded : ndarray of bool, shape (n_users,)
            Who was embedded anew.
        train_users : iterable of hashable or None
            Raw ids of the users to learn from; None for all.
        generator, attribution : object or None
            Unfitted; None for the defaults.
        random_state : int, RandomState instance or None
            Seeds the defaults.

        Returns
        -------
        TagModel
            All of it.
        """
        recommender = extractor.recommender_
        # Users without interactions sit where training began: not part of the population.
        learners = catalogue.active_users() & _mask(catalogue.users, train_users)
        if not learners.any():
            raise ValueError("train_users must name a user with interactions, got none")
        some = taken(embeddings, _sampled(learners, len(extractor.tag_names_)))
        preferences, precision = _preferences(extractor, some)

        generator = _generator_for(generator, extractor, random_state)
        known: dict[str, Any] = {}
        if extractor.tag_matrix_ is not None and has_fit_parameter(generator, "tag_matrix"):
            known["tag_matrix"] = extractor.tag_matrix_
        elif has_fit_parameter(generator, "extract"):
            known["extract"] = extractor.tag_preferences
        generator.fit(preferences, some.astype(np.float64), **known)
        composite = CompositeFunction(recommender, generator)
        names = extractor.tag_names_
        model = cls(
            extractor=extractor,
            catalogue=catalogue,
            tags=Ids("tag", names, len(names), "tag_names"),
            user_embeddings=embeddings,
            learners=learners,
            mean=preferences.mean(axis=0),
            std=spread(preferences, precision),
            generator=generator,
            attribution=None,
            composite=composite,
            folded=folded,
        )
        del preferences  # of many users and tags nothing else is as large
        # The default is to say the same of the same model whoever asks: never without a seed.
        seed = 0 if random_state is None else random_state
        given = AccountAttribution(random_state=seed) if attribution is None else attribution
        return replace(model, attribution=model.fitted(given))

    def fitted(self, attribution: Any) -> Any:
        """Return a clone of an attribution, fitted on the learners.

        Parameters
        ----------
        attribution : object
            Unfitted.

        Returns
        -------
        object
            The clone.
        """
        return next(self.all_fitted([attribution]))

    def all_fitted(self, attributions: Iterable[Any]) -> Iterator[Any]:
        """Yield a clone of each attribution, fitted on the learners, whose tags are read once.

        Parameters
        ----------
        attributions : iterable of object
            Unfitted.

        Yields
        ------
        object
            The clone.
        """
        some = taken(self.user_embeddings, self._looked_at)
        preferences, _ = _preferences(self.extractor, some)
        for attribution in map(clone, attributions):
            known: dict[str, Any] = {}
            if has_fit_parameter(attribution, "item_tags"):
                X = self.catalogue.interactions
                known = {"item_tags": self.item_tags, "tag_matrix": self.extractor.tag_matrix_}
                known["interactions"] = None if X is None else X[self._looked_at]
            yield attribution.fit(self.composite, preferences, some.astype(np.float64), **known)

    @lazily
    def account(self) -> AccountAttribution:
        """What reasons are read from: the attribution, if it is an account, else one beside it."""
        if isinstance(self.attribution, AccountAttribution):
            return self.attribution
        return self.fitted(AccountAttribution(random_state=0))

    @lazily
    def tag_preferences(self) -> NDArray:
        """Tag preferences of all users, shape (n_users, n_tags), when they are first asked for.

        Of users who fit in no memory they do not either, and nothing here needs all of them.
        """
        return self.extractor.tag_preferences(self.user_embeddings)

    @property
    def recommender(self) -> Any:
        """The recommender that is explained."""
        return self.extractor.recommender_

    @property
    def method(self) -> str:
        """How explanations are made: generator, attribution and unit."""
        # scikit-learn's FrozenEstimator is not what anybody wants to read.
        generator = type(getattr(self.generator, "estimator", self.generator)).__name__
        return f"{generator}, {self.attribution.name} attribution, {self.attribution.unit}"

    @lazily
    def fold_in_fidelity(self) -> float:
        """Share of the variance of known users' scores that is left when they are embedded anew.

        1 where nobody known can be compared.
        """
        X = self.catalogue.interactions
        if X is None:
            return 1.0
        return fold_in_fidelity(self.recommender, self.user_embeddings, X, ~self.folded)

    def fidelity(self, columns: Any, is_folded: bool = False) -> NDArray:
        """Return what distillation, a linear generator and folding in kept of some items' scores.

        Parameters
        ----------
        columns : int or ndarray of int
            Columns of the items.
        is_folded : bool, default=False
            Whether it is said to somebody who was embedded anew.

        Returns
        -------
        ndarray or float
            Shares of the variance, one for each item; 1 is all of it.
        """
        kept = np.asarray(optional(self.recommender, "fidelity"))
        kept = (kept[columns] if kept.ndim else kept) * getattr(self.generator, "linearity_", 1.0)
        return kept * self.fold_in_fidelity if is_folded else kept

    def directions(self, embedding: NDArray) -> Directions:
        """Return the directions of feedback at an embedding.

        Parameters
        ----------
        embedding : ndarray of shape (n_factors,)
            Embedding of a user.

        Returns
        -------
        Directions
            Where likes and dislikes lead from there.
        """
        if self.extractor.tag_matrix_ is None:
            return directions_at(self.extractor, embedding)
        return self._directions

    @lazily
    def _directions(self) -> Directions:
        # Where scores and tag preferences are linear they are the same everywhere.
        return directions_at(self.extractor, self.average_user)

    @lazily
    def average_user(self) -> NDArray:
        """Mean of the learners' embeddings, shape (n_factors,)."""
        every = self.learners.all()  # then nothing has to be copied
        users = self.user_embeddings if every else taken(self.user_embeddings, self.learners)
        return users.mean(axis=0, dtype=np.float64)

    @lazily
    def _looked_at(self) -> NDArray:
        """The learners whose tag preferences are computed, shape (n_users,)."""
        return _sampled(self.learners, len(self.tags))

    @property
    def item_tags(self) -> sp.csr_matrix:
        """Weights of the tags on each item, shape (n_items, n_tags)."""
        return self.extractor._tags_by_item

    @lazily
    def n_tagged(self) -> NDArray:
        """How many items each tag is on, shape (n_tags,)."""
        return np.diff(self.extractor._item_tags.indptr)

    @lazily
    def popularity(self) -> NDArray:
        """How many users took each item, else the average user's scores; shape (n_items,)."""
        X = self.catalogue.interactions
        return self.account.average_scores_ if X is None else np.asarray(X.getnnz(axis=0))

    @lazily
    def halves(self) -> list[Half]:
        """Halves of the learners, on which what is said of them is tried again."""
        return halves_of(taken(self.user_embeddings, self.learners).astype(np.float64))

    @lazily
    def steerability(self) -> Steerability:
        """What feedback on tags can steer, as the learners show it."""
        return self.extractor.steerability(taken(self.user_embeddings, self._looked_at))

    @lazily
    def wish(self) -> Wish:
        """What answers about tags say of items."""
        vectors = optional(self.recommender, "item_embeddings")
        return Wish(self.extractor._item_tags, item_embeddings=vectors)

    def evidence(self, answers: Iterable[tuple[int | tuple[int, ...], bool]]) -> NDArray:
        """Return what answers about tags say of all items.

        Parameters
        ----------
        answers : iterable of (tag, liked)
            The tag is a column, or a tuple of columns that are meant together.

        Returns
        -------
        ndarray of shape (n_answers, n_items)
            Logarithms of how probable the answer is of somebody who looks for the item, less that
            of an item without the tag. An item that has no tags at all has what is guessed.
        """
        found = [self.wish.tag(tag, liked) for tag, liked in answers]
        return np.array(found).reshape(len(found), self.extractor._item_tags.shape[0])

    def worth(self, scores: Any, amounts: Any, evidence: Any) -> Any:
        """Return what items are worth to users who answered, as their next lists rank them.

        Parameters
        ----------
        scores : ndarray or torch tensor of shape (n_users, n_items)
            Scores of all items.
        amounts : array-like, sparse matrix or torch tensor of shape (n_users, n_answers)
            How much each answer counts for each user: 0 where she did not give it, usually 1.
        evidence : ndarray or torch tensor of shape (n_answers, n_items)
            As :meth:`evidence` returns it.

        Returns
        -------
        ndarray or tensor of shape (n_users, n_items)
            In units of the score. Of a tensor, a tensor on its device.
        """
        amounts = amounts if sp.issparse(amounts) else beside(amounts, scores)
        return worth(scores, amounts @ beside(evidence, scores))

    def top_lists(
        self, embeddings: Any, n: int, listed: NDArray | None = None, seen: Any = None
    ) -> TopLists:
        """Return the n best items of users given by their embeddings.

        Parameters
        ----------
        embeddings : ndarray or torch tensor of shape (n_users, n_factors)
            The users' embeddings.
        n : int
            Length of the lists, at most.
        listed : ndarray of bool, shape (n_items,), optional
            Which items may be listed. All by default.
        seen : sparse matrix of shape (n_users, n_items), optional
            What is left out of each user's list.

        Returns
        -------
        lengths : ndarray or tensor of int, shape (n_users,)
            How long each list is.
        items : ndarray or tensor of int, shape (n_listed,)
            Columns of the items, one list after another, the best first and ties in column order.
        scores : ndarray or tensor of shape (n_listed,)
            Their scores. Of embeddings that are a tensor, all three are tensors on its device, if
            the score is a dot product.
        """
        recommender, shape = self.recommender, (len(embeddings), self.extractor._item_tags.shape[0])
        listed = np.ones(shape[1], dtype=bool) if listed is None else listed
        seen = sp.csr_matrix(shape if seen is None else seen)
        if is_dot_product(recommender):
            factors, biases = np.asarray(recommender.item_embeddings), item_biases_of(recommender)
            return top_lists(embeddings, factors, biases, n, listed, seen)
        unlisted, scores = np.flatnonzero(~listed), recommender.score_items(embeddings)
        lists = [
            top_items_but(own, (unlisted, seen.indices[slice(*seen.indptr[row : row + 2])]), n)
            for row, own in enumerate(scores)
        ]
        own_scores = [own[items] for own, items in zip(scores, lists, strict=True)]
        lengths = np.array([len(each) for each in lists])
        return TopLists(lengths, np.concatenate(lists), np.concatenate(own_scores))

    @lazily
    def embedding_variance(self) -> float:
        """Variance of the learners' embeddings, mean over factors."""
        return float(taken(self.user_embeddings, self.learners).var(axis=0).mean())

    def tag_preferences_of(self, embedding: NDArray) -> NDArray:
        """Return the tag preferences of one embedding, shape (n_tags,).

        Parameters
        ----------
        embedding : ndarray of shape (n_factors,)
            Embedding of a user.

        Returns
        -------
        ndarray of shape (n_tags,)
            Tag preferences, in units of the score.
        """
        return self.extractor.tag_preferences(embedding[np.newaxis].astype(np.float64))[0]

    def expected(self, values: dict[int, float]) -> NDArray:
        r"""Return the tag preferences to expect of somebody of whom some are known.

        Parameters
        ----------
        values : dict of int to float
            Columns of the tags that are known, and where they are, in standard deviations from
            the population's mean.

        Returns
        -------
        ndarray of shape (n_tags,)
            Tag preferences, in units of the score. Known values that cannot be met together, of
            tags that are nearly one, are met in the sense of least squares.

        Notes
        -----
        With R the correlations of tag preferences in the population and z the known values in
        standard deviations, the best linear prediction :math:`R_{\cdot k} R_{kk}^+ z`.
        """
        return self.mean + self.std * self.followed(values)

    def followed(self, changes: dict[int, float]) -> NDArray:
        """Return how all tags stand when some do, or move when some do, in standard deviations.

        Parameters
        ----------
        changes : dict of int to float
            Columns of the tags that are known, and by how many standard deviations they move.

        Returns
        -------
        ndarray of shape (n_tags,)
            The best linear prediction of the others, see :meth:`expected`.
        """
        loadings, known = self.steerability.loadings, list(changes)
        axes = np.linalg.lstsq(loadings[known], list(changes.values()), rcond=_ALIKE)[0]
        return loadings @ axes

    def vs_mean(self, preferences: Any) -> Any:
        """Return how tag preferences stand to the population, in standard deviations.

        Parameters
        ----------
        preferences : ndarray or torch tensor of shape (..., n_tags)
            Tag preferences, in units of the score.

        Returns
        -------
        ndarray or tensor of shape (..., n_tags)
            Standard deviations from the mean; 0 for a tag that all users like the same.
        """
        return self.in_std(preferences - beside(self.mean, preferences))

    def in_std(self, differences: Any, tags: Any = slice(None)) -> Any:
        """Return differences of (some) tag preferences in standard deviations.

        Parameters
        ----------
        differences : ndarray or torch tensor of shape (..., n_tags)
            In units of the score.
        tags : index of the tags, optional
            Which tags they are of. All by default.

        Returns
        -------
        ndarray or tensor
            The same in standard deviations of the population, 0 of a tag that has none.
        """
        std = self.std[tags]
        return differences / beside(np.where(std > 0, std, np.inf), differences)

    def in_units_of_score(self, values: dict[int, float]) -> dict[int, float]:
        """Return where tags are to be, in units of the score.

        Parameters
        ----------
        values : dict of int to float
            Columns of tags, and values in standard deviations from the population's mean.

        Returns
        -------
        dict of int to float
            The same columns, and tag preferences.
        """
        return {tag: self.mean[tag] + value * self.std[tag] for tag, value in values.items()}

    def swapped(self, embeddings: NDArray, random_state: np.random.RandomState) -> Swap:
        """Ask for everybody the tag preferences of somebody else, as Table 4 of the paper does.

        Parameters
        ----------
        embeddings : ndarray of shape (n, n_factors)
            Embeddings of at least two users.
        random_state : RandomState
            Pairs the users.

        Returns
        -------
        Swap
            What was asked for and what came.
        """
        # A cycle through a random order pairs everybody with somebody else.
        order = random_state.permutation(len(embeddings))
        own = self.extractor.tag_preferences(embeddings)
        wanted = np.empty_like(own)
        wanted[order] = own[np.roll(order, 1)]
        generated = self.generator.generate(wanted, embeddings)
        return Swap(own, wanted, generated, self.extractor.tag_preferences(generated))

    def scores_of(self, embedding: NDArray) -> NDArray:
        """Return the scores of all items for one embedding, shape (n_items,).

        Parameters
        ----------
        embedding : ndarray of shape (n_factors,)
            Embedding of a user.

        Returns
        -------
        ndarray of shape (n_items,)
            Scores.
        """
        return self.recommender.score_items(embedding[np.newaxis])[0]

    def tag_columns(self, among: Any) -> NDArray:
        """Return the columns of the tags named, in order; of all if None.

        Parameters
        ----------
        among : iterable of hashable or None
            Names of tags; None for all.

        Returns
        -------
        ndarray of int
            Columns, ascending.

        Raises
        ------
        ValueError
            If a tag is unknown, or none is named.
        """
        if among is None:
            return np.arange(len(self.tags))
        columns = np.unique(self.tags.rows(check_list(among, "among", "tag names")))
        if not len(columns):
            raise ValueError("among must name at least one tag, got none; None stands for all")
        return columns

    def ranked(self, scores: NDArray, candidates: NDArray, n: int) -> tuple[NDArray, pd.DataFrame]:
        """Return the n best candidates, as columns and as a frame with ids and names.

        Parameters
        ----------
        scores : ndarray of shape (n_items,)
            Scores of all items.
        candidates : ndarray of int
            Columns of the items that may be listed.
        n : int
            Length of the list.

        Returns
        -------
        columns : ndarray of int
            The best first.
        frame : DataFrame
            Columns item, name, score, rank.
        """
        columns = top_items(scores, candidates, n)
        return columns, self.catalogue.listed(columns, scores)


def _preferences(
    extractor: TagPreferenceExtractor, embeddings: NDArray
) -> tuple[NDArray, np.dtype[Any]]:
    """Return tag preferences in double precision, never there twice, and how precise they are."""
    found = np.empty((len(embeddings), len(extractor.tag_names_)))
    start = 0
    for block in blocks(embeddings):
        some = extractor.tag_preferences(block)
        found[start : start + len(block)] = some
        start += len(block)
    return found, some.dtype


def _sampled(learners: NDArray, n_tags: int) -> NDArray:
    """Return which learners are looked at: all of them, or as many as there is room for."""
    room = max(_FEWEST, _NUMBERS // n_tags)
    if np.count_nonzero(learners) <= room:
        return learners
    some = np.zeros_like(learners)
    some[np.random.RandomState(0).choice(np.flatnonzero(learners), room, replace=False)] = True
    return some


def _mask(users: Ids, some: Any) -> NDArray:
    """Return which users are named; all of them if None."""
    mask = np.ones(len(users), dtype=bool)
    if some is not None:
        mask[:] = False
        mask[users.rows(check_list(some, "train_users", "user ids"))] = True
    return mask


def _generator_for(given: Any, extractor: TagPreferenceExtractor, random_state: Any) -> Any:
    """Return a clone of the generator given, or else the closed form where it is exact."""
    if given is not None:
        return clone(given)
    if extractor.tag_matrix_ is not None:
        return GaussianGenerator()
    return CVAEGenerator(random_state=random_state)
