"""What the page says, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sktpecr.explanation._words import ENGLISH, complete_words

#: The page's own templates; names in braces are filled in by the page.
PAGE_ENGLISH: Mapping[str, str] = MappingProxyType(
    {
        "page_language": "en",
        "page_direction": "ltr",
        "page_title": "Recommendations that listen",
        "page_lead": "See what is recommended and why. Ask for more or less of anything, and the "
        "list follows. Look at one of these people’s lists, or try it yourself below.",
        "page_skip": "Skip to the list",
        "page_no_script": "This page needs JavaScript.",
        "page_names": "Ana, Ben, Cleo",
        "page_you": "you",
        "page_user": "user {user}",
        "page_people": "Look at somebody’s list",
        "page_watched": "Knows already",
        "page_next": "Next for {name}",
        "page_see": "See the list for {name}",
        "page_find_user": "Any other user",
        "page_find_user_hint": "Search by user number or name",
        "page_new": "Try it yourself",
        "page_new_lead": "Pick what you like. The more you pick, the more there is to go by.",
        "page_tags": "What you like",
        "page_find_tag": "Search a tag",
        "page_more_tags": "Show all {n}",
        "page_films": "What you have enjoyed",
        "page_find_film": "Search a title",
        "page_begin": "Show my list",
        "page_begin_hint": "Pick at least one first.",
        "page_picked": "{n} picked",
        "page_open": "Open a saved conversation",
        "page_choose_file": "Choose a file",
        "page_no_match": "Nothing found for “{text}”.",
        "page_for": "For {name}",
        "page_whose": "A list that was shared",
        "page_speaks_to": "“You” is {name} here.",
        "page_speaks_to_owner": "“You” is whoever shared this list.",
        "page_somebody_else": "Somebody else",
        "page_share": "Share",
        "page_shared": "This link shows the list as it is now. Nobody can change it there.",
        "page_copied": "The link is copied. It shows the list as it is now, and nobody can change "
        "it there.",
        "page_download": "Download",
        "page_read_only": "A shared list: you can look, not change it.",
        "page_go_on": "Go on from here, in a copy of your own",
        "page_empty": "Nothing is left to show. Take something back.",
        "page_none_of_these": "None of these interest me",
        "page_new_badge": "new",
        "page_up": "up {n}",
        "page_down": "down {n}",
        "page_left": "Left the list",
        "page_nothing_left": "What an answer takes out of the list is shown here.",
        "page_history": "What you said",
        "page_nothing_said": "Nothing yet.",
        "page_remove": "Take back: {said}",
        "page_hidden": "Hidden tags",
        "page_show_again": "Show {tag} again",
        "page_start_over": "Start over",
        "page_started_over": "Back at the start.",
        "page_undone": "Taken back: {said}.",
        "page_redone": "Said again: {said}.",
        "page_undo": "Undo",
        "page_redo": "Redo",
        "page_bring_back": "Bring back",
        "page_close": "Close",
        "page_question": "{tag}: more or less?",
        "page_more": "More",
        "page_less": "Less",
        "page_skip_question": "Skip",
        "page_more_of": "More {tag}",
        "page_less_of": "Less {tag}",
        "page_a_bit": "A bit",
        "page_clearly": "Clearly",
        "page_a_lot": "A lot",
        "page_brings": "brings in {films}",
        "page_takes": "takes out {films}",
        "page_changes_nothing": "changes nothing in this list",
        "page_and_more": "{n} more",
        "page_happened": "New in the list after “{said}”: {films}.",
        "page_counted": "{tag}: {before} → {after} of {n}.",
        "page_hide": "Hide {tag}: no longer give it as a reason. The list stays as it is.",
        "page_hide_tag": "Hide",
        "page_about_hiding": "“Hide” stops a tag from being given as a reason. The list stays as "
        "it is.",
        "page_hid": "{tag} is no longer given as a reason. The list stays as it is.",
        "page_rank": "Place {n}",
        "page_below": "Place {n}, below the list",
        "page_not_listed": "Not in the list",
        "page_not_this": "Not this one",
        "page_bars": "How the score comes about",
        "page_average": "Average person",
        "page_level": "You in general",
        "page_other_tags": "{n} more tags",
        "page_rest": "Not explained by tags",
        "page_asked": "What you asked for",
        "page_score": "Score",
        "page_details": "Show the numbers",
        "page_certainty": "How much tags matter here: some people score this title higher than "
        "others do, and its tags explain {told} of that. Random tags would explain {chance}.",
        "page_other_tag": "Another tag",
        "page_why_not": "Why not …?",
        "page_why_not_lead": "Search a title that is not in the list.",
        "page_stands": "Place {n} of {all}.",
        "page_is_listed": "It is in the list, at place {n}.",
        "page_is_seen": "Known already, so it is not recommended.",
        "page_is_rejected": "You said: not this one.",
        "page_by_asked": "What you asked for puts {item} above {other}.",
        "page_would_bring": "This answer would bring it in:",
        "page_closest": "No answer on one tag or two would bring it in. The closest one brings it "
        "to place {n}:",
        "page_no_answer": "No answer on one tag or two would bring it in.",
        "page_give": "Say: {said}",
        "page_compare": "Compare with",
        "page_compare_choose": "Choose …",
        "page_retry": "Try again",
        "page_unreachable": "The server cannot be reached. Nothing was lost.",
        "page_tile_for": "Because you like {tags} {much}.",
        "page_tile_for_despite": "Because you like {tags}, despite {against}.",
        "page_tile_nearest": "People who like {items} like it, too.",
        "page_tile_popular": "Many people like it.",
    }
)


def all_words(words: Mapping[str, str] | None) -> tuple[Mapping[str, str], dict[str, str]]:
    """Return sentences that replace the library's, and all strings of the page."""
    complete = complete_words(words, {**ENGLISH, **PAGE_ENGLISH})
    replaced = {name: text for name, text in (words or {}).items() if name in ENGLISH}
    return replaced, {name: complete[name] for name in PAGE_ENGLISH}


def tile_words(words: Mapping[str, str], page: Mapping[str, str]) -> dict[str, str]:
    """Return sentences that fit under a title: without the evidence."""
    short = {"for": page["page_tile_for"], "for_despite": page["page_tile_for_despite"]}
    for name in ("no_reason", "despite"):
        short |= {f"{name}_{how}": page[f"page_tile_{how}"] for how in ("nearest", "popular")}
    return {**words, **short}
