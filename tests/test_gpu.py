"""What a GPU is for: models and networks that were trained on one, and tensors that lie there.

Skipped elsewhere.
"""

import warnings

import numpy as np
import pytest
import torch
from sklearn.decomposition import TruncatedSVD

from benchmarks.devices import alike, parts, products
from sktpecr import CVAEGenerator, FeedbackRefiner, TPECRExplainer
from sktpecr._utils._top_lists import TopLists
from sktpecr.attribution import ExactAttribution
from sktpecr.datasets import make_tagged_interactions
from sktpecr.recommenders import TorchRecommender

DATA = make_tagged_interactions(n_users=200, n_items=120, n_tags=6, random_state=0)
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU")


def test_als_of_a_gpu_is_explained_as_its_copy_on_the_host():
    gpu = pytest.importorskip("implicit.gpu", reason="implicit is not installed")
    if not gpu.HAS_CUDA:
        pytest.skip("implicit was built without CUDA, or no GPU")
    from implicit.als import AlternatingLeastSquares

    als = AlternatingLeastSquares(factors=16, use_gpu=True, random_state=0)
    als.fit(DATA.interactions, show_progress=False)
    explained = []
    for model in (als, als.to_cpu()):
        explainer = TPECRExplainer(model, DATA.item_tags).fit(DATA.interactions)
        explanation = explainer.explain(3, explainer.recommend(3, 1)["item"].iloc[0])
        refined = FeedbackRefiner(explainer).refine(3, like="tag_1")
        explained.append((explanation.item, explanation.contributions, refined.embedding))
    assert explained[0][0] == explained[1][0]
    for one, other in zip(*(each[1:] for each in explained), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.fixture(scope="module")
def explainer():
    svd = TruncatedSVD(8, random_state=0)
    return TPECRExplainer(svd, DATA.item_tags).fit(DATA.interactions)


@needs_cuda
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tensors_of_a_gpu_give_tensors_there_with_the_numbers_of_numpy(explainer, dtype):
    rng = np.random.RandomState(0)
    embeddings = explainer.user_embeddings_.astype(dtype)
    given = embeddings, rng.randint(200, size=500), rng.randint(120, size=500)
    exact = explainer.tag_model_.fitted(ExactAttribution())
    expected = products(explainer, exact, *given)
    tensors = (torch.tensor(each, device="cuda") for each in given)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # torch warns of read-only memory and of sparse tensors
        for name, product in products(explainer, exact, *tensors).items():
            found = product.call()
            for each in found if isinstance(found, TopLists) else [found]:
                assert each.device.type == "cuda", name
            assert parts(found)[0].dtype == dtype, name
            alike(expected[name].call(), found)


@needs_cuda
def test_a_generator_trained_on_a_gpu_obeys_as_one_of_the_host():
    rng = np.random.RandomState(0)
    factors = rng.normal(size=(200, 8)), rng.normal(size=(120, 8))
    left = {}
    for device in ("cpu", "cuda"):
        generator = CVAEGenerator(device=device, max_epochs=60, random_state=0)
        explainer = TPECRExplainer(factors, DATA.item_tags, generator=generator)
        tag_model = explainer.fit(DATA.interactions).tag_model_
        swap = tag_model.swapped(factors[0], np.random.RandomState(1))
        left[device] = swap.error_left
    assert left["cuda"] == pytest.approx(left["cpu"], rel=0.2)


@needs_cuda
def test_a_torch_score_on_a_gpu_is_that_of_the_host():
    rng = np.random.RandomState(0)
    factors = rng.normal(size=(20, 8)), rng.normal(size=(30, 8))

    def score(users, items):
        return torch.tanh((users * items).sum(dim=1))

    scores = [
        TorchRecommender(score, *factors, device=device).score_items(factors[0])
        for device in ("cpu", "cuda")
    ]
    np.testing.assert_allclose(*scores, rtol=1e-5, atol=1e-6)
