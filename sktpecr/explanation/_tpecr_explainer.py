"""The main path: a trained recommender explained by tags."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import _fit_context
from sklearn.utils._param_validation import HasMethods, StrOptions

from sktpecr import plotting
from sktpecr._inputs._numbers import check_n
from sktpecr.explanation._contrast import Contrast, contrast_items
from sktpecr.explanation._counterfactual import Counterfactual, find_counterfactual
from sktpecr.explanation._explain_batch import contributions_of, explain_batch, reasons_batch
from sktpecr.explanation._explain_item import explain_item, profile_of
from sktpecr.explanation._explanation import Explanation
from sktpecr.explanation._fit_explainer import fit_on_interactions, fit_on_stored_users, learned
from sktpecr.explanation._reason import Reason
from sktpecr.explanation._reasons import tell
from sktpecr.explanation._saved_explainer import load_explainer, save_explainer
from sktpecr.explanation._scores import reasons_score
from sktpecr.explanation._suggest_question import suggest_question
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._tag_preference_extractor import TagPreferenceExtractor
from sktpecr.tags._tag_transformer import TagTransformer
from sktpecr.tags._user import User

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class TPECRExplainer(TagTransformer):
    r"""Explain the recommendations of a trained model by tags.

    Parameters
    ----------
    recommender : object
        A trained model, see :func:`sktpecr.recommenders.as_recommender`; explained as it is,
        never refitted, and shared by clones. An unfitted scikit-learn estimator is cloned and
        fitted on X.
    item_tags : DataFrame, array-like or sparse matrix of shape (n_items, n_tags), optional
        Tags of the items, 0/1 or weights >= 0; row i belongs to column i of X. A DataFrame
        brings raw item ids (its index, or the column "item" where it is of polars, which has no
        index) and tag names (its columns). None takes the tags that the
        recommender was trained with, if any, else makes every item its own tag.
    generator : object, optional
        Estimator with ``fit(tag_preferences, embeddings)`` and
        ``generate(tag_preferences, embeddings)``. By default :class:`GaussianGenerator` where
        the score is a dot product and `aggregate` linear, because there it is exact;
        :class:`CVAEGenerator` elsewhere.
    attribution : object, optional
        How a score is told by tags. By default
        :class:`~sktpecr.attribution.AccountAttribution`: the item's own tags, each by how much
        this user likes it. :class:`~sktpecr.attribution.ExactAttribution` has the paper's
        importances where the composite function is linear: of all tags, the others held.
    tag_names : array-like of shape (n_tags,), optional
        Names of the tags. By default the columns of a DataFrame, else "tag_0" and so on.
    aggregate : {"mean", "shrunk"} or callable, default="mean"
        See :class:`TagPreferenceExtractor`.
    random_state : int, RandomState instance or None, default=None
        Seeds the default generator and attribution; None means the same attribution every time.

    Attributes
    ----------
    extractor_ : TagPreferenceExtractor
        Fitted extractor; ``extractor_.recommender_`` is the recommender that is explained.
    generator_ : object
        Fitted generator.
    attribution_ : object
        Fitted attribution.
    composite_ : CompositeFunction
        Generator and recommender chained.
    tag_names_ : ndarray of shape (n_tags,)
        Names of the tags.
    user_ids_, item_ids_, item_names_ : ndarray
        Raw ids and names, in row and column order.
    user_embeddings_ : ndarray of shape (n_users, n_factors)
        Embeddings of the users.
    tag_preferences_ : ndarray of shape (n_users, n_tags)
        Their tag preferences.
    population_mean_, population_std_ : ndarray of shape (n_tags,)
        Mean and standard deviation of the tag preferences of the users that were learned from.
    alignment_ : float
        How well the recommender knows the rows and columns of X: how often it scores an item that
        a user took, and another user did not, above one that only the other took. The mean over
        up to 300 users; .5 is chance, also for what is merely popular. Of rows that it does not
        know, one half is embedded and asked about the other. NaN where the recommender was fitted
        on this very X, or there is nothing to compare. Takes .6 s for MovieLens-1M.
    n_features_in_ : int
        Number of items.
    feature_names_in_ : ndarray of shape (n_items,)
        Names of the items, if X was a DataFrame with string columns.

    Notes
    -----
    Sections 3.1 and 3.2 of the paper [1]_. What is told of a score is exact: the average user's
    score, this user's level over all items, one contribution for each of the item's own tags, and
    a rest that no tag tells, add up to the recommender's own score. How much the tags tell, and
    what random tags would tell, is in the certificate.

    With a fitted recommender that stores its users' embeddings and the default generator,
    ``fit`` may be left out: the explainer then knows users and items by number, and nothing of
    their history.

    Somebody new is known by interactions, or by tags alone: tag preferences that are not named
    are then what is to be expected of somebody with those that are,
    :math:`z = R_{\cdot k} R_{kk}^+ z_k` in standard deviations, R their correlations in the
    population, and the embedding is the generator's prediction from them. What is recommended to
    them counts the tags on items too: a standard deviation as a twentieth of an answer (see
    :class:`FeedbackRefiner`), and beyond that as much as brings three items of a tag at two
    standard deviations into the first ten, two of each of two tags, one of each of up to ten, and
    none of a tag at -2; fewer where half of the list would not stay.

    References
    ----------
    .. [1] Xu et al., "A Tag-Based Post-Hoc Framework for Explainable Conversational
       Recommendation", ICTIR 2022.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import TPECRExplainer
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> explainer = explainer.fit(data.interactions, user_ids=data.user_ids)
    >>> explanation = explainer.explain(data.user_ids[3], data.item_ids[5])
    >>> total = explanation.base_value + explanation.contributions.sum() + explanation.residual
    >>> bool(abs(total - explanation.score) < 1e-6)
    True
    >>> explainer.recommend(n=2, interactions=["item_003", "item_008"])["item"].tolist()
    ['item_072', 'item_290']
    >>> explainer.recommend(n=2, tags={"tag_1": 2.0})["item"].tolist()
    ['item_283', 'item_116']
    >>> explainer.explain("Bob", data.item_ids[5])
    Traceback (most recent call last):
    ...
    ValueError: unknown user 'Bob'; known are 200 users
    """

    _parameter_constraints: dict = {
        "recommender": "no_validation",
        "item_tags": "no_validation",
        "generator": [HasMethods(["fit", "generate"]), None],
        "attribution": [HasMethods(["fit", "attribute"]), None],
        "tag_names": ["array-like", None],
        "aggregate": [StrOptions({"mean", "shrunk"}), callable],
        "random_state": ["random_state"],
    }

    extractor_ = learned("extractor")
    generator_ = learned("generator")
    attribution_ = learned("attribution")
    composite_ = learned("composite")
    tag_names_ = learned("extractor.tag_names_")
    user_ids_ = learned("catalogue.user_ids")
    item_ids_ = learned("catalogue.item_ids")
    item_names_ = learned("catalogue.item_names")
    user_embeddings_ = learned("user_embeddings")
    tag_preferences_ = learned("tag_preferences")
    population_mean_ = learned("mean")
    population_std_ = learned("std")

    def __init__(
        self,
        recommender: Any,
        item_tags: Any = None,
        *,
        generator: Any = None,
        attribution: Any = None,
        tag_names: Iterable[Any] | None = None,
        aggregate: str | Callable[[NDArray], NDArray] = "mean",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.recommender = recommender
        self.item_tags = item_tags
        self.generator = generator
        self.attribution = attribution
        self.tag_names = tag_names
        self.aggregate = aggregate
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X: Any,
        y: Any = None,
        user_ids: Iterable[Hashable] | None = None,
        item_names: Iterable[str] | None = None,
        train_users: Iterable[Hashable] | None = None,
        users: str | None = None,
    ) -> TPECRExplainer:
        """Learn the population: tag preferences, generator, attribution.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_users, n_items)
            Interactions. With as many rows as the recommender has users, rows are its users, in
            its order, and their stored embeddings are used; see `users` for other rows. A
            DataFrame brings its own user ids (index, or the column "user" of polars) and item ids
            (columns).
        y : None
            Ignored.
        user_ids : iterable of hashable, optional
            One raw id per row of X. By default those that the recommender was trained on, if it
            has any and rows are its users, else row numbers.
        item_names : iterable of str, optional
            One name per column of X, or a Series by item id. The ids by default.
        train_users : iterable of hashable, optional
            Raw ids of the users to learn from; the others are known, and
            ``sktpecr.evaluation`` can measure on them. All by default.
        users : "fold_in", optional
            "fold_in" embeds all rows anew, whoever they are. By default rows are found among the
            recommender's users by id, where it has ids and `user_ids` are given, and only those
            that it does not know are embedded anew; without ids there have to be as many rows as
            it stores users, in its order; a clone, as cross-validation makes, embeds all rows anew
            then. A recommender that stores none embeds all rows.

        Returns
        -------
        self : object
            The fitted explainer.

        Raises
        ------
        ValueError
            If ids, names, tags and interactions contradict each other; if there is another number
            of rows than the recommender's users, and not ids on both sides; or if rows or columns
            of X fit the recommender in another order.

        Warns
        -----
        UserWarning
            If the recommender cannot tell what users took from what others took
            (``alignment_`` near .5, with a standard error below .02 over at least 200 users); if
            at least 200 users show that tags explain scores no better than random tags; or
            if a clone embeds all rows anew.
        """
        fit_on_interactions(self, X, user_ids, item_names, train_users, users)
        return self

    def explain(
        self,
        user: Hashable | None = None,
        item: Hashable | None = None,
        *,
        interactions: Any = None,
        tags: Mapping[Hashable, float] | None = None,
    ) -> Explanation:
        """Explain by tags why an item gets its score from a user.

        Parameters
        ----------
        user : hashable, optional
            Raw user id, or row number if fit got no ids. Give exactly one of `user`,
            `interactions` and `tags`.
        item : hashable
            Raw item id, or column number if there are none.
        interactions : sparse row, ndarray of shape (n_items,) or list of item ids, optional
            Interactions of a new user, folded in as :meth:`transform` does. Items of a list get
            the mean of the positive interactions of ``fit``.
        tags : dict of tag to value, optional
            Tag preferences of a new user without interactions, in standard deviations from the
            population's mean: ``{}`` is the average user. Other tags follow the named ones.

        Returns
        -------
        Explanation
            Prints as a table with a sentence.

        Raises
        ------
        ValueError
            If the user, the item or a tag is unknown (near ids are named), the user has no
            interactions, or not exactly one of `user`, `interactions` and `tags` is given.
        """
        tag_model = self.tag_model_
        somebody = User.of(tag_model, user, interactions, tags).to_explain()
        if item is None:
            raise ValueError("item must be the id of what is to be explained, got None")
        return explain_item(tag_model, somebody, tag_model.catalogue.items.row(item))

    def recommend(
        self,
        user: Hashable | None = None,
        n: int = 10,
        *,
        interactions: Any = None,
        tags: Mapping[Hashable, float] | None = None,
        exclude_seen: bool = True,
        exclude: Iterable[Hashable] = (),
    ) -> pd.DataFrame:
        """List the recommender's best items for a user.

        Parameters
        ----------
        user : hashable, optional
            Raw user id, or row number if fit got no ids.
        n : int, default=10
            Length of the list.
        interactions, tags : optional
            A new user in place of `user`, see :meth:`explain`.
        exclude_seen : bool, default=True
            Whether items of the user's interactions are left out.
        exclude : iterable of hashable, default=()
            Raw ids of further items to leave out.

        Returns
        -------
        DataFrame
            Columns item, name, score, rank.
        """
        tag_model, n = self.tag_model_, check_n(n)
        somebody = User.of(tag_model, user, interactions, tags)
        history, scores = somebody.known_history, somebody.scores(tag_model)
        candidates = tag_model.catalogue.candidates(history, exclude_seen, exclude)
        return tag_model.ranked(scores, candidates, n)[1]

    def reasons(
        self,
        user: Hashable | None = None,
        item: Hashable | None = None,
        k: int = 3,
        *,
        interactions: Any = None,
        tags: Mapping[Hashable, float] | None = None,
    ) -> list[Reason]:
        """Return the few reasons to give a person for an item.

        Parameters
        ----------
        user : hashable, optional
            Raw user id, or row number if fit got no ids.
        item : hashable
            Raw item id, or column number if there are none.
        k : int, default=3
            Number of reasons at most; at most one of them speaks against the item.
        interactions, tags : optional
            A new user in place of `user`, see :meth:`explain`.

        Returns
        -------
        list of Reason
            Reasons for the item before reasons against it, the largest contribution first. Empty
            if no tag is the reason.

        Notes
        -----
        A reason is one of the item's own tags that explains scores better than random tags, that
        the user likes at least a quarter of a standard deviation more, or less, than the
        population, and that contributes at least a fifth of what the largest does. Tags that mean
        nearly the same count as one. See :class:`~sktpecr.attribution.AccountAttribution`.

        Examples
        --------
        >>> from sklearn.decomposition import TruncatedSVD
        >>> from sktpecr import TPECRExplainer
        >>> from sktpecr.datasets import make_tagged_interactions
        >>> data = make_tagged_interactions(random_state=0)
        >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
        >>> explainer = explainer.fit(data.interactions)
        >>> [(reason.tag, reason.evidence) for reason in explainer.reasons(3, "item_001")]
        [('tag_3', ('item_131', 'item_086'))]
        """
        tag_model = self.tag_model_
        somebody = User.of(tag_model, user, interactions, tags).to_explain()
        column = tag_model.catalogue.items.row(item)
        return list(tell(tag_model, somebody, column, k=check_n(k, "k")).reasons)

    def profile(
        self,
        user: Hashable | None = None,
        *,
        interactions: Any = None,
        tags: Mapping[Hashable, float] | None = None,
    ) -> pd.DataFrame:
        """Return how much the recommender thinks that a user likes each tag.

        Parameters
        ----------
        user : hashable, optional
            Raw user id, or row number if fit got no ids.
        interactions, tags : optional
            A new user in place of `user`, see :meth:`explain`.

        Returns
        -------
        DataFrame
            A row per tag, the one furthest above the population first: tag, preference (units
            of the score), vs_population (standard deviations), vs_own_average (preference minus
            the user's mean score over all items), liking (how much more than the population the
            user likes the tag, after subtracting the user's general level; reasons use this one).
        """
        return profile_of(self.tag_model_, User.of(self.tag_model_, user, interactions, tags))

    def contrast(
        self,
        user: Hashable | None = None,
        item: Hashable | None = None,
        other: Hashable | None = None,
        *,
        interactions: Any = None,
        tags: Mapping[Hashable, float] | None = None,
    ) -> Contrast:
        r"""Explain by tags why one item ranks above another.

        Parameters
        ----------
        user : hashable, optional
            Raw user id, or row number if fit got no ids.
        item, other : hashable
            Raw item ids, or column numbers if there are none.
        interactions, tags : optional
            A new user in place of `user`, see :meth:`explain`.

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
        The contribution of a tag to the difference is its contribution to the one score minus that
        to the other. Sampled attributions judge both items by the same draws.

        Examples
        --------
        >>> from sklearn.decomposition import TruncatedSVD
        >>> from sktpecr import TPECRExplainer
        >>> from sktpecr.datasets import make_tagged_interactions
        >>> data = make_tagged_interactions(random_state=0)
        >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
        >>> explainer = explainer.fit(data.interactions)
        >>> explainer.contrast(3, data.item_ids[1], data.item_ids[0]).to_text()
        'item_001 ranks above item_000 because you like tag_3 more than most people.'
        """
        somebody = User.of(self.tag_model_, user, interactions, tags)
        return contrast_items(self.tag_model_, somebody, item, other)

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
        max_tags: int = 3,
        max_change: float = 4.0,
    ) -> Counterfactual:
        r"""Find what a user would have to like more or less for an item to enter the list.

        Parameters
        ----------
        user : hashable, optional
            Raw user id, or row number if fit got no ids.
        item : hashable
            Raw item id, or column number if there are none. It may be one that the user has seen.
        goal : {"enter", "leave"}, default="enter"
            Whether the item should enter the user's top k or leave it.
        k : int, default=10
            Length of the list.
        interactions, tags : optional
            A new user in place of `user`, see :meth:`explain`.
        exclude_seen : bool, default=True
            Whether other items of the user's interactions are left out of the list.
        among : iterable of hashable, optional
            Names of the tags that may be named. By default all whose preferences differ between
            users; of more than 200 those that move the item furthest.
        max_tags : int, default=3
            How many tags may be named.
        max_change : float, default=4.0
            Largest change of one tag preference, in standard deviations over the population.

        Returns
        -------
        Counterfactual
            Prints as a sentence. ``found`` says whether there is such a change, and ``values`` is
            what :meth:`FeedbackRefiner.refine` takes as `set`.

        Raises
        ------
        ValueError
            If the user, the item or a tag is unknown, the user has no interactions, `goal`, `k`,
            `max_tags` or `max_change` is none, or `exclude_seen` comes without interactions.

        Notes
        -----
        Tags that are not named follow those that are, as they are correlated in the population: a
        change x of the tags T, in standard deviations, changes all of them by :math:`R_{\cdot T}
        R_{TT}^{-1} x`, R the correlations of tag preferences, see [1]_ for why not to hold them.
        The size of a change is its L1 norm, and each further tag has to make it smaller by about a
        tenth. Tags are added one by one to the best few sets so far, and their shares moved while
        that makes the change smaller; this is not proven to find the smallest change, and may find
        none where there is one. ``python -m benchmarks.paper --beyond counterfactuals`` measures
        how often.

        Every change that is returned has been applied: ``rank_after`` is the rank in the list of
        the embedding with these tags, the one that ``refine(user, set=found.values, keep=0)``
        returns. Counterfactual explanations as smallest changes are due to [2]_.

        References
        ----------
        .. [1] A.-H. Karimi, B. Schölkopf and I. Valera, "Algorithmic Recourse: from
           Counterfactual Explanations to Interventions", FAccT 2021.
        .. [2] S. Wachter, B. Mittelstadt and C. Russell, "Counterfactual Explanations without
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
        If you liked tag_4 a little less, tag_3 a little more and tag_1 a little less, item_001
        would enter your top 5 (rank 9 -> 5); 3 of 5 would stay.
        """
        model, asked = self.tag_model_, (goal, k, exclude_seen, among, max_tags, max_change)
        return find_counterfactual(model, User.of(model, user, interactions, tags), item, *asked)

    def suggest_question(
        self,
        user: Hashable | None = None,
        n: int = 1,
        *,
        interactions: Any = None,
        tags: Mapping[Hashable, float] | None = None,
        among: Iterable[Hashable] | None = None,
    ) -> pd.DataFrame:
        r"""Suggest which tags to ask a user about next.

        Parameters
        ----------
        user : hashable, optional
            Raw user id, or row number if fit got no ids. A user without interactions counts as
            the average user.
        n : int, default=1
            How many tags to suggest.
        interactions, tags : optional
            A new user in place of `user`, see :meth:`explain`.
        among : iterable of hashable, optional
            Names of the tags to choose from. All by default.

        Returns
        -------
        DataFrame
            A row per tag, the most informative first, ties in order of the tags: tag, information
            (in bits, at most 1: how much the answer is expected to tell about the item that the
            user looks for) and probability (that this item has the tag). Tags that all listable
            items have, or none, are left out because their answer tells nothing.

        Raises
        ------
        ValueError
            If the user or a tag is unknown, or `n` is not a whole number of at least 1.

        Notes
        -----
        The item that the user looks for is one that she has not seen, v with probability
        :math:`q_v = \mathrm{softmax}(s / \tau)_v` of her scores s, :math:`\tau` 1.5 of their
        standard deviations. Asked whether it has tag t she says yes with probability
        :math:`P(\text{yes} \mid v)`, .95 if it has and .05 if it has not. The information is the
        mutual information of answer and item, :math:`h(\sum_v q_v P(\text{yes} \mid v)) -
        \sum_v q_v h(P(\text{yes} \mid v))`, h the entropy of a coin.

        Examples
        --------
        >>> from sklearn.decomposition import TruncatedSVD
        >>> from sktpecr import TPECRExplainer
        >>> from sktpecr.datasets import make_tagged_interactions
        >>> data = make_tagged_interactions(random_state=0)
        >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
        >>> explainer = explainer.fit(data.interactions, user_ids=data.user_ids)
        >>> explainer.suggest_question(data.user_ids[3], n=2)
             tag  information  probability
        0  tag_3     0.711258     0.468333
        1  tag_4     0.620677     0.302772
        """
        somebody = User.of(self.tag_model_, user, interactions, tags)
        return suggest_question(self.tag_model_, somebody, n, among)

    def explain_batch(
        self,
        users: Iterable[Hashable] | None = None,
        n_items: int = 10,
        n_tags: int = 5,
        *,
        pairs: Any = None,
        items: Iterable[Hashable] | None = None,
        to: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        batch_size: int | str = "auto",
        resume: bool = True,
        exclude_seen: bool = True,
    ) -> Any:  # a DataFrame, or a Path
        """Explain the recommendations of many users, as a table.

        Parameters
        ----------
        users : iterable of hashable, optional
            Raw user ids. All users with interactions by default.
        n_items : int, default=10
            Length of each list.
        n_tags : int, default=5
            Number of tags of each item at most.
        pairs : DataFrame of pandas or polars, or path, optional
            Pairs to explain, in place of lists made here: columns user and item, and score or rank
            if you have them; each pair once. `n_items` and `exclude_seen` are then ignored, and
            `users` and `items` must not be given. A path names a Parquet file, or a folder of
            them, with rows sorted by user. It is read one row group at a time, so it may be larger
            than memory; needs pyarrow.
        items : iterable of hashable, optional
            Raw ids of the items that may be recommended. All by default.
        to : path, optional
            Folder to write a Parquet dataset to, a file for each part; needs pyarrow.
        n_jobs : int, optional
            Workers, see :class:`joblib.Parallel`: 1 by default, or what
            :func:`joblib.parallel_config` says; -1 for all processors.
        batch_size : int or "auto", default="auto"
            Users in a part, 2,048 by default. For the same value, results have the same bits
            whatever the number of workers.
        resume : bool, default=True
            Whether to keep the parts that an interrupted call with the same arguments wrote. False
            writes all parts again.
        exclude_seen : bool, default=True
            Whether items of a user's interactions are left out.

        Returns
        -------
        DataFrame or Path
            The folder if `to` is given; else columns user, rank, item, name, score, tag, on_item,
            importance, contribution and fidelity, see :class:`Explanation`. With
            :class:`~sktpecr.attribution.AccountAttribution` a row for each of the item's own tags
            that contributes, the largest contribution in size first; an item without such a tag
            has one row: tag missing, `on_item` False, contribution 0. With other attributions each
            item has `n_tags` rows, its own tags before the others. Users are in the order of
            `users`, or in the order in which `pairs` first names them; their items are ordered by
            rank, or as in `pairs`. For pairs, the rank is the given one, else the place among the
            user's pairs by the given score, else by the recommender's; the score is always the
            recommender's own. Given scores are explained as far as it reproduces them: `fidelity`
            is then times the adjusted R^2 of a line from its scores to the given ones of the user,
            0 if it falls, NaN for fewer than three pairs or equal scores.

        Raises
        ------
        ValueError
            If an id is unknown, a number is invalid, a named user has no interactions, a pair is
            repeated, or the folder holds something else.
        RuntimeError
            If parts failed (the others are in the folder, and the next call tries the failed ones
            again), or if another call is writing to the folder.

        Warns
        -----
        UserWarning
            If parts failed and there is no folder; the warning names the users that are missing.

        Notes
        -----
        Besides the libraries and the arrays of items and tags, a worker needs about
        ``100 MB + batch_size * (4 * n_factors + 160 * n_items * n_tags)`` bytes, up to twice that
        if ids are text and pandas is older than 3. The parent process needs as much for each worker
        if there is a folder, else the whole table. Users are sent with their part. Items, tags and
        learned parameters are sent once: through files that the processes of one machine share, or
        to each worker of dask; Ray's backend sends them with each part. User factors may be a
        :class:`numpy.memmap` and are then read part by part.

        For pairs, no other item is scored if the score is a dot product. Otherwise tag preferences
        and the level of a user are means of scores of other items.

        A folder has ``part-000000.parquet`` and so on, and ``_manifest.json`` with the arguments
        and a fingerprint of the model, interactions, ids, item tags and attribution. The job is
        resumable: a part is complete or absent, and an incomplete one is made again.

        Examples
        --------
        >>> from sklearn.decomposition import TruncatedSVD
        >>> from sktpecr import TPECRExplainer
        >>> from sktpecr.datasets import make_tagged_interactions
        >>> data = make_tagged_interactions(random_state=0)
        >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
        >>> explainer = explainer.fit(data.interactions, user_ids=data.user_ids)
        >>> table = explainer.explain_batch(data.user_ids[:3], n_items=2, n_tags=1)
        >>> table[["user", "rank", "item", "tag"]].head(3)
               user  rank      item    tag
        ...
        """
        lists = {"users": users, "pairs": pairs, "items": items, "exclude_seen": exclude_seen}
        how = {"to": to, "n_jobs": n_jobs, "batch_size": batch_size, "resume": resume}
        return explain_batch(self.tag_model_, n_items, n_tags, lists, **how)

    def reasons_batch(
        self,
        users: Iterable[Hashable] | None = None,
        n_items: int = 10,
        k: int = 3,
        *,
        pairs: Any = None,
        items: Iterable[Hashable] | None = None,
        to: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        batch_size: int | str = "auto",
        resume: bool = True,
        exclude_seen: bool = True,
    ) -> Any:  # a DataFrame, or a Path
        """Return the reasons to give people for the items of their lists, as a table.

        Parameters
        ----------
        users : iterable of hashable, optional
            Raw user ids. All users with interactions by default.
        n_items : int, default=10
            Length of each list.
        k : int, default=3
            Number of reasons for an item at most; at most one of them speaks against it.
        pairs, items, to, n_jobs, batch_size, resume, exclude_seen : optional
            See :meth:`explain_batch`.

        Returns
        -------
        DataFrame or Path
            The folder if `to` is given; else a row for each reason that :meth:`reasons` returns,
            in that order. An item without a reason has one row, with missing values from the
            column reason on:

            - user, rank, item, name;
            - reason: the tag, or the tags that mean nearly the same, as text;
            - tag: the one with the largest contribution;
            - speaks_for: whether the reason speaks for the item;
            - strength: how the user likes the tag, "much_more", "more" or "a_bit_more" than most
              people, and "less" where the reason speaks against the item;
            - liking (standard deviations of the population) and contribution (units of the score);
            - evidence_1, evidence_2: ids of the user's own items that have the tag, the most
              similar to this item first.

        Raises
        ------
        ValueError
            As :meth:`explain_batch` does.
        RuntimeError
            As :meth:`explain_batch` does.

        Notes
        -----
        Without interactions there is no evidence. Reasons are read from the attribution if it is
        an :class:`~sktpecr.attribution.AccountAttribution`, else from one beside it.

        Examples
        --------
        >>> from sklearn.decomposition import TruncatedSVD
        >>> from sktpecr import TPECRExplainer
        >>> from sktpecr.datasets import make_tagged_interactions
        >>> data = make_tagged_interactions(random_state=0)
        >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
        >>> explainer = explainer.fit(data.interactions, user_ids=data.user_ids)
        >>> table = explainer.reasons_batch(n_items=2)
        >>> table.loc[table["tag"].notna(), ["user", "item", "tag", "strength"]].head(3)
               user      item    tag   strength
        0  user_000  item_246  tag_2  much_more
        1  user_000  item_278  tag_2  much_more
        2  user_001  item_072  tag_7       more
        """
        lists = {"users": users, "pairs": pairs, "items": items, "exclude_seen": exclude_seen}
        how = {"to": to, "n_jobs": n_jobs, "batch_size": batch_size, "resume": resume}
        return reasons_batch(self.tag_model_, n_items, k, lists, **how)

    def contributions(self, users: Iterable[Hashable], items: Iterable[Hashable]) -> NDArray:
        """Return what the tags contribute to the scores of pairs, as one array.

        Parameters
        ----------
        users, items : iterable of hashable
            Raw ids, one user and one item for each pair.

        Returns
        -------
        ndarray of shape (n_pairs, n_tags)
            ``explain(user, item).contributions`` of each pair, tags as in ``tag_names_``.

        Raises
        ------
        ValueError
            If an id is unknown, a user has no interactions, or there are not as many users as
            items.

        Examples
        --------
        >>> from sklearn.decomposition import TruncatedSVD
        >>> from sktpecr import TPECRExplainer
        >>> from sktpecr.datasets import make_tagged_interactions
        >>> data = make_tagged_interactions(random_state=0)
        >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
        >>> explainer = explainer.fit(data.interactions, user_ids=data.user_ids)
        >>> found = explainer.contributions(["user_003", "user_007"], ["item_001", "item_009"])
        >>> found.shape == (2, len(explainer.tag_names_))
        True
        """
        return contributions_of(self.tag_model_, users, items)

    def plot_profile(
        self, user: Hashable | None = None, *, ax: Axes | None = None, **known: Any
    ) -> Axes:
        """Draw how a user's tag preferences differ from the average user's.

        Parameters
        ----------
        user : hashable, optional
            Raw user id, or row number if fit got no ids.
        ax : matplotlib Axes, optional
            Where to draw. A new figure by default.
        **known : dict
            A new user in place of `user`: `interactions` or `tags`, see :meth:`explain`.

        Returns
        -------
        matplotlib Axes
            The axes drawn on, see :func:`sktpecr.plotting.plot_profile`.
        """
        return plotting.plot_profile(self.profile(user, **known), ax=ax)

    def plot_list(
        self,
        user: Hashable | None = None,
        n: int = 10,
        *,
        n_tags: int = 8,
        ax: Axes | None = None,
        **known: Any,
    ) -> Axes:
        """Draw what tags contribute to a user's list, as a heat map.

        Parameters
        ----------
        user : hashable, optional
            Raw user id, or row number if fit got no ids.
        n : int, default=10
            Length of the list.
        n_tags : int, default=8
            How many tags are shown.
        ax : matplotlib Axes, optional
            Where to draw. A new figure by default.
        **known : dict
            A new user in place of `user`: `interactions` or `tags`, see :meth:`explain`.

        Returns
        -------
        matplotlib Axes
            The axes drawn on, see :func:`sktpecr.plotting.plot_list`.
        """
        listed = self.recommend(user, n, **known)["item"]
        explanations = [self.explain(user, item, **known) for item in listed]
        return plotting.plot_list(explanations, ax=ax, n_tags=n_tags)

    def plot_everybody(
        self,
        users: Iterable[Hashable] | None = None,
        n_items: int = 10,
        *,
        n_tags: int = 10,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw what tags contribute to the lists of many users, a strip of points for each tag.

        Parameters
        ----------
        users : iterable of hashable, optional
            Raw user ids. All users with interactions by default.
        n_items : int, default=10
            Length of each list.
        n_tags : int, default=10
            How many tags are shown.
        ax : matplotlib Axes, optional
            Where to draw. A new figure by default.

        Returns
        -------
        matplotlib Axes
            The axes drawn on, see :func:`sktpecr.plotting.plot_everybody`.
        """
        table = self.explain_batch(users, n_items, n_tags=len(self.tag_model_.tags))
        return plotting.plot_everybody(table, ax=ax, n_tags=n_tags)

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Save the fitted explainer; loading it executes no saved code.

        Parameters
        ----------
        folder : path
            New, empty, or saved to before, and then replaced in one step.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        ValueError
            If something cannot be kept as numbers and text, or the folder has other files.

        Notes
        -----
        The folder has all arrays in one ``.npz``, and ``explainer.json`` with all else and the
        SHA-256 of both, put in its place last: a save that is killed, or runs out of disk, leaves
        what was there before.

        Kept are :class:`~sktpecr.recommenders.FactorRecommender` and
        :class:`~sktpecr.recommenders.MatrixFactorization`, and the factors of whatever was adapted
        to one, such as models of `implicit`; any other recommender has to be given to
        :meth:`load`. Kept are the generators and attributions of this package, ids that are text,
        numbers or tuples of them, and a `random_state` that is a whole number or None. Functions,
        such as an `aggregate` of one's own, are code and are not kept: there pickle and joblib
        remain, for files that you made yourself.

        Examples
        --------
        See :meth:`load`.
        """
        return save_explainer(self, folder)

    @classmethod
    def load(cls, folder: str | os.PathLike[str], recommender: Any = None) -> Self:
        """Load an explainer that was saved.

        Parameters
        ----------
        folder : path
            From :meth:`save`.
        recommender : object, optional
            The trained model, where the folder does not hold it, or holds its factors only and
            new users are to be embedded by the model's own way. Its scores are compared.

        Returns
        -------
        TPECRExplainer
            Fitted. Gives the same explanations, lists and refinements as the one that was saved.

        Raises
        ------
        ValueError
            If a file is missing, cut or changed, the version is another, the recommender is not
            given or is not the one that was explained. The message names the file.

        Notes
        -----
        Nothing in the folder is executed, whoever made it: checksums tell accidents, and what is
        read are numbers, text and names of classes of this package. A folder that somebody made
        on purpose can still lie about numbers.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> from sklearn.decomposition import TruncatedSVD
        >>> from sktpecr import TPECRExplainer
        >>> from sktpecr.datasets import make_tagged_interactions
        >>> data = make_tagged_interactions(random_state=0)
        >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
        >>> explainer = explainer.fit(data.interactions, user_ids=data.user_ids)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     saved = explainer.save(Path(folder) / "explainer")
        ...     loaded = TPECRExplainer.load(saved)
        >>> one, other = (each.explain("user_003", "item_005") for each in (explainer, loaded))
        >>> bool((one.importances == other.importances).all())
        True
        """
        return load_explainer(cls, folder, recommender)

    def score(self, X: Any, y: Any = None) -> float:
        """Measure how much better items' own tags explain users' scores than random tags do.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_users, n_items)
            Interactions of at least 2 users, best of users that it was not fitted on.
        y : None
            Ignored.

        Returns
        -------
        float
            See :func:`sktpecr.evaluation.reasons_score`; a generator is chosen by
            :func:`sktpecr.evaluation.swap_score` instead.
        """
        return reasons_score(self, X)

    @property
    def tag_model_(self) -> TagModel:
        """What was learned, in one piece; learned now where no interactions are needed for that."""
        if not hasattr(self, "_tag_model"):
            fit_on_stored_users(self)
        return self._tag_model

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        fitted = vars(self).get("_tag_model")
        note = "" if fitted is None else fitted.catalogue.row_number_note
        return f"{super().__repr__(N_CHAR_MAX)}{note}"

    def _fitted_extractor(self) -> TagPreferenceExtractor:
        return self.tag_model_.extractor

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_tag_model")
