"""Run the paper's method beside the closed form: Tables 4 and 5, and LIME's stability.

    python benchmarks/method.py --only table4 lime table5 --model als bpr \
        --data movielens-1m --data-dir FOLDER

`--data` and `--data-dir` are those of paper.py, which has the paper's own models. Set
OMP_NUM_THREADS=1 and OPENBLAS_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from experiments.data import load
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from scipy.stats import spearmanr
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator

from sktpecr import CVAEGenerator, FeedbackRefiner, GaussianGenerator, MLPGenerator, TPECRExplainer
from sktpecr.attribution import ExactAttribution, LimeAttribution
from sktpecr.datasets import TaggedInteractions
from sktpecr.metrics import falling_map, falling_rank, falling_recall, list_overlap
from sktpecr.recommenders import as_recommender
from sktpecr.solvers import EmbeddingSolver
from sktpecr.solvers._online import _PREFERENCES


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    everything = ["table4", "lime", "table5"]
    parser.add_argument("--only", nargs="+", choices=everything, default=everything)
    parser.add_argument("--data", default="movielens-small")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--model", nargs="+", choices=["als", "bpr"], default=["als"])
    parser.add_argument("--pairs", type=int, default=1000, help="pairs a cell of table 5")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)

    results: dict[str, Any] = {}
    data = load(arguments.data, arguments.data_dir)
    for name in arguments.model:
        world = World(data, name)
        if "table4" in arguments.only:
            results[f"table4 {name}"] = table4(world)
        if "lime" in arguments.only:
            results[f"lime {name}"] = lime_stability(world)
        if "table5" in arguments.only:
            results[f"table5 {name}"] = table5(world, arguments.pairs)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


# Real data


class World:
    """A model trained on four fifths of the interactions; users split 80/10/10."""

    def __init__(self, data: TaggedInteractions, model: str) -> None:
        random_state = np.random.RandomState(0)
        X = data.interactions.tocoo()
        held_out = random_state.uniform(size=X.nnz) < 0.2
        self.train = sp.csr_matrix(
            (X.data[~held_out], (X.row[~held_out], X.col[~held_out])), shape=X.shape
        )
        if model == "als":
            self.model = AlternatingLeastSquares(factors=64, random_state=0)
        else:
            self.model = BayesianPersonalizedRanking(factors=64, random_state=0, num_threads=1)
        start = time.perf_counter()
        self.model.fit(self.train, show_progress=False)
        print(f"\n{data}\n{model}: trained in {time.perf_counter() - start:.1f} s")
        self.name, self.tags = model, data.item_tags
        order = random_state.permutation(X.shape[0])
        n = X.shape[0] // 10
        self.test, self.learn = np.sort(order[:n]), np.sort(order[2 * n :])
        pairs = np.column_stack([X.row, X.col])[held_out]
        pairs = random_state.permutation(pairs)
        self.pairs = pairs[np.isin(pairs[:, 0], self.test)]
        base = TPECRExplainer(as_recommender(self.model), self.tags).fit(self.train)
        self.extractor = base.extractor_
        self.embeddings = base.user_embeddings_.astype(np.float64)
        self.preferences = self.extractor.tag_preferences(self.embeddings)
        self.generators: dict[str, Any] = {}
        for name, generator in (
            ("Gaussian", GaussianGenerator()),
            ("CVAE", CVAEGenerator(random_state=0)),
            ("MLP", MLPGenerator(random_state=0)),
        ):
            start = time.perf_counter()
            generator.fit(self.preferences[self.learn], self.embeddings[self.learn])
            generator.seconds_ = time.perf_counter() - start
            self.generators[name] = generator

    def explainer(self, generator: str, attribution: Any) -> TPECRExplainer:
        """Return an explainer with a generator that never saw the test users."""
        frozen = FrozenEstimator(self.generators[generator])
        return TPECRExplainer(
            as_recommender(self.model), self.tags, generator=frozen, attribution=attribution
        ).fit(self.train)


def table4(world: World) -> dict[str, dict[str, float]]:
    """Swap tag preferences between test users."""
    test = world.test
    own, embeddings = world.preferences[test], world.embeddings[test]
    wanted = np.roll(own, 1, axis=0)
    centred = world.embeddings[world.learn] - world.embeddings[world.learn].mean(axis=0)
    precision = np.linalg.pinv(centred.T @ centred / len(centred))
    rows = {}
    print(f"\nTable 4: swapped tag preferences, {len(test)} test users, {world.name}")
    print(f"  {'':10}{'MSE':>11}{'/ unedited':>12}{'MAPE':>8}{'distance':>10}{'seconds':>9}")
    unedited = float(np.mean((own - wanted) ** 2))
    for name in ("unedited", "MLP", "CVAE", "Gaussian"):
        generator = world.generators.get(name)
        generated = embeddings if generator is None else generator.generate(wanted, embeddings)
        met = world.extractor.tag_preferences(generated)
        away = generated - world.embeddings[world.learn].mean(axis=0)
        rows[name] = {
            "MSE": float(np.mean((met - wanted) ** 2)),
            "ratio": float(np.mean((met - wanted) ** 2)) / unedited,
            "MAPE": float(np.mean(np.abs(met - wanted) / np.abs(wanted))),
            "distance": float(np.mean(np.einsum("ij,jk,ik->i", away, precision, away))),
            "seconds": getattr(generator, "seconds_", 0.0),
        }
        row = rows[name]
        print(
            f"  {name:10}{row['MSE']:11.3g}{row['ratio']:12.2e}{row['MAPE']:8.4f}"
            f"{row['distance']:10.1f}{row['seconds']:9.1f}"
        )
    return rows


def lime_stability(world: World, n_users: int = 20, n_seeds: int = 5) -> list[dict[str, Any]]:
    """Compare rank LIME between seeds, competitors held and redrawn, and with exact weights."""
    exact = world.explainer("Gaussian", ExactAttribution())
    rows = []
    print(f"\nLIME, {n_users} test users, {n_seeds} seeds, {world.name}: between seeds; with exact")
    print(
        f"  {'target':7}{'generator':10}{'competitors':13}{'item':8}{'Spearman':>9}{'top-5':>7}"
        f"{'flips':>7}{'Spearman':>11}{'flips':>7}"
    )
    items = {
        "top": lambda user: exact.recommend(int(user), 1)["item"].iloc[0],
        "random": lambda user: np.random.RandomState(int(user)).choice(exact.item_ids_),
    }
    chosen = {
        name: [exact._population.catalogue.items.row(pick(user)) for user in world.test[:n_users]]
        for name, pick in items.items()
    }
    settings = [
        ("rank", "Gaussian", "redrawn"),
        ("rank", "Gaussian", "held"),
        ("rank", "CVAE", "redrawn"),
        ("rank", "CVAE", "held"),
        ("score", "CVAE", "-"),
    ]
    for target, generator, competitors in settings:
        explainers = [
            world.explainer(
                generator,
                (HeldCompetitors if competitors == "held" else LimeAttribution)(
                    target=target, center="population", random_state=seed
                ),
            )
            for seed in range(n_seeds)
        ]
        for name, columns in chosen.items():
            between, true = [], []
            for user, column in zip(world.test, columns, strict=False):
                weights = [importances(explainer, user, column) for explainer in explainers]
                between += [agreement(a, b) for a, b in itertools.combinations(weights, 2)]
                true += [agreement(importances(exact, user, column), w) for w in weights]
            (rho, top, flips), (rho_exact, _, flips_exact) = (
                np.nanmean(agreements, axis=0) for agreements in (between, true)
            )
            rows.append(
                {
                    "target": target,
                    "generator": generator,
                    "competitors": competitors,
                    "item": name,
                    "spearman": rho,
                    "top5": top,
                    "flips": flips,
                    "spearman_exact": rho_exact,
                    "flips_exact": flips_exact,
                }
            )
            print(
                f"  {target:7}{generator:10}{competitors:13}{name:8}{rho:9.3f}{top:7.3f}"
                f"{flips:7.3f}{rho_exact:11.3f}{flips_exact:7.3f}"
            )
    return rows


class HeldCompetitors(LimeAttribution):
    """LIME whose competitors do not depend on the seed, only its draws do."""

    def _competitors(self, embedding: np.ndarray, n_items: int) -> np.ndarray:
        seed, self._seed = self._seed, 0
        try:
            return super()._competitors(embedding, n_items)
        finally:
            self._seed = seed


def importances(explainer: TPECRExplainer, user: int, column: int) -> np.ndarray:
    """Return the importances of all tags for one item."""
    return explainer.attribution_.attribute(
        explainer._population.tag_preferences_of(explainer.user_embeddings_[user]),
        explainer.user_embeddings_[user].astype(np.float64),
        [column],
    ).importances[0]


def agreement(first: np.ndarray, second: np.ndarray) -> tuple[float, float, float]:
    """Return Spearman's rho, Jaccard overlap of the five largest, share of signs that differ."""
    top = [set(np.argsort(-np.abs(weights))[:5].tolist()) for weights in (first, second)]
    flips = float(np.mean(np.sign(first) != np.sign(second)))
    # An item that never changes its rank has no importances to correlate: left out of the mean.
    constant = np.ptp(first) == 0 or np.ptp(second) == 0
    rho = np.nan if constant else spearmanr(first, second).statistic
    return rho, len(top[0] & top[1]) / len(top[0] | top[1]), flips


