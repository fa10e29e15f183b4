"""Products of tensors: the same functions as of NumPy arrays, on the tensors' device."""

import gc
import warnings

import numpy as np
import pytest
import torch
from sklearn.decomposition import TruncatedSVD

from sktpecr import TPECRExplainer
from sktpecr._utils import _array_api
from sktpecr._utils._array_api import as_array, beside
from sktpecr.attribution import ExactAttribution
from sktpecr.datasets import make_tagged_interactions
from sktpecr.recommenders import FactorRecommender

DATA = make_tagged_interactions(n_users=60, n_items=90, n_tags=5, random_state=0)
RNG = np.random.RandomState(0)
USERS, ITEMS = RNG.randint(60, size=200), RNG.randint(90, size=200)
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU")
devices = pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_cuda)])
dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture(scope="module", params=[None, ExactAttribution()], ids=["account", "exact"])
def explainer(request):
    kind = {} if request.param is None else {"attribution": request.param}
    explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags, **kind)
    return explainer.fit(DATA.interactions)


def products(explainer, embeddings, users, items):
    """Return all products of the batch paths; pairs of user and item are last."""
    tag_model = explainer.tag_model_
    preferences = tag_model.extractor.tag_preferences(embeddings)
    recommender, attribution = tag_model.recommender, tag_model.attribution
    found = [
        recommender.score_items(embeddings),
        recommender.score_items(embeddings, items),
        preferences,
        tag_model.vs_mean(preferences),
    ]
    if isinstance(attribution, ExactAttribution):
        return [*found, attribution.importances(items) * tag_model.vs_mean(preferences)[users]]
    tastes = attribution.tastes(preferences, embeddings)
    activity = attribution.activity(embeddings, items)
    return [*found, tastes, activity, attribution.contributions(tastes, users, items)]


@devices
@dtypes
def test_tensors_in_give_tensors_out_with_the_numbers_of_numpy(explainer, device, dtype):
    embeddings = explainer.user_embeddings_.astype(dtype)
    expected = products(explainer, embeddings, USERS, ITEMS)
    given = (torch.tensor(each, device=device) for each in (embeddings, USERS, ITEMS))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # torch warns of read-only memory and of sparse tensors
        found = products(explainer, *given)
    for one, other in zip(found, expected, strict=True):
        assert isinstance(one, torch.Tensor)
        assert one.device.type == device
        dense = one.to_dense().cpu().numpy()
        other = other if isinstance(other, np.ndarray) else other.toarray()
        np.testing.assert_allclose(dense, other, rtol=1e-5, atol=1e-5 * np.abs(other).max())
    assert all(one.dtype == torch.tensor(embeddings).dtype for one in found[:4])


@devices
def test_contributions_of_a_tensor_are_stored_for_own_tags_alone_and_in_order(explainer, device):
    account = explainer.tag_model_.account
    tastes = torch.tensor(np.ones((60, 5)), device=device)
    told = account.contributions(tastes, USERS, ITEMS)
    assert torch.equal(told.values(), told.coalesce().values())
    own = account.weights_[ITEMS]
    np.testing.assert_array_equal(told.indices()[1].cpu(), own.indices)
    assert told.values().numel() == own.nnz
    nobody = account.contributions(tastes, USERS[:0], ITEMS[:0])
    assert tuple(nobody.shape) == (0, 5)


def test_biases_are_in_the_scores_of_tensors_and_gradients_pass():
    biases = np.arange(3.0)
    recommender = FactorRecommender(np.eye(2), np.ones((3, 2)), biases)
    users = torch.tensor([[1.0, 2.0]], dtype=torch.float64, requires_grad=True)
    scores = recommender.score_items(users)
    assert scores.tolist() == [[3.0, 4.0, 5.0]]
    scores.sum().backward()
    assert users.grad.tolist() == [[3.0, 3.0]]


def test_a_copy_for_a_device_is_made_once_and_goes_with_the_array():
    array, like = np.arange(4.0), torch.ones(1)
    copy = beside(array, like)
    assert beside(array, like) is copy
    assert copy.dtype == torch.float32
    assert beside(array, like.double()) is not copy
    known = len(_array_api._COPIES)
    del array
    gc.collect()
    assert len(_array_api._COPIES) == known - 2


def test_what_is_no_tensor_becomes_an_array():
    tensor = torch.ones(2)
    assert as_array(tensor) is tensor
    assert isinstance(as_array([1.0, 2.0]), np.ndarray)
