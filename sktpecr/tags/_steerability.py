"""What feedback on tags can steer."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.linalg import qr
from sklearn.utils import gen_batches

from sktpecr._inputs._ids import listing, plain
from sktpecr._utils._lazily import lazily
from sktpecr._utils._rounding import spread

# Where less of an edit comes through, the other tags together move by more than the one named.
_HARD = 0.5
# Tags whose preferences correlate by more than this cannot be told apart.
_ALIKE = 0.99
# A suggested tag has at least this share of its spread to itself, beside those chosen before it.
_OWN_SPREAD = 0.2
# Tags compared with all others at a time.
_BLOCK = 256


@dataclass(frozen=True, eq=False)
class Steerability:
    r"""Report which tags can be changed alone, and which only together.

    Returned by :meth:`TagPreferenceExtractor.steerability`; do not make one yourself.

    Parameters
    ----------
    tag_names : ndarray of shape (n_tags,)
        Names of the tags.
    n_items : ndarray of shape (n_tags,)
        Number of items of each tag.
    basis : ndarray of shape (n_tags, rank)
        Orthonormal basis of the changes of tag preferences, in standard deviations of the
        population, that embeddings can realise.
    loadings : ndarray of shape (n_tags, n_axes)
        A row per tag, of length 1, or 0 for a tag that everybody likes the same; products of
        rows are the correlations of tag preferences in the population.
    exact : bool
        Whether `basis` comes from the linear map from embeddings to tag preferences. Otherwise
        there is none, and `basis` is an estimate from the regression of tag preferences on
        embeddings, the rougher the more they are curved.

    Notes
    -----
    Let :math:`M_z` be M with rows divided by the standard deviations of the tag preferences,
    and :math:`P = M_z M_z^+` the projection on its column space. Asked to change tag t alone,
    all others held, the best compromise of an embedding changes tag preferences by
    :math:`P e_t`, all in standard deviations. The tag itself gets :math:`P_{tt}` of what was
    asked: `attainable`. (The length of :math:`P e_t` is the root of that.) Pressed until the tag
    has all of it, the compromise moves the others together by :math:`\sqrt{1 / P_{tt} - 1}`. The
    mean of :math:`P_{tt}` is rank / n_tags, so that no recommender can steer many more tags than
    it has factors one by one. (:class:`GaussianGenerator` counts tags in units of the score, and
    so strikes another compromise where standard deviations differ.)

    Tags are aliases if their preferences correlate by more than 0.99, or through others that do.
    `suggested` is chosen by QR with column pivoting [1]_ of the standardised tag preferences:
    each next tag is the one with most spread that does not follow from those chosen, down to
    a fifth of its spread, and no more tags than `rank`. Neither it nor `condition_number`
    depends on the units or the axes of the embeddings.

    References
    ----------
    .. [1] P. Businger and G. H. Golub, "Linear least squares solutions by Householder
       transformations", Numerische Mathematik 7, 1965.

    Examples
    --------
    >>> import numpy as np
    >>> from sktpecr import TagPreferenceExtractor
    >>> users, items = np.random.RandomState(0).normal(size=(2, 100, 2))
    >>> tags = np.zeros((100, 3))
    >>> tags[:30, 0] = tags[40:80, 1] = tags[40:80, 2] = 1
    >>> extractor = TagPreferenceExtractor((users, items), tags, tag_names=["war", "sea", "ship"])
    >>> steerability = extractor.fit(np.ones((100, 100))).steerability()
    >>> steerability.attainable.round(3)
    array([1. , 0.5, 0.5])
    >>> steerability.alias
    [(), ('ship',), ('sea',)]
    >>> steerability.suggested
    ['war', 'sea']
    """

    tag_names: NDArray
    n_items: NDArray
    basis: NDArray
    loadings: NDArray
    exact: bool

    @classmethod
    def of(
        cls,
        tag_names: NDArray,
        n_items: NDArray,
        tag_matrix: NDArray | None,
        embeddings: NDArray,
        tag_preferences: NDArray,
    ) -> Steerability:
        """Measure tags on a population.

        Parameters
        ----------
        tag_names : ndarray of shape (n_tags,)
            Names of the tags.
        n_items : ndarray of int, shape (n_tags,)
            Number of items of each tag.
        tag_matrix : ndarray of shape (n_tags, n_factors) or None
            M, where tag preferences are linear in embeddings.
        embeddings : ndarray of shape (n_users, n_factors)
            Embeddings of the population.
        tag_preferences : ndarray of shape (n_users, n_tags)
            Their tag preferences.

        Returns
        -------
        Steerability
            What feedback on the tags can steer.
        """
        precision = np.finfo(tag_preferences.dtype).eps
        preferences = tag_preferences.astype(np.float64)
        std = spread(preferences, tag_preferences.dtype)
        per_std = np.divide(1.0, std, out=np.zeros_like(std), where=std > 0)
        centred = embeddings.astype(np.float64)
        centred -= centred.mean(axis=0)
        if tag_matrix is not None:
            moves = tag_matrix * per_std[:, np.newaxis]
            # With E = Q R, M R^T has the products of M cov(E) M^T, the covariance of the tags.
            loadings = moves @ np.asarray(np.linalg.qr(centred, mode="r")).T
        else:
            standardised = (preferences - preferences.mean(axis=0)) * per_std
            # Curvature would make the rank of the tag preferences themselves as high as one
            # likes; where an embedding can go from where it is, it has its own dimensions only.
            rounding = max(centred.shape) * precision
            moves = np.linalg.lstsq(centred, standardised, rcond=rounding)[0].T
            loadings = standardised.T
        lengths = np.linalg.norm(loadings, axis=1, keepdims=True)
        basis, values, _ = np.linalg.svd(moves, full_matrices=False)
        return cls(
            tag_names=tag_names,
            n_items=n_items,
            basis=basis[:, values > values[0] * max(moves.shape) * precision],
            loadings=np.divide(loadings, lengths, out=np.zeros_like(loadings), where=lengths > 0),
            exact=tag_matrix is not None,
        )

    @property
    def rank(self) -> int:
        """Number of directions in which tag preferences can move independently."""
        return self.basis.shape[1]

    @property
    def attainable(self) -> NDArray:
        """Share of an edit of each tag alone that an embedding can realise, shape (n_tags,)."""
        return np.minimum(np.square(self.basis).sum(axis=1), 1.0)

    @lazily
    def alias(self) -> list[tuple[Any, ...]]:
        """For each tag the names of those that it cannot be told from, often none."""
        alias: list[tuple[Any, ...]] = [()] * len(self.tag_names)
        for rows in gen_batches(len(alias), _BLOCK):
            n_near = (self.loadings[rows] @ self.loadings.T > _ALIKE).sum(axis=1)
            for tag in rows.start + np.flatnonzero(n_near > 1):
                if not alias[tag]:
                    group = np.sort(np.append(self.aliases_of(tag), tag))
                    for one in group:
                        alias[one] = tuple(self._names(group[group != one]))
        return alias

    @lazily
    def condition_number(self) -> float:
        """Largest by smallest singular value of the standardised tag preferences.

        1 where all tags are independent, infinite where some tags follow from others.
        """
        return self._condition_number(np.arange(len(self.tag_names)))

    @property
    def suggested(self) -> list[Any]:
        """Names of tags that differ well from each other, in the order of the tags."""
        return self._names(self._suggested)

    @lazily
    def suggested_condition_number(self) -> float:
        """Condition number of the suggested tags alone; NaN where there are none."""
        return self._condition_number(self._suggested)

    def aliases_of(self, tag: int) -> NDArray:
        """Return the tags that a tag cannot be told from, by itself or through others of them.

        Parameters
        ----------
        tag : int
            Column number of the tag.

        Returns
        -------
        ndarray of int
            Column numbers of the other tags, ascending.
        """
        found = np.zeros(len(self.loadings), dtype=bool)
        found[tag] = True
        waiting = np.array([tag])
        while len(waiting):
            near = (self.loadings @ self.loadings[waiting[:_BLOCK]].T > _ALIKE).any(axis=1)
            waiting = np.append(waiting[_BLOCK:], np.flatnonzero(near & ~found))
            found |= near
        found[tag] = False
        return np.flatnonzero(found)

    def attainable_together(self, tags: list[int]) -> NDArray:
        """Return the share of an edit of each tag that comes through if only others are held.

        Parameters
        ----------
        tags : list of int
            Column numbers of tags, which may all move.

        Returns
        -------
        ndarray of shape (len(tags),)
            For a single tag its share of `attainable`; for several at least that.
        """
        if len(tags) == 1:
            return self.attainable[tags]
        named = self.basis[tags]
        held = np.eye(self.rank) - named.T @ named
        # Rows that are free drop out: the leverage of each row among its own and those held.
        return np.array(
            [
                row @ np.linalg.pinv(held + np.outer(row, row), rcond=1e-10, hermitian=True) @ row
                for row in named
            ]
        )

    def caveats(self, named: Mapping[int, Any], about: Collection[int]) -> list[str]:
        """Say what feedback on some tags cannot steer.

        Parameters
        ----------
        named : mapping of int to object
            Column number of each tag that feedback names, and what it says of it.
        about : collection of int
            Those of them that are to be spoken of.

        Returns
        -------
        list of str
            A clause for each tag that is hard to move alone, and for each that has an alias of
            which the feedback does not say the same.
        """
        clauses = []
        shares = self.attainable_together(list(named))
        for (tag, said), share in zip(named.items(), shares, strict=True):
            if tag not in about:
                continue
            name = plain(self.tag_names[tag])
            if round(share, 9) < _HARD:
                clauses.append(
                    f"{name!r} gets {_percent(share)} of an edit that holds the tags not named"
                )
            others = [other for other in self.aliases_of(tag) if named.get(other) != said]
            if others:
                clauses.append(
                    f"{name!r} cannot be told from {listing(self._names(np.array(others)))}"
                )
        return clauses

    def to_frame(self) -> pd.DataFrame:
        """Return a table with a row per tag.

        Returns
        -------
        DataFrame
            Columns tag, n_items, attainable, alias (a tuple of names) and suggested, in the order
            of the tags.
        """
        suggested = np.zeros(len(self.tag_names), dtype=bool)
        suggested[self._suggested] = True
        return pd.DataFrame(
            {
                "tag": self.tag_names,
                "n_items": self.n_items,
                "attainable": self.attainable,
                "alias": self.alias,
                "suggested": suggested,
            }
        )

    def __str__(self) -> str:
        n_tags, attainable = len(self.tag_names), self.attainable
        hardest = int(np.argmin(attainable))
        estimated = "" if self.exact else " (an estimate: they are not linear in embeddings)"
        sentences = [
            f"Tag preferences move in {self.rank} directions{estimated}, and there are {n_tags} "
            f"tags."
        ]
        if attainable[hardest] > 1 - 1e-6:
            sentences.append("Each of them can be edited alone.")
        else:
            sentences.append(
                f"An edit of one alone gets {_percent(attainable.mean())} of what it asks on "
                f"average, and {_percent(attainable[hardest])} for "
                f"{plain(self.tag_names[hardest])!r}."
            )
        n_alias = sum(map(bool, self.alias))
        if n_alias:
            sentences.append(
                f"{n_alias} tags cannot be told from others, see alias; name them together."
            )
        sentences.append(f"The condition number of the tags is {self.condition_number:.3g}.")
        if len(self.suggested) < n_tags:
            sentences.append(
                f"{len(self.suggested)} of them differ well from each other, see suggested; "
                f"theirs is {self.suggested_condition_number:.3g}."
            )
        return " ".join(sentences)

    @lazily
    def _suggested(self) -> NDArray:
        """Column numbers of the suggested tags, ascending."""
        # All tags have the same spread: of equals, the one on more items is to come first.
        order = np.argsort(-self.n_items, kind="stable")
        preferred = 1.0 - 1e-6 * np.arange(len(order)) / len(order)
        triangle, chosen = qr(self.loadings[order].T * preferred, mode="r", pivoting=True)
        own = np.abs(np.diag(triangle))[: self.rank]
        enough = (own > 0) & (own >= _OWN_SPREAD * own.max(initial=0.0))
        return np.sort(order[chosen[: enough.sum()]])

    def _condition_number(self, tags: NDArray) -> float:
        if not len(tags):
            return np.nan
        values = np.linalg.svd(self.loadings[tags], compute_uv=False)
        rounding = max(self.loadings.shape) * np.finfo(np.float64).eps
        if min(len(values), self.rank) < len(tags) or values[-1] <= rounding * values[0]:
            return np.inf
        return float(values[0] / values[-1])

    def _names(self, tags: NDArray) -> list[Any]:
        return [plain(name) for name in self.tag_names[tags]]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
