"""What an explainer says of many users at once, as tables and arrays."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable
from typing import Any

from numpy.typing import NDArray

from sktpecr.explanation._explain_batch import contributions_of, explain_batch, reasons_batch
from sktpecr.explanation._fit_explainer import fit_on_stored_users
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._tag_transformer import TagTransformer


class BatchExplainer(TagTransformer):
    """The methods of :class:`TPECRExplainer` that take many users."""

    _tag_model: TagModel

    @property
    def tag_model_(self) -> TagModel:
        """What was learned, in one piece; learned now where no interactions are needed for that."""
        if not hasattr(self, "_tag_model"):
            fit_on_stored_users(self)
        return self._tag_model

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
            Raw user ids. Everybody with interactions by default.
        n_items : int, default=10
            Length of each list.
        n_tags : int, default=5
            At most so many tags of each item.
        pairs : DataFrame of pandas or polars, optional
            What somebody else listed: columns user and item, and score or rank if there are such;
            each pair once. It takes the place of lists made here: `n_items` and `exclude_seen`
            do not count, and `users` and `items` are not given.
        items : iterable of hashable, optional
            Raw ids of the items that may be recommended. All by default.
        to : path, optional
            Folder to write a Parquet dataset to, a file for each part; needs pyarrow.
        n_jobs : int, optional
            Workers, see :class:`joblib.Parallel`: 1 by default, or what
            :func:`joblib.parallel_config` says; -1 for all processors.
        batch_size : int or "auto", default="auto"
            Users in a part, 2,048 by default. With one and the same, results are the same to the
            last bit however many workers there are.
        resume : bool, default=True
            Go on with what is in the folder, if the same was asked for; else begin anew.
        exclude_seen : bool, default=True
            Whether items of a user's interactions are left out.

        Returns
        -------
        DataFrame or Path
            The folder if `to` is given; else columns user, rank, item, name, score, tag, on_item,
            importance, contribution and fidelity, see :class:`Explanation`. With
            :class:`~sktpecr.attribution.AccountAttribution` a row for each of the item's own tags
            that counts, the largest contribution in size first; an item without such a tag has one
            row: tag missing, `on_item` False, contribution 0. With other attributions `n_tags`
            rows an item, its own tags before the others. Users stand in the order of `users`, or
            in which `pairs` first names them; their items by rank, or in the order of `pairs`.
            Of pairs, the rank is the one given, else the place among the user's pairs by the score
            given, else by the recommender's; the score is the recommender's own.

        Raises
        ------
        ValueError
            If an id is unknown or a number not what it should be, a named user has no
            interactions, a pair comes twice, or the folder holds something else.
        RuntimeError
            If parts failed: the others are in the folder, and the next call tries them again.

        Warns
        -----
        UserWarning
            If parts failed and there is no folder: who is left out.

        Notes
        -----
        Beside the libraries themselves and the arrays of items and tags, a worker needs about
        ``100 MB + batch_size * (4 * n_factors + 160 * n_items * n_tags)`` bytes, up to twice that
        where ids are text and pandas is older than 3: scores are computed in blocks. The parent has
        no more than that for each worker if there is a folder, else the table. Users travel with
        their part; items, tags and what was learned are sent once: through files that processes of
        one machine share, or to each worker of dask's; Ray's backend sends them with the parts.
        User factors may be a :class:`numpy.memmap`, and are then read part by part.

        Of pairs, no other item is scored where the score is a dot product. Elsewhere the tag
        preferences and the level of a user are themselves means of scores.

        A folder has ``part-000000.parquet`` and so on, and ``_manifest.json``, which says what was
        asked for, with a fingerprint of the model, interactions, ids, item tags and attribution. A
        part is there in full or not at all, so that a job that was killed can be started again; one
        that lost its end is made anew.

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
        """Return the few reasons that people can be given for their lists, as a table.

        Parameters
        ----------
        users : iterable of hashable, optional
            Raw user ids. Everybody with interactions by default.
        n_items : int, default=10
            Length of each list.
        k : int, default=3
            At most so many reasons for an item, of which at most one speaks against it.
        pairs, items, to, n_jobs, batch_size, resume, exclude_seen : optional
            See :meth:`explain_batch`.

        Returns
        -------
        DataFrame or Path
            The folder if `to` is given; else a row for each reason that :meth:`reasons` returns,
            in that order, and one row for an item without any, with nothing in the columns from
            reason on:

            - user, rank, item, name;
            - reason: the tag, or the tags that mean nearly the same, as text;
            - tag: the one with the largest contribution;
            - speaks_for: whether the reason speaks for the item;
            - strength: how the user likes the tag, "much_more", "more" or "a_bit_more" than most
              people, and "less" where the reason speaks against the item;
            - liking (standard deviations of the population) and contribution (units of the score);
            - evidence_1, evidence_2: ids of the user's own items that carry the tag, the nearest
              to this item first.

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
