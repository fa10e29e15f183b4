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

from sktpecr._inputs._catalogue import Catalogue
from sktpecr._inputs._ids import Ids
from sktpecr._inputs._tables import is_frame
from sktpecr._utils._atomic_file import atomic_file
from sktpecr.attribution._composite import CompositeFunction
from sktpecr.explanation._saved_arrays import CHANGED, read_arrays, write_arrays
from sktpecr.explanation._saved_parts import from_plain, to_plain
from sktpecr.recommenders import FactorRecommender, MatrixFactorization, as_recommender
from sktpecr.recommenders._protocol import check_dot_product, n_items_of
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._tag_preference_extractor import TagPreferenceExtractor

_FORMAT, _VERSION, _DOCUMENT = "sktpecr.TPECRExplainer", 3, "explainer.json"
# Every save names its arrays anew: neither an older save nor one at the same time is touched.
_ARRAYS = re.compile(r"[0-9a-f]{16}\.npz")
_OURS = re.compile(
    rf"{_ARRAYS.pattern}|\.({_ARRAYS.pattern}|{re.escape(_DOCUMENT)})\.[0-9a-f]{{16}}"
)
# Files of a save that was killed are left alone for so many seconds: it may be still at work.
_STILL_AT_WORK = 3600.0
# A recommender is known by its scores of so many users and items. Another machine rounds its own
# way, so that they need not be the same to the last bit, but to this share of the largest.
_PROBED_USERS, _PROBED_ITEMS, _ROUNDING = 12, 1000, 1e-5
_PARAMS = ("generator", "attribution", "aggregate", "random_state")
_LABELS = ("user_ids", "item_ids", "item_names", "tag_names", "feature_names_in_")
_LEARNED = ("user_embeddings", "learners", "mean", "std", "folded")


def save_explainer(explainer: Any, folder: str | os.PathLike[str]) -> Path:
    """Write an explainer, so that the folder has all of it or what it had before."""
    arrays: dict[str, NDArray] = {}
    values = {name: to_plain(value, name, arrays) for name, value in _values(explainer).items()}
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"folder must be a folder, and {folder} is a file")
    folder.mkdir(parents=True, exist_ok=True)
    document, path = folder / _DOCUMENT, folder / f"{secrets.token_hex(8)}.npz"
    strange = sorted(each.name for each in folder.iterdir() if not _OURS.fullmatch(each.name))
    if strange and not document.exists():
        raise ValueError(
            f"folder must be new, empty or saved to before, and {folder} has other files, such as "
            f"{strange[0]!r}; name another one"
        )
    try:
        digest = write_arrays(path, arrays)
        written = {"format": _FORMAT, "version": _VERSION, "arrays": path.name, "digest": digest}
        written["explainer"] = values
        with atomic_file(document) as file:  # the one step that counts
            file.write(json.dumps({**written, "sha256": _digest(written)}).encode())
            former = _arrays_of(document)
    except BaseException:
        if _arrays_of(document) != path.name:
            path.unlink(missing_ok=True)
        raise
    old = time.time() - _STILL_AT_WORK
    for each in folder.iterdir():
        if _OURS.fullmatch(each.name) and each != path:
            with suppress(FileNotFoundError):
                if each.name == former or each.stat().st_mtime < old:
                    each.unlink()
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
    tag_model, params = explainer.tag_model_, explainer.get_params(deep=False)
    recommender, catalogue = tag_model.recommender, tag_model.catalogue
    kept = recommender._read() if type(recommender) is MatrixFactorization else recommender
    names = catalogue.item_names, tag_model.extractor.tag_names_
    features = getattr(explainer, "feature_names_in_", None)
    labels = catalogue.users.labels, catalogue.items.labels, *names, features
    return {
        **{name: clone(params[name], safe=False) for name in _PARAMS},
        "item_tags given": params["item_tags"] is not None,
        "item_tags as frame": is_frame(explainer._given_item_tags()),
        "tag_names given": params["tag_names"] is not None,
        "class of recommender": type(recommender).__name__,
        "users of recommender": len(recommender.user_embeddings),
        "alignment": explainer.alignment_,
        "recommender": kept if type(kept) is FactorRecommender else None,
        **dict(zip(_LABELS, labels, strict=True)),
        "item_tags": tag_model.item_tags.tocsc(),
        "interactions": catalogue.interactions,
        **{name: getattr(tag_model, name) for name in _LEARNED},
        "generator_": tag_model.generator,
        "attribution_": tag_model.attribution,
        **_answers(tag_model),
    }


def _answers(tag_model: TagModel) -> dict[str, NDArray]:
    """Return what recommender and generator make of a few users, to know them again by."""
    learners = np.flatnonzero(tag_model.learners)
    embeddings = tag_model.user_embeddings[learners[_spaced(len(learners), _PROBED_USERS)]]
    columns = _spaced(len(tag_model.catalogue.items), _PROBED_ITEMS)
    wanted = tag_model.extractor.tag_preferences(embeddings[::-1])
    return {
        "recommender scores": tag_model.recommender.score_items(embeddings, columns),
        "generator answers": tag_model.generator.generate(wanted, embeddings),
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
            f"version {_VERSION}; load it with the sktpecr that saved it, or save it again"
        )
    if written.pop("sha256", None) != _digest(written):
        raise ValueError(f"{_DOCUMENT} {CHANGED}")
    name = written["arrays"]
    if not _ARRAYS.fullmatch(name):
        raise ValueError(f"{_DOCUMENT} names {name!r:.80}, which is no file of a saved explainer")
    if not (folder / name).is_file():  # a pipe would never end
        raise ValueError(f"{name} is missing or no plain file")
    arrays = read_arrays(folder / name, written["digest"])
    return {each: from_plain(value, arrays) for each, value in written["explainer"].items()}


