"""MovieLens latest-small of October 2016, which comes with the package."""

from __future__ import annotations

import hashlib
import io
from importlib.resources import files

import numpy as np
import pandas as pd
import scipy.sparse as sp

from sktpecr.datasets._tagged_interactions import TaggedInteractions
from sktpecr.datasets._titles import spoken_title

_FOLDER = "movielens-latest-small-2016"
# What tools/convert_movielens.py printed when it wrote the files.
_SHA256 = {
    "items.csv.gz": "b1d78b14bd168e21fa56d597f56bde9db1f6c39b60349139261e656951c78a2e",
    "ratings.npz": "5582704a707f750b18cc3081a6251a909e736b695251edb53e0a5635412c801f",
}


def load_movielens() -> TaggedInteractions:
    """Load the star ratings and genres of MovieLens latest-small, as released in October 2016.

    671 users gave 100,004 ratings of 0.5 to 5 stars to 9,066 films, which have 19 genres as their
    tags. Every user rated at least 20 films; 17 films have no genre. The data come with the
    package: nothing is downloaded. Every call returns new objects, free to be changed.

    Returns
    -------
    TaggedInteractions
        ``interactions`` of shape (671, 9066) holds stars; ``item_tags`` of shape (9066, 19) holds
        0 or 1. Users and films are known by MovieLens's own numbers, in ascending order. Names
        are such as "Heat (1995)" and "Lion King, The (1994)". Two names stand for two films each,
        and five films without a title are called such as "film 108583".

    Raises
    ------
    OSError
        If a file of the data is missing or damaged.

    Notes
    -----
    The data are **not** under the licence of the code. GroupLens allows their use for research;
    any commercial or revenue-bearing use needs its permission first. Publications have to
    acknowledge the data set [1]_, and it may be passed on, also transformed, under the same
    conditions only. Nobody at the University of Minnesota or GroupLens endorses this library. The
    full terms lie beside the data, in ``LICENSE.txt``; what was changed is told in ``README.md``.

    GroupLens calls latest-small a set for development, not for results to be compared.

    References
    ----------
    .. [1] F. M. Harper and J. A. Konstan, "The MovieLens Datasets: History and Context", ACM
       Transactions on Interactive Intelligent Systems 5(4), 2015.
       https://doi.org/10.1145/2827872

    Examples
    --------
    >>> from sktpecr.datasets import load_movielens
    >>> data = load_movielens()
    >>> data
    TaggedInteractions(671 users, 9066 items, 19 tags; 100004 interactions, density 1.64%)
    >>> heat = data.item_ids.tolist().index(6)
    >>> data.item_names[heat]
    'Heat (1995)'
    >>> data.item_tags.columns[data.item_tags.loc[6] == 1].tolist()
    ['Action', 'Crime', 'Thriller']
    """
    films = pd.read_csv(
        io.BytesIO(_read("items.csv.gz")), compression="gzip", dtype=str, keep_default_na=False
    )
    # Of a film without genres pandas 3 makes the genre "".
    has_tag = films["genres"].str.get_dummies("|").drop(columns="", errors="ignore")
    item_ids = films["item"].to_numpy(dtype=np.int64)
    names = films["title"] + films["year"].map(lambda year: f" ({year})" if year else "")
    names = names.where(films["title"] != "", "film " + films["item"])

    with np.load(io.BytesIO(_read("ratings.npz")), allow_pickle=False) as packed:
        ratings = dict(packed)
    # Steps wrap around where a user begins, and so does a sum in the same type.
    columns = np.cumsum(ratings["item_steps"], dtype=np.uint16).astype(np.int32)
    starts = np.append(0, np.cumsum(ratings["n_ratings"], dtype=np.int32)).astype(np.int32)
    stars = ratings["half_stars"].astype(np.float32) / 2
    return TaggedInteractions(
        interactions=sp.csr_matrix((stars, columns, starts), shape=(len(starts) - 1, len(films))),
        item_tags=has_tag.astype(np.int8).set_axis(item_ids.copy()),
        user_ids=ratings["user_ids"].astype(np.int64),
        item_ids=item_ids,
        item_names=np.array([spoken_title(name) for name in names], dtype=object),
    )


def _read(name: str) -> bytes:
    """Return the bytes of a shipped file, once they are known to be the right ones."""
    way_out = "install sktpecr again"
    try:
        content = files("sktpecr.datasets").joinpath("data", _FOLDER, name).read_bytes()
    except OSError as error:
        raise FileNotFoundError(
            f"the MovieLens data of sktpecr lack the file data/{_FOLDER}/{name} ({error}); "
            f"{way_out}"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != _SHA256[name]:
        raise OSError(
            f"the file data/{_FOLDER}/{name} of sktpecr is damaged: expected SHA-256 "
            f"{_SHA256[name][:12]}..., got {found[:12]}... ({len(content)} bytes); {way_out}"
        )
    return content
