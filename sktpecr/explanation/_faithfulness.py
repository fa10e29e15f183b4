"""Whether importances say what happens: tried on changes of tags, and against other seeds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from sktpecr._utils._rounding import spread
from sktpecr.tags._tag_model import TagModel

# Changes of tags, in standard deviations, that faithfulness is tried on, and how many.
_TRIAL_STD, _TRIALS = 0.5, 200


def random_changes(random_state: np.random.RandomState, n_tags: int) -> NDArray:
    """Draw the changes that faithfulness is tried on, in standard deviations of the tags."""
    return _TRIAL_STD * random_state.standard_normal((_TRIALS, n_tags))


def faithfulness(
    tag_model: TagModel, embedding: NDArray, column: int, importances: NDArray, changes: NDArray
) -> float:
    """Return the squared correlation of what importances predict with what happens."""
    # `embedding` (n_factors,); `importances` (n_tags,); `changes` (n, n_tags).
    own = embedding.astype(np.float64)
    asked = tag_model.tag_preferences_of(own) + changes * tag_model.std
    scores = tag_model.composite(asked, own[np.newaxis], [column])[:, 0]
    predicted = changes @ importances
    if not spread(np.column_stack([scores, predicted]), scores.dtype).all():
        return np.nan
    return float(np.corrcoef(predicted, scores)[0, 1] ** 2)


def redrawn(tag_model: TagModel, seeds: Iterable[int]) -> Iterator[Any]:
    """Yield the attribution with other seeds; nothing if it draws nothing."""
    plain = tag_model.attribution
    if "random_state" in plain.get_params():
        others = (clone(plain).set_params(random_state=seed) for seed in seeds)
        yield from tag_model.all_fitted(others)


def agreement(first: NDArray, second: NDArray) -> tuple[float, float, float]:
    """Return how alike two sets of importances are."""
    # `first`, `second` (n_tags,).
    from scipy.stats import spearmanr

    top = [set(np.argsort(-np.abs(weights))[:5].tolist()) for weights in (first, second)]
    flips = float(np.mean(np.sign(first) != np.sign(second)))
    # An item that never changes its rank has no importances to correlate.
    constant = np.ptp(first) == 0 or np.ptp(second) == 0
    rho = np.nan if constant else float(spearmanr(first, second).statistic)
    return rho, len(top[0] & top[1]) / len(top[0] | top[1]), flips
