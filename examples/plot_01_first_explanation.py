"""
Why this film? A first explanation
==================================

A trained model goes in as it is; a user id and an item id give an explanation by tags.
"""

# %%
# The model is `implicit`'s ALS, trained on the films that the package ships, with their genres as
# tags. Any other model would do: see :func:`~sktpecr.recommenders.as_recommender`.

from implicit.als import AlternatingLeastSquares

from sktpecr import TPECRExplainer, plotting
from sktpecr.datasets import load_movielens

data = load_movielens()
als = AlternatingLeastSquares(factors=64, random_state=0)
als.fit(data.interactions, show_progress=False)

explainer = TPECRExplainer(als, item_tags=data.item_tags)
explainer.fit(data.interactions, user_ids=data.user_ids, item_names=data.item_names)

# %%
# What the model would show to user 42, and why the first of it.

listed = explainer.recommend(user=42, n=5)
listed

# %%
explanation = explainer.explain(user=42, item=listed["item"][0])
print(explanation.to_text())

# %%
# The waterfall goes from the score that the average user gets, through what each genre
# contributed, to the recommender's own score. What no genre accounts for is the residual, drawn
# like the others: a model that knows films better than their genres must show it.

explanation.plot()

# %%
# The whole list at once: what each genre contributes to each film, bold where the film has it.

plotting.plot_list([explainer.explain(user=42, item=item) for item in listed["item"]])

# %%
# How far to trust it is printed with it.

print(explanation.certificate)

# %%
# The same numbers as a table, for a dashboard of your own.

explanation.to_frame().head()
