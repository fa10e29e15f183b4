"""What fitting learned stays as it is, whatever happens to the explainer, the model or the data."""

import sys
import threading

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from sklearn.decomposition import TruncatedSVD
from sklearn.model_selection import GridSearchCV

from sktpecr import CVAEGenerator, FeedbackRefiner, TagPreferenceExtractor, TPECRExplainer
from sktpecr._utils._rounding import spread
from sktpecr.attribution import LimeAttribution
from sktpecr.datasets import make_tagged_interactions
from sktpecr.recommenders import AdapterError

FIRST = make_tagged_interactions(n_users=80, n_items=90, n_tags=5, random_state=0)
SECOND = make_tagged_interactions(n_users=80, n_items=90, n_tags=5, random_state=1)


def explainer_of(data):
    explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), FIRST.item_tags)
    return explainer.fit(data.interactions)


def test_a_refinement_stays_its_users_after_a_refit():
    explainer = explainer_of(FIRST)
    refined = FeedbackRefiner(explainer).refine(3, like="tag_1")
    before = refined.recommend(10), refined.to_frame(), refined.rank("item_05")
    explainer.fit(SECOND.interactions)
    assert refined.recommend(10).equals(before[0])
    assert refined.to_frame().equals(before[1])
    assert refined.rank("item_05") == before[2]


def test_a_refit_while_others_explain_never_mixes_two_states():
    explainer = explainer_of(FIRST)
    expected = {
        tuple(explainer_of(data).explain(3, "item_05").contributions) for data in (FIRST, SECOND)
    }
    seen, stop = set(), threading.Event()

    def read():
        while not stop.is_set():
            seen.add(tuple(explainer.explain(3, "item_05").contributions))

    readers = [threading.Thread(target=read) for _ in range(3)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for reader in readers:
            reader.start()
        for data in (SECOND, FIRST) * 5:
            explainer.fit(data.interactions)
    finally:
        stop.set()
        sys.setswitchinterval(interval)
        for reader in readers:
            reader.join()
    assert seen <= expected


def test_training_the_model_further_changes_no_explanation():
    als = AlternatingLeastSquares(factors=8, random_state=0)
    als.fit(FIRST.interactions, show_progress=False)
    explainer = TPECRExplainer(als, FIRST.item_tags).fit(FIRST.interactions)
    before = explainer.explain(3, "item_05")
    als.fit(SECOND.interactions, show_progress=False)
    after = explainer.explain(3, "item_05")
    assert after.score == before.score
    np.testing.assert_array_equal(after.contributions, before.contributions)


def test_what_comes_out_is_no_handle_on_what_is_inside():
    X = FIRST.interactions.copy()
    explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), FIRST.item_tags).fit(X)
    before = explainer.recommend(3, 20)
    X.indices[:] = 0
    refined = FeedbackRefiner(explainer).refine(3)
    refined.embedding[:] = 7.0
    with pytest.raises(ValueError, match="read-only"):
        explainer.explain(3, "item_05").tag_names[0] = "other"
    assert explainer.recommend(3, 20).equals(before)


def test_spread_is_zero_where_it_is_rounding():
    values = np.full((50, 3), 0.1) + np.array([0.0, 1.0, 0.0]) * np.random.RandomState(0).normal(
        size=(50, 1)
    )
    values[::2, 2] += 1e-16
    assert list(spread(values, np.float64) > 0) == [False, True, False]
    values[::2, 2] += 1e-8
    assert list(spread(values, np.float32) > 0) == [False, True, False]
    assert list(spread(values, np.float64) > 0) == [False, True, True]


def test_spread_of_many_equal_numbers_is_zero():
    for n in (3, 671, 100_000):
        assert spread(np.full((n, 1), 0.1), np.float64)[0] == 0


def test_users_all_alike_are_no_population_to_differ_from():
    users, items = np.ones((7, 3)) * 0.1, np.random.RandomState(0).normal(size=(20, 3))
    tags = (np.arange(20)[:, None] % 4 == np.arange(4)).astype(float)
    explainer = TPECRExplainer((users * [1, 2, 3], items), tags).fit(np.ones((7, 20)))
    assert (explainer.profile(0)["vs_population"] == 0).all()
    # A like asks nothing of the population.
    refined = FeedbackRefiner(explainer).refine(0, like="tag_1")
    assert refined.tag_preferences[1] > explainer.profile(0).set_index("tag")["preference"]["tag_1"]
    with pytest.raises(ValueError, match=r"set cannot be met: .* 'tag_0'"):
        FeedbackRefiner(explainer).refine(0, set={"tag_0": 9.0}, units="raw")


