"""Spark's alternating least squares, which needs Java."""

import shutil
import warnings

import numpy as np
import pytest
from adapter_contract import AdapterContract, X, long_table

pytest.importorskip("pyspark", reason="Spark is not installed")
if shutil.which("java") is None:
    pytest.skip("Spark needs Java", allow_module_level=True)


def session():
    from pyspark.sql import SparkSession

    settings = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2"}
    spark = SparkSession.builder.master("local[1]").config(map=settings).getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


@pytest.fixture(scope="module", autouse=True)
def stopped():
    yield
    session().stop()


class OfSpark(AdapterContract):
    def trained(self, X, n_factors=6, seed=0):
        from pyspark.ml.recommendation import ALS

        spark = session()  # Spark's estimators are made where there is one
        named = {"userCol": "user", "itemCol": "item", "ratingCol": "rating"}
        blocks = {"numUserBlocks": 1, "numItemBlocks": 1}
        als = ALS(rank=n_factors, seed=seed, implicitPrefs=self.implicit, **named, **blocks)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Spark about pandas 3
            return als.fit(spark.createDataFrame(long_table(X)))

    def own_scores(self, model, rows, columns):
        own = np.empty(X.shape)
        for user, listed in model.recommendForAllUsers(len(columns)).collect():
            for item, score in listed:
                own[user, item] = score
        return own[rows][:, columns]


class TestALS(OfSpark):
    model, implicit = "ALSModel, implicitPrefs", True


class TestALSOfRatings(OfSpark):
    model, implicit = "ALSModel", False
