"""
LIME against the closed form
============================

A sampled explanation changes with the random seed. By how much, and how does it depend on the
number of draws?
"""

# %%
# Where scores are dot products, the paper's importances have a closed form,
# :class:`~sktpecr.attribution.ExactAttribution`, so we can measure the error of sampling: the rank
# correlation of a user's importances with the exact ones, and of two seeds with each other.

import time

import matplotlib.pyplot as plt
import numpy as np
from implicit.als import AlternatingLeastSquares
from scipy.stats import spearmanr

from sktpecr import TPECRExplainer
from sktpecr.attribution import ExactAttribution, LimeAttribution
from sktpecr.datasets import load_movielens

data = load_movielens()
als = AlternatingLeastSquares(factors=64, random_state=0)
als.fit(data.interactions, show_progress=False)


def importances(attribution):
    """Return the importances of the first film on the lists of 20 users, and the time of one."""
    explainer = TPECRExplainer(als, data.item_tags, attribution=attribution)
    explainer.fit(data.interactions, user_ids=data.user_ids)
    explainer.explain(data.user_ids[0], data.item_ids[0])
    start = time.process_time()
    found = [explainer.explain(user, item).importances for user, item in pairs]
    return np.array(found), (time.process_time() - start) / len(pairs)


explainer = TPECRExplainer(als, data.item_tags).fit(data.interactions, user_ids=data.user_ids)
pairs = [(user, explainer.recommend(user, 1)["item"][0]) for user in data.user_ids[100:120]]
exact, exact_seconds = importances(ExactAttribution())

# %%
# LIME of the score, and LIME as in the paper: of whether the item keeps its rank among 99 others.

draws = [50, 200, 1000, 5000]
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for target, color in (("score", "#1763A6"), ("rank", "#D97900")):
    to_exact, to_itself, seconds = [], [], []
    for n_samples in draws:
        (one, spent), (two, _) = (
            importances(
                LimeAttribution(
                    target=target, n_samples=n_samples, engine="vectorized", random_state=seed
                )
            )
            for seed in (0, 1)
        )
        to_exact.append(np.mean([spearmanr(*each)[0] for each in zip(one, exact, strict=True)]))
        to_itself.append(np.mean([spearmanr(*each)[0] for each in zip(one, two, strict=True)]))
        seconds.append(spent)
    axes[0].plot(draws, to_exact, "o-", color=color, label=f"{target}: with the exact ones")
    axes[0].plot(draws, to_itself, "s--", color=color, label=f"{target}: of two seeds")
    axes[1].plot(draws, np.multiply(seconds, 1e3), "o-", color=color, label=f"LIME of the {target}")
axes[0].set(xscale="log", xlabel="draws", ylabel="rank correlation")
axes[0].legend(fontsize=8)
axes[1].axhline(exact_seconds * 1e3, color="k", label="closed form")
axes[1].set(xscale="log", yscale="log", xlabel="draws", ylabel="ms for an explanation")
axes[1].legend(fontsize=8)
