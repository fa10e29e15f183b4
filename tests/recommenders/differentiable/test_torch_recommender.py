"""Recommenders whose score torch can differentiate, against plain loops over pairs."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch import nn

from sktpecr import TagPreferenceExtractor
from sktpecr.recommenders import (
    AdapterError,
    FactorRecommender,
    TorchRecommender,
    as_recommender,
)
from sktpecr.recommenders.differentiable._scoring import PairScorer, snapshot

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

    def pairs(self, users, items):
        return torch.tanh(self(users, items)).squeeze()


class TwoTowers(nn.Module):
    """Linear towers, so that the score is a dot product of what they make."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))

    def forward(self, users, items):
        return self.scale * (users * items).sum(dim=1)


def dot(users, items):
    return (users * items).sum(dim=1, keepdim=True)


def make(score=None, **params):
    return TorchRecommender(Tower(7) if score is None else score, USERS, ITEMS, **params)


def loop(score, users, items):
    """Score one pair at a time, as the definition says."""
    with torch.no_grad():
        return np.array(
            [
                [score(torch.tensor(user[None]), torch.tensor(item[None])).item() for item in items]
                for user in users
            ]
        )


class TestScores:
    @pytest.mark.parametrize("batch_size", [1, 4, 9, 20, 65536])
    @pytest.mark.parametrize("items", [None, [3], [8, 0, 0, 5], np.arange(9)[::-1]])
    def test_equal_a_plain_loop_over_pairs(self, batch_size, items):
        tower = Tower(7).eval()
        expected = loop(tower, USERS, ITEMS if items is None else ITEMS[items])
        scores = make(tower, batch_size=batch_size).score_items(USERS, items)
        np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize("batch_size", [1, 13, 40])
    def test_no_more_pairs_are_scored_at_a_time_than_allowed(self, batch_size):
        seen = []

        def score(users, items):
            seen.append(len(users))
            return users[:, 0] * items[:, 0]

        recommender = make(score, batch_size=batch_size)
        seen.clear()
        recommender.score_items(USERS)
        assert sum(seen) == len(USERS) * len(ITEMS)
        assert max(seen) <= batch_size

    @pytest.mark.parametrize(
        "score",
        [
            lambda users, items: users[:, 0] * items[:, 1],
            lambda users, items: users[:, :1] * items[:, 1:2],
            lambda users, items: (users[:, :1] * items[:, 1:2]).squeeze(),
        ],
        ids=["(n,)", "(n, 1)", "squeezed"],
    )
    def test_one_score_per_pair_may_come_in_one_dimension_or_two(self, score):
        for batch_size in (1, 65536):
            scores = make(score, batch_size=batch_size).score_items(USERS)
            np.testing.assert_allclose(scores, np.outer(USERS[:, 0], ITEMS[:, 1]), rtol=1e-6)

    def test_method_of_a_module_is_a_score_and_copied_with_it(self):
        tower = Tower(7)
        recommender = make(tower.pairs)
        before = recommender.score_items(USERS)
        np.testing.assert_allclose(before, loop(tower.eval().pairs, USERS, ITEMS), atol=1e-5)
        with torch.no_grad():
            tower.layers[0].weight.zero_()
        np.testing.assert_array_equal(recommender.score_items(USERS), before)

    def test_repeat_exactly_although_the_module_drops_out_in_training(self):
        tower = Tower(7).train()
        recommender = make(tower)
        first = recommender.score_items(USERS)
        np.testing.assert_array_equal(recommender.score_items(USERS), first)
        np.testing.assert_allclose(first, loop(tower.eval(), USERS, ITEMS), atol=1e-5)

    @pytest.mark.parametrize("given", [np.float32, np.float64])
    @pytest.mark.parametrize(
        "module_dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64]
    )
    def test_module_keeps_its_precision_and_scores_have_that_of_the_embeddings(
        self, given, module_dtype
    ):
        seen = set()

        class Spy(Tower):
            def forward(self, users, items):
                seen.update({users.dtype, items.dtype})
                return super().forward(users, items)

        recommender = make(Spy(7).to(module_dtype))
        scores = recommender.score_items(USERS.astype(given))
        assert scores.dtype == given
        assert seen == {module_dtype}
        tolerance = {torch.bfloat16: 0.2, torch.float16: 0.02}.get(module_dtype, 1e-5)
        np.testing.assert_allclose(scores, make().score_items(USERS), atol=tolerance, rtol=1e-5)

    def test_function_without_parameters_computes_in_the_precision_of_the_vectors(self):
        users, items = RNG.normal(size=(5, 3)), RNG.normal(size=(6, 3))
        scores = TorchRecommender(dot, users, items).score_items(users)
        np.testing.assert_allclose(scores, users @ items.T, rtol=1e-13, atol=1e-14)
        assert TorchRecommender(dot, users.astype("f4"), items).score_items(users).dtype == "f8"

    def test_module_without_parameters_computes_in_the_precision_of_its_buffers(self):
        class Scaled(nn.Module):
            def forward(self, users, items):
                return dot(users[:, :3], items)

        module = Scaled()
        assert make(module).score_items_torch(torch.tensor(USERS)).dtype == torch.float32
        module.register_buffer("count", torch.tensor(3))
        module.register_buffer("scale", torch.tensor(2.0, dtype=torch.float64))
        users = np.full((1, 4), 1 / 3)
        exact = make(module).score_items(users)
        np.testing.assert_allclose(exact, users[:, :3] @ ITEMS.astype(float).T, rtol=1e-13)
        assert np.abs(exact - make(Scaled()).score_items(users)).max() > 1e-12

    def test_views_read_only_arrays_tensors_and_lists_are_taken(self):
        expected = make().score_items(USERS)
        frozen = USERS.copy()
        frozen.flags.writeable = False
        for users, items in (
            (frozen, np.asfortranarray(ITEMS)),
            (USERS[::-1].copy()[::-1], ITEMS[::-1].copy()[::-1]),
            (nn.Parameter(torch.tensor(USERS)), nn.Parameter(torch.tensor(ITEMS))),
            (USERS.tolist(), ITEMS.tolist()),
        ):
            recommender = TorchRecommender(Tower(7), users, items)
            np.testing.assert_allclose(recommender.score_items(users_of(users)), expected, 1e-6)

    def test_vectors_given_as_tensors_are_copied(self):
        users, items = torch.tensor(USERS), torch.tensor(ITEMS)
        recommender = TorchRecommender(Tower(7), users, items)
        users.zero_()
        items.zero_()
        np.testing.assert_array_equal(recommender.user_embeddings, USERS)
        np.testing.assert_array_equal(recommender.item_vectors, ITEMS)
        half = TorchRecommender(Tower(7), torch.tensor(USERS).bfloat16(), items)
        assert half.user_embeddings.dtype == np.float32

    def test_nobody_to_score_is_no_error(self):
        assert make().score_items(USERS[:0]).shape == (0, 9)

    def test_a_single_user_and_item_are_enough(self):
        recommender = TorchRecommender(Tower(7), USERS[:1], ITEMS[:1])
        assert recommender.score_items(USERS).shape == (7, 1)

    def test_no_dot_product_is_announced(self):
        assert not hasattr(make(), "item_embeddings")
        assert repr(make()) == "TorchRecommender(7 users, 9 items, 4 factors)"


