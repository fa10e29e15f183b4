"""The recipes of docs/guide/engines.rst, each run as it stands there, on the engine it is for."""

import os
import re
import shutil
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import TruncatedSVD

from sktpecr import TPECRExplainer
from sktpecr.datasets import make_tagged_interactions

pytest.importorskip("pyarrow", exc_type=ImportError)
pytestmark = pytest.mark.filterwarnings("ignore")  # engines about themselves and each other

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "engines.rst"
DATA = make_tagged_interactions(n_users=60, n_items=90, n_tags=5, random_state=0)


@pytest.fixture(scope="module")
def explainer():
    explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags)
    return explainer.fit(DATA.interactions, user_ids=DATA.user_ids)


@pytest.fixture(scope="module")
def pairs():
    rng = np.random.RandomState(0)
    rows = [
        (user, item, rank)
        for user in DATA.user_ids.tolist()
        for rank, item in enumerate(rng.choice(DATA.item_ids, 12, replace=False).tolist(), 1)
    ]
    return pd.DataFrame(rows, columns=["user", "item", "rank"])


@pytest.fixture
def folder(tmp_path, monkeypatch, pairs):
    """A folder of candidates in two files, of which the second begins within a user's rows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tell", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    Path("candidates").mkdir()
    for number, rows in enumerate((pairs[:401], pairs[401:])):
        rows.to_parquet(f"candidates/part-{number}.parquet", index=False, row_group_size=100)
    return tmp_path


def code_of(title):
    """Return the code of a section of the page."""
    section = GUIDE.read_text("utf-8").split(f"\n{title}\n{'-' * len(title)}\n")[1]
    section = re.split(r"\n-{4,}\n", section)[0]
    blocks = re.findall(r"code-block:: python\n\n((?:   .*\n|\n)+)", section)
    return textwrap.dedent("".join(blocks))


def run(title, explainer, **names):
    """Save the explainer and tell.py as the page says, and run the code of a section."""
    first = GUIDE.read_text("utf-8").split("Parquet files, without an engine")[0]
    blocks = re.findall(r"code-block:: python\n\n((?:   .*\n|\n)+)", first)
    saving, telling = map(textwrap.dedent, blocks)
    Path("tell.py").write_text(telling, encoding="utf-8")
    names = {"explainer": explainer, **names}
    exec(saving, names)
    exec(code_of(title), names)


def assert_same(found, explainer, pairs):
    """Make sure that rows that any engine wrote are those of one machine and one batch."""
    expected = explainer.reasons_batch(pairs=pairs)
    keys = ["user", "rank"]
    found = found.sort_values(keys, kind="stable").reset_index(drop=True)
    expected = expected.sort_values(keys, kind="stable").reset_index(drop=True)
    assert found.columns.tolist() == expected.columns.tolist()
    for name in expected:
        if expected[name].dtype.kind == "f":
            np.testing.assert_allclose(found[name].astype(float), expected[name], rtol=1e-6)
        else:
            assert texts(found[name]) == texts(expected[name]), name


def texts(column):
    """Return values as text: engines differ in how they say that there is none."""
    return [None if pd.isna(value) or value == "nan" else str(value) for value in column]


def test_files_without_an_engine(folder, explainer, pairs):
    said = pd.DataFrame({"user": DATA.user_ids[:3], "tag": "tag_1", "feedback": "like"})
    run("Parquet files, without an engine", explainer, said=said)
    assert_same(pd.read_parquet("reasons"), explainer, pairs)
    refined = pd.read_parquet("refined")
    joined = refined.merge(pairs, on=["user", "item"], how="left", indicator="found")
    assert refined["user"].nunique() == 3
    assert (joined["found"] == "both").all()


def test_dask(folder, explainer, pairs):
    pytest.importorskip("dask.dataframe", exc_type=ImportError, reason="no tables of dask here")
    run("Dask", explainer)
    assert_same(pd.read_parquet("reasons"), explainer, pairs)


def test_polars(folder, explainer, pairs):
    pytest.importorskip("polars", reason="Polars is not installed")
    run("Polars", explainer)
    assert_same(pd.read_parquet("reasons.parquet"), explainer, pairs)


def test_duckdb(folder, explainer, pairs):
    pytest.importorskip("duckdb", reason="DuckDB is not installed")
    run("DuckDB", explainer)
    assert_same(pd.read_parquet("reasons.parquet"), explainer, pairs)


def test_ray(folder, explainer, pairs):
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        run("Ray Data", explainer)
        assert_same(pd.read_parquet("reasons"), explainer, pairs)
    finally:
        ray.shutdown()


def test_spark(folder, explainer, pairs):
    sql = pytest.importorskip("pyspark.sql", reason="Spark is not installed")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    settings = {"spark.ui.enabled": "false", "spark.sql.execution.arrow.maxRecordsPerBatch": "50"}
    spark = sql.SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    try:
        run("Spark", explainer, spark=spark)
        assert_same(pd.read_parquet("reasons"), explainer, pairs)
    finally:
        spark.stop()
