"""Fitted explainers kept in a folder that runs nothing when it is loaded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sktpecr._inputs._catalogue import Catalogue
from sktpecr._inputs._ids import Ids
from sktpecr._inputs._tables import is_frame
from sktpecr.attribution._composite import CompositeFunction
from sktpecr.explanation._saved_folder import read_folder, write_folder
from sktpecr.explanation._saved_parts import StateReader, StateWriter
from sktpecr.recommenders import FactorRecommender, MatrixFactorization, as_recommender
from sktpecr.recommenders._protocol import check_dot_product, n_items_of
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._tag_preference_extractor import TagPreferenceExtractor

if TYPE_CHECKING:
    from collections.abc import Callable

_FORMAT, _VERSION = "sktpecr.TPECRExplainer", 1
# A recommender is known by its scores of so many users and items. Another machine rounds its own
# way, so that they need not be the same to the last bit, but to this share of the largest.
_PROBED_USERS, _PROBED_ITEMS, _ROUNDING = 12, 1000, 1e-5
_IDS = ("user_ids", "item_ids")
_LEARNED = ("user_embeddings", "mean", "std")


class Persistence:
    """Saving and loading without pickle, for an explainer that has learned a population."""

    get_params: Callable[..., dict[str, Any]]

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Save the fitted explainer, to be loaded without running anything.

        Parameters
        ----------
        folder : path
            New, empty, or saved to before, and then replaced in one step.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        ValueError
            If something cannot be kept as numbers and text, or the folder has other files.

        Notes
        -----
        The folder has arrays (``.npy``) and JSON, and a manifest with the SHA-256 of each file,
        written last: a save that is killed, or runs out of disk, leaves what was there before.

        Kept are :class:`~sktpecr.recommenders.FactorRecommender` and
        :class:`~sktpecr.recommenders.MatrixFactorization`, and the factors of whatever was adapted
        to one, such as models of `implicit`; any other recommender has to be given to
        :meth:`load`. Kept are the generators and attributions of this package, ids that are text
        or whole numbers, and a `random_state` that is a whole number or None. Functions, such as
        an `aggregate` of one's own, are code and are not kept: there pickle and joblib remain,
        for files that you made yourself.

        Examples
        --------
        See :meth:`load`.
        """
        tag_model = self.tag_model_
        writer = StateWriter()
        document = {"explainer": _explainer(self, writer), **_learned(tag_model, writer)}
        folder = Path(folder)
        write_folder(folder, _FORMAT, _VERSION, document, writer.arrays)
        return folder

    @classmethod
    def load(cls, folder: str | os.PathLike[str], recommender: Any = None) -> Self:
        """Load an explainer that was saved.

        Parameters
        ----------
        folder : path
            From :meth:`save`.
        recommender : object, optional
            The trained model, where the folder does not hold it, or holds its factors only and
            new users are to be embedded by the model's own way. Its scores are compared.

        Returns
        -------
        TPECRExplainer
            Fitted. Gives the same explanations, lists and refinements as the one that was saved.

        Raises
        ------
        ValueError
            If a file is missing, cut or changed, the version is another, the recommender is not
            given or is not the one that was explained. The message names the file.

        Notes
        -----
        Nothing in the folder is executed, whoever made it: checksums tell accidents, and what is
        read are numbers, text and names of classes of this package. A folder that somebody made
        on purpose can still lie about numbers.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> from sklearn.decomposition import TruncatedSVD
        >>> from sktpecr import TPECRExplainer
        >>> from sktpecr.datasets import make_tagged_interactions
        >>> data = make_tagged_interactions(random_state=0)
        >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
        >>> explainer = explainer.fit(data.interactions, user_ids=data.user_ids)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     saved = explainer.save(Path(folder) / "explainer")
        ...     loaded = TPECRExplainer.load(saved)
        >>> one, other = (each.explain("user_003", "item_005") for each in (explainer, loaded))
        >>> bool((one.importances == other.importances).all())
        True
        """
        folder = Path(folder)
        document, arrays = read_folder(folder, _FORMAT, _VERSION)
        try:
            model = _recommender(document["recommender"], recommender, StateReader(arrays))
            explainer = _rebuilt(cls, document, StateReader(arrays), model)
            _check_probe(document["probe"], StateReader(arrays), explainer._tag_model)
        except _NotTheSame as error:
            raise ValueError(f"{folder}: {error}") from None
        # Whatever a made-up document stumbles over: it is no explainer.
        except Exception as error:
            raise ValueError(
                f"{folder} is no saved explainer: {type(error).__name__}: {error!s:.500}"
            ) from error
        return explainer

    def _fitted_tag_model(self) -> TagModel:
        raise NotImplementedError


class _NotTheSame(ValueError):
    """The folder is sound, and what was given beside it does not fit."""


