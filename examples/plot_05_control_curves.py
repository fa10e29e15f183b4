"""
Turning a tag up and down
=========================

If a user cared more for a tag, would its items rise? Figure 4 of the paper, on the shipped films.
"""

# %%
# For each of 200 users one genre is turned down and up, in standard deviations of the population,
# and the mean average precision of that genre's films in the list is taken before and after, for
# the genre that was turned and for another one.

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
# F-MAP is "before minus after": it falls where the films of the genre rise. A good generator passes
# through zero where nothing is asked for; a CVAE's own error keeps it off.

plotting.plot_control(measured)
