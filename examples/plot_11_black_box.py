"""
A black box that only returns scores
====================================

Nearest-neighbour models have no factors. The package learns factors that reproduce their scores
as well as possible, and every explanation says how well.
"""

# %%
# The black box: a film's score is its similarity to the films that the user rated. The explainer
# sees only a function of users and items.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics.pairwise import cosine_similarity

from sktpecr import TPECRExplainer
from sktpecr.datasets import load_movielens
from sktpecr.recommenders import DistilledRecommender

data = load_movielens()
similar = cosine_similarity(data.interactions.T)
np.fill_diagonal(similar, 0)
scores = data.interactions @ similar


def neighbours(users, items):
    return scores[users, items]


# %%
# How many scores are needed? This box can return all of them, so we can compare the learned copy
# with it: which share of the variance of users' scores is reproduced, and which share of their ten
# best films.

seen = data.interactions.toarray() > 0


def ten_best(scores):
    return np.argsort(np.where(seen, -np.inf, scores), axis=1)[:, -10:]


def reproduced(box):
    copy = box.score_items(box.user_embeddings)
    wrong = np.var(copy - scores, axis=1).sum() / np.var(scores, axis=1).sum()
    pairs = zip(ten_best(copy), ten_best(scores), strict=True)
    return 1 - wrong, np.mean([len(np.intersect1d(*pair)) / 10 for pair in pairs])


budgets = [0.02, 0.05, 0.1, 0.2, 0.4]
boxes = [
    DistilledRecommender(neighbours, budget=budget, random_state=0).fit(data.interactions)
    for budget in budgets
]
variance, best = zip(*map(reproduced, boxes), strict=True)

figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
axis.plot(budgets, variance, "o-", color="#1763A6", label="variance of scores")
axis.plot(budgets, best, "s--", color="#D97900", label="ten best films")
axis.set_xscale("log")
axis.set_xticks(budgets, [f"{budget:.0%}" for budget in budgets])
axis.minorticks_off()
axis.set(xlabel="share of scores asked for", ylabel="share reproduced", ylim=(0, 1))
axis.legend(loc="lower right")

# %%
# The explanations are for the copy, here one learned from a tenth of the scores. Each explanation
# has the share that the copy reproduces as its fidelity. It is measured on users that nothing was
# learned from, because most boxes cannot be asked for all scores. With as few users as here it is a
# rough estimate.

explainer = TPECRExplainer(boxes[2], data.item_tags)
explainer.fit(data.interactions, user_ids=data.user_ids, item_names=data.item_names)
user = data.user_ids[7]
explanation = explainer.explain(user, explainer.recommend(user, 1)["item"][0])
print(explanation.to_text())
asked = f"measured on {boxes[2].n_held_out_} users; {variance[2]:.2f} of everybody's"
print(f"fidelity {explanation.fidelity:.2f}, {asked}")
