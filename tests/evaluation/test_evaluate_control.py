"""Figure 4's protocol against plain loops."""

import numpy as np
import pytest
import torch

from sktpecr import CVAEGenerator, TPECRExplainer
from sktpecr.datasets import make_tagged_interactions
from sktpecr.evaluation import evaluate_control
from sktpecr.recommenders import TorchRecommender

DATA = make_tagged_interactions(n_users=60, n_items=80, n_tags=5, random_state=0)
LEFT, S, RIGHT = np.linalg.svd(DATA.interactions.toarray().astype(float), full_matrices=False)
# Noise, so that those with little in common with others are not all the same.
RNG = np.random.RandomState(0)
USERS = LEFT[:, :8] * S[:8] + 0.05 * RNG.normal(size=(60, 8))
ITEMS = RIGHT[:8].T + 0.01 * RNG.normal(size=(80, 8))
TAGS = DATA.item_tags.to_numpy() > 0


def score(users, items):
    return torch.tanh(2 * (users * items).sum(dim=1)) + users[:, 0] * items[:, 1] ** 2


def fitted(recommender=(USERS, ITEMS), tags=DATA.item_tags, **kwargs):
    explainer = TPECRExplainer(recommender, tags, random_state=0, **kwargs)
    return explainer.fit(DATA.interactions, train_users=range(40))


EXPLAINER = fitted()
CVAE = CVAEGenerator(hidden_dims=(16,), latent_dim=8, max_epochs=60, random_state=0)
NETWORK = fitted(TorchRecommender(score, USERS, ITEMS), generator=CVAE)


def plain(scores, relevant, k):
    """Return AP@k and recall@k with loops."""
    order = sorted(range(len(scores)), key=lambda item: (-scores[item], item))
    hits, total = 0, 0.0
    for place, item in enumerate(order[:k], start=1):
        if relevant[item]:
            hits += 1
            total += hits / place
    best = min(k, int(relevant.sum()))
    return total / best, hits / best


@pytest.mark.parametrize("units", ["std", "raw"])
@pytest.mark.parametrize("explainer", [EXPLAINER, NETWORK], ids=["dot product", "network"])
def test_falls_equal_plain_loops(explainer, units):
    d, k = [-0.7, 0.0, 1.2], [7, 0.3, 1000]
    cases = evaluate_control(
        explainer, d=d, units=units, k=k, n_cases=12, random_state=4, return_cases=True
    )
    assert list(cases.columns) == [
        *("method", "tag", "d", "case", "user"),
        *("F-MAP@7", "F-Recall@7", "F-MAP@30%", "F-Recall@30%", "F-MAP@1000", "F-Recall@1000"),
    ]
    cases = cases.set_index(["case", "d", "tag"])
    rng = np.random.RandomState(4)
    users = rng.permutation(np.arange(40, 60))[:12]
    recommender, extractor = explainer.extractor_.recommender_, explainer.extractor_
    for case, user in enumerate(users):
        named = dict(zip(("changed", "other"), rng.choice(5, size=2, replace=False), strict=True))
        own = USERS[user].astype(explainer.user_embeddings_.dtype)
        before = recommender.score_items(own[None].astype(float))[0]
        for each in d:
            c = extractor.tag_preferences(own[None].astype(float))[0]
            t = named["changed"]
            c[t] += each * (explainer.population_std_[t] if units == "std" else 1.0)
            e = explainer.generator_.generate(c[None], own[None].astype(float))
            after = recommender.score_items(e)[0]
            for which, tag in named.items():
                row = cases.loc[(case, each, which)]
                assert row["user"] == user
                for at, length in (("7", 7), ("30%", 24), ("1000", 1000)):
                    first = plain(before, TAGS[:, tag], length)
                    second = plain(after, TAGS[:, tag], length)
                    assert row[f"F-MAP@{at}"] == pytest.approx(first[0] - second[0], abs=1e-12)
                    assert row[f"F-Recall@{at}"] == pytest.approx(first[1] - second[1], abs=1e-12)


def test_a_closed_form_leaves_the_list_as_it_is_where_nothing_is_asked():
    cases = evaluate_control(EXPLAINER, d=[0], k=[5, 20], return_cases=True)
    assert len(cases) == 2 * 20
    assert (cases.filter(like="F-") == 0).all(axis=None)
    # A CVAE's reconstruction is not the user: what it costs stands at 0.
    assert (evaluate_control(NETWORK, d=[0], k=20, return_cases=True)["F-MAP@20"] != 0).any()


def test_the_changed_tag_follows_and_the_other_stays_behind():
    result = evaluate_control(EXPLAINER, d=[-2, -1, 0, 1, 2], k=20).set_index(["tag", "metric"])
    result = result.sort_index(kind="stable")  # pandas 2 warns of looking up in what is not sorted
    for metric in ("F-MAP@20", "F-Recall@20"):
        changed = result.loc[("changed", metric)]
        assert changed["d"].tolist() == [-2, -1, 0, 1, 2]
        assert (np.diff(changed["mean"]) < 0).all()
        assert (result.loc[("other", metric), "mean"].abs() < changed["mean"].abs().max()).all()


def test_ids_of_users_are_no_metric():
    result = evaluate_control(EXPLAINER, d=[1], k=20)
    assert set(result["metric"]) == {"F-MAP@20", "F-Recall@20"}
    assert (result["n"] == 20).all()


def test_so_many_cases_and_no_more_users_than_there_are():
    few = evaluate_control(EXPLAINER, d=[1], n_cases=3, return_cases=True)
    assert few["case"].nunique() == few["user"].nunique() == 3
    named = evaluate_control(EXPLAINER, [50, 44], d=[1], return_cases=True)
    assert set(named["user"]) == {44, 50}


def test_explainers_are_asked_about_the_same_users_and_tags():
    both = {"one": EXPLAINER, "two": fitted(generator=CVAE)}
    cases = evaluate_control(both, d=[1, -1], k=20, return_cases=True)
    assert (cases.groupby("case")["user"].nunique() == 1).all()
    alone = evaluate_control({"one": EXPLAINER}, d=[1, -1], k=20, return_cases=True)
    assert cases[cases["method"] == "one"].reset_index(drop=True).equals(alone)
    assert not evaluate_control(EXPLAINER, k=20, random_state=1).equals(
        evaluate_control(EXPLAINER, k=20)
    )


BAD = {
    "units": ({"units": "z"}, "units must be 'std' or 'raw', got 'z'"),
    "one d": ({"d": 1.0}, "d must be a list of numbers, got 1.0"),
    "no d": ({"d": []}, "d must hold at least one number"),
    "nan": ({"d": [1, np.nan]}, "d must hold .* finite and different"),
    "twice": ({"d": [1, 1.0]}, "d must hold .* finite and different"),
    "cases": ({"n_cases": 0}, "n_cases must be a whole number of at least 1, got 0"),
    "k": ({"k": 0}, "k must be a number of items"),
    "one tag": (
        {"explainers": fitted(tags=DATA.item_tags[["tag_1"]])},
        "explainers must know at least two tags, one to change and another, got 1",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_calls_say_what_is_wrong(name):
    changes, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        evaluate_control(**{"explainers": EXPLAINER, **changes})
