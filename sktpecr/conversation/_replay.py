"""What became of a conversation that was read from JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from sktpecr._inputs._catalogue import Catalogue
from sktpecr.conversation._heard import Heard
from sktpecr.conversation._past import Past
from sktpecr.conversation._saved_conversation import SavedConversation


@dataclass(frozen=True, eq=False)
class Replay:
    """What became of a conversation that was read from JSON.

    Parameters
    ----------
    items : DataFrame
        The list that the user saw, and the one of this model: item, name, rank_before, rank,
        change ("enters", "stays" or "leaves"). A rank is missing where the item is not in that
        list, a name where this model does not know the item.
    left_out : tuple of str
        What of the conversation this model does not know, or refuses. It stays among what was said,
        for a model that follows it.
    """

    items: pd.DataFrame
    left_out: tuple[str, ...]

    @classmethod
    def of(
        cls, catalogue: Catalogue, before: Iterable[Any], now: NDArray, left_out: Iterable[str]
    ) -> Replay:
        """Compare a list of ids with one of columns."""
        before, after = list(before), [catalogue.items[column] for column in now]
        gone = [item for item in before if item not in after]
        names = {
            item: catalogue.item_names[column] for item, column in zip(after, now, strict=True)
        }
        for item in gone:
            is_known = item in catalogue.items
            names[item] = catalogue.item_names[catalogue.items.row(item)] if is_known else None
        rows = [
            {
                "item": item,
                "name": names[item],
                "rank_before": before.index(item) + 1 if item in before else pd.NA,
                "rank": after.index(item) + 1 if item in after else pd.NA,
                "change": "leaves" if item in gone else "stays" if item in before else "enters",
            }
            for item in [*after, *gone]
        ]
        columns = ["item", "name", "rank_before", "rank", "change"]
        frame = pd.DataFrame(rows, columns=columns)
        return cls(frame.astype({"rank_before": "Int64", "rank": "Int64"}), tuple(left_out))

    def __repr__(self) -> str:
        changes = self.items["change"].value_counts().to_dict()
        words = ", ".join(
            f"{changes.get(word, 0)} {word}" for word in ("stays", "enters", "leaves")
        )
        return f"Replay({words}; left out: {', '.join(self.left_out) or 'nothing'})"


def repeated(saved: SavedConversation, past: Past) -> tuple[Past, list[str]]:
    """Say again what was said; what a model does not follow is kept as it was said."""
    left_out: list[str] = []
    state = past.start
    for number, statement in enumerate(saved.said, start=1):
        followed, unknown = statement.known_to(state.tag_model)
        try:
            state = past.reached(state, Heard(statement, followed))
        except ValueError as error:
            followed, unknown = None, [*unknown, f"what this model refuses ({error})"]
        left_out += [f"{what} in turn {number}" for what in unknown]
        past = past.followed_by(number - 1, Heard(statement, followed, tuple(unknown)), state)
    return past, left_out
