"""
Raising and lowering a tag preference
=====================================

If a user liked a tag more, would its items rise? Figure 4 of the paper, on the shipped films.
"""

# %%
# For each of 200 users, the preference for one genre is lowered and raised, in standard deviations
# of the population. The mean average precision (MAP) of a genre's films in the list is compared
# before and after, for the changed genre and for another one.

from implicit.als import AlternatingLeastSquares

from sktpecr import CVAEGenerator, TPECRExplainer, plotting
from sktpecr.datasets import load_movielens
from sktpecr.evaluation import evaluate_control

data = load_movielens()
als = AlternatingLeastSquares(factors=64, random_state=0)
als.fit(data.interactions, show_progress=False)

explainers = {
    "closed form": TPECRExplainer(als, data.item_tags),
    "CVAE": TPECRExplainer(
        als, data.item_tags, generator=CVAEGenerator(max_epochs=60, random_state=0)
    ),
}
for explainer in explainers.values():
    explainer.fit(data.interactions, user_ids=data.user_ids, train_users=data.user_ids[:-200])
measured = evaluate_control(explainers, d=[-2, -1, -0.5, 0, 0.5, 1, 2], k=100)

# %%
# Up means that the films of the genre rise. A good generator changes nothing where nothing is asked
# for; the CVAE's own error moves the list there, too.

plotting.plot_control(measured)