def _explainer(explainer: Any, writer: StateWriter) -> dict[str, Any]:
    params = explainer.get_params(deep=False)
    if callable(params["aggregate"]):
        raise ValueError(
            'aggregate is a function, which is code and cannot be saved; use "mean" or "shrunk", '
            "or keep the explainer with joblib, for yourself"
        )
    if isinstance(params["random_state"], np.random.RandomState):
        raise ValueError("random_state must be a whole number or None to be saved")
    names = getattr(explainer, "feature_names_in_", None)
    return {
        "aggregate": params["aggregate"],
        "random_state": writer.write(params["random_state"], "random_state"),
        "tag_names": params["tag_names"] is not None,
        "item_tags": None
        if params["item_tags"] is None
        else ("frame" if is_frame(explainer._given_item_tags()) else "matrix"),
        "generator": _unfitted(params["generator"], "generator", writer),
        "attribution": _unfitted(params["attribution"], "attribution", writer),
        "feature_names_in_": None if names is None else writer.labels(names, "feature_names_in_"),
    }


def _unfitted(part: Any, name: str, writer: StateWriter) -> Any:
    written = writer.write(part, name)
    return None if written is None else {**written, "state": {}}


def _learned(tag_model: TagModel, writer: StateWriter) -> dict[str, Any]:
    catalogue, extractor = tag_model.catalogue, tag_model.extractor
    recommender = tag_model.recommender
    kept = recommender._read() if type(recommender) is MatrixFactorization else recommender
    kept = kept if type(kept) is FactorRecommender else None
    ids = {
        name: None if each.labels is None else writer.labels(each.labels, name)
        for name, each in zip(_IDS, (catalogue.users, catalogue.items), strict=True)
    }
    probe = _probe(tag_model)
    return {
        "recommender": {
            "type": type(recommender).__name__,
            "n_users": len(recommender.user_embeddings),
            "kept": writer.write(kept, "recommender"),
        },
        "item_tags": writer.write(extractor._item_tags, "item_tags"),
        "tag_names": writer.labels(extractor.tag_names_, "tag_names"),
        "catalogue": {
            **ids,
            "item_names": writer.labels(catalogue.item_names, "item_names"),
            "interactions": writer.write(catalogue.interactions, "interactions"),
        },
        "learners": writer.write(tag_model.learners, "learners"),
        **{name: writer.write(getattr(tag_model, name), name) for name in _LEARNED},
        "generator": writer.write(tag_model.generator, "generator_"),
        "attribution": writer.write(tag_model.attribution, "attribution_"),
        "probe": {name: writer.write(each, f"probe.{name}") for name, each in probe.items()},
    }


def _probe(tag_model: TagModel) -> dict[str, NDArray]:
    """Return what recommender and generator make of a few users, to know them again by."""
    learners = np.flatnonzero(tag_model.learners)
    rows = learners[_spaced(len(learners), _PROBED_USERS)]
    columns = _spaced(len(tag_model.catalogue.items), _PROBED_ITEMS)
    return {"rows": rows, "columns": columns, **_answers(tag_model, rows, columns)}


def _answers(tag_model: TagModel, rows: NDArray, columns: NDArray) -> dict[str, NDArray]:
    embeddings = tag_model.user_embeddings[rows]
    wanted = tag_model.extractor.tag_preferences(embeddings[::-1])
    return {
        "scores": tag_model.recommender.score_items(embeddings, columns),
        "generated": tag_model.generator.generate(wanted, embeddings),
    }


def _spaced(n: int, at_most: int) -> NDArray:
    return np.linspace(0, n - 1, min(n, at_most)).astype(np.intp)


def _recommender(written: Any, given: Any, reader: StateReader) -> Any:
    """Return the recommender that is kept, or the one that was given in its place."""
    name = f"{written['type']!s:.80}"
    if given is None:
        if written["kept"] is None:
            raise _NotTheSame(
                f"it was saved over a recommender of the class {name}, which is not kept; pass the "
                f"trained one as load(folder, recommender=...)"
            )
        return reader.read(written["kept"])
    recommender = as_recommender(given)
    check_dot_product(recommender)
    if len(recommender.user_embeddings) != written["n_users"]:
        raise _NotTheSame(
            f"recommender must be the {name} that was explained, of {written['n_users']} users, "
            f"got one of {len(recommender.user_embeddings)}"
        )
    return recommender


