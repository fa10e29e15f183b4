"""What was said, and where it led: few of these states are kept, others are reached again."""

from __future__ import annotations

from typing import Any

from sktpecr.conversation._conversation_state import ConversationState
from sktpecr.conversation._conversation_turn import ConversationTurn
from sktpecr.conversation._heard import Heard
from sktpecr.refinement._feedback_refiner import FeedbackRefiner

# A state has numbers for all items, and a turn that is said again takes as long as it took.
MAX_TURNS = 300
# Kept are one state in so many, and those asked for last.
_STRIDE, _RECENT = 16, 12


class Past:
    """Turns from a start; never changes but for which of its states are at hand."""

    def __init__(self, refiner: FeedbackRefiner, n: int, start: ConversationState) -> None:
        self.start = start
        self.turns: tuple[ConversationTurn, ...] = ()
        self._refiner, self._n = refiner, n
        self._steps: tuple[_Step, ...] = ()
        self._recent = _Recent()

    @property
    def said(self) -> tuple[Any, ...]:
        """What was said in each turn, whatever this model makes of it."""
        return tuple(turn.said for turn in self.turns)

    @property
    def nbytes(self) -> int:
        """Bytes of what is kept for every item, at most."""
        return sum(step.kept.nbytes for step in self._steps if step.kept) + self.start.nbytes

    def state(self, number: int) -> ConversationState:
        """Return where things stood after so many turns, to the last bit."""
        return self._steps[number - 1].state() if number else self.start

    def followed_by(self, position: int, heard: Heard, state: ConversationState) -> Past:
        """Return the first turns, up to a position, and one more that leads to a state."""
        if position >= MAX_TURNS:
            raise ValueError(
                f"a conversation has at most {MAX_TURNS} turns; undo some, or begin another one"
            )
        past = Past(self._refiner, self._n, self.start)
        past._recent = self._recent
        before = self._steps[position - 1] if position else None
        step = _Step(past, before, position + 1, heard, state)
        past._steps = *self._steps[:position], step
        turn = ConversationTurn(
            heard.said,
            self.start if before is None else before.state,
            step.state,
            self._n,
            heard.followed,
            heard.left_out,
        )
        past.turns = *self.turns[:position], turn
        step.state()
        return past

    def reached(self, state: ConversationState, heard: Heard) -> ConversationState:
        """Return where a turn leads."""
        if heard.followed is None:
            return state
        return state.repeating(self._refiner, self._n, heard.followed)[1]


class _Step:
    """A turn after another, and the state that it led to as long as that is kept."""

    def __init__(
        self,
        past: Past,
        before: _Step | None,
        number: int,
        heard: Heard,
        state: ConversationState,
    ) -> None:
        self.before, self.heard = before, heard
        self.kept: ConversationState | None = state
        self._start, self._recent, self._reached = past.start, past._recent, past.reached
        # What another solver than "auto" makes may be drawn anew each time, and is small.
        self.stays = past._refiner.solver != "auto" or number % _STRIDE == 0

    def state(self) -> ConversationState:
        """Return where the turn led."""
        again: list[_Step] = []
        step: _Step | None = self
        state: ConversationState | None = None
        while step is not None and state is None:
            state = step.kept  # read once: another thread may let go of it
            if state is None:
                again.append(step)
                step = step.before
        state = self._start if state is None else state
        for each in reversed(again):
            each.kept = state = self._reached(state, each.heard)
            self._recent.add(each)
        self._recent.add(self)
        return state


class _Recent(dict["_Step", None]):
    """Steps whose states were asked for last, the last one last."""

    def add(self, step: _Step) -> None:
        """Put a step last; let go of the state of the first, and of what is computed soon."""
        self.pop(step, None)
        self[step] = None
        steps = list(self)
        for old in steps[:-_RECENT]:
            self.pop(old, None)
            if not old.stays:
                old.kept = None
        for old in steps[-_RECENT - 1 : -2]:
            if old.kept is not None:
                old.kept.rest()

    def __reduce__(self) -> tuple[Any, ...]:
        return _Recent, ()  # copies remember by themselves
