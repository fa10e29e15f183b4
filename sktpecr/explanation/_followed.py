"""What becomes of a user whose tag preferences are set, and others follow."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from sktpecr.tags._tag_model import TagModel

# Where tag preferences are not linear: rounds of setting tags, and what is met, in sd.
_ROUNDS, _MET = 8, 1e-6


def edited_embeddings(tag_model: TagModel, embedding: NDArray, changes: NDArray) -> NDArray:
    """Return what becomes of a user whose tag preferences are edited."""
    # `embedding` (n_factors,); `changes` (n, n_tags); returns (n, n_factors).
    own = embedding.astype(np.float64)
    preferences = tag_model.tag_preferences_of(own)
    asked = preferences + np.vstack([np.zeros_like(preferences), changes * tag_model.std])
    generated = tag_model.generator.generate(asked, np.tile(own, (len(asked), 1)))
    return own + generated[1:] - generated[0]


def followed(
    tag_model: TagModel, embedding: NDArray, values: dict[int, float], hold: Collection[int] = ()
) -> tuple[NDArray, NDArray]:
    """Return the embedding with tags set, others as the population has them with these."""
    start = tag_model.tag_preferences_of(embedding)
    wanted = {**{tag: float(start[tag]) for tag in hold}, **values}
    unmoved = [tag for tag in values if not tag_model.std[tag]]
    if unmoved:
        raise ValueError(
            f"set cannot be met: the recommender gives all users the same preference for "
            f"{tag_model.tags[unmoved[0]]!r}, so it cannot change; leave it out"
        )
    asked = start
    for _ in range(_ROUNDS):
        own = tag_model.tag_preferences_of(embedding)
        left = tag_model.in_std(np.array(list(wanted.values())) - own[list(wanted)], list(wanted))
        if np.abs(left).max() < _MET:
            break
        changes = tag_model.followed(dict(zip(wanted, left, strict=True)))
        asked = own + tag_model.std * changes
        if not np.isfinite(asked).all():
            raise ValueError("set is too large for floating-point numbers; ask for less")
        embedding = edited_embeddings(tag_model, embedding, changes[np.newaxis])[0]
    return embedding, asked
