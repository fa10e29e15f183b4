"""Matrix factorisation trained here, and what the trained recommenders have in common."""

import pickle
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import ndcg_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sktpecr import FeedbackRefiner, TagPreferenceExtractor, TPECRExplainer
from sktpecr._utils._torch_training import Training
from sktpecr.datasets import make_tagged_interactions
from sktpecr.recommenders import (
    FactorizationMachine,
    MatrixFactorization,
    NeuralCollaborativeFiltering,
    as_recommender,
)
from sktpecr.recommenders._fold_in import LearnedFoldIn
from sktpecr.recommenders.trained._modules import Factors, RankingLoss
from sktpecr.recommenders.trained._rank_training import (
    ComparisonBatches,
    Comparisons,
    Ndcg,
    Outside,
    hold_out,
    train_ranking,
)

CPU = torch.device("cpu")


def planted(n_users=120, n_items=60, n_kept=15, seed=0):
    """Return interactions with the items of each user's highest planted scores, and the scores."""
    random = np.random.RandomState(seed)
    scores = random.normal(size=(n_users, 3)) @ random.normal(size=(3, n_items))
    threshold = np.sort(scores, axis=1)[:, [-n_kept]]
    return sp.csr_matrix((scores >= threshold).astype(float)), scores


X, SCORES = planted()
TAGS = np.eye(4)[np.arange(60) % 4]
SMALL = {"n_factors": 4, "max_epochs": 3, "device": "cpu", "random_state": 0}
EVERY = [
    MatrixFactorization(**SMALL),
    FactorizationMachine(TAGS, **SMALL),
    NeuralCollaborativeFiltering(hidden_dims=(8, 4), **SMALL),
]
every = pytest.mark.parametrize("estimator", EVERY, ids=lambda estimator: type(estimator).__name__)


def auc(recommender, truth, rows=slice(None)):
    scores = recommender.score_items(recommender.user_embeddings)[rows]
    return np.mean([roc_auc_score(t, s) for t, s in zip(truth[rows], scores, strict=True)])


