"""Measure the products of the batch paths on NumPy arrays and on torch tensors.

    python -m benchmarks.devices [--users 69878] [--items 10681] [--json benchmarks/results/FILE]

Pairs a second of NumPy, of torch on the CPU and, where torch finds a GPU, of torch on that, each
checked first to find what NumPy finds; and what `reasons_batch` makes of the same pairs on the CPU.
Random factors stand for a model: times depend on sizes alone. What is measured lies on the device
already, in single precision; of several calls the quickest counts, by the clock where there is a
GPU and else by processor time.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from numpy.typing import NDArray

from benchmarks.common.results import measure
from benchmarks.common.rows import Row, row
from benchmarks.serving import fitted
from sktpecr._utils._array_api import beside
from sktpecr._utils._top_lists import TopLists
from sktpecr.attribution import ExactAttribution

N_FACTORS, N_TAGS, TAGS_OF_ITEM = 64, 1_000, 20.0
# Tags that users speak of.
N_TOLD = 4
# Seconds that are spent on each product of each kind of array, and calls at most.
SECONDS, CALLS = 1.0, 10
# Largest difference between two kinds of array, of the largest number.
TOLERANCE = {np.dtype(np.float32): 1e-4, np.dtype(np.float64): 1e-5}


class Product(NamedTuple):
    """One product of the batch paths: what to call, and how many pairs it is of."""

    call: Callable[[], Any]
    n_pairs: int
    pairs: str = "user and item"


def main() -> None:
    """Print pairs a second of each product and each kind of array."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=69_878)
    parser.add_argument("--items", type=int, default=10_681)
    parser.add_argument("--tags", type=int, default=N_TAGS)
    parser.add_argument("--batch", type=int, default=4_096, help="users at a time")
    parser.add_argument("--pairs", type=int, default=50, help="pairs for each user")
    parser.add_argument("--json", type=Path, help="put the results into this file, too")
    given = parser.parse_args()
    place = "cpu"
    if torch.cuda.is_available():
        place = torch.cuda.get_device_name()
    threads = f"torch on {torch.get_num_threads()} CPU threads"
    measure(
        lambda: list(rows(given, place)),
        given.json,
        f"devices {place}",
        command="python -m benchmarks.devices",
        machine=f"{platform.machine()}, {threads}"
        + f", one {place}" * (place != "cpu")
        + ", processor time" * (place == "cpu"),
    )


def rows(given: argparse.Namespace, place: str) -> Iterator[Row]:
    """Measure all products."""
    sizes = N_FACTORS, given.tags, min(TAGS_OF_ITEM, given.tags / 2)
    explainer = fitted(given.users, given.items, *sizes)
    rng, n_users = np.random.RandomState(0), min(given.batch, given.users)
    embeddings = np.array(explainer.user_embeddings_[:n_users])
    users = np.repeat(np.arange(n_users), given.pairs)
    items = rng.randint(given.items, size=len(users))
    exact = explainer.tag_model_.fitted(ExactAttribution())
    kinds = {"numpy": products(explainer, exact, embeddings, users, items)}
    for device in ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]:
        tensors = [torch.tensor(each, device=device) for each in (embeddings, users, items)]
        kinds[f"torch, {device}"] = products(explainer, exact, *tensors)
    for name, product in kinds["numpy"].items():
        expected = product.call()
        for kind, others in kinds.items():
            alike(expected, others[name].call())
            rate = product.n_pairs / best(others[name].call)
            of = f"million pairs of {product.pairs} a second"
            yield row(f"devices {place} synthetic {name}, {of}", kind, rate / 1e6)
    pairs = pd.DataFrame({"user": users, "item": items}).drop_duplicates()
    rate = len(pairs) / best(lambda: explainer.reasons_batch(pairs=pairs), calls=1)
    of = "million pairs of user and item a second"
    yield row(
        f"devices {place} synthetic reasons_batch with all the rest, {of}", "numpy", rate / 1e6
    )


