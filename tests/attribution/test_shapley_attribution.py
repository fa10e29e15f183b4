"""Shapley values against all orders, closed forms, the axioms, and the shap package."""

import itertools
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.exceptions import NotFittedError

from sktpecr import CVAEGenerator, GaussianGenerator, TPECRExplainer
from sktpecr.attribution import ExactAttribution, ShapleyAttribution
from sktpecr.attribution._composite import CompositeFunction
from sktpecr.recommenders import FactorRecommender, TorchRecommender

RANDOM = np.random.RandomState(0)
EMBEDDING = np.array([0.5, -1.0])
NEAR = float(np.sqrt(np.finfo(np.float32).eps))


class Function:
    """A composite function written down: {item: function of (rows, the user's embedding)}."""

    is_linear = False

    def __init__(self, *items, dtype=np.float64):
        self.items, self.dtype, self.calls = items, dtype, []

    def __call__(self, tag_preferences, embeddings, items=None):
        self.calls.append(len(tag_preferences))
        assert len(embeddings) == len(tag_preferences)
        chosen = self.items if items is None else [self.items[item] for item in items]
        scores = [score(tag_preferences, embeddings[0]) for score in chosen]
        return np.column_stack(scores).astype(self.dtype)


def curved(rows, embedding):
    a, b, c, d = rows.T
    return 3 + np.sin(a) * b + np.exp(0.3 * c - 0.2 * a) + embedding[0] * b * c * d


def bent(rows, embedding):
    return np.tanh(rows @ [0.5, -1.0, 0.2, 0.4] + embedding[1]) * 10 - rows[:, 3] ** 2


FOUR = RANDOM.normal(size=(50, 4)) * [1.0, 2.0, 0.5, 1.5] + [0.0, 1.0, -3.0, 0.2]
SMOOTH = Function(curved, bent)


def fitted(composite, preferences, **params):
    embeddings = np.tile(EMBEDDING, (len(preferences), 1))
    return ShapleyAttribution(**{"random_state": 0, **params}).fit(
        composite, preferences, embeddings
    )


def unit_population(n_tags):
    """Two users whose preferences have mean 0 and standard deviation 1, exactly."""
    return np.array([[-1.0], [1.0]]) * np.ones(n_tags)


def contributions_of(shapley, preferences, items=(0,)):
    """Return importance times distance, shape (n_items, n_tags), as an explanation does."""
    found = shapley.attribute(preferences, EMBEDDING, items)
    scale = np.where(shapley.scale_ > 0, shapley.scale_, np.inf)
    return found.importances * (preferences - shapley.mean_) / scale


def over_all_orders(score, own, mean):
    """Return Shapley values as they are defined: what each adds, mean over all orders."""
    gains, orders = np.zeros(len(own)), list(itertools.permutations(range(len(own))))
    for order in orders:
        row = mean.copy()
        for tag in order:
            before = score(row[np.newaxis], EMBEDDING)[0]
            row[tag] = own[tag]
            gains[tag] += score(row[np.newaxis], EMBEDDING)[0] - before
    return gains / len(orders)


@pytest.mark.parametrize("user", [0, 7, 31])
def test_equals_the_definition_over_all_orders(user):
    shapley = fitted(SMOOTH, FOUR)
    own, mean = FOUR[user], FOUR.mean(axis=0)
    found = shapley.attribute(own, EMBEDDING, [1, 0])
    contributions = contributions_of(shapley, own, [1, 0])
    for i, score in enumerate([bent, curved]):
        np.testing.assert_allclose(
            contributions[i], over_all_orders(score, own, mean), rtol=1e-11, atol=1e-12
        )
        assert found.base_values[i] == pytest.approx(score(mean[np.newaxis], EMBEDDING)[0])
        assert found.values[i] == pytest.approx(score(own[np.newaxis], EMBEDDING)[0])
    assert found.standard_errors is None
    assert shapley.name == "Shapley (exact)"


def test_equals_the_shap_package():
    shap = pytest.importorskip("shap")
    shapley = fitted(SMOOTH, FOUR)
    theirs = shap.KernelExplainer(
        lambda rows: np.column_stack([curved(rows, EMBEDDING), bent(rows, EMBEDDING)]),
        FOUR.mean(axis=0, keepdims=True),
    )
    expected = theirs.shap_values(FOUR[7], silent=True)
    np.testing.assert_allclose(contributions_of(shapley, FOUR[7], [0, 1]).T, expected, atol=1e-6)
    exact = shap.ExactExplainer(lambda rows: curved(rows, EMBEDDING), FOUR.mean(0, keepdims=True))
    np.testing.assert_allclose(
        contributions_of(shapley, FOUR[7])[0], exact(FOUR[7:8]).values[0], atol=1e-9
    )


