"""Neural collaborative filtering; what it shares with matrix factorisation is tested there."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.metrics import roc_auc_score

from sktpecr import GaussianGenerator, TagPreferenceExtractor, TPECRExplainer
from sktpecr.attribution import LimeAttribution
from sktpecr.recommenders import NeuralCollaborativeFiltering
from sktpecr.recommenders.trained._modules import Dropout, Tower
from sktpecr.solvers._gradients import scores_and_pullback

RANDOM = np.random.RandomState(0)
X = sp.csr_matrix((RANDOM.normal(size=(100, 2)) @ RANDOM.normal(size=(2, 40)) > 0.8).astype(float))


@pytest.fixture(scope="module")
def ncf():
    return NeuralCollaborativeFiltering(
        6,
        hidden_dims=(12, 8, 4),
        learning_rate=1e-2,
        regularization=1e-4,
        batch_size=64,
        patience=60,
        max_epochs=60,
        random_state=0,
    ).fit(X)


def concatenated(ncf, users, items):
    """Score pairs one by one through one first layer over [e_u, e_v], as the paper writes it."""
    tower = ncf._tower.double()
    first = np.hstack([layer.weight.detach() for layer in (tower.of_users, tower.of_items)])
    bias = tower.of_users.bias.detach().numpy()
    linear = [layer for layer in tower.rest if isinstance(layer, torch.nn.Linear)]
    scores = np.empty((len(users), len(items)))
    for i, user in enumerate(users.astype(float)):
        for j, item in enumerate(items.astype(float)):
            hidden = np.maximum(first @ np.concatenate([user, item]) + bias, 0)
            for layer in linear[:-1]:
                weight, offset = layer.weight.detach().numpy(), layer.bias.detach().numpy()
                hidden = np.maximum(weight @ hidden + offset, 0)
            weight, offset = linear[-1].weight.detach().numpy(), linear[-1].bias.detach().numpy()
            scores[i, j] = (weight @ hidden + offset)[0]
    ncf._tower.float()
    return scores


def test_architecture_is_the_papers():
    ncf = NeuralCollaborativeFiltering(max_epochs=1, random_state=0).fit(X)
    shapes = [tuple(p.shape) for p in ncf._tower.parameters()]
    assert shapes == [(64, 64), (64,), (64, 64), (32, 64), (32,), (16, 32), (16,), (1, 16), (1,)]
    kinds = [type(layer).__name__ for layer in ncf._tower.rest]
    assert kinds == ["ReLU", "Dropout", "Linear", "ReLU", "Dropout", "Linear", "ReLU", "Linear"]
    assert ncf._tower.dropout.share == 0.1


def test_scores_are_those_of_the_concatenated_network(ncf):
    users, items = ncf.user_embeddings[:5], ncf._items[[3, 39, 0]]
    expected = concatenated(ncf, users, items)
    np.testing.assert_allclose(ncf.score_items(users, [3, 39, 0]), expected, rtol=1e-4, atol=1e-5)


def test_grid_equals_pairs_and_gradients_flow_through_both(ncf):
    users = torch.tensor(ncf.user_embeddings[:4], requires_grad=True)
    items = torch.from_numpy(ncf._items[:7])
    grid = ncf._tower.grid(users, items)
    pairs = torch.stack([ncf._tower(users, items[[j] * 4]) for j in range(7)], dim=1)
    torch.testing.assert_close(grid, pairs)
    weights = torch.from_numpy(RANDOM.normal(size=(4, 7)).astype(np.float32))
    gradients = [
        torch.autograd.grad((scores * weights).sum(), users)[0] for scores in (grid, pairs)
    ]
    torch.testing.assert_close(*gradients)
    assert gradients[0].abs().min() > 0


def test_reused_arrays_change_no_number(ncf):
    users, items = torch.tensor(ncf.user_embeddings[:4]), torch.tensor(ncf._items[:7])
    with torch.no_grad():
        grid = ncf._tower.reusing(28)
        for n_users, n_items in ((4, 7), (1, 5), (3, 2)):
            block = users[:n_users], items[:n_items]
            torch.testing.assert_close(grid(*block), ncf._tower.grid(*block))


def test_gradient_of_a_score_equals_differences(ncf):
    embedding = ncf.user_embeddings[3].astype(float)
    rows, weights = np.array([5, 5, 20]), np.array([1.0, -0.5, 2.0])
    _, pullback = scores_and_pullback(ncf, embedding, rows)
    steps = 1e-6 * np.eye(6)
    ahead, behind = (
        concatenated(ncf, embedding + sign * steps, ncf._items[rows]) @ weights for sign in (1, -1)
    )
    np.testing.assert_allclose(pullback(weights), (ahead - behind) / 2e-6, rtol=1e-3, atol=1e-4)


def test_dropout_keeps_the_mean_and_rests_outside_training():
    dropout = Dropout(0.25, torch.Generator().manual_seed(0))
    ones = torch.ones(400, 500)
    dropped = dropout.train()(ones)
    np.testing.assert_allclose(dropped.unique(), [0.0, 4 / 3], rtol=1e-6)
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.01)
    assert dropout.eval()(ones) is ones
    assert Dropout(0.0, torch.Generator()).train()(ones) is ones


def test_one_hidden_layer_is_enough():
    tower = Tower(3, (5,), Dropout(0.0, torch.Generator()))
    assert tower.grid(torch.ones(2, 3), torch.ones(4, 3)).shape == (2, 4)
    with pytest.raises(ValueError, match=r"hidden_dims must hold .*got \(8, 0\)"):
        NeuralCollaborativeFiltering(hidden_dims=(8, 0)).fit(X)
    with pytest.raises(ValueError, match=r"hidden_dims must hold the width of one layer"):
        NeuralCollaborativeFiltering(hidden_dims=()).fit(X)


def test_learns_what_was_planted_and_folds_new_rows_in(ncf):
    for scores in (ncf.score_items(ncf.user_embeddings), ncf.predict(X)):
        both = zip(X.toarray() > 0, scores, strict=True)
        assert np.mean([roc_auc_score(t, s) for t, s in both if t.any() and not t.all()]) > 0.9


def test_explained_without_an_adapter(ncf):
    tags = np.eye(4)[np.arange(40) % 4]
    assert TagPreferenceExtractor(ncf, tags).fit(X).tag_matrix_ is None
    explainer = TPECRExplainer(
        ncf,
        tags,
        generator=GaussianGenerator(),
        attribution=LimeAttribution(n_samples=200, random_state=0),
    ).fit(X)
    explanation = explainer.explain(3, 7)
    assert explanation.score == pytest.approx(ncf.score_items(ncf.user_embeddings)[3, 7], rel=1e-4)
    averages = ncf.score_items(ncf.user_embeddings) @ tags / tags.sum(axis=0)
    np.testing.assert_allclose(explainer.tag_preferences_, averages, rtol=1e-4, atol=1e-5)
