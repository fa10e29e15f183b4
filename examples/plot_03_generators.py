"""
Generators compared
===================

A generator finds the embedding of a user with given tag preferences. Four generators on the same
users.
"""

# %%
# Every held-out user gets the tag preferences of another one, as in Table 4 of the paper. Two
# numbers matter: how much of the error remains (0 is exact, 1 is as if nothing had been changed),
# and how plausible the embedding is: its distance from the population, which is 1 for real users.

import matplotlib.pyplot as plt
import numpy as np
from implicit.als import AlternatingLeastSquares

from sktpecr import (
    CVAEGenerator,
    GaussianGenerator,
    InversionGenerator,
    MLPGenerator,
    TPECRExplainer,
)
from sktpecr.datasets import load_movielens
from sktpecr.evaluation import evaluate_generation

data = load_movielens()
rng = np.random.RandomState(0)
train_users = rng.permutation(len(data.user_ids))[: int(0.8 * len(data.user_ids))]
recommender = AlternatingLeastSquares(factors=32, random_state=0)
recommender.fit(data.interactions, show_progress=False)

generators = {
    "Gaussian": GaussianGenerator(),
    "MLP": MLPGenerator(max_epochs=60, random_state=0),
    "CVAE": CVAEGenerator(max_epochs=60, random_state=0),
    "Inversion": InversionGenerator(random_state=0),
}
explainers = {
    name: TPECRExplainer(recommender, data.item_tags, generator=generator).fit(
        data.interactions,
        user_ids=data.user_ids,
        train_users=data.user_ids[train_users],
    )
    for name, generator in generators.items()
}

# %%
# "unedited" is the user's own embedding.

measured = evaluate_generation(explainers)
table = measured.pivot(index="method", columns="metric", values="mean")
table[["MSE / unedited", "hit", "leak", "distance"]].round(4)

# %%
# Where scores are dot products, as here, the Gaussian generator is exact and therefore the default.
# The others are for models whose scores are not dot products.

chosen = measured.set_index(["metric", "method"])
methods = ["unedited", *generators]
figure, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
for axis, metric in zip(axes, ("MSE / unedited", "distance"), strict=True):
    rows = chosen.loc[metric].loc[methods]
    errors = [rows["mean"] - rows["low"], rows["high"] - rows["mean"]]
    axis.bar(methods, rows["mean"], yerr=errors, color="#1763A6", capsize=3)
    axis.set_title({"MSE / unedited": "error that remains"}.get(metric, "distance from users"))
axes[1].axhline(1, color="0.3", linestyle="--")
