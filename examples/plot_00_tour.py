"""
Ten minutes: explain, answer, explain again
===========================================

A tour of the package on the films that it ships: a trained model, a reason for each film that it
recommends, an answer from the user, and what the answer changes.
"""

# %%
# A trained model
# ---------------
#
# The package ships the ratings of 9,066 films by 671 users of MovieLens, with the films' genres.
# The model is ``implicit``'s ALS. Put your own trained model in its place: see
# :func:`~sktpecr.recommenders.as_recommender` for what is accepted.

from implicit.als import AlternatingLeastSquares

from sktpecr import FeedbackRefiner, TPECRExplainer
from sktpecr.datasets import load_movielens

data = load_movielens()
als = AlternatingLeastSquares(factors=64, random_state=0)
als.fit(data.interactions, show_progress=False)
data

# %%
# The explainer takes the trained model as it is: nothing is trained again, and the model is not
# changed. The *tags* are what it explains with, here the genres. They can be anything that items
# have: shelves, keywords, moods.

explainer = TPECRExplainer(als, item_tags=data.item_tags)
explainer.fit(data.interactions, user_ids=data.user_ids, item_names=data.item_names)
data.item_tags.head()

# %%
# What the model recommends
# -------------------------

listed = explainer.recommend(user=243, n=5)
listed

# %%
# And why. The films in brackets are films of these genres that the user rated; those nearest to the
# recommended film in the model's view come first.

for item, name in zip(listed["item"], listed["name"], strict=True):
    print(f"{name}: {explainer.explain(user=243, item=item).to_text()}")

# %%
# Where no tag is the reason, the sentence does not invent one.

print(explainer.explain(user=42, item=593).to_text())

# %%
# How the score adds up
# ---------------------
#
# An explanation takes the score apart: the average user's score, what raises or lowers all scores
# of this user, a *contribution* for each tag of the film, and the rest that no tag explains. The
# rest is usually large, because a model knows more about films than their genres.

explanation = explainer.explain(user=243, item=1214)
explanation.plot()

# %%
# The sum is exact. ``details=True`` writes it out and adds the *certificate*: how much of the
# differences between people's scores of this film its genres explain, and how much genres given to
# films at random would explain.

print(explanation.to_text(details=True))

# %%
# The same as a table, one row for each tag, and as data for a sentence of your own.

explanation.to_frame().query("on_item")[["tag", "liking", "contribution"]]

# %%

explanation.reasons

# %%
# The whole list at once: what each genre adds to the score of each film, in bold where the film has
# the genre.

explainer.plot_list(user=243, n=5)

# %%
# The user answers
# ----------------
#
# "Less Horror." The refiner moves the user's embedding, which is the vector that the model keeps of
# a user; the model itself stays as it is.

refiner = FeedbackRefiner(explainer)
refined = refiner.refine(user=243, dislike="Horror")
refined.recommend(10)[["rank", "rank_before", "name"]]

# %%
# The list before is on the left, the list after on the right; what came in is bold, what left is
# faded.

# sphinx_gallery_thumbnail_number = 3
refined.plot()

# %%
# In a sentence, and the new reason for a film that stayed:

print(refined.to_text())
print(refined.explain(1214).to_text())

# %%
# A second answer continues from the first. ``amount`` says how much: "a bit", "more" (the default)
# or "a lot".

further = refiner.refine(after=refined, like="Musical", amount="a bit")
print(further.to_text())

# %%
# Somebody new
# ------------
#
# A user may also be given by the films that she has seen, or by tags alone: here two standard
# deviations more *Western* than the average user likes, and one less *Musical*.

explainer.recommend(tags={"Western": 2.0, "Musical": -1.0}, n=5)

# %%

explainer.recommend(interactions=[260, 1196, 1210], n=5)

# %%
# What next
# ---------
#
# * :doc:`../how_to`: your own model, pipelines, new users, a web handler.
# * :doc:`../guide/index`: one part at a time.
# * :doc:`../choosing`: which parts to take, and when not to trust an explanation.
# * :doc:`../guide/app`: the same in a browser.