class Game(Function):
    """Any game at all: a value for every coalition of tags that are at 2, not at 0."""

    def __init__(self, *tables):
        super().__init__(*(self.look_up(np.asarray(table)) for table in tables))

    @staticmethod
    def look_up(table):
        n_tags = int(math.log2(len(table)))
        return lambda rows, _: table[(rows == 2.0) @ (2 ** np.arange(n_tags))]


TABLES = arrays(np.float64, 16, elements=st.floats(-100, 100, width=32))


def shares_of(*tables, **params):
    """Return the shares of the tags in each game, shape (n_games, n_tags)."""
    n_tags = int(math.log2(len(tables[0])))
    shapley = fitted(Game(*tables), unit_population(n_tags), **params)
    return contributions_of(shapley, np.full(n_tags, 2.0), range(len(tables)))


@given(first=TABLES, second=TABLES, max_enumerated=st.sampled_from([0, 12]))
@settings(deadline=None, max_examples=50)
def test_shares_are_efficient_and_linear_sampled_or_not(first, second, max_enumerated):
    params = {"max_enumerated": max_enumerated, "n_permutations": 5}
    one, other, both = shares_of(first, second, first - 3 * second, **params)
    assert one.sum() == pytest.approx(first[-1] - first[0], abs=1e-10)
    np.testing.assert_allclose(both, one - 3 * other, atol=1e-10)


@given(table=TABLES, order=st.permutations(range(4)))
@settings(deadline=None, max_examples=50)
def test_shares_do_not_depend_on_the_names_of_the_tags(table, order):
    renamed = np.moveaxis(table.reshape(2, 2, 2, 2), range(4), order).reshape(16)
    # Axis 0 of the reshaped table is the tag of the highest bit, the last one.
    expected = np.empty(4)
    expected[[3 - place for place in order]] = shares_of(table)[0][::-1]
    np.testing.assert_allclose(shares_of(renamed)[0], expected, atol=1e-10)


@given(table=TABLES)
@settings(deadline=None, max_examples=50)
def test_tags_that_do_the_same_get_the_same_and_one_that_adds_a_constant_gets_it(table):
    sizes = np.array([bin(code & 0b0011).count("1") for code in range(16)])
    alike = table[sizes + 4 * (np.arange(16) >> 2)]  # tags 0 and 1 only count
    shares = shares_of(alike)[0]
    assert shares[0] == pytest.approx(shares[1], abs=1e-10)
    dummy = table[np.arange(16) & 0b1101] + 7.0 * (np.arange(16) >> 1 & 1)
    for max_enumerated in (0, 12):
        assert shares_of(dummy, max_enumerated=max_enumerated)[0][1] == pytest.approx(7.0)


LINKS = np.triu(RANDOM.normal(size=(30, 30)), 1)
OWN_PARTS = RANDOM.normal(size=30)
THIRTY = RANDOM.normal(size=(100, 30)) + RANDOM.normal(size=30)


def paired(rows, embedding):
    return rows @ OWN_PARTS + np.einsum("ni,ij,nj->n", rows, LINKS, rows)


def triples(rows, embedding):
    return paired(rows, embedding) + 5 * rows[:, 0] * rows[:, 1] * rows[:, 2] + rows.prod(axis=1)


def test_pairs_of_tags_share_what_they_do_together_exactly_though_sampled():
    # Around the mean m, c_i c_j = m_i m_j + m_j d_i + m_i d_j + d_i d_j, and the last part is
    # shared equally.
    shapley = fitted(Function(paired), THIRTY, n_permutations=2)
    mean = THIRTY.mean(axis=0)
    away, links = THIRTY[4] - mean, LINKS + LINKS.T
    expected = away * (OWN_PARTS + links @ mean + links @ away / 2)
    found = shapley.attribute(THIRTY[4], EMBEDDING, [0])
    np.testing.assert_allclose(contributions_of(shapley, THIRTY[4])[0], expected, atol=1e-10)
    assert (found.standard_errors * np.abs(away / THIRTY.std(axis=0)) < 1e-10).all()
    assert shapley.name == "Shapley (2 permutations)"


