"""Measure the main path on the shipped films: exactness, refinement, shrinkage, time per call.

    python -m benchmarks.main_path [--pairs 500] [--json FILE]

Threads change timings: set OMP_NUM_THREADS=1 and OPENBLAS_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from sklearn.model_selection import train_test_split

from sktpecr import FeedbackRefiner, GaussianGenerator, TPECRExplainer
from sktpecr.datasets import TaggedInteractions, load_movielens
from sktpecr.evaluation import evaluate_refinement, split_interactions

STRENGTHS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0)
TOP = 1000
# Rounding of float32, of sums of as many terms as there are factors.
_EXACT = 1e-5
SHOWN = ["improved", "F-Rank", f"overlap@{TOP}", "right way"]


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=500, help="held-out pairs a scenario")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    arguments = parser.parse_args()

    data = load_movielens()
    print(data)
    results = {
        "exactness": exactness(data),
        "shrinkage": shrinkage(data),
        "refinement": refinement(data, arguments.pairs),
        "milliseconds": timings(data),
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


def trained(interactions: sp.csr_matrix) -> AlternatingLeastSquares:
    """Return implicit's ALS with 64 factors, trained."""
    als = AlternatingLeastSquares(factors=64, random_state=0)
    als.fit(interactions, show_progress=False)
    return als


def fitted(
    data: TaggedInteractions, interactions: sp.csr_matrix, train_users: Any = None
) -> TPECRExplainer:
    """Return the default explainer of an ALS model trained on the interactions."""
    explainer = TPECRExplainer(trained(interactions), item_tags=data.item_tags)
    return explainer.fit(
        interactions,
        user_ids=data.user_ids,
        item_names=data.item_names,
        train_users=train_users,
    )


def exactness(data: TaggedInteractions) -> dict[str, float]:
    """Measure swapped preferences (Table 4's protocol) and the sum of every explanation."""
    explainer = fitted(data, data.interactions)
    embeddings, own = explainer.user_embeddings_, explainer.tag_preferences_
    wanted = own[np.random.RandomState(0).permutation(len(own))]
    met = explainer.extractor_.tag_preferences(explainer.generator_.generate(wanted, embeddings))
    als, rng, worst = explainer.recommender, np.random.RandomState(0), 0.0
    for row in range(100):
        scores = als.item_factors @ als.user_factors[row]
        for column in rng.choice(len(scores), 20, replace=False):
            told = explainer.explain(data.user_ids[row], data.item_ids[column])
            total = told.base_value + told.contributions.sum() + told.residual
            error = abs(total - scores[column]) / np.abs(scores).max()
            worst = max(worst, float(error))
    if worst > _EXACT:
        raise SystemExit(f"parts of an explanation miss the library's score by {worst:.1e}")
    result = {
        "swapped preferences, mean squared error": float(np.mean((met - wanted) ** 2)),
        "the same of the unedited embedding": float(np.mean((own - wanted) ** 2)),
        "base + contributions + residual against the library's score, "
        "largest error / largest score, 20 items of each of 100 users": worst,
    }
    print("\nExactness")
    for name, value in result.items():
        print(f"  {name}: {value:.2e}")
    return result


def shrinkage(data: TaggedInteractions) -> dict[str, float]:
    """Measure how well tags alone predict the scores of users the generator has not seen."""
    als = trained(data.interactions)
    embeddings, items = als.user_factors, als.item_factors
    preferences = TPECRExplainer(als, data.item_tags).fit(data.interactions).tag_preferences_
    order = np.random.RandomState(0).permutation(len(embeddings))
    test, train = order[: len(order) // 5], order[len(order) // 5 :]
    scores = embeddings[test] @ items.T
    result = {}
    for shrink in ("ledoit-wolf", 0.0):
        generator = GaussianGenerator(shrinkage=shrink).fit(preferences[train], embeddings[train])
        error = np.square(generator.predict(preferences[test]) @ items.T - scores).sum()
        result[str(shrink)] = float(1 - error / np.square(scores - scores.mean(axis=0)).sum())
    print(
        f"\nR^2 of held-out users' scores from their tags alone, {len(train)} users to learn from"
    )
    for name, value in result.items():
        print(f"  shrinkage={name}: {value:.3f}")
    return result


def refinement(data: TaggedInteractions, n_pairs: int) -> list[dict[str, float | str]]:
    """Let simulated users answer by the paper's rule; see whether held-out films rise."""
    train, held_out = split_interactions(data.interactions, random_state=0)
    learn, test = train_test_split(data.user_ids, test_size=0.5, random_state=0)
    refiner = FeedbackRefiner(fitted(data, train, learn), solver="closed_form")
    users, items = data.user_ids[held_out[:, 0]], data.item_ids[held_out[:, 1]]
    pairs = [pair for pair in zip(users, items, strict=True) if pair[0] in set(test)]
    found = []
    print(f"\nRefinement, tags by the paper's rule, list of {TOP}: means with 95 % intervals")
    for scenario in ("like", "dislike"):
        summary = evaluate_refinement(
            refiner, pairs, scenario, strengths=STRENGTHS, k=TOP, n_pairs=n_pairs
        )
        shown = summary[summary["metric"].isin(SHOWN)].assign(scenario=scenario)
        print(
            shown.pivot(
                index=["scenario", "n", "strength"],
                columns="metric",
                values=["mean", "low", "high"],
            )
            .swaplevel(axis=1)[SHOWN]
            .round(3)
            .to_string()
        )
        found += shown.to_dict("records")
    return found


def timings(data: TaggedInteractions) -> dict[str, list[float]]:
    """Measure the public calls, one by one, over many users."""
    explainer = fitted(data, data.interactions)
    refiner = FeedbackRefiner(explainer)
    users = data.user_ids
    listed = [explainer.recommend(user, 1)["item"][0] for user in users]
    calls = {
        "explain(user, item)": lambda i: explainer.explain(users[i], listed[i]),
        "refine(user, like=, dislike=)": lambda i: refiner.refine(
            users[i], like=["Film-Noir"], dislike=["Comedy"]
        ),
        "refine and recommend(10)": lambda i: refiner.refine(
            users[i], like=["Film-Noir"], dislike=["Comedy"]
        ).recommend(10),
        "profile(user)": lambda i: explainer.profile(users[i]),
        "recommend(user, 10)": lambda i: explainer.recommend(users[i], 10),
    }
    result = {}
    print(f"\nMilliseconds a call, over {len(users)} users: median, 99th percentile")
    for name, call in calls.items():
        call(0)
        taken = []
        for i in range(len(users)):
            start = time.perf_counter()
            call(i)
            taken.append(1e3 * (time.perf_counter() - start))
        result[name] = [float(p) for p in np.percentile(taken, [50, 99])]
        print(f"  {name:32}{result[name][0]:8.3f}{result[name][1]:8.3f}")
    return result


if __name__ == "__main__":
    main()
