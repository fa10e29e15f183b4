"""What explanations of one item, of two, and of an edit have in common when put into words."""

from __future__ import annotations

import difflib
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from string import Formatter
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sktpecr.explanation._reason import Reason

# Contributions under this share of the largest one are not worth words.
_WORTH_SAYING = 0.05
# How much somebody likes a tag, and from which liking on: of a normal distribution, three in ten
# and one in ten are above these.
STRENGTHS, STRENGTH_BOUNDS = ("a_bit_more", "more", "much_more"), (0.5, 1.25)
# A sentence for a person names so many tags, and shows so many titles.
_NAMED, _SHOWN = 2, 3
_ASIDE = re.compile(r"\s+\((\d{4}|[^()]*#\d[^()]*)\)$")
# What is left of an apostrophe where a name has only hyphens: "women-s-fiction".
_POSSESSIVE = re.compile(r"(?<=\w)-s(?=-|$)")
# A notebook shows a table of so many tags.
IN_HTML = 50
# Of a list that changed so many names are read.
_READ = 4

#: The sentences of Explanation.to_text and ConversationTurn.to_text, by name;
#: others can take the place of any.
ENGLISH: Mapping[str, str] = MappingProxyType(
    {
        "for": "Because you like {tags} {much} ({evidence}).",
        "for_despite": "Because you like {tags} {much} ({evidence}), despite {against}, "
        "which you like less than most people.",
        "belief": "Because you seem to like {tags} {much}.",
        "belief_despite": "Because you seem to like {tags} {much}, despite {against}, which you "
        "like less than most people.",
        "much_more": "much more than most people",
        "more": "more than most people",
        "a_bit_more": "a bit more than most people",
        "no_reason": "No tag is the reason here.",
        "no_reason_nearest": "People who like {items} like it, too.",
        "no_reason_popular": "Many people like it.",
        "despite": "No tag speaks for it, and you like {against} less than most people.",
        "despite_nearest": "People who like {items} like it, too, though you like {against} less "
        "than most people.",
        "despite_popular": "Many people like it, though you like {against} less than most people.",
        "no_tags": "It has no tags.",
        "no_tags_nearest": "It has no tags: people who like {items} like it, too.",
        "no_tags_popular": "It has no tags: many people like it.",
        "no_tags_shown": "All its tags are hidden.",
        "no_tags_shown_nearest": "All its tags are hidden: people who like {items} like it, too.",
        "no_tags_shown_popular": "All its tags are hidden: many people like it.",
        "asked_more": "You asked for {tags}.",
        "asked_less": "It has {tags}, which you asked for less of.",
        "by_tags": "It is new: only its tags are known.",
        "sum": "Score {value}: {base} at average tag preferences, {tags} for tags, {residual} not "
        "explained by tags.",
        "sum_shown": "Score {value}: {base} at average tag preferences, {tags} for tags, "
        "{residual} not explained by the tags shown.",
        "sum_level": "Score {value}: {base} from the average user, {activity} because all your "
        "scores are {level}, {tags} for its tags, {residual} not explained by tags.",
        "sum_level_shown": "Score {value}: {base} from the average user, {activity} because all "
        "your scores are {level}, {tags} for its tags, {residual} not explained by the tags shown.",
        "higher": "higher",
        "lower": "lower",
        "contrast_for": "{item} ranks above {other} because you like {tags} {much}.",
        "contrast_despite": "{other} has {tags}, which you like less than most people.",
        "contrast_little": "{item} ranks above {other}; no tag explains why.",
        "contrast_level": "{item} and {other} have the same score.",
        "contrast_sum": "Difference {value}: {base} before tags, {tags} for tags, {residual} not "
        "explained by tags.",
        "comma": "{first}, {rest}",
        "semicolon": "{first}; {rest}",
        "and": "{first} and {last}",
        "said_more": "more {tag}",
        "said_less": "less {tag}",
        "said_strength": "{said} (strength {strength})",
        "said_set": "{tag} at {value}",
        "said_reject": "not {item}",
        "said_hide": "hide {tag}",
        "said_a_bit": "a bit {said}",
        "said_a_lot": "a lot {said}",
        "said_until": "{count} of {tag}",
        "said_less_than": "less {tag} than {item}",
        "said_together": "{tag} with {other}",
        "said_not_these": "not these {n}",
        "said_forget": "forget what was asked for this session only",
        "said_nothing": "no feedback",
        "turn": "Said: {said}.",
        "and_more": "{first} and {n} more",
        "list_changed": "{came} came in; {left} left; {kept} of your first {n} stayed.",
        "list_came": "{came} came in; {kept} of your first {n} stayed.",
        "list_left": "{left} left; {kept} of your first {n} stayed.",
        "list_same": "No change in your first {n}; ask for more.",
        "list_kept": "Your first {n} stayed.",
        "met_none": "Your list has no {tag}.",
        "met": "Your list has {count} of {tag} already.",
        "short_available": "Your list has {count} of {tag}; the catalogue has {available}.",
        "short_kept": "Your list has {count} of {tag}; {wanted} would replace too much of it.",
    }
)