@pytest.mark.parametrize("n_permutations", [3, 40])
def test_standard_errors_are_the_spread_between_seeds_around_the_truth(n_permutations):
    def threes(rows, embedding):
        return curved(rows, embedding) + 0.5 * rows[:, 0] * rows[:, 1] * rows[:, 3]

    own = FOUR[31]
    exact = fitted(Function(threes), FOUR).attribute(own, EMBEDDING, [0])
    params = {"max_enumerated": 3, "n_permutations": n_permutations}
    found = [
        fitted(Function(threes), FOUR, random_state=seed, **params).attribute(own, EMBEDDING, [0])
        for seed in range(300)
    ]
    drawn = np.array([one.importances[0] for one in found])
    promised = np.array([one.standard_errors[0] for one in found])
    np.testing.assert_allclose(np.sqrt((promised**2).mean(axis=0)), drawn.std(axis=0), rtol=0.15)
    off = (drawn.mean(axis=0) - exact.importances[0]) / (drawn.std(axis=0) / np.sqrt(300))
    assert np.abs(off).max() < 4
    assert drawn.std(axis=0).min() > 0.001  # it does vary
    expected = exact.fidelity[0]
    assert np.mean([one.fidelity[0] for one in found]) == pytest.approx(expected, abs=0.02)


def test_contributions_of_many_tags_add_up_though_sampled():
    shapley = fitted(Function(triples), THIRTY, n_permutations=3)
    found = shapley.attribute(THIRTY[4], EMBEDDING, [0])
    total = found.base_values[0] + contributions_of(shapley, THIRTY[4]).sum()
    assert total == pytest.approx(triples(THIRTY[4:5], EMBEDDING)[0], rel=1e-12)
    assert found.values[0] == pytest.approx(total, rel=1e-12)
    assert found.standard_errors.max() > 0.01


def linear_parts(n_tags, n_factors, n_users=80, dtype=np.float64):
    users = RANDOM.normal(size=(n_users, n_factors)).astype(dtype)
    items = RANDOM.normal(size=(30, n_factors)).astype(dtype)
    matrix = RANDOM.normal(size=(n_tags, n_factors))
    preferences = users @ matrix.T + 2.0
    generator = GaussianGenerator().fit(preferences, users, tag_matrix=matrix)
    return CompositeFunction(FactorRecommender(users, items), generator), preferences, users


class Hidden:
    """A linear composite that does not say so."""

    is_linear = False

    def __init__(self, composite):
        self.composite = composite

    def __call__(self, *args):
        return self.composite(*args)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n_tags", "n_factors"), [(1, 8), (6, 8), (9, 3), (1, 1)])
def test_a_linear_composite_has_its_weights_read_off_or_found(dtype, n_tags, n_factors):
    composite, preferences, users = linear_parts(n_tags, n_factors, dtype=dtype)
    exact = ExactAttribution().fit(composite, preferences, users)
    expected = exact.attribute(preferences[3], users[3], [4, 0])
    largest = np.abs(expected.importances).max()
    for max_enumerated, function in (
        (12, composite),
        (12, Hidden(composite)),
        (0, Hidden(composite)),
    ):
        shapley = ShapleyAttribution(max_enumerated=max_enumerated, n_permutations=4)
        found = shapley.fit(function, preferences, users).attribute(
            preferences[3], users[3], [4, 0]
        )
        np.testing.assert_allclose(
            found.importances, expected.importances, atol=1e-4 * largest, rtol=1e-4
        )
        np.testing.assert_allclose(found.fidelity, 1.0, atol=1e-6)
    found = ShapleyAttribution().fit(composite, preferences, users)
    assert found.name == "Shapley (exact)"
    found = found.attribute(preferences[3], users[3], [4, 0])
    np.testing.assert_allclose(found.importances, expected.importances, rtol=1e-12, atol=1e-12)
    assert (found.fidelity == 1).all()
    assert found.standard_errors is None


