"""New users of a recommender in torch, and what is built on it, over a trained network."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.stats import spearmanr
from torch import nn

from sktpecr import FeedbackRefiner, GaussianGenerator, TPECRExplainer
from sktpecr.attribution import LimeAttribution
from sktpecr.datasets import make_tagged_interactions
from sktpecr.evaluation import swap_score
from sktpecr.recommenders import TorchRecommender

RNG = np.random.RandomState(0)
USERS = RNG.normal(size=(7, 4)).astype(np.float32)
ITEMS = RNG.normal(size=(9, 3)).astype(np.float32)


class Tower(nn.Module):
    """The MLP of neural collaborative filtering, smaller."""

    def __init__(self, n_in, width=8, dropout=0.5, seed=0):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_in, width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 1)
        )
        rng = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.normal_(generator=rng)

    def forward(self, users, items):
        return self.layers(torch.cat([users, items], dim=1))


def dot(users, items):
    return (users * items).sum(dim=1)


def make(score=None, **params):
    return TorchRecommender(Tower(7) if score is None else score, USERS, ITEMS, **params)


@pytest.fixture(scope="module")
def trained():
    """Users, items and tower trained as the paper trains NCF, on a small planted catalogue."""
    data = make_tagged_interactions(200, 120, 6, density=0.12, random_state=0)
    rows, columns = map(torch.tensor, data.interactions.nonzero())
    rng = torch.Generator().manual_seed(0)
    users, items = (
        nn.Parameter(0.1 * torch.randn(n, 8, generator=rng)) for n in data.interactions.shape
    )
    tower = Tower(16, width=16, dropout=0.0)
    with torch.no_grad():
        for parameter in tower.parameters():
            parameter.mul_(0.3)
    optimizer = torch.optim.Adam([users, items, *tower.parameters()], lr=0.01)
    for _ in range(60):
        for batch in torch.randperm(len(rows), generator=rng).split(512):
            user = users[rows[batch].long()]
            others = torch.randint(len(items), (4 * len(batch),), generator=rng)
            liked = tower(user, items[columns[batch].long()])
            other = tower(user.repeat_interleave(4, dim=0), items[others])
            loss = nn.functional.softplus(-liked).mean() + 4 * nn.functional.softplus(other).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return data, TorchRecommender(tower, users, items)


class TestFoldIn:
    def test_rows_the_model_knows_come_back_to_their_scores(self, trained):
        data, recommender = trained
        stored = recommender.score_items(recommender.user_embeddings)
        found = recommender.score_items(recommender.fold_in(data.interactions))
        average = recommender.score_items(recommender.user_embeddings.mean(axis=0)[None])

        def correlations(scores):
            scores = np.broadcast_to(scores, stored.shape)
            return [np.corrcoef(*rows)[0, 1] for rows in zip(scores, stored, strict=True)]

        assert np.median(correlations(found)) > 0.97
        assert np.percentile(correlations(found), 10) > 0.85
        assert np.median(correlations(average)) < 0.85
        spread = np.median(found.std(axis=1) / stored.std(axis=1))
        assert 0.9 < spread < 1.1

    def test_ranking_loss_finds_them_too(self, trained):
        data, recommender = trained
        ranked = TorchRecommender(
            recommender._score,
            recommender.user_embeddings,
            recommender.item_vectors,
            feedback_loss="bpr",
        )
        stored = ranked.score_items(ranked.user_embeddings)
        found = ranked.score_items(ranked.fold_in(data.interactions))
        correlations = [np.corrcoef(*rows)[0, 1] for rows in zip(found, stored, strict=True)]
        assert np.median(correlations) > 0.93

    @pytest.mark.parametrize("loss", ["bce", "bpr"])
    def test_minimises_the_loss_it_documents(self, loss):
        # A convex one: a dot product. All but two items are history, so the draw hardly matters.
        rng = np.random.RandomState(1)
        users, items = rng.normal(size=(50, 3)), rng.normal(size=(4, 3))
        recommender = TorchRecommender(dot, users, items, feedback_loss=loss)
        (found,) = recommender.fold_in([[1, 1, 1, 0]])
        mean, precision = users.mean(axis=0), np.linalg.inv(np.cov(users.T, bias=True))

        def objective(embedding):
            liked, other = (items[:3] @ embedding)[:, None], items[3] @ embedding
            prior = (embedding - mean) @ precision @ (embedding - mean) / 2
            if loss == "bce":
                return np.logaddexp(0, -liked).sum() + 12 * np.logaddexp(0, other) + prior
            return 4 * np.logaddexp(0, other - liked).sum() + prior

        best = objective(found)
        for direction in np.vstack([np.eye(3), -np.eye(3)]):
            assert objective(found + 0.05 * direction) > best
        assert best < objective(mean) - 0.1

    @pytest.mark.parametrize("loss", ["bce", "bpr"])
    @pytest.mark.parametrize("batch_size", [10, 500, 65536])
    def test_rows_are_independent_and_repeat(self, trained, loss, batch_size):
        data, recommender = trained
        recommender = TorchRecommender(
            recommender._score,
            recommender.user_embeddings,
            recommender.item_vectors,
            feedback_loss=loss,
            batch_size=batch_size,
        )
        rows = data.interactions[:8]
        together = recommender.fold_in(rows)
        np.testing.assert_array_equal(recommender.fold_in(rows), together)
        np.testing.assert_allclose(recommender.fold_in(rows[::-1])[::-1], together, atol=1e-4)
        np.testing.assert_allclose(recommender.fold_in(rows[7]), together[[7]], atol=1e-4)

    def test_empty_rows_are_the_mean_user(self):
        X = sp.csr_matrix(([0.0, 1.0], ([0, 1], [3, 4])), shape=(3, 9))
        found = make().fold_in(X)
        np.testing.assert_allclose(found[[0, 2]], np.tile(USERS.mean(axis=0), (2, 1)), atol=1e-6)
        assert np.abs(found[1] - USERS.mean(axis=0)).max() > 0.01
        assert make().fold_in(X[:0]).shape == (0, 4)
        assert X.nnz == 2  # what is the user's own stays as it is

    @pytest.mark.parametrize("loss", ["bce", "bpr"])
    def test_rows_that_have_everything_are_embedded(self, loss):
        found = make(feedback_loss=loss).fold_in(np.vstack([np.ones(9), np.eye(1, 9)[0]]))
        assert np.isfinite(found).all()
        if loss == "bpr":  # nothing to prefer anything to
            np.testing.assert_allclose(found[0], USERS.mean(axis=0), atol=1e-6)

    def test_values_do_not_matter_only_which_are_not_zero(self):
        X = (RNG.uniform(size=(5, 9)) < 0.4).astype(float)
        np.testing.assert_array_equal(make().fold_in(X * 4.5), make().fold_in(sp.csr_array(X)))
        parts = sp.coo_matrix(([0.5, 0.5], ([0, 0], [2, 2])), shape=(1, 9))
        np.testing.assert_array_equal(make().fold_in(parts), make().fold_in(np.eye(3, 9)[[2]]))

    def test_directions_in_which_no_known_user_differs_are_kept(self):
        users = USERS.copy()
        users[:, 2] = 3.0
        found = TorchRecommender(Tower(7), users, ITEMS).fold_in(np.eye(5, 9))
        np.testing.assert_allclose(found[:, 2], 3.0, rtol=1e-6)
        alone = TorchRecommender(Tower(7), users[:1], ITEMS).fold_in(np.eye(5, 9))
        np.testing.assert_allclose(alone, np.tile(users[:1], (5, 1)), rtol=1e-6)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_embeddings_have_the_precision_of_the_known_users(self, dtype):
        recommender = TorchRecommender(Tower(7), USERS.astype(dtype), ITEMS)
        assert recommender.fold_in(np.eye(2, 9)).dtype == dtype

    def test_a_module_in_half_precision_folds_in(self):
        found = make(Tower(7).bfloat16()).fold_in(np.eye(5, 9))
        np.testing.assert_allclose(found, make().fold_in(np.eye(5, 9)), atol=0.3)


class TestExplaining:
    def test_explainer_fits_profiles_transforms_and_measures(self, trained):
        data, recommender = trained
        explainer = TPECRExplainer(
            recommender,
            data.item_tags,
            generator=GaussianGenerator(),
            attribution=LimeAttribution(random_state=0),
        ).fit(data.interactions, user_ids=data.user_ids)
        np.testing.assert_array_equal(explainer.user_embeddings_, recommender.user_embeddings)
        profile = explainer.profile(data.user_ids[3]).set_index("tag")
        scores = recommender.score_items(recommender.user_embeddings[[3]])[0]
        tag = data.item_tags.columns[1]
        expected = scores[data.item_tags[tag].to_numpy() > 0].mean()
        assert profile.loc[tag, "preference"] == pytest.approx(expected, rel=1e-4)
        # Folded in, a user keeps what is preferred to what, not the level of all scores.
        found, stored = explainer.transform(data.interactions), explainer.tag_preferences_
        assert found.shape == stored.shape
        ranks = [spearmanr(*rows).statistic for rows in zip(found, stored, strict=True)]
        assert np.median(ranks) > 0.9
        assert 0.5 < swap_score(explainer, data.interactions) <= 1.0
        best = explainer.recommend(data.user_ids[3], 5, exclude_seen=False)
        assert list(best["score"]) == pytest.approx(np.sort(scores)[:-6:-1], rel=1e-4)
        assert "LIME" in str(explainer.explain(data.user_ids[3], data.item_ids[5]))

    def test_online_refinement_lifts_what_is_liked(self, trained):
        data, recommender = trained
        explainer = TPECRExplainer(recommender, data.item_tags, generator=GaussianGenerator()).fit(
            data.interactions
        )
        tag = data.item_tags.columns[2]
        refined = FeedbackRefiner(explainer, solver="online").refine(4, like=[tag])
        on_tag = data.item_tags[tag].to_numpy() > 0
        users = np.stack([refined.embedding, recommender.user_embeddings[4]])
        change = np.subtract(*recommender.score_items(users))
        assert change[on_tag].mean() > change[~on_tag].mean()