def _rebuilt(cls: Any, document: Any, reader: StateReader, recommender: Any) -> Any:
    """Put the explainer together again, through the checks that it was made by."""
    said, named = document["explainer"], document["catalogue"]
    tag_names, names = reader.labels(document["tag_names"]), reader.labels(named["item_names"])
    learners = reader.read(document["learners"])
    n_users, n_items, n_tags = len(learners), len(names), len(tag_names)
    item_tags, interactions = reader.read(document["item_tags"]), reader.read(named["interactions"])
    for matrix, shape in ((item_tags, (n_items, n_tags)), (interactions, (n_users, n_items))):
        if matrix is not None and matrix.shape != shape:
            raise ValueError(f"expected shape {shape}, got {matrix.shape}")
    if n_items_of(recommender) not in (None, n_items):
        raise _NotTheSame(
            f"recommender must score the {n_items} items that were explained, got one of "
            f"{n_items_of(recommender)}"
        )
    users, items = (None if named[kind] is None else reader.labels(named[kind]) for kind in _IDS)
    catalogue = Catalogue((n_users, n_items), interactions, users, items, names)
    explainer = cls(
        recommender,
        _as_given(said["item_tags"], item_tags, catalogue, tag_names),
        generator=reader.read(said["generator"]),
        attribution=reader.read(said["attribution"]),
        tag_names=list(tag_names) if said["tag_names"] else None,
        aggregate=said["aggregate"],
        random_state=said["random_state"],
    )
    explainer._validate_params()
    explainer.n_features_in_ = n_items
    features = said["feature_names_in_"]
    if features is not None:
        explainer.feature_names_in_ = reader.labels(features)
    explainer._tag_model = _tag_model(
        document, reader, _extractor(explainer, recommender, item_tags, tag_names), catalogue
    )
    return explainer


def _as_given(form: Any, item_tags: Any, catalogue: Catalogue, tag_names: NDArray) -> Any:
    """Return the item tags in the form that they were given in; fitting again begins with them."""
    if form == "frame":
        frame: Any = pd.DataFrame
        labels = {"index": catalogue.item_ids.tolist(), "columns": list(tag_names)}
        return frame.sparse.from_spmatrix(item_tags, **labels)
    return None if form is None else item_tags


def _extractor(explainer: Any, recommender: Any, item_tags: Any, tag_names: NDArray) -> Any:
    params = explainer.get_params(deep=False)
    names = ("recommender", "item_tags", "tag_names", "aggregate")
    extractor = TagPreferenceExtractor(**{name: params[name] for name in names})
    extractor._read(recommender, item_tags.shape[0], getattr(explainer, "feature_names_in_", None))
    if (extractor._item_tags != item_tags).nnz or (extractor.tag_names_ != tag_names).any():
        raise _NotTheSame("recommender must have the tags that were explained, got others")
    return extractor


def _tag_model(
    document: Any, reader: StateReader, extractor: Any, catalogue: Catalogue
) -> TagModel:
    n_users, n_tags = len(catalogue.users), len(extractor.tag_names_)
    n_factors = extractor.recommender_.user_embeddings.shape[1]
    shapes = [(n_users, n_factors), (n_tags,), (n_tags,)]
    learned = {
        name: reader.array(document[name], shape)
        for name, shape in zip(_LEARNED, shapes, strict=True)
    }
    generator = reader.read(document["generator"])
    attribution = reader.read(document["attribution"])
    attribution._composite = CompositeFunction(extractor.recommender_, generator)
    tag_model = TagModel(
        extractor=extractor,
        catalogue=catalogue,
        tags=Ids("tag", extractor.tag_names_, n_tags, "tag_names"),
        learners=reader.array(document["learners"], (n_users,), "b"),
        generator=generator,
        attribution=attribution,
        composite=attribution._composite,
        **learned,
    )
    somebody = tag_model.mean, learned["user_embeddings"][0]
    attributed = attribution.attribute(*somebody, np.arange(1))
    if attributed.importances.shape != (1, n_tags) or not np.isfinite(attributed.importances).all():
        raise ValueError("the attribution does not go with the tags")
    return tag_model


def _check_probe(written: Any, reader: StateReader, tag_model: TagModel) -> None:
    """Make sure that recommender and generator answer as they did."""
    shape = (len(tag_model.catalogue.users), len(tag_model.catalogue.items))
    rows, columns = (reader.read(written[name]) for name in ("rows", "columns"))
    for places, n in zip((rows, columns), shape, strict=True):
        if places.dtype.kind != "i" or not places.size or places.min() < 0 or places.max() >= n:
            raise ValueError("the probe asks for what is not there")
    for name, now in _answers(tag_model, rows, columns).items():
        then = reader.array(written[name], now.shape)
        off = np.abs(now.astype(np.float64) - then).max() / (np.abs(then).max() or 1.0)
        if not off <= _ROUNDING:
            what = "the recommender scores" if name == "scores" else "the generator answers"
            raise _NotTheSame(
                f"{what} otherwise than when it was saved, by {off:.1g} of the largest number; "
                f"pass as recommender= the very model that was explained, or fit again"
            )
