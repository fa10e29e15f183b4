"""Why one item rather than another: the difference of two explanations."""

import dataclasses
import json
import re

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD

from sktpecr import TPECRExplainer
from sktpecr.attribution import ExactAttribution, LimeAttribution
from sktpecr.datasets import make_tagged_interactions

DATA = make_tagged_interactions(60, 80, 12, density=0.3, random_state=0)
TAGS = DATA.item_tags.rename(columns={"tag_01": "<script>"})
NAMES = [f"Film {i}" for i in range(80)]
ATTRIBUTIONS = {
    "account": None,
    "exact": ExactAttribution(),
    "rank": LimeAttribution(n_samples=300, random_state=0),
    "score": LimeAttribution(target="score", n_samples=300, random_state=0),
}


def fitted(attribution, **given):
    return TPECRExplainer(
        TruncatedSVD(14, random_state=0), TAGS, attribution=attribution, **given
    ).fit(DATA.interactions, user_ids=DATA.user_ids, item_names=NAMES)


EXPLAINERS = {name: fitted(attribution) for name, attribution in ATTRIBUTIONS.items()}


@pytest.fixture
def contrast():
    return EXPLAINERS["exact"].contrast("user_07", "item_02", "item_31")


@pytest.mark.parametrize("name", ATTRIBUTIONS)
def test_is_the_difference_of_two_explanations(name):
    """Also where perturbations are drawn: both items are judged by the same draws."""
    explainer = EXPLAINERS[name]
    for user in ("user_07", "user_12"):
        first, second = (explainer.explain(user, item) for item in ("item_02", "item_31"))
        contrast = explainer.contrast(user, "item_02", "item_31")
        for field in ("importances", "contributions", "base_value", "residual", "value", "score"):
            expected = getattr(first, field) - getattr(second, field)
            np.testing.assert_allclose(getattr(contrast, field), expected, rtol=1e-6, atol=1e-6)
        np.testing.assert_array_equal(contrast.vs_population, first.vs_population)
        np.testing.assert_array_equal(contrast.on_item, first.item_tags > 0)
        np.testing.assert_array_equal(contrast.on_other, second.item_tags > 0)
        assert contrast.fidelity == pytest.approx(min(first.fidelity, second.fidelity))
        assert contrast.unit == first.unit


@pytest.mark.parametrize("name", ATTRIBUTIONS)
def test_parts_add_up(name):
    for item in DATA.item_ids[10:20]:
        contrast = EXPLAINERS[name].contrast("user_07", item, "item_02")
        parts = contrast.base_value + contrast.contributions.sum() + contrast.residual
        assert parts == pytest.approx(contrast.value, abs=1e-12)


def test_items_swapped_turn_every_sign():
    explainer = EXPLAINERS["exact"]
    there = explainer.contrast("user_07", "item_02", "item_31")
    back = explainer.contrast("user_07", "item_31", "item_02")
    np.testing.assert_array_equal(there.contributions, -back.contributions)
    assert there.score == -back.score
    assert (there.item, there.other_name) == (back.other, back.item_name)


def test_where_tags_see_everything_no_residual_is_left():
    rng = np.random.RandomState(0)
    users, items = rng.normal(size=(40, 3)), rng.normal(size=(5, 3))
    exact = ExactAttribution()
    # Every item is its own tag: more tags than factors.
    explainer = TPECRExplainer((users, items), attribution=exact)
    contrast = explainer.contrast(2, 1, 4)
    assert contrast.value == pytest.approx(users[2] @ (items[1] - items[4]))
    assert contrast.base_value == pytest.approx(users.mean(axis=0) @ (items[1] - items[4]))
    assert contrast.residual == pytest.approx(0, abs=1e-6)


def test_to_frame_has_a_row_per_tag_the_largest_contribution_first(contrast):
    frame = contrast.to_frame()
    assert list(frame.columns) == [
        "tag",
        "on_item",
        "on_other",
        "vs_population",
        "importance",
        "contribution",
    ]
    assert frame["contribution"].abs().is_monotonic_decreasing
    by_tag = frame.set_index("tag").loc[list(TAGS.columns)]
    np.testing.assert_array_equal(by_tag["contribution"], contrast.contributions)
    np.testing.assert_array_equal(by_tag["on_other"], TAGS.iloc[31] > 0)


def test_without_a_tag_it_still_adds_up_and_names_it_nowhere(contrast):
    gone = contrast.to_frame()["tag"][0]
    fewer = contrast.without([gone])
    assert gone not in fewer.to_frame()["tag"].tolist()
    assert gone not in fewer.to_text()
    total = fewer.base_value + fewer.contributions.sum() + fewer.residual
    np.testing.assert_allclose(total, contrast.value, atol=1e-9)
    assert len(fewer.to_frame()) == len(contrast.to_frame()) - 1


