"""Fitted parts as JSON and arrays, and back, by a short list of known classes."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from sktpecr._inputs._ids import plain
from sktpecr.attribution import (
    AccountAttribution,
    ExactAttribution,
    LimeAttribution,
    ShapleyAttribution,
)
from sktpecr.generators import CVAEGenerator, GaussianGenerator, InversionGenerator, MLPGenerator
from sktpecr.recommenders import FactorRecommender
from sktpecr.recommenders._fold_in import (
    ConfidenceFoldIn,
    LearnedFoldIn,
    LinearFoldIn,
    RatingsFoldIn,
    RidgeFoldIn,
)


class LostFoldIn(NamedTuple):
    """Stand where a model's own way to embed new users was, which is code and not kept."""

    model: str

    def __call__(self, X: Any) -> NDArray:
        raise ValueError(
            f"{X.shape[0]} rows of interactions cannot be embedded: the explainer was loaded "
            f"without its model, a {str(self.model)[:80]}; load it with recommender=, the trained "
            f"model"
        )


# All that is ever made of what a file says. Their constructors store, and run nothing.
_GENERATORS = (CVAEGenerator, GaussianGenerator, InversionGenerator, MLPGenerator)
_ATTRIBUTIONS = (AccountAttribution, ExactAttribution, LimeAttribution, ShapleyAttribution)
_FOLD_INS = (
    RidgeFoldIn,
    ConfidenceFoldIn,
    RatingsFoldIn,
    LinearFoldIn,
    LearnedFoldIn,
    LostFoldIn,
)
_CLASSES = (*_GENERATORS, *_ATTRIBUTIONS, FactorRecommender, *_FOLD_INS)
_KNOWN: dict[str, Any] = {each.__name__: each for each in _CLASSES}
_STORED_AS = {
    "user_factors": "user_embeddings",
    "item_factors": "item_embeddings",
    "fold_in": "_fold_in",
}
_PRECISIONS = ("float16", "float32", "float64")


def to_plain(value: Any, name: str, arrays: dict[str, NDArray]) -> Any:
    """Return a value as JSON knows it, and put its arrays, each once, with those of others."""
    value = plain(value)
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) in (list, tuple):
        items = [to_plain(each, f"{name}.{i}", arrays) for i, each in enumerate(value)]
        return items if type(value) is list else {"tuple": items}
    if type(value) is dict and all(type(key) is str for key in value):
        return {"dict": _each_to_plain(value, name, arrays)}
    if type(value) is np.ndarray and value.dtype == object:
        return {"labels": to_plain(value.tolist(), name, arrays)}
    if type(value) is np.ndarray:
        check_array(value, name)
        known = next((other for other, each in arrays.items() if each is value), name)
        arrays[known] = value
        return {"array": known}
    if getattr(value, "format", None) in ("csr", "csc"):
        parts = {part: getattr(value, part) for part in ("data", "indices", "indptr")}
        parts["shape"] = list(value.shape)
        return {value.format: _each_to_plain(parts, name, arrays)}
    if isinstance(value, np.dtype) and value.name in _PRECISIONS:
        return {"dtype": value.name}
    if _KNOWN.get(type(value).__name__) is type(value):
        params, state = _params(value), {}
        if isinstance(value, BaseEstimator):
            # The composite function is put together of the other parts.
            left_out = {*params, "_composite"}
            state = {key: each for key, each in vars(value).items() if key not in left_out}
        return {
            "part": type(value).__name__,
            "params": _each_to_plain(params, name, arrays),
            "state": _each_to_plain(state, name, arrays),
        }
    kind = type(value).__name__
    raise ValueError(
        f"{name} is {'an' if kind[0] in 'AEIOUaeiou' else 'a'} {kind}, which a folder of numbers "
        f"and text cannot hold; see the notes of TPECRExplainer.save for what can be done"
    )


