"""Which tag to ask about next, against a plain loop."""

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD

from sktpecr import CVAEGenerator, TPECRExplainer


def top(scores, k, seen=()):
    order = sorted(range(len(scores)), key=lambda item: (-scores[item], item))
    return [item for item in order if item not in set(seen)][:k]


def by_a_plain_loop(explainer, own, k, seen):
    """Return {tag: (if_more, if_less)}: one edit, one list at a time."""
    C = explainer.tag_preferences_.astype(float)
    covariance = np.cov(C.T, bias=True).reshape(C.shape[1], C.shape[1])
    K = explainer.generator_.gain_
    scores = explainer.extractor_.recommender_.score_items
    before = top(scores(own[np.newaxis])[0], k, seen)
    found = {}
    for t, tag in enumerate(explainer.tag_names_):
        if covariance[t, t] > 1e-12:
            move = K @ covariance[t] / np.sqrt(covariance[t, t])
            after = [top(scores((own + s * move)[np.newaxis])[0], k, seen) for s in (1, -1)]
            found[tag] = tuple(1 - len(set(before) & set(each)) / len(before) for each in after)
    return found


@pytest.mark.parametrize("k", [1, 5, 10, 500])
def test_is_what_a_plain_loop_finds(explainer, k, data):
    for row in (0, 7, 33):
        seen = data.interactions[row].indices
        expected = by_a_plain_loop(
            explainer, explainer.user_embeddings_[row].astype(float), k, seen
        )
        frame = explainer.suggest_question(data.user_ids[row], n=99, k=k)
        assert list(frame.columns) == ["tag", "expected_change", "if_more", "if_less"]
        assert len(frame) == len(expected) == 5
        for tag, change, more, less in frame.itertuples(index=False):
            assert (more, less) == pytest.approx(expected[tag])
            assert change == pytest.approx((more + less) / 2)
        assert frame["expected_change"].is_monotonic_decreasing
    if k == 500:  # all there is stays in the list
        assert not frame["expected_change"].any()
        assert list(frame["tag"]) == list(explainer.tag_names_)  # ties in order of the tags


def test_n_and_tags_cut_the_list(explainer):
    everything = explainer.suggest_question("user_07", n=5)
    assert explainer.suggest_question("user_07")["tag"].tolist() == everything["tag"][:1].tolist()
    assert explainer.suggest_question("user_07", n=3).equals(everything[:3])
    some = explainer.suggest_question("user_07", n=5, among=["tag_3", "tag_1", "tag_3"])
    expected = everything[everything["tag"].isin(["tag_1", "tag_3"])].reset_index(drop=True)
    assert some.equals(expected)


def test_copies_of_a_tag_are_as_good_a_question_as_the_tag(data):
    """Holding the other tags instead, a near copy would seem to turn the whole list over."""
    tags = data.item_tags.to_numpy(dtype=float)
    copy = tags[:, :1].copy()
    copy[0] = 1 - copy[0]
    explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), np.hstack([tags, copy]))
    changes = {}
    for row in range(20):
        frame = explainer.fit(data.interactions).suggest_question(row, n=9).set_index("tag")
        for tag, change in frame["expected_change"].items():
            changes.setdefault(tag, []).append(change)
    means = {tag: np.mean(values) for tag, values in changes.items()}
    assert means["tag_5"] == pytest.approx(means["tag_0"], abs=0.03)
    assert means["tag_5"] < 2 * np.mean(list(means.values()))


def test_users_without_history_are_asked_as_the_average_user(data):
    X = data.interactions.tolil()
    X[4] = 0
    explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags).fit(X.tocsr())
    average = np.delete(explainer.user_embeddings_, 4, axis=0).mean(axis=0).astype(float)
    frame = explainer.suggest_question(4, n=5)
    C = np.delete(explainer.tag_preferences_, 4, axis=0).astype(float)
    covariance, K = np.cov(C.T, bias=True), explainer.generator_.gain_
    scores = explainer.extractor_.recommender_.score_items
    before = top(scores(average[np.newaxis])[0], 10)
    for tag, _, more, _ in frame.itertuples(index=False):
        t = list(explainer.tag_names_).index(tag)
        moved = average + K @ covariance[t] / np.sqrt(covariance[t, t])
        after = top(scores(moved[np.newaxis])[0], 10)
        assert more == pytest.approx(1 - len(set(before) & set(after)) / 10)


