"""Words: templates that can be replaced, translated, and not misused."""

import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD

from sktpecr import ENGLISH, Conversation, FeedbackRefiner, TPECRExplainer
from sktpecr.datasets import make_tagged_interactions
from sktpecr.explanation import Reason
from sktpecr.explanation._reasons import Told
from sktpecr.explanation._words import (
    change_in_words,
    complete_words,
    joined,
    listed,
    reasons_in_words,
    spoken,
    without_aside,
)

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
    "asked_more": "Gewünscht: {tags}.",
    "asked_less": "Hat {tags}, wovon du weniger wolltest.",
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
    "contrast_sum": "Abstand {value}: {base} vorab, {tags} durch Schlagworte, {residual} sonst.",
    "comma": "{first}, {rest}",
    "semicolon": "{first}; {rest}",
    "and": "{first} und {last}",
    "said_more": "mehr {tag}",
    "said_less": "weniger {tag}",
    "said_strength": "{said} (Stärke {strength})",
    "said_set": "{tag} auf {value}",
    "said_reject": "ohne {item}",
    "said_hide": "{tag} verborgen",
    "said_a_bit": "ein wenig {said}",
    "said_a_lot": "viel {said}",
    "said_until": "{count} mit {tag}",
    "said_less_than": "weniger {tag} als {item}",
    "said_together": "{tag} mit {other}",
    "said_not_these": "diese {n} nicht",
    "said_forget": "das war nur für jetzt",
    "said_nothing": "nichts",
    "turn": "Gesagt: {said}.",
    "and_more": "{first} und {n} weitere",
    "list_changed": "Neu: {came}. Weg: {left}. Es bleiben {kept} von {n}.",
    "list_came": "Neu: {came}. Es bleiben {kept} von {n}.",
    "list_left": "Weg: {left}. Es bleiben {kept} von {n}.",
    "list_same": "Die ersten {n} bleiben; verlange mehr.",
    "list_kept": "Die ersten {n} bleiben.",
    "met_none": "Mit {tag} war nichts dabei.",
    "met": "Mit {tag} siehst du schon {count}.",
    "short_available": "Mit {tag} siehst du {count} von {available}, die es gibt.",
    "short_kept": "Mit {tag} siehst du {count}: {wanted} würden zu viel verdrängen.",
}
DATA = make_tagged_interactions(60, 90, 7, density=0.3, random_state=0)
EXPLAINER = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags).fit(DATA.interactions)
UNSEEN = np.flatnonzero(DATA.interactions[3].toarray()[0] == 0)
TAGGED_ONCE = TPECRExplainer(
    TruncatedSVD(8, random_state=0), DATA.item_tags.assign(once=np.arange(90) == UNSEEN[-1])
).fit(DATA.interactions)


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
        conversation.like({"tag_1": 2.0, "tag_2": 1.0}, strength=0.001),
        conversation.like("tag_1"),
        conversation.dislike("tag_3", amount="a bit"),
        conversation.like("tag_2", amount="a lot"),
        conversation.set({"tag_4": 1.5}),
        conversation.say(until={"tag_5": 5}, keep=1.0),
        conversation.say(together=("tag_1", "tag_2")),
        conversation.say(less_than={"tag_6": DATA.item_ids[0]}),
        conversation.like({"tag_1": 0.0}),
        conversation.reject(conversation.recommend(1)["item"].iloc[0]),
        conversation.hide("tag_5"),
        conversation.not_these(),
        conversation.forget(),
        Conversation(TAGGED_ONCE, user=3, n=5).dislike("once"),
        Conversation(EXPLAINER, user=4, n=5).say(until={"tag_0": 5}),
        Conversation(TAGGED_ONCE, user=3, n=5).like("once", amount="a lot"),
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
    for turn in talk():
        said, changed = turn.to_text(), 0
        for change in ("enters", "leaves"):
            names = turn.items["name"][turn.items["change"] == change].tolist()
            assert all(name in said for name in names)
            changed += len(names)
        if changed:
            assert f" {round(5 * turn.kept)} of your first 5 stayed." in said
        else:
            assert " of your first 5 stayed." not in said


def test_a_long_change_is_cut_short():
    text = Conversation(EXPLAINER, user=3, n=9).not_these().to_text()
    assert text.count(" and 5 more ") == 2
    assert text.endswith(" left; 0 of your first 9 stayed.")


def test_what_cannot_be_had_is_said():
    turns = talk()
    assert turns[-1].to_text().endswith("Your list has 1 of once; the catalogue has 1.")
    until = next(turn for turn in turns if turn.said.until)
    assert "5 would replace too much of it." in until.to_text()
    assert turns[0].to_text().endswith("No change in your first 5; ask for more.")


def test_an_item_is_rejected_by_its_name():
    names = [f"Film <{number}> {{item}}" for number in range(90)]
    named = TPECRExplainer(TruncatedSVD(8, random_state=0), DATA.item_tags)
    named = named.fit(DATA.interactions, item_names=names)
    talk = Conversation(named, user=3)
    first = talk.recommend(1).iloc[0]
    turn = talk.reject(first["item"])
    assert turn.to_text().startswith(f"Said: not {first['name']}. ")
    assert f"{first['name']} left; 9 of your first 10 stayed." in turn.to_text()


def told(reasons=(), nearest=(), is_popular=False):
    """Return what finds these reasons for any explanation."""
    return lambda hidden: Told(tuple(reasons), {"item_1": "Heat"}, tuple(nearest), is_popular)


