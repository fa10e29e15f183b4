"""What an explanation says of itself."""

import copy
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD

from sktpecr import CVAEGenerator, TPECRExplainer
from sktpecr.attribution import AccountAttribution, ExactAttribution, LimeAttribution
from sktpecr.datasets import make_tagged_interactions
from sktpecr.recommenders import FactorRecommender

DATA = make_tagged_interactions(120, 60, 4, density=0.3, random_state=0)
HALVES = slice(60), slice(60, 120)


def explained(item=5, **params):
    explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags, **params)
    return explainer.fit(DATA.interactions).explain(3, DATA.item_ids[item])


def noisy(draws=30):
    return LimeAttribution(n_samples=draws, n_competitors=5, random_state=0)


def poor():
    return CVAEGenerator(hidden_dims=(4,), latent_dim=1, max_epochs=2, random_state=0)


def test_closed_form_is_complete_faithful_and_the_same_every_time():
    certificate = explained(attribution=ExactAttribution()).certificate
    assert certificate.completeness_error < 1e-6
    assert certificate.composite_distance < 1e-6
    assert certificate.faithfulness == pytest.approx(1.0)
    assert (certificate.seed_spearman, certificate.seed_sign_flips) == (1.0, 0.0)


def test_the_account_is_complete_and_claims_nothing_of_changes_with_other_tags_held():
    certificate = explained().certificate
    assert certificate.completeness_error < 1e-6
    assert np.isnan(certificate.faithfulness)
    assert (certificate.seed_spearman, certificate.seed_sign_flips) == (1.0, 0.0)


@pytest.mark.parametrize("attribution", [None, ExactAttribution()])
def test_what_own_tags_tell_is_the_r2_of_the_account_over_users(attribution):
    explainer = TPECRExplainer(
        TruncatedSVD(8, random_state=0), DATA.item_tags, attribution=attribution
    ).fit(DATA.interactions)
    account = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags)
    account.fit(DATA.interactions)
    for item in DATA.item_ids[:8]:
        told = [account.explain(user, item) for user in range(120)]
        scores = np.array([one.score - one.base_value for one in told])
        own = np.array([one.contributions.sum() for one in told])
        expected = 1 - np.var(scores - own) / np.var(scores)
        certificate = explainer.explain(3, item).certificate
        assert certificate.told == pytest.approx(expected, abs=1e-6)
        told_by = f"{certificate.told:.0%}".replace("%", " %")
        assert f"Its tags explain {told_by} of the" in str(certificate)


@pytest.mark.parametrize("level", ["regression", "difference", "none"])
def test_first_tag_is_held_against_accounts_of_half_of_the_users(level):
    account = AccountAttribution(level=level, random_state=0)
    explainer = TPECRExplainer(
        TruncatedSVD(8, random_state=0), DATA.item_tags, attribution=account
    ).fit(DATA.interactions)
    model, used = explainer.tag_model_, explainer.attribution_.used_
    rng, others = np.random.RandomState(0), []
    for _ in range(5):
        order = rng.permutation(120)
        others += [replace(model, learners=np.isin(range(120), order[part])) for part in HALVES]
    others = [other.fitted(account) for other in others]
    # Which tags are used is not tried again.
    others = [other for other in others if (other.used_ == used).all()]
    assert others
    for user, item in [(3, 5), (8, 20), (40, 33), (77, 1)]:
        embedding = model.user_embeddings[user].astype(float)
        preferences = model.tag_preferences_of(embedding)
        firsts = [
            int(np.abs(each.attribute(preferences, embedding, [item]).contributions).argmax())
            for each in [explainer.attribution_, *others]
        ]
        kept = np.sum(np.array(firsts[1:]) == firsts[0])
        found = explainer.explain(user, DATA.item_ids[item]).certificate.kept
        assert kept / 10 - 1e-9 <= found <= (kept + 10 - len(others)) / 10 + 1e-9


def test_importances_that_fit_little_are_said():
    told = replace(explained().certificate, fidelity=0.08)
    assert "reproduce 8 % of the changes" in str(told)
    assert np.isnan(explained().certificate.fidelity)
    lime = explained(attribution=noisy())
    assert lime.certificate.fidelity == lime.fidelity


def test_a_first_tag_that_half_of_the_users_do_not_confirm_is_said():
    told = replace(explained().certificate, kept=0.4)
    assert "stays the same in 40 % of cases" in str(told)
    assert "stays" not in str(replace(told, kept=0.9))
    assert "stays" not in str(replace(told, kept=np.nan))


def test_tags_dealt_at_random_are_told_from_real_ones():
    dealt = DATA.item_tags.sample(frac=1, random_state=1).set_axis(DATA.item_tags.index)
    found = {}
    for name, tags in (("real", DATA.item_tags), ("dealt", dealt)):
        explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), tags).fit(DATA.interactions)
        listed = [explainer.explain(user, item) for user in range(8) for item in DATA.item_ids[:20]]
        chance = [one.certificate.is_chance for one in listed]
        for one, is_chance in zip(listed, chance, strict=True):
            assert ("no more than random tags would" in str(one.certificate)) == is_chance
            assert not (is_chance and one.reasons)
        found[name] = np.mean(chance), np.mean([len(one.reasons) > 0 for one in listed])
    assert found["real"][0] < 0.5 < found["dealt"][0]
    assert found["dealt"][1] < 0.1 < found["real"][1]


