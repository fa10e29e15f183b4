"""The batch on a cluster of dask's, by nothing but joblib's backend."""

import joblib
import pandas as pd
import pytest
from sklearn.decomposition import TruncatedSVD

from sktpecr import FeedbackRefiner, TPECRExplainer
from sktpecr.datasets import make_tagged_interactions
from sktpecr.explanation._list_explainer import ListExplainer

distributed = pytest.importorskip("distributed", reason="dask is not installed")

DATA = make_tagged_interactions(n_users=60, n_items=90, n_tags=5, random_state=0)
EXPLAINER = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags).fit(
    DATA.interactions, user_ids=DATA.user_ids
)


@pytest.fixture(scope="module")
def cluster():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0"
        ) as cluster,
        distributed.Client(cluster),
    ):
        yield


def test_a_cluster_changes_no_bit(cluster, tmp_path):
    alone = EXPLAINER.explain_batch(batch_size=16)
    with joblib.parallel_config("dask"):
        spread = EXPLAINER.explain_batch(batch_size=16)
        EXPLAINER.explain_batch(batch_size=16, to=tmp_path / "out")
    pd.testing.assert_frame_equal(spread, alone, check_exact=True)
    pd.testing.assert_frame_equal(
        pd.read_parquet(tmp_path / "out").reset_index(drop=True),
        alone,
        check_exact=True,
        check_dtype=False,
        check_categorical=False,
    )


def test_refinements_as_well(cluster):
    said = pd.DataFrame({"user": DATA.user_ids[:20], "tag": "tag_1", "feedback": "like"})
    refiner = FeedbackRefiner(EXPLAINER)
    alone = refiner.refine_batch(said, batch_size=4)
    with joblib.parallel_config("dask"):
        spread = refiner.refine_batch(said, batch_size=4)
    pd.testing.assert_frame_equal(spread, alone, check_exact=True)


def test_the_work_is_sent_once_and_not_with_every_part(cluster, monkeypatch):
    pickled = []
    state = ListExplainer.__getstate__
    monkeypatch.setattr(
        ListExplainer, "__getstate__", lambda self: pickled.append(1) or state(self)
    )
    with joblib.parallel_config("dask"):
        EXPLAINER.explain_batch(batch_size=2)
    assert 1 <= len(pickled) <= 2  # of 30 parts
