"""
All users at once, into Parquet files
=====================================

A nightly job explains the lists of all users. It can be interrupted and resumed.
"""

# %%
# With ``to=``, the explanations are written in parts. The same call, made again after an
# interruption, writes the missing parts. ``n_jobs`` and joblib's backends spread the work over
# cores or machines.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from implicit.als import AlternatingLeastSquares

from sktpecr import TPECRExplainer, plotting
from sktpecr.datasets import load_movielens

data = load_movielens()
als = AlternatingLeastSquares(factors=64, random_state=0)
als.fit(data.interactions, show_progress=False)
explainer = TPECRExplainer(als, data.item_tags)
explainer.fit(data.interactions, user_ids=data.user_ids, item_names=data.item_names)

with tempfile.TemporaryDirectory() as folder:
    explainer.explain_batch(n_items=10, n_tags=19, to=Path(folder) / "explanations")
    table = pd.read_parquet(Path(folder) / "explanations")
table.head(6)[["user", "rank", "name", "tag", "contribution"]].round(2)

# %%
# A question about all users: which genre matters most for each recommendation, and does it speak
# for the film or against it?

first = table[table["contribution"] != 0].groupby(["user", "item"]).head(1)
speaks = first.assign(how=(first["contribution"] > 0).map({True: "for", False: "against"}))
counts = speaks.groupby(["tag", "how"]).size().unstack(fill_value=0)
counts = counts.loc[counts.sum(axis=1).sort_values().index]

figure, axis = plt.subplots(figsize=(7, 4.5), layout="constrained")
axis.barh(counts.index, counts["for"], color="#1763A6", label="for the film")
axis.barh(counts.index, -counts["against"], color="#D97900", label="against it")
axis.axvline(0, color="k", linewidth=0.8)
axis.set(xlabel="recommendations where the genre matters most")
axis.legend(loc="lower right")

# %%
# And how much does each genre contribute? A point is a recommendation, a bar the median.

plotting.plot_everybody(table)
