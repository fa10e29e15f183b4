"""What an explainer was fitted on does not move when the user's model, arrays or ids do."""

import multiprocessing
import subprocess
import sys

import joblib
import numpy as np
import pytest
import torch
from sklearn.decomposition import NMF, PCA, TruncatedSVD
from torch import nn

from sktpecr import FeedbackRefiner, GaussianGenerator, TPECRExplainer
from sktpecr.datasets import make_tagged_interactions
from sktpecr.recommenders import (
    DistilledRecommender,
    FactorizationMachine,
    FactorRecommender,
    MatrixFactorization,
    NeuralCollaborativeFiltering,
    NewItemsRecommender,
    TorchRecommender,
)

DATA = make_tagged_interactions(n_users=60, n_items=40, n_tags=4, density=0.15, random_state=0)
X, ITEMS = DATA.interactions, list(DATA.item_ids)
OTHER = X[:, ::-1].tocsr()
ONE_EPOCH = {"max_epochs": 1, "validation_fraction": 0, "random_state": 0}

pytestmark = pytest.mark.filterwarnings(
    "ignore:the recommender does not tell", "ignore:the factors", "ignore:new users get nearly"
)


def explained(recommender, **given):
    return TPECRExplainer(recommender, DATA.item_tags, generator=GaussianGenerator()).fit(
        X, **given
    )


def answers(explainer):
    user = explainer.user_ids_[3]
    return (
        explainer.explain(user, ITEMS[1]).score,
        explainer.recommend(user)["item"].tolist(),
        explainer.recommend(interactions=ITEMS[:3])["score"].tolist(),
        explainer.tag_model_.fidelity(0),
        list(explainer.user_ids_),
    )


