"""The factorization machine; what it shares with matrix factorisation is tested there."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch

from sktpecr import FeedbackRefiner, TagPreferenceExtractor, TPECRExplainer
from sktpecr.evaluation import swap_score
from sktpecr.recommenders import FactorizationMachine
from sktpecr.recommenders.trained._rank_training import Comparisons

RANDOM = np.random.RandomState(0)
N_USERS, N_ITEMS, N_TAGS = 90, 40, 4
LIKED = np.arange(N_USERS) % N_TAGS
OF_ITEM = np.arange(N_ITEMS) % N_TAGS
# Everybody interacts with items of one tag, and now and then with others.
CHANCE = np.where(LIKED[:, None] == OF_ITEM, 0.7, 0.1)
X = sp.csr_matrix((RANDOM.uniform(size=CHANCE.shape) < CHANCE).astype(float))
TAGS = pd.DataFrame(
    np.eye(N_TAGS)[OF_ITEM],
    index=[f"item {i}" for i in range(N_ITEMS)],
    columns=["drama", "comedy", "crime", "war"],
)
SMALL = {"n_factors": 6, "batch_size": 128, "random_state": 0}


@pytest.fixture(scope="module")
def fm():
    return FactorizationMachine(TAGS, max_epochs=30, **SMALL).fit(X)


def test_scores_of_tags_are_dot_products_and_find_the_tag_liked(fm):
    scores = fm.tag_scores(fm.user_embeddings)
    np.testing.assert_allclose(scores, fm.user_embeddings @ fm.tag_embeddings_.T, rtol=1e-6)
    assert scores.dtype == np.float32
    assert fm.tag_scores(fm.user_embeddings.astype(float)).dtype == np.float64
    assert np.mean(scores.argmax(axis=1) == LIKED) > 0.95
    assert fm.tag_names_.tolist() == list(TAGS.columns)
    items = fm.score_items(fm.user_embeddings)
    assert np.mean(OF_ITEM[items.argmax(axis=1)] == LIKED) > 0.95


def test_compares_tags_of_the_item_with_tags_that_are_not_on_it():
    tags = sp.csr_matrix([[1, 1, 0], [0, 0, 0], [1, 1, 1], [0, 0, 2.0]])
    own = sp.csr_matrix(np.array([[1, 1, 1, 0], [0, 0, 1, 1]]))
    comparisons = Comparisons(own, 2, torch.device("cpu"), tags)
    seen = set()
    for seed in range(30):
        users, columns = comparisons.draw(torch.Generator().manual_seed(seed))
        assert len(users) == len(comparisons) == 5 + 2  # items 1 and 2 tell no tag from another
        assert (columns[:5] < 4).all()
        seen |= {(int(u), *row) for u, row in zip(users[5:], columns[5:].tolist(), strict=True)}
    assert {row[:2] for row in seen} == {(0, 4), (0, 5), (1, 6)}
    assert {row[2:] for row in seen if row[0] == 0} == {(6, 6)}
    assert {row[2:] for row in seen if row[0] == 1} == {(4, 4), (4, 5), (5, 4), (5, 5)}


@pytest.mark.parametrize(("weight", "n"), [(0.01, 1), (0.5, 20), (1.0, 40), (2.5, 100)])
def test_tag_weight_is_how_many_comparisons_of_tags_there_are_for_one_of_items(weight, n):
    own, tags = sp.csr_matrix(np.eye(40, 41)), sp.csr_matrix(np.tile([[1.0, 0.0]], (41, 1)))
    comparisons = Comparisons(own, 1, torch.device("cpu"), tags, weight)
    users, columns = comparisons.draw(torch.Generator().manual_seed(0))
    assert len(users) == len(comparisons) == 40 + n
    assert (columns[40:] == torch.tensor([41, 42])).all()


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix, sp.csc_array])
def test_tags_may_come_in_any_container_and_unnamed(kind, fm):
    plain = FactorizationMachine(kind(TAGS.to_numpy()), max_epochs=30, **SMALL).fit(X)
    np.testing.assert_array_equal(plain.tag_embeddings_, fm.tag_embeddings_)
    assert plain.tag_names_ is None


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        (np.ones((5, 2)), "item_tags must have one row per item: interactions have 40 columns"),
        (np.full((N_ITEMS, 2), np.nan), "item_tags has 80 NaN or infinite weights"),
        (-np.eye(N_ITEMS, 2), "item_tags has 2 negative weights"),
        (np.ones(N_ITEMS), "item_tags must be 2-d"),
    ],
)
def test_tags_that_cannot_be_are_named(tags, message):
    with pytest.raises(ValueError, match=message):
        FactorizationMachine(tags, max_epochs=1).fit(X)


def test_a_tag_weight_that_trains_no_tags_is_refused():
    with pytest.raises(ValueError, match="'tag_weight' parameter of FactorizationMachine"):
        FactorizationMachine(TAGS, tag_weight=0).fit(X)


def test_tags_and_interactions_with_other_ids_contradict_each_other():
    frame = pd.DataFrame(X.toarray(), columns=TAGS.index[::-1])
    with pytest.raises(ValueError, match="the same ids in another order"):
        FactorizationMachine(TAGS, max_epochs=1).fit(frame)


def test_one_tag_and_no_tags_at_all_still_train():
    for tags, n_tags in ((np.eye(N_ITEMS, 1), 1), (None, N_ITEMS)):
        fm = FactorizationMachine(tags, max_epochs=2, **SMALL).fit(X)
        assert fm.tag_scores(fm.user_embeddings).shape == (N_USERS, n_tags)
        assert np.isfinite(fm.tag_embeddings_).all()


def test_explained_in_closed_form_by_its_own_tag_scores(fm):
    explainer = TPECRExplainer(fm, TAGS).fit(X)
    np.testing.assert_allclose(
        explainer.tag_preferences_, fm.tag_scores(fm.user_embeddings), rtol=1e-5, atol=1e-6
    )
    explanation = explainer.explain(7, "item 3")
    total = explanation.base_value + explanation.contributions.sum() + explanation.residual
    assert total == pytest.approx(explanation.score, abs=1e-5)
    assert swap_score(explainer, X) == pytest.approx(1.0)
    refiner = FeedbackRefiner(explainer)
    refined = refiner.refine(7, like=["war"])
    assert refined.tag_preferences[3] > explainer.tag_preferences_[7, 3]


def test_brings_its_own_tags_to_the_explainer(fm):
    for recommender in (fm, FactorizationMachine(TAGS, max_epochs=2, **SMALL)):
        explainer = TPECRExplainer(recommender).fit(X)
        assert explainer.tag_names_.tolist() == list(TAGS.columns)
        assert explainer.item_ids_.tolist() == list(TAGS.index)
        assert TagPreferenceExtractor(recommender).fit(X).transform(X).shape == (N_USERS, N_TAGS)
    assert TPECRExplainer(fm).explain(7, "item 3").user == 7  # without fit as well
