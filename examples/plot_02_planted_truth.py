"""
Does an explanation find the true reasons?
==========================================

The scores of the paper's synthetic data are made from five known preferences, so we can compare
the explanations with the truth.
"""

# %%
# A thousand users and fifty items with one of five tags each. A user's score of an item is her
# preference for its tag: one importance should be large, the other four zero.

import matplotlib.pyplot as plt
import numpy as np

from sktpecr import CVAEGenerator, TPECRExplainer
from sktpecr.attribution import ExactAttribution, LimeAttribution
from sktpecr.datasets import make_tpecr_synthetic
from sktpecr.recommenders import FactorRecommender

data = make_tpecr_synthetic(random_state=0)
recommender = FactorRecommender(data.user_embeddings, data.item_embeddings)

# %%
# An importance says how much the score would grow if the user liked a tag more.
# :class:`ExactAttribution <sktpecr.attribution.ExactAttribution>` computes importances in closed
# form. The paper trains a conditional variational autoencoder (CVAE), which turns tag preferences
# into embeddings, and explains the result by LIME: either the score, or, as published, whether the
# item keeps its rank.

lime = LimeAttribution(target="score", random_state=0)
rank_lime = LimeAttribution(target="rank", center="population", random_state=0)
cvae = CVAEGenerator(hidden_dims=(16,), latent_dim=8, max_epochs=100, random_state=0)
explainers = {
    "closed form": TPECRExplainer(recommender, data.item_tags, attribution=ExactAttribution()),
    "CVAE, LIME of the score": TPECRExplainer(
        recommender, data.item_tags, generator=cvae, attribution=lime
    ),
    "CVAE, LIME of the rank": TPECRExplainer(
        recommender, data.item_tags, generator=cvae, attribution=rank_lime
    ),
}

# %%
# Importances for ten items and 20 users. For tags that the item does not have, each distance from 0
# is an error of the method.

figure, axes = plt.subplots(1, 3, figsize=(9, 3), sharey=True, layout="constrained")
for axis, (name, explainer) in zip(axes, explainers.items(), strict=True):
    explainer.fit(data.scores)
    found = np.array(
        [
            explainer.explain(user, item).importances
            for user in range(20)
            for item in range(0, 50, 5)
        ]
    )
    own = np.tile(data.item_tags.iloc[::5].to_numpy() > 0, (20, 1))
    edges = np.linspace(min(found.min(), -0.05), found.max() * 1.05, 30)
    axis.hist(
        [found[own], found[~own]],
        bins=edges,
        stacked=True,
        color=["#1763A6", "#D97900"],
        label=["the item's own tag", "the other four"],
    )
    axis.set(title=name, xlabel="importance")
axes[0].set_ylabel("number of importances")
axes[0].legend()
