"""A fitted explainer as a folder of two files: arrays, and JSON with the checksums of both.

What is read may come from anybody. It is put together by the constructors and checks that any
explainer is made by, and nothing of it is executed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from sktpecr._catalogue import Catalogue
from sktpecr._composite import CompositeFunction
from sktpecr._ids import Ids, plain
from sktpecr._item_tags import is_frame
from sktpecr._over_recommender import check_dot_product, n_items_of
from sktpecr._population import Population
from sktpecr._tag_preference_extractor import TagPreferenceExtractor
from sktpecr._utils._atomic_file import atomic_file
from sktpecr.explanation._saved_parts import check_array, from_plain, to_plain
from sktpecr.recommenders import FactorRecommender, MatrixFactorization, as_recommender

_FORMAT, _VERSION, _DOCUMENT = "sktpecr.TPECRExplainer", 2, "explainer.json"
# Each save has arrays of a name of its own: neither an older save nor one at the same time is
# touched. Beginning with a dot, files that are not written to the end.
_ARRAYS = re.compile(r"[0-9a-f]{16}\.npz")
_OURS = re.compile(
    rf"{_ARRAYS.pattern}|\.({_ARRAYS.pattern}|{re.escape(_DOCUMENT)})\.[0-9a-f]{{16}}"
)
# Files of a save that was killed are left alone for so many seconds: it may be still at work.
_STILL_AT_WORK = 3600.0
# A recommender is known by its scores of so many users and items. Another machine rounds its own
# way, so that they need not be the same to the last bit, but to this share of the largest.
_PROBED_USERS, _PROBED_ITEMS, _ROUNDING = 12, 1000, 1e-5
_LABELS = ("user_ids", "item_ids", "item_names", "tag_names", "feature_names_in_")
_PARAMS = ("generator", "attribution", "aggregate", "random_state")
_LEARNED = ("user_embeddings", "learners", "mean", "std")


def save_explainer(explainer: Any, folder: str | os.PathLike[str]) -> Path:
    """Write an explainer, so that the folder has all of it or what it had before."""
    arrays: dict[str, NDArray] = {}
    values = {name: to_plain(value, name, arrays) for name, value in _values(explainer).items()}
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"folder must be a folder, and {folder} is a file")
    document = folder / _DOCUMENT
    if folder.exists() and not document.exists():
        strange = sorted(path.name for path in folder.iterdir() if not _OURS.fullmatch(path.name))
        if strange:
            raise ValueError(
                f"folder must be new, empty or saved to before, and {folder} has other files, "
                f"such as {strange[0]!r}; name another one"
            )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{secrets.token_hex(8)}.npz"
    try:
        with atomic_file(path) as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # mypy takes them for its flag
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        written = {"format": _FORMAT, "version": _VERSION, "arrays": path.name, "digest": digest}
        written["explainer"] = values
        text = json.dumps({**written, "sha256": _digest(written)})
        with atomic_file(document) as file:  # the one step that counts
            file.write(text.encode())
            former = _arrays_of(document)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    _sync(folder)
    old = time.time() - _STILL_AT_WORK
    for other in folder.iterdir():
        if _OURS.fullmatch(other.name) and other != path:
            with suppress(FileNotFoundError):
                if other.name == former or other.stat().st_mtime < old:
                    other.unlink()
    return folder


def load_explainer(cls: Any, folder: str | os.PathLike[str], recommender: Any) -> Any:
    """Return the explainer that was saved, over the recommender that is given or kept."""
    folder = Path(folder)
    try:
        return _rebuilt(cls, _read(folder), recommender)
    # Whatever a made-up folder stumbles over.
    except Exception as error:
        said = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        raise ValueError(f"{folder} cannot be loaded: {said:.600}") from error


def _values(explainer: Any) -> dict[str, Any]:
    """Return all that it takes to make the explainer again."""
    population, params = explainer._fitted_population(), explainer.get_params(deep=False)
    if callable(params["aggregate"]):
        raise ValueError(
            'aggregate is a function, which is code and cannot be saved; use "mean" or "shrunk", '
            "or keep the explainer with joblib, for yourself"
        )
    if isinstance(params["random_state"], np.random.RandomState):
        raise ValueError("random_state must be a whole number or None to be saved")
    form = "matrix" if params["item_tags"] is not None else None
    if is_frame(explainer._given_item_tags()):
        form = "frame"
    recommender, catalogue = population.recommender, population.catalogue
    kept = recommender._read() if type(recommender) is MatrixFactorization else recommender
    labels = (
        catalogue.users.labels,
        catalogue.items.labels,
        catalogue.item_names,
        population.extractor.tag_names_,
        getattr(explainer, "feature_names_in_", None),
    )
    return {
        **{name: clone(params[name], safe=False) for name in _PARAMS},
        "form": form,
        "with tag_names": params["tag_names"] is not None,
        "recommender class": type(recommender).__name__,
        "recommender users": len(recommender.user_embeddings),
        "recommender": kept if type(kept) is FactorRecommender else None,
        **{name: _checked(each, name) for name, each in zip(_LABELS, labels, strict=True)},
        "item_tags": population.extractor._item_tags,
        "interactions": catalogue.interactions,
        **{name: getattr(population, name) for name in _LEARNED},
        "generator_": population.generator,
        "attribution_": population.attribution,
        **_answers(population),
    }


def _checked(labels: NDArray | None, name: str) -> NDArray | None:
    """Return labels, all of them text or whole numbers."""
    if labels is not None and labels.dtype.kind not in "iuU":
        for label in map(plain, labels.tolist()):
            if type(label) not in (int, str):
                raise ValueError(
                    f"{name} must be text or whole numbers to be saved, got {label!r:.80} of type "
                    f"{type(label).__name__}; fit with str of them, or use joblib"
                )
    return labels


def _answers(population: Population) -> dict[str, NDArray]:
    """Return what recommender and generator make of a few users, to know them again by."""
    learners = np.flatnonzero(population.learners)
    embeddings = population.user_embeddings[learners[_spaced(len(learners), _PROBED_USERS)]]
    columns = _spaced(len(population.catalogue.items), _PROBED_ITEMS)
    wanted = population.extractor.tag_preferences(embeddings[::-1])
    return {
        "recommender scores": population.recommender.score_items(embeddings, columns),
        "generator answers": population.generator.generate(wanted, embeddings),
    }


def _spaced(n: int, at_most: int) -> NDArray:
    return np.linspace(0, n - 1, min(n, at_most)).astype(np.intp)


def _read(folder: Path) -> dict[str, Any]:
    """Return the values that were saved, or say which file is not what was written."""
    path = folder / _DOCUMENT
    if not path.is_file():
        raise ValueError(f"it has no {_DOCUMENT}: nothing was saved there, or not to the end")
    text = path.read_bytes()
    try:
        return _parsed(folder, text)
    except Exception:
        if path.read_bytes() == text:
            raise
    return _read(folder)  # it was saved anew while it was read


def _parsed(folder: Path, text: bytes) -> dict[str, Any]:
    try:
        written = json.loads(text)
    # Brackets in brackets can be nested deeper than Python goes.
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{_DOCUMENT} is no JSON: {error}") from None
    if not isinstance(written, dict) or written.get("format") != _FORMAT:
        raise ValueError(f'{_DOCUMENT} must have "format": "{_FORMAT}"')
    if written.get("version") != _VERSION:
        raise ValueError(
            f"{_DOCUMENT} is of version {written.get('version')!r:.20}, and this sktpecr reads "
            f"version {_VERSION}; load it with the sktpecr that saved it, and save it again with a "
            f"newer one"
        )
    if written.pop("sha256", None) != _digest(written):
        raise ValueError(f"{_DOCUMENT} was changed after it was written: its checksum is another")
    name = written["arrays"]
    if not _ARRAYS.fullmatch(name):
        raise ValueError(f"{_DOCUMENT} names {name!r:.80}, which is no file of a saved explainer")
    if not (folder / name).is_file():  # a pipe would never end
        raise ValueError(f"{name} is missing or no plain file")
    with (folder / name).open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != written["digest"]:
            raise ValueError(f"{name} was changed after it was written: its checksum is another")
        file.seek(0)
        arrays = _arrays(file)
    return {key: from_plain(each, arrays) for key, each in written["explainer"].items()}


def _arrays(file: Any) -> dict[str, NDArray]:
    arrays = {}
    with np.load(file, allow_pickle=False) as read:
        # Of compressed ones, a few bytes can ask for all of the memory.
        if any(each.compress_type for each in read.zip.infolist()):
            raise ValueError("its arrays must not be compressed")
        for name, array in read.items():
            check_array(array, name)
            # In the order of bytes of this machine: compiled code asks for no other.
            arrays[name] = array.astype(array.dtype.newbyteorder("="), order="K", copy=False)
    return arrays


def _rebuilt(cls: Any, values: dict[str, Any], given: Any) -> Any:
    """Put the explainer together again, through the checks that it was made by."""
    recommender = _recommender(values, given)
    item_tags, interactions, form = (values[name] for name in ("item_tags", "interactions", "form"))
    users, items, item_names, tag_names, features = (values[name] for name in _LABELS)
    (n_items, n_tags), n_users = item_tags.shape, len(values["learners"])
    if n_items_of(recommender) not in (None, n_items):
        raise ValueError(
            f"recommender must score the {n_items} items that were explained, got one of "
            f"{n_items_of(recommender)}"
        )
    shapes: dict[str, tuple[int, ...]] = {"item_names": (n_items,), "tag_names": (n_tags,)}
    if interactions is not None:
        shapes["interactions"] = n_users, n_items
    if features is not None:
        shapes["feature_names_in_"] = (n_items,)
    for name, shape in shapes.items():
        _check(values, name, shape, "f" if name == "interactions" else "iuUO")
    catalogue = Catalogue((n_users, n_items), interactions, users, items, item_names)
    frame: Any = pd.DataFrame
    explainer = cls(
        recommender,
        # Fitting again begins with the tags in the form that they were given in.
        frame.sparse.from_spmatrix(item_tags, catalogue.item_ids.tolist(), list(tag_names))
        if form == "frame"
        else (None if form is None else item_tags),
        tag_names=list(tag_names) if values["with tag_names"] else None,
        **{name: values[name] for name in _PARAMS},
    )
    explainer._validate_params()
    explainer.n_features_in_ = n_items
    if features is not None:
        explainer.feature_names_in_ = features
    extractor = TagPreferenceExtractor(
        recommender,
        explainer.item_tags,
        tag_names=explainer.tag_names,
        aggregate=explainer.aggregate,
    )
    extractor._read(recommender, n_items, features)
    if (extractor._item_tags != item_tags).nnz or (extractor.tag_names_ != tag_names).any():
        raise ValueError("recommender must have the tags that were explained, got others")
    explainer._population = _population(values, extractor, catalogue)
    return explainer


def _recommender(values: dict[str, Any], given: Any) -> Any:
    """Return the recommender that is kept, or the one that was given in its place."""
    name, n_users = values["recommender class"], values["recommender users"]
    if given is None:
        if values["recommender"] is None:
            raise ValueError(
                f"it was saved over a recommender of the class {name!s:.80}, which is not kept; "
                f"pass the trained one as load(folder, recommender=...)"
            )
        return values["recommender"]
    recommender = as_recommender(given)
    check_dot_product(recommender)
    if len(recommender.user_embeddings) != n_users:
        raise ValueError(
            f"recommender must be the {name!s:.80} that was explained, of {n_users} users, got one "
            f"of {len(recommender.user_embeddings)}"
        )
    return recommender


def _population(
    values: dict[str, Any], extractor: TagPreferenceExtractor, catalogue: Catalogue
) -> Population:
    n_users, n_tags = len(catalogue.users), len(extractor.tag_names_)
    n_factors = extractor.recommender_.user_embeddings.shape[1]
    shapes = [(n_users, n_factors), (n_users,), (n_tags,), (n_tags,)]
    for name, shape in zip(_LEARNED, shapes, strict=True):
        _check(values, name, shape, "b" if name == "learners" else "f")
    generator, attribution = values["generator_"], values["attribution_"]
    attribution._composite = CompositeFunction(extractor.recommender_, generator)
    population = Population(
        extractor=extractor,
        catalogue=catalogue,
        tags=Ids("tag", extractor.tag_names_, n_tags, "tag_names"),
        generator=generator,
        attribution=attribution,
        composite=attribution._composite,
        **{name: values[name] for name in _LEARNED},
    )
    somebody = population.mean, population.user_embeddings[0]
    attributed = attribution.attribute(*somebody, np.arange(1)).importances
    if attributed.shape != (1, n_tags) or not np.isfinite(attributed).all():
        raise ValueError("the attribution does not go with the tags")
    for name, now in _answers(population).items():
        then = _check(values, name, now.shape, "f")
        off = np.abs(now.astype(np.float64) - then).max() / (np.abs(then).max() or 1.0)
        if not off <= _ROUNDING:
            raise ValueError(
                f"the {name} otherwise than when it was saved, by {off:.1g} of the largest number; "
                f"pass as recommender= the very model that was explained, or fit again"
            )
    return population


def _check(values: dict[str, Any], name: str, shape: tuple[int, ...], kinds: str) -> Any:
    """Return an array that has to have this shape and one of these kinds of dtype."""
    array = values[name]
    if array.shape != shape or array.dtype.kind not in kinds:
        raise ValueError(f"{name}: expected shape {shape}, got {array.shape} of {array.dtype}")
    return array


def _digest(written: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(written, sort_keys=True).encode()).hexdigest()


def _arrays_of(document: Path) -> str | None:
    """Return the name of the arrays that are about to be replaced, None if it cannot be read."""
    try:
        return json.loads(document.read_bytes())["arrays"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _sync(folder: Path) -> None:
    """Have the names written to the disk as well as what they stand for."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
