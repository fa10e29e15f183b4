"""P1 and P2: tag preferences, of a dot product and of a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from benchmarks.common.made_up import made_up
from benchmarks.common.rows import Row, row
from benchmarks.speed.places import Place, Sizes, World
from benchmarks.speed.timing import added_megabytes, medians, same
from sktpecr import TagPreferenceExtractor
from sktpecr.recommenders import FactorRecommender, TorchRecommender

_OTHER_SIZES = {
    "Goodreads-Comics size": Sizes(58_318, 35_146, 6),
    "stress size": Sizes(1_000_000, 100_000, 1_000),
}


def dot_product(place: Place) -> list[Row]:
    """Everybody's, where scores are dot products."""
    world = place.world()
    name = f"speed P1 {world.name}"
    with made_up():
        extractor = TagPreferenceExtractor(world.recommender, world.tags).fit(world.X)
    weights = (world.tags / world.tags.sum()).to_numpy(np.float32)
    columns = [np.flatnonzero(world.tags[tag]) for tag in world.tags]
    n_users = len(world.users)
    n_naive = min(200, n_users)

    def ours() -> NDArray:
        return extractor.tag_preferences(world.users)

    def blocked() -> NDArray:
        found = np.empty((n_users, len(columns)), dtype=np.float32)
        for start in range(0, n_users, 1024):
            rows = slice(start, start + 1024)
            found[rows] = world.users[rows] @ world.items.T @ weights
        return found

    def naive() -> NDArray:
        found = np.empty((n_naive, len(columns)))
        for user in range(n_naive):
            scores = [float(world.users[user] @ item) for item in world.items]
            for tag, own in enumerate(columns):
                found[user, tag] = sum(scores[item] for item in own) / len(own)
        return found

    means = np.ascontiguousarray((weights.T @ world.items).T)
    same(ours(), blocked(), 1e-5)
    same(ours()[:n_naive], naive(), 1e-5)
    mine, peer, least = medians(ours, blocked, lambda: world.users @ means)
    (slow,) = medians(naive, repeats=1)
    rows = [
        row(f"{name} tag preferences", "ms", 1e3 * mine),
        row(
            f"{name} tag preferences",
            "times a blocked product",
            peer / mine,
            holds=_bar(place, peer / mine >= 500),
        ),
        row(
            f"{name} tag preferences",
            "times a loop over users and items, extrapolated",
            slow * n_users / n_naive / mine,
        ),
        row(
            f"{name} tag preferences",
            "of the floor, one matrix product",
            mine / least,
            holds=_bar(place, mine / least <= 4),
        ),
    ]
    if place.data != "synthetic":
        return rows
    output = n_users * len(columns) * 4 / 2**20
    added = added_megabytes(_everybodys, world.users.shape[0], *world.items.shape, len(columns))
    more = max(added - output, 0.0)  # what was free in the heap already is not added
    rows.append(
        row(
            f"{name} tag preferences",
            "MB added to the output, fresh process",
            more,
            holds=more <= 32,
        )
    )
    sizes = Sizes(1_000_000, 2_000, 1_000, 32) if place.full else place.sizes
    added = added_megabytes(_fits, sizes)
    of_fit = f"{name} {sizes.users:,} learners, {sizes.tags:,} tags"
    rows.append(row(of_fit, "MB added by fit, fresh process", added, holds=added <= 2_000))
    for size, sizes in _OTHER_SIZES.items() if place.full else ():
        rows += _of_size(f"{name} {size}", sizes, most=2 if "stress" in size else 4)
    return rows


def _bar(place: Place, met: bool) -> bool | None:
    """The bars are for MovieLens-10M's size."""
    return met if place.data == "synthetic" else None


def _sparse(sizes: Sizes) -> tuple[TagPreferenceExtractor, NDArray, NDArray]:
    """Return an extractor for factors of a size at which nothing dense would do."""
    rng = np.random.default_rng(0)
    users = rng.standard_normal((sizes.users, sizes.factors), dtype=np.float32)
    items = rng.standard_normal((sizes.items, sizes.factors), dtype=np.float32)
    columns = np.concatenate(
        [np.arange(sizes.tags), rng.integers(sizes.tags, size=2 * sizes.items - sizes.tags)]
    )
    rows = np.concatenate([np.arange(sizes.items)] * 2)
    ones = np.ones(len(rows), dtype=np.float32)
    tags = sp.csr_matrix((ones, (rows, columns)), (sizes.items, sizes.tags))
    tags.data[:] = 1
    nothing = sp.csr_matrix((1, sizes.items), dtype=np.float32)
    extractor = TagPreferenceExtractor(FactorRecommender(users, items), tags).fit(nothing)
    weights = tags.multiply(1 / tags.sum(axis=0)).tocsr()
    return extractor, users, np.ascontiguousarray(weights.T @ items).T


