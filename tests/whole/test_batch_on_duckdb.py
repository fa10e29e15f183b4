"""The question to everybody's explanations that docs/guide/batch.rst asks, as it stands there."""

import re
import textwrap
from pathlib import Path

import pandas as pd
import pytest
from sklearn.decomposition import TruncatedSVD

from sktpecr import TPECRExplainer
from sktpecr.datasets import make_tagged_interactions

duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed")

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "batch.rst"
DATA = make_tagged_interactions(random_state=0)


def test_duckdb_and_pandas_give_one_answer(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags)
    explainer.fit(DATA.interactions, user_ids=DATA.user_ids)
    explainer.explain_batch(n_items=3, n_tags=4, to="explanations", batch_size=64)
    (query,) = re.findall(r"code-block:: sql\n\n((?:   .*\n|\n)+)", GUIDE.read_text("utf-8"))
    found = duckdb.sql(textwrap.dedent(query)).fetchall()

    table = pd.read_parquet("explanations")
    first = table[table["rank"] == 1].groupby("user", sort=False).head(1)
    reasons = first.loc[first["contribution"] > 0, "tag"].astype(str).value_counts()
    assert dict(found) == reasons.to_dict()
    assert [users for _, users in found] == sorted(reasons, reverse=True)
    assert 1 < len(found) <= 8
    assert 0 < reasons.sum() < 200  # of some the tag is a reason against