def test_labels_are_compared_wherever_a_table_comes_in():
    frame = pd.DataFrame(FIRST.interactions.toarray(), columns=FIRST.item_ids)
    svd = TruncatedSVD(8, random_state=0)
    with pytest.raises(ValueError, match="same ids in another order"):
        TagPreferenceExtractor(svd, FIRST.item_tags).fit(frame.iloc[:, ::-1])
    numbered = frame.set_axis(range(90), axis=1)
    explainer = TPECRExplainer(svd, FIRST.item_tags.set_axis(range(90))).fit(numbered)
    with pytest.raises(ValueError, match="same ids in another order"):
        explainer.transform(numbered.iloc[:, ::-1])


def test_a_failed_fit_leaves_the_extractor_and_the_refiner_as_they_were():
    svd = TruncatedSVD(8, random_state=0).fit(FIRST.interactions)
    extractor = TagPreferenceExtractor(svd, FIRST.item_tags).fit(FIRST.interactions)
    refiner = FeedbackRefiner(TPECRExplainer(svd, FIRST.item_tags)).fit(FIRST.interactions)
    for estimator in (extractor, refiner):
        with pytest.raises(ValueError, match=r"columns|ids"):
            estimator.fit(FIRST.interactions[:, :50])
        assert estimator.n_features_in_ == 90
    assert extractor.transform(FIRST.interactions).shape == (80, 5)


def test_item_embeddings_that_are_no_dot_product_are_found_out():
    class Pretends:
        user_embeddings = np.random.RandomState(0).normal(size=(80, 4))
        item_embeddings = np.random.RandomState(1).normal(size=(90, 4))

        def score_items(self, embeddings, items=None):
            return np.tanh(embeddings @ self.item_embeddings.T)

    explainer = TPECRExplainer(Pretends(), FIRST.item_tags)
    with pytest.raises(AdapterError, match="Pretends has item_embeddings, but its score_items"):
        explainer.fit(FIRST.interactions)
    with pytest.raises(AdapterError, match="Pretends has item_embeddings"):
        explainer.explain(0, "item_05")


@pytest.mark.parametrize("aggregate", [np.median, np.mean, lambda s: s.mean(axis=0)])
def test_an_aggregate_over_the_wrong_axis_is_found_out(aggregate):
    with pytest.raises(ValueError, match=r"aggregate must return one finite number per user"):
        TagPreferenceExtractor(
            TruncatedSVD(8, random_state=0), FIRST.item_tags, aggregate=aggregate
        ).fit(FIRST.interactions).transform(FIRST.interactions)


def test_parameters_inside_a_fitted_recommender_are_not_for_tuning():
    svd = TruncatedSVD(8, random_state=0).fit(FIRST.interactions)
    search = GridSearchCV(
        TPECRExplainer(svd, FIRST.item_tags), {"recommender__n_components": [2, 4]}, cv=2
    )
    with pytest.raises(ValueError, match="recommender__n_components cannot be set"):
        search.fit(FIRST.interactions)
    assert svd.n_components == 8
    search.set_params(estimator__recommender=TruncatedSVD(8, random_state=0))
    assert search.fit(FIRST.interactions).best_score_ > 0


USERS, ITEMS = np.random.RandomState(0).normal(size=(170, 6)).astype(np.float32).reshape(2, 85, 6)
USERS, ITEMS = USERS[:80], np.concatenate([ITEMS, ITEMS[:5] + 1])


def learned_from(rows, interactions=FIRST.interactions, users=USERS, **kwargs):
    explainer = TPECRExplainer((users, ITEMS), FIRST.item_tags, random_state=0, **kwargs)
    return explainer.fit(interactions, train_users=rows)


