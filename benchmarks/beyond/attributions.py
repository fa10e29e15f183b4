"""Beyond the paper: explanations of several kinds, held against what happens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sklearn.frozen import FrozenEstimator

from benchmarks.beyond.other_attributions import KernelShap, Permutation, RandomOrder
from benchmarks.common.rows import Row, mean_row, prefix
from benchmarks.common.world import World, world
from sktpecr import FeedbackRefiner, TPECRExplainer, published_explainer
from sktpecr.attribution import ExactAttribution, LimeAttribution, ShapleyAttribution
from sktpecr.evaluation import evaluate_calibration, evaluate_explanations

# Fewer where a network scores 100 items for each of 5000 perturbations.
_PAIRS, _PAIRS_OF_NETWORKS = 200, 20
_QUALITY = ("faithfulness", "insertion", "deletion", "seeds: Spearman", "seeds: top 5")
_QUALITY += ("seeds: sign flips", "exact: Spearman", "exact: sign flips")
_OTHERS = ("KernelSHAP", "permutation", "random order")
_CALIBRATION = ("sign right", "correlation", "slope", "rank: sign right", "tag reached")


def explanations(
    data_name: str, data_dir: Path | None, model_name: str, figures_dir: Path | None
) -> list[Row]:
    """Compare attributions, by the generator that they explain and feedback goes through."""
    here = world(data_name, data_dir, model_name)
    name = prefix("beyond explanations", data_name, model_name)
    pairs = here.pairs[: _PAIRS if here.exact else _PAIRS_OF_NETWORKS]
    rows = []
    for generator, explainers in _explainers(here).items():
        where = f"{name} {generator}"
        refiner = FeedbackRefiner(next(iter(explainers.values())), solver="closed_form")
        quality = evaluate_explanations(explainers, pairs, return_cases=True)
        ours = {name: explainers[name] for name in explainers if name not in _OTHERS}
        calibration = evaluate_calibration(ours, refiner, pairs, return_cases=True)
        for cases, metrics in ((quality, _QUALITY), (calibration, _CALIBRATION)):
            for metric in metrics:
                if metric in cases:
                    rows += [
                        mean_row(where, f"{metric} | {method}", each[metric].dropna())
                        for method, each in cases.groupby("method", sort=False)
                        if each[metric].notna().any()
                    ]
    return rows


def _explainers(here: World) -> dict[str, dict[str, TPECRExplainer]]:
    """Return explainers by the name of the attribution, by the name of the generator."""
    sampled: dict[str, Any] = {
        "Shapley": ShapleyAttribution(random_state=0),
        "LIME of the score": LimeAttribution(target="score", engine="vectorized", random_state=0),
        "LIME of the rank": published_explainer(None, random_state=0).attribution,
    }
    others = (KernelShap, Permutation, RandomOrder)
    sampled |= {name: each(random_state=0) for name, each in zip(_OTHERS, others, strict=True)}
    exact: dict[str, Any] = {"exact": ExactAttribution()}
    kinds = {"CVAE": sampled}
    if here.exact:
        # Shapley values are the exact weights there.
        kinds["Gaussian"] = exact | {k: v for k, v in sampled.items() if k != "Shapley"}
    else:
        kinds["Inversion"] = sampled
    return {
        generator: {
            name: here._explainer(FrozenEstimator(here.generator(generator)), attribution)
            for name, attribution in attributions.items()
        }
        for generator, attributions in kinds.items()
    }