def test_residual_is_the_part_of_the_score_that_no_tag_sees():
    """The second term of e_v (K M + (I - K M)) (e_u - mean), from the matrices themselves."""
    explainer = TPECRExplainer(
        TruncatedSVD(8, random_state=0), DATA.item_tags, attribution=ExactAttribution()
    )
    explainer.fit(DATA.interactions)
    K, M = explainer.generator_.gain_, explainer.extractor_.tag_matrix_
    items = explainer.extractor_.recommender_.item_embeddings
    users = explainer.user_embeddings_.astype(float)
    away = users[3] - users.mean(axis=0)
    for column in range(10):
        explanation = explainer.explain(3, DATA.item_ids[column])
        unseen = items[column] @ (away - K @ (M @ away))
        assert explanation.residual == pytest.approx(unseen, abs=1e-6)


def test_faithfulness_is_the_squared_correlation_on_fresh_changes():
    explainer = TPECRExplainer(
        TruncatedSVD(8, random_state=0), DATA.item_tags, generator=poor(), attribution=noisy(200)
    ).fit(DATA.interactions)
    explanation = explainer.explain(3, DATA.item_ids[5])
    changes = 0.5 * np.random.RandomState(0).standard_normal((200, 4))
    own = explanation.tag_preferences
    scores = [
        explainer.composite_(
            (own + change * explainer.population_std_)[np.newaxis],
            explainer.user_embeddings_[[3]].astype(float),
            [5],
        )[0, 0]
        for change in changes
    ]
    predicted = [change @ explanation.importances for change in changes]
    assert explanation.certificate.faithfulness == pytest.approx(
        np.corrcoef(predicted, scores)[0, 1] ** 2, rel=1e-6
    )


def test_composite_distance_is_in_standard_deviations_of_the_scores():
    explanation = explained(generator=poor(), attribution=noisy())
    certificate = explanation.certificate
    interactions = DATA.interactions
    scores = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags).fit(interactions)
    scores = scores.extractor_.recommender_.score_items(scores.user_embeddings_[[3]])[0]
    off = abs(explanation.prediction - explanation.score) / scores.std()
    assert certificate.composite_distance == pytest.approx(off, rel=1e-4)
    assert off > 0.1
    assert "misses this user's score by" in str(certificate)


def test_seeds_are_compared_with_a_second_draw():
    explainer = TPECRExplainer(
        TruncatedSVD(8, random_state=0), DATA.item_tags, attribution=noisy()
    ).fit(DATA.interactions)
    other = TPECRExplainer(
        TruncatedSVD(8, random_state=0),
        DATA.item_tags,
        attribution=noisy().set_params(random_state=1),
    ).fit(DATA.interactions)
    flips = []
    for item in DATA.item_ids[:20]:
        first, second = explainer.explain(3, item), other.explain(3, item)
        differ = np.mean(np.sign(first.importances) != np.sign(second.importances))
        assert first.certificate.seed_sign_flips == pytest.approx(differ)
        assert (differ > 0.1) == ("of the signs" in str(first.certificate))
        flips.append(differ)
    assert max(flips) > 0.1


def test_says_when_tags_explain_nothing():
    """Tags look along two factors; the user and the item meet in a third."""
    rng = np.random.RandomState(0)
    users = rng.normal(size=(50, 3))
    items = np.zeros((20, 3))
    items[:, :2] = rng.normal(size=(20, 2))
    items[0] = [1e-6, 0.0, 1.0]
    tags = np.vstack([[1, 0], np.eye(2)[np.arange(19) % 2]])
    explanation = TPECRExplainer((users, items), tags).explain(4, 0)
    assert explanation.certificate.told < 0.1
    assert explanation.certificate.is_chance
    assert "no more than random tags would" in str(explanation.certificate)
    assert explanation.reasons == []


def test_an_item_that_everybody_scores_alike_has_no_difference_to_explain():
    users, items = np.random.RandomState(0).normal(size=(30, 3)), np.eye(4, 3)
    recommender = FactorRecommender(users, items)  # the last item is 0 for everybody
    explainer = TPECRExplainer(recommender, np.eye(4, 2), attribution=ExactAttribution())
    certificate = explainer.explain(4, 3).certificate
    assert certificate.told == 0
    assert np.isnan(certificate.faithfulness)
    assert certificate.is_chance


@pytest.mark.parametrize("attribution", [None, ExactAttribution(), noisy()])
def test_pickles_copies_and_dictionaries_carry_it(attribution):
    explanation = explained(attribution=attribution)
    for other in (pickle.loads(pickle.dumps(explanation)), copy.deepcopy(explanation)):
        assert vars(other.certificate) == pytest.approx(vars(explanation.certificate), nan_ok=True)
        assert str(other) == str(explanation)
    assert len(pickle.dumps(explanation)) < 6000  # nothing of what the explainer learned
    said = json.loads(json.dumps(explanation.to_dict(), allow_nan=False))["certificate"]
    measured = vars(explanation.certificate).items()
    assert said == {name: None if np.isnan(value) else value for name, value in measured}


def test_is_printed_with_the_explanation():
    explanation = explained()
    assert str(explanation).endswith(str(explanation.certificate))
    assert "Its tags explain" in explanation._repr_html_()
