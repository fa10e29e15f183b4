"""What tells one batch from another: whatever can change a row of its table."""

from __future__ import annotations

from typing import Any

import joblib
import numpy as np
import scipy.sparse as sp

from sktpecr._utils._blocks import blocks
from sktpecr.recommenders._protocol import is_dot_product, item_biases_of, optional
from sktpecr.tags._tag_model import TagModel


def fingerprints(tag_model: TagModel) -> dict[str, str]:
    """Return a fingerprint of each thing that an explainer was made of."""
    # One for each: who is refused reads which of them is another.
    catalogue, recommender = tag_model.catalogue, tag_model.recommender
    users = tag_model.user_embeddings
    # Scores of a few stand for a model whose numbers cannot be read.
    numbers = (
        [np.asarray(recommender.item_embeddings), item_biases_of(recommender)]
        if is_dot_product(recommender)
        else [_roughly(recommender.score_items(users[row, np.newaxis])) for row in (0, -1)]
    )
    some = users[:1].astype(np.float64)
    generated = tag_model.generator.generate(tag_model.mean[np.newaxis], some)
    made_of = {
        "model": [users, *numbers, optional(recommender, "fidelity")],
        "interactions": catalogue.interactions,
        "user ids": catalogue.user_ids,
        "item ids": [catalogue.item_ids, catalogue.item_names],
        "item tags": [tag_model.item_tags, tag_model.tags.array()],
        "explainer": [
            tag_model.method,
            tag_model.learners,
            *map(_roughly, (tag_model.extractor.tag_preferences(some), tag_model.mean)),
            *map(_roughly, (tag_model.std, generated)),
        ],
        "attribution": _fitted(tag_model.attribution),
    }
    return {name: hashed(value) for name, value in made_of.items()}


def hashed(value: Any) -> str:
    """Return a fingerprint that equal values share, wherever and however they are stored."""
    if sp.issparse(value):
        return hashed([value.shape, value.indptr, value.indices, value.data])
    if isinstance(value, np.ndarray):
        parts = blocks(value) if value.ndim else [value]  # which may lie in a file
        return joblib.hash(
            [value.shape, *(joblib.hash(np.ascontiguousarray(part)) for part in parts)],
            coerce_mmap=True,
        )
    if isinstance(value, list | tuple):
        return joblib.hash([hashed(each) for each in value])
    return joblib.hash(value)


def _fitted(attribution: Any) -> list[Any]:
    """Return parameters, seeds and what was learned; not the models that it reads."""
    plain = (bool, int, float, str, np.ndarray, np.generic, sp.spmatrix, sp.sparray)
    given = attribution.get_params()
    return [
        [name, value if name in given else _roughly(value)]
        for name, value in sorted(vars(attribution).items())
        if isinstance(value, plain)
    ]


# What is learned from the same again is the same but for rounding: another number of threads adds
# in another order. What is learned with another seed is not.
def _roughly(value: Any) -> Any:
    """Return what values share that differ by rounding; anything but real numbers as it is."""
    numbers = value.data if sp.issparse(value) else np.asarray(value)
    if numbers.dtype.kind != "f":
        return value
    flat = numbers.astype(np.float64).ravel()
    length = float(np.linalg.norm(flat))
    signs = np.random.RandomState(0).choice([-1.0, 1.0], size=len(flat))
    alike = round(float(flat @ signs) / length, 3) if length > 0 else 0.0
    shape = [value.shape, value.nnz] if sp.issparse(value) else numbers.shape
    return [shape, alike, f"{length:.3g}"]
