"""What explanations of one item, of two, and of an edit have in common when put into words."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from string import Formatter
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

# Contributions under this share of the largest one are not worth words.
_WORTH_SAYING = 0.05

#: The sentences of Explanation.to_text and ConversationTurn.to_text, by name;
#: others can take the place of any.
ENGLISH: Mapping[str, str] = MappingProxyType(
    {
        "links": "The model links {item} to {tags}.",
        "links_despite": "The model links {item} to {tags}, despite {against}.",
        "against": "The tags of {item} count against it: {against}.",
        "little": "The tags of {item} say little about its score.",
        "no_tags": "{item} has no tags, so none of its own can explain it.",
        "no_tags_shown": "{item} has no tags that may be shown, so none of its own can explain it.",
        "one_more": "One more of its tags has a part in it.",
        "more": "{n} more of its tags have a part in it.",
        "other_for_one": "Of the tags that it does not carry, {tags} counts for it.",
        "other_for": "Of the tags that it does not carry, {tags} count for it.",
        "other_against_one": "Of the tags that it does not carry, {tags} counts against it.",
        "other_against": "Of the tags that it does not carry, {tags} count against it.",
        "sum": "From {base} at average tag preferences, tags lead by {tags} and what no tag sees "
        "by {residual} to {value}.",
        "sum_shown": "From {base} at average tag preferences, tags lead by {tags} and what no tag "
        "shown sees by {residual} to {value}.",
        "by_tags": "The model was not trained on {item}: its score is what its tags suggest.",
        "liked_more": "{tag}, liked more than average ({contribution})",
        "liked_less": "{tag}, liked less than average ({contribution})",
        "comma": "{first}, {rest}",
        "and": "{first} and {last}",
        "said_more": "more {tag}",
        "said_less": "less {tag}",
        "said_strength": "{said} (strength {strength})",
        "said_set": "{tag} at {value}",
        "said_reject": "not {item}",
        "said_hide": "hide {tag}",
        "said_nothing": "no feedback",
        "turn": "Said: {said}.",
        "turn_tag": "In the model's view {tag} moves by {delivered} of the {asked} standard "
        "deviations asked for.",
        "turn_enters_one": "{items} enters the list.",
        "turn_enters": "{items} enter the list.",
        "turn_leaves_one": "{items} leaves the list.",
        "turn_leaves": "{items} leave the list.",
        "turn_rank": "{item} (rank {before}, now {after})",
        "turn_no_rank": "none",
        "turn_kept": "{kept} of the list stays.",
        "turn_other": "Of the tags not spoken of, {tag} moves most, by {delivered} standard "
        "deviations.",
    }
)


def complete_words(words: Mapping[str, str] | None) -> Mapping[str, str]:
    """Return all sentences, some of them replaced, or say what is wrong with these."""
    for name, template in (words or {}).items():
        if name not in ENGLISH:
            near = difflib.get_close_matches(str(name), ENGLISH, n=3)
            hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
            raise ValueError(f"words: sktpecr.ENGLISH has no sentence named {name!r}{hint}")
        allowed, found = _fields(ENGLISH[name]), _fields(template)
        if not found <= allowed:
            raise ValueError(
                f"words[{name!r}] may hold {', '.join(f'{{{each}}}' for each in sorted(allowed))}, "
                f"got {', '.join(f'{{{each}}}' for each in sorted(found - allowed))}"
            )
    return {**ENGLISH, **(words or {})}


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


def by_size(values: NDArray) -> NDArray:
    """Return the order from the largest value, of either sign, to the smallest."""
    return np.argsort(-np.abs(values), kind="stable")


def worth_saying(contributions: NDArray) -> NDArray:
    """Return the tags with contributions worth words, the largest first."""
    order = by_size(contributions)
    sizes = np.abs(contributions[order])
    return order[sizes > _WORTH_SAYING * sizes.max(initial=0.0)]


def liked(
    tags: Sequence[int],
    names: NDArray,
    vs_population: NDArray,
    contributions: NDArray,
    words: Mapping[str, str] = ENGLISH,
) -> str:
    """Say of some tags how they are liked, and what that does."""
    return joined(
        [
            words["liked_more" if vs_population[t] > 0 else "liked_less"].format(
                tag=names[t], contribution=f"{contributions[t]:+.2g}"
            )
            for t in tags
        ],
        words,
    )


def joined(phrases: list[str], words: Mapping[str, str] = ENGLISH) -> str:
    """Return phrases with commas between them and "and" before the last."""
    if len(phrases) < 2:
        return "".join(phrases)
    *before, last = phrases
    return words["and"].format(first=listed(before, words), last=last)


def listed(phrases: Sequence[str], words: Mapping[str, str] = ENGLISH) -> str:
    """Return phrases with commas between them."""
    *before, first = phrases
    while before:
        first = words["comma"].format(first=before.pop(), rest=first)
    return first
