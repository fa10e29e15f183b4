"""Words: templates that can be replaced, translated, and not misused."""

import re
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD

from sktpecr import ENGLISH, Conversation, TPECRExplainer
from sktpecr.datasets import make_tagged_interactions
from sktpecr.explanation._words import complete_words, joined

GERMAN = {
    "links": "Das Modell verbindet {item} mit {tags}.",
    "links_despite": "Das Modell verbindet {item} mit {tags}, trotz {against}.",
    "against": "Gegen {item} spricht: {against}.",
    "little": "Die Schlagworte von {item} sagen wenig über die Bewertung.",
    "no_tags": "{item} hat keine Schlagworte.",
    "no_tags_shown": "{item} hat keine Schlagworte, die gezeigt werden dürfen.",
    "one_more": "Ein weiteres Schlagwort spielt mit.",
    "more": "{n} weitere Schlagworte spielen mit.",
    "other_for_one": "Von anderen spricht {tags} dafür.",
    "other_for": "Von anderen sprechen {tags} dafür.",
    "other_against_one": "Von anderen spricht {tags} dagegen.",
    "other_against": "Von anderen sprechen {tags} dagegen.",
    "sum": "Von {base} führen Schlagworte um {tags}, anderes um {residual} zu {value}.",
    "sum_shown": "Von {base} führen Gezeigte um {tags}, anderes um {residual} zu {value}.",
    "by_tags": "{item} kannte das Modell nicht: die Bewertung folgt den Schlagworten.",
    "liked_more": "{tag}, überdurchschnittlich gemocht ({contribution})",
    "liked_less": "{tag}, unterdurchschnittlich gemocht ({contribution})",
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
DATA = make_tagged_interactions(n_users=60, n_items=90, n_tags=7, random_state=0)
EXPLAINER = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags).fit(DATA.interactions)


def test_a_translation_leaves_no_english_and_the_same_numbers():
    assert GERMAN.keys() == ENGLISH.keys()
    english = re.compile(r"\b(the|tags?|liked|average|and|model|of)\b", re.IGNORECASE)
    for user in range(12):
        for item in DATA.item_ids[:6]:
            explanation = EXPLAINER.explain(user, item)
            for one in (explanation, explanation.without(["tag_0", "tag_1"])):
                said = one.to_text(GERMAN)
                assert not english.search(re.sub(r"tag_\d", "", said)), said
                numbers = r"[+-]?\d+(?:\.\d+)?(?:e[+-]\d+)?"
                plain = re.sub(r"(tag|item)_\d+", "", one.to_text())
                assert re.findall(numbers, re.sub(r"(tag|item)_\d+", "", said)) == re.findall(
                    numbers, plain
                )


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


def test_every_sentence_is_said_somewhere():
    marked = {name: f"<{name}>{template}" for name, template in ENGLISH.items()}
    said = {name for turn in talk() for name in re.findall(r"<(\w+)>", turn.to_text(marked))}
    for user, item in product(range(60), DATA.item_ids[:30]):
        if said == ENGLISH.keys():
            break
        explanation = EXPLAINER.explain(user, item)
        bare = replace(explanation, item_tags=np.zeros(7))
        full = replace(explanation, item_tags=np.ones(7))
        flat = replace(explanation, contributions=np.zeros(7))
        hidden = replace(explanation.without(["tag_0"]), item_tags=np.zeros(6))
        new = replace(explanation, scored_by_tags=True)
        for one in (explanation, bare, full, flat, hidden, new):
            said |= set(re.findall(r"<(\w+)>", one.to_text(marked)))
    assert said == ENGLISH.keys()


def test_braces_in_titles_are_no_templates():
    explanation = replace(EXPLAINER.explain(3, DATA.item_ids[0]), item_name="{item} {0} %s")
    assert "{item} {0} %s" in explanation.to_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"link": "x"}, "did you mean 'links'"),
        ({"nonsense": "x"}, "no sentence named 'nonsense'"),
        ({"links": "{film}"}, r"may hold \{item\}, \{tags\}, got \{film\}"),
        ({"links": "{item.__class__}"}, r"got \{item.__class__\}"),
        ({"links": "{item:>999999999}"}, "may hold"),
        ({"links": "{item!r}"}, "may hold"),
        ({"links": "{item"}, "must be templates"),
        ({"links": None}, "must be templates"),
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