def test_one_tag_more_tags_than_factors_and_no_interactions():
    rng = np.random.RandomState(0)
    users, items = rng.normal(size=(30, 3)), rng.normal(size=(20, 3))
    for tags in (np.ones((20, 1)), (rng.rand(20, 9) < 0.5).astype(float) + np.eye(20, 9)):
        explainer = TPECRExplainer((users, items), tags)
        frame = explainer.suggest_question(4, n=20, k=6).set_index("tag")
        expected = by_a_plain_loop(explainer, users[4], 6, ())
        assert len(frame) == tags.shape[1]
        for tag, changes in expected.items():
            assert tuple(frame.loc[tag, ["if_more", "if_less"]]) == pytest.approx(changes)


def test_tags_that_never_vary_are_left_out():
    rng = np.random.RandomState(0)
    users, items = rng.normal(size=(30, 3)), rng.normal(size=(8, 3))
    items[6:] = 0.0
    tags = np.zeros((8, 2))
    tags[:6, 0] = tags[6:, 1] = 1
    explainer = TPECRExplainer((users, items), tags)
    assert list(explainer.suggest_question(0, n=5)["tag"]) == ["tag_0"]
    assert explainer.suggest_question(0, n=5, among=["tag_1"]).empty
    assert TPECRExplainer((users[:1], items), tags).suggest_question(0).empty  # one user


def test_who_has_seen_everything_has_no_list_to_change(data):
    X = data.interactions.tolil()
    X[4] = 1
    explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags).fit(X.tocsr())
    assert not explainer.suggest_question(4, n=5)["expected_change"].isna().any()


def test_a_learned_generators_own_error_changes_no_list(data):
    """Answers of no size change nothing, though this generator reproduces nobody."""
    generator = CVAEGenerator(hidden_dims=(8,), latent_dim=2, max_epochs=1, random_state=0)
    explainer = TPECRExplainer(
        TruncatedSVD(8, random_state=0), data.item_tags, generator=generator
    ).fit(data.interactions)
    row, own = 7, explainer.user_embeddings_[7].astype(float)
    own_tags = explainer._tag_model.tag_preferences_of(own)
    C = explainer.tag_preferences_.astype(float)
    covariance = np.cov(C.T, bias=True)
    seen = data.interactions[row].indices
    scores = explainer.extractor_.recommender_.score_items
    before = top(scores(own[np.newaxis])[0], 10, seen)
    for tag, _, more, _ in explainer.suggest_question(row, n=5).itertuples(index=False):
        t = list(explainer.tag_names_).index(tag)
        asked = np.stack([own_tags, own_tags + covariance[t] / np.sqrt(covariance[t, t])])
        unmoved, moved = explainer.generator_.generate(asked, np.stack([own, own]))
        after = top(scores((own + moved - unmoved)[np.newaxis])[0], 10, seen)
        assert more == pytest.approx(1 - len(set(before) & set(after)) / 10)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"user": "user_7"}, "unknown user 'user_7'; known are"),
        ({"n": 0}, "n must be a whole number of at least 1"),
        ({"k": -1}, "k must be a whole number of at least 1"),
        ({"among": ["tag1"]}, "unknown tag 'tag1'; did you mean"),
        ({"among": "tag_1"}, "among must be a list of tag names"),
        ({"among": 3}, "among must be a list of tag names"),
    ],
)
def test_bad_questions_say_what_is_wrong(explainer, given, message):
    with pytest.raises(ValueError, match=message):
        explainer.suggest_question(**({"user": "user_07"} | given))
