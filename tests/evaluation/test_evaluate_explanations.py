"""Figure 5's protocol, faithfulness and stability, against plain loops and known answers."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import rankdata
from sklearn.base import BaseEstimator

from sktpecr import CVAEGenerator, GaussianGenerator, TPECRExplainer
from sktpecr.attribution import ExactAttribution, LimeAttribution
from sktpecr.attribution._attributed import Attributed
from sktpecr.datasets import make_tagged_interactions
from sktpecr.evaluation import evaluate_explanations, explained_tags
from sktpecr.recommenders import TorchRecommender

DATA = make_tagged_interactions(n_users=60, n_items=80, n_tags=7, random_state=0)
LEFT, S, RIGHT = np.linalg.svd(DATA.interactions.toarray().astype(float), full_matrices=False)
RNG = np.random.RandomState(0)
USERS = LEFT[:, :8] * S[:8] + 0.05 * RNG.normal(size=(60, 8))
ITEMS = RIGHT[:8].T + 0.01 * RNG.normal(size=(80, 8))
TAGS = DATA.item_tags.to_numpy() > 0
# Users in no order, one of them twice.
COLUMNS = [(45, 3), (41, 70), (45, 12), (59, 0), (41, 33)]
PAIRS = [(user, DATA.item_ids[item]) for user, item in COLUMNS]


def score(users, items):
    return torch.tanh(2 * (users * items).sum(dim=1)) + users[:, 0] * items[:, 1] ** 2


def fitted(recommender=(USERS, ITEMS), tags=DATA.item_tags, **kwargs):
    given = {"random_state": 0, "attribution": ExactAttribution(), **kwargs}
    explainer = TPECRExplainer(recommender, tags, **given)
    return explainer.fit(DATA.interactions, train_users=range(40))


def lime(target="score", **kwargs):
    return LimeAttribution(**{"target": target, "n_samples": 200, "random_state": 0, **kwargs})


EXACT = fitted(attribution=ExactAttribution())
RANKS = fitted(attribution=lime("rank"))
CVAE = CVAEGenerator(hidden_dims=(16,), latent_dim=8, max_epochs=20, random_state=0)
NETWORK = fitted(TorchRecommender(score, USERS, ITEMS), generator=CVAE, attribution=lime())


def cases_of(explainer, pairs=PAIRS, **kwargs):
    return evaluate_explanations(explainer, pairs, return_cases=True, **kwargs).set_index("case")


class TestExplainedTags:
    @pytest.mark.parametrize("explainer", [EXACT, RANKS, NETWORK], ids=["exact", "lime", "network"])
    def test_are_what_explain_says_in_the_order_of_the_pairs(self, explainer):
        found = explained_tags(explainer, iter(PAIRS))
        assert list(found.columns) == ["case", "user", "item", "tag", "importance", "related"]
        assert list(found.index) == list(range(5 * 7))
        for case, ((user, item), (_, column)) in enumerate(zip(PAIRS, COLUMNS, strict=True)):
            rows = found[found["case"] == case]
            assert set(rows["user"]) == {user}
            assert set(rows["item"]) == {item}
            assert rows["tag"].tolist() == list(DATA.item_tags.columns)
            assert rows["related"].tolist() == TAGS[column].tolist()
            expected = explainer.explain(user, item).importances
            np.testing.assert_allclose(rows["importance"], expected, rtol=1e-5, atol=1e-9)

    def test_no_pairs_is_an_error(self):
        with pytest.raises(ValueError, match="pairs must have at least one"):
            explained_tags(EXACT, [])


@pytest.mark.parametrize("explainer", [EXACT, RANKS, NETWORK], ids=["exact", "lime", "network"])
def test_shares_of_related_tags_equal_plain_loops(explainer):
    cases = cases_of(explainer, random_state=0)  # the seed of the explainer's own attribution
    importances = explained_tags(explainer, PAIRS)["importance"].to_numpy().reshape(5, 7)
    for case, ((_, column), weights) in enumerate(zip(COLUMNS, importances, strict=True)):
        related = TAGS[column]
        up = [bool(related[t]) for t in range(7) if weights[t] >= 0]
        down = [bool(related[t]) for t in range(7) if weights[t] < 0]
        expected = {
            "related": sum(related) / 7,
            "related | >= 0": sum(up) / len(up) if up else np.nan,
            "related | < 0": sum(down) / len(down) if down else np.nan,
            "top is related": float(related[max(range(7), key=weights.__getitem__)]),
        }
        found = cases.loc[case, list(expected)].to_dict()
        assert found == pytest.approx(expected, nan_ok=True)
        assert (cases.loc[case, "user"], cases.loc[case, "item"]) == PAIRS[case]


def test_exact_explanations_are_faithful_and_the_same_every_time():
    cases = cases_of(EXACT)
    np.testing.assert_allclose(cases["faithfulness"], 1, atol=1e-9)
    np.testing.assert_allclose(cases["exact: Spearman"], 1)
    assert (cases["exact: sign flips"] == 0).all()
    assert (cases["seeds: Spearman"] == 1).all()
    assert (cases["seeds: top 5"] == 1).all()
    assert (cases["seeds: sign flips"] == 0).all()


class Backwards(ExactAttribution):
    """Says the opposite, which a squared correlation does not see."""

    def attribute(self, tag_preferences, embedding, items):
        found = super().attribute(tag_preferences, embedding, items)
        return replace(found, importances=-found.importances)


class Nothing(ExactAttribution):
    """Says nothing."""

    def attribute(self, tag_preferences, embedding, items):
        found = super().attribute(tag_preferences, embedding, items)
        return replace(found, importances=0 * found.importances)


def test_what_is_backwards_is_found_out_by_the_exact_weights():
    cases = cases_of(fitted(attribution=Backwards()))
    np.testing.assert_allclose(cases["exact: Spearman"], -1)
    assert (cases["exact: sign flips"] == 1).all()


def test_what_says_nothing_is_not_defined():
    explainer = fitted(attribution=Nothing())
    cases = cases_of(explainer)
    assert cases["faithfulness"].isna().all()
    assert cases["exact: Spearman"].isna().all()
    assert cases["related | < 0"].isna().all()
    np.testing.assert_allclose(cases["related | >= 0"], cases["related"])
    result = evaluate_explanations(explainer, PAIRS).set_index("metric")
    assert result.loc["faithfulness", "n"] == 0
    assert result.loc["related", "n"] == 5


class Idle(GaussianGenerator):
    """Moves nobody, up to rounding."""

    @property
    def gain_(self):
        raise AttributeError("no gain: not linear")

    @gain_.setter
    def gain_(self, value):
        self._gain = value

    def generate(self, tag_preferences, embeddings):
        up = np.sum(tag_preferences, axis=1, keepdims=True) > 0
        return embeddings * np.where(up, 1 + 4e-16, 1.0)


class Sure(BaseEstimator):
    """Says the same of everything."""

    def fit(self, composite, tag_preferences, embeddings):
        return self

    def attribute(self, tag_preferences, embedding, items):
        return Attributed(np.ones((len(items), 7)), *np.ones((3, len(items))))


def test_a_score_that_only_rounding_moves_cannot_be_explained_well_or_badly():
    cases = cases_of(fitted(generator=Idle(), attribution=Sure()))
    assert cases["faithfulness"].isna().all()
    moved = cases_of(fitted(attribution=Sure()))
    assert moved["faithfulness"].between(1e-6, 0.99).all()
    assert "exact: Spearman" not in cases


def trials(explainer, row, column, weights, seed):
    """Return squared correlation of predicted and found scores, one trial at a time."""
    changes = 0.5 * np.random.RandomState(seed).standard_normal((200, 7))
    own = explainer.user_embeddings_[[row]].astype(float)
    c = explainer.extractor_.tag_preferences(own)[0]
    recommender = explainer.extractor_.recommender_
    found, predicted = [], []
    for change in changes:
        asked = [c + change * explainer.population_std_]
        e = explainer.generator_.generate(asked, own)
        found.append(recommender.score_items(e)[0, column])
        predicted.append(sum(w * x for w, x in zip(weights, change, strict=True)))
    return np.corrcoef(found, predicted)[0, 1] ** 2


@pytest.mark.parametrize("explainer", [RANKS, NETWORK], ids=["ranks", "network"])
def test_faithfulness_equals_one_trial_at_a_time(explainer):
    cases = cases_of(explainer)
    importances = explained_tags(explainer, PAIRS)["importance"].to_numpy().reshape(5, 7)
    for case, (row, column) in enumerate(COLUMNS):
        expected = trials(explainer, row, column, importances[case], seed=0)
        assert cases.loc[case, "faithfulness"] == pytest.approx(expected, rel=1e-4)
    assert (cases["faithfulness"] < 0.9999).all()


@pytest.mark.parametrize("explainer", [EXACT, RANKS, NETWORK], ids=["exact", "ranks", "network"])
def test_insertion_and_deletion_equal_plain_loops(explainer):
    cases = cases_of(explainer)
    importances = explained_tags(explainer, PAIRS)["importance"].to_numpy().reshape(5, 7)
    rng = np.random.RandomState(0)
    rng.standard_normal((200, 7))
    orders = [rng.permutation(7) for _ in range(10)]
    mean, std = explainer.population_mean_, explainer.population_std_
    for case, (row, column) in enumerate(COLUMNS):
        embedding = explainer.user_embeddings_[[row]].astype(float)
        c = explainer.extractor_.tag_preferences(embedding)[0]
        contributions = importances[case] * (c - mean) / std
        all_scores = explainer.extractor_.recommender_.score_items(embedding)[0]

        def score(tags, embedding=embedding, column=column):
            return explainer.composite_(tags[np.newaxis], embedding, [column])[0, 0]

        for name, start, end, sign in (("insertion", mean, c, 1), ("deletion", c, mean, -1)):
            means = []
            for order in (sorted(range(7), key=lambda t: -contributions[t]), *orders):
                tags, along = start.copy(), [0.0]
                for tag in order:
                    tags[tag] = end[tag]
                    along.append(score(tags) - score(start))
                means.append(np.mean(along))
            expected = sign * (means[0] - np.mean(means[1:])) / all_scores.std()
            assert cases.loc[case, name] == pytest.approx(expected, rel=1e-4, abs=1e-7)


def test_no_order_is_faster_than_that_of_exact_contributions():
    right, wrong = cases_of(EXACT), cases_of(fitted(attribution=Backwards()))
    for name in ("insertion", "deletion"):
        assert (right[name] > 0).all()
        assert (wrong[name] < 0).all()


def spearman(first, second):
    """Return the correlation of ranks; NaN for an item that never changes its rank."""
    ranks = rankdata(first), rankdata(second)
    constant = min(map(np.ptp, ranks)) == 0
    return np.nan if constant else np.corrcoef(ranks)[0, 1]


def test_agreement_of_seeds_equals_plain_loops():
    seeds = (5, 6, 7)
    cases = cases_of(RANKS, random_state=5, n_seeds=3)
    drawn = [
        explained_tags(fitted(attribution=lime("rank", random_state=seed)), PAIRS)["importance"]
        .to_numpy()
        .reshape(5, 7)
        for seed in seeds
    ]
    for case in range(5):
        agreements = []
        for i, j in ((0, 1), (0, 2), (1, 2)):
            a, b = drawn[i][case], drawn[j][case]
            tops = [set(np.argsort(-np.abs(weights))[:5]) for weights in (a, b)]
            flips = sum(np.sign(x) != np.sign(y) for x, y in zip(a, b, strict=True)) / 7
            agreements.append(
                [spearman(a, b), len(tops[0] & tops[1]) / len(tops[0] | tops[1]), flips]
            )
        names = ["seeds: Spearman", "seeds: top 5", "seeds: sign flips"]
        np.testing.assert_allclose(cases.loc[case, names].astype(float), np.nanmean(agreements, 0))
        exact = EXACT.explain(*PAIRS[case]).importances
        rho = spearman(drawn[0][case], exact)
        assert cases.loc[case, "exact: Spearman"] == pytest.approx(rho, nan_ok=True)
        flips = np.mean(np.sign(drawn[0][case]) != np.sign(exact))
        assert cases.loc[case, "exact: sign flips"] == pytest.approx(flips)
    assert cases["seeds: Spearman"].mean() < 1


def test_the_explainer_is_left_as_it_was_and_equal_calls_are_equal():
    before = explained_tags(RANKS, PAIRS)
    first = cases_of(RANKS, random_state=9)
    assert first.equals(cases_of(RANKS, random_state=9))
    assert explained_tags(RANKS, PAIRS).equals(before)


def test_explainers_are_compared_pair_by_pair():
    explainers = {"exact": EXACT, "ranks": RANKS}
    cases = evaluate_explanations(explainers, PAIRS, return_cases=True)
    result = evaluate_explanations(explainers, PAIRS, baseline="exact")
    result = result.set_index(["method", "metric"])
    value = cases.set_index(["method", "case"])["faithfulness"]
    expected = (value["ranks"] - value["exact"]).mean()
    assert result.loc[("ranks", "faithfulness"), "difference"] == pytest.approx(expected)
    assert expected < 0
    assert set(result.loc["exact"].index) >= {"related", "faithfulness", "exact: sign flips"}
    assert "user" not in result.loc["exact"].index


def test_a_network_and_a_cvae_are_measured_alike():
    result = evaluate_explanations(NETWORK, PAIRS).set_index("metric")["mean"]
    assert "exact: Spearman" not in result
    assert np.isfinite(result).all()
    assert 0 < result["faithfulness"] < 1
    assert 0 < result["seeds: Spearman"] < 1


@pytest.mark.parametrize("n_tags", [1, 2])
def test_few_tags_will_do(n_tags):
    explainer = fitted(tags=DATA.item_tags.iloc[:, :n_tags], attribution=lime())
    cases = cases_of(explainer, PAIRS[:1])
    assert cases["seeds: top 5"].tolist() == [1]
    assert np.isnan(cases["seeds: Spearman"][0]) == (n_tags == 1)
    assert cases["faithfulness"][0] > 0.9


BAD = {
    "one seed": ({"n_seeds": 1}, "n_seeds must be a whole number of at least 2, .* got 1"),
    "seeds": ({"n_seeds": 2.5}, "n_seeds must be a whole number of at least 2, .* got 2.5"),
    "no pairs": ({"pairs": []}, "pairs must have at least one .user id, item id., got none"),
    "baseline": ({"baseline": "x"}, "baseline must be a name in explainers, .* got 'x'"),
    "item": ({"pairs": [(45, "x")]}, "unknown item 'x'"),
    "user": ({"pairs": [(99, "x")]}, "user 99 is out of range"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_calls_say_what_is_wrong(name):
    changes, message = BAD[name]
    with pytest.raises(ValueError, match=message):
        evaluate_explanations(**{"explainers": EXACT, "pairs": PAIRS, **changes})