def complete_words(
    words: Mapping[str, str] | None, english: Mapping[str, str] = ENGLISH
) -> Mapping[str, str]:
    """Return all sentences, some of them replaced, or say what is wrong with these."""
    if words is not None and not isinstance(words, Mapping):
        raise ValueError(f"words must be a dict of name to sentence, got {type(words).__name__}")
    for name, template in (words or {}).items():
        if name not in english:
            near = difflib.get_close_matches(str(name), english, n=3)
            hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
            raise ValueError(f"words: sktpecr.ENGLISH has no sentence named {name!r}{hint}")
        allowed, found = _fields(english[name]), _fields(template)
        if not found <= allowed:
            raise ValueError(
                f"words[{name!r}] may hold {', '.join(f'{{{each}}}' for each in sorted(allowed))}, "
                f"got {', '.join(f'{{{each}}}' for each in sorted(found - allowed))}"
            )
    return {**english, **(words or {})}


def _fields(template: str) -> set[str]:
    """Return what a template holds between braces."""
    try:
        parsed = list(Formatter().parse(template))
    except (TypeError, ValueError) as error:
        raise ValueError(f"words must be templates, got {template!r}: {error}") from None
    return {
        name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
        for _, name, spec, conversion in parsed
        if name is not None
    }


def reasons_in_words(
    reasons: Sequence[Reason], names: Mapping[Any, str], words: Mapping[str, str] = ENGLISH
) -> str:
    """Say in a sentence what speaks for an item, and what speaks against it."""
    speaking = [reason for reason in reasons if reason.speaks_for]
    # What the history shows is said, and what the model only believes where there is nothing else.
    speaking = ([reason for reason in speaking if reason.evidence] or speaking)[:_NAMED]
    against = [spoken(reason.tag) for reason in reasons if not reason.speaks_for]
    # Of tags that mean nearly the same one is enough.
    tags = [spoken(each.tag) for each in speaking]
    found = (item for reason in speaking for item in reason.evidence)
    seen = dict.fromkeys(without_aside(names[item]) for item in found)
    template = "for" if speaking[0].evidence else "belief"
    return words[template + ("_despite" if against else "")].format(
        tags=joined(tags, words),
        much=words[how_much(min(reason.liking for reason in speaking))],
        evidence=listed(list(seen)[:_SHOWN], words, are_titles=True),
        against=joined(against, words),
    )


def without_reasons_in_words(
    lead: str, against: Sequence[str], nearest: Sequence[str], is_popular: bool, words: Mapping
) -> str:
    """Say what speaks for an item where no tag does; `lead` names the template."""
    more = "_nearest" if nearest else "_popular" if is_popular else ""
    items = joined([without_aside(name) for name in nearest], words)
    disliked = joined(list(against), words)
    return words[lead + more].format(items=items, against=disliked)


def whom(user: Any, is_row: bool, label: Callable[[Any], str] = str) -> str:
    """Return whose explanation it is: a row number is said to be one."""
    return f"row {user} (no user ids given)" if is_row else label(user)


def spoken(tag: Any) -> str:
    """Return a tag as people say it: what stands for the spaces of a name in lower case goes."""
    text = str(tag)
    if not text.islower() or " " in text:
        return text
    return _POSSESSIVE.sub("'s", text).replace("-", " ")


def without_aside(name: str) -> str:
    """Return a title without the year or the series in brackets behind it, which nobody says."""
    return _ASIDE.sub("", name)


def change_in_words(
    came: list[str], left: list[str], kept: int, n: int, is_asked: bool, words: Mapping[str, str]
) -> str:
    """Say what came into a list of n, what left it, and how many stayed."""
    short = "changed" if came and left else "came" if came else "left" if left else "same"
    if short == "same" and not is_asked:
        short = "kept"
    parts = {"came": _some(came, words), "left": _some(left, words)}
    return words[f"list_{short}"].format(**parts, kept=str(kept), n=str(n))


def _some(names: list[str], words: Mapping[str, str]) -> str:
    """Return the first names, and how many there are more where those are too many to read."""
    if len(names) <= _READ + 1:
        return joined(names, words)
    return words["and_more"].format(first=listed(names[:_READ], words), n=str(len(names) - _READ))


def how_much(liking: float) -> str:
    """Return the word for how much more than most people somebody likes a tag."""
    return STRENGTHS[bisect_right(STRENGTH_BOUNDS, liking)]


def by_size(values: NDArray) -> NDArray:
    """Return the order from the largest value, of either sign, to the smallest."""
    return np.argsort(-np.abs(values), kind="stable")


def worth_saying(contributions: NDArray) -> NDArray:
    """Return the tags with contributions worth words, the largest first."""
    order = by_size(contributions)
    sizes = np.abs(contributions[order])
    return order[sizes > _WORTH_SAYING * sizes.max(initial=0.0)]


def joined(phrases: list[str], words: Mapping[str, str] = ENGLISH) -> str:
    """Return phrases with commas between them and "and" before the last."""
    if len(phrases) < 2:
        return "".join(phrases)
    *before, last = phrases
    return words["and"].format(first=listed(before, words), last=last)


def together_in_words(tags: Iterable[Any], words: Mapping[str, str]) -> str:
    """Return tags that are meant on one item as a phrase."""
    first, *others = map(str, tags)
    for other in others:
        first = words["said_together"].format(tag=first, other=other)
    return first


def listed(
    phrases: Sequence[str], words: Mapping[str, str] = ENGLISH, are_titles: bool = False
) -> str:
    """Return phrases with commas between them, or semicolons where titles have commas."""
    if not phrases:
        return ""
    mark = "semicolon" if are_titles and any(", " in each for each in phrases) else "comma"
    *before, first = phrases
    while before:
        first = words[mark].format(first=before.pop(), rest=first)
    return first
