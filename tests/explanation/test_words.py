"""Words: templates that can be replaced, translated, and not misused."""

import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD

from sktpecr import ENGLISH, Conversation, TPECRExplainer
from sktpecr.datasets import make_tagged_interactions
from sktpecr.explanation import Reason
from sktpecr.explanation._reasons import Told
from sktpecr.explanation._words import complete_words, joined

GERMAN = {
    "for": "Weil du {tags} {much} magst ({evidence}).",
    "for_despite": "Weil du {tags} {much} magst ({evidence}), trotz {against}, das du weniger "
    "magst.",
    "belief": "Weil du wohl {tags} {much} magst.",
    "belief_despite": "Weil du wohl {tags} {much} magst, trotz {against}, das du weniger magst.",
    "much_more": "viel lieber als die meisten",
    "more": "lieber als die meisten",
    "a_bit_more": "etwas lieber als die meisten",
    "no_reason": "Kein Schlagwort ist der Grund.",
    "no_reason_nearest": "Kein Schlagwort ist der Grund: wer {items} mag, mag auch das.",
    "no_reason_popular": "Kein Schlagwort ist der Grund: alle mögen es.",
    "despite": "Du magst {against} weniger, und kein Schlagwort spricht dafür.",
    "despite_nearest": "Du magst {against} weniger, aber wer {items} mag, mag auch das.",
    "despite_popular": "Du magst {against} weniger, aber alle mögen es.",
    "no_tags": "Es hat keine Schlagworte.",
    "no_tags_nearest": "Es hat keine Schlagworte: wer {items} mag, mag auch das.",
    "no_tags_popular": "Es hat keine Schlagworte: alle mögen es.",
    "no_tags_shown": "Es hat keine Schlagworte, die gezeigt werden dürfen.",
    "no_tags_shown_nearest": "Es hat keine, die gezeigt werden dürfen: wer {items} mag, mag es.",
    "no_tags_shown_popular": "Es hat keine, die gezeigt werden dürfen: alle mögen es.",
    "by_tags": "Es ist neu: nur seine Schlagworte sind bekannt.",
    "sum": "Wert {value}: {base} im Mittel, {tags} durch Schlagworte, {residual} durch anderes.",
    "sum_shown": "Wert {value}: {base} im Mittel, {tags} durch Gezeigte, {residual} sonst.",
    "sum_level": "Wert {value}: {base} im Mittel, {activity}, da deine Werte {level} sind, {tags} "
    "durch Schlagworte, {residual} durch anderes.",
    "sum_level_shown": "Wert {value}: {base} im Mittel, {activity}, da deine Werte {level} sind, "
    "{tags} durch Gezeigte, {residual} sonst.",
    "higher": "höher",
    "lower": "tiefer",
    "contrast_for": "{item} steht vor {other}, weil du {tags} {much} magst.",
    "contrast_despite": "{other} hat {tags}, was du weniger magst.",
    "contrast_little": "{item} steht vor {other}; kein Schlagwort sagt, warum.",
    "contrast_level": "{item} steht bei {other}.",
    "comma": "{first}, {rest}",
    "and": "{first} und {last}",
    "said_more": "mehr {tag}",
    "said_less": "weniger {tag}",
    "said_strength": "{said} (Stärke {strength})",
    "said_set": "{tag} auf {value}",
    "said_reject": "ohne {item}",
    "said_hide": "{tag} verborgen",
    "said_nothing": "nichts",
    "turn": "Gesagt: {said}.",
    "turn_tag": "Für das Modell rückt {tag} um {delivered} der {asked} erbetenen "
    "Standardabweichungen.",
    "turn_enters_one": "Neu kommt {items}.",
    "turn_enters": "Neu kommen {items}.",
    "turn_leaves_one": "Es geht {items}.",
    "turn_leaves": "Es gehen {items}.",
    "turn_rank": "{item} (Platz {before}, nun {after})",
    "turn_no_rank": "keiner",
    "turn_kept": "{kept} der Liste bleiben.",
    "turn_other": "Sonst rückt {tag} am weitesten, um {delivered} Standardabweichungen.",
}
DATA = make_tagged_interactions(60, 90, 7, density=0.3, random_state=0)
EXPLAINER = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags).fit(DATA.interactions)


