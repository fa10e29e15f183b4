"""What explanations of one item, of two, and of an edit have in common when put into words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# Contributions under this share of the largest one are not worth words.
_WORTH_SAYING = 0.05


def by_size(values: NDArray) -> NDArray:
    """Return the order from the largest value, of either sign, to the smallest."""
    return np.argsort(-np.abs(values), kind="stable")


def worth_saying(contributions: NDArray) -> NDArray:
    """Return the tags with contributions worth words, the largest first."""
    order = by_size(contributions)
    sizes = np.abs(contributions[order])
    return order[sizes > _WORTH_SAYING * sizes.max(initial=0.0)]


def liked(
    tags: Sequence[int], names: NDArray, vs_population: NDArray, contributions: NDArray
) -> str:
    """Say of some tags how they are liked, and what that does."""
    return joined(
        [
            f"{names[t]}, liked {'more' if vs_population[t] > 0 else 'less'} than average "
            f"({contributions[t]:+.2g})"
            for t in tags
        ]
    )


def joined(phrases: list[str]) -> str:
    """Return phrases with commas between them and "and" before the last."""
    return " and ".join([", ".join(phrases[:-1]), phrases[-1]] if phrases[1:] else phrases)