def _of_size(name: str, sizes: Sizes, *, most: float) -> list[Row]:
    """Hold one size against its floor alone."""
    extractor, users, means = _sparse(sizes)
    ours: Callable[[], NDArray] = lambda: extractor.tag_preferences(users)  # noqa: E731
    same(ours()[:1000], users[:1000] @ means, 1e-5)
    mine, least = medians(ours, lambda: users @ means, repeats=3)
    output = sizes.users * sizes.tags * 4 / 2**20
    added = added_megabytes(_everybodys, *sizes[:2], sizes.factors, sizes.tags)
    more = max(added - output, 0.0)
    return [
        row(name, "ms", 1e3 * mine),
        row(name, "of the floor, one matrix product", mine / least, holds=mine / least <= most),
        row(name, "MB added to the output, fresh process", more, holds=more <= 32),
    ]


def _everybodys(n_users: int, n_items: int, n_factors: int, n_tags: int) -> Any:
    extractor, users, _ = _sparse(Sizes(n_users, n_items, n_tags, n_factors))
    extractor.tag_preferences(users[:100])
    return lambda: extractor.tag_preferences(users)


def _fits(sizes: Sizes) -> Any:
    world = World.random(sizes, interactions=1)
    return world.explainer


def network(place: Place) -> list[Row]:
    """Some users', where scores are the network's of neural collaborative filtering."""
    import torch

    sizes = place.sizes
    name = "speed P2 synthetic"
    n_users = 64 if place.full else 8
    extractor, users, tower, items = _of_network(sizes)
    columns = [torch.from_numpy(extractor.items_of(tag)) for tag in range(sizes.tags)]
    first = torch.nn.Linear(2 * sizes.factors, tower.of_users.out_features)
    with torch.no_grad():
        first.weight[:, : sizes.factors] = tower.of_users.weight
        first.weight[:, sizes.factors :] = tower.of_items.weight
        first.bias[:] = tower.of_users.bias
    plain = torch.nn.Sequential(first, *tower.rest)
    vectors = torch.from_numpy(items)

    def ours() -> NDArray:
        return extractor.tag_preferences(users[:n_users])

    @torch.inference_mode()
    def naive() -> NDArray:
        found = []
        for user in torch.from_numpy(users[:n_users]):
            pairs = torch.cat([user.expand(len(vectors), -1), vectors], dim=1)
            scores = plain(pairs).squeeze(1)
            found.append(torch.stack([scores[own].mean() for own in columns]))
        return torch.stack(found).numpy()

    same(ours(), naive(), 1e-5)
    mine, peer = medians(ours, naive)
    added = added_megabytes(_networks, sizes, 4 * n_users)
    return [
        row(f"{name} tag preferences", "ms a user", 1e3 * mine / n_users),
        row(
            f"{name} tag preferences",
            "times a loop that expands and concatenates",
            peer / mine,
            holds=peer / mine >= 3.5,
        ),
        row(
            f"{name} tag preferences",
            "MB added, fresh process",
            added,
            holds=added <= 100,
        ),
    ]


def _of_network(sizes: Sizes) -> tuple[TagPreferenceExtractor, NDArray, Any, NDArray]:
    import torch

    from sktpecr.recommenders.trained._modules import Dropout, Tower

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    users = rng.standard_normal((sizes.users, sizes.factors), dtype=np.float32)
    items = rng.standard_normal((sizes.items, sizes.factors), dtype=np.float32)
    tower = Tower(sizes.factors, (64, 32, 16), Dropout(0.0, torch.Generator())).eval()
    world = World.random(sizes._replace(users=10))
    extractor = TagPreferenceExtractor(TorchRecommender(tower, users, items), world.tags)
    with made_up():
        return extractor.fit(world.X), users, tower, items


def _networks(sizes: Sizes, n_users: int) -> Any:
    extractor, users, _, _ = _of_network(sizes)
    extractor.tag_preferences(users[:1])
    return lambda: extractor.tag_preferences(users[:n_users])
