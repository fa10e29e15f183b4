"""The contract of recommenders: what is here keeps it, and what is wrong is found, by name."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.linear_model import Ridge

from sktpecr.datasets import make_tagged_interactions
from sktpecr.recommenders import (
    DistilledRecommender,
    FactorizationMachine,
    FactorRecommender,
    MatrixFactorization,
    NeuralCollaborativeFiltering,
    TorchRecommender,
)
from sktpecr.testing import RecommenderContract

DATA = make_tagged_interactions(60, 50, 4, density=0.1, random_state=0)
X = DATA.interactions
LATENT = (
    np.random.RandomState(0).normal(size=(60, 5)),
    np.random.RandomState(1).normal(size=(50, 5)),
)
LIKED = sp.csr_matrix((LATENT[0] @ LATENT[1].T > 2).astype(float))


class TestArrays(RecommenderContract):
    def make(self):
        users, items, biases = *LATENT, np.linspace(0, 1, 50)
        return (users, items, biases), LIKED, users @ items.T + biases


class TestHalfPrecision(RecommenderContract):
    def make(self):
        users, items = (each.astype(np.float16) for each in LATENT)
        return (users, items), LIKED, users.astype(np.float32) @ items.T.astype(np.float32)


class TestMatrixFactorization(RecommenderContract):
    def make(self):
        model = MatrixFactorization(4, max_epochs=20, random_state=0).fit(X)
        return model, X, model._users @ model._items.T


class TestNeuralCollaborativeFiltering(RecommenderContract):
    tolerance = 1e-4

    def make(self):
        model = NeuralCollaborativeFiltering(4, max_epochs=20, random_state=0).fit(X)
        return model, X, None


class TestFactorizationMachine(RecommenderContract):
    def make(self):
        model = FactorizationMachine(DATA.item_tags, n_factors=4, max_epochs=20, random_state=0)
        return model.fit(X), X, None


def bilinear(users, items):
    return torch.tanh((users * items).sum(dim=1) / 4) + items[:, 0]


class TestTorchRecommender(RecommenderContract):
    def make(self):
        users, items = LATENT
        own = np.tanh(users @ items.T / 4) + items[:, 0]
        return TorchRecommender(bilinear, users, items), LIKED, own


def saturating(users, items):
    return np.tanh((LATENT[0][users] * LATENT[1][items]).sum(axis=1) / 20)


class TestDistilledRecommender(RecommenderContract):
    tolerance = 0.1  # what the factors are allowed to lose

    def make(self):
        model = DistilledRecommender(saturating, budget=1.0, random_state=0).fit(LIKED)
        return model, LIKED, saturating


class TestEstimatorThatIsDistilled(RecommenderContract):
    tolerance = 0.01  # what the factors are allowed to lose

    def make(self):
        rows = X.toarray().astype(float)
        model = Ridge(alpha=5.0).fit(rows, rows)
        return model, rows, model.predict(rows)


class Healthy(RecommenderContract):
    """Wrong ones below are wrong in one thing each."""

    recommender = FactorRecommender

    def make(self):
        users, items = (each.copy() for each in LATENT)  # one of them writes
        return self.recommender(users, items), LIKED, users @ items.T


class TestFactorRecommender(Healthy):
    pass


class Shifted(FactorRecommender):
    def score_items(self, embeddings, items=None):
        return np.roll(super().score_items(embeddings), 1, axis=1)[:, _columns(items)]


class Centred(FactorRecommender):
    """The level of the scores depends on who else is asked about."""

    def score_items(self, embeddings, items=None):
        scores = super().score_items(embeddings)
        return (scores - scores.mean(axis=0))[:, _columns(items)]


class Diverged(FactorRecommender):
    def score_items(self, embeddings, items=None):
        scores = super().score_items(embeddings)
        scores[:, 3] = np.nan
        return scores[:, _columns(items)]


class Unpicklable(FactorRecommender):
    def __init__(self, *factors):
        super().__init__(*factors)
        self.connection = lambda: None


class Forgetful(FactorRecommender):
    """Pickles, and comes back as somebody else."""

    def __getstate__(self):
        return {**vars(self), "item_embeddings": self.item_embeddings[::-1]}


class Writing(FactorRecommender):
    def score_items(self, embeddings, items=None):
        embeddings = np.asarray(embeddings)
        scores = super().score_items(embeddings, items)
        embeddings *= 0.5
        return scores


class Moody(FactorRecommender):
    def score_items(self, embeddings, items=None):
        noise = np.random.default_rng().normal(scale=1e-9)
        return super().score_items(embeddings, items) + noise


class InOrder(FactorRecommender):
    """Sorts the items it is asked about."""

    def score_items(self, embeddings, items=None):
        return super().score_items(embeddings, items if items is None else np.sort(items))


class Rounding(FactorRecommender):
    def score_items(self, embeddings, items=None):
        return super().score_items(embeddings, items).astype(np.float32)


class Transposed(FactorRecommender):
    def score_items(self, embeddings, items=None):
        return super().score_items(embeddings, items).T


class Crowded(FactorRecommender):
    """Embeds a row by what the others have."""

    def fold_in(self, X):
        return super().fold_in(X - sp.csr_matrix(np.tile(X.mean(axis=0), (X.shape[0], 1))))


class Reversed(FactorRecommender):
    def fold_in(self, X):
        return -super().fold_in(X)


class Named(FactorRecommender):
    """Has two names for fifty items."""

    def __init__(self, *factors):
        super().__init__(*factors)
        self.item_ids = np.array(["a", "b"])


class WrongGradient(TorchRecommender):
    def item_gradients(self, embedding):
        return -super().item_gradients(embedding)


class Jumping(TorchRecommender):
    def score_items_torch(self, embeddings, items=None):
        return super().score_items_torch(embeddings, items) * 2


def _columns(items):
    return slice(None) if items is None else items


def failing(contract):
    return {name for name, found in contract.report().items() if found.startswith("failed")}


OWN = {"test_scores_are_the_models_own", "test_explanation_adds_up"}
DOT = "test_item_embeddings_announce_a_dot_product"
ALONE, SOME = "test_rows_are_scored_independently", "test_some_items_score_as_among_all"


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (FactorRecommender, set()),
        (Shifted, OWN | {DOT}),
        (Centred, OWN | {DOT, ALONE, "test_shapes"}),
        (Unpicklable, {"test_survives_pickle_and_deepcopy"}),
        (Forgetful, {"test_survives_pickle_and_deepcopy"}),
        (InOrder, {SOME}),
        (Crowded, {"test_rows_are_folded_in_independently"}),
        (Reversed, {"test_known_users_are_folded_in_where_they_are"}),
        (Named, {"test_shapes", "test_explanation_adds_up"}),
        (Moody, {"test_scores_repeat_and_leave_the_embeddings"}),
        (Rounding, {"test_precision_is_kept"}),
    ],
)
def test_what_is_wrong_is_found_and_nothing_else(wrong, expected):
    contract = type("Contract", (Healthy,), {"recommender": wrong})()
    assert failing(contract) == expected


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (Diverged, "test_scores_are_finite"),
        (Writing, "test_scores_repeat_and_leave_the_embeddings"),
        (Transposed, "test_shapes"),
    ],
)
def test_what_spoils_much_is_called_what_it_is(wrong, expected):
    contract = type("Contract", (Healthy,), {"recommender": wrong})()
    assert expected in failing(contract)


@pytest.mark.parametrize("wrong", [WrongGradient, Jumping])
def test_wrong_gradients_are_found(wrong):
    class Contract(TestTorchRecommender):
        def make(self):
            return wrong(bilinear, *LATENT), LIKED, None

    assert failing(Contract()) == {"test_gradients_are_those_of_the_scores"}


class Bare:
    def __init__(self):
        self.user_embeddings = LATENT[0]

    def score_items(self, embeddings, items=None):
        return np.tanh(embeddings @ LATENT[1].T)[:, _columns(items)]


def test_a_score_that_is_no_dot_product_needs_no_item_embeddings():
    class Contract(RecommenderContract):
        def make(self):
            return (
                Bare(),
                LIKED,
                lambda users, items: np.tanh((LATENT[0][users] * LATENT[1][items]).sum(axis=1)),
            )

    report = Contract().report()
    assert not failing(Contract())
    assert report[DOT].startswith("skipped: there are no item_embeddings")
    assert report["test_rows_are_folded_in_independently"].startswith(
        "skipped: there is no fold_in"
    )


def test_a_contract_without_a_model_says_what_is_missing():
    with pytest.raises(NotImplementedError, match=r"needs make\(self\), which returns \(model"):
        RecommenderContract().test_shapes()


def test_messages_tell_what_came_and_where_to_look():
    contract = type("Contract", (Healthy,), {"recommender": Shifted})()
    with pytest.raises(AssertionError, match=r"differ from the model's own .* order of users"):
        contract.test_scores_are_the_models_own()
