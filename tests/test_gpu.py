"""What a GPU is for: models and networks that were trained on one. Skipped elsewhere."""

import implicit.gpu
import numpy as np
import pytest
import torch
from implicit.als import AlternatingLeastSquares

from sktpecr import CVAEGenerator, FeedbackRefiner, TPECRExplainer
from sktpecr.datasets import make_tagged_interactions
from sktpecr.recommenders import TorchRecommender

DATA = make_tagged_interactions(n_users=200, n_items=120, n_tags=6, random_state=0)


@pytest.mark.skipif(not implicit.gpu.HAS_CUDA, reason="implicit was built without CUDA, or no GPU")
def test_als_of_a_gpu_is_explained_as_its_copy_on_the_host():
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


needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU")


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