def test_the_base_is_what_the_exact_attribution_calls_base_and_residual(data):
    exact, shapley = (
        TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags, attribution=attribution)
        .fit(data.interactions.astype(np.float64))
        .explain(3, data.item_ids[9])
        for attribution in (ExactAttribution(), ShapleyAttribution())
    )
    np.testing.assert_allclose(shapley.contributions, exact.contributions, rtol=1e-10, atol=1e-12)
    assert shapley.base_value == pytest.approx(exact.base_value + exact.residual)
    assert abs(exact.residual) > 0.01
    assert shapley.value == pytest.approx(exact.value) == shapley.score
    assert shapley.residual == pytest.approx(0, abs=1e-12)
    assert shapley.method.startswith("GaussianGenerator, Shapley (exact) attribution, score per")
    assert shapley.certificate.seed_sign_flips == 0
    assert shapley.certificate.faithfulness == pytest.approx(1)


class TestNearTheMean:
    """Where a contribution over a distance would be nothing over nothing."""

    @pytest.mark.parametrize("max_enumerated", [0, 12])
    @pytest.mark.parametrize("distance", [0.0, -0.0, 1e-300, 1e-9, -1e-6, 3e-4])
    def test_importance_is_the_mean_slope_at_the_mean(self, distance, max_enumerated):
        # d/da of curved at a = mean, over the coalitions of the others.
        shapley = fitted(SMOOTH, FOUR, max_enumerated=max_enumerated, n_permutations=3000)
        mean, scale = shapley.mean_, shapley.scale_
        own = FOUR[31].copy()
        own[0] = mean[0] + distance * scale[0]
        expected = 0.0
        for joined in itertools.product([False, True], repeat=3):
            b, c = np.where(joined[:2], own[1:3], mean[1:3])
            slope = np.cos(mean[0]) * b - 0.2 * np.exp(0.3 * c - 0.2 * mean[0])
            size = sum(joined)
            expected += slope * scale[0] / (4 * math.comb(3, size))
        found = shapley.attribute(own, EMBEDDING, [0])
        tolerance = 0.05 if max_enumerated == 0 else 2 * NEAR
        assert found.importances[0, 0] == pytest.approx(expected, rel=tolerance)

    @pytest.mark.parametrize("max_enumerated", [0, 12])
    @pytest.mark.parametrize("distances", [[0, 0, 0, 0], [0, 1e-8, 1, 2], [3e-4, -3e-4, 1e-5, 1]])
    def test_contributions_still_lead_to_the_value(self, distances, max_enumerated):
        shapley = fitted(SMOOTH, FOUR, max_enumerated=max_enumerated)
        own = shapley.mean_ + distances * shapley.scale_
        found = shapley.attribute(own, EMBEDDING, [0, 1])
        contributions = contributions_of(shapley, own, [0, 1])
        # Off by curvature times both distances: no more than float32's rounding.
        np.testing.assert_allclose(
            found.base_values + contributions.sum(axis=1), found.values, rtol=1e-6
        )
        for i, score in enumerate([curved, bent]):
            expected = over_all_orders(score, own, shapley.mean_)
            # Sampled, that is within the errors, which have little to say near the mean.
            if max_enumerated:
                np.testing.assert_allclose(contributions[i], expected, rtol=1e-6, atol=1e-6)
        assert np.isfinite(found.importances).all()
        assert np.abs(found.importances).min() > 1e-3

    def test_importances_do_not_jump_where_the_step_begins(self):
        shapley = fitted(SMOOTH, FOUR)
        around = [
            shapley.attribute(
                np.r_[shapley.mean_[0] + distance * shapley.scale_[0], FOUR[31, 1:]], EMBEDDING, [0]
            ).importances
            for distance in (0.5 * NEAR, 0.999 * NEAR, 1.001 * NEAR, 2 * NEAR)
        ]
        np.testing.assert_allclose(around, around[:1] * 4, rtol=1e-3)

    @pytest.mark.parametrize("max_enumerated", [0, 12])
    @pytest.mark.parametrize("side", [-1, 1])
    def test_the_slope_is_the_one_on_the_users_side(self, side, max_enumerated):
        def kinked(rows, embedding):
            return np.abs(rows[:, 0] - FOUR[:, 0].mean()) + rows[:, 1]

        shapley = fitted(Function(kinked), FOUR, max_enumerated=max_enumerated)
        own = shapley.mean_ + side * 1e-6 * shapley.scale_
        found = shapley.attribute(own, EMBEDDING, [0])
        np.testing.assert_allclose(found.importances[0, 0], side * shapley.scale_[0], rtol=1e-9)

    def test_float32_does_not_drown_them_in_rounding(self):
        single = fitted(Function(curved, dtype=np.float32), FOUR)
        double = fitted(Function(curved), FOUR)
        own = FOUR[31].copy()
        own[1] = double.mean_[1] + 1e-7
        found = single.attribute(own, EMBEDDING, [0])
        expected = double.attribute(own, EMBEDDING, [0])
        np.testing.assert_allclose(found.importances, expected.importances, atol=5e-3)


