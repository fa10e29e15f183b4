"""
Everybody at once, into Parquet
===============================

The nightly job: the lists of all users, explained, in a table that survives being interrupted.
"""

# %%
# With `to`, the explanations are written part by part; the same call made again goes on where an
# interrupted one was. `n_jobs` and joblib's backends spread it over cores or machines.

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
table.head(6)

# %%
# A question that takes everybody: which genre matters most to each recommendation, and does it
# speak for it or against it?

first = table[table["contribution"] != 0].groupby(["user", "item"]).head(1)
speaks = first.assign(how=(first["contribution"] > 0).map({True: "for", False: "against"}))
counts = speaks.groupby(["tag", "how"]).size().unstack(fill_value=0)
counts = counts.loc[counts.sum(axis=1).sort_values().index]

figure, axis = plt.subplots(figsize=(7, 4.5), layout="constrained")
axis.barh(counts.index, counts["for"], color="#0072b2", label="for the film")
axis.barh(counts.index, -counts["against"], color="#e69f00", label="against it")
axis.axvline(0, color="k", linewidth=0.8)
axis.set(xlabel="recommendations where the genre matters most")
axis.legend(loc="lower right")

# %%
# And how much, from one reader to the next: a point is a recommendation, a bar the median.

plotting.plot_everybody(table)
