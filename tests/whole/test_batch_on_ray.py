"""The batch on Ray, by nothing but joblib's backend."""

import joblib
import pandas as pd
import pytest
from sklearn.decomposition import TruncatedSVD

from sktpecr import FeedbackRefiner, TPECRExplainer
from sktpecr.datasets import make_tagged_interactions

ray = pytest.importorskip("ray", reason="Ray is not installed")

DATA = make_tagged_interactions(n_users=60, n_items=90, n_tags=5, random_state=0)
EXPLAINER = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags).fit(
    DATA.interactions, user_ids=DATA.user_ids
)


@pytest.fixture(scope="module", autouse=True)
def cluster():
    from ray.util.joblib import register_ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    register_ray()
    yield
    ray.shutdown()


@pytest.mark.filterwarnings("ignore")  # Ray about itself
def test_a_cluster_changes_no_bit(tmp_path):
    alone = EXPLAINER.explain_batch(batch_size=16)
    with joblib.parallel_config("ray", n_jobs=2):
        spread = EXPLAINER.explain_batch(batch_size=16)
        EXPLAINER.explain_batch(batch_size=16, to=tmp_path / "out")
    pd.testing.assert_frame_equal(spread, alone, check_exact=True)
    written = pd.read_parquet(tmp_path / "out").reset_index(drop=True)
    loose = {"check_dtype": False, "check_categorical": False}
    pd.testing.assert_frame_equal(written, alone, check_exact=True, **loose)


@pytest.mark.filterwarnings("ignore")
def test_refinements_as_well():
    said = pd.DataFrame({"user": DATA.user_ids[:20], "tag": "tag_1", "feedback": "like"})
    refiner = FeedbackRefiner(EXPLAINER)
    alone = refiner.refine_batch(said, batch_size=4)
    with joblib.parallel_config("ray", n_jobs=2):
        spread = refiner.refine_batch(said, batch_size=4)
    pd.testing.assert_frame_equal(spread, alone, check_exact=True)
