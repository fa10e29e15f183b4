"""
More of this, less of that
==========================

A user answers about tags, and the next list follows. How far, she decides.
"""

# %%
# User 42 asks for more *Film-Noir* and less *Comedy*. Nothing is retrained.

import matplotlib.pyplot as plt
import numpy as np
from implicit.als import AlternatingLeastSquares

from sktpecr import FeedbackRefiner, TPECRExplainer
from sktpecr.datasets import load_movielens

data = load_movielens()
als = AlternatingLeastSquares(factors=64, random_state=0)
als.fit(data.interactions, show_progress=False)
explainer = TPECRExplainer(als, data.item_tags)
explainer.fit(data.interactions, user_ids=data.user_ids, item_names=data.item_names)

refiner = FeedbackRefiner(explainer)
refined = refiner.refine(user=42, like=["Film-Noir"], dislike=["Comedy"])
refined.recommend(10)[["rank", "rank_before", "name"]]

# %%
# The list before and after.

refined.plot()

# %%
# By default, an answer counts just enough to show: "more" brings two more films of the genre into
# the list. A number in place of that is a *strength*: 1 counts as one answer of a user who is
# looking for a film of this genre, 2 as two such answers, whatever that does to the list. Averaged
# over 100 users, this is what strengths bring (films of the genre among the first 20) and what they
# cost (how much of the first 100 stays).

strengths = [0, 0.5, 1, 2, 4]
noir = data.item_tags["Film-Noir"].to_numpy() > 0
row_of = {item: row for row, item in enumerate(data.item_ids)}
counts, kept = np.zeros((2, 100, len(strengths)))
for number, user in enumerate(data.user_ids[:100]):
    swept = refiner.sweep(user, like="Film-Noir", strengths=strengths)
    lists = [[row_of[item] for item in each.recommend(100)["item"]] for each in swept]
    counts[number] = [noir[rows[:20]].sum() for rows in lists]
    kept[number] = [len(set(rows) & set(lists[0])) / 100 for rows in lists]

figure, axis = plt.subplots(figsize=(6, 3.4), layout="constrained")
axis.plot(kept.mean(axis=0), counts.mean(axis=0), "o-", color="#1763A6")
for x, y, strength in zip(kept.mean(axis=0), counts.mean(axis=0), strengths, strict=True):
    axis.annotate(f"{strength:g}", (x, y), textcoords="offset points", xytext=(6, 4))
axis.invert_xaxis()
axis.set(
    xlabel="share of the first 100 that stays",
    ylabel="Film-Noir among the first 20",
    title="Strengths of a like, mean of 100 users",
)

# %%
# A second answer continues from the first.

further = refiner.refine(after=refined, like="Musical", amount="a bit")
print(further.to_text())