def product(rows, embedding):
    return rows[:, 0] * rows[:, 1]


class TestFidelity:
    def test_is_one_where_tags_add_up_however_bent(self):
        def additive(rows, embedding):
            return np.exp(rows[:, 0]) + np.sin(3 * rows[:, 1]) - rows[:, 2] ** 2

        for max_enumerated in (0, 12):
            shapley = fitted(Function(additive), FOUR, max_enumerated=max_enumerated)
            assert shapley.attribute(FOUR[7], EMBEDDING, [0]).fidelity[0] == pytest.approx(1)

    @pytest.mark.parametrize("max_enumerated", [0, 12])
    def test_of_what_two_tags_do_together_only_is_known(self, max_enumerated):
        # Scores 0, 0, 0, 1 and sums 0, .5, .5, 1; sizes weigh alike: 1/3, 1/6, 1/6, 1/3. So
        # 1/12 is unexplained of 2/9. With 0, 1, 1, 0, sums are 0: 1/3 is unexplained of 2/9.
        shares = {"max_enumerated": max_enumerated, "n_permutations": 10}
        game = Game([0.0, 0.0, 0.0, 1.0], [0.0, 1.0, 1.0, 0.0])
        shapley = fitted(game, unit_population(2), **shares)
        found = shapley.attribute(np.full(2, 2.0), EMBEDDING, [0, 1])
        np.testing.assert_allclose(found.fidelity, [1 - 3 / 8, 1 - 3 / 2])

    @pytest.mark.parametrize("max_enumerated", [0, 12])
    def test_is_one_where_nothing_ever_changes(self, max_enumerated):
        rounding = Function(
            lambda rows, _: np.full(len(rows), 0.1),
            lambda rows, _: 1e6 + 0.1 * ((rows > FOUR.mean(axis=0)).sum(axis=1) % 2),
            dtype=np.float32,
        )
        shapley = fitted(rounding, FOUR, max_enumerated=max_enumerated)
        own = FOUR.mean(axis=0) + FOUR.std(axis=0)
        found = shapley.attribute(own, EMBEDDING, [0, 1])
        np.testing.assert_array_equal(found.fidelity, [1, 1])
        assert (found.importances[0] == 0).all()

    def test_of_scores_that_are_no_numbers_is_none(self):
        shapley = fitted(Function(product), FOUR)
        shapley._composite = Function(lambda rows, _: np.full(len(rows), np.nan), product)
        found = shapley.attribute(FOUR[7], EMBEDDING, [0, 1])
        assert np.isnan(found.fidelity[0])
        assert np.isnan(found.importances[0]).all()
        assert np.isfinite(found.importances[1]).all()


def test_a_tag_alike_for_everybody_stays_the_users_own_and_has_no_importance():
    preferences = np.column_stack([FOUR[:, :1], np.full(50, 1 / 3)])
    for max_enumerated in (0, 1):  # one tag varies
        shapley = fitted(Function(product), preferences, max_enumerated=max_enumerated)
        found = shapley.attribute(np.array([2.0, 5.0]), EMBEDDING, [0])
        assert found.importances[0, 1] == 0
        assert found.importances[0, 0] == pytest.approx(5 * shapley.scale_[0])
        assert found.base_values[0] == pytest.approx(5 * shapley.mean_[0])
        assert found.values[0] == 10
        assert (found.standard_errors is None) == (max_enumerated == 1)


def test_one_user_alone_is_the_average_one():
    shapley = fitted(SMOOTH, FOUR[:1], max_enumerated=0)
    found = shapley.attribute(FOUR[0], EMBEDDING, [0, 1])
    assert (found.importances == 0).all()
    np.testing.assert_array_equal(found.base_values, found.values)
    np.testing.assert_array_equal(found.fidelity, [1, 1])


