"""Why an item gets its score, in tags."""

from sktpecr.explanation._reason import Reason

__all__ = ["Reason"]
