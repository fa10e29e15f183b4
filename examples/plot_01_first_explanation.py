"""
Why this film? A first explanation
==================================

Pass a trained model, a user id and an item id, and get a sentence.
"""

# %%
# The model is ``implicit``'s ALS, trained on the films that the package ships, with their genres as
# tags. :func:`~sktpecr.recommenders.as_recommender` lists the other models that are accepted.

from implicit.als import AlternatingLeastSquares

from sktpecr import TPECRExplainer, plotting
from sktpecr.datasets import load_movielens

data = load_movielens()
als = AlternatingLeastSquares(factors=64, random_state=0)
als.fit(data.interactions, show_progress=False)

explainer = TPECRExplainer(als, item_tags=data.item_tags)
explainer.fit(data.interactions, user_ids=data.user_ids, item_names=data.item_names)

# %%
# What the model recommends to user 243, and why.

listed = explainer.recommend(user=243, n=5)
explanations = [explainer.explain(user=243, item=item) for item in listed["item"]]
for explanation in explanations:
    print(f"{explanation.item_name}: {explanation.to_text()}")

# %%
# The films in brackets are films of these genres that the user rated. Each reason has their ids as
# its evidence.

alien = explanations[1]
alien.reasons

# %%
# The arrows lead from the average user's score to this user's: what raises all scores of this user,
# what each genre of the film adds, and what genres do not explain. This last part is large because
# the model knows more about films than their genres.

alien.plot()

# %%
# The whole list at once: what each genre adds to the score of each film, in bold where the film has
# the genre.

plotting.plot_list(explanations)

# %%
# The same in words: the sum, and how much of the differences between people's scores of the film
# its genres explain, beside random genres.

print(alien.to_text(details=True))

# %%
# The same numbers as a table, for a dashboard of your own.

alien.to_frame().head().round(2)
