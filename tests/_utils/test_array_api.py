"""Products of tensors: the same functions as of NumPy arrays, on the tensors' device."""

import gc
import warnings

import numpy as np
import pytest
import torch
from sklearn.decomposition import TruncatedSVD
from torch.overrides import TorchFunctionMode

from benchmarks.devices import alike, parts, products
from sktpecr import TPECRExplainer
from sktpecr._utils import _array_api
from sktpecr._utils._array_api import as_array, beside
from sktpecr._utils._top_lists import TopLists
from sktpecr.attribution import ExactAttribution
from sktpecr.datasets import make_tagged_interactions
from sktpecr.recommenders import FactorRecommender

DATA = make_tagged_interactions(n_users=60, n_items=90, n_tags=5, random_state=0)
RNG = np.random.RandomState(0)
USERS, ITEMS = RNG.randint(60, size=200), RNG.randint(90, size=200)


class There(torch.Tensor):
    """A tensor that is said to lie on a GPU."""


class PretendedGPU(TorchFunctionMode):
    """Raise wherever a GPU would, which torch on the CPU does not.

    What is put on "cuda" lies there until it is copied back: NumPy cannot read it, and it goes with
    no array and no tensor of the host. Indices of NumPy would be taken, and are refused, too: each
    of them waits for the GPU.
    """

    def __torch_function__(self, func, types, args=(), kwargs=None):
        given, name = {**(kwargs or {})}, getattr(func, "__name__", "")
        leaves = list(_leaves((args, given)))
        is_there = any(isinstance(each, There) for each in leaves)
        if func == torch.Tensor.device.__get__:
            return torch.device("cuda:0" if is_there else "cpu")
        places = [each for each in leaves if isinstance(each, torch.device | str)]
        if name == "to" and places:
            dtypes = [each for each in leaves if isinstance(each, torch.dtype)]
            moved = args[0].as_subclass(torch.Tensor).to(*dtypes)
            return moved.as_subclass(
                There if torch.device(places[0]).type == "cuda" else torch.Tensor
            )
        if name == "cpu":
            return args[0].as_subclass(torch.Tensor)
        if "device" in given and torch.device(given["device"]).type == "cuda":
            return func(*args, **{**given, "device": "cpu"}).as_subclass(There)
        if is_there:
            if name in ("__array__", "numpy", "tolist"):
                raise TypeError(f"{name} of a tensor that lies on the GPU")
            for each in leaves:
                on_host = isinstance(each, np.ndarray | torch.Tensor) and each.ndim
                if on_host and not isinstance(each, There):
                    raise RuntimeError(f"{name} of tensors that lie on the GPU and {type(each)}")
        return func(*args, **given)


def _leaves(values):
    if isinstance(values, dict):
        values = values.values()
    for each in values:
        if isinstance(each, tuple | list | dict):
            yield from _leaves(each)
        else:
            yield each


@pytest.fixture(scope="module")
def explainer():
    explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags)
    return explainer.fit(DATA.interactions)


@pytest.fixture(scope="module")
def exact(explainer):
    return explainer.tag_model_.fitted(ExactAttribution())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tensors_in_give_tensors_out_with_the_numbers_of_numpy(explainer, exact, dtype):
    given = explainer.user_embeddings_.astype(dtype), USERS, ITEMS
    expected = products(explainer, exact, *given)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # torch warns of read-only memory and of sparse tensors
        for name, product in products(explainer, exact, *map(torch.tensor, given)).items():
            found = product.call()
            for each in found if isinstance(found, TopLists) else [found]:
                assert isinstance(each, torch.Tensor), name
            assert parts(found)[0].dtype == dtype, name
            alike(expected[name].call(), found)
            if isinstance(found, TopLists):
                np.testing.assert_array_equal(found.items, expected[name].call().items)


def test_no_tensor_of_a_gpu_meets_the_host(explainer, exact):
    given = explainer.user_embeddings_, USERS, ITEMS
    with PretendedGPU():
        tensors = [torch.tensor(each, device="cuda") for each in given]
        for name, product in products(explainer, exact, *tensors).items():
            found = product.call()
            for each in found if isinstance(found, TopLists) else [found]:
                # A sparse tensor forgets of which kind its values are.
                assert each.is_sparse or isinstance(each, There), name


def test_the_pretended_gpu_refuses_what_one_does():
    host = torch.ones(3)
    with PretendedGPU():
        there = torch.ones(3, device="cuda")
        assert there.device.type == "cuda"
        assert type(there.cpu()) is torch.Tensor
        for refused in (
            lambda: np.asarray(there),
            lambda: there + host,
            lambda: there * np.ones(3),
            lambda: host[there.to(torch.int64)],
            lambda: there.__setitem__(slice(None), host),
        ):
            with pytest.raises((TypeError, RuntimeError), match="on the GPU"):
                refused()
        assert isinstance(there * 2.0 + host.to(there.device), There)


def test_contributions_of_a_tensor_are_stored_for_own_tags_alone_and_in_order(explainer):
    account = explainer.tag_model_.account
    tastes = torch.ones(60, 5)
    told = account.contributions(tastes, USERS, ITEMS)
    assert torch.equal(told.values(), told.coalesce().values())
    own = account.weights_[ITEMS]
    np.testing.assert_array_equal(told.indices()[1], own.indices)
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
