"""
Does an explanation find what is really there?
==============================================

The paper's synthetic data are scores made from five known preferences, so that what an explanation
finds can be held against the truth.
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
# Importances say what more liking of a tag would do to the score. :class:`ExactAttribution
# <sktpecr.attribution.ExactAttribution>` reads them off the model in closed form. The paper's way
# learns a conditional variational autoencoder (CVAE) that leads from tag preferences to embeddings,
# and explains through it by LIME: of the score, or, as published, of whether the item keeps its
# rank.

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
# Importances of 20 users' explanations of ten items each. What is left of 0 or right of it for
# tags that the item does not have is the error of the method.

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
        color=["#0072b2", "#e69f00"],
        label=["the item's own tag", "the other four"],
    )
    axis.set(title=name, xlabel="importance")
axes[0].set_ylabel("number of importances")
axes[0].legend()
