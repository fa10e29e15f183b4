"""
What would it take? Questions beyond why
========================================

Why this film above that one, what would bring a film into the list, and what to ask next.
"""

# %%

from implicit.als import AlternatingLeastSquares

from sktpecr import TPECRExplainer, plotting
from sktpecr.datasets import load_movielens

data = load_movielens()
als = AlternatingLeastSquares(factors=64, random_state=0)
als.fit(data.interactions, show_progress=False)
explainer = TPECRExplainer(als, data.item_tags)
explainer.fit(data.interactions, user_ids=data.user_ids, item_names=data.item_names)

# %%
# How the model sees user 42, against the population.

plotting.plot_profile(explainer.profile(user=42))

# %%
# Why one film stands above another.

listed = explainer.recommend(user=42, n=40)
high, low = listed["item"].iloc[[0, 30]]
print(explainer.contrast(user=42, item=high, other=low))

# %%
# The smallest change of tag preferences that brings the lower one into the first ten. It is proven
# smallest, applied and verified; where there is none, that is the answer.

print(explainer.counterfactual(user=42, item=low, goal="enter", k=10))

# %%
# What a conversation should ask about next: the tags whose answers are expected to change the list
# the most.

explainer.suggest_question(user=42, n=3)
