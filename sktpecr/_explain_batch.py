"""Everybody's list, explained."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
from numpy.typing import NDArray

from sktpecr._parts import run_parts
from sktpecr._ranking import check_n, top_items
from sktpecr._user import User

if TYPE_CHECKING:
    import pandas as pd

    from sktpecr._population import Population

# Scores of so many users and items at a time: 64 MB in single precision.
_SCORES_A_PART = 2**24


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
            Users in a part. With one and the same, results are the same to the last bit however
            many workers there are. "auto" depends on the number of items alone.
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
        A worker needs, beside the factors, about ``batch_size * (12 * n_all_items + 100 * n_items *
        n_tags)`` bytes, and the parent as much for its own part alone if there is a folder. Large
        arrays are shared with workers, not copied.

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
            "exclude_seen": bool(exclude_seen),
        }
        rows = self._rows_to_explain(population, users)
        listed = np.ones(len(catalogue.items), dtype=bool)
        if items is not None:
            listed[:] = False
            listed[catalogue.items.rows(items)] = True
        if batch_size == "auto":
            batch_size = max(1, _SCORES_A_PART // len(catalogue.items))
        size = check_n(batch_size, "batch_size")
        parts = [rows[start : start + size] for start in range(0, len(rows), size)]
        return run_parts(
            partial(explain_users, population, listed, **settings),
            parts,
            lambda part: [catalogue.users[row] for row in part],
            to=to,
            job={**settings, "batch_size": size, "made of": _fingerprint(population, rows, listed)},
            n_jobs=n_jobs,
            resume=resume,
            progress="explained",
        )

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


def explain_users(
    population: Population,
    listed: NDArray,
    rows: NDArray,
    *,
    n_items: int,
    n_tags: int,
    exclude_seen: bool,
) -> pd.DataFrame:
    """Explain the lists of some users.

    Parameters
    ----------
    population : Population
        What an explainer learned.
    listed : ndarray of bool, shape (n_all_items,)
        Which items may be recommended.
    rows : ndarray of int
        Rows of the users.
    n_items, n_tags, exclude_seen : int, int, bool
        See :meth:`ExplainBatch.explain_batch`.

    Returns
    -------
    DataFrame
        Their part of the table.
    """
    import pandas as pd

    catalogue, attribution = population.catalogue, population.attribution
    embeddings = population.user_embeddings[rows]
    scores = population.recommender.score_items(embeddings)
    preferences = population.extractor.tag_preferences(embeddings.astype(np.float64))
    standings = population.vs_mean(preferences)
    columns: dict[str, list[NDArray]] = {}
    for place, row in enumerate(rows):
        user = User.at(population, row)
        allowed = catalogue.candidates(user, exclude_seen, ()) & listed
        items = top_items(scores[place], allowed, n_items)
        attributed = attribution.attribute(preferences[place], embeddings[place], items)
        contributions = attributed.importances * standings[place]
        tags = np.argsort(-np.abs(contributions), axis=1, kind="stable")[:, :n_tags]
        of_items = {
            "user": np.full(len(items), row),
            "rank": np.arange(1, len(items) + 1),
            "item": items,
            "score": scores[place, items],
            "fidelity": np.asarray(attributed.fidelity) * population.fidelity,
        }
        of_tags = {
            "tag": tags,
            "importance": np.take_along_axis(attributed.importances, tags, axis=1),
            "contribution": np.take_along_axis(contributions, tags, axis=1),
        }
        for name, values in of_items.items():
            columns.setdefault(name, []).append(np.repeat(values, tags.shape[1]))
        for name, values in of_tags.items():
            columns.setdefault(name, []).append(values.ravel())
    table = {name: np.concatenate(values) for name, values in columns.items()}
    names = population.tags.array()
    return pd.DataFrame(
        {
            "user": catalogue.users.array()[table["user"]],
            "rank": table["rank"].astype(np.int32),
            "item": catalogue.item_ids[table["item"]],
            "score": table["score"],
            # Numbers and one list of names: half the memory of the names themselves.
            "tag": pd.Categorical.from_codes(table["tag"], categories=pd.Index(names)),
            "importance": table["importance"],
            "contribution": table["contribution"],
            "fidelity": table["fidelity"],
        }
    )


def _fingerprint(population: Population, rows: NDArray, listed: NDArray) -> str:
    """Return what tells one job from another: model, explainer, users and items."""
    some = population.user_embeddings[rows[:1]]
    return joblib.hash(
        [
            population.method,
            population.user_embeddings,
            population.tag_preferences,
            population.tags.array().tolist(),
            population.recommender.score_items(some),
            population.generator.generate(population.mean[np.newaxis], some.astype(np.float64)),
            rows,
            listed,
        ]
    )
