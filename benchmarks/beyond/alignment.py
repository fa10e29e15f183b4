"""Measure what fit says of models whose rows, columns or tags are in the right order, and are not.

python -m benchmarks.beyond.alignment [--data movielens-1m goodbooks --data-dir DIR]
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from sklearn.decomposition import NMF, TruncatedSVD

from benchmarks.common.data import REAL, load
from sktpecr import TPECRExplainer
from sktpecr.datasets import TaggedInteractions
from sktpecr.recommenders import FactorRecommender, as_recommender
from sktpecr.tags._alignment import own_item_auc

ORDERS = ("right", "rows permuted", "columns permuted", "transposed", "tags permuted")


def main() -> None:
    """Print a row for each model and order, and the false alarms and misses of all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=["movielens-small"], choices=REAL)
    parser.add_argument("--data-dir", type=Path, help="where the files of the others lie")
    arguments = parser.parse_args()
    rows = [
        {"data": name, "model": model, **measured}
        for name in arguments.data
        for data in (load(name, arguments.data_dir),)
        for model, recommender in models(sp.csr_matrix(data.interactions, dtype=np.float32))
        for measured in outcomes(recommender, data)
    ]
    table = pd.DataFrame(rows)
    print(table.to_string(index=False, float_format="{:.2f}".format))
    right = table[table["order"] == "right"]
    wrong = table[table["order"] != "right"]
    print(
        f"false alarms: {(right['said'] == 'error').sum()} errors and "
        f"{(right['said'] == 'warning').sum()} warnings of {len(right)}; "
        f"misses: {(wrong['said'] == 'nothing').sum()} of {len(wrong)}"
    )


def models(X: sp.csr_matrix) -> Iterator[tuple[str, Any]]:
    """Yield models, well and badly trained, that store their users."""
    for factors, epochs in ((2, 15), (32, 1), (32, 15)):
        als = AlternatingLeastSquares(factors, random_state=0, iterations=epochs, num_threads=1)
        als.fit(X, show_progress=False)
        yield f"ALS {factors}, {epochs} epochs", als
    for factors, epochs in ((2, 30), (32, 1), (32, 60)):
        bpr = BayesianPersonalizedRanking(factors, random_state=0, iterations=epochs, num_threads=1)
        bpr.fit(X, show_progress=False)
        yield f"BPR {factors}, {epochs} epochs", bpr
    for name, model in (
        ("SVD 16", TruncatedSVD(16, random_state=0)),
        ("NMF 8", NMF(8, random_state=0, max_iter=60, init="nndsvda")),
    ):
        found = as_recommender(model.fit(X))
        yield name, FactorRecommender(found.fold_in(X), found.item_embeddings, found.item_biases)


def outcomes(model: Any, data: TaggedInteractions) -> Iterator[dict[str, Any]]:
    """Yield what fit says of each order, and the AUC that it looks at."""
    rng = np.random.RandomState(0)
    X = sp.csr_matrix(data.interactions, dtype=np.float32)
    rows, columns = rng.permutation(X.shape[0]), rng.permutation(X.shape[1])
    recommender = as_recommender(model)
    for order in ORDERS:
        other, tags = X, data.item_tags
        if order == "rows permuted":
            other = X[rows]
        elif order == "columns permuted":
            other = X[:, columns]
        elif order == "tags permuted":
            tags = tags.iloc[columns]
        elif order == "transposed":
            n = min(X.shape)
            square = FactorRecommender(
                recommender.user_embeddings[:n],
                recommender.item_embeddings[:n],
                recommender.item_biases[:n],
            )
            tags = tags.iloc[:n].loc[:, (tags.iloc[:n] != 0).any()]
            said = told(square, X[:n, :n].T.tocsr(), tags)
            yield {"order": order, **said}
            continue
        yield {"order": order, **told(model, other, tags)}


def told(model: Any, X: sp.csr_matrix, tags: pd.DataFrame) -> dict[str, Any]:
    """Return what fit says, the AUC, and the seconds that looking took and that fit took."""
    recommender = as_recommender(model)
    start = time.perf_counter()
    auc = own_item_auc(recommender, recommender.user_embeddings.__getitem__, X).value
    looked = time.perf_counter() - start
    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            TPECRExplainer(model, tags).fit(X)
            said = "warning" if caught else "nothing"
        except ValueError:
            said = "error"
    return {"AUC": auc, "said": said, "s": looked, "fit s": time.perf_counter() - start}


if __name__ == "__main__":
    main()