def test_a_translation_leaves_no_english_and_the_same_numbers():
    assert GERMAN.keys() == ENGLISH.keys()
    english = re.compile(r"\b(the|tags?|like|than|most|average|and|of)\b", re.IGNORECASE)
    for user in range(12):
        for item in DATA.item_ids[:6]:
            explanation = EXPLAINER.explain(user, item)
            contrast = EXPLAINER.contrast(user, item, DATA.item_ids[7])
            for one in (explanation, explanation.without(["tag_0", "tag_1"]), contrast):
                # The certificate is for auditors, and is not translated.
                said = "\n".join(one.to_text(GERMAN, details=True).splitlines()[:2])
                plain = "\n".join(one.to_text(details=True).splitlines()[:2])
                assert not english.search(re.sub(r"(tag|item)_\d+", "", said)), said
                numbers = r"[+-]?\d+(?:\.\d+)?(?:e[+-]\d+)?"
                bare = [re.sub(r"(tag|item)_\d+", "", text) for text in (said, plain)]
                assert re.findall(numbers, bare[0]) == re.findall(numbers, bare[1])


def talk():
    """Return turns of every kind."""
    conversation = Conversation(EXPLAINER, user=3, n=5)
    return [
        conversation.like({"tag_1": 2.0, "tag_2": 1.0}),
        conversation.dislike("tag_3"),
        conversation.set({"tag_4": 1.5}),
        conversation.like({"tag_1": 0.0}),
        conversation.reject(conversation.recommend(1)["item"].iloc[0]),
        conversation.hide("tag_5"),
    ]


def test_turns_in_german():
    english = re.compile(r"\b(the|tags?|said|list|rank|more|less|and|model|of|by|at)\b", re.I)
    for turn in talk():
        german = turn.to_text(GERMAN)
        assert not english.search(re.sub(r"(tag|item)_\d+", "", german)), german
        numbers = r"[+-]?\d+(?:\.\d+)?"
        bare = [re.sub(r"(tag|item)_\d+", "", text) for text in (german, turn.to_text())]
        assert re.findall(numbers, bare[0]) == re.findall(numbers, bare[1])
        assert turn.to_text().split() == str(turn).split()


def test_turns_say_what_their_tables_say():
    turn = talk()[0]
    said = turn.to_text()
    assert said.startswith("Said: more tag_1 (strength 2), more tag_2. In the model's view tag_1 ")
    for _, row in turn.items.iterrows():
        assert (str(row["name"]) in said) == (row["change"] != "stays")
    asked = turn.tags.set_index("tag").loc["tag_1"]
    assert f"{asked['delivered']:+.2f} of the {asked['asked']:+.2f} standard" in said
    assert f"{turn.kept:.0%}".replace("%", " %") + " of the list stays." in said


def test_an_item_is_rejected_by_its_name():
    names = [f"Film <{number}> {{item}}" for number in range(90)]
    named = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags)
    named = named.fit(DATA.interactions, item_names=names)
    talk = Conversation(named, user=3)
    first = talk.recommend(1).iloc[0]
    turn = talk.reject(first["item"])
    assert turn.to_text().startswith(f"Said: not {first['name']}. ")
    assert f"{first['name']} (rank 1, now none) leaves the list." in turn.to_text()


def test_one_item_is_no_plural():
    turns = talk()
    texts = [turn.to_text() for turn in turns]
    for turn, text in zip(turns, texts, strict=True):
        n = (turn.items["change"] == "enters").sum()
        assert (" enters the list." in text) == (n == 1)
        assert (" enter the list." in text) == (n > 1)
    assert any(" enters the list." in text for text in texts)
    assert any(" enter the list." in text for text in texts)


def told(reasons=(), nearest=(), is_popular=False):
    """Return what finds these reasons for any explanation."""
    return lambda hidden: Told(tuple(reasons), {"item_1": "Heat"}, tuple(nearest), is_popular)


