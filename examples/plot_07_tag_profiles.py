"""
Clusters of tastes: tag preferences in a pipeline
=================================================

Tag preferences say what a recommender thinks that each user likes. Other estimators can use them
as features.
"""

# %%
# :class:`~sktpecr.TagPreferenceExtractor` is a transformer. The recommender inside is trained on
# the same interactions when the pipeline is fitted; one that is already trained is left as it is.

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler

from sktpecr import TagPreferenceExtractor
from sktpecr.datasets import load_movielens

data = load_movielens()


def above_own_mean(preferences):
    """Subtract each user's mean preference, which only shows how active the user is."""
    return preferences - preferences.mean(axis=1, keepdims=True)


pipeline = make_pipeline(
    TagPreferenceExtractor(TruncatedSVD(32, random_state=0), data.item_tags),
    StandardScaler(),
    FunctionTransformer(above_own_mean, feature_names_out="one-to-one"),
    Normalizer(),
    KMeans(6, n_init=10, random_state=0),
)
clusters = pipeline.fit_predict(data.interactions)

# %%
# The mean taste of each cluster: which genres its users like more than other genres, and which
# less.

centers = pd.DataFrame(pipeline[-1].cluster_centers_, columns=pipeline[:-1].get_feature_names_out())
order = centers.std().sort_values(ascending=False).index

figure, axis = plt.subplots(figsize=(9, 3.6), layout="constrained")
limit = centers.abs().to_numpy().max()
image = axis.imshow(centers[order], cmap="PuOr", vmin=-limit, vmax=limit, aspect="auto")
axis.set_xticks(range(len(order)), order, rotation=60, ha="right")
sizes = pd.Series(clusters).value_counts().sort_index()
axis.set_yticks(range(len(sizes)), [f"{size} users" for size in sizes])
figure.colorbar(image, label="direction of taste")
