"""Which of an item's own tags are reasons that a person can be given."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from sktpecr._inputs._ids import plain
from sktpecr._utils._sparse_rows import columns_of_rows
from sktpecr.attribution import AccountAttribution, Attributed
from sktpecr.explanation._reason import Reason
from sktpecr.explanation._words import STRENGTH_BOUNDS
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._user import User

# A taste nearer to the average than this, in standard deviations, is nothing to speak of.
LIKED = 0.25
# What no item taken shows is only the model's belief, and has to be this strong.
BELIEVED = STRENGTH_BOUNDS[0]
# Nor is a contribution below this share of the largest.
SHARE = 0.2
# Nor one that moves the score by less than these shares of its standard deviation over users,
# the first for what speaks for it, the second for what speaks against.
MOVES = 0.1, 0.2
# An item taken is near to another if their scores correlate by so much over users.
_NEAR = 0.5
# Taken by more users than this share of the items are: popular.
_POPULAR = 0.75


class OwnTags(NamedTuple):
    """Used tags of one item, each with its alias and its number of items, tastes in deviations."""

    columns: NDArray
    contributions: NDArray
    likings: NDArray
    aliases: NDArray
    n_items: NDArray
    spread: float

    @classmethod
    def of(
        cls,
        account: AccountAttribution,
        column: int,
        tags: NDArray,
        contributions: NDArray,
        likings: NDArray,
    ) -> OwnTags:
        """Return what is to be known of some tags of an item, given what they do and are."""
        aliases, n_items = account.aliases_[tags], account.n_items_[tags]
        return cls(tags, contributions, likings, aliases, n_items, float(account.spread_[column]))


class History(NamedTuple):
    """Items taken: ids (n,), which own tags each carries (n, n_own), and how near it is (n,)."""

    ids: NDArray
    carries: NDArray
    nearness: NDArray


class Told(NamedTuple):
    """Reasons, names of the items that are their evidence, and what speaks where no tag does."""

    reasons: tuple[Reason, ...]
    names: dict[Any, str]
    nearest: tuple[str, ...] = ()
    is_popular: bool = False


def tell(
    tag_model: TagModel,
    user: User,
    column: int,
    hidden: frozenset[Any] = frozenset(),
    k: int = 3,
    attributed: Attributed | None = None,
) -> Told:
    """Return what can be told a person of an item, without tags that are hidden."""
    # `attributed` is what the account says of this pair, where that was asked for already.
    account, catalogue = tag_model.account, tag_model.catalogue
    preferences = tag_model.tag_preferences_of(user.embedding)
    if attributed is None:
        attributed = account.attribute(preferences, user.embedding, [column])
    told, likings = attributed.told(preferences)
    contributions, names = told.copy(), tag_model.tags.array()
    if hidden:
        contributions = np.where([[plain(tag) in hidden for tag in names]], 0.0, contributions)
    # Who said "less" of a tag is not told that it is why.
    unwanted = [tag for turn in user.turns for tag in turn.feedback.dislike]
    contributions[:, unwanted] = np.minimum(contributions[:, unwanted], 0.0)
    reasons = reasons_of(
        account,
        contributions[0],
        likings,
        column,
        names,
        catalogue.item_ids,
        user.history,
        k,
    )
    shown = [item for reason in reasons for item in reason.evidence]
    titles = {item: str(catalogue.item_names[catalogue.items.row(item)]) for item in shown}
    if any(reason.speaks_for for reason in reasons):
        return Told(tuple(reasons), titles)
    # Asked for only where no tag speaks for the item.
    taken = user.history[user.history != column]
    nearness = account.alike(column, taken)
    nearest = np.argsort(-nearness, kind="stable")[:2]
    popularity = tag_model.popularity
    return Told(
        tuple(reasons),
        titles,
        tuple(str(catalogue.item_names[taken[at]]) for at in nearest if nearness[at] >= _NEAR),
        bool(np.mean(popularity < popularity[column]) >= _POPULAR),
    )


def select_reasons(
    own: OwnTags,
    tag_names: NDArray,
    history: History | None = None,
    k: int = 3,
    n_evidence: int = 2,
) -> list[Reason]:
    """Return the few own tags that a person can be given as reasons, for before against."""
    # At most one speaks against, and none does where k is 1; k are named at most, the largest
    # contributions first.
    if k < 1:
        raise ValueError(f"k must be a number of reasons of at least 1, got {k!r}")
    candidates = _merged(own)
    if not candidates:
        return []
    # Two that speak alike are one, and what is left out still counts for what is large.
    largest = max(abs(contribution) for _, contribution in candidates)
    named = [
        (places, contribution)
        for places, contribution in candidates
        if abs(own.likings[places[0]]) >= LIKED
        and abs(contribution) >= max(SHARE * largest, MOVES[contribution < 0] * own.spread)
    ]
    named.sort(key=lambda each: -abs(each[1]))
    against = [each for each in named if each[1] < 0][: 1 if k > 1 else 0]
    speaking = [each for each in named if each[1] > 0][: k - len(against)]
    reasons = [
        Reason(
            tag=plain(tag_names[own.columns[places[0]]]),
            tags=tuple(plain(tag) for tag in tag_names[own.columns[places]]),
            liking=float(own.likings[places[0]]),
            contribution=float(contribution),
            speaks_for=bool(contribution > 0),
            evidence=_evidence(places[0], history, n_evidence),
        )
        for places, contribution in [*speaking, *against]
    ]
    if history is None:
        return reasons
    return [
        each for each in reasons if each.evidence or not each.speaks_for or each.liking >= BELIEVED
    ]


def reasons_of(
    attribution: AccountAttribution,
    contributions: NDArray,
    likings: NDArray,
    column: int,
    tag_names: NDArray,
    item_ids: NDArray,
    history: NDArray,
    k: int = 3,
) -> list[Reason]:
    """Return the reasons for one item; none where its own tags say no more than chance."""
    # Contributions and likings (n_tags,) are what the account tells of the item and user; item_ids
    # are of all items, `column` and `history` are column numbers.
    if not attribution.says_more_than_chance([column])[0]:
        return []
    tags = attribution.weights_.indices[
        attribution.weights_.indptr[column] : attribution.weights_.indptr[column + 1]
    ]
    own = OwnTags.of(attribution, column, tags, contributions[tags], likings[tags])
    taken = history[history != column]
    carries = _carries(attribution.carried_, taken, tags)
    nearness = attribution.alike(column, taken)
    return select_reasons(own, tag_names, History(item_ids[taken], carries, nearness), k)


def _merged(own: OwnTags) -> list[tuple[list[int], float]]:
    """Return places of own tags that are one in taste and sign, and what they add together."""
    # The one that most items carry is what people call it.
    groups: dict[tuple[int, bool], list[int]] = {}
    contributions = own.contributions.tolist()
    for place in sorted(range(len(contributions)), key=lambda place: -abs(contributions[place])):
        if contributions[place]:
            key = int(own.aliases[place]), contributions[place] > 0
            groups.setdefault(key, []).append(place)
    return [
        (
            sorted(places, key=lambda place: -own.n_items[place]),
            sum(contributions[place] for place in places),
        )
        for places in groups.values()
    ]


def _carries(item_tags: sp.csr_matrix, items: NDArray, tags: NDArray) -> NDArray:
    """Return which of some tags, ascending, each item carries."""
    counts, found = columns_of_rows(item_tags, items)
    of_entry = np.repeat(np.arange(len(items)), counts)
    places = np.searchsorted(tags, found)
    known = places < len(tags)
    known[known] = tags[places[known]] == found[known]
    carries = np.zeros((len(items), len(tags)), dtype=bool)
    carries[of_entry[known], places[known]] = True
    return carries


def _evidence(place: int, history: History | None, n: int) -> tuple[Any, ...]:
    """Return ids of items taken that carry an own tag, nearest first."""
    if history is None:
        return ()
    found = np.flatnonzero(history.carries[:, place])
    nearest = found[np.argsort(-history.nearness[found], kind="stable")[:n]]
    return tuple(plain(item) for item in history.ids[nearest])
