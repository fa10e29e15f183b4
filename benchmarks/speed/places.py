"""What speed is measured on: random factors of a given size, or a model trained on real data."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from benchmarks.common.made_up import made_up
from sktpecr import TPECRExplainer
from sktpecr.recommenders import FactorRecommender


class Sizes(NamedTuple):
    """How large random factors are."""

    users: int = 69_878
    items: int = 7_254
    tags: int = 19
    factors: int = 64


MOVIELENS_10M, QUICK = Sizes(), Sizes(300, 200, 8, 8)


class World:
    """A recommender, tags and interactions.

    Parameters
    ----------
    recommender : object
        With ``user_embeddings``, and ``item_embeddings`` where scores are dot products.
    tags : DataFrame of shape (n_items, n_tags)
        0 and 1.
    X : csr_matrix of shape (n_users, n_items)
        Interactions.
    name : str
        What it is, for names of rows.
    """

    def __init__(
        self, recommender: Any, tags: pd.DataFrame, X: sp.csr_matrix, name: str = "synthetic"
    ) -> None:
        self.recommender, self.tags, self.X, self.name = recommender, tags, X, name
        self.users = np.asarray(recommender.user_embeddings)

    @classmethod
    def random(cls, sizes: Sizes, *, interactions: int = 20) -> World:
        """Return random factors, tags of which an item has about two, and some interactions."""
        rng = np.random.RandomState(0)
        users = rng.standard_normal((sizes.users, sizes.factors)).astype(np.float32)
        items = rng.standard_normal((sizes.items, sizes.factors)).astype(np.float32)
        tags = rng.uniform(size=(sizes.items, sizes.tags)) < min(0.5, 2 / sizes.tags)
        tags[rng.permutation(sizes.items)[: sizes.tags], np.arange(sizes.tags)] = True
        names = [f"tag_{number}" for number in range(sizes.tags)]
        columns = rng.randint(sizes.items, size=(sizes.users, interactions))
        rows = np.repeat(np.arange(sizes.users), interactions)
        ones = np.ones(columns.size, dtype=np.float32)
        X = sp.csr_matrix((ones, (rows, columns.ravel())), (sizes.users, sizes.items))
        X.data[:] = 1
        frame = pd.DataFrame(tags.astype(np.int8), columns=names)
        return cls(FactorRecommender(users, items), frame, X)

    @classmethod
    def real(cls, data_name: str, data_dir: Path | None, model_name: str) -> World:
        """Return a model trained on real data."""
        from benchmarks.common.world import world

        here = world(data_name, data_dir, model_name)
        # By row numbers: what ids are called costs nothing that is measured.
        tags = pd.DataFrame(here.data.item_tags.to_numpy(), columns=here.data.item_tags.columns)
        return cls(here.model, tags, here.train, f"{data_name} {model_name}")

    @cached_property
    def items(self) -> NDArray:
        """Item embeddings."""
        return np.asarray(self.recommender.item_embeddings)

    def explainer(self, **settings: object) -> TPECRExplainer:
        """Return an explainer, fitted."""
        with made_up():
            return TPECRExplainer(self.recommender, self.tags, **settings).fit(self.X)


class Place(NamedTuple):
    """Where a goal is measured: `sizes` of random factors, or a data set and a model."""

    sizes: Sizes = MOVIELENS_10M
    data: str = "synthetic"
    model: str | None = None
    data_dir: Path | None = None

    @property
    def full(self) -> bool:
        """Whether numbers mean something."""
        return self.sizes != QUICK

    def world(self, *, interactions: int = 20, **sizes: int) -> World:
        """Return the world of this place; `sizes` change random factors where they are full."""
        if self.data != "synthetic":
            return World.real(self.data, self.data_dir, self.model or "mf")
        changed = self.sizes._replace(**sizes) if self.full else self.sizes
        return World.random(changed, interactions=interactions)