def table5(world: World, n_pairs: int) -> list[dict[str, Any]]:
    """Refine by the paper's update, by its baseline and in closed form, on the same pairs."""
    published = world.explainer("CVAE", LimeAttribution(n_samples=100, random_state=0))
    closed = world.explainer("Gaussian", None)
    regularised = _PREFERENCES["bpr"].regularization / float(
        closed.user_embeddings_.var(axis=0).mean()
    )
    refiners = {
        "online (c_u, CVAE)": FeedbackRefiner(published, solver="online"),
        "embedding (e_u)": FeedbackRefiner(closed, solver="embedding"),
        "embedding, regularised": FeedbackRefiner(
            closed, solver=EmbeddingSolver(regularization=regularised)
        ),
        "closed form, strength 1": FeedbackRefiner(closed),
    }
    rows = []
    for scenario in ("like", "dislike"):
        cases = []
        for user, item in world.pairs:
            tag = choose_tag(closed, scenario, user, item)
            if tag is not None and len(cases) < n_pairs:
                cases.append((user, item, tag))
        print(
            f"\nTable 5, {scenario}s, {len(cases)} pairs of test users, {world.name}: mean +- 95 %"
        )
        print(
            f"  {'':25}{'improved':>15}{'F-Rank':>17}{'median':>8}{'F-MAP':>19}{'F-Recall':>19}"
            f"{'overlap':>9}"
        )
        for name, refiner in refiners.items():
            outcome = [measure(refiner, scenario, *case) for case in cases]
            values = np.array([row for row in outcome if row is not None], dtype=float)
            mean, margin = values.mean(axis=0), interval(values)
            rows.append(
                {
                    "scenario": scenario,
                    "solver": name,
                    "pairs": len(values),
                    "mean": mean.tolist(),
                    "margin": margin.tolist(),
                    "median F-Rank": float(np.median(values[:, 1])),
                }
            )
            print(
                f"  {name:25}{mean[0]:8.3f} +-{margin[0]:5.3f}{mean[1]:9.1f} +-{margin[1]:6.1f}"
                f"{np.median(values[:, 1]):7.0f} {mean[2]:9.4f} +-{margin[2]:7.4f}"
                f"{mean[3]:9.4f} +-{margin[3]:7.4f}{mean[4]:9.3f}"
            )
    return rows


