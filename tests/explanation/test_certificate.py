"""What an explanation says of itself."""

import copy
import json
import pickle

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD

from sktpecr import CVAEGenerator, TPECRExplainer
from sktpecr.attribution import LimeAttribution
from sktpecr.datasets import make_tagged_interactions
from sktpecr.recommenders import FactorRecommender

DATA = make_tagged_interactions(n_users=120, n_items=60, n_tags=4, random_state=0)


def explained(item=5, **params):
    explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags, **params)
    return explainer.fit(DATA.interactions).explain(3, DATA.item_ids[item])


def noisy(draws=30):
    return LimeAttribution(n_samples=draws, n_competitors=5, random_state=0)


def poor():
    return CVAEGenerator(hidden_dims=(4,), latent_dim=1, max_epochs=2, random_state=0)


def test_closed_form_is_complete_faithful_and_the_same_every_time():
    certificate = explained().certificate
    assert certificate.completeness_error < 1e-6
    assert certificate.composite_distance < 1e-6
    assert certificate.faithfulness == pytest.approx(1.0)
    assert (certificate.seed_spearman, certificate.seed_sign_flips) == (1.0, 0.0)


def test_tags_and_residual_share_the_difference_between_them():
    explanation = explained()
    by_tags, rest = abs(explanation.contributions.sum()), abs(explanation.residual)
    certificate = explanation.certificate
    assert certificate.tag_share == pytest.approx(by_tags / (by_tags + rest))
    assert certificate.residual_share == pytest.approx(rest / (by_tags + rest))
    assert f"account for {certificate.tag_share:.0%}".replace("%", " %") in str(certificate)


def test_residual_is_the_part_of_the_score_that_no_tag_sees():
    """The second term of e_v (K M + (I - K M)) (e_u - mean), from the matrices themselves."""
    explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags)
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
    tags = np.vstack([[0, 0], np.eye(2)[np.arange(19) % 2]])
    certificate = TPECRExplainer((users, items), tags).explain(4, 0).certificate
    assert certificate.tag_share < 0.1
    assert str(certificate).startswith("Tags do not explain this item: they account for")


def test_an_item_that_everybody_scores_alike_has_no_difference_to_explain():
    users, items = np.random.RandomState(0).normal(size=(30, 3)), np.eye(4, 3)
    recommender = FactorRecommender(users, items)  # the last item is 0 for everybody
    certificate = TPECRExplainer(recommender, np.eye(4, 2)).explain(4, 3).certificate
    assert np.isnan(certificate.tag_share)
    assert np.isnan(certificate.faithfulness)
    assert str(certificate) == "Nothing moves this score from the average user's."


@pytest.mark.parametrize("attribution", [None, noisy()])
def test_pickles_copies_and_dictionaries_carry_it(attribution):
    explanation = explained(attribution=attribution)
    for other in (pickle.loads(pickle.dumps(explanation)), copy.deepcopy(explanation)):
        assert other.certificate == explanation.certificate
        assert str(other) == str(explanation)
    assert len(pickle.dumps(explanation)) < 6000  # nothing of what the explainer learned
    said = json.loads(json.dumps(explanation.to_dict(), allow_nan=False))["certificate"]
    assert said == vars(explanation.certificate)


def test_is_printed_with_the_explanation():
    explanation = explained()
    assert str(explanation).endswith(str(explanation.certificate))
    assert "Tags account for" in explanation._repr_html_()
