"""What a recommender must and may have is asked in one place, and a miss says whose it is."""

import ast
from pathlib import Path

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import Ridge

from sktpecr.recommenders import AdapterError, DistilledRecommender, FactorRecommender, _protocol
from sktpecr.recommenders._protocol import (
    check_range,
    clone_sharing,
    fold_in,
    item_biases_of,
    item_embeddings_of,
    n_items_of,
    optional,
)

PACKAGE = Path(_protocol.__file__).parents[1]


class Plain:
    """What every recommender must have, and nothing else."""

    user_embeddings = np.eye(3, 2)

    def score_items(self, embeddings, items=None):
        scores = np.tanh(np.asarray(embeddings) @ np.ones((2, 5)))
        return scores if items is None else scores[:, items]


FACTORS = FactorRecommender(np.eye(3, 2), np.ones((5, 2)), np.arange(5.0))


def probes(source):
    """List the names that a file looks for by `hasattr` or `getattr`."""
    return [
        node.args[1].value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("hasattr", "getattr")
        and isinstance(node.args[1], ast.Constant)
    ]


def test_nobody_else_looks_for_what_a_recommender_has():
    # Attributions stand on the floor of the recommenders, and import nothing of theirs.
    rooms = {"recommenders", "attribution"}
    found = {
        path.relative_to(PACKAGE).as_posix(): names
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[0] not in rooms
        for names in [set(probes(path.read_text("utf-8"))) & set(_protocol._OPTIONAL)]
        if names
    }
    assert not found


def test_probes_are_found():
    assert probes("hasattr(a, 'x') or getattr(b.c, 'y', 1) or getattr(d, name)") == ["x", "y"]


def test_what_a_recommender_has_not_has_a_stand_in():
    assert optional(Plain(), "fidelity") == 1.0
    assert optional(Plain(), "feedback_loss") == "bpr"
    assert optional(Plain(), "n_trained") is None
    assert optional(FACTORS, "item_biases") is FACTORS.item_biases
    with pytest.raises(KeyError, match="item_embedding"):
        optional(FACTORS, "item_embedding")


def test_a_miss_names_both_parties_and_what_is_missing():
    with pytest.raises(AdapterError, match=r"^Somebody needs .* Plain has no item_embeddings"):
        item_embeddings_of(Plain(), "Somebody")
    with pytest.raises(ValueError, match=r"^Plain cannot .* asked by Somebody.* no fold_in\(X\)"):
        fold_in(Plain(), sp.csr_matrix((2, 5)), "Somebody")


def test_items_of_a_dot_product_and_of_anything_else():
    np.testing.assert_array_equal(item_embeddings_of(FACTORS, "test"), np.ones((5, 2)))
    np.testing.assert_array_equal(item_biases_of(FACTORS), np.arange(5.0))
    assert (n_items_of(FACTORS), n_items_of(Plain())) == (5, 5)
    nobody = Plain()
    nobody.user_embeddings = np.empty((0, 2))
    assert n_items_of(nobody) is None


def test_fitted_models_are_shared_by_clones_and_unfitted_ones_are_not():
    X = sp.random(20, 8, density=0.5, random_state=0, format="csr")
    fitted, unfitted, features = Ridge().fit(X, X.toarray()), TruncatedSVD(2), np.ones((20, 1))
    for model, shared in ((fitted, True), (unfitted, False)):
        estimator = DistilledRecommender(model, user_features=features, budget=7)
        copied = clone_sharing(estimator, "model", "user_features")
        assert (copied.model is model) is shared
        assert copied.user_features is features
        assert type(copied.model) is type(model)
        assert copied.budget == 7


@given(
    hnp.arrays(
        st.sampled_from([np.float32, np.float64]),
        st.tuples(st.integers(1, 4), st.integers(1, 4)),
        elements=st.floats(-(2.0**60), 2.0**60, width=32),
    )
)
def test_the_largest_number_is_found_in_blocks(values):
    assert _protocol._largest(values) == np.abs(values).max()


@pytest.mark.parametrize("size", [1e-20, 1e20])
def test_numbers_whose_squares_are_beyond_single_precision_are_named(size):
    embeddings = np.full((2, 2), size, dtype=np.float32)
    with pytest.raises(ValueError, match=r"user embeddings of Plain are of size .* in float64"):
        check_range(Plain(), embeddings)
    check_range(Plain(), embeddings.astype(np.float64))
