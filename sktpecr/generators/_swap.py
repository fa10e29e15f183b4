"""Tag preferences swapped between users, as Table 4 of the paper does."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sktpecr._utils._rounding import spread


# Tag preferences, shape (n, n_tags): the users' own, the ones asked for, and the ones met by the
# generated embeddings, shape (n, n_factors).
class Swap(NamedTuple):
    """Tag preferences swapped between users, and what a generator made of that."""

    own: NDArray
    wanted: NDArray
    generated: NDArray
    met: NDArray

    @property
    def error_left(self) -> float:
        """Squared error of what was generated, relative to that of the unedited embeddings."""
        return float(
            np.square(self.met - self.wanted).sum() / np.square(self.own - self.wanted).sum()
        )

    @property
    def score(self) -> float:
        """1 where what was asked for is met, 0 where the unedited embeddings are as near."""
        dtype = self.own.dtype
        if not spread(self.own, dtype).any():  # users all alike: nothing to swap
            return float(spread(self.met, dtype).max() == 0)
        return 1.0 - self.error_left
