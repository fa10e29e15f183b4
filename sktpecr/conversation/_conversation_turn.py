"""What a turn of a conversation changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from sktpecr._inputs._ids import plain
from sktpecr._utils._lazily import lazily
from sktpecr.conversation._conversation_state import ConversationState
from sktpecr.conversation._statement import Statement
from sktpecr.explanation._words import complete_words


class ConversationTurn:
    """What one turn of a conversation changed; immutable.

    Returned by the methods of :class:`Conversation`; do not make one yourself.

    Parameters
    ----------
    said : Statement
        What was said; prints as words.
    before, after : ConversationState, or callable that returns one
        Where the conversation stood.
    n : int
        Length of the list that the turn is judged by.
    followed : Statement, optional
        What of it the model follows, none if it follows nothing.
    left_out : tuple of str, default=()
        What the model does not follow.

    Attributes
    ----------
    said : Statement
        What was said; prints as words.
    left_out : tuple of str
        What of it this model does not know, or refuses, and why; empty but where
        :meth:`Conversation.from_json` read what was said to another model.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sktpecr import Conversation, TPECRExplainer
    >>> from sktpecr.datasets import make_tagged_interactions
    >>> data = make_tagged_interactions(random_state=0)
    >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
    >>> conversation = Conversation(explainer.fit(data.interactions), user=3, n=5)
    >>> turn = conversation.reject(conversation.recommend(1)["item"].iloc[0])
    >>> turn.kept
    0.8
    >>> list(turn.items["change"]).count("enters")
    1
    """

    def __init__(
        self,
        said: Statement,
        before: ConversationState | Callable[[], ConversationState],
        after: ConversationState | Callable[[], ConversationState],
        n: int,
        followed: Statement | None = None,
        left_out: tuple[str, ...] = (),
    ) -> None:
        self.said, self.left_out = said, left_out
        self._states, self._n = (before, after), n
        self._followed = followed if left_out else said

    @property
    def after(self) -> ConversationState:
        """Where the conversation stood then."""
        state = self._states[1]
        return state() if callable(state) else state

    @property
    def _before(self) -> ConversationState:
        state = self._states[0]
        return state() if callable(state) else state

    @property
    def items(self) -> pd.DataFrame:
        """Items that were in the list before or after, in order of the rank after.

        Columns item, name, rank_before, rank, change ("enters", "stays" or "leaves"); a rank is
        missing where the item may not be listed.
        """
        return self._items.copy()

    @property
    def tags(self) -> pd.DataFrame:
        """What was asked of each tag that may be shown, and what came.

        Columns tag, said ("more", "less", "set" or ""), asked and delivered, both in standard
        deviations of the population; what was spoken of first, then the largest change.
        """
        tag_model, after = self.after.tag_model, self.after.refinement
        before, followed = self._before.refinement, self._followed
        asked = tag_model.vs_mean(after.requested) - tag_model.vs_mean(before.tag_preferences)
        delivered = tag_model.in_std(after.tag_preferences - before.tag_preferences)
        words = np.full(len(asked), "", dtype=object)
        if followed is None or not followed.tags:
            asked = delivered = np.zeros(len(tag_model.tags))
        else:
            for word, pairs in (
                ("more", followed.like),
                ("less", followed.dislike),
                ("set", followed.set),
            ):
                words[[tag_model.tags.row(tag) for tag, _ in pairs]] = word
        shown = np.flatnonzero(self.after.shown & self._before.shown)
        order = shown[np.lexsort([-np.abs(delivered[shown]), words[shown] == ""])]
        return pd.DataFrame(
            {
                "tag": tag_model.tags.array()[order],
                "said": words[order],
                "asked": asked[order],
                "delivered": delivered[order],
            }
        )

    @lazily
    def _items(self) -> pd.DataFrame:
        first, second = self._before.listed(self._n), self.after.listed(self._n)
        columns = np.concatenate([second, first[~np.isin(first, second)]])
        catalogue = self.after.tag_model.catalogue
        change = np.where(np.isin(columns, first), "stays", "enters").astype(object)
        change[len(second) :] = "leaves"
        frame = pd.DataFrame(
            {
                "item": catalogue.item_ids[columns],
                "name": catalogue.item_names[columns],
                "rank_before": pd.array(self._before.ranks(columns), dtype="Int64"),
                "rank": pd.array(self.after.ranks(columns), dtype="Int64"),
                "change": change,
            }
        )
        return frame.sort_values("rank", kind="stable", ignore_index=True)

    @lazily
    def kept(self) -> float:
        """Share of the list before that is still listed; 1 where there was no list."""
        first, second = self._before.listed(self._n), self.after.listed(self._n)
        return float(np.isin(first, second).mean()) if len(first) else 1.0

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain Python values, ready for JSON where the ids are.

        Returns
        -------
        dict
            Words, text, kept, and items and tags as lists of dicts; None for a missing rank.
        """
        tables = {
            name: [
                {key: _none_if_missing(plain(value)) for key, value in row.items()}
                for row in table.to_dict("records")
            ]
            for name, table in (("items", self.items), ("tags", self.tags))
        }
        return {"words": str(self.said), "text": str(self), "kept": self.kept, **tables}

    def __repr__(self) -> str:
        return f"ConversationTurn({str(self.said)!r}, kept={self.kept:.0%})"

    def __str__(self) -> str:
        return self.to_text()

    def to_text(self, words: Mapping[str, str] | None = None) -> str:
        """Say what the turn asked for, what came into the list, what left it, what that cost.

        Parameters
        ----------
        words : mapping of str to str, optional
            Sentences to say in place of those of ``sktpecr.ENGLISH``, by name, with the same
            words in braces: a translation, or a product's own.

        Returns
        -------
        str
            Plain text; escape it where it becomes HTML.

        Raises
        ------
        ValueError
            If a sentence has no such name, or holds what is not there to be said.

        Examples
        --------
        >>> from sklearn.decomposition import TruncatedSVD
        >>> from sktpecr import Conversation, TPECRExplainer
        >>> from sktpecr.datasets import make_tagged_interactions
        >>> data = make_tagged_interactions(random_state=0)
        >>> explainer = TPECRExplainer(TruncatedSVD(8, random_state=0), data.item_tags)
        >>> conversation = Conversation(explainer.fit(data.interactions), user=3, n=5)
        >>> turn = conversation.like("tag_1", amount="a bit")
        >>> print(turn.to_text({"turn": "You asked for {said}."}))
        You asked for a bit more tag_1. item_029 came in; item_017 left; 4 of your first 5 stayed.
        """
        return " ".join(self._sentences(complete_words(words)))

    def shortfalls(self, words: Mapping[str, str] | None = None) -> list[str]:
        """Say of which tags less is to be seen than this turn asked for.

        Parameters
        ----------
        words : mapping of str to str, optional
            See :meth:`to_text`.

        Returns
        -------
        list of str
            A sentence for each; none where everything asked for is there.
        """
        if self._followed is None or not self._followed.tags:
            return []
        return self.after.refinement.shortfalls(complete_words(words))

    @property
    def _names(self) -> dict[Any, str]:
        """Names of the items that are spoken of, by id; of those that the model knows."""
        catalogue = self.after.tag_model.catalogue
        known = [item for item in self.said.items if item in catalogue.items]
        return {item: str(catalogue.item_names[catalogue.items.row(item)]) for item in known}

    def _sentences(self, say: Mapping[str, str]) -> Iterator[str]:
        items = self.items
        yield say["turn"].format(said=self.said.to_text(say, self._names))
        came, left = (
            [str(name) for name in items["name"][items["change"] == change]]
            for change in ("enters", "leaves")
        )
        before = len(items) - len(came)
        asked = self._followed is not None and bool(self._followed.tags)
        counts = before - len(left), before
        yield from self.after.refinement.change(came, left, *counts, asked, say)


def _none_if_missing(value: Any) -> Any:
    return None if value is pd.NA else value