def choose_tag(explainer: TPECRExplainer, scenario: str, user: int, item: int) -> Any:
    """Choose the tag of PosTag or NegTag, None where there is none."""
    preferences = explainer.tag_preferences_[user]
    level = float(explainer._population.scores_of(explainer.user_embeddings_[user]).mean())
    on_item = explainer.extractor_.tags_of(item) > 0
    if scenario == "like":
        tags = np.flatnonzero(on_item & (preferences <= level))
        return tags[np.argmin(preferences[tags])] if len(tags) else None
    history = explainer._population.catalogue.history(user)
    tags = np.flatnonzero(~on_item & (preferences > level))
    if not len(tags):
        return None
    tag = tags[np.argmax(preferences[tags])]
    return tag if len(np.setdiff1d(history, explainer.extractor_.items_of(tag))) else None


def measure(
    refiner: FeedbackRefiner, scenario: str, user: int, item: int, tag: int
) -> tuple[float, ...]:
    """Return improved, F-Rank, F-MAP, F-Recall and overlap of one turn."""
    explainer = refiner.explainer
    refined = refiner.refine(int(user), **{scenario: [explainer.tag_names_[tag]]})
    before, after = refined.scores_before, refined.scores
    rank, items = falling_rank(before, after, item), explainer.extractor_.items_of(tag)
    return (
        float(rank > 0),
        float(rank),
        falling_map(before, after, items),
        falling_recall(before, after, items),
        list_overlap(before, after),
    )


def interval(values: np.ndarray, n_draws: int = 500) -> np.ndarray:
    """Return half the width of the 95 % bootstrap interval of the mean, by column."""
    draws = np.random.RandomState(0).randint(len(values), size=(n_draws, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5], axis=0)
    return (high - low) / 2


if __name__ == "__main__":
    main()