def reason(liking=1.5, evidence=("item_1",)):
    return Reason("tag_1", ("tag_1",), liking, liking, liking > 0, evidence)


def test_every_sentence_is_said_somewhere():
    marked = {name: f"<{name}>{template}" for name, template in ENGLISH.items()}
    said = {name for turn in talk() for name in re.findall(r"<(\w+)>", turn.to_text(marked))}
    explanation = EXPLAINER.explain(3, DATA.item_ids[0])
    against, belief = reason(-1.0), reason(evidence=())
    finds = [
        told(reasons, nearest, is_popular)
        for reasons in (
            [reason()],
            [reason(), against],
            [belief],
            [belief, against],
            [against],
            [],
            [reason(0.6)],
            [reason(0.3)],
        )
        for nearest, is_popular in ((("Heat", "Ran"), False), ((), True), ((), False))
    ]
    level = explanation.base_value
    for tell in finds:
        one = replace(explanation, _tell=tell)
        bare = replace(one, item_tags=np.zeros(7))
        for each in (
            one,
            bare,
            replace(bare, n_hidden=1),
            replace(one, activity=0.0),
            replace(one, activity=level, n_hidden=1),
            replace(one, activity=-abs(level)),
            replace(one, activity=0.0, n_hidden=1),
            replace(one, scored_by_tags=True),
        ):
            said |= set(re.findall(r"<(\w+)>", each.to_text(marked, details=True)))
    for user in range(60):
        for item in DATA.item_ids[:12]:
            contrast = EXPLAINER.contrast(user, item, DATA.item_ids[20])
            said |= set(re.findall(r"<(\w+)>", contrast.to_text(marked)))
    level_one = replace(contrast, score=0.0, contributions=np.zeros(7))
    said |= set(re.findall(r"<(\w+)>", level_one.to_text(marked)))
    assert said == ENGLISH.keys()


@pytest.mark.parametrize(
    ("reasons", "expected"),
    [
        ([reason()], "Because you like tag_1 much more than most people (Heat)."),
        ([reason(0.3)], "Because you like tag_1 a bit more than most people (Heat)."),
        (
            [reason(0.7, ()), reason(-1.0, ())],
            "Because you seem to like tag_1 more than most people, despite tag_1, which you like "
            "less than most people.",
        ),
        ([reason(-1.0)], "You like tag_1 less than most people, and no tag speaks for it."),
        ([], "No tag is the reason here."),
    ],
)
def test_sentences(reasons, expected):
    explanation = replace(EXPLAINER.explain(3, DATA.item_ids[0]), _tell=told(reasons))
    assert explanation.to_text() == expected


def test_braces_in_titles_are_no_templates():
    title = "{item} {0} %s"
    finds = told([reason()])
    named = replace(
        EXPLAINER.explain(3, DATA.item_ids[0]),
        _tell=lambda hidden: finds(hidden)._replace(names={"item_1": title}),
    )
    assert title in named.to_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"for_despit": "x"}, "did you mean 'for_despite'"),
        ({"nonsense": "x"}, "no sentence named 'nonsense'"),
        ({"for": "{film}"}, r"may hold \{evidence\}, \{much\}, \{tags\}, got \{film\}"),
        ({"for": "{tags.__class__}"}, r"got \{tags.__class__\}"),
        ({"for": "{tags:>999999999}"}, "may hold"),
        ({"for": "{tags!r}"}, "may hold"),
        ({"for": "{tags"}, "must be templates"),
        ({"for": None}, "must be templates"),
    ],
)
def test_what_is_wrong_is_named(words, message):
    with pytest.raises(ValueError, match=message):
        complete_words(words)


@pytest.mark.parametrize(
    ("phrases", "expected"),
    [([], ""), (["a"], "a"), (["a", "b"], "a and b"), (list("abcd"), "a, b, c and d")],
)
def test_phrases_are_joined(phrases, expected):
    assert joined(phrases) == expected
