"""Fitted parts as JSON and arrays, and back, by a short list of known classes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from sktpecr._inputs._ids import plain
from sktpecr.attribution import ExactAttribution, LimeAttribution, ShapleyAttribution
from sktpecr.generators import (
    CVAEGenerator,
    GaussianGenerator,
    InversionGenerator,
    MLPGenerator,
)
from sktpecr.recommenders import FactorRecommender
from sktpecr.recommenders._fold_in import LearnedFoldIn, LinearFoldIn, RatingsFoldIn, RidgeFoldIn


class LostFoldIn:
    """Stand where a model's own way to embed new users was, which is code and not kept.

    Parameters
    ----------
    model : str
        What it was.
    """

    def __init__(self, model: str) -> None:
        self.model = model

    def __call__(self, X: Any) -> NDArray:
        raise ValueError(
            f"{X.shape[0]} rows of interactions cannot be embedded: the explainer was loaded "
            f"without the model, and how {str(self.model)[:80]} embeds them is code, which is not "
            f"kept; load it with recommender=, the trained model"
        )


# All that is ever made of what a file says. Their constructors store, and run nothing.
KNOWN: dict[str, type] = {
    each.__name__: each
    for each in (
        GaussianGenerator,
        CVAEGenerator,
        InversionGenerator,
        MLPGenerator,
        ExactAttribution,
        LimeAttribution,
        ShapleyAttribution,
        FactorRecommender,
        RidgeFoldIn,
        RatingsFoldIn,
        LinearFoldIn,
        LearnedFoldIn,
        LostFoldIn,
    )
}
# Of the attributes: what is another part of the explainer, put back by whoever reads.
_ELSEWHERE = ("_composite",)
_PRECISIONS = ("float16", "float32", "float64")


class StateWriter:
    """Write values as JSON, with arrays beside it.

    Attributes
    ----------
    arrays : dict of str to ndarray
        The arrays met so far, each once.
    """

    def __init__(self) -> None:
        self.arrays: dict[str, NDArray] = {}
        self._names: dict[int, str] = {}

    def write(self, value: Any, name: str) -> Any:
        """Return a value as JSON knows it.

        Parameters
        ----------
        value : object
            Numbers, text, arrays, lists of them, and parts of the known classes.
        name : str
            What it is, for messages and as the name of arrays.

        Returns
        -------
        object
            Numbers and text as they are, lists as lists, all else as {what: how}.

        Raises
        ------
        ValueError
            If a file cannot hold it.
        """
        value = plain(value)
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"float": repr(value)}
        if type(value) in (list, tuple):
            items = [self.write(each, f"{name}.{i}") for i, each in enumerate(value)]
            return items if type(value) is list else {"tuple": items}
        if type(value) is dict and all(type(key) is str for key in value):
            return {"dict": {key: self.write(each, f"{name}.{key}") for key, each in value.items()}}
        if type(value) is np.ndarray:
            return self._array(value, name)
        if getattr(value, "format", None) in ("csr", "csc"):
            parts = {part: getattr(value, part) for part in ("data", "indices", "indptr")}
            written = {part: self._array(each, f"{name}.{part}") for part, each in parts.items()}
            return {value.format: {**written, "shape": list(value.shape)}}
        if isinstance(value, np.dtype) and value.name in _PRECISIONS:
            return {"dtype": value.name}
        if KNOWN.get(type(value).__name__) is type(value):
            return self._part(value, name)
        raise ValueError(
            f"{name} is {_a(value)}, which a folder of numbers and text cannot hold; see the notes "
            f"of TPECRExplainer.save for what can be done"
        )

    def labels(self, labels: NDArray, name: str) -> Any:
        """Return ids or names as JSON knows them; they are text or whole numbers."""
        if labels.dtype.kind in "iuU":
            return self._array(labels, name)
        listed = [plain(label) for label in labels.tolist()]
        for label in listed:
            if type(label) not in (int, str):
                raise ValueError(
                    f"{name} must be text or whole numbers to be saved, got {label!r:.80} of type "
                    f"{type(label).__name__}; fit with str of them, or use joblib"
                )
        return listed

    def _array(self, array: NDArray, name: str) -> dict[str, str]:
        if array.dtype.kind not in "biufU" or (array.dtype.kind != "U" and array.itemsize > 8):
            raise ValueError(f"{name} must be numbers or text to be saved, got {array.dtype}")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"{name} has NaN or infinite values: no answer of it is right")
        # One array may be known to several parts.
        known = self._names.setdefault(id(array), name)
        self.arrays[known] = array
        return {"array": known}

    def _part(self, part: Any, name: str) -> dict[str, Any]:
        if isinstance(part, BaseEstimator):
            params = part.get_params(deep=False)
        elif isinstance(part, FactorRecommender):
            params = {
                "user_factors": part.user_embeddings,
                "item_factors": part.item_embeddings,
                "item_biases": part.item_biases,
                "fold_in": _kept_fold_in(part),
                "user_ids": _plain_ids(part.user_ids),
                "item_ids": _plain_ids(part.item_ids),
            }
        else:
            params = part._asdict() if hasattr(part, "_asdict") else vars(part)
        state = {}
        if isinstance(part, BaseEstimator):
            left_out = {*params, *_ELSEWHERE}
            state = {key: each for key, each in vars(part).items() if key not in left_out}
        return {
            "part": type(part).__name__,
            "params": {key: self.write(each, f"{name}.{key}") for key, each in params.items()},
            "state": {key: self.write(each, f"{name}.{key}") for key, each in state.items()},
        }


class StateReader:
    """Read what :class:`StateWriter` wrote, or anything else, of which nothing is run.

    Parameters
    ----------
    arrays : dict of str to ndarray
        By name.
    """

    def __init__(self, arrays: Mapping[str, NDArray]) -> None:
        self.arrays = arrays

    def read(self, written: Any) -> Any:
        """Return the value; raise ValueError, KeyError or TypeError where there is none."""
        if written is None or type(written) in (bool, int, float, str):
            return written
        if type(written) is list:
            return [self.read(each) for each in written]
        if "part" in written:
            return self._part(written["part"], written["params"], written["state"])
        ((kind, content),) = written.items()
        if kind == "array":
            return self.arrays[content]
        if kind in ("csr", "csc"):
            return self._sparse(kind, content)
        if kind == "dict":
            return {key: self.read(each) for key, each in content.items()}
        if kind == "tuple":
            return tuple(self.read(each) for each in content)
        if kind == "float" and content in ("nan", "inf", "-inf"):
            return float(content)
        if kind == "dtype" and content in _PRECISIONS:
            return np.dtype(content)
        raise ValueError(f"there is no {kind!r:.80}")

    def array(self, written: Any, shape: tuple[int, ...], kinds: str = "f") -> NDArray:
        """Return an array that has to have this shape and one of these kinds of dtype."""
        array = self.read(written)
        if array.shape != shape or array.dtype.kind not in kinds:
            raise ValueError(f"expected shape {shape}, got {array.shape} of {array.dtype}")
        return array

    def labels(self, written: Any) -> NDArray:
        """Return ids or names, as objects unless they came as an array."""
        if type(written) is not list:
            array = self.read(written)
            if array.ndim != 1 or array.dtype.kind not in "iuU":
                raise ValueError(f"expected ids, got shape {array.shape} of {array.dtype}")
            return array
        if not all(type(label) in (int, str) for label in written):
            raise ValueError("ids must be text or whole numbers")
        labels = np.empty(len(written), dtype=object)
        labels[:] = written
        return labels

    def _sparse(self, kind: str, content: Any) -> Any:
        data, indices, indptr = (self.read(content[part]) for part in ("data", "indices", "indptr"))
        make = sp.csr_matrix if kind == "csr" else sp.csc_matrix
        if data.dtype.kind != "f" or indices.dtype.kind != "i" or indptr.dtype.kind != "i":
            raise ValueError("a sparse matrix has numbers, and whole ones to say where they are")
        matrix = make((data, indices, indptr), shape=tuple(content["shape"]))
        # Column numbers beyond the last column would be read beyond the end of memory.
        matrix.check_format(full_check=True)
        if len(data) != indptr[-1] or not matrix.has_canonical_format:
            raise ValueError("a sparse matrix must have each place once, in order")
        return matrix

    def _part(self, name: str, params: Any, state: Any) -> Any:
        cls = KNOWN[name]
        read = {key: self.read(each) for key, each in params.items()}
        # A way to embed is called; that of a trained model has a name besides.
        fold_in = read.get("fold_in")
        if fold_in is not None:
            read["fold_in"] = fold_in = getattr(fold_in, "embed", fold_in)
            if not callable(fold_in):
                raise ValueError(f"{type(fold_in).__name__} embeds nothing")
        part: Any = cls(**read)
        for key, each in state.items():
            # What is fitted stands beside the class, never in front of what it does.
            if not key.isidentifier() or key.startswith("__") or hasattr(cls, key):
                raise ValueError(f"{name} learns no {key!r:.80}")
            setattr(part, key, self.read(each))
        if hasattr(part, "_parameter_constraints"):
            part._validate_params()
        return part


def _plain_ids(ids: NDArray | None) -> Any:
    return ids if ids is None or ids.dtype.kind in "iuU" else ids.tolist()


def _kept_fold_in(recommender: FactorRecommender) -> Any:
    """Return what a recommender embeds new users by, as far as it is kept."""
    fold_in = recommender._fold_in
    if fold_in is None:
        return None
    owner = getattr(fold_in, "__self__", fold_in)  # of a bound method
    if type(owner) in (RidgeFoldIn, RatingsFoldIn, LinearFoldIn, LearnedFoldIn, LostFoldIn):
        return owner
    return LostFoldIn(type(getattr(owner, "model", owner)).__name__)


def _a(value: Any) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"
