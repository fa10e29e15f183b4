"""Measure the main path on the shipped films: exactness, refinement, shrinkage, time per call.

    python benchmarks/main_path.py [--pairs 500] [--json FILE]

Threads change timings: set OMP_NUM_THREADS=1 and OPENBLAS_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares

from sktpecr import FeedbackRefiner, GaussianGenerator, TPECRExplainer
from sktpecr.datasets import TaggedInteractions, load_movielens
from sktpecr.metrics import falling_rank, list_overlap

STRENGTHS = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0)
TOP = 1000


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


def fitted(data: TaggedInteractions, interactions: sp.csr_matrix) -> TPECRExplainer:
    """Return the default explainer of an ALS model trained on the interactions."""
    explainer = TPECRExplainer(trained(interactions), item_tags=data.item_tags)
    return explainer.fit(interactions, user_ids=data.user_ids, item_names=data.item_names)


def exactness(data: TaggedInteractions) -> dict[str, float]:
    """Measure swapped preferences (Table 4's protocol) and the sum of every explanation."""
    explainer = fitted(data, data.interactions)
    embeddings, own = explainer.user_embeddings_, explainer.tag_preferences_
    wanted = own[np.random.RandomState(0).permutation(len(own))]
    met = explainer.extractor_.tag_preferences(explainer.generator_.generate(wanted, embeddings))
    als = explainer.recommender
    worst = 0.0
    for row in range(100):
        scores = als.item_factors @ als.user_factors[row]
        # The public call explains one item; its parts for all items of a user at once are:
        z = explainer._population.vs_mean(explainer._population.tag_preferences_of(embeddings[row]))
        parts = explainer.attribution_.attribute(own[row], embeddings[row], np.arange(len(scores)))
        tags = parts.importances @ z
        direct = embeddings[row] - explainer.generator_.embedding_mean_
        unseen = direct - explainer.generator_.gain_ @ (z * explainer.population_std_)
        residual = als.item_factors @ unseen  # e_v (I - K M) (e_u - mean), not what is left over
        error = np.abs(parts.base_values + tags + residual - scores).max() / np.abs(scores).max()
        worst = max(worst, float(error))
    result = {
        "swapped preferences, mean squared error": float(np.mean((met - wanted) ** 2)),
        "the same of the unedited embedding": float(np.mean((own - wanted) ** 2)),
        "base + contributions + residual against the library's score, "
        "largest error / largest score, all items of 100 users": worst,
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
    random_state = np.random.RandomState(0)
    X = data.interactions.tocoo()
    held_out = random_state.uniform(size=X.nnz) < 0.2
    train = sp.csr_matrix((X.data[~held_out], (X.row[~held_out], X.col[~held_out])), shape=X.shape)
    explainer = fitted(data, train)
    refiner = FeedbackRefiner(explainer)
    pairs = random_state.permutation(np.column_stack([X.row, X.col])[held_out])
    rows = []
    print(f"\nRefinement, {n_pairs} held-out pairs, tags by the paper's rule, overlap@{TOP}")
    print(
        f"  {'':8}{'strength':>9}{'rise':>8}{'+-':>6}{'F-Rank':>8}{'overlap':>9}{'right way':>11}"
    )
    for scenario, choose in (("like", pos_tag), ("dislike", neg_tag)):
        chosen = []
        for user, item in pairs:
            tag = choose(explainer, user, item) if len(chosen) < n_pairs else None
            if tag is not None:
                chosen.append((user, item, tag))
        for strength in STRENGTHS:
            outcome = np.array(
                [turn(refiner, scenario, strength, *each) for each in chosen], dtype=float
            )
            rise, f_rank, overlap, right = outcome.mean(axis=0)
            margin = 1.96 * np.sqrt(rise * (1 - rise) / len(outcome))
            rows.append(
                {
                    "scenario": scenario,
                    "strength": strength,
                    "pairs": len(outcome),
                    "rise": rise,
                    "margin": margin,
                    "f_rank": f_rank,
                    "overlap": overlap,
                    "right_way": right,
                }
            )
            print(
                f"  {scenario:8}{strength:9.2f}{rise:8.3f}{margin:6.3f}{f_rank:8.0f}"
                f"{overlap:9.3f}{right:11.3f}"
            )
    return rows


def pos_tag(explainer: TPECRExplainer, user: int, item: int) -> str | None:
    """Choose among the target's tags those not liked, and of these the least liked."""
    preferences, level, on_item = _taste(explainer, user, item)
    tags = np.flatnonzero(on_item & (preferences <= level))
    return explainer.tag_names_[tags[np.argmin(preferences[tags])]] if len(tags) else None


def neg_tag(explainer: TPECRExplainer, user: int, item: int) -> str | None:
    """Choose among the tags not on the target those liked, and of these the most liked."""
    preferences, level, on_item = _taste(explainer, user, item)
    tags = np.flatnonzero(~on_item & (preferences > level))
    return explainer.tag_names_[tags[np.argmax(preferences[tags])]] if len(tags) else None


def _taste(explainer: TPECRExplainer, user: int, item: int) -> tuple[np.ndarray, float, np.ndarray]:
    level = float(explainer._population.scores_of(explainer.user_embeddings_[user]).mean())
    return explainer.tag_preferences_[user], level, explainer.extractor_.tags_of(item) > 0


def turn(
    refiner: FeedbackRefiner, scenario: str, strength: float, user: int, item: int, tag: str
) -> tuple[bool, int, float, bool]:
    """Return: does the target rise, by how many ranks, overlap of the list, right way."""
    explainer = refiner.explainer
    refined = refiner.refine(explainer.user_ids_[user], strength=strength, **{scenario: [tag]})
    before, after = refined.scores_before, refined.scores
    rise = falling_rank(before, after, item)
    change = refined.tag_preferences - explainer._population.tag_preferences_of(
        explainer.user_embeddings_[user]
    )
    t = list(explainer.tag_names_).index(tag)
    right = change[t] > 0 if scenario == "like" else change[t] < 0
    return rise > 0, rise, list_overlap(before, after, TOP), bool(right)


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
