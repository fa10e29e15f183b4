"""What explain returns."""

import json
import re

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD

from sktpecr import TPECRExplainer
from sktpecr.datasets import make_tagged_interactions

DATA = make_tagged_interactions(n_users=60, n_items=80, n_tags=12, random_state=0)
TAGS = DATA.item_tags.rename(columns={"tag_01": "<script>"})
TAGS.iloc[5] = 0
NAMES = [f"Film {i}" for i in range(80)]
EXPLAINER = TPECRExplainer(TruncatedSVD(14, random_state=0), TAGS).fit(
    DATA.interactions, user_ids=DATA.user_ids, item_names=NAMES
)


@pytest.fixture
def explanation():
    return EXPLAINER.explain("user_07", "item_02")


def test_to_frame_has_a_row_per_tag_the_largest_contribution_first(explanation):
    frame = explanation.to_frame()
    assert list(frame.columns) == [
        "tag",
        "on_item",
        "preference",
        "vs_population",
        "vs_own_average",
        "importance",
        "contribution",
    ]
    assert frame["contribution"].abs().is_monotonic_decreasing
    by_tag = frame.set_index("tag").loc[list(TAGS.columns)]
    np.testing.assert_array_equal(by_tag["on_item"], TAGS.iloc[2] > 0)
    np.testing.assert_array_equal(by_tag["contribution"], explanation.contributions)
    np.testing.assert_allclose(
        by_tag["contribution"], by_tag["importance"] * by_tag["vs_population"]
    )


def test_text_leads_with_the_items_own_tags_and_its_numbers_add_up(explanation):
    text = explanation.to_text()
    own = explanation.to_frame().query("on_item")["tag"].iloc[0]
    assert "Film 2" in text.split(". ")[0]
    assert own in text.split(". Of the tags that it does not carry")[0]
    assert f"lead by {explanation.contributions.sum():+.2g}" in text
    assert f"no tag sees by {explanation.residual:+.2g} to {explanation.value:.3g}." in text


def test_text_says_every_tag_in_the_direction_of_its_contribution():
    kinds = set()
    for item in DATA.item_ids[:40]:
        explanation = EXPLAINER.explain("user_07", item)
        frame = explanation.to_frame().set_index("tag")
        for sentence in explanation.to_text().split(". ")[:-1]:
            for place, clause in enumerate(sentence.split(", despite ")):
                against = place == 1 or "against it" in clause
                for tag in re.findall(r"(\S+), liked", clause):
                    kinds.add((against, "carry" in clause))
                    assert (frame["contribution"][tag] < 0) == against
                    more = f"{tag}, liked more than average" in clause
                    assert more == (frame["vs_population"][tag] > 0)
    assert len(kinds) == 4  # for and against, on the item and not, were all seen


def test_text_of_an_item_without_tags_says_so():
    text = EXPLAINER.explain("user_07", "item_05").to_text()
    assert text.startswith("Film 5 has no tags, so none of its own can explain it.")


def test_prints_the_method_first(explanation):
    lines = str(explanation).splitlines()
    assert lines[0].split(maxsplit=1) == [
        "method",
        "GaussianGenerator, exact attribution, score per standard deviation of the tag preference",
    ]
    assert "... 2 more tags" in str(explanation)
    assert lines[-2:] == [explanation.to_text(), str(explanation.certificate)]
    assert repr(explanation).startswith("Explanation(user='user_07', item='item_02', score=")


def test_to_dict_is_plain_and_complete(explanation):
    plain = json.loads(json.dumps(explanation.to_dict()))
    assert plain["contributions"] == explanation.contributions.tolist()
    assert plain["tag_names"][1] == "<script>"
    total = plain["base_value"] + sum(plain["contributions"]) + plain["residual"]
    assert total == pytest.approx(plain["score"], rel=1e-6)
    public = {name for name in vars(explanation) if not name.startswith("_")}
    assert set(plain) == public | {"certificate"}


def test_to_dict_takes_numpy_ids_out():
    by_number = TPECRExplainer(TruncatedSVD(4, random_state=0), TAGS.to_numpy())
    plain = by_number.fit(DATA.interactions).explain(np.int64(3), np.int32(2)).to_dict()
    assert json.loads(json.dumps(plain))["item"] == 2


def test_html_is_escaped(explanation):
    page = explanation._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert page.count("<tr") == 13


def test_plot_leads_from_the_average_user_to_this_one(explanation):
    ax = explanation.plot(n_tags=4)
    widths = [bar.get_width() for bar in ax.patches]
    assert len(widths) == 6  # four tags, the other eight, the residual
    assert sum(widths) == pytest.approx(explanation.value - explanation.base_value, rel=1e-6)
    assert ax.patches[0].get_x() == pytest.approx(explanation.base_value)
    last = ax.patches[-1]
    assert last.get_x() + last.get_width() == pytest.approx(explanation.value)
