"""The batch on Spark, as docs/guide/batch.rst has it; Spark needs Java."""

import os
import shutil
import sys

import joblib
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
    "user string, rank int, item string, name string, score double, tag string, on_item boolean, "
    "importance double, contribution double, fidelity double"
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


def in_order(table):
    return table.sort_values(["user", "rank"], kind="stable").reset_index(drop=True)


def explained_on(spark, whose):
    """Return everybody's lists by what is in a partition, 15 users, and by one machine."""

    def explained(frames):
        explainer = whose()
        for frame in frames:
            table = explainer.explain_batch(frame["user"], n_items=10, n_tags=3)
            yield table.astype({"tag": str, "score": float})

    rows = spark.sparkContext.parallelize([(user,) for user in DATA.user_ids.tolist()], 4)
    users = spark.createDataFrame(rows, "user string")
    alone = EXPLAINER.explain_batch(n_items=10, n_tags=3, batch_size=15)
    alone = alone.astype({"tag": str, "score": float, "rank": "int32"})
    return in_order(users.mapInPandas(explained, COLUMNS).toPandas()), in_order(alone)


@pytest.mark.filterwarnings("ignore")  # Spark about pandas
def test_an_explainer_that_is_broadcast_changes_no_bit(spark):
    shared = spark.sparkContext.broadcast(EXPLAINER)
    found, alone = explained_on(spark, lambda: shared.value)
    assert found.groupby(["user", "item"]).ngroups == 60 * 10
    pd.testing.assert_frame_equal(found, alone, check_exact=True, check_dtype=False)


@pytest.mark.filterwarnings("ignore")
def test_nor_does_one_that_is_read_from_a_file_part_by_part(spark, tmp_path):
    path = str(tmp_path / "explainer.joblib")
    joblib.dump(EXPLAINER, path)
    found, alone = explained_on(spark, lambda: joblib.load(path, mmap_mode="r"))
    pd.testing.assert_frame_equal(found, alone, check_exact=True, check_dtype=False)


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
