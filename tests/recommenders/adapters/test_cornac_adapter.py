"""Models of Cornac, by what they have; `installed` beside it has the library."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from implicit.als import AlternatingLeastSquares
from sklearn.exceptions import NotFittedError
from torch import nn

from sktpecr.datasets import make_tagged_interactions
from sktpecr.recommenders import AdapterError, as_recommender
from sktpecr.testing import RecommenderContract

X = make_tagged_interactions(60, 50, 4, density=0.15, random_state=0).interactions
ALS = AlternatingLeastSquares(factors=6, random_state=0)
ALS.fit(X, show_progress=False)
USERS, ITEMS = ALS.user_factors, ALS.item_factors
RNG = np.random.RandomState(0)
USER_BIASES, ITEM_BIASES = (RNG.normal(scale=0.1, size=n).astype(np.float32) for n in (60, 50))


class Model:
    """What all of Cornac's have; the maps come in no order and know two users of a test set."""

    uid_map = iid_map = None

    def fit(self, **learned):
        self.uid_map = {f"u{u}": u for u in RNG.permutation(62)}
        self.iid_map = {f"i{v}": v for v in RNG.permutation(50)}
        self.num_users, self.num_items = 60, 50
        vars(self).update(learned)
        return self


def mf(user_biases=USER_BIASES):
    return Model().fit(
        u_factors=USERS, i_factors=ITEMS, u_biases=user_biases, i_biases=ITEM_BIASES,
        global_mean=np.float32(0.25), lambda_reg=0.02,
    )  # fmt: skip


class TestMF(RecommenderContract):
    def make(self):
        return mf(), X, USERS @ ITEMS.T + 0.25 + USER_BIASES[:, None] + ITEM_BIASES


class TestMFWithoutUserBiases(RecommenderContract):
    def make(self):
        return mf(np.zeros(60, dtype=np.float32)), X, USERS @ ITEMS.T + 0.25 + ITEM_BIASES


class TestBPR(RecommenderContract):
    def make(self):
        model = Model().fit(u_factors=USERS, i_factors=ITEMS, i_biases=ITEM_BIASES)
        return model, X, USERS @ ITEMS.T + ITEM_BIASES


def part(width, seed):
    generator = torch.Generator().manual_seed(seed)
    tables = [nn.Embedding(n, width) for n in (60, 50)]
    for table in tables:
        table.weight.data.normal_(generator=generator)
    return dict(zip(("user_embedding", "item_embedding"), tables, strict=True))


class NeuMF(nn.Module):
    def __init__(self):
        super().__init__()
        self.gmf, self.mlp = nn.ModuleDict(part(4, 0)), nn.ModuleDict(part(3, 1))
        self.mlp.mlp_model = nn.Sequential(nn.Linear(6, 4), nn.Tanh())
        self.logit = nn.Linear(8, 1)
        for number, (name, weights) in enumerate(self.named_parameters()):
            if name.startswith(("mlp.mlp", "logit")):
                weights.data.normal_(std=0.3, generator=torch.Generator().manual_seed(number))

    def forward(self, users, items):
        product = self.gmf["user_embedding"](users) * self.gmf["item_embedding"](items)
        both = self.mlp["user_embedding"](users), self.mlp["item_embedding"](items)
        hidden = self.mlp.mlp_model(torch.cat(both, dim=-1))
        return torch.sigmoid(self.logit(torch.cat([product, hidden], dim=-1))).view(-1)


def neumf():
    network = NeuMF()
    for half in (network.gmf, network.mlp):  # attributes there, keys here
        half.user_embedding, half.item_embedding = half["user_embedding"], half["item_embedding"]
    return Model().fit(model=network)


class TestNeuMF(RecommenderContract):
    tolerance = 1e-4
    fold_in_correlation = -1.0  # nothing was trained: rows say nothing of users

    def make(self):
        model = neumf()

        def own(users, items):
            with torch.no_grad():
                found = model.model(torch.as_tensor(users), torch.as_tensor(items)).double()
            return torch.logit(found).numpy()

        return model, X, own


def test_ids_are_those_that_were_trained_on_in_the_order_of_the_factors():
    for model in (mf(), neumf()):
        recommender = as_recommender(model)
        assert recommender.user_ids.tolist() == [f"u{u}" for u in range(60)]
        assert recommender.item_ids.tolist() == [f"i{v}" for v in range(50)]


def test_training_further_changes_nothing():
    model = mf()
    model.u_factors, model.i_factors = USERS.copy(), ITEMS.copy()
    recommender = as_recommender(model)
    before = recommender.score_items(recommender.user_embeddings)
    model.u_factors[:], model.i_factors[:] = 0, 0
    np.testing.assert_array_equal(recommender.score_items(recommender.user_embeddings), before)


def test_an_unfitted_one_says_so():
    with pytest.raises(NotFittedError, match=r"Model is not fitted; call its fit\(train_set\)"):
        as_recommender(Model())


def test_others_are_told_the_way_out():
    for other in (Model().fit(), Model().fit(model=SimpleNamespace(layers=[]))):
        with pytest.raises(AdapterError, match=r"keeps neither u_factors.*; give DistilledRecomm"):
            as_recommender(other)