def test_text_says_what_is_liked_of_the_one_and_not_of_the_other():
    kinds = set()
    for user in DATA.user_ids[:10]:
        for item in DATA.item_ids[:12]:
            contrast = EXPLAINERS["account"].contrast(user, item, "item_31")
            frame = contrast.to_frame().set_index("tag")
            likings = dict(zip(contrast.tag_names, contrast.likings, strict=True))
            upper, lower = contrast.item_name, contrast.other_name
            on_upper, on_lower = frame["on_item"], frame["on_other"]
            if contrast.score < 0:
                upper, lower, on_upper, on_lower = lower, upper, on_lower, on_upper
            text = contrast.to_text()
            found = re.match(
                rf"{upper} ranks above {lower} because you like (.*?) (?:a bit|mo|mu)", text
            )
            for tag in re.split(", | and ", found[1]) if found else ():
                kinds.add("liked")
                assert on_upper[tag]
                assert likings[tag] >= 0.25
            found = re.search(rf"{lower} has (.*), which you like less than most people", text)
            for tag in re.split(", | and ", found[1]) if found else ():
                kinds.add("disliked")
                assert on_lower[tag]
                assert likings[tag] <= -0.25
            if "no tag explains why" in text:
                kinds.add("little")
                assert text == f"{upper} ranks above {lower}; no tag explains why."
    assert kinds == {"liked", "disliked", "little"}


def test_tags_that_explain_no_more_than_chance_are_no_reason_here_either():
    account = EXPLAINERS["account"].tag_model_.account
    speaks = dict(zip(NAMES, account.says_more_than_chance(np.arange(80)), strict=True))
    kinds = set()
    for user in DATA.user_ids[:10]:
        for item in DATA.item_ids[:20]:
            text = EXPLAINERS["account"].contrast(user, item, "item_31").to_text()
            for found in re.findall(r"(Film \d+) (?:ranks above Film \d+ because|has)", text):
                kinds.add(found)
                assert speaks[found]
    assert len(kinds) > 5
    assert not all(speaks.values())


def test_details_add_up(contrast):
    summary = contrast.to_text(details=True).splitlines()[1]
    assert summary.startswith(
        f"Difference {contrast.value:+.3g}: {contrast.base_value:+.3g} before"
    )
    assert f"{contrast.contributions.sum():+.2g} for tags" in summary


def test_level_items_are_said_to_be_level(contrast):
    level = dataclasses.replace(contrast, score=0.0, contributions=np.zeros(12))
    assert level.to_text() == "Film 2 and Film 31 have the same score."


def test_prints_whom_it_explains_first(contrast):
    lines = str(contrast).splitlines()
    assert lines[0] == "user        user_07"
    assert "exact attribution, score per standard deviation of the tag preference" in lines[3]
    assert "... 2 more tags" in str(contrast)
    assert "\n".join(lines[-2:]) == contrast.to_text(details=True)
    assert repr(contrast).startswith(
        "Contrast(user='user_07', item='item_02', other='item_31', score="
    )


def test_without_user_ids_a_row_is_called_one(contrast):
    by_row = dataclasses.replace(contrast, user=7, _is_row=True)
    assert str(by_row).startswith("user        row 7 (no user ids given)")
    assert repr(by_row).startswith("Contrast(user=row 7 (no user ids given), item=")


def test_as_json_it_has_every_field(contrast):
    read = json.loads(json.dumps(contrast.to_dict(), allow_nan=False))
    public = {each.name for each in dataclasses.fields(contrast) if each.name[0] != "_"}
    assert read.keys() == public
    assert (read["item"], read["other"], read["score"]) == ("item_02", "item_31", contrast.score)
    assert read["contributions"] == contrast.contributions.tolist()
    assert read["on_item"] == contrast.on_item.tolist()


def test_html_is_escaped(contrast):
    page = contrast._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert page.count("<tr") == 13


@pytest.mark.parametrize(
    ("user", "item", "other", "message"),
    [
        ("user_7", "item_02", "item_31", "unknown user 'user_7'; known are"),
        ("user_07", "item_2", "item_31", "unknown item 'item_2'; did you mean"),
        ("user_07", "item_02", "item_1", "unknown item 'item_1'; did you mean"),
        ("user_07", "item_02", "item_02", "item and other must be two items, got 'item_02' twice"),
    ],
)
def test_bad_questions_say_what_is_wrong(user, item, other, message):
    with pytest.raises(ValueError, match=message):
        EXPLAINERS["exact"].contrast(user, item, other)


def test_users_without_history_say_so_as_in_explain():
    X = DATA.interactions.tolil()
    X[4] = 0
    explainer = TPECRExplainer(TruncatedSVD(4, random_state=0), TAGS).fit(X.tocsr())
    with pytest.raises(ValueError, match="user 4 has no interactions") as contrasted:
        explainer.contrast(4, "item_02", "item_31")
    with pytest.raises(ValueError, match="user 4 has no interactions") as explained:
        explainer.explain(4, "item_02")
    assert str(contrasted.value) == str(explained.value)