class TestTraining:
    def test_recovers_what_was_planted_from_part_of_it(self):
        random = np.random.RandomState(1)
        shown = X.multiply(random.uniform(size=X.shape) < 0.7).tocsr()
        mf = MatrixFactorization(8, batch_size=256, patience=40, random_state=0).fit(shown)
        truth = X.toarray() > 0
        hidden = [t[s == 0] for t, s in zip(truth, shown.toarray(), strict=True)]
        scores = mf.score_items(mf.user_embeddings)
        of_hidden = [s[x == 0] for s, x in zip(scores, shown.toarray(), strict=True)]
        assert np.mean([roc_auc_score(*both) for both in zip(hidden, of_hidden, strict=True)]) > 0.9

    @pytest.mark.parametrize("loss", ["bpr", "bce"])
    def test_loss_is_that_of_a_plain_loop(self, loss):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = Factors(5, 7, 3).double()
        users, columns = torch.tensor([0, 4, 4]), torch.tensor([[1, 2, 3], [0, 6, 5], [6, 1, 1]])
        found = RankingLoss(loss, 0.3)(module((users, columns)), None)
        U, V = module.users.weight.detach().numpy(), module.columns.weight.detach().numpy()
        total = 0.0
        for user, (item, *others) in zip(users.tolist(), columns.tolist(), strict=True):
            positive = U[user] @ V[item]
            total += 0.15 * (U[user] @ U[user] + V[item] @ V[item])
            if loss == "bce":
                total -= np.log(1 / (1 + np.exp(-positive)))
            for other in others:
                negative = U[user] @ V[other]
                total += 0.15 * V[other] @ V[other]
                if loss == "bpr":
                    total -= np.log(1 / (1 + np.exp(negative - positive)))
                else:
                    total -= np.log(1 - 1 / (1 + np.exp(-negative)))
        assert float(found.detach()) == pytest.approx(total / 3, rel=1e-10)

    @given(arrays(bool, st.tuples(st.integers(1, 6), st.integers(1, 9))), st.integers(0, 9))
    def test_negatives_are_never_among_the_positives(self, own, seed):
        rows = np.flatnonzero(~own.all(axis=1))
        drawn = Outside(sp.csr_matrix(own), CPU).draw(
            torch.from_numpy(rows), 20, torch.Generator().manual_seed(seed)
        )
        assert not own[rows[:, None], drawn.numpy()].any()

    def test_negatives_are_uniform_over_all_others(self):
        own = np.zeros((2, 8), dtype=bool)
        own[0, [0, 3, 4, 7]] = True
        drawn = Outside(sp.csr_matrix(own), CPU).draw(
            torch.tensor([1, 0]), 40_000, torch.Generator().manual_seed(0)
        )
        for row, columns in ((0, range(8)), (1, [1, 2, 5, 6])):
            shares = np.bincount(drawn[row].numpy(), minlength=8) / 40_000
            expected = np.isin(np.arange(8), columns) / len(columns)
            np.testing.assert_allclose(shares, expected, atol=0.01)

    def test_rows_that_many_comparisons_share_do_not_overshoot(self):
        # One user and two items in all comparisons of one batch: unlimited, this diverges.
        crowd = sp.csr_matrix(np.tile([1.0, 0.0], (500, 1)))
        mf = MatrixFactorization(4, batch_size=10_000, validation_fraction=0.0, random_state=0)
        losses = [row["train_loss"] for row in mf.fit(crowd).history_]
        assert losses[-1] < 0.3
        assert max(losses) < 0.8

    def test_an_epoch_shows_every_interaction_once_with_new_negatives(self):
        batches = ComparisonBatches(Comparisons(X, 2, CPU), 100, torch.Generator().manual_seed(0))
        epochs = [list(batches) for _ in range(2)]
        for epoch in epochs:
            pairs = np.concatenate([np.c_[users, columns[:, 0]] for (users, columns), _ in epoch])
            shown = sp.csr_matrix((np.ones(len(pairs)), pairs.T), shape=X.shape)
            assert (shown != X).nnz == 0
        first, second = (
            {(int(user), *row) for (users, columns), _ in epoch
             for user, row in zip(users, columns.tolist(), strict=True)}
            for epoch in epochs
        )  # fmt: skip
        assert len(first & second) < len(first) / 10

    def test_who_has_everything_is_left_out(self):
        full = sp.csr_matrix(np.vstack([np.ones(5), np.eye(2, 5)]))
        assert Comparisons(full, 1, CPU).users.tolist() == [1, 2]

    def test_held_out_interactions_are_a_part_of_those_of_users_with_enough(self):
        lengths = np.array([0, 2, 4, 5, 20, 30, 30])
        own = np.arange(30) < lengths[:, None]
        rest, held_out, users = hold_out(sp.csr_matrix(own), 0.2, np.random.RandomState(0))
        assert users.tolist() == [3, 4]  # those with everything have nothing to be ranked against
        assert np.diff(held_out.indptr).tolist() == [0, 0, 0, 1, 4, 0, 0]
        assert ((rest + held_out).toarray() == own).all()
        nobody = hold_out(sp.csr_matrix(own), 0.0, np.random.RandomState(0))[2]
        assert not len(nobody)

    def test_ndcg_is_that_of_scikit_learn(self):
        rest, held_out, users = hold_out(X, 0.4, np.random.RandomState(0))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = Factors(*X.shape, 3)
        scores = (module.users.weight @ module.columns.weight.T).detach().numpy()
        scores[rest.toarray() > 0] = -100.0
        found = Ndcg(users, rest[users], held_out[users], CPU).measure(module.eval())
        assert found == pytest.approx(ndcg_score(held_out.toarray(), scores, k=10), rel=1e-5)

    def test_the_best_epoch_is_kept_and_patience_ends_training(self):
        training = Training(0.1, 64, 200, 3, 0.1, "cpu", seed=5, title="test")
        module, history = train_ranking(
            Factors, {"n_factors": 4}, X, training, loss="bpr", regularization=0.01
        )
        measures = [row["valid_ndcg"] for row in history]
        assert len(measures) == int(np.argmax(measures)) + 4 < 200
        rest, held_out, users = hold_out(X, 0.1, np.random.RandomState(5))
        scores = (module.users.weight @ module.columns.weight.T).detach().numpy()
        scores[rest.toarray() > 0] = -100.0
        found = ndcg_score(held_out[users].toarray(), scores[users], k=10)
        assert found == pytest.approx(max(measures), rel=1e-5)

    def test_no_validation_trains_to_the_end(self):
        history = clone(EVERY[0]).set_params(validation_fraction=0.0).fit(X).history_
        assert [sorted(row) for row in history] == [["epoch", "train_loss"]] * 3

    @pytest.mark.parametrize("batch_size", [100, 10_000])
    def test_a_rate_that_is_too_high_is_an_error(self, batch_size):
        mf = MatrixFactorization(4, learning_rate=1e38, batch_size=batch_size, random_state=0)
        with pytest.raises(ValueError, match=r"diverged in epoch 1: .* lower learning_rate"):
            mf.fit(X)


