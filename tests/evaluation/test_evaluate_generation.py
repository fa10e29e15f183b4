"""Table 4's protocol against plain loops, and on generators whose errors are known."""

import numpy as np
import pytest
import torch

from sktpecr import CVAEGenerator, GaussianGenerator, TPECRExplainer
from sktpecr.datasets import make_tagged_interactions
from sktpecr.evaluation import evaluate_generation
from sktpecr.recommenders import TorchRecommender

DATA = make_tagged_interactions(n_users=60, n_items=80, n_tags=5, random_state=0)
LEFT, S, RIGHT = np.linalg.svd(DATA.interactions.toarray().astype(float), full_matrices=False)
# Noise, so that those with little in common with others are not all the same.
RNG = np.random.RandomState(0)
USERS = LEFT[:, :8] * S[:8] + 0.05 * RNG.normal(size=(60, 8))
ITEMS = RIGHT[:8].T + 0.01 * RNG.normal(size=(80, 8))
TRAINED, HELD_OUT = range(40), range(40, 60)


def fitted(generator=None, users=USERS, tags=DATA.item_tags, **kwargs):
    recommender = kwargs.pop("recommender", (users, ITEMS))
    explainer = TPECRExplainer(recommender, tags, generator=generator, random_state=0, **kwargs)
    return explainer.fit(DATA.interactions, train_users=TRAINED)


def means(*args, method="TPECRExplainer", **kwargs):
    found = evaluate_generation(*args, **kwargs)
    return found[found["method"] == method].set_index("metric")["mean"]


class Share(GaussianGenerator):
    """Goes a share of the way."""

    share = 0.5

    def generate(self, tag_preferences, embeddings):
        exact = super().generate(tag_preferences, embeddings)
        return embeddings + self.share * (exact - embeddings)


class Nothing(Share):
    share = 0.0


class Everything(GaussianGenerator):
    """Moves every tag by as many standard deviations as all the tags were to move by."""

    def generate(self, tag_preferences, embeddings):
        own = embeddings @ self.tag_matrix_.T
        std = USERS[:40] @ self.tag_matrix_.T
        std = std.std(axis=0)
        asked = ((tag_preferences - own) / std).sum(axis=1, keepdims=True)
        return super().generate(own + asked * std, embeddings)


def test_the_gaussian_generator_is_exact_where_the_score_is_a_dot_product():
    found = means(fitted())
    assert found["MSE"] < 1e-12
    assert found["MSE / unedited"] < 1e-10
    assert found["MAPE"] < 1e-4
    assert found["hit"] == pytest.approx(1, abs=1e-6)
    assert found["leak"] < 1e-6


def test_the_unedited_embedding_meets_nothing_and_moves_nothing():
    found = means(fitted(), method="unedited")
    assert found["MSE / unedited"] == pytest.approx(1)
    assert found["MSE"] > 0
    assert found[["hit", "leak"]].tolist() == [0, 0]
    # A generator that copies does as badly, case by case.
    result = evaluate_generation(fitted(Nothing())).set_index(["method", "metric"])
    copied = result.loc["TPECRExplainer"]
    assert copied["mean"].to_dict() == pytest.approx(result.loc["unedited", "mean"].to_dict())
    np.testing.assert_allclose(copied["difference"].astype(float), 0, atol=1e-12)


@pytest.mark.parametrize("edit", [0.5, 2.0])
def test_half_the_way_is_half_a_hit_and_a_quarter_of_the_error(edit):
    found = means(fitted(Share()), edit=edit)
    assert found["MSE / unedited"] == pytest.approx(0.25, rel=1e-6)
    assert found["hit"] == pytest.approx(0.5, abs=1e-6)
    assert found["leak"] < 1e-6
    unedited = means(fitted(), method="unedited")
    assert found["MAPE"] == pytest.approx(unedited["MAPE"] / 2, rel=1e-6)


