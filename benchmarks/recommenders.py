"""Train the three recommenders, and measure their lists beside a tuned one of `implicit`.

    python benchmarks/recommenders.py --data movielens-1m --data-dir FOLDER --json FILE

Four fifths of the interactions are trained on; NDCG of ten recommendations, what was trained on
left out, is measured on the last fifth. BayesianPersonalizedRanking of `implicit` is tuned on a
tenth of the training part; ours run with their defaults. experiments/data.py says what each data
set reads from FOLDER; `movielens-small` is shipped. Set OMP_NUM_THREADS=1 and
OPENBLAS_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from experiments.data import load
from implicit.bpr import BayesianPersonalizedRanking
from sklearn.utils import gen_batches

from sktpecr.datasets import TaggedInteractions
from sktpecr.evaluation import split_interactions
from sktpecr.recommenders import (
    FactorizationMachine,
    FactorRecommender,
    MatrixFactorization,
    NeuralCollaborativeFiltering,
)

# learning_rate, regularization, iterations; the best of many more on the validation part.
GRID = [(0.005, 0.02, 100), (0.01, 0.01, 100), (0.02, 0.02, 100), (0.05, 0.01, 100),
        (0.05, 0.005, 300), (0.05, 0.001, 200)]  # fmt: skip
MODELS = ["implicit", "mf", "fm", "ncf"]


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data",
        choices=["movielens-small", "movielens-1m", "goodbooks"],
        default="movielens-small",
    )
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--only", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    data = load(arguments.data, arguments.data_dir)
    print(data)
    train, test = split(data.interactions, 0.2, seed=0)
    results = {}
    for name in arguments.only:
        start, start_cpu = time.perf_counter(), time.process_time()
        if name == "implicit":
            model, found = tuned_implicit(train)
        else:
            model, found = trained(name, train, data)
        found["seconds"] = found.get("seconds", time.perf_counter() - start)
        found["cpu_seconds"] = found.get("cpu_seconds", time.process_time() - start_cpu)
        start_cpu = time.process_time()
        found["ndcg"] = ndcg(model, model.user_embeddings, train, test)
        found["scoring_cpu_seconds"] = time.process_time() - start_cpu
        if name != "implicit":
            # What lists are worth if everybody is a new user.
            found["ndcg_folded_in"] = ndcg(model, model.fold_in(train), train, test)
        results[name] = found
        print(name, json.dumps(found, default=float), flush=True)
        if arguments.json:
            arguments.json.write_text(
                json.dumps({"data": arguments.data, **results}, indent=1, default=float)
            )


def split(X: sp.csr_matrix, share: float, seed: int) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Return two parts of the interactions, the second with about this share of them."""
    first, held_out = split_interactions(X, share, random_state=seed)
    first.data = np.ones_like(first.data, dtype=np.float32)
    ones = np.ones(len(held_out), dtype=np.float32)
    return first, sp.csr_matrix((ones, tuple(held_out.T)), X.shape)


def trained(name: str, X: sp.csr_matrix, data: TaggedInteractions) -> tuple[Any, dict[str, Any]]:
    """Train one of ours with its defaults."""
    model: Any = {
        "mf": MatrixFactorization,
        "fm": FactorizationMachine,
        "ncf": NeuralCollaborativeFiltering,
    }[name](random_state=0)
    if name == "fm":
        model.set_params(item_tags=sp.csr_matrix(data.item_tags.to_numpy(dtype=float)))
    model.fit(X)
    return model, {"epochs": len(model.history_)}


def tuned_implicit(X: sp.csr_matrix) -> tuple[FactorRecommender, dict[str, Any]]:
    """Tune BPR of `implicit` on a validation part and train it on everything."""
    rest, validation = split(X, 0.1, seed=1)
    measured = {}
    for setting in GRID:
        model = implicit_bpr(rest, *setting)
        measured[setting] = ndcg(model, model.user_embeddings, rest, validation)
        print(f"  implicit {setting}: {measured[setting]:.4f} on the validation part", flush=True)
    best = max(measured, key=measured.__getitem__)
    start, start_cpu = time.perf_counter(), time.process_time()
    model = implicit_bpr(X, *best)
    return model, {
        "setting": best,
        "seconds": time.perf_counter() - start,
        "cpu_seconds": time.process_time() - start_cpu,
    }


def implicit_bpr(
    X: sp.csr_matrix, learning_rate: float, regularization: float, iterations: int
) -> FactorRecommender:
    """Train BPR of `implicit`."""
    model = BayesianPersonalizedRanking(
        factors=64,
        learning_rate=learning_rate,
        regularization=regularization,
        iterations=iterations,
        num_threads=1,
        random_state=0,
    )
    model.fit(X, show_progress=False)
    return FactorRecommender(model.user_factors, model.item_factors)


def ndcg(
    model: Any, embeddings: np.ndarray, seen: sp.csr_matrix, hidden: sp.csr_matrix, n: int = 10
) -> float:
    """Return NDCG of n recommendations, on average over the users who have something hidden."""
    users = np.flatnonzero(np.diff(hidden.indptr))
    discounts = 1 / np.log2(np.arange(2, n + 2))
    gains = []
    for batch in gen_batches(len(users), 512):
        some = users[batch]
        scores = model.score_items(embeddings[some])
        scores[seen[some].nonzero()] = -np.inf
        best = np.argpartition(-scores, n, axis=1)[:, :n]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
        relevant = hidden[some].toarray() > 0
        hits = np.take_along_axis(relevant, np.take_along_axis(best, order, axis=1), axis=1)
        ideal = np.cumsum(discounts)[np.minimum(relevant.sum(axis=1), n) - 1]
        gains.append(hits @ discounts / ideal)
    return float(np.mean(np.concatenate(gains)))


if __name__ == "__main__":
    main()