def users_of(users):
    return users.detach().numpy() if isinstance(users, torch.Tensor) else np.float32(users)


class TestGradients:
    def test_equal_finite_differences(self):
        recommender = make(Tower(7).double())
        items, step = np.array([2, 7, 2]), 1e-6
        weights = RNG.normal(size=(7, 3))
        rows = torch.tensor(USERS.astype(np.float64), requires_grad=True)
        scores = recommender.score_items_torch(rows, items)
        np.testing.assert_allclose(
            scores.detach().numpy(), recommender.score_items(USERS.astype(float), items), atol=1e-12
        )
        (gradient,) = torch.autograd.grad((scores * torch.tensor(weights)).sum(), rows)
        for index in np.ndindex(USERS.shape):
            values = []
            for sign in (1, -1):
                moved = USERS.astype(np.float64)
                moved[index] += sign * step
                values.append((recommender.score_items(moved, items) * weights).sum())
            difference = (values[0] - values[1]) / (2 * step)
            assert gradient[index].item() == pytest.approx(difference, rel=1e-5, abs=1e-7)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_scores_have_the_dtype_of_the_embeddings(self, dtype):
        rows = torch.tensor(USERS, dtype=dtype, requires_grad=True)
        scores = make().score_items_torch(rows)
        assert scores.shape == (7, 9)
        assert scores.dtype == dtype
        np.testing.assert_allclose(scores.detach(), make().score_items(USERS), atol=1e-6)
        (gradient,) = torch.autograd.grad(scores.sum(), rows)
        assert gradient.dtype == dtype

    def test_flow_through_the_embeddings_alone(self):
        tower = Tower(7)
        recommender = make(tower)
        rows = torch.tensor(USERS, requires_grad=True)
        recommender.score_items_torch(rows).sum().backward()
        assert rows.grad is not None
        assert all(parameter.grad is None for parameter in tower.parameters())
        assert all(parameter.requires_grad for parameter in tower.parameters())
        assert not recommender.score_items_torch(torch.tensor(USERS)).requires_grad

    def test_reach_users_who_first_scored_in_inference_mode(self):
        tower = Tower(7)
        with torch.inference_mode():
            recommender = make(tower)
            recommender.score_items(USERS)
            folded = recommender.fold_in(np.eye(2, 9))
        rows = torch.tensor(USERS, requires_grad=True)
        recommender.score_items_torch(rows).sum().backward()
        assert rows.grad.abs().sum() > 0
        np.testing.assert_array_equal(make(tower).fold_in(np.eye(2, 9)), folded)