@pytest.mark.parametrize("edit", [0.5, 2.0])
def test_leak_is_one_where_all_other_tags_move_as_much(edit):
    found = means(fitted(Everything()), edit=edit)
    assert found["hit"] == pytest.approx(1, abs=1e-6)
    assert found["leak"] == pytest.approx(1, abs=1e-6)


def test_every_metric_equals_plain_loops():
    """More tags than factors, so that nothing is exact."""
    rng = np.random.RandomState(5)
    tags = (rng.uniform(size=(80, 12)) < 0.2) | np.eye(12, dtype=bool)[np.arange(80) % 12]
    explainer = fitted(tags=tags.astype(float))
    cases = evaluate_generation(explainer, edit=1.5, random_state=3, return_cases=True)
    cases = cases.set_index(["method", "case"])
    M = (tags / tags.sum(axis=0)).T @ ITEMS
    C = USERS @ M.T
    mean, std = C[:40].mean(axis=0), C[:40].std(axis=0)
    order = np.random.RandomState(3).permutation(20)
    partner = {order[i]: order[i - 1] for i in range(20)}
    draws = np.random.RandomState(3)
    edited = draws.choice(12, size=20)
    change = 1.5 * draws.choice([-1.0, 1.0], size=20)
    covariance = np.cov(USERS[:40].T, bias=True)
    squared = {case: np.mean((C[40 + case] - C[40 + partner[case]]) ** 2) for case in range(20)}
    for case, user in enumerate(HELD_OUT):
        own, wanted = USERS[user], C[40 + partner[case]]
        asked = C[user].copy()
        asked[edited[case]] += change[case] * std[edited[case]]
        for method in ("unedited", "TPECRExplainer"):
            e, e_edit = own, own
            if method != "unedited":
                e, e_edit = explainer.generator_.generate([wanted, asked], own[np.newaxis])
            met = M @ e
            moved = ((M @ e_edit - mean) - (C[user] - mean)) / std
            others = [moved[t] for t in range(12) if t != edited[case]]
            away = e - USERS[:40].mean(axis=0)
            expected = {
                "user": user,
                "MSE": np.mean([(met[t] - wanted[t]) ** 2 for t in range(12)]),
                "MSE / unedited": np.mean((met - wanted) ** 2) / np.mean(list(squared.values())),
                "MAPE": np.mean([abs(met[t] - wanted[t]) / abs(wanted[t]) for t in range(12)]),
                "hit": moved[edited[case]] / change[case],
                "leak": np.sqrt(np.mean(np.square(others))) / 1.5,
                "distance": away @ np.linalg.solve(covariance, away) / 8,
            }
            row = cases.loc[(method, case)]
            assert row[list(expected)].to_dict() == pytest.approx(expected, rel=1e-5, abs=1e-9)
    assert cases.loc["TPECRExplainer", "leak"].mean() > 0.1


def test_distance_of_the_users_it_learned_from_is_one():
    found = means(fitted(), TRAINED, method="unedited", allow_train_users=True)
    assert found["distance"] == pytest.approx(1)


def test_several_explainers_are_paired_with_one_unedited_embedding():
    explainers = {"half": fitted(Share()), "exact": fitted(), "none": fitted(Nothing())}
    cases = evaluate_generation(explainers, return_cases=True)
    assert cases["method"].value_counts().to_dict() == dict.fromkeys(
        ["unedited", "half", "exact", "none"], 20
    )
    assert (cases.groupby("case")["user"].nunique() == 1).all()
    result = evaluate_generation(explainers).set_index(["method", "metric"])
    for name, explainer in explainers.items():
        alone = evaluate_generation({name: explainer}).set_index(["method", "metric"])
        assert alone.loc[name].equals(result.loc[name])
    mse = cases.set_index(["method", "case"])["MSE"]
    expected = (mse["half"] - mse["unedited"]).mean()
    assert result.loc[("half", "MSE"), "difference"] == pytest.approx(expected)


