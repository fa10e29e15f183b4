"""The batch on Spark, as docs/guide/batch.rst has it; Spark needs Java."""

import os
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import TruncatedSVD

from sktpecr import FeedbackRefiner, TPECRExplainer
from sktpecr.datasets import make_tagged_interactions

sql = pytest.importorskip("pyspark.sql", reason="Spark is not installed")
if shutil.which("java") is None:
    pytest.skip("Spark needs Java", allow_module_level=True)

DATA = make_tagged_interactions(n_users=60, n_items=90, n_tags=5, random_state=0)
EXPLAINER = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags).fit(
    DATA.interactions, user_ids=DATA.user_ids
)
COLUMNS = (
    "user string, rank int, item string, score double, tag string, importance double, "
    "contribution double, fidelity double"
)


@pytest.fixture(scope="module")
def spark():
    settings = {
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.pyspark.python": sys.executable,
        "spark.executorEnv.OMP_NUM_THREADS": "1",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "16",
    }
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    session = sql.SparkSession.builder.master("local[2]").config(map=settings).getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


def users(spark, ids=DATA.user_ids):
    return spark.createDataFrame([(user,) for user in ids], "user string").repartition(2)


def in_order(table):
    return table.sort_values(["user", "rank"], kind="stable").reset_index(drop=True)


@pytest.mark.filterwarnings("ignore")  # Spark about pandas
def test_everybody_explained_is_what_one_machine_says(spark):
    shared = spark.sparkContext.broadcast(EXPLAINER)

    def explained(frames):
        for frame in frames:
            table = shared.value.explain_batch(frame["user"], n_items=10, n_tags=3)
            yield table.astype({"tag": str, "score": float})

    found = in_order(users(spark).mapInPandas(explained, COLUMNS).toPandas())
    alone = in_order(EXPLAINER.explain_batch(n_items=10, n_tags=3).astype({"tag": str}))
    assert len(found) == 60 * 10 * 3
    for column in ("user", "rank", "item", "tag"):
        assert found[column].tolist() == alone[column].tolist()
    numbers = ["score", "importance", "contribution", "fidelity"]
    np.testing.assert_allclose(found[numbers], alone[numbers], rtol=1e-6, atol=1e-9)


@pytest.mark.filterwarnings("ignore")
def test_refinements_go_by_user(spark):
    said = pd.DataFrame({"user": DATA.user_ids[:20], "tag": "tag_1", "feedback": "like"})
    refiner = FeedbackRefiner(EXPLAINER)
    shared = spark.sparkContext.broadcast(refiner)

    def refined(said_of_one):
        return shared.value.refine_batch(said_of_one, n_items=5).astype({"score": float})

    columns = "user string, rank int, item string, score double, rank_before int"
    grouped = spark.createDataFrame(said).groupBy("user")
    found = in_order(grouped.applyInPandas(refined, columns).toPandas())
    alone = in_order(refiner.refine_batch(said, n_items=5))
    for column in ("user", "rank", "item", "rank_before"):
        assert found[column].tolist() == alone[column].tolist()