@pytest.mark.parametrize("max_enumerated", [0, 12])
def test_items_are_attributed_together_as_one_by_one(max_enumerated):
    shapley = fitted(SMOOTH, FOUR, max_enumerated=max_enumerated)
    together = shapley.attribute(FOUR[3], EMBEDDING, [1, 0, 1])
    for i, item in enumerate([1, 0, 1]):
        alone = shapley.attribute(FOUR[3], EMBEDDING, [item])
        np.testing.assert_allclose(alone.importances[0], together.importances[i], rtol=1e-12)
        assert alone.fidelity[0] == pytest.approx(together.fidelity[i])
        if max_enumerated == 0:
            np.testing.assert_allclose(
                alone.standard_errors[0], together.standard_errors[i], rtol=1e-9, atol=1e-15
            )


def test_same_seed_same_bits_pickled_or_cloned_and_the_global_state_untouched():
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    shapley = fitted(SMOOTH, FOUR, max_enumerated=0, n_permutations=3)
    first = shapley.attribute(FOUR[31], EMBEDDING, [0])
    shapley.attribute(FOUR[2], EMBEDDING, [1])
    for other in (
        shapley,
        pickle.loads(pickle.dumps(shapley)),
        clone(shapley).fit(SMOOTH, FOUR, np.tile(EMBEDDING, (50, 1))),
    ):
        again = other.attribute(FOUR[31], EMBEDDING, [0])
        np.testing.assert_array_equal(again.importances, first.importances)
        np.testing.assert_array_equal(again.standard_errors, first.standard_errors)
    other = fitted(SMOOTH, FOUR, max_enumerated=0, n_permutations=3, random_state=1)
    assert (other.attribute(FOUR[31], EMBEDDING, [0]).importances != first.importances).any()
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_calls_of_the_composite_are_bounded():
    function = Function(paired)
    shapley = fitted(function, THIRTY, n_permutations=50)
    function.calls.clear()
    shapley.attribute(THIRTY[4], EMBEDDING, [0])
    assert function.calls == [100] * 31
    function = Function(lambda rows, _: rows.prod(axis=1))
    shapley = fitted(function, THIRTY[:, :14], max_enumerated=14)
    function.calls.clear()
    shapley.attribute(THIRTY[4, :14], EMBEDDING, [0])
    assert function.calls == [4096] * 4


class Curve(torch.nn.Module):
    def forward(self, users, items):
        return torch.tanh((users * items).sum(dim=1) / 3)


def recommenders():
    random = np.random.RandomState(1)
    users = random.normal(size=(60, 8)).astype(np.float32)
    items = random.normal(size=(80, 8)).astype(np.float32)
    return {"torch": TorchRecommender(Curve(), users, items), "factors": (users, items)}


@pytest.mark.parametrize(
    ("recommender", "generator"),
    [
        ("torch", GaussianGenerator()),
        ("factors", CVAEGenerator(hidden_dims=(16,), latent_dim=4, max_epochs=5, random_state=0)),
    ],
)
@pytest.mark.parametrize("max_enumerated", [3, 12])
def test_works_inside_the_explainer(recommender, generator, max_enumerated, data):
    explainer = TPECRExplainer(
        recommenders()[recommender],
        data.item_tags,
        generator=generator,
        attribution=ShapleyAttribution(max_enumerated=max_enumerated, random_state=0),
    ).fit(data.interactions)
    explanation = explainer.explain(4, data.item_ids[3])
    how = "exact" if max_enumerated == 12 else "100 permutations"
    assert f"Shapley ({how}) attribution, score per standard deviation" in explanation.method
    assert explanation.value == pytest.approx(explanation.prediction, rel=1e-5)
    assert explanation.residual == pytest.approx(0, abs=1e-5)
    assert ("standard_error" in explanation.to_frame()) == (max_enumerated == 3)
    assert 0.3 < explanation.fidelity <= 1
    assert explanation.certificate.completeness_error < 1e-6


def test_unfitted_says_so_and_has_a_name():
    with pytest.raises(NotFittedError, match="ShapleyAttribution"):
        ShapleyAttribution().attribute(FOUR[0], EMBEDDING, [0])
    assert ShapleyAttribution().name == "Shapley"


@pytest.mark.parametrize(
    "params",
    [
        {"max_enumerated": -1},
        {"max_enumerated": 21},
        {"max_enumerated": 2.5},
        {"n_permutations": 1},
        {"random_state": "seed"},
    ],
    ids=str,
)
def test_bad_parameters_are_named(params):
    with pytest.raises(ValueError, match=f"'{next(iter(params))}' parameter of ShapleyAttribution"):
        fitted(SMOOTH, FOUR, **params)