def test_named_users_are_swapped_among_themselves():
    cases = evaluate_generation(fitted(), [45, 41], return_cases=True)
    assert cases["user"].tolist() == [41, 45] * 2
    mse = cases.set_index("method").loc["unedited", "MSE"]
    assert mse.iloc[0] == mse.iloc[1]  # both want what the other has


def test_equal_calls_are_equal_and_another_seed_pairs_others():
    explainer = fitted(Share())
    first, other = (evaluate_generation(explainer, random_state=seed) for seed in (0, 1))
    assert first.equals(evaluate_generation(explainer))
    assert first["mean"].tolist() != other["mean"].tolist()


def test_a_preference_of_nothing_leaves_the_relative_error_out():
    users = USERS.copy()
    users[45] = 0
    cases = evaluate_generation(fitted(users=users), return_cases=True)
    assert cases.groupby("method")["MAPE"].apply(lambda each: each.isna().sum()).tolist() == [1, 1]
    found = means(fitted(users=users), method="unedited")
    assert np.isfinite(found["MAPE"])


def test_a_tag_that_is_the_same_to_all_is_never_edited():
    items = ITEMS.copy()
    items[:10] = 0
    tags = DATA.item_tags.to_numpy().copy()
    tags[:, 2] = np.arange(80) < 10
    explainer = fitted(tags=tags, recommender=(USERS, items))
    assert explainer.population_std_[2] == 0
    found = means(explainer)
    assert found["hit"] == pytest.approx(1, abs=1e-6)


def test_one_tag_can_be_edited_and_leaks_nowhere():
    found = means(fitted(tags=DATA.item_tags[["tag_1"]]))
    assert found["hit"] == pytest.approx(1, abs=1e-6)
    assert found["leak"] == 0


def test_a_network_and_a_cvae_are_measured_alike():
    def score(users, items):
        return torch.tanh((users * items).sum(dim=1)) + users[:, 0] * items[:, 1] ** 2

    cvae = CVAEGenerator(hidden_dims=(16,), latent_dim=8, max_epochs=60, random_state=0)
    explainer = fitted(cvae, recommender=TorchRecommender(score, USERS, ITEMS))
    result = evaluate_generation(explainer).set_index(["method", "metric"])
    assert np.isfinite(result["mean"]).all()
    assert 0 < result.loc[("TPECRExplainer", "MSE / unedited"), "mean"] < 1
    assert result.loc[("TPECRExplainer", "leak"), "mean"] > 0


BAD = {
    "zero": ({"edit": 0}, "edit must be a finite number above 0, got 0"),
    "negative": ({"edit": -1.0}, "edit must be .* got -1.0"),
    "nan": ({"edit": np.nan}, "edit must be .* got nan"),
    "text": ({"edit": "1"}, "edit must be .* got '1'"),
    "one user": ({"users": [45]}, "at least two users to swap among, got one"),
    "twice": ({"users": [45, 45]}, "at least two users to swap among, got one"),
    "name": (
        {"explainers": {"unedited": fitted()}},
        "explainers must not use the name 'unedited'; give it another",
    ),
    "recommender": (
        {"explainers": {"a": fitted(), "b": fitted(users=USERS * 2)}},
        "explain the same recommender, .* other tag preferences from 'b' than from 'a'",
    ),
    "aggregate": (
        {"explainers": {"a": fitted(), "b": fitted(aggregate="shrunk")}},
        "with the same aggregate, got other tag preferences from 'b' than from 'a'",
    ),
    "alike": (
        {"explainers": fitted(users=np.where(np.arange(60) < 40, 0.0, 1.0)[:, None] * USERS + 1)},
        "users must differ in tag preferences, .* got users who are all alike",
    ),
    "alike too": (
        {"explainers": fitted(users=np.where(np.arange(60) < 40, 1.0, 0.0)[:, None] * USERS + 1)},
        "users must differ in tag preferences, .* got users who are all alike",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_calls_say_what_is_wrong(name):
    changes, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        evaluate_generation(**{"explainers": fitted(), **changes})
