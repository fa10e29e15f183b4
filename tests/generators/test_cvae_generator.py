"""The paper's generator and its baseline."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone

from sktpecr import CVAEGenerator, GaussianGenerator, MLPGenerator, TPECRExplainer
from sktpecr.datasets import make_tagged_interactions, make_tpecr_synthetic
from sktpecr.evaluation import swap_score
from sktpecr.generators import _networks as _training

RANDOM = np.random.RandomState(0)
E = RANDOM.normal(size=(600, 10)) @ RANDOM.normal(size=(10, 10)) * 0.1 + 0.3
M = RANDOM.normal(size=(4, 10))
C = E @ M.T + 5.0
SMALL = {"hidden_dims": (32, 32), "batch_size": 64, "max_epochs": 60, "random_state": 0}


@pytest.fixture(scope="module")
def cvae():
    return CVAEGenerator(latent_dim=8, **SMALL).fit(C, E)


@pytest.fixture(scope="module")
def mlp():
    return MLPGenerator(**SMALL).fit(C, E)


def swap_error(generator):
    """Table 4: squared error of swapped tag preferences, relative to doing nothing."""
    wanted = np.roll(C, 1, axis=0)
    met = generator.generate(wanted, E) @ M.T + 5.0
    return np.mean((met - wanted) ** 2) / np.mean((C - wanted) ** 2)


def test_swapped_preferences_are_met_by_the_cvae_and_not_by_the_baseline(cvae, mlp):
    assert swap_error(cvae) < 0.03
    assert swap_error(mlp) > 3 * swap_error(cvae)


def test_own_preferences_reconstruct_the_embedding(cvae, mlp):
    spread = np.mean((E - E.mean(axis=0)) ** 2)
    for generator in (cvae, mlp):
        assert np.mean((generator.generate(C, E) - E) ** 2) < 0.05 * spread


@pytest.mark.parametrize("name", ["cvae", "mlp"])
def test_gradient_equals_finite_differences(name, request):
    generator = request.getfixturevalue(name)
    weights = np.random.RandomState(1).normal(size=(3, 10))
    found = generator.gradient(C[:3], E[:3], weights)
    for t in range(4):
        step = np.zeros(4)
        step[t] = 1e-6
        ahead = (generator.generate(C[:3] + step, E[:3]) * weights).sum(axis=1)
        behind = (generator.generate(C[:3] - step, E[:3]) * weights).sum(axis=1)
        np.testing.assert_allclose(found[:, t], (ahead - behind) / 2e-6, rtol=1e-4, atol=1e-7)


def test_generation_is_the_torch_network_on_standardised_rows(monkeypatch):
    """Equation 6: z* is the encoder's mean at the edited preferences, no sampling."""
    kept = {}

    def keep(*args):
        kept["module"], history = _training_train(*args)
        return kept["module"], history

    _training_train = _training.train
    monkeypatch.setattr(_training, "train", keep)
    generator = CVAEGenerator(latent_dim=3, hidden_dims=(8,), max_epochs=3, random_state=0)
    generator.fit(C, E)
    edited = C[:5] + 0.3
    rows = (np.hstack([E[:5], edited]) - generator._mean) / generator._scale
    with torch.no_grad():
        output = kept["module"].double()(torch.from_numpy(rows))[0].numpy()
    expected = output * generator._scale[0] + generator._mean[:10]
    np.testing.assert_allclose(generator.generate(edited, E[:5]), expected, rtol=1e-6)


def test_kl_weight_is_in_units_of_the_variance_that_the_network_sees(monkeypatch):
    """Squared errors of embeddings times s grow by s^2, and the weight with them."""
    seen = []
    monkeypatch.setattr(_training, "CVAELoss", lambda weight: seen.append(weight) or 1 / 0)
    for standardize, scale in ((True, 1), (True, 30), (False, 1), (False, 30)):
        with pytest.raises(ZeroDivisionError):
            CVAEGenerator(kl_weight=0.5, standardize=standardize).fit(C, scale * E)
    variance = np.mean(E.var(axis=0))
    assert seen == pytest.approx([0.5, 0.5, 0.5 * variance, 0.5 * 900 * variance])


def test_scaled_embeddings_make_the_same_generator():
    """The edit of an embedding in other units is the edit in those units."""
    scaled = CVAEGenerator(**SMALL).fit(C, 8 * E).generate(C[::-1], 8 * E)
    np.testing.assert_allclose(
        scaled / 8, CVAEGenerator(**SMALL).fit(C, E).generate(C[::-1], E), rtol=1e-5, atol=1e-6
    )


def test_a_heavy_kl_weight_switches_the_latent_variables_off():
    """The decoder then sees tags alone: everybody with the same tags becomes the same user."""
    generator = CVAEGenerator(latent_dim=8, kl_weight=100.0, **SMALL).fit(C, E)
    generated = generator.generate(np.repeat(C[:1], 50, axis=0), E[:50])
    assert generated.std(axis=0).max() < 0.02 * E.std()


@pytest.mark.parametrize("name", ["cvae", "mlp"])
def test_predict_knows_tags_alone_and_beats_the_mean(name, request):
    generator = request.getfixturevalue(name)
    gaussian = GaussianGenerator(shrinkage=0.0).fit(C, E)
    assert generator.score(C, E) > 0.8 * gaussian.score(C, E) > 0