def from_plain(written: Any, arrays: Mapping[str, NDArray]) -> Any:
    """Return the value of what :func:`to_plain` wrote; nothing is run, whatever was written."""
    if type(written) is list:
        return [from_plain(each, arrays) for each in written]
    if type(written) is not dict:
        return written
    if "part" in written:
        return _part(_KNOWN[written["part"]], written["params"], written["state"], arrays)
    ((kind, content),) = written.items()
    if kind == "array":
        return arrays[content]
    if kind in ("csr", "csc"):
        return _sparse(kind, **_each_from_plain(content, arrays))
    if kind == "dict":
        return _each_from_plain(content, arrays)
    if kind == "tuple":
        return tuple(from_plain(each, arrays) for each in content)
    if kind == "labels":
        labels = (from_plain(each, arrays) for each in content)
        return np.fromiter(labels, dtype=object, count=len(content))
    if kind == "dtype" and content in _PRECISIONS:
        return np.dtype(content)
    raise ValueError(f"there is no {kind!r:.80}")


def check_array(array: NDArray, name: str) -> None:
    """Make sure that an array has finite numbers, text or truth values."""
    kind = array.dtype.kind
    if kind not in "biufU" or (kind != "U" and array.itemsize > 8):
        raise ValueError(f"{name} must be numbers or text to be saved, got {array.dtype}")
    if kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name} has NaN or infinite values")
    # A byte of 2 is neither true nor false, and what counts such bytes is led out of its memory.
    if kind == "b" and array.view(np.uint8).max(initial=0) > 1:
        raise ValueError(f"{name} has values that are neither true nor false")


def _each_to_plain(values: Mapping[str, Any], name: str, arrays: dict[str, NDArray]) -> Any:
    return {key: to_plain(each, f"{name}.{key}", arrays) for key, each in values.items()}


def _each_from_plain(written: Mapping[str, Any], arrays: Mapping[str, NDArray]) -> dict[str, Any]:
    return {key: from_plain(each, arrays) for key, each in written.items()}


def _params(part: Any) -> dict[str, Any]:
    """Return what a part has to be made with to be made again."""
    stored_as = _STORED_AS if type(part) is FactorRecommender else {}
    names = signature(type(part)).parameters
    params = {name: getattr(part, stored_as.get(name, name)) for name in names}
    fold_in = params.get("fold_in")
    if fold_in is not None:
        fold_in = getattr(fold_in, "__self__", fold_in)  # of a bound method
        lost = LostFoldIn(type(getattr(fold_in, "model", fold_in)).__name__)
        params["fold_in"] = fold_in if type(fold_in) in _FOLD_INS else lost
    return params


def _part(cls: Any, params: Any, state: Any, arrays: Mapping[str, NDArray]) -> Any:
    made = _each_from_plain(params, arrays)
    fold_in = made.get("fold_in")
    if fold_in is not None and type(fold_in) not in _FOLD_INS:
        raise ValueError(f"{type(fold_in).__name__} embeds nothing")
    part = cls(**made)
    for key, each in _each_from_plain(state, arrays).items():
        # What is fitted stands beside the class, never in front of what it does.
        if key.startswith("__") or hasattr(cls, key):
            raise ValueError(f"{cls.__name__} has no fitted attribute {key!r:.80}")
        setattr(part, key, each)
    if hasattr(part, "_parameter_constraints"):
        part._validate_params()
    return part


def _sparse(form: str, data: NDArray, indices: NDArray, indptr: NDArray, shape: Any) -> Any:
    if data.dtype.kind != "f" or indices.dtype.kind != "i" or indptr.dtype.kind != "i":
        raise ValueError("a sparse matrix must hold numbers and have whole-number indices")
    make = sp.csr_matrix if form == "csr" else sp.csc_matrix
    matrix = make((data, indices, indptr), shape=tuple(shape))
    # Column numbers beyond the last column would be read beyond the end of memory.
    matrix.check_format(full_check=True)
    if len(data) != indptr[-1] or not matrix.has_canonical_format:
        raise ValueError("a sparse matrix must have sorted indices without duplicates")
    return matrix