def _rebuilt(cls: Any, values: dict[str, Any], given: Any) -> Any:
    """Put the explainer together again, through the checks that it was made by."""
    recommender = _recommender(values, given)
    item_tags, interactions = values["item_tags"], values["interactions"]
    (n_items, n_tags), n_users = item_tags.shape, len(values["learners"])
    n_factors = recommender.user_embeddings.shape[1]
    _check(values["learners"], (n_users,), "b")
    _check(values["user_embeddings"], (n_users, n_factors))
    _check(values["mean"], (n_tags,))
    _check(values["std"], (n_tags,))
    _check(values["folded"], (n_users,), "b")
    if interactions is not None:
        _check(interactions, (n_users, n_items))
    users, items, item_names, tag_names, features = (values[name] for name in _LABELS)
    catalogue = Catalogue((n_users, n_items), None, users, items, item_names)
    catalogue.interactions = interactions  # nobody else has them, so that no copy is needed
    as_given = item_tags if values["item_tags given"] else None
    if values["item_tags as frame"]:  # fitting again begins with it, and its names
        frame: Any = pd.DataFrame
        ids = catalogue.item_ids.tolist()
        as_given = frame.sparse.from_spmatrix(item_tags, ids, list(tag_names))
    params = {name: values[name] for name in _PARAMS}
    params["tag_names"] = list(tag_names) if values["tag_names given"] else None
    explainer = cls(recommender, as_given, **params)
    explainer._validate_params()
    explainer.n_features_in_ = n_items
    explainer.alignment_ = float(values["alignment"])
    explainer._columns = None if items is None else catalogue.item_ids.tolist()
    if features is not None:
        explainer.feature_names_in_ = features
    extractor = TagPreferenceExtractor(
        recommender, as_given, tag_names=params["tag_names"], aggregate=params["aggregate"]
    )
    extractor._read(recommender, n_items, features)
    generator, attribution = values["generator_"], values["attribution_"]
    attribution._composite = CompositeFunction(recommender, generator)
    tag_model = explainer._tag_model = TagModel(
        extractor=extractor,
        catalogue=catalogue,
        tags=Ids("tag", tag_names, n_tags, "tag_names"),
        generator=generator,
        attribution=attribution,
        composite=attribution._composite,
        **{name: values[name] for name in _LEARNED},
    )
    if (tag_model.item_tags != item_tags).nnz or (extractor.tag_names_ != tag_names).any():
        raise ValueError("recommender must have the tags that were explained, got others")
    _check_answers(values, tag_model)
    return explainer


def _recommender(values: dict[str, Any], given: Any) -> Any:
    """Return the recommender that is kept, or the one that was given in its place."""
    name, kept = values["class of recommender"], values["recommender"]
    if given is None:
        if kept is None:
            raise ValueError(
                f"it was saved over a recommender of the class {name}, which is not kept; pass the "
                f"trained one as load(folder, recommender=...)"
            )
        return kept
    recommender = as_recommender(given)
    check_dot_product(recommender)
    found = len(recommender.user_embeddings), n_items_of(recommender)
    expected = values["users of recommender"], len(values["item_names"])
    if found[0] != expected[0] or found[1] not in (None, expected[1]):
        raise ValueError(
            f"recommender must be the {name} that was explained, of {expected[0]} users and "
            f"{expected[1]} items, got one of {found[0]} users and {found[1]} items"
        )
    return recommender


def _check_answers(values: dict[str, Any], tag_model: TagModel) -> None:
    """Make sure that recommender, generator and attribution answer as they did."""
    somebody = tag_model.mean, tag_model.user_embeddings[0]
    attributed = tag_model.attribution.attribute(*somebody, np.arange(1)).importances
    if attributed.shape != (1, len(tag_model.tags)) or not np.isfinite(attributed).all():
        raise ValueError("the attribution does not go with the tags")
    for name, now in _answers(tag_model).items():
        then = values[name]
        _check(then, now.shape)
        off = np.abs(now.astype(np.float64) - then).max() / (np.abs(then).max() or 1.0)
        if not off <= _ROUNDING:
            raise ValueError(
                f"the {name} differently than when it was saved, by {off:.1g} of the largest "
                f"number; pass the model that was explained as recommender=, or fit again"
            )


def _check(array: Any, shape: tuple[int, ...], kind: str = "f") -> None:
    if array.shape != shape or array.dtype.kind != kind:
        raise ValueError(f"expected numbers of shape {shape}, got {array.shape} of {array.dtype}")


def _digest(written: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(written, sort_keys=True).encode()).hexdigest()


def _arrays_of(document: Path) -> Any:
    """Return the name of the arrays of a save, None if it cannot be read."""
    with suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        return json.loads(document.read_bytes())["arrays"]
