"""Exact attributions against the shap package, and the benchmark's own rivals against formulas."""

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD

from benchmarks.beyond.other_attributions import KernelShap, Permutation, RandomOrder
from sktpecr import GaussianGenerator, TPECRExplainer
from sktpecr.attribution import ExactAttribution, ShapleyAttribution
from sktpecr.attribution._composite import CompositeFunction
from sktpecr.recommenders import FactorRecommender


def linear_parts(n_tags, n_factors, dtype=np.float64):
    """Return a linear composite function, tag preferences and embeddings of 40 users."""
    rng = np.random.RandomState(n_tags + n_factors)
    users = rng.normal(size=(40, n_factors)).astype(dtype)
    items = rng.normal(size=(6, n_factors)).astype(dtype)
    tag_matrix = rng.normal(size=(n_tags, n_factors))
    preferences = users.astype(np.float64) @ tag_matrix.T
    generator = GaussianGenerator().fit(preferences, users, tag_matrix=tag_matrix)
    return CompositeFunction(FactorRecommender(users, items), generator), preferences, users


def found_by(attribution, parts, user=3, items=(4, 0)):
    composite, preferences, users = parts
    attribution.fit(composite, preferences, users)
    return attribution.attribute(preferences[user], users[user].astype(np.float64), items)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("n_tags", "n_factors"), [(1, 8), (6, 8), (9, 3), (1, 1)])
def test_linear_explainer_gives_the_same_contributions(dtype, n_tags, n_factors):
    shap = pytest.importorskip("shap")
    parts = composite, preferences, users = linear_parts(n_tags, n_factors, dtype)
    distance = preferences[3] - preferences.mean(axis=0)
    embedding = users[3].astype(np.float64)
    # The line through the composite function is found by trying, not read off.
    rows = np.vstack([preferences[3], preferences[3] + np.eye(n_tags)])
    tried = composite(rows, np.tile(embedding, (len(rows), 1)), [4, 0]).astype(np.float64)
    background = shap.maskers.Independent(preferences, max_samples=len(preferences))
    for attribution in (ExactAttribution(), ShapleyAttribution()):
        found = found_by(attribution, parts).importances * distance / preferences.std(axis=0)
        for contributions, slopes in zip(found, (tried[1:] - tried[0]).T, strict=True):
            theirs = shap.LinearExplainer((slopes, 0.0), background)
            expected = theirs.shap_values(preferences[3:4])[0]
            np.testing.assert_allclose(contributions, expected, atol=1e-6 * np.abs(tried).max())


@pytest.mark.parametrize("n_tags", [1, 6])
def test_rivals_find_the_weights_where_scores_are_linear(n_tags):
    pytest.importorskip("shap")
    parts = linear_parts(n_tags, 8)
    expected = found_by(ExactAttribution(), parts)
    for rival in (KernelShap(random_state=0), Permutation(random_state=0)):
        found = found_by(rival, parts)
        np.testing.assert_allclose(found.importances, expected.importances, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(found.values, expected.values)
    assert not np.allclose(found_by(RandomOrder(), parts).importances, expected.importances)


@pytest.mark.parametrize("rival", [KernelShap, Permutation, RandomOrder])
def test_rivals_answer_alike_twice_and_leave_the_global_seed_alone(rival):
    if rival is KernelShap:
        pytest.importorskip("shap")
    parts = linear_parts(6, 8)
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = (found_by(rival(random_state=1), parts).importances for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    other_user = found_by(rival(random_state=1), parts, user=4).importances
    assert (rival is not RandomOrder) or not np.allclose(first, other_user)


def test_rivals_work_inside_the_explainer(data):
    explainer = TPECRExplainer(
        TruncatedSVD(8, random_state=0), data.item_tags, attribution=Permutation(random_state=0)
    )
    explanation = explainer.fit(data.interactions).explain(3, data.item_ids[1])
    assert "permutation (100 draws per tag)" in explanation.method
    assert explanation.certificate.faithfulness == pytest.approx(1, abs=1e-4)
