"""Measure the products of the batch paths on NumPy arrays and on torch tensors.

    python -m benchmarks.devices [--users 2048] [--pairs 50]

From embeddings to tag preferences, tastes and contributions of pairs, and the share of them in what
`reasons_batch` takes. On the CPU, and on a GPU where torch finds one; the best of ten.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks.serving import fitted


def main() -> None:
    """Print pairs a second of each kind of array."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=2_048)
    parser.add_argument("--items", type=int, default=7_254)
    parser.add_argument("--pairs", type=int, default=50, help="pairs for each user")
    given = parser.parse_args()
    explainer, rng = fitted(given.users, given.items), np.random.RandomState(0)
    embeddings = np.array(explainer.user_embeddings_)
    users = np.repeat(np.arange(given.users), given.pairs)
    found = [rng.permutation(given.items)[: given.pairs] for _ in range(given.users)]
    items = np.concatenate(found)
    arrays: dict[str, tuple[Any, ...]] = {"numpy": (embeddings, users, items)}
    for device in ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]:
        tensors = (torch.tensor(each, device=device) for each in arrays["numpy"])
        arrays[f"torch, {device}, {torch.get_num_threads()} threads"] = tuple(tensors)
    for name, some in arrays.items():
        seconds = best(lambda some=some: products(explainer, *some))
        print(f"products, {name}: {len(items) / seconds:,.0f} pairs/s", flush=True)
    pairs = pd.DataFrame({"user": users, "item": items})
    seconds = best(lambda: explainer.reasons_batch(pairs=pairs), times=3)
    print(f"reasons_batch, the products and all the rest: {len(items) / seconds:,.0f} pairs/s")


def products(explainer: Any, embeddings: Any, users: Any, items: Any) -> None:
    """Multiply all that reasons are chosen by."""
    account = explainer.tag_model_.account
    preferences = explainer.tag_model_.extractor.tag_preferences(embeddings)
    account.contributions(account.tastes(preferences, embeddings), users, items)
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def best(call: Callable[[], Any], times: int = 10) -> float:
    """Return the seconds of the quickest of some calls."""
    took = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        took.append(time.perf_counter() - start)
    return min(took)


if __name__ == "__main__":
    main()