def reason(liking=1.5, evidence=("item_1",)):
    return Reason("tag_1", ("tag_1",), liking, liking, liking > 0, evidence)


def test_every_sentence_is_said_somewhere():
    marked = {name: f"<{name}>{template}" for name, template in ENGLISH.items()}
    long = Conversation(EXPLAINER, user=3, n=9).not_these()
    # A list that loses an item for which there is no other, and one that is longer than before.
    few = Conversation(EXPLAINER, interactions=DATA.item_ids[:88].tolist(), n=5)
    shorter = few.reject(few.recommend(1)["item"].iloc[0])
    longer = change_in_words(["a"], [], 1, 1, True, marked)
    titles = listed(["I, Robot", "Ran"], marked, are_titles=True)
    texts = [turn.to_text(marked) for turn in (*talk(), long, shorter)]
    said = set(re.findall(r"<(\w+)>", " ".join([*texts, longer, titles])))
    explanation = EXPLAINER.explain(3, DATA.item_ids[0])
    explanation = replace(explanation, residual=0.5)  # it speaks for the item
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
            replace(one, scored_by_tags=True, asked_more=("tag_1",), asked_less=("tag_2",)),
        ):
            said |= set(re.findall(r"<(\w+)>", each.to_text(marked, details=True)))
    for user in range(60):
        for item in DATA.item_ids[:12]:
            contrast = EXPLAINER.contrast(user, item, DATA.item_ids[20])
            said |= set(re.findall(r"<(\w+)>", contrast.to_text(marked, details=True)))
    level_one = replace(contrast, score=0.0, contributions=np.zeros(7))
    said |= set(re.findall(r"<(\w+)>", level_one.to_text(marked)))
    assert said == ENGLISH.keys()


def test_what_is_near_speaks_only_where_the_rest_of_the_score_does():
    explanation = replace(EXPLAINER.explain(3, DATA.item_ids[0]), _tell=told([], ("Heat", "Ran")))
    high, low = (replace(explanation, residual=residual) for residual in (0.5, -0.5))
    assert high.to_text() == "People who like Heat and Ran like it, too."
    assert low.to_text() == "No tag is the reason here."


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
        ([reason(-1.0)], "No tag speaks for it, and you like tag_1 less than most people."),
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


def test_what_was_asked_for_is_a_reason_while_it_lasts():
    refiner = FeedbackRefiner(EXPLAINER)
    refined = refiner.refine(3, like="tag_1", dislike="tag_2")
    carrying = DATA.item_tags[["tag_1", "tag_2"]] > 0
    for item, (more, less) in zip(DATA.item_ids, carrying.to_numpy(), strict=True):
        text = refined.explain(item).to_text()
        assert text.startswith("You asked for tag_1.") == more
        assert text.endswith("It has tag_2, which you asked for less of.") == less
        assert "asked" not in refined.forget().explain(item).to_text()
        # Said again after it was forgotten, the last word counts.
        turned = refiner.refine(after=refined, like="tag_2").explain(item)
        assert turned.asked_more == tuple(np.array(["tag_1", "tag_2"])[[more, less]])
        assert turned.asked_less == ()
        assert turned.without("tag_2").asked_more == (("tag_1",) if more else ())


def test_what_was_asked_for_is_not_held_against_an_item():
    asked = replace(EXPLAINER.explain(3, DATA.item_ids[0]), asked_more=("tag_1",))
    against = replace(asked, _tell=told([reason(-1.0)], ("Heat", "Ran")), residual=0.5)
    assert against.to_text() == "You asked for tag_1. People who like Heat and Ran like it, too."
    less = replace(against, asked_more=(), asked_less=("tag_1",)).to_text()
    assert less.count("tag_1") == 1
    other = replace(against, asked_more=("tag_2",)).to_text()
    assert "though you like tag_1 less than most people" in other


def test_who_is_described_by_tags_asked_for_them():
    item = DATA.item_ids[int(np.argmax(DATA.item_tags["tag_1"]))]
    text = EXPLAINER.explain(tags={"tag_1": 2.0, "tag_2": -1.0}, item=item).to_text()
    assert text.startswith("You asked for tag_1.")
    assert "you seem to like tag_1" not in text


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("Heat (1995)", "Heat"),
        ("Dune (Dune Chronicles, #1)", "Dune"),
        ("Eragon (Inheritance #1)", "Eragon"),
        ("Birdman (or Ignorance)", "Birdman (or Ignorance)"),
    ],
)
def test_titles_are_said_without_year_and_series(name, title):
    assert without_aside(name) == title


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("heavy-metal", "heavy metal"),
        ("women-s-fiction", "women's fiction"),
        ("children-s", "children's"),
        ("Sci-Fi", "Sci-Fi"),
        ("s-f", "s f"),
    ],
)
def test_tags_are_said_with_spaces_and_apostrophes(tag, text):
    assert spoken(tag) == text


def test_titles_with_commas_have_semicolons_between_them():
    assert listed(["I, Robot", "Ran"], are_titles=True) == "I, Robot; Ran"
    assert listed(["Heat", "Ran"], are_titles=True) == "Heat, Ran"


def test_what_the_history_shows_is_said_before_a_belief():
    reasons = [reason(evidence=()), replace(reason(), tag="shown")]
    text = reasons_in_words(reasons, dict.fromkeys(reasons[1].evidence, "Ran"))
    assert text == "Because you like shown much more than most people (Ran)."