class TestEvery:
    @every
    def test_is_a_recommender_once_it_is_fitted(self, estimator):
        assert not hasattr(estimator, "user_embeddings")
        assert not hasattr(estimator, "item_embeddings")
        fitted = clone(estimator).fit(X)
        assert as_recommender(fitted) is fitted
        assert fitted.user_embeddings.shape == (120, 4)
        scores = fitted.score_items(fitted.user_embeddings[:5])
        assert scores.shape == (5, 60)
        np.testing.assert_allclose(
            fitted.score_items(fitted.user_embeddings[:5], [7, 3]), scores[:, [7, 3]], rtol=1e-5
        )
        if hasattr(fitted, "item_embeddings"):
            expected = fitted.user_embeddings[:5] @ fitted.item_embeddings.T
            np.testing.assert_allclose(scores, expected, rtol=1e-6)
        assert all(array.dtype == np.float32 for array in (fitted.user_embeddings, scores))

    @every
    @pytest.mark.parametrize("what", ["user_embeddings", "predict", "recommend", "score_items"])
    def test_unfitted_one_says_so(self, estimator, what):
        with pytest.raises(NotFittedError, match="not fitted"):
            getattr(estimator, what)(X[:1] if what != "recommend" else 0)
        with pytest.raises(NotFittedError, match=r"is not fitted; call its fit\(interactions\)"):
            as_recommender(estimator)

    @every
    def test_same_seed_same_result_and_no_global_state_touched(self, estimator):
        torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
        first, again = (clone(estimator).fit(X).predict(X[:9]) for _ in range(2))
        other = clone(estimator).set_params(random_state=1).fit(X).predict(X[:9])
        np.testing.assert_array_equal(first, again)
        assert (first != other).any()
        assert torch.equal(torch_state, torch.get_rng_state())
        assert (numpy_state == np.random.get_state()[1]).all()  # noqa: NPY002

    @every
    def test_weights_types_and_containers_do_not_matter(self, estimator):
        expected = clone(estimator).fit(X).predict(X[:4])
        weighted = X.multiply(np.random.RandomState(0).uniform(0.5, 5, size=X.shape)).tocsr()
        for same in (weighted, X.toarray(), X.tocsc(), X.astype(np.float32), X.astype(int)):
            np.testing.assert_array_equal(clone(estimator).fit(same).predict(X[:4]), expected)

    @every
    def test_fit_keeps_nothing_of_the_interactions_that_a_user_may_change(self, estimator):
        mine = X.copy()
        fitted = clone(estimator).fit(mine)
        before = fitted.recommend(3, 60)["item"].tolist()
        mine.data[:] = 0
        mine.indices[:] = 0
        assert fitted.recommend(3, 60)["item"].tolist() == before

    @every
    def test_recommends_the_best_that_was_not_seen(self, estimator):
        fitted = clone(estimator).fit(X)
        scores = fitted.score_items(fitted.user_embeddings)[5]
        for exclude_seen in (True, False):
            listed = fitted.recommend(5, 7, exclude_seen)
            ranked = np.where(X[[5]].toarray()[0] * exclude_seen > 0, -np.inf, scores)
            assert listed.columns.tolist() == ["item", "score", "rank"]
            assert listed["item"].tolist() == np.argsort(-ranked, kind="stable")[:7].tolist()
            np.testing.assert_allclose(listed["score"], scores[listed["item"]], rtol=1e-5)
        assert len(fitted.recommend(5, 1000)) == 45
        for user in (120, -1, "ann", 1.0):
            with pytest.raises(ValueError, match=r"row numbers? .*from 0 to 119"):
                fitted.recommend(user)
        with pytest.raises(ValueError, match="n must be a whole number of at least 1, got 0"):
            fitted.recommend(5, 0)

    @every
    def test_empty_rows_get_the_average_user(self, estimator):
        with_empty = sp.vstack([X, sp.csr_matrix((2, 60))]).tocsr()
        fitted = clone(estimator).fit(with_empty)
        np.testing.assert_array_equal(*fitted.predict(with_empty[-2:]))
        assert np.isfinite(fitted.fold_in(with_empty[-2:])).all()

    @every
    def test_frame_brings_names(self, estimator):
        frame = pd.DataFrame(X.toarray(), columns=[f"item {i}" for i in range(60)])
        fitted = clone(estimator).fit(frame)
        assert fitted.feature_names_in_[7] == "item 7"
        with pytest.raises(ValueError, match="feature names"):
            fitted.predict(frame[frame.columns[::-1]])

    def test_load_and_score_in_another_process(self, tmp_path):
        # One process for all, those that need no torch first: to start one costs seconds.
        fitted = [clone(estimator).fit(X) for estimator in EVERY]
        paths = [tmp_path / f"{type(one).__name__}.pickle" for one in fitted]
        for path, one in zip(paths, fitted, strict=True):
            path.write_bytes(pickle.dumps(one))
        code = (
            "import pickle, sys, numpy as np\n"
            "for path in sys.argv[1:]:\n"
            "    m = pickle.load(open(path, 'rb'))\n"
            "    total = float(m.score_items(m.user_embeddings[:3]).sum())\n"
            "    print(repr(total), 'torch' in sys.modules)\n"
        )
        run = subprocess.run(
            [sys.executable, "-W", "error", "-c", code, *map(str, paths)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr
        needs_torch = [not hasattr(one, "item_embeddings") for one in fitted]
        assert needs_torch == sorted(needs_torch)
        for line, one, needs in zip(run.stdout.splitlines(), fitted, needs_torch, strict=True):
            total, torch_loaded = line.split()
            expected = float(one.score_items(one.user_embeddings[:3]).sum())
            assert float(total) == pytest.approx(expected, rel=1e-5)
            # A dot product needs no torch to be explained.
            assert torch_loaded == str(needs)

    @every
    @pytest.mark.parametrize(
        ("bad", "message"),
        [
            (-X, r"Negative values in data: .* got 1800 below, the first in row 0, column \d+"),
            (X * 0, r"X must have interactions .*n_samples = 120, .* 0 interactions"),
            (X * np.nan, "NaN"),
            (np.ones((3, 4)), r"nobody of it has some .*\(n_samples = 3, n_features = 4, 12 "),
            (np.ones((5, 1)), "n_features = 1"),
            (np.ones(4), "Expected 2D array"),
        ],
    )
    def test_interactions_that_cannot_be_are_named(self, estimator, bad, message):
        with pytest.raises(ValueError, match=message):
            clone(estimator).set_params(**no_tags(estimator)).fit(bad)

    @every
    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"n_factors": 0}, "'n_factors' parameter"),
            ({"learning_rate": 0.0}, "'learning_rate' parameter"),
            ({"validation_fraction": 1.0}, "'validation_fraction' parameter"),
            ({"device": "abacus"}, "device must be 'auto' or a torch device .*got 'abacus'"),
            ({"device": "mps"}, "device must be 'auto' or a torch device .*got 'mps'"),
        ],
    )
    def test_parameters_that_cannot_be_are_named(self, estimator, params, message):
        with pytest.raises(ValueError, match=message):
            clone(estimator).set_params(**params).fit(X)

    @every
    @pytest.mark.parametrize("shape", [(1, 5), (5, 2)])
    def test_a_single_user_or_two_items_are_enough(self, estimator, shape):
        few = np.eye(*shape)
        scores = clone(estimator).set_params(**no_tags(estimator)).fit(few).predict(few)
        assert scores.shape == shape
        assert np.isfinite(scores).all()


