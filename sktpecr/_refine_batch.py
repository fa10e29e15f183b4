"""The feedback of many users, and everybody's next list."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np

from sktpecr._feedback import Feedback
from sktpecr._frames import in_pandas
from sktpecr._ids import listing
from sktpecr._ranking import check_n
from sktpecr._utils._resumable_parts import run_parts

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("user", "tag", "feedback")
_KINDS = ("like", "dislike", "set")
_USERS_A_PART = 256


class RefineBatch:
    """Refinement of many users, each by feedback of their own, for whatever refines one."""

    def refine_batch(
        self,
        feedback: pd.DataFrame,
        n_items: int = 10,
        *,
        to: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        batch_size: int = _USERS_A_PART,
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
            :meth:`Refinement.recommend`. Users in the order in which they come first.

        Raises
        ------
        ValueError
            If `feedback` is no such table, or an id is unknown.
        RuntimeError
            If parts failed: the others are in the folder, and the next call tries them again.

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
        population = self._checked_population()  # type: ignore[attr-defined]
        n_items, size = check_n(n_items, "n_items"), check_n(batch_size, "batch_size")
        by_user = _checked(feedback, population)
        users = list(by_user)
        parts = [
            {user: by_user[user] for user in users[start : start + size]}
            for start in range(0, len(users), size)
        ]
        settings: dict[str, Any] = {"n_items": n_items, "exclude_seen": bool(exclude_seen)}

        def made_of() -> str:
            some = population.user_embeddings[:1]
            said = [(user, sorted(kinds.items())) for user, kinds in by_user.items()]
            scores = population.recommender.score_items(some)
            solver = str(self.solver)  # type: ignore[attr-defined]
            return joblib.hash(
                [population.method, solver, population.user_embeddings, scores, said]
            )

        return run_parts(
            partial(_refined, self, **settings),
            parts,
            lambda part: part,
            lambda part: listing(list(part)),
            to=to,
            job=lambda: {**settings, "batch_size": size, "made of": made_of()},
            n_jobs=n_jobs,
            resume=resume,
            progress="refined",
        )


Said = dict[str, dict[Any, float]]  # "like", "dislike" and "set", each tag to number


def _refined(
    refiner: Any, part: dict[Any, Said], *, n_items: int, exclude_seen: bool
) -> pd.DataFrame:
    """Return the lists of some users, as one frame: one for each would take most of the time."""
    import pandas as pd

    users: list[Any] = []
    lists = []
    for user, said in part.items():
        refined = refiner.refine(user, **said)
        columns, before = refined._best(n_items, exclude_seen)
        users += [user] * len(columns)
        lists.append((np.arange(1, len(columns) + 1), columns, refined.scores[columns], before))
    rank, columns, score, before = map(np.concatenate, zip(*lists, strict=True))
    item = refiner._checked_population().catalogue.item_ids[columns]
    return pd.DataFrame(
        {"user": users, "rank": rank, "item": item, "score": score, "rank_before": before}
    )


def _checked(feedback: Any, population: Any) -> dict[Any, Said]:
    """Return what each user says."""
    feedback = in_pandas(feedback)
    missing = [name for name in _COLUMNS if name not in getattr(feedback, "columns", ())]
    if missing:
        raise ValueError(
            f"feedback must be a DataFrame with columns user, tag and feedback, and value if there "
            f"are strengths; it lacks {', '.join(missing)}"
        )
    if not len(feedback):
        raise ValueError("feedback must have a row for each tag that a user speaks of, got none")
    said: dict[Any, Said] = {}
    for user, tag, kind, value in _lines(feedback):
        if kind not in _KINDS:
            raise ValueError(f"feedback must be 'like', 'dislike' or 'set', got {kind!r}")
        population.catalogue.users.row(user)
        population.tags.row(tag)
        of_kind = said.setdefault(user, {}).setdefault(kind, {})
        if tag in of_kind:
            raise ValueError(
                f"feedback of user {user!r} names {tag!r} twice as {kind}; once will do"
            )
        if kind == "set" and value is None:
            raise ValueError(f"feedback sets {tag!r} of user {user!r} to no value; give one")
        of_kind[tag] = 1.0 if value is None else value
    # Before anything is computed: one user's contradiction is not to cost the others their part.
    for user, kinds in said.items():
        try:
            like, dislike, put = (kinds.get(kind) for kind in _KINDS)
            Feedback.parse(population.tags, like, dislike, put, strength=1.0)
        except ValueError as error:
            raise ValueError(f"user {user!r}: {error}") from None
    return said


def _lines(feedback: pd.DataFrame) -> Iterator[tuple[Any, Any, Any, float | None]]:
    """Yield user, tag, kind and value; None where there is none."""
    columns = [feedback[name].tolist() for name in _COLUMNS]
    values = [None] * len(feedback)
    if "value" in feedback.columns:
        numbers, there = feedback["value"].tolist(), feedback["value"].notna().tolist()
        values = [
            number if is_there else None for number, is_there in zip(numbers, there, strict=True)
        ]
    yield from zip(*columns, values, strict=True)
