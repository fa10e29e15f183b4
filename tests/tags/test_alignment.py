"""Whether a model knows the rows and columns of X: against plain loops, and on wrong orders."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from sklearn.decomposition import TruncatedSVD

from sktpecr import TagPreferenceExtractor, TPECRExplainer
from sktpecr.datasets import load_movielens, make_tagged_interactions
from sktpecr.recommenders import FactorRecommender
from sktpecr.tags._alignment import own_item_auc

FILMS = load_movielens()
X = sp.csr_matrix(FILMS.interactions, dtype=np.float32)
ALS = AlternatingLeastSquares(factors=16, random_state=0, iterations=3, num_threads=1)
ALS.fit(X, show_progress=False)
RNG = np.random.RandomState(0)
ROWS, COLUMNS = (RNG.permutation(n) for n in X.shape)
KNOWN = ALS.user_factors, ALS.item_factors


@pytest.mark.parametrize("seed", range(3))
def test_auc_equals_plain_loops_over_pairs_of_items(seed):
    rng = np.random.RandomState(seed)
    taken = rng.uniform(size=(7, 9)) < 0.4
    recommender = FactorRecommender(rng.normal(size=(7, 3)), rng.normal(size=(9, 3)).round())
    scores = recommender.score_items(recommender.user_embeddings)
    order = np.random.RandomState(0).permutation(np.flatnonzero(taken.any(axis=1)))
    aucs = []
    for one, other in zip(order, np.roll(order, 1), strict=True):
        wins = [
            (scores[one, a] > scores[one, b]) + 0.5 * (scores[one, a] == scores[one, b])
            for a in np.flatnonzero(taken[one] & ~taken[other])
            for b in np.flatnonzero(taken[other] & ~taken[one])
        ]
        aucs += [np.mean(wins)] if wins else []
    found = own_item_auc(
        recommender, recommender.user_embeddings.__getitem__, sp.csr_matrix(taken * 1.0)
    )
    assert found.value == pytest.approx(np.mean(aucs))
    assert found.error == pytest.approx(np.std(aucs) / np.sqrt(len(aucs)))
    assert found.n_users == len(aucs)


@pytest.mark.parametrize("make", [TagPreferenceExtractor, TPECRExplainer])
def test_the_right_order_is_clear_and_not_spoken_of(make):
    fitted = make(ALS, FILMS.item_tags).fit(X)
    assert 0.7 < fitted.alignment_ < 1


def test_rows_in_another_order_are_refused():
    with pytest.raises(ValueError, match=r"AUC 0\.\d+ over \d+ users.* rows of X are in another"):
        TPECRExplainer(ALS, FILMS.item_tags).fit(X[ROWS])
    folded = TPECRExplainer(ALS, FILMS.item_tags).fit(X[ROWS], users="fold_in")
    assert folded.alignment_ > 0.6


def test_columns_in_another_order_are_doubted():
    with pytest.warns(UserWarning, match="does not tell what users took from what others took"):
        TagPreferenceExtractor(ALS, FILMS.item_tags).fit(X[:, COLUMNS])
    with pytest.warns(UserWarning, match="does not tell half of what users took"):
        TPECRExplainer(ALS, FILMS.item_tags).fit(X[:, COLUMNS], users="fold_in")


def test_orders_that_can_be_tried_are_named():
    ids = RNG.permutation(X.shape[0])
    # Trained on rows sorted by id, while those of X are as they came.
    model = ALS.user_factors[np.argsort(ids)], ALS.item_factors
    explainer = TPECRExplainer(model, FILMS.item_tags)
    with pytest.raises(
        ValueError, match="with the rows of X in the order of the user ids sorted it is"
    ):
        explainer.fit(X, user_ids=ids.tolist())
    columns = np.argsort([str(i) for i in FILMS.item_ids])
    model = ALS.user_factors, ALS.item_factors[columns]
    with pytest.raises(
        ValueError, match="columns of X in the order of the item ids sorted as text"
    ):
        TagPreferenceExtractor(model, FILMS.item_tags).fit(X)


@pytest.mark.parametrize(("step", "where"), [(1, "left"), (-1, "right")])
def test_columns_that_are_off_by_one_are_named(step, where):
    moved = X[:, np.roll(np.arange(X.shape[1]), step)]
    with pytest.raises(ValueError, match=f"all columns of X moved by one to the {where} it is"):
        TagPreferenceExtractor(ALS, FILMS.item_tags).fit(moved)


def test_a_catalogue_turned_round_is_not_blamed_on_the_rows():
    half = X.shape[1] // 2
    with pytest.warns(UserWarning, match="rows or columns of X are in another order"):
        TagPreferenceExtractor(ALS, FILMS.item_tags).fit(sp.hstack([X[:, half:], X[:, :half]]))


def test_a_transposed_square_is_named():
    n = min(X.shape)
    some = X[:n, :n]
    model = AlternatingLeastSquares(factors=8, random_state=0, iterations=3, num_threads=1)
    model.fit(some, show_progress=False)
    with pytest.raises(ValueError, match="with X transposed"):
        TagPreferenceExtractor(model).fit(some.T)


def test_popularity_and_noise_are_chance_and_only_doubted():
    popular = np.asarray((X > 0).sum(axis=0), dtype=float).ravel()
    nothing = np.zeros((X.shape[1], 1))
    noise = RNG.normal(size=(X.shape[0], 4)), RNG.normal(size=(X.shape[1], 4))
    for model in (FactorRecommender(np.ones((X.shape[0], 1)), nothing, popular), noise):
        with pytest.warns(UserWarning, match="nearly the same to everybody"):
            extractor = TagPreferenceExtractor(model, FILMS.item_tags).fit(X)
        assert extractor.alignment_ == pytest.approx(0.5, abs=0.03)


def test_a_handful_of_users_proves_nothing():
    data = make_tagged_interactions(n_users=150, n_items=60, n_tags=4, random_state=0)
    noise = RNG.normal(size=(150, 4)), RNG.normal(size=(60, 4))
    assert TagPreferenceExtractor(noise, data.item_tags).fit(data.interactions).alignment_ < 0.6
    empty = TagPreferenceExtractor((np.eye(2), np.eye(3, 2))).fit(np.zeros((2, 3)))
    assert np.isnan(empty.alignment_)


def test_what_users_disliked_is_not_theirs():
    signed = X.copy()
    signed.data[:] = np.where(RNG.uniform(size=X.nnz) < 0.5, 1, -1)
    liked = signed.copy()
    liked.data = np.maximum(liked.data, 0)
    found = [
        own_item_auc(FactorRecommender(*KNOWN), ALS.user_factors.__getitem__, each)
        for each in (signed, liked)
    ]
    assert found[0] == found[1]
    np.testing.assert_array_equal(signed.indices, X.indices)  # it is not worked on in place


def test_a_model_fitted_here_is_not_asked():
    explainer = TPECRExplainer(TruncatedSVD(4, random_state=0), FILMS.item_tags).fit(X)
    assert np.isnan(explainer.alignment_)


def test_tags_in_another_order_are_doubted_and_the_right_ones_are_not():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TPECRExplainer(ALS, FILMS.item_tags).fit(X)
    for wrong in (
        FILMS.item_tags.sample(frac=1, random_state=0),
        pd.DataFrame(RNG.uniform(size=(X.shape[1], 20)) < 0.05),
    ):
        with pytest.warns(UserWarning, match="item_tags explain the scores no better than random"):
            TPECRExplainer(ALS, wrong).fit(X)


def test_alignment_is_saved(tmp_path):
    explainer = TPECRExplainer(ALS, FILMS.item_tags).fit(X)
    loaded = TPECRExplainer.load(explainer.save(tmp_path / "kept"))
    assert loaded.alignment_ == explainer.alignment_
