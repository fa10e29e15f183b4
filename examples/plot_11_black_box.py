"""
A box that has nothing but scores
=================================

Item neighbours have no factors to read anything off. The factors that come nearest to their scores
are learned from a share of these, and every explanation says how much of the box they hold.
"""

# %%
# The box: a film's score is how similar it is to the films that the user rated. All that is known
# of it here is a function of users and items.

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
# How many scores does it take? This box can be asked for all of them, so the copy can be held
# against it: the share of the variance of users' scores that is reproduced, and of their ten best
# films that are the same.

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
axis.plot(budgets, variance, "o-", color="#0072b2", label="variance of scores")
axis.plot(budgets, best, "s--", color="#e69f00", label="ten best films")
axis.set_xscale("log")
axis.set_xticks(budgets, [f"{budget:.0%}" for budget in budgets])
axis.minorticks_off()
axis.set(xlabel="scores that the box was asked for", ylabel="share reproduced", ylim=(0, 1))
axis.legend(loc="lower right")

# %%
# What is explained is the copy, here that of a tenth of the scores, and every explanation carries
# the share that it reproduces, so that nobody takes one for the other. Most boxes cannot be asked
# for all: the share is measured on users whom nothing was learned from, and where these are as few
# as with this little data it is a rough one.

explainer = TPECRExplainer(boxes[2], data.item_tags)
explainer.fit(data.interactions, user_ids=data.user_ids, item_names=data.item_names)
user = data.user_ids[7]
explanation = explainer.explain(user, explainer.recommend(user, 1)["item"][0])
print(explanation.to_text())
asked = f"measured on {boxes[2].n_held_out_} users; {variance[2]:.2f} of everybody's"
print(f"fidelity {explanation.fidelity:.2f}, {asked}")
