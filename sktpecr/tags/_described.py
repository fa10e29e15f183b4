"""What tags that describe somebody new say of items."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sktpecr._utils._ranking import top_items
from sktpecr.tags._amount import enough
from sktpecr.tags._tag_model import TagModel
from sktpecr.tags._temperature import temperature_of

# A standard deviation counts as so many answers, of several tags on average. Chosen among 0, .02,
# .05, .1 and .2 by what such people take, on goodbooks and by other models of MovieLens-1M: more
# costs as much as it brings, and .5 costs .03 of NDCG@10 by five tags.
_ANSWERS_A_DEVIATION = 0.05
# So many items of a tag stand in the first `_LIST` where it is named at two standard deviations or
# more and is on thirty items or more; several tags share them, but for one each.
_SEEN, _LIST = 3, 10
_SEEN_A_DEVIATION, _ITEMS_A_SEEN = 1.5, 10


def wish_of(tag_model: TagModel, scores: NDArray, values: dict[int, float]) -> NDArray | None:
    """Return evidence on items, shape (n_items,), of somebody who is described by tags."""
    # `scores` (n_items,) of the embedding; `values` in standard deviations. Beside a little for
    # every tag it is as much, and no more, as brings some items of what is liked into the list,
    # and takes out what is not: the embedding of a fan of westerns likes what such people like,
    # which may be few westerns. Guesses are not counted: who asks for a tag gets items that have
    # it. Where more tags are named than the list is long, their items are not counted out.
    if not values:
        return None
    wish = np.zeros(len(scores))
    for tag, value in values.items():
        counts = _ANSWERS_A_DEVIATION * abs(value) / len(values)
        wish += counts * tag_model.wish.tag(tag, value > 0, guess=False)
    if len(values) > _LIST or not np.isfinite(scores).all():
        return wish
    temperature, prior = temperature_of(scores), scores.astype(np.float64)
    everything = np.ones(len(prior), dtype=bool)
    first, share = top_items(prior, everything, _LIST), _share(values)
    # What comes last is listed for certain, so the tag that is wanted most does.
    for tag, value in sorted(values.items(), key=lambda each: each[1]):
        amount = int(np.ceil(min(_SEEN_A_DEVIATION * abs(value), _SEEN)))
        on, base = tag_model.extractor.items_of(tag), prior + temperature * wish
        before = int(np.isin(top_items(base, everything, _LIST), on).sum())
        # A stray tag on one item is not worth three places.
        wanted = min(amount, share, -(-len(on) // _ITEMS_A_SEEN)) if value > 0 else _SEEN - amount
        if (wanted > before) if value > 0 else (wanted < before):
            moves = temperature * tag_model.wish.tag(tag, value > 0, guess=False)
            (moves,) = enough(base, moves, everything, [wanted], _LIST, first=first)
            wish = wish + moves / temperature
    return wish


def _share(values: dict[int, float]) -> int:
    """Return how many places of the list each tag that is liked may ask for."""
    n_liked = sum(value > 0 for value in values.values())
    return -(-_SEEN // n_liked) if n_liked else 0
