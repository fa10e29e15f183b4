"""What a worker of a batch is given of users."""

from __future__ import annotations

from typing import NamedTuple

import scipy.sparse as sp
from numpy.typing import NDArray


class GivenPairs(NamedTuple):
    """Items that some users are to be explained, one user after another."""

    indptr: NDArray  # Where the pairs of each user begin, and end, shape (n_users + 1,)
    items: NDArray  # Columns of the items, shape (n_pairs,)
    ranks: NDArray | None  # Ranks that whoever listed them gave, shape (n_pairs,)
    scores: NDArray | None  # Scores that whoever listed them gave, shape (n_pairs,)

    def of(self, block: slice) -> GivenPairs:
        """Return the pairs of some of the users."""
        start, stop, _ = block.indices(len(self.indptr) - 1)
        some = slice(self.indptr[start], self.indptr[stop])
        return GivenPairs(
            self.indptr[start : stop + 1] - self.indptr[start],
            self.items[some],
            None if self.ranks is None else self.ranks[some],
            None if self.scores is None else self.scores[some],
        )


class SomeUsers(NamedTuple):
    """What is known of some users: all that a worker is given of them."""

    ids: NDArray  # Raw ids, shape (n,)
    embeddings: NDArray  # Embeddings, shape (n, n_factors)
    seen: sp.csr_matrix | None  # What not to list, shape (n, n_items); None if nothing is left out
    history: sp.csr_matrix | None = None  # What they took, where reasons need evidence
    pairs: GivenPairs | None = None  # Items to explain, in place of a list
    kept: NDArray | None = None  # What folding in kept of their scores, shape (n,); all if None

    def of(self, block: slice) -> SomeUsers:
        """Return what is known of some of them."""
        return SomeUsers(
            self.ids[block],
            self.embeddings[block],
            None if self.seen is None else self.seen[block],
            None if self.history is None else self.history[block],
            None if self.pairs is None else self.pairs.of(block),
            None if self.kept is None else self.kept[block],
        )