def no_tags(estimator):
    return {"item_tags": None} if hasattr(estimator, "item_tags") else {}


class TestExplained:
    def test_without_an_adapter_exactly(self):
        mf = MatrixFactorization(4, max_epochs=10, random_state=0).fit(X)
        explanation = TPECRExplainer(mf, TAGS).fit(X).explain(3, 7)
        assert explanation.score == pytest.approx(
            mf.score_items(mf.user_embeddings)[3, 7], rel=1e-5
        )
        assert explanation.fidelity == pytest.approx(1.0)
        refined = FeedbackRefiner(TPECRExplainer(mf, TAGS).fit(X)).refine(3, like=["tag_1"])
        assert len(refined.recommend(5)) == 5

    @every
    def test_unfitted_one_is_cloned_and_fitted(self, estimator):
        extractor = TagPreferenceExtractor(estimator, TAGS).fit(X)
        assert not hasattr(estimator, "history_")
        assert type(extractor.recommender_) is type(estimator)
        expected = TagPreferenceExtractor(clone(estimator).fit(X), TAGS).fit(X).transform(X)
        np.testing.assert_array_equal(extractor.transform(X), expected)
        found = make_pipeline(extractor, StandardScaler()).fit_transform(X)
        assert found.shape == (120, 4)

    def test_parameters_of_an_unfitted_one_can_be_set_from_outside(self):
        explainer = TPECRExplainer(clone(EVERY[0]), TAGS).set_params(recommender__n_factors=3)
        assert explainer.fit(X).user_embeddings_.shape == (120, 3)

    def test_new_rows_are_embedded_as_known_ones_are(self):
        data = make_tagged_interactions(random_state=0)
        mf = MatrixFactorization(8, random_state=0).fit(data.interactions)
        folded = mf.fold_in(data.interactions)
        assert folded.dtype == mf.user_embeddings.dtype
        np.testing.assert_allclose(folded, mf.user_embeddings, rtol=1e-5, atol=1e-6)

    def test_embeddings_are_the_regression_of_the_trained_ones_on_rows(self):
        random = np.random.RandomState(0)
        items = random.normal(size=(60, 3))
        # Trained embeddings that are such a function of the row, but for noise, lose the noise.
        lengths = np.asarray(X.sum(axis=1))
        truth = X @ items / np.sqrt(lengths) @ random.normal(size=(3, 3)) + np.log(lengths)
        noisy = truth + 0.1 * random.normal(size=truth.shape)
        found = LearnedFoldIn.learn(X, noisy, items)(X)
        assert np.square(found - truth).mean() < 0.2 * np.square(noisy - truth).mean()

    @every
    def test_rows_of_another_width_and_stored_zeros(self, estimator):
        fitted = clone(estimator).fit(X)
        with pytest.raises(ValueError, match="X has 7 columns, but the recommender knows 60 items"):
            fitted.fold_in(np.eye(2, 7))
        row = sp.csr_matrix(([1.0, 0.0, 2.0], ([0, 0, 0], [3, 5, 9])), shape=(1, 60))
        expected = fitted.fold_in(sp.csr_matrix(row.toarray()))
        np.testing.assert_allclose(fitted.fold_in(row), expected, rtol=1e-6)
