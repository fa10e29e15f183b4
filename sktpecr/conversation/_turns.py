"""Turns that can be taken back and said again."""

from __future__ import annotations

from copy import copy
from typing import Self

from sktpecr.conversation._conversation_turn import ConversationTurn
from sktpecr.conversation._conversation_state import Standing
from sktpecr.conversation._statement import Statement


class Turns:
    """A list of turns, and a place in it.

    Parameters
    ----------
    start : Standing
        Where things stand before the first turn.
    """

    def __init__(self, start: Standing) -> None:
        self._start = start
        # All turns, and how many of them count; one attribute, so that nobody reads half of it.
        self._at: tuple[tuple[ConversationTurn, ...], int] = ((), 0)

    @property
    def history(self) -> tuple[ConversationTurn, ...]:
        """The turns that count, the first one first."""
        turns, position = self._at
        return turns[:position]

    @property
    def undone(self) -> tuple[ConversationTurn, ...]:
        """The turns that :meth:`redo` brings back, the next one first."""
        turns, position = self._at
        return turns[position:]

    def undo(self) -> ConversationTurn:
        """Take the last turn back.

        Returns
        -------
        ConversationTurn
            The turn that was taken back.

        Raises
        ------
        ValueError
            If there is none.
        """
        turns, position = self._at
        if not position:
            raise ValueError("there is no turn to undo")
        self._at = turns, position - 1
        return turns[position - 1]

    def redo(self) -> ConversationTurn:
        """Say again what was taken back last; a new turn forgets what was undone.

        Returns
        -------
        ConversationTurn
            The turn that was said again.

        Raises
        ------
        ValueError
            If there is none.
        """
        turns, position = self._at
        if position == len(turns):
            raise ValueError("there is no turn to redo")
        self._at = turns, position + 1
        return turns[position]

    def reset(self) -> Self:
        """Take all turns back; :meth:`redo` brings them again.

        Returns
        -------
        Conversation
            The conversation itself.
        """
        self._at = self._at[0], 0
        return self

    def fork(self) -> Self:
        """Go another way from here.

        Returns
        -------
        Conversation
            Another one, which stands where this one does and goes its own way.
        """
        return copy(self)

    @property
    def _standing(self) -> Standing:
        turns, position = self._at
        return turns[position - 1].after if position else self._start

    def _keep(self, said: tuple[Statement, Standing], n: int) -> ConversationTurn:
        turn = ConversationTurn(said[0], self._standing, said[1], n)
        self._at = (*self.history, turn), len(self.history) + 1
        return turn
