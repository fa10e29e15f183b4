"""What a model makes of what was said."""

from __future__ import annotations

from dataclasses import dataclass

from sktpecr.conversation._statement import Statement


@dataclass(frozen=True)
class Heard:
    """What was said in a turn, and what of it a model can follow."""

    said: Statement  # As it was said, whatever this model knows
    followed: Statement | None  # None where nothing is
    left_out: tuple[str, ...] = ()  # What is not followed, and why

    @classmethod
    def whole(cls, said: Statement) -> Heard:
        """Return a statement that is followed to the last word."""
        return cls(said, said)
