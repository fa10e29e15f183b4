"""Everybody's list, explained."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
from numpy.typing import NDArray

from sktpecr._blocks import blocks, let_go
from sktpecr._ids import listing
from sktpecr._list_explainer import ListExplainer, SomeUsers
from sktpecr._ranking import check_n
from sktpecr._user import User
from sktpecr._utils._resumable_parts import run_parts

if TYPE_CHECKING:
    from sktpecr._population import Population

_USERS_A_PART = 2048


class ExplainBatch:
    """Explanations of everybody's list, for whatever has learned a population."""

    def explain_batch(
        self,
        users: Iterable[Hashable] | None = None,
        n_items: int = 10,
        n_tags: int = 5,
        *,
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
            So many tags of each item, those with the largest contributions in size.
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
            The folder if `to` is given; else columns user, rank, item, score, tag, importance,
            contribution and fidelity, see :class:`Explanation`. The tags of an item stand with
            the largest contribution in size first.

        Raises
        ------
        ValueError
            If an id is unknown or a number not what it should be, a named user has no
            interactions, or the folder holds something else.
        RuntimeError
            If parts failed: the others are in the folder, and the next call tries them again.

        Warns
        -----
        UserWarning
            If parts failed and there is no folder: who is left out.

        Notes
        -----
        Beside the libraries themselves and the arrays of items and tags, a worker needs about
        ``100 MB + batch_size * (4 * n_factors + 120 * n_items * n_tags)`` bytes, up to twice that
        where ids are text and pandas is older than 3: scores are computed in blocks. The parent has
        no more than that for each worker if there is a folder, else the table. Users travel with
        their part; items, tags and what was learned are sent once: through files that processes of
        one machine share, or to each worker of dask's; Ray's backend sends them with the parts.
        User factors may be a :class:`numpy.memmap`, and are then read part by part.

        A folder has ``part-000000.parquet`` and so on, and ``_manifest.json``, which says what was
        asked for. A part is there in full or not at all, so that a job that was killed can be
        started again.

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
        population = self._fitted_population()
        catalogue = population.catalogue
        settings: dict[str, Any] = {
            "n_items": check_n(n_items, "n_items"),
            "n_tags": check_n(n_tags, "n_tags"),
        }
        rows = self._rows_to_explain(population, users)
        if exclude_seen:
            catalogue.candidates(User.at(population, int(rows[0])), True, ())  # has to know
        listed = np.ones(len(catalogue.items), dtype=bool)
        if items is not None:
            listed[:] = False
            listed[catalogue.items.rows(items)] = True
        size = check_n(_USERS_A_PART if batch_size == "auto" else batch_size, "batch_size")
        ids = catalogue.users.array()

        def known_of(part: NDArray) -> SomeUsers:
            X = catalogue.interactions
            seen = X[part] if exclude_seen and X is not None else None
            embeddings = population.user_embeddings[part]
            let_go(population.user_embeddings)
            return SomeUsers(ids[part], embeddings, seen)

        return run_parts(
            ListExplainer(population, catalogue.item_ids, listed, **settings),
            [rows[start : start + size] for start in range(0, len(rows), size)],
            known_of,
            lambda part: listing(ids[part].tolist()),
            to=to,
            job=lambda: {
                **settings,
                "exclude_seen": bool(exclude_seen),
                "batch_size": size,
                "made of": _fingerprint(population, rows, listed),
            },
            n_jobs=n_jobs,
            resume=resume,
            progress="explained",
        )

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
        population = self._fitted_population()
        rows = self._rows_to_explain(population, users)
        columns = population.catalogue.items.rows(items)
        if len(rows) != len(columns):
            raise ValueError(
                f"users and items must be as many, one of each for a pair; got {len(rows)} and "
                f"{len(columns)}"
            )
        who, of_user = np.unique(rows, return_inverse=True)
        embeddings = population.user_embeddings[who]
        preferences = population.extractor.tag_preferences(embeddings.astype(np.float64))
        standings = population.vs_mean(preferences)
        if hasattr(population.attribution, "importances"):  # the same for every user
            what, of_item = np.unique(columns, return_inverse=True)
            found = population.attribution.importances(what)[of_item]
        else:
            found = np.empty((len(rows), standings.shape[1]))
            for place in range(len(who)):
                pairs = np.flatnonzero(of_user == place)
                found[pairs] = population.attribution.attribute(
                    preferences[place], embeddings[place], columns[pairs]
                ).importances
        found *= standings[of_user]
        return found

    def _rows_to_explain(self, population: Population, users: Any) -> NDArray:
        catalogue = population.catalogue
        active = catalogue.active_users()
        if users is None:
            return np.flatnonzero(active)
        if isinstance(users, str | bytes) or not hasattr(users, "__iter__"):
            raise ValueError(f"users must be a list of user ids, got {users!r}")
        rows = catalogue.users.rows(users)
        if not len(rows):
            raise ValueError("users must name at least one user, got none")
        for row in rows[~active[rows]][:1]:
            User.at(population, int(row)).to_explain()  # says what is wrong with this one
        return rows

    def _fitted_population(self) -> Population:
        raise NotImplementedError


def _fingerprint(population: Population, rows: NDArray, listed: NDArray) -> str:
    """Return what tells one job from another: model, explainer, users and items."""
    some = population.user_embeddings[rows[:1]]
    return joblib.hash(
        [
            population.method,
            *(joblib.hash(block) for block in blocks(population.user_embeddings)),
            population.extractor.tag_preferences(some),
            (population.mean, population.std),
            population.tags.array().tolist(),
            population.recommender.score_items(some),
            population.generator.generate(population.mean[np.newaxis], some.astype(np.float64)),
            rows,
            listed,
        ]
    )
