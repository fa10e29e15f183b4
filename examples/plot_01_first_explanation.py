"""
Why this film? A first explanation
==================================

A trained model goes in as it is; a user id and an item id give a sentence.
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
# What the model would show to user 243, and why.

listed = explainer.recommend(user=243, n=5)
explanations = [explainer.explain(user=243, item=item) for item in listed["item"]]
for explanation in explanations:
    print(f"{explanation.item_name}: {explanation.to_text()}")

# %%
# The films in brackets are films of these genres that the user rated. They come with each reason.

alien = explanations[1]
alien.reasons

# %%
# The figure goes from the average user's score to this user's: what lifts all scores of this user,
# what each genre of the film adds, and what no genre tells. That last bar is drawn like the others:
# the model knows more about films than their genres.

alien.plot()

# %%
# The whole list at once: what each genre contributes to each film, bold where the film has it.

plotting.plot_list(explanations)

# %%
# The same in words: the sum, and how much the genres tell of what makes people's scores of the film
# differ, beside genres dealt at random over the films.

print(alien.to_text(details=True))

# %%
# The same numbers as a table, for a dashboard of your own.

alien.to_frame().head()
