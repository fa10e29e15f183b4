"""
More questions than "why?"
==========================

Why does this film rank above that one, what would bring a film into the list, and which tag
should the user be asked about next?
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
# How much the model thinks that user 243 likes each genre.

plotting.plot_profile(explainer.profile(user=243))

# %%
# Why does *Alien* rank above *The Godfather: Part II*?

listed = explainer.recommend(user=243, n=40)
print(explainer.contrast(user=243, item=1214, other=1221).to_text())

# %%
# What would the user have to like more or less for a film at rank 31 to enter the first ten? At
# most three genres are named, genres that go with them follow, and the answer is applied and
# checked. If none is found, it says so.

print(explainer.counterfactual(user=243, item=listed["item"][30], goal="enter", k=10))

# %%
# Which tags should the user be asked about next? Those whose answers are expected to change the
# list the most.

explainer.suggest_question(user=243, n=3).round(2)