class TestNothingIsTouched:
    def use(self, tower):
        recommender = make(tower)
        recommender.score_items(USERS)
        recommender.score_items_torch(torch.tensor(USERS))
        recommender.fold_in(np.eye(3, 9))
        return recommender

    def test_global_random_states_and_threads_stay(self):
        tower = Tower(7).train()
        torch.manual_seed(5)
        np.random.seed(5)  # noqa: NPY002 - the global state is what is tested
        expected_torch, expected_numpy = torch.rand(3), np.random.rand(3)  # noqa: NPY002
        torch.manual_seed(5)
        np.random.seed(5)  # noqa: NPY002
        threads, grad = torch.get_num_threads(), torch.is_grad_enabled()
        self.use(tower)
        assert (torch.get_num_threads(), torch.is_grad_enabled()) == (threads, grad)
        assert torch.equal(torch.rand(3), expected_torch)
        np.testing.assert_array_equal(np.random.rand(3), expected_numpy)  # noqa: NPY002

    @pytest.mark.parametrize("training", [True, False])
    def test_module_of_the_user_stays(self, training):
        tower = Tower(7).train(training)
        tower.layers[0].eval()
        modes = [module.training for module in tower.modules()]
        state = copy.deepcopy(tower.state_dict())
        self.use(tower)
        assert [module.training for module in tower.modules()] == modes
        for name, value in tower.state_dict().items():
            assert torch.equal(value, state[name])

    def test_training_further_changes_nothing(self):
        tower = Tower(7)
        recommender = make(tower)
        before = recommender.score_items(USERS)
        with torch.no_grad():
            for parameter in tower.parameters():
                parameter.zero_()
        np.testing.assert_array_equal(recommender.score_items(USERS), before)

    def test_what_was_saved_on_a_gpu_loads_without_one(self, monkeypatch):
        recommender = self.use(Tower(7))
        recommender.device = "cuda:0"
        saved = pickle.dumps(recommender)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        again = pickle.loads(saved)
        assert again.device == "cpu"
        np.testing.assert_array_equal(again.score_items(USERS), recommender.score_items(USERS))

    @pytest.mark.parametrize("method", [False, True])
    def test_what_is_kept_stays_on_the_cpu_when_another_device_computes(self, method):
        tower = Tower(7)
        elsewhere = torch.device("meta")  # stands for a GPU: it knows shapes, and no values
        score = snapshot(tower.pairs if method else tower)
        scorer = PairScorer(score, ITEMS, elsewhere, np.float32)
        assert scorer.grid(scorer.tensor(USERS), scorer.item_vectors).device == elsewhere
        kept = score.__self__ if method else score
        assert {parameter.device.type for parameter in kept.parameters()} == {"cpu"}

    def test_device_auto_computes_somewhere(self):
        scores = make(device="auto").score_items(USERS)
        np.testing.assert_allclose(scores, make().score_items(USERS), rtol=1e-4, atol=1e-4)

    def test_import_of_recommenders_does_not_import_torch(self):
        code = (
            "import sys; from sktpecr.recommenders import TorchRecommender; "
            "assert 'torch' not in sys.modules and 'skorch' not in sys.modules"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert run.returncode == 0, run.stderr


class TestExplaining:
    @pytest.mark.parametrize("aggregate", ["mean", "shrunk"])
    def test_dot_product_gives_the_tag_preferences_of_its_factors(self, aggregate):
        users, items = USERS[:, :3], ITEMS
        tags = (RNG.uniform(size=(9, 4)) < 0.5) | (np.arange(4) == 0)
        tags[0] = True
        by_torch, by_factors = (
            TagPreferenceExtractor(recommender, tags, aggregate=aggregate)
            .fit(np.eye(7, 9))
            .tag_preferences(users)
            for recommender in (
                TorchRecommender(TwoTowers(), users, items),
                FactorRecommender(users, 2 * items),
            )
        )
        np.testing.assert_allclose(by_torch, by_factors, rtol=1e-5, atol=1e-5)

    def test_streams_blocks_of_pairs_for_many_users_and_items(self):
        seen = []

        def score(users, items):
            seen.append(len(users))
            return users[:, 0] * items[:, 0]

        users, items = RNG.normal(size=(300, 2)), RNG.normal(size=(500, 2))
        recommender = TorchRecommender(score, users, items, batch_size=10_000)
        tags = np.eye(500, 5) + (np.arange(5) == 0)
        extractor = TagPreferenceExtractor(recommender, tags).fit(sp.csr_matrix((1, 500)))
        found = extractor.tag_preferences(users)
        assert max(seen) <= 10_000
        expected = np.outer(users[:, 0], (tags.T @ items[:, 0]) / tags.sum(axis=0))
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


class TestErrors:
    @pytest.mark.parametrize(
        ("params", "message"),
        [
            (
                {"feedback_loss": "mse"},
                r"'feedback_loss' .* a str among .*'bce'.* Got 'mse'",
            ),
            ({"batch_size": 0}, r"'batch_size' .* int in the range \[1, inf\). Got 0"),
            ({"batch_size": 2.5}, r"'batch_size' .* int in the range \[1, inf\). Got 2.5"),
            ({"device": "abacus"}, "device must be 'auto' or a torch device.*got 'abacus'"),
        ],
    )
    def test_unknown_parameter_is_named(self, params, message):
        with pytest.raises(ValueError, match=message):
            make(**params)

    def test_missing_gpu_is_named(self, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        with pytest.raises(ValueError, match="device is 'cuda', but torch sees no GPU"):
            make(device="cuda")

    @pytest.mark.parametrize(
        ("users", "items", "message"),
        [
            (USERS[0], ITEMS, r"user_embeddings must be a 2-d array.*got shape \(4,\)"),
            (USERS, ITEMS[None], r"item_vectors must be a 2-d array.*got shape \(1, 9, 3\)"),
            (USERS[:0], ITEMS, r"user_embeddings must have a row.*got shape \(0, 4\)"),
            (USERS, ITEMS[:, :0], r"item_vectors must have a row.*got shape \(9, 0\)"),
            (USERS * np.nan, ITEMS, "user_embeddings has 28 NaN or infinite values"),
            (USERS, torch.tensor(ITEMS) / 0, "item_vectors has 27 NaN or infinite values"),
            (nn.Embedding(7, 4), ITEMS, "user_embeddings must be a 2-d array of numbers"),
            (
                USERS[:, :2],
                ITEMS,
                r"score failed on users of shape \(2, 2\) and items of shape \(2, 3\).*float32",
            ),
        ],
    )
    def test_vectors_that_cannot_be_are_named(self, users, items, message):
        with pytest.raises(ValueError, match=message):
            TorchRecommender(Tower(7), users, items)

    @pytest.mark.parametrize("score", [None, "dot", 3])
    def test_score_that_cannot_be_called(self, score):
        with pytest.raises(TypeError, match=r"'score' .* must be a callable"):
            TorchRecommender(score, USERS, ITEMS)

    @pytest.mark.parametrize(
        ("score", "message"),
        [
            (
                lambda users, items: users[:, :3] @ items.T,
                r"score must return shape \(2,\) or \(2, 1\) for 2 pairs, got \(2, 2\)",
            ),
            (lambda users, items: users[:, :3] * items, r"got \(2, 3\)"),
            (lambda users, items: (users[:, :3] * items).sum(), r"got \(\)"),
            (lambda users, items: users.numpy(), "score must return a tensor, got ndarray"),
            (lambda users, items: (users[:, 0],), "score must return a tensor, got tuple"),
            (lambda users: users[:, 0], "score failed on users.*2 were given"),
        ],
    )
    def test_score_that_returns_something_else(self, score, message):
        with pytest.raises(ValueError, match=message):
            TorchRecommender(score, USERS, ITEMS)

    def test_scores_that_are_not_finite(self):
        recommender = make(lambda users, items: torch.log(items[:, 0]))
        n_bad = 7 * int((ITEMS[:, 0] < 0).sum())
        with pytest.raises(ValueError, match=f"score returned {n_bad} NaN or infinite values"):
            recommender.score_items(USERS)

    def test_gradients_that_are_not_finite(self):
        recommender = make(lambda users, items: (users[:, 0] * 0).sqrt() + items[:, 0])
        recommender.score_items(USERS)
        with pytest.raises(ValueError, match="row 1 of X cannot be embedded: the gradient"):
            recommender.fold_in(np.eye(2, 9, -1))

    @pytest.mark.parametrize("shape", [(4,), (2, 3), (1, 2, 4)])
    def test_embeddings_of_another_shape(self, shape):
        recommender = make()
        with pytest.raises(ValueError, match="embeddings must "):
            recommender.score_items(np.zeros(shape))
        with pytest.raises(ValueError, match=r"embeddings must have shape \(n, 4\), got \("):
            recommender.score_items_torch(torch.zeros(shape))

    def test_embeddings_that_are_not_finite(self):
        with pytest.raises(ValueError, match="embeddings has 28 NaN"):
            make().score_items(USERS * np.inf)

    def test_items_that_do_not_exist(self):
        for method, rows in (("score_items", USERS), ("score_items_torch", torch.tensor(USERS))):
            with pytest.raises(IndexError, match="index 9 is out of bounds"):
                getattr(make(), method)(rows, [0, 9])

    def test_interactions_with_other_items(self):
        with pytest.raises(ValueError, match="X has 5 columns, but the recommender knows 9 items"):
            make().fold_in(np.eye(5))


class TestAsRecommender:
    def test_passes_through(self):
        recommender = make()
        assert as_recommender(recommender) is recommender

    def test_bare_module_is_told_the_way_out(self):
        class Factors(nn.Module):
            def __init__(self):
                super().__init__()
                self.user_factors, self.item_factors = nn.Embedding(3, 2), nn.Embedding(4, 2)

        for module, name in ((Tower(7), "Tower"), (Factors(), "Factors"), (nn.ReLU(), "ReLU")):
            with pytest.raises(AdapterError, match=f"{name} is a torch module") as caught:
                as_recommender(module)
            assert "wrap it in TorchRecommender(score, user_embeddings, item_vectors)" in str(
                caught.value
            )

    def test_other_models_are_told_of_both_wrappers(self):
        with pytest.raises(AdapterError, match=r"FactorRecommender\(.*TorchRecommender\("):
            as_recommender("a model")