@pytest.mark.parametrize("make", [CVAEGenerator, MLPGenerator])
def test_same_seed_same_generator_pickled_or_cloned(make):
    first = make(hidden_dims=(8,), max_epochs=3, random_state=5).fit(C, E)
    again = clone(first).fit(C, E)
    np.testing.assert_array_equal(first.generate(C[:4], E[:4]), again.generate(C[:4], E[:4]))
    loaded = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(first.generate(C[:4], E[:4]), loaded.generate(C[:4], E[:4]))
    assert b"torch" not in pickle.dumps(first)


@pytest.mark.parametrize("make", [CVAEGenerator, MLPGenerator])
def test_rows_are_generated_one_by_one_as_together(make):
    generator = make(hidden_dims=(8,), max_epochs=3, random_state=5).fit(C, E)
    together = generator.generate(C[:6], E[:6])
    for row in range(6):
        one = generator.generate(C[[row]], E[[row]])
        np.testing.assert_allclose(one[0], together[row], rtol=1e-12)


def test_history_has_losses_by_epoch(cvae):
    assert [row["epoch"] for row in cvae.history_] == list(range(1, len(cvae.history_) + 1))
    assert cvae.history_[-1]["train_loss"] < 0.2 * cvae.history_[0]["train_loss"]


@pytest.mark.parametrize("n_users", [1, 2, 11])
@pytest.mark.parametrize("make", [CVAEGenerator, MLPGenerator])
def test_few_users_and_constant_columns_are_enough_to_fit(make, n_users):
    constant = np.column_stack([C[:n_users], np.ones(n_users)])
    generator = make(hidden_dims=(4,), max_epochs=2, random_state=0).fit(constant, E[:n_users])
    assert np.isfinite(generator.generate(constant, E[:n_users])).all()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"hidden_dims": (8, 0)}, r"hidden_dims must hold whole numbers .* got \(8, 0\)"),
        ({"hidden_dims": 8}, "'hidden_dims' parameter of CVAEGenerator"),
        ({"kl_weight": -1}, "'kl_weight' parameter of CVAEGenerator"),
        ({"max_epochs": 0}, "'max_epochs' parameter of CVAEGenerator"),
        ({"schedule": "warm"}, "'schedule' parameter of CVAEGenerator"),
    ],
)
def test_bad_parameters_say_what_is_wrong(params, message):
    with pytest.raises(ValueError, match=message):
        CVAEGenerator(**params).fit(C, E)


def test_synthetic_experiment_of_the_paper_in_small():
    """Section 4.1, Table 1 with one change: the CVAE is right, the unedited embedding is not."""
    data = make_tpecr_synthetic(random_state=0)
    train, test = data.train_users, data.test_users
    generator = CVAEGenerator(
        hidden_dims=(16,),
        latent_dim=8,
        kl_weight=12.0,
        batch_size=128,
        max_epochs=300,
        learning_rate=1e-2,
        random_state=0,
    ).fit(data.tag_preferences[train], data.user_embeddings[train])
    edited = data.tag_preferences[test].copy()
    edited[:, 2] = np.random.RandomState(1).uniform(size=len(test))
    truth = edited[:, data.item_tag]
    error = np.mean((generator.generate(edited, data.user_embeddings[test]) - truth) ** 2)
    unedited = np.mean((data.user_embeddings[test] - truth) ** 2)
    assert error < 1e-3 * unedited
    assert error < 1e-5


@pytest.mark.filterwarnings("ignore:the recommender does not tell")  # random factors
def test_explains_and_scores_inside_the_explainer():
    from sktpecr.attribution import LimeAttribution

    data = make_tagged_interactions(n_users=300, n_items=100, n_tags=4, random_state=0)
    users = np.random.RandomState(0).normal(size=(300, 6))
    items = np.random.RandomState(1).normal(size=(100, 6))
    explainer = TPECRExplainer(
        (users, items),
        data.item_tags,
        generator=CVAEGenerator(latent_dim=6, **SMALL),
        attribution=LimeAttribution(n_samples=500, random_state=0),
    ).fit(data.interactions)
    explanation = explainer.explain(0, data.item_ids[3])
    assert explanation.score == pytest.approx(users[0] @ items[3])
    assert explanation.prediction != explanation.score
    total = explanation.base_value + explanation.contributions.sum() + explanation.residual
    assert total == pytest.approx(explanation.value)
    assert swap_score(explainer, data.interactions) > 0.4


@pytest.mark.parametrize("name", ["cvae", "mlp"])
def test_rows_that_do_not_fit_are_refused(name, request):
    generator = request.getfixturevalue(name)
    with pytest.raises(ValueError, match=r"tag_preferences must have 4 columns, .* \(600, 3\)"):
        generator.generate(C[:, :3], E)
    with pytest.raises(ValueError, match=r"embeddings must have one row per row .* got \(5, 10\)"):
        generator.generate(C, E[:5])
    with pytest.raises(ValueError, match="must be finite, got NaN"):
        generator.generate(C * np.nan, E)


@pytest.mark.parametrize("make", [CVAEGenerator, MLPGenerator])
def test_a_tag_alike_for_everybody_moves_nobody(make):
    constant = np.column_stack([C, np.full(600, 0.1)])
    generator = make(hidden_dims=(8,), max_epochs=3, random_state=0).fit(constant, E)
    edited = constant + np.array([0, 0, 0, 0, 0.05])
    moved = generator.generate(edited, E) - generator.generate(constant, E)
    assert np.abs(moved).max() < 1.0