def products(
    explainer: Any, exact: ExactAttribution, embeddings: Any, users: Any, items: Any
) -> dict[str, Product]:
    """Return what the batch paths multiply, on the arrays' device; all of them by name."""
    model = explainer.tag_model_
    recommender, account, extractor = model.recommender, model.account, model.extractor
    n_users, n_items, n_tags = len(embeddings), len(recommender.item_embeddings), len(model.tags)
    preferences = extractor.tag_preferences(embeddings)
    tastes = account.tastes(preferences, embeddings)
    scores, some = recommender.score_items(embeddings), items[:1_000]
    pairs = items[:16_384]  # each has a number for each tag
    # Some like one tag and some another, and the like.
    evidence = model.evidence([(tag, liked) for tag in range(N_TOLD) for liked in (True, False)])
    spoken = np.random.RandomState(0).binomial(1, 2 / len(evidence), (n_users, len(evidence)))
    amounts = beside(spoken * 1.0, embeddings)
    evidence, seen = beside(evidence, embeddings), model.catalogue.interactions[:n_users]

    def reasons() -> Any:
        own = account.tastes(extractor.tag_preferences(embeddings), embeddings)
        return account.contributions(own, users, items)

    of_tags, of_all = (n_users * n_tags, "user and tag"), n_users * n_items
    return {
        "scores": Product(lambda: recommender.score_items(embeddings), of_all),
        "scores of some items": Product(
            lambda: recommender.score_items(embeddings, some), n_users * len(some)
        ),
        "tag preferences": Product(lambda: extractor.tag_preferences(embeddings), *of_tags),
        "tag preferences in deviations": Product(lambda: model.vs_mean(preferences), *of_tags),
        "tastes": Product(lambda: account.tastes(preferences, embeddings), *of_tags),
        "activity": Product(lambda: account.activity(embeddings, some), n_users * len(some)),
        "exact contributions": Product(
            lambda: exact.importances(pairs) * model.vs_mean(preferences)[users[: len(pairs)]],
            len(pairs),
        ),
        "contributions": Product(lambda: account.contributions(tastes, users, items), len(items)),
        "contributions from embeddings": Product(reasons, len(items)),
        "worth after answers": Product(lambda: model.worth(scores, amounts, evidence), of_all),
        "lists of ten": Product(lambda: model.top_lists(embeddings, 10), of_all),
        "lists of ten, seen items left out": Product(
            lambda: model.top_lists(embeddings, 10, seen=seen), of_all
        ),
    }


def alike(expected: Any, found: Any) -> None:
    """Stop if two kinds of array hold different numbers."""
    for one, other in zip(parts(expected), parts(found), strict=True):
        largest = np.abs(one).max(initial=0)
        atol = TOLERANCE.get(other.dtype, 0.0) * largest
        np.testing.assert_allclose(other, one, rtol=0, atol=atol)


def parts(found: Any) -> tuple[NDArray, ...]:
    """Return numbers as NumPy arrays; of a sparse array their columns, too, of lists no items."""
    if isinstance(found, TopLists):  # two of the same score may have changed places
        return *parts(found.scores), *parts(found.lengths)
    if isinstance(found, torch.Tensor):
        if not found.is_sparse:
            return (found.cpu().numpy(),)
        return found.values().cpu().numpy(), found.indices()[1].cpu().numpy()
    return (found.data, found.indices) if sp.issparse(found) else (found,)


def best(call: Callable[[], Any], calls: int = CALLS) -> float:
    """Return the seconds of the quickest of some calls."""
    took: list[float] = []
    # Other work on the machine lengthens processor time less, which knows nothing of a GPU.
    clock = time.perf_counter if torch.cuda.is_available() else time.process_time
    while len(took) < calls and sum(took) < SECONDS:
        start = clock()
        call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        took.append(clock() - start)
    return max(min(took), 1e-9)


if __name__ == "__main__":
    main()