@pytest.mark.parametrize(
    "model",
    [
        MatrixFactorization(4, **ONE_EPOCH),
        FactorizationMachine(DATA.item_tags, 4, **ONE_EPOCH),
        NeuralCollaborativeFiltering(8, hidden_dims=(16,), **ONE_EPOCH),
        DistilledRecommender(NMF(3, random_state=0, max_iter=500), budget=1.0, random_state=0),
        TruncatedSVD(4, random_state=0),
        PCA(4, random_state=0),
        NMF(4, random_state=0, max_iter=500),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_model_that_is_fitted_again(model):
    if isinstance(model, DistilledRecommender):
        model.set_params(model=lambda users, items: (users * 7 + items * 3) % 11 * 1.0)
    model.fit(X.toarray())
    explainer = explained(model)
    before = answers(explainer)
    if isinstance(model, DistilledRecommender):
        model.set_params(model=lambda users, items: 1.0 * items)
    model.fit(OTHER.toarray())
    assert answers(explainer) == before
    assert answers(explained(model))[0] != before[0]


@pytest.mark.filterwarnings("ignore:the tags of the trained items")
def test_new_items_beside_a_model_that_is_fitted_again():
    model = MatrixFactorization(4, **ONE_EPOCH).fit(X[:, :38])
    recommender = NewItemsRecommender(model, DATA.item_tags[:38], DATA.item_tags[38:])
    before = recommender.fold_in(X)
    model.fit(OTHER[:, :38])
    np.testing.assert_array_equal(recommender.fold_in(X), before)


def test_arrays_and_ids_that_are_changed_in_place():
    rng = np.random.RandomState(0)
    users, items, biases = rng.normal(size=(60, 4)), rng.normal(size=(40, 4)), rng.normal(size=40)
    user_ids, item_ids = np.arange(60) * 10, np.array(ITEMS)
    ids = {"user_ids": user_ids, "item_ids": item_ids}
    explainer = explained(FactorRecommender(users, items, biases, **ids), user_ids=user_ids)
    before = answers(explainer)
    for array in (users, items, biases, user_ids, item_ids):
        array[:] = array[::-1].copy()
    assert answers(explainer) == before
    for learned in (explainer.user_embeddings_, explainer.user_ids_, explainer.item_ids_):
        with pytest.raises(ValueError, match="read-only"):
            learned[0] = learned[1]


def test_a_model_of_ones_own_that_learns_new_arrays():
    class Mine:
        def fit(self, seed):
            rng = np.random.RandomState(seed)
            self.user_embeddings, self.items = rng.normal(size=(60, 4)), rng.normal(size=(40, 4))
            return self

        def score_items(self, embeddings, items=None):
            scores = np.tanh(np.asarray(embeddings) @ self.items.T)
            return scores if items is None else scores[:, items]

    mine = Mine().fit(0)
    explainer = explained(mine)
    before = explainer.explain(3, ITEMS[1]).score
    mine.fit(1)
    assert explainer.explain(3, ITEMS[1]).score == before


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_tensors_that_are_trained_on(dtype):
    torch_rng = torch.Generator().manual_seed(0)
    users, items = (
        nn.Parameter(torch.randn(n, 4, generator=torch_rng).to(dtype)) for n in (60, 40)
    )
    net = nn.Bilinear(4, 4, 1)
    found = [explained((users, items)), explained(TorchRecommender(net, users, items))]
    before = [explainer.explain(3, ITEMS[1]).score for explainer in found]
    assert before[0] == pytest.approx(
        float((users[3].double() @ items[1].double()).detach()), rel=1e-5
    )
    with torch.no_grad():
        for each in (users, items, *net.parameters()):
            each += 1
    assert [explainer.explain(3, ITEMS[1]).score for explainer in found] == before


def test_torch_with_float64_as_its_default():
    torch.set_default_dtype(torch.float64)
    try:
        ncf = NeuralCollaborativeFiltering(8, hidden_dims=(16,), **ONE_EPOCH).fit(X)
        explainer = explained(ncf)
        assert np.isfinite(answers(explainer)[0])
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_module_that_keeps_an_activation_is_named():
    class Keeps(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Bilinear(4, 4, 1)

        def forward(self, users, items):
            self.last = self.layer(users, items)
            return self.last

    outer = nn.Module()
    outer.inner = Keeps()
    outer.forward = lambda users, items: outer.inner(users, items)
    outer(torch.ones(1, 4), torch.ones(1, 4))
    with pytest.raises(ValueError, match=r"in its attribute inner\.last a tensor with a gradient"):
        TorchRecommender(outer, np.eye(5, 4), np.eye(6, 4))


def test_a_class_with_tensors_is_told_which():
    class Mine:
        user_embeddings = nn.Parameter(torch.ones(60, 4))

        def score_items(self, embeddings, items=None):
            return np.zeros((len(embeddings), 40))

    with pytest.raises(ValueError, match="user_embeddings of Mine must be an array, got a tensor"):
        explained(Mine())


def test_a_file_that_is_mapped_read_only_answers_everything(tmp_path):
    explainer = explained(TruncatedSVD(4, random_state=0))
    joblib.dump(explainer, tmp_path / "explainer")
    loaded = joblib.load(tmp_path / "explainer", mmap_mode="r")
    assert answers(loaded) == answers(explainer)
    assert loaded.suggest_question(3).equals(explainer.suggest_question(3))
    one, other = (FeedbackRefiner(each).refine(3, like="tag_1") for each in (explainer, loaded))
    assert one.recommend().equals(other.recommend())


FORKED = """
import multiprocessing, os, torch
import numpy as np, scipy.sparse as sp
from sktpecr import GaussianGenerator, TPECRExplainer
from sktpecr.recommenders import TorchRecommender
torch.set_num_threads(2)
rng = np.random.RandomState(0)
X = sp.random(12, 4000, 0.01, format="csr", random_state=0)
model = TorchRecommender(torch.nn.Bilinear(8, 8, 1), *(rng.normal(size=(n, 8)) for n in (12, 4000)))
tags = np.eye(4)[np.arange(4000) % 4]
explainer = TPECRExplainer(model, tags, generator=GaussianGenerator()).fit(X)
def ask():
    explainer.explain(3, 5)
    explainer.recommend(interactions=[1, 2, 3])
ask()
child = multiprocessing.get_context("fork").Process(target=ask)
child.start()
child.join(60)
answered = child.exitcode
if child.is_alive():
    child.kill()
os._exit(answered if answered is not None else 99)
"""


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_a_forked_process_answers_after_torch_used_threads(monkeypatch):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED], timeout=180, check=False)
    assert done.returncode == 0
