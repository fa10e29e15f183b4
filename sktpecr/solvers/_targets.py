"""Where feedback is to lead: how far a list moves, and tags that are set."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sktpecr.tags._directions import Directions
from sktpecr.tags._tag_model import TagModel

# The standard deviation of the score changes at strength 1, in units of the user's own scores'.
MOVEMENT_AT_STRENGTH_ONE = 1 / 5
# A tag that was set is met when this share of the way, or of a standard deviation, is missing ...
_MET = 1e-4
# ... and given up after so many steps of Newton's method. Where all is linear one is enough.
_MAX_STEPS = 10


def movement_at_strength_one(tag_model: TagModel, directions: Directions, scores: NDArray) -> float:
    """Return how far feedback of strength 1 moves the list of a user with these scores."""
    # A user whom the recommender scores all alike moves as the population does.
    spread = scores.std() or directions.typical_movement(
        tag_model.user_embeddings[tag_model.learners]
    )
    if not spread:
        raise ValueError(
            "the recommender cannot move this user's list the way the feedback asks: it scores all "
            "items alike, for this user and for everybody"
        )
    return MOVEMENT_AT_STRENGTH_ONE * float(spread)


def put(
    tag_model: TagModel,
    values: dict[int, float],
    before: NDArray,
    embedding: NDArray,
    step: Callable[[NDArray, NDArray, NDArray], NDArray],
) -> NDArray:
    """Go on from an embedding until tags are where they were set."""
    # `before` (n_tags,); `embedding` (n_factors,); returns (n_factors,).
    tags, asked = list(values), np.array(list(values.values()))
    far = np.maximum(np.abs(asked - before[tags]), tag_model.std[tags])
    # Rounding is a share of the numbers themselves: an absolute one would call a tag met whose
    # scores are small.
    size = max(np.abs(before).max(), np.abs(asked).max())
    tolerance = _MET * far + 4 * np.finfo(float).eps * size
    for _ in range(_MAX_STEPS):
        reached = tag_model.tag_preferences_of(embedding)[tags]
        error = asked - reached
        if not np.isfinite(error).all():
            raise ValueError("set is too large for floating-point numbers; ask for less")
        if (np.abs(error) <= tolerance).all():
            return embedding
        embedding = step(embedding, reached, error)
    worst = int(np.argmax(np.abs(error) - tolerance))
    raise ValueError(
        f"set cannot be met: {tag_model.tags[tags[worst]]!r} was to be {asked[worst]:.3g} (in "
        f"units of the score) and gets no nearer than {reached[worst]:.3g}; the recommender ties "
        f"it to other tags that were set, or moves it for nobody. Set fewer tags"
    )
