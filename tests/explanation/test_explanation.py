"""What explain returns."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD

from sktpecr import FeedbackRefiner, TPECRExplainer
from sktpecr.attribution import LimeAttribution
from sktpecr.datasets import make_tagged_interactions

DATA = make_tagged_interactions(60, 80, 12, density=0.3, random_state=0)
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
        "liking",
        "importance",
        "contribution",
    ]
    assert frame["contribution"].abs().is_monotonic_decreasing
    by_tag = frame.set_index("tag").loc[list(TAGS.columns)]
    np.testing.assert_array_equal(by_tag["on_item"], TAGS.iloc[2] > 0)
    np.testing.assert_array_equal(by_tag["contribution"], explanation.contributions)
    np.testing.assert_allclose(by_tag["contribution"], by_tag["importance"] * by_tag["liking"])
    assert (by_tag["contribution"][~by_tag["on_item"]] == 0).all()


def test_details_add_up_to_the_score(explanation):
    text, summary, certificate = explanation.to_text(details=True).splitlines()
    assert text == explanation.to_text()
    assert certificate == str(explanation.certificate)
    base = explanation.base_value - explanation.activity
    assert summary.startswith(f"Score {explanation.value:.3g}: {base:.3g} from the average user, ")
    assert f"{explanation.activity:+.2g} because all your scores are" in summary
    assert f"{explanation.contributions.sum():+.2g} for its tags" in summary
    assert summary.endswith(f"{explanation.residual:+.2g} not explained by tags.")


def test_reasons_are_own_tags_in_the_direction_of_the_liking():
    kinds = set()
    for user in DATA.user_ids[:20]:
        for item in DATA.item_ids[:40]:
            explanation = EXPLAINER.explain(user, item)
            frame = explanation.to_frame().set_index("tag")
            text = explanation.to_text()
            for reason in explanation.reasons:
                assert frame["on_item"][list(reason.tags)].all()
                assert (frame["contribution"][reason.tag] > 0) == reason.speaks_for
                assert (frame["liking"][reason.tag] > 0) == reason.speaks_for
                assert abs(reason.liking) >= 0.25
                kinds.add(reason.speaks_for)
            speaking = [reason for reason in explanation.reasons if reason.speaks_for]
            # What only the model believes is left unsaid where the history shows something.
            shown = [reason for reason in speaking if reason.evidence] or speaking
            for reason in shown[:2]:
                assert str(reason.tag) in text
            assert ("Because" in text) == any(each.speaks_for for each in explanation.reasons)
            assert explanation.reasons == EXPLAINER.reasons(user, item)
            assert len(EXPLAINER.reasons(user, item, k=1)) <= 1
    assert kinds == {True, False}


def test_evidence_is_what_the_user_took_and_carries_the_tag():
    found = 0
    for user in range(20):
        taken = {f"item_{column:02}" for column in DATA.interactions[user].indices}
        for item in DATA.item_ids[:40]:
            for reason in EXPLAINER.explain(DATA.user_ids[user], item).reasons:
                for other in reason.evidence:
                    assert other in taken - {item}
                    assert TAGS.loc[other, list(reason.tags)].any()
                    found += 1
    assert found > 50


def test_evidence_of_a_score_adds_up_over_items_and_tags(explanation):
    table = explanation.evidence
    taken = [f"item_{column:02}" for column in sorted(DATA.interactions[7].indices)]
    assert sorted(table.index[:-1]) == taken
    own = list(table.columns[:-1])
    by_tag = dict(zip(explanation.tag_names, explanation.contributions, strict=True))
    np.testing.assert_allclose(table[own].sum(), [by_tag[tag] for tag in own], atol=1e-6)
    average = explanation.base_value - explanation.activity
    assert table.to_numpy().sum() == pytest.approx(explanation.score - average, abs=1e-6)


def test_evidence_that_does_not_add_up_says_so():
    refined = FeedbackRefiner(EXPLAINER).refine("user_07", like="tag_02").explain("item_02")
    for told in (refined, EXPLAINER.explain(item="item_02", interactions=["item_03"])):
        with pytest.raises(ValueError, match="evidence needs a known user"):
            _ = told.evidence


def test_reasons_need_a_number_of_them():
    with pytest.raises(ValueError, match="k must be a whole number of at least 1, got 0"):
        EXPLAINER.reasons("user_07", "item_02", k=0)


def test_text_of_an_item_without_tags_says_so():
    text = EXPLAINER.explain("user_07", "item_05").to_text()
    assert text.startswith("It has no tags: ")


def test_hidden_tags_are_no_reasons():
    for item in DATA.item_ids[:40]:
        explanation = EXPLAINER.explain("user_07", item)
        for reason in explanation.reasons[:1]:
            shown = explanation.without(reason.tag)
            assert reason.tag not in [tag for each in shown.reasons for tag in each.tags]
            assert reason.tag not in shown.tag_names
            total = shown.base_value + shown.contributions.sum() + shown.residual
            assert total == pytest.approx(explanation.value)
            assert shown.without(reason.tag).reasons == shown.reasons
    with pytest.raises(ValueError, match="tags must be tags of the explanation, got 'drama'"):
        explanation.without("drama")


def test_prints_whom_it_explains_first(explanation):
    lines = str(explanation).splitlines()
    assert lines[0] == "user        user_07"
    assert lines[2].split(maxsplit=1) == [
        "method",
        "GaussianGenerator, account attribution, score per standard deviation of the taste for the "
        "tag",
    ]
    assert "... 2 more tags" in str(explanation)
    assert "\n".join(lines[-3:]) == explanation.to_text(details=True)
    assert repr(explanation).startswith("Explanation(user='user_07', item='item_02', score=")


def test_to_dict_is_plain_and_complete(explanation):
    plain = json.loads(json.dumps(explanation.to_dict()))
    assert plain["contributions"] == explanation.contributions.tolist()
    assert plain["tag_names"][1] == "<script>"
    total = plain["base_value"] + sum(plain["contributions"]) + plain["residual"]
    assert total == pytest.approx(plain["score"], rel=1e-6)
    public = {name for name in vars(explanation) if not name.startswith("_")}
    assert set(plain) == public | {"certificate", "text", "reasons"}
    assert plain["text"] == explanation.to_text()


def test_to_dict_is_small_where_little_is_asked_for(explanation):
    plain = json.loads(json.dumps(explanation.to_dict(top=2, certificate=False)))
    assert "certificate" not in plain
    assert plain["tag_names"] == explanation.to_frame()["tag"][:2].tolist() or set(
        plain["tag_names"]
    ) == set(explanation.to_frame()["tag"][:2])
    assert plain["text"] == explanation.to_text()
    total = plain["base_value"] + sum(plain["contributions"]) + plain["residual"]
    assert total == pytest.approx(plain["score"], rel=1e-6)


TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}


def fits(value, schema, where="explanation"):
    """Return where a value is not as a JSON schema of these few words says."""
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    fitting = [kind for kind in kinds if isinstance(value, TYPES[kind])]
    if not fitting or (isinstance(value, bool) and "boolean" not in kinds):
        return [where]
    wrong = []
    if isinstance(value, dict):
        wrong += [f"{where}: no {name}" for name in schema["required"] if name not in value]
        for name, each in value.items():
            known = schema["properties"].get(name)
            wrong += fits(each, known, f"{where}.{name}") if known else [f"{where}.{name} is new"]
    if isinstance(value, list) and "items" in schema:
        wrong += [each for one in value for each in fits(one, schema["items"], f"{where}[]")]
    return wrong


def test_to_dict_is_as_the_schema_in_the_docs_says(explanation):
    path = Path(__file__).parents[2] / "docs" / "explanation.schema.json"
    schema = json.loads(path.read_text(encoding="utf-8"))
    sampled = TPECRExplainer(
        TruncatedSVD(8, random_state=0),
        DATA.item_tags,
        attribution=LimeAttribution(n_samples=50, random_state=0),
    ).fit(DATA.interactions)
    for told in (explanation, sampled.explain(0, DATA.item_ids[3])):
        whole = json.loads(json.dumps(told.to_dict()))
        assert fits(whole, schema) == []
        assert set(whole) == set(schema["properties"])
        assert fits(json.loads(json.dumps(told.to_dict(top=2, certificate=False))), schema) == []
    whole["score"], whole["more"] = "0.3", 1
    del whole["reasons"]
    assert fits(whole, schema) == [
        "explanation: no reasons",
        "explanation.score",
        "explanation.more is new",
    ]


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
    ax = explanation.plot(n_tags=1)
    ways = [(arrow.get_xy()[0, 0], arrow.get_xy()[2, 0]) for arrow in ax.patches]
    widths = [end - start for start, end in ways]
    n_own = int((explanation.item_tags > 0).sum())
    assert len(widths) == 3 + (n_own > 1)  # the level, one tag, its other own tags, the residual
    average = explanation.base_value - explanation.activity
    assert sum(widths) == pytest.approx(explanation.value - average, rel=1e-6)
    assert ways[0][0] == pytest.approx(average)
    assert ways[-1][1] == pytest.approx(explanation.value)


def test_says_that_the_user_is_a_row_where_no_ids_were_given(data):
    explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    by_row = explainer.fit(data.interactions).explain(42, data.item_ids[0])
    assert str(by_row).splitlines()[0] == "user        row 42 (no user ids given)"
    assert repr(by_row).startswith("Explanation(user=row 42 (no user ids given), item=")
    assert by_row.user == 42
    assert repr(explainer).endswith("fitted on 60 rows (no user ids given)")
    assert explainer.contrast(42, *data.item_ids[:2])._is_row
    explainer.fit(data.interactions, user_ids=range(1, 61))
    assert "no user ids given" not in repr(explainer)
    by_id = explainer.explain(42, data.item_ids[0])
    assert str(by_id).splitlines()[0] == "user        42"
    assert repr(by_id).startswith("Explanation(user=42, item=")
    new = explainer.fit(data.interactions).explain(tags={}, item=data.item_ids[0])
    assert str(new).splitlines()[0] == "user        a new user"


def test_popular_is_what_most_took():
    takers = np.asarray(DATA.interactions.sum(axis=0)).ravel()
    said = set()
    for column, item in enumerate(DATA.item_ids):
        told = EXPLAINER.explain("user_07", item)._told
        is_popular = bool(np.mean(takers < takers[column]) >= 0.75)
        if not any(reason.speaks_for for reason in told.reasons):
            assert told.is_popular == is_popular
            said.add(is_popular)
    assert said == {True, False}
