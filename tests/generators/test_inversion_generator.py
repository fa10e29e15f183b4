"""The inversion generator against minimisation by other means, and against the linear case."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from scipy.optimize import minimize

from sktpecr import GaussianGenerator, InversionGenerator, TPECRExplainer
from sktpecr.attribution import LimeAttribution
from sktpecr.datasets import make_tagged_interactions
from sktpecr.evaluation import swap_score
from sktpecr.generators._layers import forward, tanh_hessian, tanh_jacobian
from sktpecr.recommenders import TorchRecommender

RANDOM = np.random.RandomState(0)
MIX = RANDOM.normal(size=(6, 6))
E = RANDOM.normal(size=(800, 6)) @ MIX * 3.0 + 1.0
SMALL = {"hidden_dims": (24, 24), "batch_size": 64, "max_epochs": 80, "random_state": 0}


def extract(embeddings):
    """Curved tag preferences of 3 tags."""
    u = (embeddings - 1.0) / 6.0
    return np.column_stack(
        [
            np.tanh(u[:, 0]) + u[:, 3],
            u[:, 1] + 0.2 * u[:, 0] ** 2,
            2.0 * u[:, 2] / (1.0 + np.exp(-u[:, 4])),
        ]
    )


C = extract(E)
WANTED, OWN = C[np.roll(np.arange(200), 1)], E[:200]


@pytest.fixture(scope="module")
def generator():
    return InversionGenerator(**SMALL).fit(C, E)


@pytest.fixture(scope="module")
def taught():
    return InversionGenerator(n_edits=4000, **SMALL).fit(C, E, extract=extract)


def error(embeddings):
    return np.mean((extract(embeddings) - WANTED) ** 2) / np.mean((extract(OWN) - WANTED) ** 2)


def distance(embeddings):
    precision = np.linalg.inv(np.cov(E.T))
    away = embeddings - E.mean(axis=0)
    return np.einsum("ij,jk,ik->i", away, precision, away).mean() / E.shape[1]


def test_meets_curved_tag_preferences_better_than_the_linear_generator(generator, taught):
    linear = error(GaussianGenerator().fit(C, E).generate(WANTED, OWN))
    assert error(generator.generate(WANTED, OWN)) < 0.1 * linear
    # What it may ask for beyond the users makes it better still.
    assert error(taught.generate(WANTED, OWN)) < error(generator.generate(WANTED, OWN))


def test_generated_users_are_as_plausible_as_real_ones(taught):
    assert distance(taught.generate(WANTED, OWN)) == pytest.approx(distance(E), rel=0.1)


def test_is_the_gaussian_generator_where_tags_are_linear():
    linear = E @ RANDOM.normal(size=(6, 3))
    ours = InversionGenerator(**SMALL).fit(linear, E)
    assert ours.linearity_ == pytest.approx(1.0, abs=1e-3)
    theirs = GaussianGenerator().fit(linear, E, tag_matrix=None)
    np.testing.assert_allclose(
        ours.generate(linear[::-1], E), theirs.generate(linear[::-1], E), atol=0.1 * E.std()
    )


def test_finds_the_minimum_that_a_general_optimiser_finds(taught):
    """The loss of the docstring, written out with S and Psi themselves."""
    mean, scale = taught._mean, taught._scale
    precision = np.linalg.inv(taught._linear.covariance_)
    weights = taught._whiten.T @ taught._whiten

    def loss(x, own, wanted):
        read = taught._read((x[np.newaxis] - mean[:6]) / scale[:6])[0][0]
        left = (wanted - mean[6:]) / scale[6:] - read
        moved = (x - own) / scale[:6]
        return moved @ precision @ moved + left @ weights @ left

    ours, best = [], []
    found = taught.generate(WANTED[:12], OWN[:12])
    for x, own, wanted in zip(found, OWN, WANTED, strict=False):
        ours.append(loss(x, own, wanted))
        best.append(
            min(
                minimize(loss, start, (own, wanted), "Nelder-Mead", options={"maxfev": 4000}).fun
                for start in (own, x)
            )
        )
    assert np.mean(ours) < 1.1 * np.mean(best)
    assert np.mean(ours) < 0.5 * np.mean(
        [loss(*each) for each in zip(OWN, OWN, WANTED, strict=True)]
    )


def test_jacobian_equals_finite_differences(generator):
    x = (E[:3] - generator._mean[:6]) / generator._scale[:6]
    found = tanh_jacobian(generator._network, forward(generator._network, x, np.tanh)[1])
    for factor in range(6):
        step = np.zeros(6)
        step[factor] = 1e-6
        ahead, behind = (forward(generator._network, x + s, np.tanh)[0] for s in (step, -step))
        np.testing.assert_allclose(found[:, :, factor], (ahead - behind) / 2e-6, atol=1e-6)


def test_hessian_equals_finite_differences(generator):
    x = (E[:3] - generator._mean[:6]) / generator._scale[:6]
    weights = RANDOM.normal(size=(3, 3))
    network = generator._network

    def slopes(rows):
        at = tanh_jacobian(network, forward(network, rows, np.tanh)[1])
        return np.einsum("nt,ntf->nf", weights, at)

    found = tanh_hessian(network, forward(network, x, np.tanh)[1], weights)
    for factor in range(6):
        step = np.zeros(6)
        step[factor] = 1e-6
        expected = (slopes(x + step) - slopes(x - step)) / 2e-6
        np.testing.assert_allclose(found[:, :, factor], expected, atol=1e-6)


def test_gradient_equals_finite_differences(generator, monkeypatch):
    monkeypatch.setattr("sktpecr.generators._inversion._MAX_STEPS", 200)
    monkeypatch.setattr("sktpecr.generators._inversion._DONE", 0.0)
    weights, steps = RANDOM.normal(size=6), 1e-4 * np.diag(C.std(axis=0))
    for row in range(10):
        own = np.repeat(OWN[[row]], 3, axis=0)
        found = generator.gradient(WANTED[[row]], OWN[[row]], weights[np.newaxis])[0]
        ahead, behind = (generator.generate(WANTED[[row]] + s, own) for s in (steps, -steps))
        expected = (ahead - behind) @ weights / 2
        np.testing.assert_allclose(
            found @ steps, expected, rtol=1e-2, atol=1e-2 * np.abs(expected).max()
        )


def test_a_row_is_the_same_in_any_company_and_any_block(generator, monkeypatch):
    together = generator.generate(WANTED, OWN)
    alone = np.vstack(
        [generator.generate(w[None], e[None]) for w, e in zip(WANTED[:9], OWN, strict=False)]
    )
    np.testing.assert_allclose(together[:9], alone, rtol=1e-6, atol=1e-8)
    monkeypatch.setattr("sktpecr.generators._inversion._BLOCK", 40)
    np.testing.assert_allclose(generator.generate(WANTED, OWN), together, rtol=1e-6, atol=1e-8)


def test_own_tag_preferences_move_nobody_far(generator):
    moved = generator.generate(C[:100], E[:100]) - E[:100]
    swapped = generator.generate(WANTED[:100], E[:100]) - E[:100]
    assert np.mean(np.square(moved)) < 0.05 * np.mean(np.square(swapped))


def test_users_known_by_tags_alone_start_at_the_average_user(generator):
    average = np.repeat(E.mean(axis=0)[np.newaxis], 5, axis=0)
    np.testing.assert_allclose(generator.predict(C[:5]), generator.generate(C[:5], average))


def test_more_tags_than_factors_and_one_of_each():
    tags = np.tanh(E @ RANDOM.normal(size=(6, 15)) / 20)
    many = InversionGenerator(**SMALL).fit(tags, E)
    assert np.isfinite(many.generate(tags[::-1], E)).all()
    one = InversionGenerator(**SMALL).fit(tags[:, :1], E[:, 0])
    assert one.predict(tags[:4, :1]).shape == (4,)


@pytest.mark.parametrize("rows", [slice(0, 1), slice(0, 2)])
def test_one_or_two_users(rows):
    generator = InversionGenerator(**{**SMALL, "max_epochs": 3}).fit(C[rows], E[rows])
    assert np.isfinite(generator.generate(C[:3], E[:3])).all()


def test_users_who_are_all_alike_stay_where_they_are():
    generator = InversionGenerator(**{**SMALL, "max_epochs": 3}).fit(C[[5] * 20], E[[5] * 20])
    np.testing.assert_allclose(generator.generate(C[:1], E[[5]]), E[[5]])


def test_the_same_seed_gives_the_same_and_pickles_generate_without_torch(taught, tmp_path):
    quick = {**SMALL, "n_edits": 400, "max_epochs": 5}
    one, same = (InversionGenerator(**quick).fit(C, E, extract=extract) for _ in range(2))
    np.testing.assert_array_equal(one.generate(WANTED, OWN), same.generate(WANTED, OWN))
    (tmp_path / "generator.pkl").write_bytes(pickle.dumps(taught))
    np.save(tmp_path / "rows.npy", np.hstack([WANTED, OWN]))
    code = (
        "import pickle, sys, numpy as np\n"
        f"rows = np.load({str(tmp_path / 'rows.npy')!r})\n"
        f"generator = pickle.load(open({str(tmp_path / 'generator.pkl')!r}, 'rb'))\n"
        f"np.save({str(tmp_path / 'out.npy')!r}, generator.generate(rows[:, :3], rows[:, 3:]))\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    np.testing.assert_allclose(
        np.load(tmp_path / "out.npy"), taught.generate(WANTED, OWN), rtol=1e-9
    )


def test_the_explainer_lets_it_ask_and_its_fidelity_knows_what_is_read():
    data = make_tagged_interactions(n_users=150, n_items=60, n_tags=4, random_state=0)
    users, items = RANDOM.normal(size=(150, 5)), RANDOM.normal(size=(60, 5))

    def score(left, right):
        return ((left * right).sum(dim=1) / 2).tanh()

    asked = []

    class Asking(InversionGenerator):
        def fit(self, X, y, extract=None):
            asked.append(extract(np.asarray(y)[:2]))
            return super().fit(X, y, extract=extract)

    explainer = TPECRExplainer(
        TorchRecommender(score, users, items),
        data.item_tags,
        generator=Asking(n_edits=200, **SMALL),
        attribution=LimeAttribution(random_state=0),
        random_state=0,
    ).fit(data.interactions)
    np.testing.assert_allclose(asked[0], explainer.tag_preferences_[:2], rtol=1e-5)
    explanation = explainer.explain(0, data.item_ids[0])
    assert explanation.method.startswith("Asking, LIME")
    assert explanation.fidelity <= explainer.generator_.linearity_
    assert swap_score(explainer, data.interactions) > 0.9


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_edits": -1}, "'n_edits' parameter of InversionGenerator"),
        ({"validation_fraction": 1.0}, "'validation_fraction' parameter of InversionGenerator"),
    ],
)
def test_bad_parameters_say_what_is_wrong(params, message):
    with pytest.raises(ValueError, match=message):
        InversionGenerator(**params).fit(C, E)
