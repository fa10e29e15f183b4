"""Run the paper's method beside the closed form: Tables 1, 2, 4 and 5, and LIME's stability.

    python benchmarks/method.py --only table1 table2
    python benchmarks/method.py --only table4 lime table5 --model als bpr \
        --data movielens-1m --data-dir FOLDER

`movielens-1m` reads interactions.parquet (user_id, item_id) and items.parquet (item_id, genres)
from FOLDER/movielens-1m and needs pyarrow; `movielens-small` is the shipped data. Set
OMP_NUM_THREADS=1 and OPENBLAS_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from scipy.stats import spearmanr
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator

from sktpecr import CVAEGenerator, FeedbackRefiner, GaussianGenerator, MLPGenerator, TPECRExplainer
from sktpecr.attribution import ExactAttribution, LimeAttribution
from sktpecr.datasets import TaggedInteractions, load_movielens, make_tpecr_synthetic
from sktpecr.metrics import falling_map, falling_rank, falling_recall, list_overlap
from sktpecr.recommenders import FactorRecommender, as_recommender
from sktpecr.solvers import EmbeddingSolver
from sktpecr.solvers._online import _PREFERENCES

PAPER_TABLE_1 = {
    "Original": (0.0321, 0.0655, 0.1026, 0.1323, 0.1735),
    "CVAE": (1.782e-6, 2.046e-6, 3.521e-6, 7.635e-6, 2.763e-6),
}
PAPER_TABLE_2 = (0.2865, 0.2781, 0.2941, 0.2856, 0.2901)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    everything = ["table1", "table2", "table4", "lime", "table5"]
    parser.add_argument("--only", nargs="+", choices=everything, default=everything)
    parser.add_argument("--data", default="movielens-small")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--model", nargs="+", choices=["als", "bpr"], default=["als"])
    parser.add_argument("--pairs", type=int, default=1000, help="pairs a cell of table 5")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)

    results: dict[str, Any] = {}
    if "table1" in arguments.only or "table2" in arguments.only:
        cvae = synthetic_cvae(make_tpecr_synthetic(random_state=1550))
        if "table1" in arguments.only:
            results["table1"] = table1(cvae)
        if "table2" in arguments.only:
            results["table2"] = table2(cvae)
    if {"table4", "lime", "table5"} & set(arguments.only):
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


# The synthetic experiment, section 4.1


def synthetic_cvae(data: Any) -> CVAEGenerator:
    """Return a CVAE of the paper's size, trained on the synthetic data in one cycle."""
    generator = CVAEGenerator(
        hidden_dims=(16,),
        latent_dim=8,
        kl_weight=1.0,
        learning_rate=1e-3,
        batch_size=128,
        max_epochs=2000,
        validation_fraction=0.0,
        random_state=0,
    )
    return timed(generator, data, "CVAE")


def timed(generator: Any, data: Any, name: str) -> Any:
    """Fit a generator on the training users and say how long it took."""
    start = time.perf_counter()
    users = data.train_users
    generator.fit(data.tag_preferences[users], data.user_embeddings[users])
    print(f"{name}: trained in {time.perf_counter() - start:.1f} s")
    generator.data_ = data
    return generator


def table1(cvae: CVAEGenerator) -> dict[str, list[float]]:
    """Change k of 5 tags of every test user, in every combination."""
    data = cvae.data_
    mlp = MLPGenerator(
        hidden_dims=(16,),
        learning_rate=3e-4,
        schedule="constant",
        standardize=False,
        batch_size=128,
        max_epochs=1600,
        validation_fraction=0.0,
        random_state=0,
    )
    timed(mlp, data, "MLP, the authors' settings")
    gaussian = GaussianGenerator(shrinkage=0.0)
    timed(gaussian, data, "Gaussian")
    methods: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
        "Original": lambda c, e: e,
        "MLP": mlp.generate,
        "CVAE": cvae.generate,
        "Gaussian": gaussian.generate,
    }
    random_state = np.random.RandomState(0)
    test = data.test_users
    own, embeddings = data.tag_preferences[test], data.user_embeddings[test]
    rows: dict[str, list[float]] = {f"{name} MSE": [] for name in methods}
    rows |= {f"{name} NDCG": [] for name in methods}
    for k in range(1, 6):
        errors: dict[str, list[float]] = {name: [] for name in methods}
        gains: dict[str, list[float]] = {name: [] for name in methods}
        for tags in itertools.combinations(range(5), k):
            edited = own.copy()
            edited[:, tags] = random_state.uniform(size=(len(test), k))
            truth = edited[:, data.item_tag]
            for name, generate in methods.items():
                generated = generate(edited, embeddings)
                errors[name].append(float(np.mean((generated - truth) ** 2)))
                gains[name].append(ndcg(generated, truth))
        for name in methods:
            rows[f"{name} MSE"].append(float(np.mean(errors[name])))
            rows[f"{name} NDCG"].append(float(np.mean(gains[name])))
    rows["MLP / Original"] = [
        m / o for m, o in zip(rows["MLP MSE"], rows["Original MSE"], strict=True)
    ]
    print("\nTable 1: one to five changed tags")
    for name, values in rows.items():
        print(f"  {name:16}" + "".join(f"{value:12.4g}" for value in values))
    for name, values in PAPER_TABLE_1.items():
        print(f"  {name + ', paper':16}" + "".join(f"{value:12.4g}" for value in values))
    return rows


def ndcg(scores: np.ndarray, gains: np.ndarray) -> float:
    """Return NDCG over all items with real-valued gains, ties averaged."""
    from sklearn.metrics import ndcg_score

    return float(ndcg_score(gains, scores))


def table2(cvae: CVAEGenerator) -> list[list[float]]:
    """Average LIME's importances of all tags, for one item of each tag, over the test users."""
    data = cvae.data_
    recommender = FactorRecommender(data.user_embeddings, data.item_embeddings)
    explainer = TPECRExplainer(
        recommender,
        data.item_tags,
        generator=FrozenEstimator(cvae),
        attribution=LimeAttribution(
            target="rank", center="population", n_competitors=len(data.item_tag), random_state=0
        ),
    ).fit(np.ones((len(data.user_embeddings), len(data.item_tag))))
    random_state = np.random.RandomState(0)
    means = []
    print("\nTable 2: importances by tag of the item (rows), and the paper's own-tag value")
    for tag in range(5):
        own_items = np.flatnonzero(data.item_tag == tag)
        importances = [
            explainer.attribution_.attribute(
                explainer.tag_preferences_[user],
                explainer.user_embeddings_[user],
                [random_state.choice(own_items)],
            ).importances[0]
            for user in data.test_users
        ]
        means.append(np.mean(importances, axis=0).tolist())
        row = "".join(f"{value:9.4f}" for value in means[-1])
        print(f"  {row}   paper {PAPER_TABLE_2[tag]:.4f}")
    return means


# Real data


def load(name: str, folder: Path | None) -> TaggedInteractions:
    """Return interactions and tags by name."""
    if name == "movielens-small":
        return load_movielens()
    if folder is None:
        raise SystemExit(f"--data {name} needs --data-dir, the folder that has {name} in it")
    interactions = pd.read_parquet(folder / name / "interactions.parquet")
    items = pd.read_parquet(folder / name / "items.parquet").set_index("item_id")
    seen = items.index.isin(interactions["item_id"])
    genres = items.loc[seen, "genres"].explode().dropna().rename("tag").reset_index()
    return TaggedInteractions.from_frames(
        interactions, genres, user="user_id", item="item_id", tag="tag"
    )


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