@pytest.mark.parametrize("generator", [None, "cvae"])
def test_learning_from_some_users_is_fitting_on_their_rows(generator):
    if generator:
        generator = CVAEGenerator(hidden_dims=(8,), latent_dim=3, max_epochs=2, random_state=0)
    rows = np.random.RandomState(1).permutation(80)[:30]
    some = learned_from(rows, generator=generator)
    alone = TPECRExplainer(
        (USERS[np.sort(rows)], ITEMS), FIRST.item_tags, generator=generator, random_state=0
    ).fit(FIRST.interactions[np.sort(rows)])
    np.testing.assert_array_equal(np.flatnonzero(some._tag_model.learners), np.sort(rows))
    np.testing.assert_allclose(some.population_mean_, alone.population_mean_, rtol=1e-6)
    np.testing.assert_allclose(some.population_std_, alone.population_std_, rtol=1e-6)
    everyone = learned_from(None)
    assert not np.allclose(some.population_std_, everyone.population_std_, rtol=1e-3)
    C, E = some.tag_preferences_[:5] + 0.3, some.user_embeddings_[:5]
    np.testing.assert_allclose(
        some.generator_.generate(C, E), alone.generator_.generate(C, E), rtol=1e-5, atol=1e-7
    )
    item = FIRST.item_ids[7]
    one, other = some.explain(int(rows.min()), item), alone.explain(0, item)
    np.testing.assert_allclose(one.importances, other.importances, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("solver", ["closed_form", "online", "embedding"])
def test_nothing_is_learned_from_the_others(solver):
    """Move the users that are not learned from: nothing changes for those that are."""
    others = USERS.copy()
    others[40:] *= 7
    found = [
        FeedbackRefiner(learned_from(range(40), users=users), solver=solver).refine(
            3, like="tag_1", dislike="tag_2"
        )
        for users in (USERS, others)
    ]
    np.testing.assert_array_equal(found[0].embedding, found[1].embedding)
    np.testing.assert_array_equal(found[0].to_frame()["after"], found[1].to_frame()["after"])


def test_a_user_without_scores_is_moved_as_the_learners_are():
    others = USERS.copy()
    others[3] = 0
    moves = []
    for scale in (1, 7):
        others[40:] = USERS[40:] * scale
        refiner = FeedbackRefiner(learned_from(range(40), users=others))
        moves.append(refiner.refine(3, like="tag_1").embedding)
    assert np.abs(moves[0]).max() > 0
    np.testing.assert_array_equal(*moves)


def test_the_others_are_known_all_the_same():
    explainer = learned_from(range(40))
    assert explainer.recommend(70, 5).equals(learned_from(None).recommend(70, 5))
    assert explainer.explain(70, "item_05").score == learned_from(None).explain(70, "item_05").score
    np.testing.assert_array_equal(explainer.user_embeddings_, USERS)


def test_users_are_named_by_their_ids_in_any_container():
    explainer = TPECRExplainer((USERS, ITEMS), FIRST.item_tags)
    for some in (["user_03", "user_01"], np.array(["user_01", "user_03"]), {"user_01", "user_03"}):
        explainer.fit(FIRST.interactions, user_ids=FIRST.user_ids, train_users=some)
        assert np.flatnonzero(explainer._tag_model.learners).tolist() == [1, 3]
    series = pd.Series(["user_01", "user_03"], index=[7, 8])
    explainer.fit(FIRST.interactions, user_ids=FIRST.user_ids, train_users=series)
    assert np.flatnonzero(explainer._tag_model.learners).tolist() == [1, 3]


def test_users_without_interactions_are_named_in_vain():
    X = FIRST.interactions.tolil()
    X[[2, 3]] = 0
    explainer = learned_from([1, 2, 3], interactions=X.tocsr())
    assert np.flatnonzero(explainer._tag_model.learners).tolist() == [1]
    with pytest.raises(
        ValueError, match="train_users must name a user with interactions, got none"
    ):
        learned_from([2, 3], interactions=X.tocsr())


@pytest.mark.parametrize("n", [2, 3, 20])
def test_swapped_users_get_the_preferences_of_somebody_else_each(n):
    tag_model = learned_from(range(40))._tag_model
    embeddings = USERS[40 : 40 + n].astype(float)
    swap = tag_model.swapped(embeddings, np.random.RandomState(0))
    own = tag_model.extractor.tag_preferences(embeddings)
    np.testing.assert_array_equal(swap.own, own)
    partner = [int(np.flatnonzero((own == wanted).all(axis=1))[0]) for wanted in swap.wanted]
    assert sorted(partner) == list(range(n))
    assert all(partner[user] != user for user in range(n))
    expected = tag_model.generator.generate(swap.wanted, embeddings)
    np.testing.assert_array_equal(swap.generated, expected)
    np.testing.assert_array_equal(swap.met, tag_model.extractor.tag_preferences(expected))
    again = tag_model.swapped(embeddings, np.random.RandomState(0))
    np.testing.assert_array_equal(again.wanted, swap.wanted)


def test_variance_is_of_the_embeddings_that_were_learned_from():
    tag_model = learned_from(range(10))._tag_model
    expected = np.mean([USERS[:10, factor].astype(float).var() for factor in range(6)])
    assert tag_model.embedding_variance == pytest.approx(expected, rel=1e-5)


def test_of_too_many_learners_a_sample_is_what_is_learned_from(monkeypatch):
    monkeypatch.setattr("sktpecr.tags._tag_model._NUMBERS", 40 * 5)
    monkeypatch.setattr("sktpecr.tags._tag_model._FEWEST", 20)
    model = explainer_of(FIRST).tag_model_
    some = np.random.RandomState(0).choice(80, 40, replace=False)
    monkeypatch.undo()
    explainer = TPECRExplainer(model.recommender, FIRST.item_tags)
    same = explainer.fit(FIRST.interactions, train_users=np.sort(some)).tag_model_
    np.testing.assert_allclose(model.mean, same.mean)
    np.testing.assert_allclose(model.std, same.std)
    for name in ("scale_", "strength_", "used_"):
        np.testing.assert_allclose(getattr(model.account, name), getattr(same.account, name))
    assert model.learners.sum() == 80  # whom an evaluation must not take for unseen


def test_attributions_fitted_together_are_those_fitted_alone(monkeypatch):
    model, asked = explainer_of(FIRST).tag_model_, []
    kinds = [LimeAttribution(n_samples=50, random_state=seed) for seed in (0, 1)]
    user = model.user_embeddings[0].astype(float)
    mine = model.tag_preferences_of(user)
    alone = [model.fitted(kind).attribute(mine, user, [7]).importances for kind in kinds]
    read = TagPreferenceExtractor.tag_preferences
    monkeypatch.setattr(
        TagPreferenceExtractor,
        "tag_preferences",
        lambda self, users: asked.append(len(users)) or read(self, users),
    )
    together = list(model.all_fitted(kinds))
    assert asked == [80]  # a network's takes long
    for kind, expected in zip(together, alone, strict=True):
        np.testing.assert_array_equal(kind.attribute(mine, user, [7]).importances, expected)
    assert not np.array_equal(*alone)


def test_top_lists_are_what_is_recommended(explainer):
    model = explainer.tag_model_
    seen = model.catalogue.interactions
    lengths, items, scores = model.top_lists(model.user_embeddings, 5, seen=seen)
    starts = np.cumsum(lengths) - lengths
    for user, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        expected = explainer.recommend(model.catalogue.users[user], 5)
        own = slice(start, start + length)
        assert model.catalogue.item_ids[items[own]].tolist() == expected["item"].tolist()
        np.testing.assert_allclose(scores[own], expected["score"], rtol=1e-5)


def test_what_items_are_worth_to_many_is_what_they_are_to_each(explainer):
    model, rng = explainer.tag_model_, np.random.RandomState(0)
    answers = [(0, True), (2, False), ((1, 3), True)]
    evidence, amounts = model.evidence(answers), rng.uniform(size=(60, 3))
    scores = model.recommender.score_items(model.user_embeddings)
    found = model.worth(scores, amounts, evidence)
    np.testing.assert_allclose(model.worth(scores, sp.csr_matrix(amounts), evidence), found)
    for own, said, row in zip(scores, amounts, found, strict=True):
        wish = sum(
            amount * model.wish.tag(tag, liked)
            for amount, (tag, liked) in zip(said, answers, strict=True)
        )
        scale = (own.max() - own.mean(dtype=float)) / np.log(len(own))
        np.testing.assert_allclose(row, own + 2.5 * scale * wish)
    assert model.evidence([]).shape == (0, 80)
    np.testing.assert_array_equal(model.worth(scores, np.ones((60, 0)), model.evidence([])), scores)
