"""P9 and P11: the first ten of many items."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from numpy.typing import NDArray

from benchmarks.common.rows import Row, row
from benchmarks.speed.places import Place, Sizes, World
from benchmarks.speed.timing import medians
from sktpecr import FeedbackRefiner
from sktpecr._utils._ranking import top_items
from sktpecr._utils._top_lists import top_lists


def first_ten(place: Place) -> list[Row]:
    """For one user and for 256, a hundred items of which each has seen."""
    import torch

    world = place.world(users=256, items=100_000, tags=6)
    name = "speed P9 synthetic top 10 of 100,000 items"
    torch.set_num_threads(1)
    n_items = len(world.items)
    scores = world.recommender.score_items(world.users[:1])[0]
    rng = np.random.RandomState(1)
    seen = rng.randint(n_items, size=(len(world.users), min(100, n_items // 20)))
    candidates = np.ones((len(world.users), n_items), dtype=bool)
    candidates[np.arange(len(seen))[:, np.newaxis], seen] = False
    everything = np.ones(n_items, dtype=bool)
    histories = sp.csr_matrix(~candidates, dtype=np.float32)
    biases = np.zeros(n_items, dtype=np.float32)
    users, items = torch.tensor(world.users), torch.tensor(world.items)
    rows = torch.arange(len(users))[:, None]

    def argpartition(scores: NDArray) -> NDArray:
        best = np.argpartition(scores, -10)[-10:]
        return best[np.argsort(-scores[best], kind="stable")]

    def unseen() -> NDArray:
        allowed = scores.copy()
        allowed[seen[0]] = -np.inf
        return argpartition(allowed)

    def batch() -> NDArray:
        lists = top_lists(world.users, world.items, biases, 10, everything, histories)
        return lists.items.reshape(len(world.users), 10)

    def topk() -> NDArray:
        found = users @ items.T
        found[rows, seen] = -torch.inf
        return torch.topk(found, 10).indices.numpy()

    def topk_in_blocks() -> NDArray:
        """As it is used well: scores of few users stay in the cache, in one array for all."""
        best, scores = torch.empty((len(users), 10), dtype=torch.int64), torch.empty((32, n_items))
        own = torch.arange(32)[:, None]
        for start in range(0, len(users), 32):
            some = slice(start, start + 32)
            found = scores[: len(users[some])]
            torch.mm(users[some], items.T, out=found)
            found[own[: len(found)], seen[some]] = -torch.inf
            best[some] = torch.topk(found, 10).indices
        return best.numpy()

    model = AlternatingLeastSquares(world.users.shape[1], num_threads=1)
    model.user_factors, model.item_factors = world.users, world.items

    def implicits() -> NDArray:
        return model.recommend(np.arange(len(world.users)), histories, 10)[0]

    if not np.array_equal(top_items(scores, everything, 10), argpartition(scores)):
        raise AssertionError("the two lists differ")
    if not np.array_equal(top_items(scores, candidates[0], 10), unseen()):
        raise AssertionError("the two lists without seen items differ")
    # Two products round differently: near ties may change places.
    for other in (topk, topk_in_blocks, implicits):
        if np.mean(batch() == other()) < 0.999:
            raise AssertionError(f"the lists of the batch differ from those of {other.__name__}")
    mine, peer, less, of_unseen = medians(
        lambda: top_items(scores, everything, 10),
        lambda: argpartition(scores),
        lambda: top_items(scores, candidates[0], 10),
        unseen,
        repeats=51,
    )
    of_batch, of_topk, in_blocks, of_implicit = medians(
        batch, topk, topk_in_blocks, implicits, repeats=5
    )
    return [
        row(name, "ms", 1e3 * mine),
        row(name, "times argpartition", peer / mine, holds=peer >= mine),
        row(name, "ms, without 100 seen items", 1e3 * less),
        row(name, "times argpartition, without 100 seen items", of_unseen / less),
        row(name, "ms a user, batch of 256 with the scores", 1e3 * of_batch / len(users)),
        row(name, "times torch.topk, batch", of_topk / of_batch, holds=of_topk >= 2.5 * of_batch),
        row(name, "times torch.topk in blocks, batch", in_blocks / of_batch),
        row(name, "times implicit's recommend, batch", of_implicit / of_batch),
    ]


def million(place: Place) -> list[Row]:
    """A million items: lists alone, and lists explained through the public door."""
    n_items = 1_000_000 if place.full else 500
    name = "speed P11 synthetic a million items"
    alone, few_users = _of_many_factors(n_items)
    explainer = World.random(Sizes(1_000, n_items, 19, 64)).explainer()
    some = explainer.user_ids_[:256]
    (explained,) = medians(lambda: explainer.explain_batch(some, n_items=10, n_tags=5), repeats=3)
    ms = 1e3 * explained / len(some)
    refiner, tag = FeedbackRefiner(explainer), explainer.tag_names_[0]
    (turn,) = medians(lambda: refiner.refine(some[0], like=tag).recommend(10))
    like = 1e3 * turn
    return [
        row(name, "ms a user, lists alone, 256 factors", 1e3 * alone, holds=alone <= 7e-3),
        row(name, "times four users at a time, all their scores there", few_users / alone),
        row(name, "ms a user, explain_batch, 64 factors", ms, holds=ms <= 7),
        row(name, "ms, one like and a list, 64 factors", like, holds=like < 50),
    ]


def _of_many_factors(n_items: int) -> list[float]:
    """Return the seconds a user of lists in blocks, and of so few users that all scores fit."""
    rng = np.random.default_rng(0)
    users, items = (rng.standard_normal((n, 256), dtype=np.float32) for n in (256, n_items))
    biases, everything = np.zeros(n_items, dtype=np.float32), np.ones(n_items, dtype=bool)
    nothing = sp.csr_matrix((256, n_items))

    def ours() -> list[NDArray]:
        lists = top_lists(users, items, biases, 10, everything, nothing)
        return list(lists.items.reshape(-1, 10))

    def peer() -> list[NDArray]:
        return [top_items(scores, everything, 10) for scores in users[:4] @ items.T]

    if not np.array_equal(ours()[:4], peer()):
        raise AssertionError("the lists differ from those of all scores")
    spent, of_few = medians(ours, peer, repeats=3)
    return [spent / len(users), of_few / 4]
