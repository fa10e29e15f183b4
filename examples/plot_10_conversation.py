"""
A conversation
==============

Several answers in a row. Each one reports what it changed, and each can be undone.
"""

# %%
# The user asks for more of one genre and less of another, and rejects a film.

import matplotlib.pyplot as plt
import numpy as np
from implicit.als import AlternatingLeastSquares

from sktpecr import Conversation, TPECRExplainer
from sktpecr.datasets import load_movielens

data = load_movielens()
als = AlternatingLeastSquares(factors=64, random_state=0)
als.fit(data.interactions, show_progress=False)
explainer = TPECRExplainer(als, data.item_tags)
explainer.fit(data.interactions, user_ids=data.user_ids, item_names=data.item_names)

conversation = Conversation(explainer, user=42)
first = conversation.recommend(10)
print(conversation.like("Film-Noir"))

# %%

print(conversation.dislike("Comedy"))

# %%

print(conversation.reject(conversation.recommend(1)["item"][0]))

# %%
# Which tags to ask about next:

conversation.suggest_question(3).round(2)

# %%
# The whole conversation so far:

print(conversation)

# %%
# Undo returns exactly to the first list. What the user said is kept as JSON, and can be applied to
# the model of tomorrow.

while conversation.history:
    conversation.undo()
print(conversation.recommend(10)["item"].equals(first["item"]))
print(conversation.to_json()[:120])

# %%
# A conversation does not destroy a user's lasting taste. For 50 users, the figure shows the mean
# rank of the films that they rated while they give ten random answers (0 is the top of all films).

rng = np.random.RandomState(0)
genres = list(data.item_tags.columns)
state = np.zeros((50, 11))
for number, user in enumerate(data.user_ids[:50]):
    seen = data.interactions[number].indices
    talk = Conversation(explainer, user=user)
    for turn in range(11):
        ranks = (-talk.refinement.scores).argsort().argsort()
        state[number, turn] = ranks[seen].mean() / len(ranks)
        talk.say(**{rng.choice(["like", "dislike"]): [rng.choice(genres)]})

figure, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
axis.plot(state.T, color="0.8", linewidth=0.8)
axis.plot(state.mean(axis=0), "o-", color="#1763A6", label="mean of 50 users")
axis.axhline(0.5, color="k", linestyle="--", label="films picked at random")
axis.set(xlabel="turns", ylabel="mean rank of the history", ylim=(0, 0.55))
axis.legend()
